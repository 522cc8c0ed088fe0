//! What a dataset is: a number of samples, each an input and its target, and what can be asked of any of them.

use crate::{Collate, Column, Loader, Names, Reading, Subset, split};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor, catch};
use std::sync::Arc;

/// One sample: an input and its target.
///
/// * Shape: `x: [..]` without a batch axis; `y: []` with a class id (`i64`), or `y: [..]` with values (floats).
#[derive(Clone, Debug)]
pub struct Sample {
    /// The input.
    pub x: Tensor,
    /// The target: a class id as a scalar `i64`, or a float tensor.
    pub y: Tensor,
}

/// What is known about a dataset beside its numbers; it travels with a trained model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Names of the classes in the order of their ids; empty when targets are values.
    pub classes: Vec<String>,
    /// Names of the input columns, where inputs come from a table.
    pub features: Vec<String>,
    /// Names of the target columns, where targets come from a table.
    pub targets: Vec<String>,
    /// What was understood of the input columns, where they need not be numbers.
    pub columns: Vec<Column>,
    /// How the table was read that these stand in.
    pub reading: Option<Reading>,
}

/// A number of samples that can be read by index, from any thread.
///
/// A new kind of data needs `len` and `get`; the rest follows from these two. Sets that hold their samples in memory
/// also implement [`batch`](Dataset::batch), which is what makes them fast.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
///
/// struct Squares;
/// impl Dataset for Squares {
///     fn len(&self) -> usize {
///         5
///     }
///     fn get(&self, i: usize) -> Result<Sample> {
///         let x = Tensor::full([1], i as f64);
///         Ok(Sample { y: x.square(), x })
///     }
/// }
/// let batch = Squares.batch(&[2, 4])?;
/// assert_eq!(batch.x.shape(), [2, 1]);
/// assert_eq!(batch.y.to_vec::<f32>(), [4.0, 16.0]);
/// # Ok::<(), Error>(())
/// ```
///
/// A set of samples of another type says so, `impl Dataset<Triplet> for Faces`: whatever can be put into batches
/// ([`Collate`]). A vector of samples is a set as [`Samples`](crate::Samples).
pub trait Dataset<S: Collate = Sample>: Send + Sync {
    /// The number of samples.
    fn len(&self) -> usize;

    /// Sample `i`, counted from 0.
    ///
    /// # Errors
    /// When the sample is damaged or cannot be read. Code that reads many adds [`name`](Dataset::name) to the message.
    fn get(&self, i: usize) -> Result<S>;

    /// What is known about the set: class names, columns.
    fn info(&self) -> Info {
        Info::default()
    }

    /// What sample `i` is called in messages and reports; a set of files adds the file's path.
    fn name(&self, i: usize) -> String {
        format!("sample {i}")
    }

    /// The least and the largest number that inputs can hold, where that is known without reading them: 0 and 1 of
    /// pictures. [`Preprocess::fit`](crate::Preprocess::fit) refuses steps that were meant for other numbers.
    fn range(&self) -> Option<[f64; 2]> {
        None
    }

    /// Several samples stacked along a new first axis, in the order of `indices`.
    ///
    /// * Shape: of a [`Sample`], `x: [n, ..]`, `y: [n]` or `[n, ..]`.
    ///
    /// # Errors
    /// The first damaged sample, by name; a sample whose shape differs from the first one's; a panic in `get`.
    fn batch(&self, indices: &[usize]) -> Result<S::Batch> {
        let read =
            |&i: &usize| catch(|| self.get(i)).and_then(|sample| sample).map_err(|e| e.context(self.name(i)));
        let samples = indices.iter().map(read).collect::<Result<Vec<S>>>()?;
        S::collate_named(samples, &Names::of(&|at| self.name(indices[at])))
    }

    /// As [`batch`](Dataset::batch), with inputs in `f64`, from sets that keep them so and round only what they deliver:
    /// tables. Preprocessing begins with these, so that no digit is lost before it has had its effect.
    ///
    /// # Errors
    /// As [`batch`](Dataset::batch).
    fn exact_batch(&self, _indices: &[usize]) -> Result<Option<S::Batch>> {
        Ok(None)
    }

    /// The class id of sample `i`; sets that know it without reading the whole sample say so here.
    ///
    /// # Errors
    /// As [`get`](Dataset::get); also when the target is not a class id.
    fn label(&self, i: usize) -> Result<i64> {
        let sample = self.get(i).map_err(|e| e.context(self.name(i)))?;
        sample.class().ok_or_else(|| not_a_class(&self.name(i)))
    }

    /// Whether the set has no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A loader of batches of `size` samples: in order, all of them, on the calling thread, until told otherwise.
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// use mapsto_tensor::prelude::*;
    /// let set = InMemory::new(Tensor::zeros([10, 3]), Tensor::zeros([10, 1]));
    /// let sizes: Vec<usize> = set.batches(4).shuffle().iter().map(|(x, _)| x.shape()[0]).collect();
    /// assert_eq!(sizes, [4, 4, 2]);
    /// ```
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    fn batches(&self, size: usize) -> Loader<S::Batch>
    where
        Self: Sized + Clone + 'static,
    {
        Loader::of(self.clone(), size)
    }

    /// The samples at `indices`, in that order, as a set of their own.
    ///
    /// # Panics
    /// If an index is not below `len`.
    #[track_caller]
    fn subset(&self, indices: impl Into<Vec<usize>>) -> Subset<S>
    where
        Self: Sized + Clone + 'static,
    {
        Subset::new(self.clone(), indices)
    }

    /// Random disjoint parts of the given fractions, which cover the set; the same seed gives the same parts.
    ///
    /// Sizes are the nearest whole numbers that add up. Not for time series: see
    /// [`ordered_split`](Dataset::ordered_split).
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// use mapsto_tensor::prelude::*;
    /// let set = InMemory::new(Tensor::zeros([10, 3]), Tensor::zeros([10, 1]));
    /// let [train, val] = set.split([0.8, 0.2], 42);
    /// assert_eq!((train.len(), val.len()), (8, 2));
    /// ```
    ///
    /// # Panics
    /// If a fraction is negative or they do not add up to 1.
    #[track_caller]
    fn split<const N: usize>(&self, fractions: [f64; N], seed: u64) -> [Subset<S>; N]
    where
        Self: Sized + Clone + 'static,
    {
        let all: Arc<dyn Dataset<S>> = Arc::new(self.clone());
        split::random(self.len(), &fractions, seed).map(|part| Subset::of(&all, part))
    }

    /// Random disjoint parts in which every class has its share: each class is within one sample of the fraction.
    ///
    /// # Errors
    /// When a target is not a class id, or cannot be read.
    ///
    /// # Panics
    /// If a fraction is negative or they do not add up to 1.
    #[track_caller]
    fn stratified_split<const N: usize>(&self, fractions: [f64; N], seed: u64) -> Result<[Subset<S>; N]>
    where
        Self: Sized + Clone + 'static,
    {
        split::check(&fractions);
        let labels = (0..self.len()).map(|i| self.label(i)).collect::<Result<Vec<i64>>>()?;
        let all: Arc<dyn Dataset<S>> = Arc::new(self.clone());
        Ok(split::stratified(&labels, &fractions, seed).map(|part| Subset::of(&all, part)))
    }

    /// Consecutive parts in the set's own order: the split for time series, where the future must not leak.
    ///
    /// # Panics
    /// If a fraction is negative or they do not add up to 1.
    #[track_caller]
    fn ordered_split<const N: usize>(&self, fractions: [f64; N]) -> [Subset<S>; N]
    where
        Self: Sized + Clone + 'static,
    {
        let all: Arc<dyn Dataset<S>> = Arc::new(self.clone());
        split::ordered(self.len(), &fractions).map(|part| Subset::of(&all, part))
    }
}

impl<S: Collate, D: Dataset<S> + ?Sized> Dataset<S> for Arc<D> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn get(&self, i: usize) -> Result<S> {
        (**self).get(i)
    }

    fn info(&self) -> Info {
        (**self).info()
    }

    fn name(&self, i: usize) -> String {
        (**self).name(i)
    }

    fn range(&self) -> Option<[f64; 2]> {
        (**self).range()
    }

    fn batch(&self, indices: &[usize]) -> Result<S::Batch> {
        (**self).batch(indices)
    }

    fn exact_batch(&self, indices: &[usize]) -> Result<Option<S::Batch>> {
        (**self).exact_batch(indices)
    }

    fn label(&self, i: usize) -> Result<i64> {
        (**self).label(i)
    }
}

pub(crate) fn not_a_class(name: &str) -> Error {
    Error::new(ErrorKind::Data, format!("{name}: the target is not a class id"))
        .help("class ids are scalar i64 tensors; split values with `split` or `ordered_split`")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sample 3 is damaged, sample 5 panics, sample 7 has another shape.
    #[derive(Clone)]
    struct Fragile;

    impl Dataset for Fragile {
        fn len(&self) -> usize {
            10
        }
        fn get(&self, i: usize) -> Result<Sample> {
            match i {
                3 => Err(Error::new(ErrorKind::Data, "the checksum is wrong")),
                5 => panic!("index out of bounds in a decoder"),
                7 => Ok(Sample { x: Tensor::zeros([3]), y: Tensor::from_slice(&[0i64], ()) }),
                _ => Ok(Sample { x: Tensor::zeros([2]), y: Tensor::from_slice(&[i as i64 % 2], ()) }),
            }
        }
    }

    #[test]
    fn a_damaged_sample_is_named() {
        let message = |i| Fragile.batch(&[0, i]).unwrap_err().message().to_string();
        assert_eq!(message(3), "sample 3: the checksum is wrong");
        assert_eq!(message(5), "sample 5: index out of bounds in a decoder");
        assert_eq!(message(7), "sample 7: its input is f32 [3], that of sample 0 is f32 [2]");
        let Sample { x, y } = Fragile.batch(&[1, 2]).unwrap();
        assert_eq!((x.shape(), y.to_vec::<i64>()), (&[2, 2][..], vec![1, 0]));
    }

    #[test]
    fn values_are_not_class_ids() {
        #[derive(Clone)]
        struct Values;
        impl Dataset for Values {
            fn len(&self) -> usize {
                4
            }
            fn get(&self, _: usize) -> Result<Sample> {
                Ok(Sample { x: Tensor::zeros([1]), y: Tensor::zeros([1]) })
            }
        }
        let e = Values.stratified_split([0.5, 0.5], 1).err().unwrap();
        assert_eq!(e.message(), "sample 0: the target is not a class id");
    }
}

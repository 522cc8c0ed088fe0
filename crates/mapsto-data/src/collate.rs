//! How samples become a batch: `Collate`, `Rows`, and the names that its errors go by.

use crate::{Sample, rows};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};
use std::ops::Range;

/// What a dataset may give: a number of these become a batch, a sample with one more axis in front.
///
/// Tensors are stacked, numbers become a tensor of one axis, [`Ragged`](crate::Ragged) and `Vec<number>` are padded, and tuples
/// go part by part. `#[derive(Collate)]` does it for a struct field by field, so that the batch has the sample's type.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// #[derive(Clone, Collate)]
/// # #[collate(crate = mapsto_data)]
/// struct Rating { user: Tensor, stars: Tensor }
///
/// let ratings: Vec<Rating> = (0..3).map(|i| Rating { user: tensor![i], stars: tensor![0.5 * i as f64] }).collect();
/// let batch = Rating::collate(ratings)?;
/// assert_eq!((batch.user.shape(), batch.rows()), (&[3, 1][..], 3));
/// assert_eq!(batch.part(1..3).stars.to_vec::<f32>(), [0.5, 1.0]);
/// let (ids, values) = Collate::collate(vec![(7_usize, 0.5_f32), (8, 1.5)])?;
/// assert_eq!((ids.to_vec::<i64>(), values.to_vec::<f32>()), (vec![7, 8], vec![0.5, 1.5]));
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be put into batches",
    label = "this is no sample",
    note = "tensors, numbers, `Vec<number>`, `Ragged` and tuples of them are samples; add `#[derive(Collate)]` to a struct of tensors"
)]
pub trait Collate: Sized + Send + 'static {
    /// What several samples make; the type itself for tensors, `Ragged` and derived structs.
    type Batch: Rows;

    /// The samples as one batch, in their order; errors call them by these names.
    ///
    /// # Errors
    /// When there is none, or one differs from the first in shape or dtype.
    fn collate_named(samples: Vec<Self>, names: &Names<'_>) -> Result<Self::Batch>;

    /// The samples as one batch, in their order.
    ///
    /// # Errors
    /// When there is none, or one differs from the first in shape or dtype; it is named by its place.
    fn collate(samples: Vec<Self>) -> Result<Self::Batch> {
        Self::collate_named(samples, &Names::of(&|i| format!("sample {i}")))
    }

    /// The class of the sample, where it has one: what a stratified split goes by.
    fn class(&self) -> Option<i64> {
        None
    }
}

/// A batch: a number of samples that can be parted.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no batch",
    note = "tensors, `Ragged`, tuples and structs with `#[derive(Collate)]` are batches"
)]
pub trait Rows: Send + Sync + 'static {
    /// The number of samples.
    fn rows(&self) -> usize;

    /// Some of the samples, as a batch.
    ///
    /// # Panics
    /// When the range does not lie within the samples.
    #[must_use]
    fn part(&self, rows: Range<usize>) -> Self
    where
        Self: Sized;

    /// Shows every tensor of the batch, in the order of the fields; the first axis of each counts the samples.
    fn each_tensor(&self, see: &mut dyn FnMut(&Tensor));
}

/// What the samples of a batch, and the part of them that is put together, are called in errors.
pub struct Names<'a> {
    name: &'a dyn Fn(usize) -> String,
    part: String,
}

impl<'a> Names<'a> {
    /// Samples with these names, by their place in the batch.
    pub fn of(name: &'a dyn Fn(usize) -> String) -> Names<'a> {
        Names { name, part: String::new() }
    }

    /// The same samples, of which a part is looked at.
    #[must_use]
    pub fn part(&self, part: &str) -> Names<'a> {
        let part = if self.part.is_empty() { part.to_string() } else { format!("{}.{part}", self.part) };
        Names { name: self.name, part }
    }

    /// The error of a batch of no samples.
    fn none() -> Error {
        Error::new(ErrorKind::Data, "a batch of no samples has no shape")
    }

    /// Checks that tensors have the shape and the dtype of the first, of which there must be one.
    pub(crate) fn alike<'t>(&self, parts: impl IntoIterator<Item = (&'t Tensor, &'t [usize])>) -> Result<()> {
        let mut parts = parts.into_iter();
        let (first, first_shape) = parts.next().ok_or_else(Names::none)?;
        for (at, (part, shape)) in parts.enumerate() {
            if shape != first_shape || part.dtype() != first.dtype() {
                let what = if self.part.is_empty() { "value" } else { &self.part };
                return Err(Error::new(
                    ErrorKind::Data,
                    format!(
                        "{}: its {what} is {} {shape:?}, that of {} is {} {first_shape:?}",
                        (self.name)(at + 1),
                        part.dtype(),
                        (self.name)(0),
                        first.dtype()
                    ),
                )
                .help("samples of one batch need one shape and dtype; resize or crop them when they are read, and let sequences of different lengths be `Ragged`"));
            }
        }
        Ok(())
    }
}

impl Rows for Tensor {
    fn rows(&self) -> usize {
        self.shape().first().copied().unwrap_or(1)
    }

    fn part(&self, rows: Range<usize>) -> Tensor {
        self.slice(0, rows.start as isize..rows.end as isize)
    }

    fn each_tensor(&self, see: &mut dyn FnMut(&Tensor)) {
        see(self);
    }
}

impl Collate for Tensor {
    type Batch = Tensor;

    fn collate_named(samples: Vec<Tensor>, names: &Names<'_>) -> Result<Tensor> {
        names.alike(samples.iter().map(|t| (t, t.shape())))?;
        Ok(rows::stack(&samples))
    }
}

impl Rows for Sample {
    fn rows(&self) -> usize {
        self.x.rows()
    }

    fn part(&self, rows: Range<usize>) -> Sample {
        Sample { x: self.x.part(rows.clone()), y: self.y.part(rows) }
    }

    fn each_tensor(&self, see: &mut dyn FnMut(&Tensor)) {
        see(&self.x);
        see(&self.y);
    }
}

impl Collate for Sample {
    type Batch = Sample;

    fn collate_named(samples: Vec<Sample>, names: &Names<'_>) -> Result<Sample> {
        let (xs, ys) = samples.into_iter().map(|s| (s.x, s.y)).unzip();
        Ok(Sample {
            x: Tensor::collate_named(xs, &names.part("input"))?,
            y: Tensor::collate_named(ys, &names.part("target"))?,
        })
    }

    fn class(&self) -> Option<i64> {
        let is_class = self.y.dtype() == mapsto_tensor::DType::I64 && self.y.len() == 1;
        is_class.then(|| self.y.to_vec::<i64>()[0])
    }
}

macro_rules! numbers {
    ($($t:ty as $to:ty),*) => {$(
        impl Collate for $t {
            type Batch = Tensor;

            fn collate_named(samples: Vec<$t>, _: &Names<'_>) -> Result<Tensor> {
                if samples.is_empty() {
                    return Err(Names::none());
                }
                let n = samples.len();
                Ok(Tensor::from_vec(samples.into_iter().map(|v| v as $to).collect::<Vec<$to>>(), n))
            }
        }
    )*};
}
numbers!(i64 as i64, usize as i64, i32 as i32, u8 as u8, f32 as f32, f64 as f64, bool as bool);

macro_rules! tuples {
    ($(($($s:ident $i:tt),*))*) => {$(
        impl<$($s: Rows),*> Rows for ($($s,)*) {
            fn rows(&self) -> usize {
                self.0.rows()
            }

            fn part(&self, rows: Range<usize>) -> Self {
                ($(self.$i.part(rows.clone()),)*)
            }

            fn each_tensor(&self, see: &mut dyn FnMut(&Tensor)) {
                $(self.$i.each_tensor(see);)*
            }
        }

        impl<$($s: Collate),*> Collate for ($($s,)*) {
            type Batch = ($($s::Batch,)*);

            #[allow(non_snake_case)]
            fn collate_named(samples: Vec<Self>, names: &Names<'_>) -> Result<Self::Batch> {
                $(let mut $s = Vec::with_capacity(samples.len());)*
                for sample in samples {
                    $($s.push(sample.$i);)*
                }
                Ok(($($s::collate_named($s, &names.part(concat!("part ", $i)))?,)*))
            }
        }
    )*};
}
tuples!((A 0, B 1)(A 0, B 1, C 2)(A 0, B 1, C 2, D 3)(A 0, B 1, C 2, D 3, E 4));

/// A field of a struct with `#[derive(Collate)]`: a sample that is its own kind of batch.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` cannot be part of a batch",
    label = "in a batch this would be of another type",
    note = "fields are tensors, `Ragged` or structs with `#[derive(Collate)]`; make a number a tensor: `tensor![1.0]`"
)]
pub trait Field: Sized {
    fn gather(fields: Vec<Self>, names: &Names<'_>) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: Collate<Batch = T>> Field for T {
    fn gather(fields: Vec<T>, names: &Names<'_>) -> Result<T> {
        T::collate_named(fields, names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ragged;

    #[derive(Clone, Debug, crate::Collate)]
    #[collate(crate = crate)]
    struct Inner {
        anchor: Tensor,
    }

    #[derive(Clone, Debug, crate::Collate)]
    #[collate(crate = crate)]
    struct Outer {
        inner: Inner,
        words: Ragged,
    }

    fn outer(width: usize, words: &[i64]) -> Outer {
        let words = Ragged::of(Tensor::from_slice(words, words.len()));
        Outer { inner: Inner { anchor: Tensor::ones([width]) }, words }
    }

    #[test]
    fn structs_go_field_by_field_and_name_the_one_that_differs() {
        let batch = Outer::collate(vec![outer(2, &[1, 2, 3]), outer(2, &[4])]).unwrap();
        assert_eq!((batch.rows(), batch.inner.anchor.shape()), (2, &[2, 2][..]));
        assert_eq!(batch.part(1..2).words.packed().to_vec::<i64>(), [4]);
        let mut shapes = Vec::new();
        batch.each_tensor(&mut |t| shapes.push(t.shape().to_vec()));
        assert_eq!(shapes, [vec![2, 2], vec![2, 3]]);
        let e = Outer::collate(vec![outer(2, &[1]), outer(3, &[1])]).unwrap_err();
        assert_eq!(e.message(), "sample 1: its `inner`.`anchor` is f32 [3], that of sample 0 is f32 [2]");
        assert!(Outer::collate(Vec::new()).unwrap_err().message().contains("no samples"));
    }

    #[test]
    fn tuples_go_part_by_part() {
        let (a, b) = Collate::collate(vec![(1_i64, vec![1.0_f32, 2.0]), (2, vec![])]).unwrap();
        assert_eq!((a.to_vec::<i64>(), b.lengths()), (vec![1, 2], &[2, 0][..]));
        let e = Collate::collate(vec![(true, Tensor::ones([2])), (false, Tensor::ones([3]))]).unwrap_err();
        assert_eq!(e.message(), "sample 1: its part 1 is f32 [3], that of sample 0 is f32 [2]");
    }
}

//! `Subset`: some samples of a set, in a given order, without copying them.

use crate::{Collate, Dataset, Info, Sample};
use mapsto_tensor::{Result, fail};
use std::sync::Arc;

/// Some samples of a dataset, in a given order; nothing is copied.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let set = InMemory::new(tensor![[0.0], [10.0], [20.0]], tensor![[0.0], [1.0], [2.0]]);
/// let part = set.subset([2, 0]);
/// assert_eq!(part.batch(&[0, 1])?.x.to_vec::<f32>(), [20.0, 0.0]);
/// # Ok::<(), Error>(())
/// ```
pub struct Subset<S: Collate = Sample> {
    of: Arc<dyn Dataset<S>>,
    indices: Arc<[usize]>,
}

impl<S: Collate> Subset<S> {
    /// The samples of `set` at `indices`, in that order; an index may come twice.
    ///
    /// # Panics
    /// If an index is not below `set.len()`.
    #[track_caller]
    pub fn new(set: impl Dataset<S> + 'static, indices: impl Into<Vec<usize>>) -> Subset<S> {
        let (indices, len) = (indices.into(), set.len());
        if let Some(i) = indices.iter().find(|&&i| i >= len) {
            fail!("subset", "index {i} is out of range 0..{len}"; help = "indices count samples from 0");
        }
        Subset { of: Arc::new(set), indices: indices.into() }
    }

    /// The indices into the whole set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    pub(crate) fn of(all: &Arc<dyn Dataset<S>>, indices: Vec<usize>) -> Subset<S> {
        Subset { of: all.clone(), indices: indices.into() }
    }
}

impl<S: Collate> Clone for Subset<S> {
    fn clone(&self) -> Subset<S> {
        Subset { of: self.of.clone(), indices: self.indices.clone() }
    }
}

impl<S: Collate> Dataset<S> for Subset<S> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn get(&self, i: usize) -> Result<S> {
        self.of.get(self.indices[i])
    }

    fn info(&self) -> Info {
        self.of.info()
    }

    /// The name of the sample in the whole set, so that it can be found again.
    fn name(&self, i: usize) -> String {
        self.of.name(self.indices[i])
    }

    fn range(&self) -> Option<[f64; 2]> {
        self.of.range()
    }

    fn batch(&self, indices: &[usize]) -> Result<S::Batch> {
        let whole: Vec<usize> = indices.iter().map(|&i| self.indices[i]).collect();
        self.of.batch(&whole)
    }

    fn exact_batch(&self, indices: &[usize]) -> Result<Option<S::Batch>> {
        let whole: Vec<usize> = indices.iter().map(|&i| self.indices[i]).collect();
        self.of.exact_batch(&whole)
    }

    fn label(&self, i: usize) -> Result<i64> {
        self.of.label(self.indices[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InMemory;
    use mapsto_tensor::{DType, Tensor};

    #[test]
    fn subsets_of_subsets_name_the_original_sample() {
        let set = InMemory::new(Tensor::arange(0..6).to(DType::F32).reshape([6, 1]), Tensor::arange(0..6));
        let part = set.subset([5, 3, 1]).subset([2, 0]);
        assert_eq!((part.name(0), part.label(1).unwrap(), part.len()), ("sample 1".to_string(), 5, 2));
        assert_eq!(part.get(1).unwrap().x.to_vec::<f32>(), [5.0]);
        assert_eq!(part.batch(&[1, 0, 1]).unwrap().y.to_vec::<i64>(), [5, 1, 5]);
    }

    #[test]
    fn an_index_out_of_range_is_refused_at_once() {
        let set = InMemory::new(Tensor::zeros([2, 1]), Tensor::zeros([2, 1]));
        let e = mapsto_tensor::catch(|| set.subset([0, 2])).err().unwrap();
        assert_eq!(e.message(), "subset: index 2 is out of range 0..2");
    }
}

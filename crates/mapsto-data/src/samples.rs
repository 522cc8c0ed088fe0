//! `Samples`: a vector of samples of any kind as a set.

use crate::{Collate, Dataset};
use mapsto_tensor::{Error, ErrorKind, Result};
use std::sync::Arc;

/// Samples in memory, of any type that can be put into batches. Cloning shares them.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let ratings = Samples::new(vec![(0_usize, 4_usize, 5.0_f32), (1, 4, 3.0), (1, 2, 1.0)]);
/// let batch = ratings.batches(2).epoch(0).next().unwrap()?;
/// let (user, item, stars) = &batch.data;
/// assert_eq!((user.to_vec::<i64>(), item.to_vec::<i64>()), (vec![0, 1], vec![4, 4]));
/// assert_eq!(stars.to_vec::<f32>(), [5.0, 3.0]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Samples<S>(Arc<[S]>);

impl<S> Samples<S> {
    /// These samples, in this order.
    pub fn new(samples: impl Into<Arc<[S]>>) -> Samples<S> {
        Samples(samples.into())
    }
}

impl<S> FromIterator<S> for Samples<S> {
    fn from_iter<I: IntoIterator<Item = S>>(samples: I) -> Samples<S> {
        Samples(samples.into_iter().collect())
    }
}

impl<S: Collate + Clone + Sync> Dataset<S> for Samples<S> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, i: usize) -> Result<S> {
        let out = || Error::new(ErrorKind::Data, format!("sample {i} is out of range 0..{}", self.0.len()));
        self.0.get(i).cloned().ok_or_else(out)
    }
}

#[test]
fn parts_of_any_set_are_sets() {
    let set: Samples<(usize, f32)> = (0..10).map(|i| (i, 0.5)).collect();
    let [train, val] = set.split([0.7, 0.3], 1);
    assert_eq!((train.len(), val.len()), (7, 3));
    let first = train.batch(&[0, 1]).unwrap();
    assert_eq!(first.0.to_vec::<i64>(), train.indices()[..2].iter().map(|&i| i as i64).collect::<Vec<_>>());
    assert!(set.get(10).unwrap_err().message().contains("out of range 0..10"));
    assert!(set.stratified_split([0.5, 0.5], 1).is_err());
}

//! `Batches`: a set as its loader sees it, whatever the type of its samples.

use crate::{Collate, Dataset, Info, Loader, Rows};
use mapsto_tensor::Result;
use mapsto_tensor::random::Keyed;
use sealed::Reading;
use std::marker::PhantomData;

/// A set as its loader sees it: what [`Dataset`] is, whatever the type of its samples.
pub trait Batches<B>: Send + Sync + sealed::Read<B> {
    /// The number of samples.
    fn len(&self) -> usize;

    /// Whether the set has no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Several samples, in the order of `indices`, without transforms and preprocessing.
    ///
    /// # Errors
    /// As [`Dataset::batch`].
    fn batch(&self, indices: &[usize]) -> Result<B>;

    /// As [`Dataset::exact_batch`].
    ///
    /// # Errors
    /// As [`Dataset::exact_batch`].
    fn exact_batch(&self, indices: &[usize]) -> Result<Option<B>>;

    /// What sample `i` is called in messages and reports.
    fn name(&self, i: usize) -> String;

    /// What is known about the set.
    fn info(&self) -> Info;

    /// As [`Dataset::range`].
    fn range(&self) -> Option<[f64; 2]> {
        None
    }
}

pub(crate) mod sealed {
    /// Which samples are read, and what their randomness depends on.
    #[derive(Clone, Copy)]
    pub struct Reading<'a> {
        pub seed: u64,
        pub epoch: u64,
        pub indices: &'a [usize],
    }

    pub trait Read<B> {
        /// The samples as they are asked for; only what changes them draws.
        fn read(&self, at: Reading<'_>) -> mapsto_tensor::Result<B>;
    }
}

/// A dataset whose samples become batches of type `B`.
pub(crate) struct Set<D, S>(pub(crate) D, pub(crate) PhantomData<fn() -> S>);

impl<S: Collate, D: Dataset<S>> sealed::Read<S::Batch> for Set<D, S> {
    fn read(&self, at: Reading<'_>) -> Result<S::Batch> {
        self.0.batch(at.indices)
    }
}

impl<S: Collate, D: Dataset<S>> Batches<S::Batch> for Set<D, S> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn batch(&self, indices: &[usize]) -> Result<S::Batch> {
        self.0.batch(indices)
    }

    fn exact_batch(&self, indices: &[usize]) -> Result<Option<S::Batch>> {
        self.0.exact_batch(indices)
    }

    fn name(&self, i: usize) -> String {
        self.0.name(i)
    }

    fn info(&self) -> Info {
        self.0.info()
    }

    fn range(&self) -> Option<[f64; 2]> {
        self.0.range()
    }
}

/// The batches of another loader, changed.
pub(crate) struct Mapped<B, F> {
    pub(crate) inner: Loader<B>,
    pub(crate) f: F,
}

// Keeps what `map` draws apart from the order and the transforms.
const MAP: u64 = 0x6d_61_70;

impl<B: Rows, C, F: Fn(B, &mut Keyed) -> C + Send + Sync> sealed::Read<C> for Mapped<B, F> {
    fn read(&self, at: Reading<'_>) -> Result<C> {
        let batch = self.inner.read(at)?;
        let key = [at.seed, MAP, at.epoch].into_iter().chain(at.indices.iter().map(|&i| i as u64));
        Ok((self.f)(batch, &mut Keyed::new(&key.collect::<Vec<u64>>())))
    }
}

impl<B: Rows, C, F: Fn(B, &mut Keyed) -> C + Send + Sync> Batches<C> for Mapped<B, F> {
    fn len(&self) -> usize {
        self.inner.dataset.len()
    }

    fn batch(&self, indices: &[usize]) -> Result<C> {
        sealed::Read::read(self, Reading { seed: 0, epoch: 0, indices })
    }

    fn exact_batch(&self, _: &[usize]) -> Result<Option<C>> {
        Ok(None)
    }

    fn name(&self, i: usize) -> String {
        self.inner.dataset.name(i)
    }

    fn info(&self) -> Info {
        self.inner.info()
    }
}

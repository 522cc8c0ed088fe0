//! `Source`: where training gets its batches, a loader or a stream that may act with the model that learns.

use crate::loader::Running;
use crate::{Loader, Rows};
use mapsto_tensor::{Result, Tensor};
use std::sync::{Mutex, PoisonError};

/// Where training gets its batches of type `B`: a [`Loader`], or a stream such as an agent's experience.
///
/// A stream has no number of batches: the trainer is told how many make an epoch.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// /// Points on a line, without end.
/// struct Points;
/// impl<M> Source<M, Sample> for Points {
///     fn next(&mut self, _: &M) -> Option<Result<Sample>> {
///         let x = Tensor::rand([8, 1]);
///         Some(Ok(Sample { y: &x * 3.0, x }))
///     }
/// }
/// assert_eq!(Points.next(&()).unwrap()?.rows(), 8);
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` gives no batches of `{B}` to a model `{M}`",
    label = "the task asks for batches of `{B}`",
    note = "give a loader: `set.batches(64).shuffle()`, or something that implements `Source`"
)]
pub trait Source<M: ?Sized, B: Rows> {
    /// The next batch; none at the end of an epoch, which a stream does not have.
    ///
    /// `model` is the model as it is now: an agent acts with it.
    fn next(&mut self, model: &M) -> Option<Result<B>>;

    /// The number of batches in an epoch; none for a stream.
    fn batches(&self) -> Option<usize> {
        None
    }

    /// Begins epoch `epoch`, counted from 0, at batch `first`.
    ///
    /// # Errors
    /// When it cannot be read.
    fn start(&mut self, epoch: u64, first: usize) -> Result<()> {
        let _ = (epoch, first);
        Ok(())
    }

    /// All that the next batch depends on, where that is more than the epoch, the position and the model: what a resumed run
    /// needs to go on as an uninterrupted one would.
    fn state(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }

    /// Takes back what [`state`](Source::state) gave.
    ///
    /// # Errors
    /// When the state is of another source.
    fn load_state(&mut self, state: Vec<(String, Tensor)>) -> Result<()> {
        let _ = state;
        Ok(())
    }

    /// Which samples of a set the last batch held, for messages; none for a stream.
    fn samples(&self) -> &[usize] {
        &[]
    }

    /// The loader that this is, if it is one: its set, order and preprocessing are written down with a run.
    fn loader(&self) -> Option<&Loader<B>> {
        None
    }
}

#[diagnostic::do_not_recommend]
impl<M: ?Sized, B: Rows> Source<M, B> for Loader<B> {
    fn next(&mut self, _: &M) -> Option<Result<B>> {
        let epoch = self.running.epoch.get_mut().unwrap_or_else(PoisonError::into_inner);
        let batch = epoch.as_mut()?.next()?;
        Some(batch.map(|batch| {
            self.running.samples = batch.indices;
            batch.data
        }))
    }

    fn batches(&self) -> Option<usize> {
        Some(self.len())
    }

    fn start(&mut self, epoch: u64, first: usize) -> Result<()> {
        // Workers of an epoch that was left are stopped before others are started.
        self.running = Running::default();
        self.running.epoch = Mutex::new(Some(Box::new(self.epoch_from(epoch, first))));
        Ok(())
    }

    fn samples(&self) -> &[usize] {
        &self.running.samples
    }

    fn loader(&self) -> Option<&Loader<B>> {
        Some(self)
    }
}

#[test]
fn a_loader_is_a_source_from_any_batch_on() {
    use crate::{Dataset, Samples};
    let mut loader = Samples::new((0..10_i64).collect::<Vec<_>>()).batches(4).shuffle().seed(3);
    let source: &mut dyn Source<(), Tensor> = &mut loader;
    source.start(2, 1).unwrap();
    let mut seen = Vec::new();
    while let Some(batch) = source.next(&()) {
        let batch: Vec<i64> = batch.unwrap().to_vec();
        assert_eq!(batch, source.samples().iter().map(|&i| i as i64).collect::<Vec<_>>());
        seen.extend(batch);
    }
    assert_eq!(source.batches(), Some(3));
    let order: Vec<i64> = loader.order(2).iter().map(|&i| i as i64).collect();
    assert_eq!(seen, order[4..]);
}

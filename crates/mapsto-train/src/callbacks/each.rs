//! Callbacks from closures, for what a program wants to do once.

use super::{Callback, Moment, Run};
use mapsto_tensor::Result;

/// Runs a closure after every epoch; made by [`each_epoch`].
pub struct EachEpoch<F>(F);

/// Runs a closure after every optimizer step; made by [`each_step`].
pub struct EachStep<F>(F);

/// Runs a closure after every epoch.
///
/// ```
/// use mapsto_train::callbacks::{Callback, each_epoch};
/// let callback = each_epoch(|run| {
///     if run.value("val accuracy") == Some(1.0) {
///         run.stop("nothing left to learn");
///     }
///     Ok(())
/// });
/// assert_eq!(callback.moments().len(), 1);
/// ```
pub fn each_epoch<F: FnMut(&mut Run<'_>) -> Result<()> + Send>(f: F) -> EachEpoch<F> {
    EachEpoch(f)
}

/// Runs a closure after every optimizer step.
///
/// ```
/// use mapsto_train::callbacks::{Callback, Moment, each_step};
/// let mut losses = Vec::new();
/// let callback = each_step(move |run| Ok(losses.push(run.pace.loss)));
/// assert_eq!(callback.moments(), [Moment::Step]);
/// ```
pub fn each_step<F: FnMut(&mut Run<'_>) -> Result<()> + Send>(f: F) -> EachStep<F> {
    EachStep(f)
}

impl<F: FnMut(&mut Run<'_>) -> Result<()> + Send> Callback for EachEpoch<F> {
    fn name(&self) -> String {
        "a closure, after each epoch".into()
    }

    fn moments(&self) -> &'static [Moment] {
        &[Moment::EpochEnd]
    }

    fn at(&mut self, _: Moment, run: &mut Run<'_>) -> Result<()> {
        (self.0)(run)
    }
}

impl<F: FnMut(&mut Run<'_>) -> Result<()> + Send> Callback for EachStep<F> {
    fn name(&self) -> String {
        "a closure, after each step".into()
    }

    fn moments(&self) -> &'static [Moment] {
        &[Moment::Step]
    }

    fn at(&mut self, _: Moment, run: &mut Run<'_>) -> Result<()> {
        (self.0)(run)
    }
}

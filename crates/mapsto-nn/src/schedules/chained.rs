//! One schedule after another.

use super::{Horizon, Schedule};
use mapsto_spec::Entry;

/// The first schedule up to a step, then the second, whose steps count from there; [`Schedule::then`] makes it.
///
/// PyTorch: `SequentialLR`; Keras has none.
/// ```
/// use mapsto_nn::prelude::*;
/// let schedule = Constant.then(10, StepDecay::new(5, 0.1));
/// assert_eq!([9, 10, 15].map(|t| schedule.lr(t, 1.0)), [1.0, 1.0, 0.1]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chained<A, B> {
    first: A,
    at: u64,
    second: B,
}

impl<A: Schedule, B: Schedule> Chained<A, B> {
    /// `first` for the steps below `at`, `second` from there.
    pub fn new(first: A, at: u64, second: B) -> Chained<A, B> {
        Chained { first, at, second }
    }
}

impl<A: Schedule, B: Schedule> Schedule for Chained<A, B> {
    fn lr(&self, step: u64, base: f64) -> f64 {
        match step.checked_sub(self.at) {
            None => self.first.lr(step, base),
            Some(step) => self.second.lr(step, base),
        }
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        match step < self.at {
            true => self.first.momentum(step),
            false => self.second.momentum(step - self.at),
        }
    }

    fn length(&self) -> Option<u64> {
        Some(self.at.saturating_add(self.second.length()?))
    }

    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        // The one chain that a file can say: a warm-up and what follows it.
        if self.first.warms_up() != Some(self.at) {
            return None;
        }
        let rest = Horizon { steps: horizon.steps.saturating_sub(self.at), ..*horizon };
        super::linear_warmup::warmup(self.at, self.second.entry(&rest)?, horizon)
    }
}

#[test]
fn schedules_chain() {
    let base = |_: u64, base: f64| base;
    let double = |_: u64, base: f64| base * 2.0;
    let chain = base.then(3, double).then(5, base);
    assert_eq!([2, 3, 4, 5].map(|t| chain.lr(t, 1.0)), [1.0, 2.0, 2.0, 1.0]);
}

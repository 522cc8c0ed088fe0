//! The learning rate that falls as one over the time.

use mapsto_spec::{Bounds, Entry, at_least_1};

use super::{Horizon, Schedule, ScheduleKind};

/// `lr(t) = base / (1 + rate · t / steps)`.
///
/// Keras: `InverseTimeDecay(base, steps, rate)`; PyTorch has none.
///
/// Source: Robbins, Monro (1951), A stochastic approximation method: the classical choice for which the sum of the rates is
/// infinite and that of their squares is not.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::schedules::InverseTime;
/// let schedule = InverseTime::new(100, 1.0);
/// assert_eq!([0, 100, 300].map(|t| schedule.lr(t, 1.0)), [1.0, 0.5, 0.25]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InverseTime {
    steps: u64,
    rate: f64,
}

impl InverseTime {
    /// Divides the learning rate by `1 + rate` after this many steps.
    ///
    /// # Panics
    /// When `steps` is 0, or `rate` is not finite and above 0.
    #[track_caller]
    pub fn new(steps: u64, rate: f64) -> InverseTime {
        let steps = at_least_1("inverse_time", "steps", steps);
        InverseTime { steps, rate: Bounds::ABOVE_0.check("inverse_time", "rate", rate) }
    }
}

impl Schedule for InverseTime {
    fn lr(&self, step: u64, base: f64) -> f64 {
        base / (1.0 + self.rate * step as f64 / self.steps as f64)
    }

    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        // The rate over an epoch, whatever the steps are that it was given for.
        let epoch = horizon.epoch.max(1);
        let same = self.steps == epoch;
        let rate = if same { self.rate } else { self.rate * epoch as f64 / self.steps as f64 };
        Some(Entry::new(KIND.name).with_value(rate))
    }
}

pub(super) const KIND: ScheduleKind = ScheduleKind::new(
    "inverse_time",
    "Divided by one plus the given rate times the epochs so far.",
    |args, horizon| {
        let rate = Bounds::ABOVE_0.main(args, "rate", 1.0)?;
        Ok(Box::new(InverseTime::new(horizon.epoch.max(1), rate)))
    },
)
.options(&[("", "the rate of an epoch")]);

#[test]
fn a_rate_of_other_steps_is_said_by_the_epoch() {
    let horizon = Horizon { steps: 100, epoch: 10 };
    let entry = InverseTime::new(5, 1.0).entry(&horizon).unwrap();
    assert_eq!(entry.to_string(), "{ inverse_time = 2.0 }");
}

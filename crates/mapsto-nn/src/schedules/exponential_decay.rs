//! The learning rate that falls by the same share at every step.

use mapsto_spec::{Bounds, Entry, at_least_1};

use super::{Horizon, Schedule, ScheduleKind};

/// `lr(t) = base · factor^(t / steps)`: a fall by `factor` in `steps` steps.
///
/// PyTorch: `ExponentialLR(gamma)`; Keras: `ExponentialDecay`.
/// ```
/// use mapsto_nn::prelude::*;
/// let schedule = ExponentialDecay::new(100, 0.25);
/// assert_eq!([0, 50, 100].map(|t| schedule.lr(t, 1.0)), [1.0, 0.5, 0.25]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialDecay {
    steps: u64,
    factor: f64,
}

impl ExponentialDecay {
    /// Multiplies the learning rate by `factor` over this many steps, smoothly.
    ///
    /// # Panics
    /// When `steps` is 0, or `factor` is not finite and above 0: at 0 nothing would be learnt any more.
    #[track_caller]
    pub fn new(steps: u64, factor: f64) -> ExponentialDecay {
        let steps = at_least_1("exponential_decay", "steps", steps);
        ExponentialDecay { steps, factor: Bounds::ABOVE_0.check("exponential_decay", "factor", factor) }
    }
}

impl Schedule for ExponentialDecay {
    fn lr(&self, step: u64, base: f64) -> f64 {
        base * self.factor.powf(step as f64 / self.steps as f64)
    }

    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        // The factor over an epoch, whatever the steps are that it was given for.
        let epoch = horizon.epoch.max(1);
        let factor = match self.steps == epoch {
            true => self.factor,
            false => self.factor.powf(epoch as f64 / self.steps as f64),
        };
        Some(Entry::new(KIND.name).with_value(factor))
    }
}

pub(super) const KIND: ScheduleKind = ScheduleKind::new(
    "exponential_decay",
    "Multiplied by the given factor over each epoch, smoothly.",
    |args, horizon| {
        let factor = args.main()?;
        Bounds::ABOVE_0.within(args, "", "factor", factor)?;
        Ok(Box::new(ExponentialDecay::new(horizon.epoch.max(1), factor)))
    },
)
.options(&[("", "the factor over an epoch")])
.example(|| Entry::new("exponential_decay").with_value(0.9));

#[test]
fn each_step_falls_by_the_same_share() {
    let schedule = ExponentialDecay::new(10, 0.5);
    let share = schedule.lr(1, 1.0);
    assert!((schedule.lr(8, 1.0) / schedule.lr(7, 1.0) - share).abs() < 1e-12);
}

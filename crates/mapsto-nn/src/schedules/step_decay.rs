//! The learning rate that drops at regular intervals.

use mapsto_spec::{Bounds, Entry, at_least_1};

use super::{Horizon, Schedule, ScheduleKind, epochs, steps_within};

/// `lr(t) = base · factor^⌊t / every⌋`.
///
/// PyTorch: `StepLR(every, gamma=factor)`; Keras: `ExponentialDecay(base, every, factor, staircase=True)`.
/// ```
/// use mapsto_nn::prelude::*;
/// let schedule = StepDecay::new(100, 0.5);
/// assert_eq!([0, 99, 100, 250].map(|t| schedule.lr(t, 1.0)), [1.0, 1.0, 0.5, 0.25]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepDecay {
    every: u64,
    factor: f64,
}

impl StepDecay {
    /// Multiplies the learning rate by `factor` every `every` steps.
    ///
    /// # Panics
    /// When `every` is 0, or `factor` is not finite and above 0: at 0 nothing would be learnt any more.
    #[track_caller]
    pub fn new(every: u64, factor: f64) -> StepDecay {
        let every = at_least_1("step_decay", "every", every);
        StepDecay { every, factor: Bounds::ABOVE_0.check("step_decay", "factor", factor) }
    }
}

impl Schedule for StepDecay {
    fn lr(&self, step: u64, base: f64) -> f64 {
        base * self.factor.powf((step / self.every) as f64)
    }

    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.factor).with_option("every", epochs(self.every, horizon)?))
    }
}

pub(super) const KIND: ScheduleKind = ScheduleKind::new(
    "step_decay",
    "Multiplies the learning rate by the given factor each time `every` epochs have passed.",
    |args, horizon| {
        let factor = Bounds::ABOVE_0.main(args, "factor", 0.1)?;
        let every: f64 = args.required("every")?;
        Ok(Box::new(StepDecay::new(
            steps_within(args, "every", every, horizon, "the learning rate would never drop")?,
            factor,
        )))
    },
)
.options(&[("", "the factor at each drop"), ("every", "the epochs between drops")])
.example(|| Entry::new("step_decay").with_option("every", 2_usize));

#[test]
fn late_steps_do_not_overflow() {
    assert_eq!(StepDecay::new(1, 0.5).lr(u64::MAX, 1.0), 0.0);
}

//! The learning rate that rises from near 0, while the first gradients are still wild.

use super::{Constant, Horizon, Schedule, ScheduleKind, epochs, steps_within};
use mapsto_spec::Entry;

/// `lr(t) = base · (t + 1) / steps`, and `base` from then on; the first step is not lost to a rate of 0.
///
/// PyTorch: `LinearLR(1 / steps, 1, steps - 1)`; Keras: `CosineDecay(warmup_steps=..)`, before its decay.
///
/// Source: Goyal et al. (2017), Accurate, large minibatch SGD, arXiv:1706.02677, section 2.2.
/// ```
/// use mapsto_nn::prelude::*;
/// let schedule = LinearWarmup::new(4);
/// assert_eq!([0, 1, 3, 4].map(|t| schedule.lr(t, 1.0)), [0.25, 0.5, 1.0, 1.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearWarmup {
    steps: u64,
}

impl LinearWarmup {
    /// Rises to the base over this many steps.
    pub fn new(steps: u64) -> LinearWarmup {
        LinearWarmup { steps }
    }
}

impl Schedule for LinearWarmup {
    fn lr(&self, step: u64, base: f64) -> f64 {
        if step >= self.steps { base } else { base * (step + 1) as f64 / self.steps as f64 }
    }

    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        Constant.entry(horizon).and_then(|next| warmup(self.steps, next, horizon))
    }

    fn warms_up(&self) -> Option<u64> {
        Some(self.steps)
    }
}

/// The entry of a warm-up of so many steps, and of what follows it.
pub(super) fn warmup(up: u64, next: Entry, horizon: &Horizon) -> Option<Entry> {
    Some(Entry::new(KIND.name).with_value(epochs(up, horizon)?).with_option("then", next))
}

pub(super) const KIND: ScheduleKind = ScheduleKind::new(
    "linear_warmup",
    "Rises over the given number of epochs, then follows `then`.",
    |args, horizon| {
        let epochs: f64 = args.main_or(1.0)?;
        let up = steps_within(args, "", epochs, horizon, "the learning rate would never be reached")?;
        let next: Entry = args.get_or("then", Entry::new("constant"))?;
        let rest = Horizon { steps: horizon.steps.saturating_sub(up), ..*horizon };
        let (next, rendered) = mapsto_spec::filled::<dyn Schedule>(&next, &rest)?;
        args.record("then", rendered);
        Ok(Box::new(LinearWarmup::new(up).then(up, next)))
    },
)
.options(&[("", "the epochs it rises for"), ("then", "the schedule that follows")]);

#[test]
fn a_warmup_ends_within_the_training() {
    let build = |epochs: f64| {
        let horizon = Horizon { steps: 20, epoch: 10 };
        mapsto_spec::build::<dyn Schedule>(&Entry::new("linear_warmup").with_value(epochs), &horizon)
            .map(drop)
    };
    assert!(build(2.0).is_ok() && build(0.01).is_ok());
    for (epochs, got) in [(2.5, "2.5"), (1e30, "1e30")] {
        let e = build(epochs).unwrap_err();
        let said = format!("number of epochs must be at most the 2 of the training, got {got}");
        assert_eq!(e.message(), format!("schedule `linear_warmup`: {said}"));
    }
}

#[test]
fn no_steps_are_no_warmup() {
    assert_eq!(LinearWarmup::new(0).lr(0, 0.5), 0.5);
}

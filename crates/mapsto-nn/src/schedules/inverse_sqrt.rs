//! The learning rate of the first transformers: up along a line, then down as one over the root of the time.

use super::{Horizon, Schedule, ScheduleKind, epochs, steps_within};
use mapsto_spec::{Entry, at_least_1};

/// `lr(t) = base · min((t + 1) / warmup, √(warmup / (t + 1)))`, which is `base` at the end of the warm-up.
///
/// PyTorch and Keras have none.
///
/// Source: Vaswani et al. (2017), Attention is all you need, arXiv:1706.03762, equation 3, where `base` is `1/√(d · warmup)`.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::schedules::InverseSqrt;
/// let schedule = InverseSqrt::new(4);
/// assert_eq!([0, 3, 15].map(|t| schedule.lr(t, 1.0)), [0.25, 1.0, 0.5]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InverseSqrt {
    warmup: u64,
}

impl InverseSqrt {
    /// Rises over this many steps.
    ///
    /// # Panics
    /// When there are none: the rate would have no end at the beginning.
    #[track_caller]
    pub fn new(warmup: u64) -> InverseSqrt {
        InverseSqrt { warmup: at_least_1("inverse_sqrt", "warmup", warmup) }
    }
}

impl Schedule for InverseSqrt {
    fn lr(&self, step: u64, base: f64) -> f64 {
        let (t, warmup) = (step as f64 + 1.0, self.warmup as f64);
        base * (t / warmup).min((warmup / t).sqrt())
    }

    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(epochs(self.warmup, horizon)?))
    }
}

pub(super) const KIND: ScheduleKind = ScheduleKind::new(
    "inverse_sqrt",
    "Rises over the given number of epochs, then falls as one over the root of the time (Vaswani et al. 2017).",
    |args, horizon| {
        let warmup: f64 = args.main_or(1.0)?;
        Ok(Box::new(InverseSqrt::new(steps_within(args, "", warmup, horizon, "the learning rate would never be reached")?)))
    },
)
.options(&[("", "the epochs it rises for")]);

#[test]
fn it_is_highest_at_the_end_of_the_warmup() {
    let schedule = InverseSqrt::new(10);
    assert!((0..100).all(|t| schedule.lr(t, 0.5) <= schedule.lr(9, 0.5)) && schedule.lr(9, 0.5) == 0.5);
}

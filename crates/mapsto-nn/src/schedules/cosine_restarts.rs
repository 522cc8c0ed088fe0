//! The learning rate that falls along half a cosine again and again, each time from the full rate.

use mapsto_spec::{Bounds, Entry, at_least_1, count_option};

use super::{Horizon, Schedule, ScheduleKind, epochs, steps_within};

/// `lr = base · (floor + (1 − floor) · ½ (1 + cos(π u / n)))`, `u` steps after the last restart; the periods `n` are `steps`,
/// `steps · mult`, `steps · mult²`, and so on.
///
/// PyTorch: `CosineAnnealingWarmRestarts(T_0=steps, T_mult=mult)`; Keras: `CosineDecayRestarts`.
///
/// Source: Loshchilov, Hutter (2017), SGDR, arXiv:1608.03983, equation 5.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::schedules::CosineRestarts;
/// let schedule = CosineRestarts::new(10).mult(2);
/// assert_eq!([0, 5, 10, 20, 30].map(|t| (schedule.lr(t, 1.0) * 1e6).round() / 1e6), [1.0, 0.5, 1.0, 0.5, 1.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineRestarts {
    steps: u64,
    mult: u64,
    floor: f64,
}

impl CosineRestarts {
    /// Falls to 0 over this many steps, each time.
    ///
    /// # Panics
    /// When `steps` is 0.
    #[track_caller]
    pub fn new(steps: u64) -> CosineRestarts {
        CosineRestarts { steps: at_least_1("cosine_restarts", "steps", steps), mult: 1, floor: 0.0 }
    }

    /// The same with each period so many times as long as the one before.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn mult(self, mult: u64) -> CosineRestarts {
        CosineRestarts { mult: at_least_1("cosine_restarts", "mult", mult), ..self }
    }

    /// The same down to this share of the base.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    #[must_use]
    pub fn floor(self, floor: f64) -> CosineRestarts {
        CosineRestarts { floor: Bounds::UP_TO_1.check("cosine_restarts", "floor", floor), ..self }
    }
}

impl Schedule for CosineRestarts {
    fn lr(&self, step: u64, base: f64) -> f64 {
        let (mut since, mut period) = (step, self.steps);
        if self.mult == 1 {
            since %= period;
        }
        // A longer period each time: some sixty of them at most.
        while since >= period {
            since -= period;
            period = period.saturating_mul(self.mult);
        }
        let height = (1.0 + (std::f64::consts::PI * since as f64 / period as f64).cos()) / 2.0;
        base * (self.floor + (1.0 - self.floor) * height)
    }

    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(epochs(self.steps, horizon)?);
        Some(entry.with_option("mult", i64::try_from(self.mult).ok()?).with_option("floor", self.floor))
    }
}

pub(super) const KIND: ScheduleKind = ScheduleKind::new(
    "cosine_restarts",
    "Half a cosine down to the share `floor`, again and again, first over the given number of epochs.",
    |args, horizon| {
        let first: f64 = args.main()?;
        let first =
            steps_within(args, "", first, horizon, "nothing would restart: take `cosine`, or train longer")?;
        let mult: usize = count_option(args, "mult", 1)?;
        let floor = Bounds::UP_TO_1.option(args, "floor", 0.0)?;
        Ok(Box::new(CosineRestarts::new(first).mult(mult as u64).floor(floor)))
    },
)
.options(&[
    ("", "the epochs up to the first restart"),
    ("mult", "how many times as long each period is as the one before"),
    ("floor", "the share of the learning rate that is left before a restart"),
])
.example(|| Entry::new("cosine_restarts").with_value(1_usize));

#[test]
fn restarts_come_at_the_sums_of_the_periods() {
    let schedule = CosineRestarts::new(3).mult(3).floor(0.1);
    let restarts: Vec<u64> = (0..100).filter(|&t| schedule.lr(t, 2.0) == 2.0).collect();
    assert_eq!(restarts, [0, 3, 12, 39]);
    assert!(schedule.lr(u64::MAX, 1.0).is_finite());
}

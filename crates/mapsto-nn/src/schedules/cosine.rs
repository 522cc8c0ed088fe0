//! The learning rate that falls along half a cosine: slowly, then fast, then slowly.

use mapsto_spec::{Bounds, Entry, at_least_1};

use super::{Horizon, Schedule, ScheduleKind};

/// `lr(t) = base · (floor + (1 − floor) · ½ (1 + cos(π t / steps)))`, and `base · floor` after `steps`.
///
/// PyTorch: `CosineAnnealingLR(T_max=steps)`; Keras: `CosineDecay`.
///
/// Source: Loshchilov, Hutter (2017), SGDR, arXiv:1608.03983, eq. 5, without restarts.
/// ```
/// use mapsto_nn::prelude::*;
/// let schedule = Cosine::new(100).floor(0.1);
/// assert_eq!([0, 50, 100, 101].map(|t| schedule.lr(t, 2.0)), [2.0, 1.1, 0.2, 0.2]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    steps: u64,
    floor: f64,
}

impl Cosine {
    /// Falls to 0 over this many steps.
    ///
    /// # Panics
    /// When `steps` is 0.
    #[track_caller]
    pub fn new(steps: u64) -> Cosine {
        Cosine { steps: at_least_1("cosine", "steps", steps), floor: 0.0 }
    }

    /// The same down to this share of the base.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    #[must_use]
    pub fn floor(self, floor: f64) -> Cosine {
        Cosine { floor: Bounds::UP_TO_1.check("cosine", "floor", floor), ..self }
    }
}

impl Schedule for Cosine {
    fn lr(&self, step: u64, base: f64) -> f64 {
        let done = (step as f64 / self.steps as f64).min(1.0);
        // Exactly 0 at the end, where rounding would leave 10⁻¹⁷.
        let height = if done < 1.0 { (1.0 + (std::f64::consts::PI * done).cos()) / 2.0 } else { 0.0 };
        base * (self.floor + (1.0 - self.floor) * height)
    }

    fn length(&self) -> Option<u64> {
        Some(self.steps)
    }

    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        // A file has no word for an end before that of the training.
        (self.steps == horizon.steps.max(1)).then(|| Entry::new(KIND.name).with_option("floor", self.floor))
    }
}

pub(super) const KIND: ScheduleKind = ScheduleKind::new(
    "cosine",
    "Half a cosine down to the share `floor` at the end of the training.",
    |args, horizon| {
        let floor = Bounds::UP_TO_1.option(args, "floor", 0.0)?;
        Ok(Box::new(Cosine::new(horizon.steps.max(1)).floor(floor)))
    },
)
.options(&[("floor", "the share of the learning rate that is left at the end")]);

#[test]
fn it_never_rises() {
    let schedule = Cosine::new(37).floor(0.05);
    let rates: Vec<f64> = (0..50).map(|t| schedule.lr(t, 1.0)).collect();
    assert!(rates.windows(2).all(|w| w[1] <= w[0]) && rates[49] == 0.05, "{rates:?}");
}

//! The learning rate that falls as a power of the steps that are left; with the power 1 along a line.

use mapsto_spec::{Bounds, Entry, at_least_1};

use super::{Horizon, Schedule, ScheduleKind};

/// `lr(t) = base · (floor + (1 − floor) · (1 − t / steps)^power)`, and `base · floor` after `steps`.
///
/// PyTorch: `PolynomialLR(total_iters=steps, power=power)`, and `LinearLR(1, 0, steps)` for the power 1; Keras: `PolynomialDecay`.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::schedules::Polynomial;
/// let schedule = Polynomial::new(100, 2.0).floor(0.2);
/// assert_eq!([0, 50, 100, 101].map(|t| schedule.lr(t, 1.0)), [1.0, 0.4, 0.2, 0.2]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Polynomial {
    steps: u64,
    power: f64,
    floor: f64,
}

impl Polynomial {
    /// Falls to 0 over this many steps: along a line for the power 1, fast at first for larger ones.
    ///
    /// # Panics
    /// When `steps` is 0, or `power` is not finite and above 0.
    #[track_caller]
    pub fn new(steps: u64, power: f64) -> Polynomial {
        let steps = at_least_1("polynomial", "steps", steps);
        Polynomial { steps, power: Bounds::ABOVE_0.check("polynomial", "power", power), floor: 0.0 }
    }

    /// The same down to this share of the base.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    #[must_use]
    pub fn floor(self, floor: f64) -> Polynomial {
        Polynomial { floor: Bounds::UP_TO_1.check("polynomial", "floor", floor), ..self }
    }
}

impl Schedule for Polynomial {
    fn lr(&self, step: u64, base: f64) -> f64 {
        let left = (1.0 - step as f64 / self.steps as f64).max(0.0);
        base * (self.floor + (1.0 - self.floor) * left.powf(self.power))
    }

    fn length(&self) -> Option<u64> {
        Some(self.steps)
    }

    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        // A file has no word for an end before that of the training.
        let said = || Entry::new(KIND.name).with_value(self.power).with_option("floor", self.floor);
        (self.steps == horizon.steps.max(1)).then(said)
    }
}

pub(super) const KIND: ScheduleKind = ScheduleKind::new(
    "polynomial",
    "The given power of the share of the training that is left, down to the share `floor`; the power 1 is a line.",
    |args, horizon| {
        let power = Bounds::ABOVE_0.main(args, "power", 1.0)?;
        let floor = Bounds::UP_TO_1.option(args, "floor", 0.0)?;
        Ok(Box::new(Polynomial::new(horizon.steps.max(1), power).floor(floor)))
    },
)
.options(&[
    ("", "the power"),
    ("floor", "the share of the learning rate that is left at the end"),
]);

#[test]
fn it_never_rises() {
    for power in [0.5, 1.0, 3.0] {
        let schedule = Polynomial::new(37, power).floor(0.05);
        let rates: Vec<f64> = (0..50).map(|t| schedule.lr(t, 1.0)).collect();
        assert!(rates.windows(2).all(|w| w[1] <= w[0]) && rates[49] == 0.05, "{rates:?}");
    }
}

//! The learning rate that goes up and down along straight lines.

use mapsto_spec::{Bounds, Entry, at_least_1};

use super::{BASE_MOMENTUM, CYCLE_MOMENTUM, MAX_MOMENTUM, Momenta};
use super::{Horizon, Schedule, ScheduleKind, epochs, steps_within};

/// `lr = base · (floor + (1 − floor) · decayᶜ · (1 − |2 u / steps − 1|))`, `u` steps after the beginning of the cycle `c`, which counts from 0.
///
/// PyTorch: `CyclicLR(base_lr=floor·base, max_lr=base, step_size_up=steps/2)`, with `decay = 0.5` in the mode `triangular2`,
/// and `cycle_momentum`, which is off here where nothing is said; Keras has none.
///
/// Source: Smith (2017), Cyclical learning rates for training neural networks, arXiv:1506.01186, section 3.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::schedules::Cyclic;
/// let schedule = Cyclic::new(10).floor(0.5).decay(0.5);
/// assert_eq!([0, 5, 10, 15].map(|t| schedule.lr(t, 1.0)), [0.5, 1.0, 0.5, 0.75]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cyclic {
    steps: u64,
    floor: f64,
    decay: f64,
    momenta: Momenta,
}

impl Cyclic {
    /// Up and down over this many steps, from a tenth of the base.
    ///
    /// # Panics
    /// When `steps` is 0.
    #[track_caller]
    pub fn new(steps: u64) -> Cyclic {
        Cyclic { steps: at_least_1("cyclic", "steps", steps), floor: 0.1, decay: 1.0, momenta: USUAL }
    }

    /// The same from another share of the base.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    #[must_use]
    pub fn floor(self, floor: f64) -> Cyclic {
        Cyclic { floor: Bounds::UP_TO_1.check("cyclic", "floor", floor), ..self }
    }

    /// The same with each cycle's height a share of that of the one before.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    #[must_use]
    pub fn decay(self, decay: f64) -> Cyclic {
        Cyclic { decay: Bounds::UP_TO_1.check("cyclic", "decay", decay), ..self }
    }

    /// The same with a momentum that goes against it, `most − (most − least) · decayᶜ · (1 − |2 u / steps − 1|)`: the momentum of `Sgd` and its
    /// kin, β₁ of `Adam` and its kin. 0.8 and 0.9 are usual.
    ///
    /// # Panics
    /// When one of them is not in 0..1, or `least` is above `most`.
    #[track_caller]
    #[must_use]
    pub fn cycle_momentum(self, least: f64, most: f64) -> Cyclic {
        Cyclic { momenta: Momenta::cycling("cyclic", least, most), ..self }
    }

    /// The share of the way up at a step.
    fn height(&self, step: u64) -> f64 {
        let (cycle, since) = (step / self.steps, step % self.steps);
        let height = 1.0 - (2.0 * since as f64 / self.steps as f64 - 1.0).abs();
        self.decay.powf(cycle as f64) * height
    }
}

impl Schedule for Cyclic {
    fn lr(&self, step: u64, base: f64) -> f64 {
        base * (self.floor + (1.0 - self.floor) * self.height(step))
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        let Momenta { cycle, least, most } = self.momenta;
        cycle.then(|| most - (most - least) * self.height(step))
    }

    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(epochs(self.steps, horizon)?);
        Some(self.momenta.say(entry.with_option("floor", self.floor).with_option("decay", self.decay)))
    }
}

const USUAL: Momenta = Momenta { cycle: false, least: 0.8, most: 0.9 };

pub(super) const KIND: ScheduleKind = ScheduleKind::new(
    "cyclic",
    "Up from the share `floor` and down to it along lines, over the given number of epochs each time.",
    |args, horizon| {
        let cycle: f64 = args.main()?;
        let schedule = Cyclic::new(steps_within(args, "", cycle, horizon, "no cycle would be a whole one")?);
        let schedule = schedule.floor(Bounds::UP_TO_1.option(args, "floor", 0.1)?);
        let schedule = schedule.decay(Bounds::UP_TO_1.option(args, "decay", 1.0)?);
        Ok(Box::new(Cyclic { momenta: USUAL.read(args)?, ..schedule }))
    },
)
.options(&[
    ("", "the epochs of a cycle"),
    ("floor", "the share of the learning rate that a cycle begins and ends with"),
    ("decay", "the height of each cycle as a share of the one before"),
    CYCLE_MOMENTUM,
    BASE_MOMENTUM,
    MAX_MOMENTUM,
])
.example(|| Entry::new("cyclic").with_value(1_usize));

#[test]
fn cycles_are_alike_without_a_decay() {
    let schedule = Cyclic::new(7);
    assert!((0..50).all(|t| schedule.lr(t, 1.0) == schedule.lr(t + 7, 1.0)));
    assert!((0..50).all(|t| (0.1..=1.0).contains(&schedule.lr(t, 1.0))));
}

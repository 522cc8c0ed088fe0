//! The learning rate that rises to its full size and falls far below where it began, in one cycle over the training.

use mapsto_spec::{Bounds, Entry, at_least_1};

use super::{BASE_MOMENTUM, CYCLE_MOMENTUM, MAX_MOMENTUM, Momenta};
use super::{Horizon, Schedule, ScheduleKind};

/// From `base / div_factor` to `base` over the share `rise` of the steps, and down to `base / (div_factor · final_div_factor)` over the others, both along half a
/// cosine.
///
/// PyTorch: `OneCycleLR(max_lr=base, total_steps=steps, pct_start=rise, div_factor=div_factor, final_div_factor=final_div_factor)`; its
/// `cycle_momentum` is off here where nothing is said; Keras has none.
///
/// Source: Smith, Topin (2018), Super-convergence, arXiv:1708.07120, in the form of fast.ai.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::schedules::OneCycle;
/// let schedule = OneCycle::new(101).rise(0.5).div_factor(10.0).final_div_factor(10.0);
/// let rates = [0, 100].map(|t| schedule.lr(t, 1.0));
/// assert!((rates[0] - 0.1).abs() < 1e-12 && (rates[1] - 0.01).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycle {
    steps: u64,
    rise: f64,
    div_factor: f64,
    final_div_factor: f64,
    momenta: Momenta,
}

impl OneCycle {
    /// Over this many steps; it rises for 0.3 of them, div_factor is 25 and final_div_factor 10⁴.
    ///
    /// # Panics
    /// When `steps` is 0.
    #[track_caller]
    pub fn new(steps: u64) -> OneCycle {
        OneCycle {
            steps: at_least_1("one_cycle", "steps", steps),
            rise: 0.3,
            div_factor: 25.0,
            final_div_factor: 1e4,
            momenta: USUAL,
        }
    }

    /// The same rising over another share of the steps.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    #[must_use]
    pub fn rise(self, rise: f64) -> OneCycle {
        OneCycle { rise: Bounds::UP_TO_1.check("one_cycle", "rise", rise), ..self }
    }

    /// The same beginning at another part of the base.
    ///
    /// # Panics
    /// When it is not finite and at least 1: below, it would begin above the rate that it rises to.
    #[track_caller]
    #[must_use]
    pub fn div_factor(self, div_factor: f64) -> OneCycle {
        OneCycle { div_factor: Bounds::AT_LEAST_1.check("one_cycle", "div_factor", div_factor), ..self }
    }

    /// The same ending at another part of where it began.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn final_div_factor(self, final_div_factor: f64) -> OneCycle {
        OneCycle {
            final_div_factor: Bounds::ABOVE_0.check("one_cycle", "final_div_factor", final_div_factor),
            ..self
        }
    }

    /// The same with a momentum that goes against it, from `most` to `least` where the rate is highest and back: the momentum of `Sgd` and its kin,
    /// β₁ of `Adam` and its kin. 0.85 and 0.95 are usual.
    ///
    /// # Panics
    /// When one of them is not in 0..1, or `least` is above `most`.
    #[track_caller]
    #[must_use]
    pub fn cycle_momentum(self, least: f64, most: f64) -> OneCycle {
        OneCycle { momenta: Momenta::cycling("one_cycle", least, most), ..self }
    }

    /// What goes from `first` to `top` and to `end`, along half a cosine each, at a step.
    fn along(&self, step: u64, first: f64, top: f64, end: f64) -> f64 {
        let last = self.steps as f64 - 1.0;
        // Below 0 where the rise is shorter than a step: then the first step is on the way down already.
        let peak = (self.rise * self.steps as f64 - 1.0).min(last);
        let t = (step as f64).min(last);
        // `from` at the share 0 of the way, `to` at 1.
        let between = |from: f64, to: f64, share: f64| {
            to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * share).cos())
        };
        if t < peak {
            between(first, top, t / peak)
        } else if last > peak {
            between(top, end, (t - peak) / (last - peak))
        } else {
            top
        }
    }
}

impl Schedule for OneCycle {
    fn lr(&self, step: u64, base: f64) -> f64 {
        let first = base / self.div_factor;
        self.along(step, first, base, first / self.final_div_factor)
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        let Momenta { cycle, least, most } = self.momenta;
        cycle.then(|| self.along(step, most, least, most))
    }

    fn length(&self) -> Option<u64> {
        Some(self.steps)
    }

    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        // A file has no word for an end before that of the training.
        let entry = || {
            Entry::new(KIND.name).with_option("rise", self.rise).with_option("div_factor", self.div_factor)
        };
        let said = || self.momenta.say(entry().with_option("final_div_factor", self.final_div_factor));
        (self.steps == horizon.steps.max(1)).then(said)
    }
}

const USUAL: Momenta = Momenta { cycle: false, least: 0.85, most: 0.95 };

pub(super) const KIND: ScheduleKind = ScheduleKind::new(
    "one_cycle",
    "Up from a part of the learning rate, and down to a much smaller one at the end of the training (Smith, Topin 2018).",
    |args, horizon| {
        let schedule = OneCycle::new(horizon.steps.max(1)).rise(Bounds::UP_TO_1.option(args, "rise", 0.3)?);
        let schedule = schedule.div_factor(Bounds::AT_LEAST_1.option(args, "div_factor", 25.0)?);
        let schedule = schedule.final_div_factor(Bounds::ABOVE_0.option(args, "final_div_factor", 1e4)?);
        Ok(Box::new(OneCycle { momenta: USUAL.read(args)?, ..schedule }))
    },
)
.options(&[
    ("rise", "the share of the training over which it rises"),
    ("div_factor", "what the learning rate is divided by at the beginning"),
    ("final_div_factor", "what that is divided by at the end"),
    CYCLE_MOMENTUM,
    BASE_MOMENTUM,
    MAX_MOMENTUM,
]);

#[test]
fn it_rises_once_and_falls_once() {
    for (steps, rise) in [(1, 0.3), (2, 0.5), (50, 0.0), (50, 0.3), (50, 1.0)] {
        let schedule = OneCycle::new(steps).rise(rise);
        let rates: Vec<f64> = (0..steps + 5).map(|t| schedule.lr(t, 1.0)).collect();
        let top = rates.iter().position(|&lr| lr == rates.iter().copied().fold(0.0, f64::max)).unwrap();
        assert!(rates[..=top].windows(2).all(|w| w[0] <= w[1]), "{rates:?}");
        assert!(rates[top..].windows(2).all(|w| w[0] >= w[1]) && rates[top] <= 1.0, "{rates:?}");
    }
}

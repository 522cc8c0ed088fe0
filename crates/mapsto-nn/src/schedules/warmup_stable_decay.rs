//! The learning rate that rises, stays, and falls at the end alone, so that a training can be prolonged from its middle.

use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::fail;

use super::{Horizon, Schedule, ScheduleKind, epochs, steps};

/// `base · (t + 1) / warmup` up to `warmup`, `base` after it, and over the last `decay` steps a line down to `base · floor`.
///
/// PyTorch and Keras have none.
///
/// Source: Hu et al. (2024), MiniCPM, arXiv:2404.06395, section 4; Hägele et al. (2024), Scaling laws and compute-optimal training
/// beyond fixed training durations, arXiv:2405.18392, for the line.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::schedules::WarmupStableDecay;
/// let schedule = WarmupStableDecay::new(4, 100, 20);
/// assert_eq!([0, 3, 80, 90, 100].map(|t| schedule.lr(t, 1.0)), [0.25, 1.0, 1.0, 0.5, 0.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmupStableDecay {
    warmup: u64,
    steps: u64,
    decay: u64,
    floor: f64,
}

impl WarmupStableDecay {
    /// Rises for `warmup` steps and falls over the last `decay` of all `steps`.
    ///
    /// # Panics
    /// When both together are longer than the training, which would never reach the base rate.
    #[track_caller]
    pub fn new(warmup: u64, steps: u64, decay: u64) -> WarmupStableDecay {
        if warmup.saturating_add(decay) > steps.max(2) {
            fail!("warmup_stable_decay", "{warmup} steps of warm-up and {decay} of decay are longer than all {steps} steps";
                  help = "the learning rate would never be reached");
        }
        WarmupStableDecay { warmup, steps, decay, floor: 0.0 }
    }

    /// The same down to this share of the base.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    #[must_use]
    pub fn floor(self, floor: f64) -> WarmupStableDecay {
        WarmupStableDecay { floor: Bounds::UP_TO_1.check("warmup_stable_decay", "floor", floor), ..self }
    }
}

impl Schedule for WarmupStableDecay {
    fn lr(&self, step: u64, base: f64) -> f64 {
        let up = if step < self.warmup { (step + 1) as f64 / self.warmup as f64 } else { 1.0 };
        let left = self.steps.saturating_sub(step);
        let down = if left < self.decay { left as f64 / self.decay as f64 } else { 1.0 };
        // With neither steps nor decay nothing falls.
        let down = if self.decay == 0 { 1.0 } else { down };
        base * up * (self.floor + (1.0 - self.floor) * down)
    }

    fn length(&self) -> Option<u64> {
        Some(self.steps)
    }

    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        if self.steps != horizon.steps.max(1) {
            return None;
        }
        let entry = Entry::new(KIND.name).with_value(epochs(self.warmup, horizon)?);
        Some(entry.with_option("decay", epochs(self.decay, horizon)?).with_option("floor", self.floor))
    }
}

pub(super) const KIND: ScheduleKind = ScheduleKind::new(
    "warmup_stable_decay",
    "Rises over the given number of epochs, stays, and falls along a line over the last `decay` epochs.",
    |args, horizon| {
        let warmup: f64 = args.main_or(1.0)?;
        let warmup = steps(args, "", warmup, horizon)?;
        let decay: f64 = args.get_or("decay", 1.0)?;
        let decay = steps(args, "decay", decay, horizon)?;
        let floor = Bounds::UP_TO_1.option(args, "floor", 0.0)?;
        let whole = horizon.steps.max(1);
        if warmup.saturating_add(decay) > whole.max(2) {
            let message = "the warm-up and the decay together are longer than the training";
            return Err(args.error("", message).help("the learning rate would never be reached"));
        }
        Ok(Box::new(WarmupStableDecay::new(warmup, whole, decay).floor(floor)))
    },
)
.options(&[
    ("", "the epochs it rises for"),
    ("decay", "the epochs at the end over which it falls"),
    ("floor", "the share of the learning rate that is left at the end"),
]);

#[test]
fn a_prolonged_training_begins_the_same() {
    let (short, long) = (WarmupStableDecay::new(5, 50, 10), WarmupStableDecay::new(5, 500, 100));
    assert!((0..=40).all(|t| short.lr(t, 1.0) == long.lr(t, 1.0)));
    assert!(short.lr(49, 1.0) < 0.2 && short.lr(u64::MAX, 1.0) == 0.0);
    let horizon = Horizon { steps: 20, epoch: 10 };
    let entry = Entry::new("warmup_stable_decay").with_value(1.5);
    let e = mapsto_spec::build::<dyn Schedule>(&entry, &horizon).err().unwrap();
    assert!(e.message().contains("together are longer than the training"), "{e}");
}

//! The learning rate that drops at given moments.

use mapsto_spec::{Bounds, Entry, Value};
use mapsto_tensor::fail;

use super::{Horizon, Schedule, ScheduleKind, epochs, steps_within};

/// `lr(t) = base · factorⁿ` after `n` of the milestones.
///
/// PyTorch: `MultiStepLR(milestones, gamma=factor)`; Keras: `PiecewiseConstantDecay`.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::schedules::MultiStep;
/// let schedule = MultiStep::new([100, 200], 0.5);
/// assert_eq!([0, 99, 100, 200].map(|t| schedule.lr(t, 1.0)), [1.0, 1.0, 0.5, 0.25]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MultiStep {
    milestones: Vec<u64>,
    factor: f64,
}

impl MultiStep {
    /// Multiplies the learning rate by `factor` at each of these steps.
    ///
    /// # Panics
    /// When they do not rise, or `factor` is not finite and above 0.
    #[track_caller]
    pub fn new(milestones: impl Into<Vec<u64>>, factor: f64) -> MultiStep {
        let milestones = milestones.into();
        if milestones.windows(2).any(|w| w[0] >= w[1]) {
            fail!("multi_step", "the milestones {milestones:?} do not rise");
        }
        MultiStep { milestones, factor: Bounds::ABOVE_0.check("multi_step", "factor", factor) }
    }
}

impl Schedule for MultiStep {
    fn lr(&self, step: u64, base: f64) -> f64 {
        base * self.factor.powi(self.milestones.iter().filter(|&&at| at <= step).count() as i32)
    }

    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        let milestones: Option<Vec<Value>> = self.milestones.iter().map(|&at| epochs(at, horizon)).collect();
        Some(Entry::new(KIND.name).with_value(Value::List(milestones?)).with_option("factor", self.factor))
    }
}

pub(super) const KIND: ScheduleKind = ScheduleKind::new(
    "multi_step",
    "Multiplies the learning rate by `factor` after each of the given numbers of epochs.",
    |args, horizon| {
        let given: Vec<f64> = args.main()?;
        let mut milestones = Vec::new();
        for &at in &given {
            milestones.push(steps_within(
                args,
                "",
                at,
                horizon,
                "the learning rate would not drop there: leave it out, or train longer",
            )?);
        }
        if milestones.windows(2).any(|w| w[0] >= w[1]) {
            return Err(args.error("", format!("the epochs {given:?} do not rise")));
        }
        Ok(Box::new(MultiStep::new(milestones, Bounds::ABOVE_0.option(args, "factor", 0.1)?)))
    },
)
.options(&[("", "the epochs at whose ends it drops"), ("factor", "the factor at each drop")])
.example(|| Entry::new("multi_step").with_value(vec![1_usize, 2]));

#[test]
fn milestones_rise() {
    let e = mapsto_tensor::catch(|| _ = MultiStep::new([3, 3], 0.1)).unwrap_err();
    assert_eq!(e.message(), "multi_step: the milestones [3, 3] do not rise");
    let entry = Entry::new("multi_step").with_value(vec![2.0, 1.0]);
    let horizon = Horizon { steps: 100, epoch: 10 };
    let e = mapsto_spec::build::<dyn Schedule>(&entry, &horizon).err().unwrap();
    assert!(e.message().contains("the epochs [2.0, 1.0] do not rise"), "{e}");
    assert_eq!(MultiStep::new([], 0.1).lr(1000, 2.0), 2.0);
}

//! The schedules, one file each, and the list of those that can be named in a file: the learning rate as a pure function
//! of the step.
//!
//! A schedule has no state, so a run that is resumed at step n continues exactly, and a plot of the learning rate needs no
//! training.

mod chained;
mod constant;
mod cosine;
mod cosine_restarts;
mod cyclic;
mod exponential_decay;
mod inverse_sqrt;
mod inverse_time;
mod linear_warmup;
mod multi_step;
mod one_cycle;
mod polynomial;
mod step_decay;
mod swa_lr;
mod warmup_stable_decay;

pub use chained::Chained;
pub use constant::Constant;
pub use cosine::Cosine;
pub use cosine_restarts::CosineRestarts;
pub use cyclic::Cyclic;
pub use exponential_decay::ExponentialDecay;
pub use inverse_sqrt::InverseSqrt;
pub use inverse_time::InverseTime;
pub use linear_warmup::LinearWarmup;
pub use multi_step::MultiStep;
pub use one_cycle::OneCycle;
pub use polynomial::Polynomial;
pub use step_decay::StepDecay;
pub use swa_lr::SwaLr;
pub use warmup_stable_decay::WarmupStableDecay;

/// What `cargo xtask new schedule` writes, which has to compile and to pass its test.
#[cfg(test)]
#[path = "../../../../xtask/src/templates/schedule.txt"]
mod template;

use mapsto_spec::{Args, Bounds, Entry, Family, Kind, Value, brief};
use mapsto_tensor::Result;

/// The learning rate as a function of the number of steps taken.
///
/// Functions `Fn(u64, f64) -> f64` of the step and the base rate are schedules.
/// ```
/// use mapsto_nn::prelude::*;
/// let schedule = LinearWarmup::new(100).then(100, Cosine::new(900));
/// assert_eq!([0, 49, 99, 550, 1000].map(|t| schedule.lr(t, 1.0)), [0.01, 0.5, 1.0, 0.5, 0.0]);
/// ```
pub trait Schedule: Send + Sync {
    /// The learning rate of step `step` (from 0), when the optimizer's own is `base`.
    fn lr(&self, step: u64, base: f64) -> f64;

    /// The entry that a file names it by, with every setting, for a training of this length; `None` for what no file can
    /// hold.
    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        let _ = horizon;
        None
    }

    /// The momentum of step `step`, where it sets one: of [`OneCycle`] and [`Cyclic`] that were asked to.
    fn momentum(&self, step: u64) -> Option<f64> {
        let _ = step;
        None
    }

    /// The steps that it is made for, where it has an end: of [`Cosine`], [`Polynomial`], [`OneCycle`] and [`WarmupStableDecay`]. A trainer
    /// refuses one of another length than the training has.
    fn length(&self) -> Option<u64> {
        None
    }

    /// The steps over which it rises from near 0 to the base, if that is all it does.
    fn warms_up(&self) -> Option<u64> {
        None
    }

    /// This schedule up to step `at`, then `next`, whose steps count from there.
    fn then<S: Schedule>(self, at: u64, next: S) -> Chained<Self, S>
    where
        Self: Sized,
    {
        Chained::new(self, at, next)
    }
}

impl<F: Fn(u64, f64) -> f64 + Send + Sync> Schedule for F {
    fn lr(&self, step: u64, base: f64) -> f64 {
        self(step, base)
    }
}

impl Schedule for Box<dyn Schedule> {
    fn lr(&self, step: u64, base: f64) -> f64 {
        (**self).lr(step, base)
    }
    fn entry(&self, horizon: &Horizon) -> Option<Entry> {
        (**self).entry(horizon)
    }
    fn momentum(&self, step: u64) -> Option<f64> {
        (**self).momentum(step)
    }
    fn length(&self) -> Option<u64> {
        (**self).length()
    }
    fn warms_up(&self) -> Option<u64> {
        (**self).warms_up()
    }
}

/// How long a training will be, for schedules that follow its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Steps in all.
    pub steps: u64,
    /// Steps of one epoch.
    pub epoch: u64,
}

/// A line of [`SCHEDULES`].
pub type ScheduleKind = Kind<dyn Schedule>;

/// Every schedule that can be named in a file.
///
/// Lengths in a file are in epochs, fractions included, because that is what its author knows; the horizon turns them into
/// steps.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_spec::{Entry, build};
/// let horizon = Horizon { steps: 1000, epoch: 100 };
/// let entry = Entry::new("step_decay").with_value(0.1).with_option("every", 2_usize);
/// let schedule = build::<dyn Schedule>(&entry, &horizon)?;
/// assert!((schedule.lr(200, 1.0) - 0.1).abs() < 1e-12);
/// assert_eq!(schedule.entry(&horizon).unwrap().to_string(), "{ step_decay = 0.1, every = 2 }");
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub const SCHEDULES: &[ScheduleKind] = &[
    constant::KIND,
    step_decay::KIND,
    exponential_decay::KIND,
    cosine::KIND,
    linear_warmup::KIND,
    polynomial::KIND,
    cosine_restarts::KIND,
    one_cycle::KIND,
    cyclic::KIND,
    inverse_time::KIND,
    inverse_sqrt::KIND,
    warmup_stable_decay::KIND,
    multi_step::KIND,
];

impl Family for dyn Schedule {
    const NOUN: &'static str = "schedule";
    type Given = Horizon;
    fn kinds() -> &'static [ScheduleKind] {
        SCHEDULES
    }
    fn entry_of(schedule: &dyn Schedule, horizon: &Horizon) -> Option<Entry> {
        schedule.entry(horizon)
    }
}

/// A length in epochs as steps, at least one.
fn steps(args: &mut Args, name: &str, epochs: f64, horizon: &Horizon) -> Result<u64> {
    let setting = if name.is_empty() { "number of epochs".to_string() } else { format!("`{name}`") };
    Bounds::ABOVE_0.within(args, name, &setting, epochs)?;
    Ok(rounded(epochs, horizon))
}

/// As [`steps`], of what the training must be long enough for.
fn steps_within(args: &mut Args, name: &str, epochs: f64, horizon: &Horizon, lost: &str) -> Result<u64> {
    let length = steps(args, name, epochs, horizon)?;
    if length <= horizon.steps {
        return Ok(length);
    }
    let setting = if name.is_empty() { "number of epochs".to_string() } else { format!("`{name}`") };
    let planned = horizon.steps as f64 / horizon.epoch.max(1) as f64;
    let message = format!("{setting} must be at most the {planned} of the training, got {}", brief(epochs));
    Err(args.error(name, message).help(lost))
}

/// Which momentum goes against the learning rate: from `most` at its lowest to `least` at its highest.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Momenta {
    cycle: bool,
    least: f64,
    most: f64,
}

impl Momenta {
    #[track_caller]
    fn cycling(schedule: &str, least: f64, most: f64) -> Momenta {
        let least = Bounds::SHARE.check(schedule, "base_momentum", least);
        let most = Bounds::SHARE.check(schedule, "max_momentum", most);
        if least > most {
            mapsto_tensor::fail!(schedule, "`base_momentum` {least} is above `max_momentum` {most}");
        }
        Momenta { cycle: true, least, most }
    }

    fn read(self, args: &mut Args) -> Result<Momenta> {
        let cycle = args.get_or("cycle_momentum", self.cycle)?;
        let least = Bounds::SHARE.option(args, "base_momentum", self.least)?;
        let most = Bounds::SHARE.option(args, "max_momentum", self.most)?;
        if least > most {
            let message = format!("`base_momentum` {least} is above `max_momentum` {most}");
            return Err(args.error("base_momentum", message));
        }
        Ok(Momenta { cycle, least, most })
    }

    fn say(self, entry: Entry) -> Entry {
        let entry = entry.with_option("cycle_momentum", self.cycle);
        entry.with_option("base_momentum", self.least).with_option("max_momentum", self.most)
    }
}

const CYCLE_MOMENTUM: (&str, &str) = (
    "cycle_momentum",
    "whether the momentum, or `beta1`, of the optimizer falls while the learning rate rises, and rises while it falls",
);
const BASE_MOMENTUM: (&str, &str) = ("base_momentum", "the momentum where the learning rate is highest");
const MAX_MOMENTUM: (&str, &str) = ("max_momentum", "the momentum where the learning rate is lowest");

fn rounded(epochs: f64, horizon: &Horizon) -> u64 {
    ((epochs * horizon.epoch as f64).round() as u64).max(1)
}

/// The shortest number of epochs that is so many steps, as an author would write it: 0.35 and not 0.34968.
fn epochs(steps: u64, horizon: &Horizon) -> Option<Value> {
    let exact = steps as f64 / horizon.epoch as f64;
    let written = (0..=17).filter_map(|digits| format!("{exact:.digits$}").parse::<f64>().ok());
    let epochs = written.into_iter().find(|&epochs| epochs > 0.0 && rounded(epochs, horizon) == steps)?;
    Some(if epochs.fract() == 0.0 { Value::Int(epochs as i64) } else { Value::Float(epochs) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schedule_is_built_from_its_entry() {
        let horizon = Horizon { steps: 500, epoch: 50 };
        let warm = Entry::new("linear_warmup").with_value(2_usize).with_option("then", Entry::new("cosine"));
        for (entry, step, lr) in [
            (Entry::new("constant"), 499, 1.0),
            (Entry::new("step_decay").with_value(0.5).with_option("every", 3_usize), 300, 0.25),
            (Entry::new("exponential_decay").with_value(0.9), 100, 0.81),
            (Entry::new("cosine").with_option("floor", 0.5), 250, 0.75),
            (warm.clone(), 49, 0.5),
            (warm.clone(), 300, 0.5),
            (warm.clone(), 500, 0.0),
        ] {
            let (schedule, rendered) = mapsto_spec::filled::<dyn Schedule>(&entry, &horizon).unwrap();
            assert!((schedule.lr(step, 1.0) - lr).abs() < 1e-12, "{entry}: {}", schedule.lr(step, 1.0));
            assert_eq!(mapsto_spec::filled::<dyn Schedule>(&rendered, &horizon).unwrap().1, rendered);
        }
        assert_eq!(
            mapsto_spec::filled::<dyn Schedule>(&warm, &horizon).unwrap().1.to_string(),
            "{ linear_warmup = 2, then = { cosine = true, floor = 0.0 } }"
        );
        let wrong = Entry::new("cosin");
        assert!(
            mapsto_spec::filled::<dyn Schedule>(&wrong, &horizon)
                .err()
                .unwrap()
                .to_string()
                .contains("did you mean `cosine`?")
        );
        let never = Entry::new("step_decay").with_value(0.1).with_option("every", 0_usize);
        assert!(
            mapsto_spec::filled::<dyn Schedule>(&never, &horizon)
                .err()
                .unwrap()
                .message()
                .contains("above 0")
        );
    }

    #[test]
    fn what_the_training_is_too_short_for_is_refused() {
        let horizon = Horizon { steps: 30, epoch: 10 };
        let said = |entry: Entry| mapsto_spec::build::<dyn Schedule>(&entry, &horizon).map(drop);
        for entry in [
            |x: f64| Entry::new("linear_warmup").with_value(x),
            |x: f64| Entry::new("inverse_sqrt").with_value(x),
            |x: f64| Entry::new("cyclic").with_value(x),
            |x: f64| Entry::new("step_decay").with_option("every", x),
            |x: f64| Entry::new("multi_step").with_value(vec![1.0, x]),
            |x: f64| Entry::new("cosine_restarts").with_value(x),
        ] {
            said(entry(3.0)).unwrap();
            let e = said(entry(3.5)).unwrap_err();
            assert!(e.message().contains("must be at most the 3 of the training, got 3.5"), "{e}");
            assert!(e.help_text().is_some(), "{e}");
        }
        let e = said(Entry::new("one_cycle").with_option("div_factor", 0.5)).unwrap_err();
        assert!(e.message().contains("`div_factor` must be finite and at least 1, got 0.5"), "{e}");
    }

    #[test]
    fn every_schedule_says_its_entry() {
        let horizon = Horizon { steps: 9380, epoch: 938 };
        mapsto_spec::check_family::<dyn Schedule>(&[&horizon]);
        let check = |entry: Entry| mapsto_spec::check_entry::<dyn Schedule>(&entry, &horizon);
        for every in [0.001, 0.35, 1.5, 4.5] {
            check(Entry::new("step_decay").with_value(0.2).with_option("every", every));
            let next = Entry::new("step_decay").with_value(0.2).with_option("every", every);
            check(Entry::new("linear_warmup").with_value(every).with_option("then", next));
        }
        check(Entry::new("cosine").with_option("floor", 0.25));
        // Written in code, in steps: the same learning rates.
        let schedules: [Box<dyn Schedule>; 3] = [
            Box::new(LinearWarmup::new(300).then(300, Cosine::new(9080).floor(0.1))),
            Box::new(ExponentialDecay::new(100, 0.9)),
            Box::new(StepDecay::new(77, 0.5)),
        ];
        for schedule in schedules {
            let entry = schedule.entry(&horizon).unwrap();
            let again = mapsto_spec::build::<dyn Schedule>(&entry, &horizon).unwrap();
            for t in [0, 299, 300, 301, 1000, 5000] {
                assert!((again.lr(t, 1.0) - schedule.lr(t, 1.0)).abs() < 1e-12, "{entry} at {t}");
            }
        }
        // What no file can say says nothing.
        assert_eq!(Cosine::new(100).entry(&horizon), None);
        assert_eq!((|_: u64, base: f64| base).entry(&horizon), None);
        assert_eq!(Constant.then(3, Constant).entry(&horizon), None);
    }
}

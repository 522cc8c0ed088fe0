//! The schedules, one file each, and the list of those that can be named in a file: the learning rate as a pure function
//! of the step.
//!
//! A schedule has no state, so a run that is resumed at step n continues exactly, and a plot of the learning rate needs no
//! training.

mod constant;
mod cosine;
mod exponential_decay;
mod linear_warmup;
mod step_decay;
mod then;

pub use constant::Constant;
pub use cosine::Cosine;
pub use exponential_decay::ExponentialDecay;
pub use linear_warmup::LinearWarmup;
pub use step_decay::StepDecay;
pub use then::Then;

use mapsto_spec::{Args, Bounds, Entry, Kind};
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

    /// This schedule up to step `at`, then `next`, whose steps count from there.
    fn then<S: Schedule>(self, at: u64, next: S) -> Then<Self, S>
    where
        Self: Sized,
    {
        Then::new(self, at, next)
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
pub type ScheduleKind = Kind<fn(&mut Args, Horizon) -> Result<Box<dyn Schedule>>>;

/// Every schedule that can be named in a file.
pub const SCHEDULES: &[ScheduleKind] =
    &[constant::KIND, step_decay::KIND, exponential_decay::KIND, cosine::KIND, linear_warmup::KIND];

/// The schedule that an entry names, and the entry with its defaults filled in.
///
/// Lengths in a file are in epochs, fractions included, because that is what its author knows; the horizon turns them into
/// steps.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_spec::Entry;
/// let horizon = Horizon { steps: 1000, epoch: 100 };
/// let entry = Entry::new("step_decay").with_value(0.1).with_option("every", 2_usize);
/// let (schedule, rendered) = build_schedule(&entry, horizon)?;
/// assert_eq!(rendered.to_string(), "{ step_decay = 0.1, every = 2 }");
/// assert!((schedule.lr(200, 1.0) - 0.1).abs() < 1e-12);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
/// # Errors
/// When the name or an option is unknown, or a value does not fit.
pub fn build_schedule(entry: &Entry, horizon: Horizon) -> Result<(Box<dyn Schedule>, Entry)> {
    let kind = mapsto_spec::find("schedule", SCHEDULES, entry)?;
    let mut args = Args::new("schedule", entry);
    let schedule = (kind.build)(&mut args, horizon)?;
    Ok((schedule, args.finish()?))
}

/// A length in epochs as steps, at least one.
fn steps(args: &Args, name: &str, epochs: f64, horizon: Horizon) -> Result<u64> {
    let setting = if name.is_empty() { "number of epochs".to_string() } else { format!("`{name}`") };
    Bounds::ABOVE_0.within(args, name, &setting, epochs)?;
    Ok(((epochs * horizon.epoch as f64).round() as u64).max(1))
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
            let (schedule, rendered) = build_schedule(&entry, horizon).unwrap();
            assert!((schedule.lr(step, 1.0) - lr).abs() < 1e-12, "{entry}: {}", schedule.lr(step, 1.0));
            assert_eq!(build_schedule(&rendered, horizon).unwrap().1, rendered);
        }
        assert_eq!(
            build_schedule(&warm, horizon).unwrap().1.to_string(),
            "{ linear_warmup = 2, then = { cosine = true, floor = 0.0 } }"
        );
        let wrong = Entry::new("cosin");
        assert!(
            build_schedule(&wrong, horizon).err().unwrap().to_string().contains("did you mean `cosine`?")
        );
        let never = Entry::new("step_decay").with_value(0.1).with_option("every", 0_usize);
        assert!(build_schedule(&never, horizon).err().unwrap().message().contains("above 0"));
    }
}

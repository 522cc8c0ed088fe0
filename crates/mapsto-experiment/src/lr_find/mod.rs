//! The range test (Smith 2017, "Cyclical learning rates for training neural networks"): a copy of the model takes steps at a rate that
//! grows from one to the next, and the loss over the rate tells which ones train it.

mod auto;
mod curve;

use std::sync::{Arc, Mutex, PoisonError};

use mapsto::nn::{Looks, Loss, Optimizer, deep_copy};
use mapsto::spec::build;
use mapsto::training::Trainer;
use mapsto::training::callbacks::each_step;
use mapsto::{Error, ErrorKind, Result, catch, random, with_matmul_precision};

pub(crate) use auto::{check as check_auto, for_now, is_auto, unsettled, with_rate};
pub use curve::{RangeCurve, RangeEnd};

use crate::experiment::Experiment;

/// From which rate to which, and in how many steps.
///
/// ```
/// use mapsto_experiment::{Config, RangeTest};
/// let file = "[data]\nset = 'csv'\npath = '../../data/iris/iris.csv'\nclass = 'species'\nbatch = 16\nstandardize = true\n\
///             [model]\nlayers = [{ linear = 16 }, 'tanh', { linear = 3 }]\n\
///             [train]\nloss = 'cross_entropy'\noptimizer = 'adam'\n";
/// let experiment = Config::parse(file, &[])?.prepare(|_| ())?;
/// let curve = experiment.range_test(&RangeTest::default())?;
/// assert_eq!((curve.rates[0], experiment.train.len()), (1e-7, 7));
/// let rate = curve.suggestion()?;
/// assert!((1e-3..1.0).contains(&rate), "{rate}");
/// # Ok::<(), mapsto::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangeTest {
    /// The lowest rate.
    pub from: f64,
    /// The highest rate.
    pub to: f64,
    /// The steps from one to the other, at rates that grow by the same factor each.
    pub steps: usize,
}

impl Default for RangeTest {
    /// That of fastai: 100 steps from 1e-7 to 10.
    fn default() -> RangeTest {
        RangeTest { from: 1e-7, to: 10.0, steps: 100 }
    }
}

impl RangeTest {
    const STEPS: std::ops::RangeInclusive<usize> = 20..=10_000;

    fn check(&self) -> Result<()> {
        let RangeTest { from, to, steps } = *self;
        let usage = |message: String, help: &str| Err(Error::new(ErrorKind::Usage, message).help(help));
        if !(from > 0.0 && from < to && to.is_finite()) {
            return usage(
                format!("range test: rates from {from:e} to {to:e} are no range"),
                "the lowest should be above 0 and below the highest, such as from 1e-7 to 10",
            );
        }
        if !RangeTest::STEPS.contains(&steps) {
            return usage(
                format!("range test: it takes 20 to 10000 steps, not {steps}"),
                "100 steps usually tell enough",
            );
        }
        Ok(())
    }

    /// The rate of a step, counted from 0.
    fn rate(&self, step: u64) -> f64 {
        let t = step.min(self.steps as u64 - 1) as f64 / (self.steps - 1) as f64;
        self.from * (self.to / self.from).powf(t)
    }
}

impl Experiment {
    /// The loss of a copy of the model over rates that grow from step to step, each step that of the training: its batches, optimizer,
    /// precision, accumulation and clipping. The test ends where the loss has risen to four times its least.
    ///
    /// Nothing of the experiment changes, nor does the randomness of this thread, and nothing is written.
    ///
    /// # Errors
    /// A range that is none; an optimizer that compares one step with the next, such as `lbfgs`; what a training reports, but for
    /// numbers that are not finite, which end the test, unless they come with its first step.
    pub fn range_test(&self, range: &RangeTest) -> Result<RangeCurve> {
        range.check()?;
        let before = random::state();
        let curve = self.tested(range);
        random::set_state(&before);
        curve
    }

    fn tested(&self, range: &RangeTest) -> Result<RangeCurve> {
        let train = &self.config.train;
        let optimizer = build::<dyn Optimizer>(&for_now(&train.optimizer), &())?;
        if optimizer.looks() == Looks::AlwaysAtTheSame {
            let message = format!(
                "range test: `{}` compares each step with the one before, which had another rate",
                train.optimizer.name
            );
            let error = Error::new(ErrorKind::Usage, message)
                .help("keep its rate of 1: it looks for the length of each step itself");
            return Err(train.optimizer.span.into_iter().fold(error, |e, span| e.with_span(span.into())));
        }
        let range = *range;
        let seen = Arc::new(Mutex::new(RangeCurve::planned(range.steps)));
        let curve = seen.clone();
        let record = each_step(move |run| {
            let mut curve = curve.lock().unwrap_or_else(PoisonError::into_inner);
            // In f16 a step may be left out, and its rate comes again.
            if curve.rates.last().is_none_or(|last| run.pace.lr > *last) {
                curve.push(run.pace.lr, run.pace.loss);
            }
            if curve.has_risen() {
                curve.end = RangeEnd::Risen;
            }
            if curve.end == RangeEnd::Risen || curve.rates.len() >= range.steps {
                run.stop_now("all that was to be seen");
            }
            Ok(())
        });
        let epoch = self.horizon().epoch.max(1);
        let mut trainer = Trainer::boxed(optimizer, build::<dyn Loss>(&train.loss, &())?)
            .epochs((range.steps as u64).div_ceil(epoch) as usize)
            .seed(train.seed)
            .accumulate(train.accumulate)
            .precision(train.precision)
            .boxed_schedule(Box::new(move |step: u64, _: f64| range.rate(step)))
            .quiet()
            .on(record);
        if let Some(most) = train.clip_norm {
            trainer = trainer.clip_norm(most);
        }
        if let Some(batches) = train.dev_run.or(train.overfit_batches) {
            trainer = trainer.limit_batches(batches);
        }
        let mut model = deep_copy(&self.model);
        let fit = || trainer.fit_with(&mut model, &self.train, None);
        let ended = catch(|| with_matmul_precision(train.matmul_precision, fit)).and_then(|history| history);
        drop(trainer);
        let mut curve = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match ended {
            Ok(_) => Ok(curve),
            Err(e) if e.kind() == ErrorKind::NonFinite && !curve.rates.is_empty() => {
                curve.end = RangeEnd::NotFinite;
                Ok(curve)
            }
            Err(e) => Err(e),
        }
    }

    /// The rate that a range test found where the file says `"auto"` in place of it; none where it says a number. The test is made
    /// once. [`train`](Experiment::train) asks for it too, and keeps the rate in the `config.toml` of the run.
    ///
    /// # Errors
    /// As [`range_test`](Experiment::range_test) and [`RangeCurve::suggestion`].
    pub fn auto_rate(&self) -> Result<Option<f64>> {
        if !is_auto(&self.config.train.optimizer) {
            return Ok(None);
        }
        if let Some(rate) = self.auto_rate.get() {
            return Ok(Some(*rate));
        }
        let curve = self.range_test(&RangeTest::default())?;
        let found = curve.suggestion().map_err(|e| {
            let help = e.help_text().map_or(String::new(), |help| format!("; {help}"));
            e.help(format!("write a number in place of \"auto\"{help}"))
        })?;
        Ok(Some(*self.auto_rate.get_or_init(|| found)))
    }

    /// Writes the rate that was found into the configuration.
    pub(crate) fn settle_rate(&mut self) -> Result<()> {
        if let Some(rate) = self.auto_rate()? {
            self.config.train.optimizer = with_rate(&self.config.train.optimizer, rate);
        }
        Ok(())
    }
}

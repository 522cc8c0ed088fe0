//! What stays the same throughout a run, as a trainer's methods have set it.

use super::averager::has_running;
use super::drive::Drive;
use crate::averaging::Averaging;
use crate::interrupt::Interrupt;
use crate::metrics::Metric;
use crate::model_file::ModelInfo;
use mapsto_nn::optim::Looks;
use mapsto_nn::{GradScaler, Module, Optimizer, Schedule};
use mapsto_tensor::{DType, Error, ErrorKind, Grads, Result, Tensor, autocast};
use std::path::PathBuf;

/// A penalty on the weights, added to the loss.
type Penalty = Box<dyn Fn(&dyn Module) -> Tensor + Send>;

/// What stays the same throughout a run.
pub(super) struct Plan {
    /// The name of the loss or of the task.
    pub(super) task: String,
    /// Whether it may report terms of its loss.
    pub(super) reports_terms: bool,
    pub(super) batches_per_epoch: Option<usize>,
    pub(super) metrics: Vec<Box<dyn Metric>>,
    pub(super) schedule: Option<Box<dyn Schedule>>,
    /// Whether the schedule counts epochs, and not steps.
    pub(super) by_epoch: bool,
    /// What is judged and saved in place of the trained weights.
    pub(super) averaging: Option<Averaging>,
    pub(super) penalties: Vec<Penalty>,
    pub(super) epochs: usize,
    pub(super) accumulate: usize,
    /// What products run in.
    pub(super) precision: DType,
    /// Of losses in f16, as it begins.
    pub(super) scaler: GradScaler,
    pub(super) clip_norm: Option<f64>,
    pub(super) clip_value: Option<f64>,
    pub(super) info: ModelInfo,
    pub(super) folder: Option<PathBuf>,
    pub(super) interrupt: Option<Interrupt>,
    pub(super) notes: Vec<(String, String)>,
    /// Those of the notes that the best model keeps too.
    pub(super) labels: Vec<(String, String)>,
    /// The batches of an epoch that are trained on and validated with, where not all are.
    pub(super) limit: Option<usize>,
    /// Whether each epoch has the batches of the first, and validation too.
    pub(super) overfits: bool,
    /// Whether nothing of the run is kept.
    pub(super) is_dev_run: bool,
    /// Whether the length of the schedule is to be that of the training: a program gave it, and a batch is a step.
    pub(super) checks_length: bool,
    /// Whether each batch is one step of the only optimizer.
    pub(super) is_one_step: bool,
}

impl Plan {
    /// Of a task by name: one epoch, a step for each batch, and nothing beside.
    pub(super) fn of(task: String) -> Plan {
        Plan {
            task,
            reports_terms: true,
            batches_per_epoch: None,
            metrics: Vec::new(),
            schedule: None,
            by_epoch: false,
            averaging: None,
            penalties: Vec::new(),
            epochs: 1,
            accumulate: 1,
            precision: DType::F32,
            scaler: GradScaler::new(),
            clip_norm: None,
            clip_value: None,
            info: ModelInfo::default(),
            folder: None,
            interrupt: None,
            notes: Vec::new(),
            labels: Vec::new(),
            limit: None,
            overfits: false,
            is_dev_run: false,
            checks_length: false,
            is_one_step: false,
        }
    }

    /// Runs a forward pass in the precision that was asked for; without one, in that of the scope around.
    pub(super) fn forward<R>(&self, body: impl FnOnce() -> R) -> R {
        if self.precision == DType::F32 { body() } else { autocast(self.precision, body) }
    }

    /// The batches in an epoch, once it is sure that there are any.
    pub(super) fn check(&self, drive: &dyn Drive) -> Result<usize> {
        let data = |message: String| Error::new(ErrorKind::Data, message);
        const EMPTY: &str = "is the set empty, or smaller than one batch with `.drop_last()`?";
        if drive.batches() == Some(0) {
            return Err(data("training: the training loader has no batch".into()).help(EMPTY));
        }
        if drive.validation() == Some(0) {
            return Err(data("training: the validation loader has no batch".into())
                .help(format!("{EMPTY} Without validation, give `None`")));
        }
        match (drive.batches(), self.batches_per_epoch) {
            (Some(has), Some(said)) if has != said => Err(Error::new(
                ErrorKind::Usage,
                format!("training: an epoch of the loader has {has} batches, not {said}"),
            )
            .help("leave out `.batches_per_epoch(..)`, which is for streams")),
            (None, _) if self.overfits => Err(Error::new(
                ErrorKind::Usage,
                "training: a stream has no batches that come again, so it cannot be trained on a few of them",
            )
            .help("give a loader, or leave out `.overfit_batches(..)`")),
            (Some(n), _) | (None, Some(n)) => Ok(n.min(self.most_batches())),
            (None, None) => Err(Error::new(ErrorKind::Usage, "training: the source does not end")
                .help("say how many batches make an epoch, such as `.batches_per_epoch(1000)`")),
        }
    }

    /// The most batches of an epoch.
    pub(super) fn most_batches(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// Checks that a schedule that a program made for a number of steps has about as many.
    pub(super) fn check_length(&self, batches: usize) -> Result<()> {
        let length = self.schedule.as_ref().and_then(|schedule| schedule.length());
        let Some(length) = length.filter(|_| self.checks_length && self.limit.is_none()) else {
            return Ok(());
        };
        let epoch = batches.div_ceil(self.accumulate) as u64;
        let (steps, unit) = match self.by_epoch {
            true => (self.epochs as u64, "epochs"),
            false if self.is_one_step => (epoch.saturating_mul(self.epochs as u64), "steps"),
            false => return Ok(()),
        };
        // Whoever rounds the batches of an epoch the other way is a little off, which changes little.
        if length.abs_diff(steps) <= steps / 10 {
            return Ok(());
        }
        let what = if length > steps { "it would be cut off" } else { "it would stand still at its end" };
        let of = if self.by_epoch { String::new() } else { format!(" ({} epochs of {epoch})", self.epochs) };
        let message = format!(
            "training: the schedule is made for {length} {unit}, and the training has {steps}{of}: {what}"
        );
        Err(Error::new(ErrorKind::Usage, message).help(format!(
            "make it for {steps} {unit}; where the difference is meant, say so with a function: `.schedule(move |t, base| schedule.lr(t, base))`"
        )))
    }

    /// Whether learning rates are set at every step.
    pub(super) fn sets_lr(&self) -> bool {
        self.schedule.is_some() || self.averaging.as_ref().is_some_and(Averaging::sets_lr)
    }

    /// Whether a schedule sets the momentum at every step.
    pub(super) fn sets_momentum(&self) -> bool {
        self.schedule.as_ref().is_some_and(|schedule| schedule.momentum(0).is_some())
    }

    /// Checks that a schedule that cycles a momentum finds one.
    pub(super) fn check_momentum(&self, optimizer: &dyn Optimizer) -> Result<()> {
        if !self.sets_momentum() || optimizer.momentum().is_some() {
            return Ok(());
        }
        let message =
            format!("training: the schedule cycles the momentum, and {} has none", optimizer.name());
        Err(Error::new(ErrorKind::Usage, message).help(
            "give the optimizer a momentum above 0, take one with `beta1`, such as `adam`, or leave out `cycle_momentum`",
        ))
    }

    /// Checks that weights can be averaged.
    pub(super) fn check_averaging(&self, optimizer: &dyn Optimizer, drive: &dyn Drive) -> Result<()> {
        let Some(averaging) = &self.averaging else { return Ok(()) };
        averaging.check(optimizer, self.epochs)?;
        if averaging.decay().is_none() && !drive.has_loader() && has_running(drive.model()) {
            let what = "averaging: a mean of weights needs running statistics of its own, from all training samples, and a stream has no end";
            return Err(Error::new(ErrorKind::Usage, what).help(
                "take norms without running statistics, such as `LayerNorm`, or `Averaging::ema(0.999)`",
            ));
        }
        Ok(())
    }

    /// Limits gradients as it was asked for.
    pub(super) fn clip(&self, grads: &mut Grads) {
        if let Some(most) = self.clip_value {
            grads.clip_value(most);
        }
        if let Some(most) = self.clip_norm {
            grads.clip_norm(most);
        }
    }

    /// Checks that an optimizer that looks at the loss more than once a step can do so.
    pub(super) fn check_looks(&self, optimizer: &dyn Optimizer, batches: usize) -> Result<()> {
        let name = optimizer.name();
        let refuse = |what: String, help: String| {
            Err(Error::new(ErrorKind::Usage, format!("training: {what}")).help(help))
        };
        if optimizer.looks() == Looks::Once {
            return Ok(());
        }
        if self.accumulate > 1 {
            let what = format!("{name} computes the loss of its batch again, so batches cannot be added up");
            return refuse(what, "leave out `accumulate`, and take larger batches".into());
        }
        if optimizer.looks() == Looks::AlwaysAtTheSame {
            if batches > 1 {
                let what = format!(
                    "{name} compares one step with the next, and an epoch has {batches} batches of other samples"
                );
                return refuse(
                    what,
                    "take all samples as one batch, with a batch size that is not below their number".into(),
                );
            }
            if self.clip_norm.is_some() || self.clip_value.is_some() {
                let what = format!("{name} needs the gradient as it is, and it is to be clipped");
                return refuse(what, "leave out `clip_norm` and `clip_value`".into());
            }
        }
        Ok(())
    }

    /// The metrics as plain references.
    pub(super) fn metrics(&self) -> impl Iterator<Item = &dyn Metric> {
        self.metrics.iter().map(|m| &**m)
    }
}

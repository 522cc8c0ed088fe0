//! One run of training: the loop over epochs and batches.

use super::{Plan, Ready, non_finite};
use crate::callbacks::{Callback, Column, Moment, Pace, Run, Wishes};
use crate::evaluate::{self, batch_in_words};
use crate::history::{History, Row};
use crate::interrupt::Interrupt;
use crate::metrics::Better;
use crate::model_file::{ModelInfo, preprocess_json};
use crate::run_folder;
use crate::tally::{Judged, Tally};
use mapsto_data::{Batch, Loader};
use mapsto_nn::{Layer, ModelSpec, Optimizer};
use mapsto_tensor::error::mistakes;
use mapsto_tensor::{Grads, Result, Tensor, random, train};
use std::path::Path;
use std::time::Instant;

/// A run under way.
pub(super) struct Fit<'a> {
    pub(super) plan: &'a Plan,
    pub(super) optimizer: &'a mut dyn Optimizer,
    /// Called before the user's callbacks, and no part of the saved state: showing it or not changes nothing.
    progress: Option<&'a mut dyn Callback>,
    pub(super) callbacks: Vec<&'a mut dyn Callback>,
    pub(super) model: &'a mut dyn Layer,
    pub(super) train: &'a Loader,
    pub(super) val: Option<&'a Loader>,
    columns: Vec<Column>,
    pub(super) info: ModelInfo,
    pub(super) position: Position,
    pub(super) history: History,
    pace: Pace,
    /// Gradients of the batches since the last step, each times its weight, and the sum of the weights.
    pending: Option<(Grads, f64)>,
    /// Seconds that callbacks have taken at the ends of epochs, such as for checkpoints, and how many epochs those were.
    closing: (f64, u32),
    /// Whether the run's folder has been seen: one that is there must not go.
    has_folder: bool,
    /// Whether the model was asked for its layers.
    is_written_down: bool,
}

/// Where a run is: with weights, optimizer and randomness, all that the next step depends on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Position {
    /// The epoch, counted from 0.
    pub(super) epoch: usize,
    /// Batches of the epoch that are done.
    pub(super) batch: usize,
    pub(super) step: u64,
    /// The learning rate before any schedule.
    pub(super) base_lr: f64,
    /// Loss and metrics of the epoch so far.
    pub(super) tally: Tally,
    /// Seconds of the epoch so far, and of these, those spent waiting for data.
    pub(super) seconds: f64,
    pub(super) waited: f64,
}

#[derive(PartialEq)]
enum Outcome {
    Finished,
    Interrupted,
}

impl<'a> Fit<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        optimizer: &'a mut dyn Optimizer,
        progress: Option<&'a mut dyn Callback>,
        callbacks: Vec<&'a mut dyn Callback>,
        model: &'a mut dyn Layer,
        train: &'a Loader,
        val: Option<&'a Loader>,
    ) -> Fit<'a> {
        let position = Position { base_lr: optimizer.lr(), ..Position::default() };
        let columns = columns(plan, val.is_some());
        let info = info(plan, train);
        let (history, pace) = (History::default(), Pace::default());
        Fit {
            plan,
            optimizer,
            progress,
            callbacks,
            model,
            train,
            val,
            columns,
            info,
            position,
            history,
            pace,
            pending: None,
            closing: (0.0, 0),
            has_folder: false,
            is_written_down: false,
        }
    }

    pub(super) fn run(mut self, ready: Option<Ready>) -> Result<History> {
        self.look();
        self.notify(Moment::Start)?;
        if let Some(ready) = ready.filter(|_| self.goes_on()) {
            ready()?;
        }
        while self.goes_on() {
            if self.epoch()? == Outcome::Interrupted {
                self.history.interrupted = true;
                let at = format!(
                    "by the user in epoch {} after batch {}",
                    self.position.epoch + 1,
                    self.position.batch
                );
                self.history.stopped = Some(at);
                self.notify(Moment::Interrupted)?;
            }
        }
        self.optimizer.set_lr(self.position.base_lr);
        self.notify(Moment::End)?;
        Ok(self.history)
    }

    /// Whether there is an epoch to come.
    fn goes_on(&self) -> bool {
        self.position.epoch < self.plan.epochs && self.history.stopped.is_none()
    }

    fn epoch(&mut self) -> Result<Outcome> {
        self.look();
        self.notify(Moment::EpochStart)?;
        if self.learn()? == Outcome::Interrupted {
            return Ok(Outcome::Interrupted);
        }
        let start = Instant::now();
        let trained = self.position.seconds;
        self.position.tally.check_weight("training")?;
        let mut values = self.position.tally.values(self.plan.metrics(), "");
        if let Some(val) = self.val {
            let interrupt = self.plan.interrupt.as_ref();
            let plan = self.plan;
            let Some(tally) = evaluate::tally(&*self.model, val, &*plan.loss, &plan.metrics, interrupt)?
            else {
                return Ok(Outcome::Interrupted);
            };
            values.extend(tally.values(plan.metrics(), "val "));
        }
        self.history.rows.push(Row {
            epoch: self.position.epoch + 1,
            step: self.position.step,
            lr: self.pace.lr,
            values,
            seconds: trained + start.elapsed().as_secs_f64(),
            samples_per_second: self.position.tally.samples() as f64 / trained.max(1e-9),
            waiting: self.position.waited / trained.max(1e-9),
        });
        // The state that callbacks have saved is of a run about to begin its next epoch.
        let Position { epoch, step, base_lr, .. } = self.position;
        self.position = Position { epoch: epoch + 1, step, base_lr, ..Position::default() };
        self.pace.seconds_left = self.seconds_left(trained);
        let start = Instant::now();
        self.notify(Moment::EpochEnd)?;
        self.closing = (self.closing.0 + start.elapsed().as_secs_f64(), self.closing.1 + 1);
        Ok(Outcome::Finished)
    }

    /// Goes through the rest of the epoch's batches.
    fn learn(&mut self) -> Result<Outcome> {
        let mut batches = self.train.epoch_from(self.position.epoch as u64, self.position.batch);
        let before = self.position.seconds;
        let start = Instant::now();
        loop {
            let wait = Instant::now();
            let Some(batch) = batches.next() else { return Ok(Outcome::Finished) };
            let batch = batch?;
            self.write_down(&batch);
            self.position.waited += wait.elapsed().as_secs_f64();
            self.position.batch += 1;
            self.gradients(&batch)?;
            let last = self.position.batch == self.train.len();
            if self.position.batch.is_multiple_of(self.plan.accumulate) || last {
                self.step(&batch)?;
                self.position.seconds = before + start.elapsed().as_secs_f64();
                self.look();
                self.notify(Moment::Step)?;
                if self.plan.interrupt.as_ref().is_some_and(Interrupt::requested) {
                    return Ok(Outcome::Interrupted);
                }
            }
        }
    }

    /// Completes what model files say by the layers, where the model says its own; the batch knows the shape of an input.
    fn write_down(&mut self, batch: &Batch) {
        if self.info.spec.is_none() && !self.is_written_down {
            self.is_written_down = true;
            let spec = ModelSpec::of_layer(&*self.model, batch.x.shape().get(1..).unwrap_or_default());
            self.info.spec = spec.map(|spec| spec.to_json());
        }
    }

    /// Adds the gradients of one batch to the pending ones.
    fn gradients(&mut self, batch: &Batch) -> Result<()> {
        let before = random::state();
        let inside = || {
            format!("epoch {}, batch {}", self.position.epoch + 1, batch_in_words(self.position.batch, batch))
        };
        let weight = mistakes(|| self.plan.loss.weight(&batch.y)).map_err(|e| e.inside(inside()))?;
        if weight == 0.0 {
            let place = inside();
            return self.pass_by(batch).map_err(|e| e.inside(place));
        }
        let (y, loss, total) = mistakes(|| self.forward(batch)).map_err(|e| e.inside(inside()))?;
        let value = loss.item();
        if !value.is_finite() || !total.item().is_finite() {
            let place = self.place(batch);
            return Err(non_finite::in_loss(&*self.model, batch, value, &place, || {
                random::set_state(&before);
                let _ = self.forward(batch);
            }));
        }
        self.pace.loss = value;
        self.position
            .tally
            .add(self.plan.metrics(), Judged { y: &y, target: &batch.y, loss: value, weight })?;
        let grads = mistakes(|| total.backward()).map_err(|e| e.inside(inside()))?;
        self.pending = Some(match self.pending.take() {
            None if self.plan.accumulate == 1 => (grads, weight),
            None => (grads * weight, weight),
            Some((mut sum, before)) => {
                sum += grads * weight;
                (sum, before + weight)
            }
        });
        Ok(())
    }

    /// Counts a batch that the loss ignores as a whole: its mean loss would be that of nothing, so it has no gradient.
    fn pass_by(&mut self, batch: &Batch) -> Result<()> {
        let y = mistakes(|| train(|| self.model.forward(&batch.x)).detach())?;
        let judged = Judged { y: &y, target: &batch.y, loss: 0.0, weight: 0.0 };
        self.position.tally.add(self.plan.metrics(), judged)
    }

    /// Outputs, the loss, and the loss with penalties, in training mode.
    fn forward(&self, batch: &Batch) -> (Tensor, Tensor, Tensor) {
        train(|| {
            let y = self.model.forward(&batch.x);
            let loss = self.plan.loss.loss(&y, &batch.y);
            let penalties = self.plan.penalties.iter().map(|penalty| penalty(&*self.model));
            let total = penalties.fold(loss.clone(), |total, p| &total + &p);
            (y.detach(), loss, total)
        })
    }

    /// One optimizer step with the pending gradients.
    fn step(&mut self, batch: &Batch) -> Result<()> {
        let Some((mut grads, weight)) = self.pending.take() else { return Ok(()) };
        if self.plan.accumulate > 1 && weight > 0.0 {
            grads.scale(1.0 / weight);
        }
        if !grads.is_finite() {
            return Err(non_finite::in_gradients(&*self.model, &grads, &self.place(batch)));
        }
        if let Some(most) = self.plan.clip_value {
            grads.clip_value(most);
        }
        if let Some(most) = self.plan.clip_norm {
            grads.clip_norm(most);
        }
        if let Some(schedule) = &self.plan.schedule {
            let at = if self.plan.by_epoch { self.position.epoch as u64 } else { self.position.step };
            self.optimizer.set_lr(schedule.lr(at, self.position.base_lr));
        }
        self.optimizer.step(self.model, grads);
        self.position.step += 1;
        Ok(())
    }

    /// Refreshes what callbacks see of the position.
    fn look(&mut self) {
        let p = &self.position;
        let seconds = p.seconds.max(1e-9);
        self.pace.epoch = p.epoch + 1;
        self.pace.epochs = self.plan.epochs;
        self.pace.batch = p.batch;
        self.pace.batches = self.train.len();
        self.pace.step = p.step;
        self.pace.samples = p.tally.samples();
        self.pace.lr = self.optimizer.lr();
        self.pace.samples_per_second = p.tally.samples() as f64 / seconds;
        self.pace.waiting = p.waited / seconds;
        self.pace.seconds_left = self.seconds_left(p.seconds);
    }

    /// The time to the planned end, validation and checkpoints included: from the mean time of the epochs so far, or else from this epoch's
    /// batches, of which those for validation, without a backward pass, take about a third of the time.
    fn seconds_left(&self, spent: f64) -> f64 {
        let epochs_left = self.plan.epochs.saturating_sub(self.position.epoch) as f64;
        if let Some(n) = Some(self.history.rows.len()).filter(|n| *n > 0) {
            let closing = self.closing.0 / f64::from(self.closing.1.max(1));
            let mean = self.history.rows.iter().map(|r| r.seconds).sum::<f64>() / n as f64 + closing;
            let spent = if self.position.batch == 0 { 0.0 } else { spent };
            return (mean * epochs_left - spent).max(0.0);
        }
        let validation = self.val.map_or(0, Loader::len) as f64 / 3.0;
        let done = self.position.batch as f64 / (self.train.len() as f64 + validation);
        if done == 0.0 { f64::NAN } else { (spent / done * (epochs_left - done)).max(0.0) }
    }

    /// The names of the loss and metric columns that the history gets.
    pub(super) fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// The run's folder, once it has been seen.
    pub(super) fn there(&self) -> Option<&Path> {
        self.plan.folder.as_deref().filter(|_| self.has_folder)
    }

    /// Calls every callback that has this moment among its own, then does what they asked for.
    fn notify(&mut self, moment: Moment) -> Result<()> {
        if let (Some(folder), true) = (&self.plan.folder, moment != Moment::Step) {
            self.has_folder |= folder.is_dir();
            if self.has_folder {
                run_folder::present(folder)?;
            }
        }
        let mut keep = Vec::new();
        for callback in self.progress.iter_mut().chain(&mut self.callbacks) {
            if !callback.moments().contains(&moment) {
                continue;
            }
            let mut run = Run {
                model: &mut *self.model,
                history: &self.history,
                pace: &self.pace,
                columns: &self.columns,
                info: &self.info,
                folder: self.plan.folder.as_deref(),
                there: self.plan.folder.as_deref().filter(|_| self.has_folder),
                wishes: Wishes::default(),
            };
            callback.at(moment, &mut run)?;
            let wishes = run.wishes;
            if self.history.stopped.is_none() {
                self.history.stopped = wishes.stop;
            }
            keep.extend(wishes.keep);
        }
        keep.iter().try_for_each(|path| super::TrainingState::write(self, path))
    }

    fn place(&self, batch: &Batch) -> non_finite::Place {
        non_finite::Place {
            epoch: self.position.epoch + 1,
            batch: self.position.batch,
            batches: self.train.len(),
            step: self.position.step + 1,
            samples: batch.indices.clone(),
        }
    }
}

/// What was said of the model, completed by what the loader knows.
fn info(plan: &Plan, train: &Loader) -> ModelInfo {
    let mut info = plan.info.clone();
    if info.preprocess.is_none() {
        info.preprocess = preprocess_json(train.preprocessing());
    }
    if info.classes.is_empty() {
        info.classes = train.info().classes;
    }
    if info.features.is_empty() {
        info.features = train.info().features;
    }
    info.loss = info.loss.or_else(|| plan.loss.entry().map(|entry| entry.to_json()));
    info
}

fn columns(plan: &Plan, validated: bool) -> Vec<Column> {
    let mut columns = Vec::new();
    for prefix in ["", "val "].into_iter().take(1 + usize::from(validated)) {
        columns.push(Column { name: format!("{prefix}loss"), better: Better::Lower });
        for metric in &plan.metrics {
            columns.push(Column { name: format!("{prefix}{}", metric.name()), better: metric.better() });
        }
    }
    columns
}

//! One run of training: the loop over epochs and batches.

use super::cx::Engine;
use super::drive::Drive;
use super::{Plan, Ready, non_finite};
use crate::callbacks::{Callback, Column, Moment, Pace, Run, Wishes, check_files};
use crate::evaluate::batch_in_words;
use crate::history::{History, Row};
use crate::interrupt::Interrupt;
use crate::metrics::Better;
use crate::model_file::ModelInfo;
use crate::run_lock::SeenFolder;
use crate::tally::Tally;
use mapsto_nn::ModelSpec;
use mapsto_spec::Json;
use mapsto_tensor::error::mistakes;
use mapsto_tensor::{Error, ErrorKind, Result};
use std::path::Path;
use std::time::Instant;

/// A run under way.
pub(super) struct Fit<'a> {
    pub(super) plan: &'a Plan,
    pub(super) engine: Engine<'a>,
    pub(super) drive: &'a mut dyn Drive,
    /// The batches in an epoch.
    pub(super) batches: usize,
    /// Called before the user's callbacks, and no part of the saved state: showing it or not changes nothing.
    progress: Option<&'a mut dyn Callback>,
    columns: Vec<Column>,
    pub(super) info: ModelInfo,
    pub(super) position: Position,
    pub(super) history: History,
    pace: Pace,
    /// Seconds that callbacks have taken at the ends of epochs, such as for checkpoints, and how many epochs those were.
    closing: (f64, u32),
    /// The run's folder, once it has been seen: one that is there must not go, nor become another.
    seen: Option<SeenFolder>,
    /// Whether the task was asked for the model's layers and the loss.
    is_written_down: bool,
    /// Why a callback ends the run where it is, if one does.
    halted: Option<String>,
    /// The layers of the run that is resumed, if its state says them.
    pub(super) resumed: Option<Json>,
}

/// Where a run is: with weights, optimizer and randomness, all that the next step depends on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Position {
    /// The epoch, counted from 0.
    pub(super) epoch: usize,
    /// Batches of the epoch that are done.
    pub(super) batch: usize,
    pub(super) step: u64,
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
        engine: Engine<'a>,
        progress: Option<&'a mut dyn Callback>,
        drive: &'a mut dyn Drive,
        batches: usize,
    ) -> Fit<'a> {
        let columns = columns(plan, drive.validation().is_some());
        let info = info(&plan.info, drive);
        Fit {
            plan,
            engine,
            drive,
            batches,
            progress,
            columns,
            info,
            position: Position::default(),
            history: History::default(),
            pace: Pace::default(),
            closing: (0.0, 0),
            seen: None,
            is_written_down: false,
            halted: None,
            resumed: None,
        }
    }

    pub(super) fn run(mut self, ready: Option<Ready>) -> Result<History> {
        check_files(self.engine.callbacks.iter().map(|callback| &**callback))?;
        self.engine.look_at(self.drive.model());
        // A run that is resumed knows the terms of its task.
        self.history.columns().iter().for_each(|name| self.add_column(name));
        self.look();
        self.notify(Moment::Start)?;
        if let Some(ready) = ready.filter(|_| self.goes_on()) {
            ready()?;
        }
        let epochs = self.position.epoch;
        while self.goes_on() {
            if self.epoch()? == Outcome::Interrupted {
                let Position { epoch, batch, .. } = self.position;
                let at = match batch {
                    0 if self.halted.is_some() => format!("after epoch {epoch}"),
                    _ => format!("in epoch {} after batch {batch}", epoch + 1),
                };
                (self.history.interrupted, self.history.halted) =
                    (self.halted.is_none(), self.halted.is_some());
                let why = self.halted.take().unwrap_or("by the user".into());
                self.history.stopped = Some(format!("{why} {at}"));
                self.notify(Moment::Interrupted)?;
            }
        }
        for driver in &mut self.engine.drivers {
            driver.optimizer.set_lr(driver.base_lr);
            if let (Some(momentum), true) = (driver.base_momentum, self.plan.sets_momentum()) {
                driver.optimizer.set_momentum(momentum);
            }
        }
        self.notify(Moment::End)?;
        if self.position.epoch > epochs && self.history.stopped.is_none() {
            self.engine.check_used()?;
        }
        Ok(self.history)
    }

    /// Whether there is an epoch to come.
    fn goes_on(&self) -> bool {
        self.position.epoch < self.plan.epochs && self.history.stopped.is_none()
    }

    fn epoch(&mut self) -> Result<Outcome> {
        self.look();
        self.notify(Moment::EpochStart)?;
        let epoch = self.position.epoch + 1;
        self.engine.learn(self.drive.model_mut(), epoch)?;
        let outcome = self.learn()?;
        if outcome == Outcome::Finished {
            self.engine.end_epoch(self.drive.model(), epoch);
        }
        // A mean of epochs is shown at their end alone: it needs running statistics of its own.
        if outcome == Outcome::Finished || !self.engine.averages_epochs() {
            self.engine.judge(self.drive.model_mut())?;
        }
        if outcome == Outcome::Interrupted || !self.refresh()? {
            return Ok(Outcome::Interrupted);
        }
        let start = Instant::now();
        let trained = self.position.seconds;
        self.position.tally.check_weight("training")?;
        let mut values = self.position.tally.values(self.plan.metrics(), "");
        if self.drive.validation().is_some() {
            let (plan, mut tally) = (self.plan, Tally::default());
            let mut see = |step: &crate::Step, rows| tally.add(plan.metrics(), step, rows);
            if !plan.forward(|| self.drive.validate(plan, &mut see))? {
                return Ok(Outcome::Interrupted);
            }
            tally.check_weight("validation")?;
            values.extend(tally.values(plan.metrics(), "val "));
        }
        values.iter().for_each(|(name, _)| self.add_column(name));
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
        let Position { epoch, step, .. } = self.position;
        self.position = Position { epoch: epoch + 1, step, ..Position::default() };
        self.pace.seconds_left = self.seconds_left(trained);
        let start = Instant::now();
        self.notify(Moment::EpochEnd)?;
        self.closing = (self.closing.0 + start.elapsed().as_secs_f64(), self.closing.1 + 1);
        // An epoch that is the last anyway ends the run as it would have ended.
        let halts = self.halted.is_some() && self.goes_on();
        Ok(if halts { Outcome::Interrupted } else { Outcome::Finished })
    }

    /// Gives averaged weights running statistics of their own; false when interrupted on the way.
    fn refresh(&mut self) -> Result<bool> {
        let (drive, plan) = (&*self.drive, self.plan);
        self.engine.averager.as_mut().map_or(Ok(true), |averager| averager.refresh(drive, plan))
    }

    /// Learns of a column that was not asked for: a term of the task, which improves by falling.
    fn add_column(&mut self, name: &str) {
        if !self.columns.iter().any(|column| column.name == name) {
            self.columns.push(Column { name: name.into(), better: Better::Lower });
        }
    }

    /// Goes through the rest of the epoch's batches.
    fn learn(&mut self) -> Result<Outcome> {
        // The same batches in every epoch are those of the first.
        let epoch = if self.plan.overfits { 0 } else { self.position.epoch as u64 };
        self.drive.start(epoch, self.position.batch)?;
        let before = self.position.seconds;
        let start = Instant::now();
        while self.position.batch < self.batches {
            let wait = Instant::now();
            let Some(read) = self.drive.fetch() else { return Err(self.ended()) };
            read?;
            self.write_down()?;
            self.position.waited += wait.elapsed().as_secs_f64();
            self.position.batch += 1;
            let last = self.position.batch == self.batches;
            let due = self.position.batch.is_multiple_of(self.plan.accumulate) || last;
            self.batch(due)?;
            if due {
                self.engine.follow(self.drive.model());
                self.position.seconds = before + start.elapsed().as_secs_f64();
                self.look();
                let shows = self.engine.shows_each_step();
                if shows {
                    self.engine.judge(self.drive.model_mut())?;
                }
                self.notify(Moment::Step)?;
                if shows {
                    self.engine.learn(self.drive.model_mut(), self.position.epoch + 1)?;
                }
                let is_asked = self.plan.interrupt.as_ref().is_some_and(Interrupt::requested);
                if is_asked || self.halted.is_some() {
                    return Ok(Outcome::Interrupted);
                }
            }
        }
        Ok(Outcome::Finished)
    }

    /// Completes what model files say by what the task knows of the model and its loss, from the first batch on.
    fn write_down(&mut self) -> Result<()> {
        if self.is_written_down {
            return Ok(());
        }
        self.is_written_down = true;
        let known = self.drive.written();
        if let (Some(saved), Some(now)) =
            (&self.resumed, known.spec.as_ref().or(self.plan.info.spec.as_ref()))
        {
            same_layers(saved, now)?;
        }
        self.info.spec = self.info.spec.take().or(known.spec);
        self.info.loss = self.info.loss.take().or(known.loss);
        Ok(())
    }

    /// Lets the task do what the batch that was read does to the model, and counts what it gave.
    fn batch(&mut self, due: bool) -> Result<()> {
        let rows = self.drive.rows();
        let place = &mut self.engine.place;
        place.epoch = self.position.epoch + 1;
        place.batch = self.position.batch;
        place.batches = self.batches;
        place.step = self.position.step + 1;
        place.samples.clear();
        place.samples.extend_from_slice(self.drive.samples());
        let mut cx = self.engine.begin(rows, due);
        let drive = &mut *self.drive;
        let stepped = match mistakes(|| drive.step(&mut cx)) {
            Ok(Err(error)) => {
                let ruined = self.engine.ruined.take();
                let batch =
                    ruined.and_then(|loss| non_finite::in_batch(&*self.drive, loss, &self.engine.place));
                return Err(super::replay::keep(self, batch.unwrap_or(error)));
            }
            stepped => stepped.and_then(|step| step),
        };
        let step = stepped.map_err(|e| {
            let batch = batch_in_words(self.position.batch, self.drive.samples());
            e.inside(format!("epoch {}, batch {batch}", self.position.epoch + 1))
        })?;
        self.engine.end()?;
        self.position.step = self.engine.all_steps();
        self.position.tally.add(self.plan.metrics(), &step, rows)?;
        if step.weight != Some(0.0) {
            self.pace.loss = step.loss.item();
        }
        Ok(())
    }

    fn ended(&self) -> Error {
        let message = format!(
            "training: the source ended after {} of the {} batches of an epoch",
            self.position.batch, self.batches
        );
        Error::new(ErrorKind::Data, message).help("say how many it has with `.batches_per_epoch(..)`")
    }

    /// Refreshes what callbacks see of the position.
    fn look(&mut self) {
        let p = &self.position;
        let seconds = p.seconds.max(1e-9);
        self.pace.epoch = p.epoch + 1;
        self.pace.epochs = self.plan.epochs;
        self.pace.batch = p.batch;
        self.pace.batches = self.batches;
        self.pace.step = p.step;
        self.pace.samples = p.tally.samples();
        self.pace.lr = self.engine.drivers[0].optimizer.lr();
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
        let validation = self.drive.validation().unwrap_or(0) as f64 / 3.0;
        let done = self.position.batch as f64 / (self.batches as f64 + validation);
        if done == 0.0 { f64::NAN } else { (spent / done * (epochs_left - done)).max(0.0) }
    }

    /// The names of the loss and metric columns that the history gets.
    pub(super) fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// The run's folder, once it has been seen.
    pub(super) fn there(&self) -> Option<&Path> {
        self.plan.folder.as_deref().filter(|_| self.seen.is_some())
    }

    /// Refuses to go on where the run's folder has gone or become another.
    fn check_folder(&self) -> Result<()> {
        self.seen.as_ref().map_or(Ok(()), SeenFolder::check)
    }

    /// Calls every callback that has this moment among its own, then does what they asked for.
    fn notify(&mut self, moment: Moment) -> Result<()> {
        if let (Some(folder), true) = (&self.plan.folder, moment != Moment::Step) {
            self.seen = self.seen.take().or_else(|| SeenFolder::look(folder));
            self.check_folder()?;
        }
        let (mut first, mut keep, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for callback in self.progress.iter_mut().chain(&mut self.engine.callbacks) {
            if !callback.moments().contains(&moment) {
                continue;
            }
            let mut run = Run {
                model: self.drive.model_mut(),
                history: &self.history,
                pace: &self.pace,
                columns: &self.columns,
                info: &self.info,
                labels: &self.plan.labels,
                averaging: self.plan.averaging.as_ref(),
                folder: self.plan.folder.as_deref(),
                there: self.plan.folder.as_deref().filter(|_| self.seen.is_some()),
                wishes: Wishes::default(),
                is_dev_run: self.plan.is_dev_run,
                has_schedule: self.plan.sets_lr(),
                is_open: self.plan.reports_terms && self.history.rows.is_empty(),
            };
            callback.at(moment, &mut run)?;
            let wishes = run.wishes;
            if self.history.stopped.is_none() {
                self.history.stopped = wishes.stop;
            }
            self.halted = self.halted.take().or(wishes.halt);
            notes.extend(wishes.notes);
            first.extend(wishes.keep_first);
            keep.extend(wishes.keep);
        }
        for note in notes {
            self.progress.iter_mut().for_each(|progress| progress.said(&note));
            self.engine.callbacks.iter_mut().for_each(|callback| callback.said(&note));
            self.history.notes.push(note);
        }
        if !first.is_empty() || !keep.is_empty() {
            self.check_folder()?;
        }
        first.iter().chain(&keep).try_for_each(|path| super::TrainingState::write(self, path))
    }
}

/// Checks that a resumed run has the layers it was started with: weights of equal shapes may be those of another function.
fn same_layers(saved: &Json, now: &Json) -> Result<()> {
    // Both with every setting, as this version writes them: it may say more than the one that has saved the run.
    let read = |json: &Json| ModelSpec::from_json(json).and_then(|spec| spec.rendered());
    let (Ok(mut saved), Ok(mut now)) = (read(saved), read(now)) else { return Ok(()) };
    // All weights come from the state, however they would have begun.
    saved.layers.iter_mut().chain(&mut now.layers).for_each(|layer| layer.forget("init"));
    let mut pairs = saved.layers.iter().zip(&now.layers).enumerate();
    let is_same = saved.layers.len() == now.layers.len();
    let Some((i, (old, new))) = pairs.find(|(_, (old, new))| old != new) else {
        return match is_same {
            true => Ok(()),
            false => Err(another_model(
                &format!("{} layers", saved.layers.len()),
                &format!("{}", now.layers.len()),
            )),
        };
    };
    Err(another_model(&format!("{} as layer {i}", old.to_json()), &new.to_json().to_string()))
}

pub(super) fn another_model(saved: &str, now: &str) -> Error {
    Error::new(ErrorKind::Model, format!("resume: the saved run had {saved}, this model has {now}"))
        .help("resume with the model that the run was started with")
}

/// What was said of the model, completed by what the loader knows.
fn info(said: &ModelInfo, drive: &dyn Drive) -> ModelInfo {
    let mut info = said.clone();
    if info.preprocess.is_none() {
        info.preprocess = drive.preprocess();
    }
    if info.classes.is_empty() {
        info.classes = drive.info().classes;
    }
    if info.features.is_empty() {
        info.features = drive.info().features;
    }
    if info.targets.is_empty() {
        info.targets = drive.info().targets;
    }
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

//! The state of a run as a file, from which it goes on with the same bits.

use super::fit::{Fit, Position};
use crate::callbacks::CallbackState;
use crate::digest::Digest;
use crate::history::History;
use crate::model_file::{ModelFile, NOTE, WEIGHTS};
use crate::tally::Tally;
use mapsto_nn::{Exceptions, ModuleExt, OptimizerState};
use mapsto_tensor::random::{self, RandomState};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};
use std::path::Path;

/// Reads and writes training states: a model file with more in it.
pub(super) struct TrainingState;

impl TrainingState {
    /// Writes model, optimizer, randomness, position, history and callbacks into one file, whole or not at all.
    pub(super) fn write(fit: &Fit<'_>, path: &Path) -> Result<()> {
        let mut file = ModelFile::of(fit.drive.model()).with_info(fit.info.clone());
        let p = &fit.position;
        let [train, val] = fit.drive.samples_in_words()?;
        let base_lr = fit.engine.drivers[0].base_lr;
        let mut texts = vec![
            ("loss".to_string(), fit.plan.task.clone()),
            ("position".into(), format!("{} {} {} {}", p.epoch, p.batch, p.step, fit.batches)),
            ("numbers".into(), [base_lr, p.seconds, p.waited].map(bits).join(" ")),
            ("tally".into(), p.tally.to_text()),
            ("random".into(), random_text(&random::state())),
            ("history".into(), fit.history.to_csv()),
            ("accumulate".into(), fit.plan.accumulate.to_string()),
            ("precision".into(), fit.plan.precision.to_string()),
            ("learning rate by".into(), if fit.plan.sets_lr() { "schedule" } else { "callbacks" }.into()),
            ("training samples".into(), train),
            ("validation samples".into(), val),
        ];
        if let Some(scaler) = &fit.engine.scaler {
            texts.push(("loss scale".into(), scaler.state().map(bits).join(" ")));
        }
        if let (Some(how), Some(averager)) = (&fit.plan.averaging, &fit.engine.averager) {
            let (tensors, numbers) = averager.state();
            file.training.extend(tensors.into_iter().map(|(n, t)| (format!("{AVERAGING}/{n}"), t)));
            texts.push((AVERAGING.into(), how.entry().to_string()));
            texts.push((
                format!("{AVERAGING} is at"),
                numbers.into_iter().map(bits).collect::<Vec<_>>().join(" "),
            ));
            // A moving average is shown within an epoch too.
            let weights = match p.batch {
                0 => how.weights_after(p.epoch),
                _ => how.weights_after(p.epoch + 1).filter(|_| averager.follows_steps()),
            };
            texts.extend(weights.map(|text| (format!("{NOTE}{WEIGHTS}"), text)));
        }
        for (i, driver) in fit.engine.drivers.iter().enumerate() {
            let (state, key) = (driver.optimizer.state(), key(i, driver.name));
            let tensors = state.tensors.into_iter().map(|(n, t)| (format!("{key}/{n}"), t));
            file.training.extend(tensors);
            let numbers = [state.lr, driver.base_lr].map(bits).join(" ");
            texts.push((format!("{key} is at"), format!("{} {numbers}", driver.steps)));
            if i == 0 {
                texts.push(("lr".into(), bits(state.lr)));
            }
            texts.push((key, state.name));
        }
        file.training.extend(fit.drive.source_state().into_iter().map(|(n, t)| (format!("source/{n}"), t)));
        texts.extend(fit.plan.notes.iter().map(|(about, text)| (format!("{NOTE}{about}"), text.clone())));
        for (i, callback) in fit.engine.callbacks.iter().enumerate() {
            let state = callback.state();
            let numbers: Vec<String> =
                state.numbers.iter().map(|(n, v)| format!("{n}={}", bits(*v))).collect();
            texts.push((format!("callback {i}"), format!("{}\n{}", callback.name(), numbers.join(";"))));
            let tensors = state.tensors.into_iter().map(|(n, t)| (format!("callback {i}/{n}"), t));
            file.training.extend(tensors);
        }
        texts.push((DIGEST.into(), digest(&texts)));
        file.training_text = texts;
        file.write_within(path, fit.there())
    }

    /// Puts a run where the file says.
    pub(super) fn resume(fit: &mut Fit<'_>, path: &Path) -> Result<()> {
        let file = ModelFile::read(path)?;
        let state = Saved { file: &file };
        state.apply(fit).map_err(|e| e.context(format!("resume from {}", path.display())))
    }
}

/// Under which an average is saved.
const AVERAGING: &str = "averaging";

/// The name of the digest of all other texts, from before files had a seal; a state whose seal was left out is still known
/// by it.
const DIGEST: &str = "digest";

fn digest(texts: &[(String, String)]) -> String {
    let mut texts: Vec<_> = texts.iter().filter(|(key, _)| key != DIGEST).collect();
    texts.sort();
    let mut digest = Digest::new();
    for (key, text) in texts {
        digest.add_text(key);
        digest.add_text(text);
    }
    digest.to_string()
}

/// Checks that a history covers this many epochs and steps, and has the columns of this run.
fn check_history(history: &History, epochs: u64, steps: u64, fit: &Fit<'_>) -> Result<()> {
    let wrong = |what: String| {
        Err(Error::new(ErrorKind::Data, format!("the training state is damaged: its history {what}")))
    };
    if history.rows.len() as u64 != epochs {
        return wrong(format!("has {} epochs, its position is after {epochs}", history.rows.len()));
    }
    let mut last = 0;
    for (i, row) in history.rows.iter().enumerate() {
        if row.epoch != i + 1 || row.step < last || row.step > steps {
            return wrong(format!("has epoch {} with step {} in row {}", row.epoch, row.step, i + 1));
        }
        last = row.step;
        // A task's terms are known from its first epoch on; they come beside the columns that the trainer was asked for.
        let asked: Vec<&str> = fit.column_names().collect();
        let names = row.values.iter().map(|(name, _)| name.as_str());
        let kept: Vec<&str> = match fit.plan.reports_terms {
            true => names.filter(|name| asked.contains(name)).collect(),
            false => names.collect(),
        };
        if kept != asked {
            let names: Vec<&str> = row.values.iter().map(|(name, _)| name.as_str()).collect();
            return wrong(format!("has the columns {}", names.join(", ")));
        }
    }
    Ok(())
}

struct Saved<'a> {
    file: &'a ModelFile,
}

impl Saved<'_> {
    /// Checks everything first and then writes.
    fn apply(&self, fit: &mut Fit<'_>) -> Result<()> {
        // States of earlier versions have no digest.
        if self.find(DIGEST).is_some_and(|saved| saved != digest(&self.file.training_text)) {
            return Err(damaged());
        }
        self.same("optimizer", self.text("optimizer")?, &fit.engine.drivers[0].optimizer.name())?;
        let saved: Vec<&str> = self.optimizers().collect();
        for (i, driver) in fit.engine.drivers.iter().enumerate().skip(1) {
            let name = self.find(&key(i, driver.name)).unwrap_or("none");
            self.same(&format!("optimizer `{}`", driver.name), name, &driver.optimizer.name())?;
        }
        for name in saved {
            let is_here = fit.engine.drivers.iter().skip(1).any(|driver| driver.name == name);
            self.same(&format!("optimizer `{name}`"), "one", if is_here { "one" } else { "none" })?;
        }
        self.same("loss", self.text("loss")?, &fit.plan.task)?;
        let position: Vec<u64> = words(self.text("position")?)?;
        let [epoch, batch, steps, batches] = position[..] else { return Err(damaged()) };
        self.same("batches in an epoch", &batches.to_string(), &fit.batches.to_string())?;
        let numbers = self.text("numbers")?.split(' ').map(from_bits).collect::<Result<Vec<f64>>>()?;
        let [old_base, seconds, waited] = numbers[..] else { return Err(damaged()) };
        let tally = Tally::from_text(self.text("tally")?).ok_or_else(damaged)?;
        let history = History::from_csv(self.text("history")?)?;
        check_history(&history, epoch, steps, fit)?;
        let numbers: Vec<u64> = words(self.text("random")?)?;
        let [seed, draws @ ..] = &numbers[..] else { return Err(damaged()) };
        let draws = draws.try_into().map_err(|_| damaged())?;
        // States of earlier versions do not say these.
        if let Some(saved) = self.find("accumulate") {
            self.same("accumulated batches", saved, &fit.plan.accumulate.to_string())?;
        }
        self.same("precision", self.find("precision").unwrap_or("f32"), &fit.plan.precision.to_string())?;
        if let Some(scaler) = &mut fit.engine.scaler {
            let state = self.text("loss scale")?.split(' ').map(from_bits).collect::<Result<Vec<f64>>>()?;
            let mut there = scaler.clone();
            there.load_state(state.try_into().map_err(|_| damaged())?)?;
            *scaler = there;
        }
        let averaging = fit.plan.averaging.as_ref().map_or("none".into(), |how| how.entry().to_string());
        self.same("averaging", self.find(AVERAGING).unwrap_or("none"), &averaging)?;
        let random = RandomState { seed: *seed, draws };
        // A loader without a seed takes the thread's, which was the saved one.
        let before = random::state();
        random::set_state(&random);
        let samples = self.same_samples(fit);
        random::set_state(&before);
        samples?;

        let weights = self.file.tensors.iter().cloned();
        fit.drive.model().compare_state_dict(weights, &Exceptions::none()).map_err(|e| {
            e.help("resume with the model that the run was started with; weights alone are loaded by `load`")
        })?;
        for (i, driver) in fit.engine.drivers.iter_mut().enumerate() {
            let key = key(i, driver.name);
            // States of earlier versions have one optimizer, and no line for where it is.
            let at = match self.find(&format!("{key} is at")) {
                Some(text) => {
                    let words: Vec<&str> = text.split(' ').collect();
                    let [steps, lr, base] = words[..] else { return Err(damaged()) };
                    (steps.parse().map_err(|_| damaged())?, from_bits(lr)?, from_bits(base)?)
                }
                None => (steps, from_bits(self.text("lr")?)?, old_base),
            };
            // The learning rate is the one that the trainer was given now. A schedule sets its own at the next step; one that a
            // callback has set stays, in proportion.
            let (steps, lr, base) = at;
            (driver.steps, driver.was_used) = (steps, steps > 0);
            let lr = match (lr == base, self.find("learning rate by")) {
                (false, Some("callbacks")) if base == driver.base_lr => lr,
                (false, Some("callbacks")) => lr / base * driver.base_lr,
                (false, _) if fit.plan.sets_lr() => lr,
                _ => driver.base_lr,
            };
            let name = driver.optimizer.name().into();
            let state = OptimizerState { name, lr, tensors: self.tensors(&format!("{key}/")) };
            driver.optimizer.load_state(fit.drive.model(), &state)?;
        }
        if let Some(averager) = &mut fit.engine.averager {
            let numbers = self.text(&format!("{AVERAGING} is at"))?.split(' ').map(from_bits);
            let numbers = numbers.collect::<Result<Vec<f64>>>()?;
            averager.load(fit.drive.model(), self.tensors(&format!("{AVERAGING}/")), &numbers)?;
        }
        fit.drive.load_source_state(self.tensors("source/"))?;
        for (i, callback) in fit.engine.callbacks.iter_mut().enumerate() {
            let remembers = callback.state();
            let is_new = self.find(&format!("callback {i}")).is_none();
            if is_new && remembers.numbers.is_empty() && remembers.tensors.is_empty() {
                continue;
            }
            callback.load_state(self.callback(i)?)?;
        }
        self.file.load_into(fit.drive.model_mut())?;
        // What the task said of model and loss in its first batch, before there is another.
        fit.info.spec = fit.info.spec.take().or_else(|| self.file.info.spec.clone());
        fit.info.loss = fit.info.loss.take().or_else(|| self.file.info.loss.clone());
        random::set_state(&random);
        fit.history = history;
        fit.resumed = self.file.info.spec.clone();
        let (epoch, batch) = (epoch as usize, batch as usize);
        fit.position = Position { epoch, batch, step: steps, tally, seconds, waited };
        Ok(())
    }

    fn same_samples(&self, fit: &Fit<'_>) -> Result<()> {
        for (what, now) in
            ["training samples", "validation samples"].iter().zip(fit.drive.samples_in_words()?)
        {
            if let Some(saved) = self.find(what) {
                self.same(what, saved, &now)?;
            }
        }
        Ok(())
    }

    /// The names of the saved optimizers but the first.
    fn optimizers(&self) -> impl Iterator<Item = &str> {
        let keys = self.file.training_text.iter().map(|(key, _)| key.as_str());
        keys.filter(|key| !key.ends_with(" is at")).filter_map(|key| key.strip_prefix("optimizer "))
    }

    fn find(&self, key: &str) -> Option<&str> {
        self.file.training_text.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    fn text(&self, key: &str) -> Result<&str> {
        self.find(key).ok_or_else(|| {
            Error::new(ErrorKind::Model, format!("the file holds no training state (`{key}` is missing)"))
                .help("resume from the file that `Checkpoint::last()` writes; a plain model file is only weights")
        })
    }

    fn tensors(&self, prefix: &str) -> Vec<(String, Tensor)> {
        let tensors = self.file.training.iter();
        tensors.filter_map(|(n, t)| Some((n.strip_prefix(prefix)?.to_string(), t.clone()))).collect()
    }

    fn callback(&self, i: usize) -> Result<CallbackState> {
        let text = self.text(&format!("callback {i}"))?;
        let (_, numbers) = text.split_once('\n').ok_or_else(damaged)?;
        let number = |pair: &str| {
            let (name, value) = pair.split_once('=').ok_or_else(damaged)?;
            Ok((name.to_string(), from_bits(value)?))
        };
        let numbers = numbers.split(';').filter(|p| !p.is_empty()).map(number).collect::<Result<_>>()?;
        Ok(CallbackState { numbers, tensors: self.tensors(&format!("callback {i}/")) })
    }

    fn same(&self, what: &str, saved: &str, now: &str) -> Result<()> {
        if saved == now {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Model, format!("{what}: the saved run had {saved}, this one has {now}"))
            .help("resume with the data, model and trainer that the run was started with"))
    }
}

/// Under which key an optimizer is saved: the first as the only one was in earlier versions.
fn key(i: usize, name: &str) -> String {
    if i == 0 { "optimizer".into() } else { format!("optimizer {name}") }
}

fn damaged() -> Error {
    Error::new(ErrorKind::Data, "the training state is damaged")
}

pub(super) fn bits(v: f64) -> String {
    format!("{:016x}", v.to_bits())
}

pub(super) fn from_bits(text: &str) -> Result<f64> {
    u64::from_str_radix(text, 16).map(f64::from_bits).map_err(|_| damaged())
}

pub(super) fn words(text: &str) -> Result<Vec<u64>> {
    text.split(' ').map(|w| w.parse().map_err(|_| damaged())).collect()
}

pub(super) fn random_text(state: &RandomState) -> String {
    let numbers: Vec<String> = [state.seed].iter().chain(&state.draws).map(u64::to_string).collect();
    numbers.join(" ")
}

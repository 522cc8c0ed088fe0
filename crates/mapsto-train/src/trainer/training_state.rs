//! The state of a run as a file, from which it goes on with the same bits.

use super::fit::{Fit, Position};
use super::order;
use crate::callbacks::CallbackState;
use crate::digest::Digest;
use crate::history::History;
use crate::model_file::{ModelFile, NOTE};
use crate::tally::Tally;
use mapsto_nn::OptimizerState;
use mapsto_tensor::random::{self, RandomState};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};
use std::path::Path;

/// Reads and writes training states: a model file with more in it.
pub(super) struct TrainingState;

impl TrainingState {
    /// Writes model, optimizer, randomness, position, history and callbacks into one file, whole or not at all.
    pub(super) fn write(fit: &Fit<'_>, path: &Path) -> Result<()> {
        let optimizer = fit.optimizer.state();
        let mut file = ModelFile::of(&*fit.model).with_info(fit.info.clone());
        file.training =
            optimizer.tensors.iter().map(|(n, t)| (format!("optimizer/{n}"), t.clone())).collect();
        let p = &fit.position;
        let mut texts = vec![
            ("optimizer".to_string(), optimizer.name),
            ("lr".into(), bits(optimizer.lr)),
            ("loss".into(), fit.plan.loss.name().to_string()),
            ("position".into(), format!("{} {} {} {}", p.epoch, p.batch, p.step, fit.train.len())),
            ("numbers".into(), [p.base_lr, p.seconds, p.waited].map(bits).join(" ")),
            ("tally".into(), p.tally.to_text()),
            ("random".into(), random_text(&random::state())),
            ("history".into(), fit.history.to_csv()),
            ("accumulate".into(), fit.plan.accumulate.to_string()),
            ("training samples".into(), order::of(fit.train)?),
            ("validation samples".into(), fit.val.map_or(Ok("none".into()), order::of)?),
        ];
        texts.extend(fit.plan.notes.iter().map(|(about, text)| (format!("{NOTE}{about}"), text.clone())));
        for (i, callback) in fit.callbacks.iter().enumerate() {
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

/// The name of the digest of all other texts: a digit that has changed in one of them would go on with another run.
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
        let columns = fit.column_names();
        if !row.values.iter().map(|(name, _)| name.as_str()).eq(columns) {
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
        let name = self.text("optimizer")?;
        self.same("optimizer", name, &fit.optimizer.name())?;
        self.same("loss", self.text("loss")?, &fit.plan.loss.name())?;
        let position: Vec<u64> = words(self.text("position")?)?;
        let [epoch, batch, steps, batches] = position[..] else { return Err(damaged()) };
        self.same("batches in an epoch", &batches.to_string(), &fit.train.len().to_string())?;
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
        let random = RandomState { seed: *seed, draws };
        // A loader without a seed takes the thread's, which was the saved one.
        let before = random::state();
        random::set_state(&random);
        let samples = self.same_samples(fit);
        random::set_state(&before);
        samples?;

        // The learning rate is the one that the trainer was given now; a schedule sets its own at the next step.
        let base_lr = fit.optimizer.lr();
        let lr = from_bits(self.text("lr")?)?;
        let is_scheduled = fit.plan.schedule.is_some() && lr != old_base;
        let state = OptimizerState {
            name: name.into(),
            lr: if is_scheduled { lr } else { base_lr },
            tensors: self.tensors("optimizer/"),
        };
        fit.optimizer.load_state(&*fit.model, &state)?;
        for (i, callback) in fit.callbacks.iter_mut().enumerate() {
            let remembers = callback.state();
            let is_new = self.find(&format!("callback {i}")).is_none();
            if is_new && remembers.numbers.is_empty() && remembers.tensors.is_empty() {
                continue;
            }
            callback.load_state(self.callback(i)?)?;
        }
        self.file.load_into(fit.model)?;
        random::set_state(&random);
        fit.history = history;
        let (epoch, batch) = (epoch as usize, batch as usize);
        fit.position = Position { epoch, batch, step: steps, base_lr, tally, seconds, waited };
        Ok(())
    }

    fn same_samples(&self, fit: &Fit<'_>) -> Result<()> {
        if let Some(saved) = self.find("training samples") {
            self.same("training samples", saved, &order::of(fit.train)?)?;
        }
        if let Some(saved) = self.find("validation samples") {
            self.same("validation samples", saved, &fit.val.map_or(Ok("none".into()), order::of)?)?;
        }
        Ok(())
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

fn damaged() -> Error {
    Error::new(ErrorKind::Data, "the training state is damaged")
}

fn bits(v: f64) -> String {
    format!("{:016x}", v.to_bits())
}

fn from_bits(text: &str) -> Result<f64> {
    u64::from_str_radix(text, 16).map(f64::from_bits).map_err(|_| damaged())
}

fn words(text: &str) -> Result<Vec<u64>> {
    text.split(' ').map(|w| w.parse().map_err(|_| damaged())).collect()
}

fn random_text(state: &RandomState) -> String {
    let numbers: Vec<String> = [state.seed].iter().chain(&state.draws).map(u64::to_string).collect();
    numbers.join(" ")
}

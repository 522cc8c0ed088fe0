//! The replay bundle: what a step needs that gave the first number that is not finite, in one file, and the step run again from it.

use super::fit::Fit;
use super::non_finite;
use super::training_state::{bits, from_bits, random_text, words};
use crate::digest::Digest;
use crate::model_file::ModelFile;
use crate::{Supervised, Task};
use mapsto_data::Sample;
use mapsto_nn::{Item, Module, Path as Name};
use mapsto_tensor::graph::detect_anomaly;
use mapsto_tensor::random::{self, RandomState};
use mapsto_tensor::trace::{self, TraceEvent};
use mapsto_tensor::{
    DType, Error, ErrorKind, Grads, LeafId, MatmulPrecision, Result, Tensor, autocast, catch,
    matmul_precision, train, with_matmul_precision,
};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

/// The most bytes of weights, batch and optimizer together; a step with more leaves the optimizer out, which its numbers do not depend on,
/// and one that is too large without it is not kept.
const MOST_BYTES: usize = 1 << 30;

/// The name of the file in the run's folder.
pub(crate) const FILE: &str = "replay.safetensors";

/// What an engine knows of a step that failed.
pub(super) struct Failed {
    /// The randomness before its forward pass.
    pub(super) random: RandomState,
    pub(super) loss: f64,
    /// The digest of the gradients, where it came to them.
    pub(super) gradients: Option<String>,
}

/// Writes the bundle of the step that an error is about, and says in the error where it is and which samples the batch had.
pub(super) fn keep(fit: &mut Fit<'_>, error: Error) -> Error {
    let Some(failed) = fit.engine.failed.take().filter(|_| error.kind() == ErrorKind::NonFinite) else {
        return error;
    };
    let said = samples_in_words(fit);
    let help = error.help_text().unwrap_or_default().to_string();
    let message = match said.is_empty() {
        true => error.message().to_string(),
        false => format!("{}; {said}", error.message()),
    };
    let error = Error::new(ErrorKind::NonFinite, message);
    let Some(folder) = fit.plan.folder.clone().filter(|folder| !fit.plan.is_dev_run && folder.is_dir())
    else {
        return error.help(help);
    };
    // A bundle that cannot be written changes nothing about what went wrong.
    match write(fit, &failed, &error, &folder.join(FILE)) {
        Ok(()) => error.help(format!("{help}; `mapsto replay {}` runs the step again", folder.display())),
        Err(_) => error.help(help),
    }
}

/// The samples of the batch: by name where it is known which ones are at fault, as far as there is room.
fn samples_in_words(fit: &Fit<'_>) -> String {
    let samples = fit.drive.samples();
    let named = |i: &usize| fit.drive.name_of(*i);
    match samples.len() {
        0 => String::new(),
        1..=4 => format!("the batch is {}", samples.iter().map(named).collect::<Vec<_>>().join(", ")),
        n => {
            let first: Vec<String> = samples.iter().take(3).map(named).collect();
            format!("the batch is {} and {} more", first.join(", "), n - 3)
        }
    }
}

fn write(fit: &Fit<'_>, failed: &Failed, error: &Error, path: &Path) -> Result<()> {
    let mut file = ModelFile::of(fit.drive.model()).with_info(fit.info.clone());
    let mut i = 0;
    fit.drive.each_tensor(&mut |t| {
        file.training.push((format!("batch/{i}"), t.detach()));
        i += 1;
    });
    let bytes =
        |tensors: &[(String, Tensor)]| tensors.iter().map(|(_, t)| t.len() * t.dtype().size()).sum::<usize>();
    let needed = bytes(&file.tensors) + bytes(&file.training);
    if needed > MOST_BYTES {
        return Err(Error::new(ErrorKind::Io, "the step is too large to be kept"));
    }
    let mut optimizers = Vec::new();
    for driver in &fit.engine.drivers {
        let state = driver.optimizer.state();
        optimizers
            .extend(state.tensors.into_iter().map(|(n, t)| (format!("optimizer {}/{n}", driver.name), t)));
    }
    if needed + bytes(&optimizers) <= MOST_BYTES {
        file.training.extend(optimizers);
    }
    let place = &fit.engine.place;
    let samples: Vec<String> = place.samples.iter().map(usize::to_string).collect();
    let names: Vec<String> = place.samples.iter().map(|i| fit.drive.name_of(*i)).collect();
    file.training_text = vec![
        ("replay".into(), format!("{} {} {} {}", place.epoch, place.batch, place.batches, place.step)),
        ("task".into(), fit.plan.task.clone()),
        ("random".into(), random_text(&failed.random)),
        ("loss bits".into(), bits(failed.loss)),
        ("gradients".into(), failed.gradients.clone().unwrap_or_default()),
        ("precision".into(), fit.plan.precision.to_string()),
        ("matmul precision".into(), matmul_precision().name().to_string()),
        ("lr".into(), bits(fit.engine.drivers[0].optimizer.lr())),
        ("samples".into(), samples.join(" ")),
        ("names".into(), names.join("\n")),
        ("error".into(), error.message().to_string()),
    ];
    let notes = fit.plan.notes.iter();
    file.training_text
        .extend(notes.map(|(about, text)| (format!("{}{about}", crate::model_file::NOTE), text.clone())));
    file.write_within(path, fit.plan.folder.as_deref())
}

/// A digest of the gradients of a model's parameters, in their order.
pub(super) fn digest(part: &dyn Module, grads: &Grads) -> String {
    let mut digest = Digest::new();
    part.visit(&mut Name::new(), &mut |_, item| {
        if let Item::Param(p) = item
            && let Some(g) = grads.by_id(p.id())
        {
            digest.add_tensor(g);
        }
    });
    digest.to_string()
}

/// A step that was run again: [`replay`].
#[derive(Clone, Debug)]
pub struct Replay {
    /// The epoch of the step, counted from 1.
    pub epoch: usize,
    /// The batch of the epoch, counted from 1.
    pub batch: usize,
    /// The optimizer step that it would have been, counted from 1.
    pub step: u64,
    /// The learning rate of the step before.
    pub lr: f64,
    /// What the training said.
    pub said: String,
    /// What the samples of the batch are called, row by row; nothing for a stream.
    pub samples: Vec<String>,
    /// The loss, now.
    pub loss: f64,
    /// Whether loss and gradients have the same bits as in the training.
    pub is_same: bool,
    /// Where the first number arose that is not finite.
    pub first: Option<Culprit>,
    /// What stood in front of the step: parameters and rows of the batch that were not finite already.
    pub before: Vec<String>,
}

/// The operation that gave the first number that is not finite.
#[derive(Clone, Debug)]
pub struct Culprit {
    /// Its name, such as `exp`; in the backward pass a sentence.
    pub op: String,
    /// The layer whose parameters it used, or that came before.
    pub layer: String,
    /// What it gave: NaN, or an infinity.
    pub gave: String,
    /// Each input: its shape, and the range of its values.
    pub inputs: Vec<String>,
    /// The first row of the batch that is concerned, where rows stand first.
    pub row: Option<usize>,
}

/// Runs the step of a replay bundle again, the file `replay.safetensors` in a run's folder, and finds where its first number arose that is not
/// finite. The model is built as its file says, so the run must have been one of a training file, or its model one that says its layers.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_nn::prelude::*;
/// use mapsto_spec::Entry;
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::{Trainer, replay};
/// seed(1);
/// let folder = std::env::temp_dir().join(format!("mapsto-replay-{}", std::process::id()));
/// std::fs::create_dir_all(&folder).unwrap();
/// let set = InMemory::new(Tensor::full([8, 2], 1e25), Tensor::zeros([8, 1]));
/// let mut net = ModelSpec::new([2], [Entry::new("linear").with_value(1_usize)]).build()?;
/// let e = Trainer::new(Sgd::new(0.1), mse).folder(&folder).quiet().fit(&mut net, set.batches(4), None).unwrap_err();
/// assert!(e.help_text().unwrap().contains("`mapsto replay "), "{e}");
/// let again = replay(folder.join("replay.safetensors"))?;
/// assert!(again.is_same && again.loss.is_infinite());
/// assert_eq!(again.first.unwrap().op, "mse");
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// The file is missing, damaged, or none of a step; a model that only its program can build.
pub fn replay(path: impl AsRef<Path>) -> Result<Replay> {
    let path = path.as_ref();
    let file = ModelFile::read(path)?;
    run(&file).map_err(|e| e.context(path.display()))
}

fn damaged() -> Error {
    Error::new(ErrorKind::Data, "the replay bundle is damaged")
}

fn run(file: &ModelFile) -> Result<Replay> {
    let find = |key: &str| file.training_text.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    let place = find("replay").ok_or_else(|| {
        Error::new(ErrorKind::Usage, "the file holds no step to run again")
            .help("a run whose loss or gradient was not finite leaves `replay.safetensors` in its folder")
    })?;
    let text = |key: &str| find(key).ok_or_else(damaged);
    let [epoch, batch, _, step] = words(place)?[..] else { return Err(damaged()) };
    let kept = random::state();
    // Building draws weights, in whose place those of the file come.
    let model = file.build().inspect_err(|_| random::set_state(&kept))?;
    random::set_state(&kept);
    let loss = file.info.built_loss()?.ok_or_else(|| {
        Error::new(ErrorKind::Model, "the loss of the step is a function of a program")
            .help("run the step in the program: the batch, the weights and the randomness are in the file")
    })?;
    let tensor = |name: &str| {
        file.training.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone()).ok_or_else(damaged)
    };
    let sample = Sample { x: tensor("batch/0")?, y: tensor("batch/1")? };
    let [seed, ref draws @ ..] = words(text("random")?)?[..] else { return Err(damaged()) };
    let state = RandomState { seed, draws: draws.try_into().map_err(|_| damaged())? };
    let precision: DType = [DType::F32, DType::BF16, DType::F16]
        .into_iter()
        .find(|dtype| find("precision") == Some(&dtype.to_string()))
        .ok_or_else(damaged)?;
    let products = MatmulPrecision::ALL.into_iter().find(|p| find("matmul precision") == Some(p.name()));
    let products = products.ok_or_else(damaged)?;

    let names = names_of(&model);
    let task = Supervised::boxed(loss);
    let forward = || {
        random::set_state(&state);
        train(|| match precision {
            DType::F32 => task.loss(&model, &sample),
            dtype => autocast(dtype, || task.loss(&model, &sample)),
        })
        .loss
    };
    let outcome = catch(|| {
        with_matmul_precision(products, || {
            let (value, first) = watched(&names, &sample, forward);
            let loss = value.item();
            if !loss.is_finite() {
                return (loss, String::new(), first);
            }
            let grads = value.backward();
            let digest = digest(&model, &grads);
            let bad = non_finite::any(&model, &grads);
            let first = bad.then(|| backward(|| forward().backward())).flatten();
            (loss, digest, first)
        })
    });
    random::set_state(&kept);
    let (loss, gradients, first) = outcome?;
    let was = from_bits(text("loss bits")?)?;
    let is_nan = loss.is_nan() && was.is_nan();
    let is_same = (is_nan || loss.to_bits() == was.to_bits()) && gradients == text("gradients")?;
    let samples = text("names")?.lines().map(str::to_string).collect();
    Ok(Replay {
        epoch: epoch as usize,
        batch: batch as usize,
        step,
        lr: from_bits(text("lr")?)?,
        said: text("error")?.to_string(),
        samples,
        loss,
        is_same,
        first,
        before: before(&model, &sample),
    })
}

fn names_of(model: &dyn Module) -> HashMap<LeafId, String> {
    let mut names = HashMap::new();
    model.visit(&mut Name::new(), &mut |path, item| {
        if let Item::Param(p) = item {
            names.insert(p.id(), path.to_string());
        }
    });
    names
}

/// Runs a forward pass, and finds the first operation whose result is not finite though its inputs are; or else the first at all.
fn watched(
    names: &HashMap<LeafId, String>,
    sample: &Sample,
    forward: impl Fn() -> Tensor,
) -> (Tensor, Option<Culprit>) {
    let rows = sample.x.shape().first().copied().unwrap_or(0);
    #[derive(Default)]
    struct Seen {
        layer: Option<String>,
        new: Option<Culprit>,
        any: Option<Culprit>,
    }
    let (names, seen) = (names.clone(), Rc::new(RefCell::new(Seen::default())));
    let out = seen.clone();
    let watch = move |event: &TraceEvent<'_>| {
        let seen = &mut *out.borrow_mut();
        let own = event.leaves().find_map(|id| names.get(&id));
        let own = own.map(|name| name.rsplit_once('.').map_or(name.as_str(), |(layer, _)| layer).to_string());
        let within = own.is_some();
        seen.layer = own.or(seen.layer.take());
        if seen.new.is_some() || event.output.is_finite() {
            return;
        }
        let is_new = event.inputs.iter().all(|x| x.is_finite());
        if !is_new && seen.any.is_some() {
            return;
        }
        let layer = match (&seen.layer, within) {
            (Some(layer), true) => format!("layer `{layer}`"),
            (Some(layer), false) => format!("after layer `{layer}`"),
            (None, _) => "before the first layer".into(),
        };
        let values = crate::metrics::floats(&event.output.detach());
        let first = values.iter().position(|v| !v.is_finite());
        let width = (values.len() / rows.max(1)).max(1);
        let has_rows = event.output.shape().first() == Some(&rows) && rows > 0;
        let gave = match (values.iter().any(|v| v.is_nan()), values.iter().any(|v| v.is_infinite())) {
            (true, false) => "NaN",
            (false, _) => "an infinity",
            (true, true) => "NaN and an infinity",
        };
        let count = values.iter().filter(|v| !v.is_finite()).count();
        let culprit = Culprit {
            op: event.op.to_string(),
            layer,
            gave: format!("{gave}, {count} of {} values", values.len()),
            inputs: event.inputs.iter().map(|x| range(x)).collect(),
            row: first.filter(|_| has_rows).map(|i| i / width),
        };
        *(if is_new { &mut seen.new } else { &mut seen.any }) = Some(culprit);
    };
    let value = trace::with(watch, forward);
    let seen = std::mem::take(&mut *seen.borrow_mut());
    (value, seen.new.or(seen.any))
}

/// The first derivative that is not finite, as anomaly mode finds it.
fn backward(again: impl FnOnce() -> Grads) -> Option<Culprit> {
    let error = catch(|| detect_anomaly(again)).err().filter(|e| e.kind() == ErrorKind::NonFinite)?;
    let op = error.message().trim_start_matches("anomaly: ").to_string();
    let layer =
        if error.parts().is_empty() { String::new() } else { format!("in {}", error.parts().join(" > ")) };
    Some(Culprit { op, layer, gave: String::new(), inputs: Vec::new(), row: None })
}

/// `f32 [64, 10], -3.2 to 4.1`, and how many values are not finite.
fn range(x: &Tensor) -> String {
    let about = format!("{} {:?}", x.dtype(), x.shape());
    if x.is_empty() {
        return about;
    }
    let values = crate::metrics::floats(&x.detach());
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    let bad = values.len() - finite().count();
    let bad =
        if bad > 0 { format!(", {bad} of {} values are not finite", values.len()) } else { String::new() };
    match (finite().reduce(f64::min), finite().reduce(f64::max)) {
        (Some(low), Some(high)) => {
            format!("{about}, {} to {}{bad}", crate::readable(low, 6), crate::readable(high, 6))
        }
        _ => format!("{about}{bad}"),
    }
}

/// What is not finite before anything runs.
fn before(model: &dyn Module, sample: &Sample) -> Vec<String> {
    let mut found = Vec::new();
    model.visit(&mut Name::new(), &mut |path, item| {
        if let Item::Param(p) = item
            && !p.is_finite()
        {
            found.push(format!("the parameter `{path}`"));
        }
    });
    for (what, t) in [("inputs", &sample.x), ("targets", &sample.y)] {
        if let Some(row) = non_finite::first_row(t) {
            found.push(format!("the {what} in row {row} of the batch"));
        }
    }
    found
}

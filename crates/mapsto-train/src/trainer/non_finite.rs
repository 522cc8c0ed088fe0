//! Finding where NaN or infinity first came from, so that training stops with a name and not with a ruined model.

use super::drive::Drive;
use mapsto_nn::{Item, Module, Path};
use mapsto_tensor::error::is_library;
use mapsto_tensor::graph::detect_anomaly;
use mapsto_tensor::{Error, ErrorKind, Grads, LeafId, Tensor, catch, trace};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Where in the run.
#[derive(Default)]
pub(super) struct Place {
    pub(super) epoch: usize,
    pub(super) batch: usize,
    pub(super) batches: usize,
    pub(super) step: u64,
    pub(super) samples: Vec<usize>,
}

const HELP: &str = "lower the learning rate, clip gradients with `.clip_norm(1.0)`, or normalise the inputs";

/// What to say of a loss that is not finite: runs `again` (the same forward pass, with the same randomness) and watches
/// each operation.
pub(super) fn in_loss(
    names: &HashMap<LeafId, Path>,
    part: &dyn Module,
    loss: f64,
    at: &Place,
    again: impl FnOnce(),
) -> Error {
    let what = format!("the loss is {}", word(loss));
    if let Some(name) = first_parameter_not_finite(names, part) {
        return error(at, &what, &format!("`{name}` is no longer finite after step {}", at.step - 1))
            .help(HELP);
    }
    let found = watch(names, again);
    let cause = match (&found.nan, &found.infinite) {
        (Some(nan), Some(infinite)) if infinite.serial < nan.serial => {
            format!("{} gave the first NaN, {} the first infinity", nan.text, infinite.text)
        }
        (Some(nan), _) => format!("{} gave the first NaN", nan.text),
        (None, Some(infinite)) => format!("{} gave the first infinity", infinite.text),
        (None, None) => "every operation was finite when the batch was run again".into(),
    };
    error(at, &what, &cause).help(HELP)
}

/// What to say of a batch that is not finite itself, if it is not.
pub(super) fn in_batch(drive: &dyn Drive, loss: f64, at: &Place) -> Option<Error> {
    let mut row = None;
    drive.each_tensor(&mut |t| row = row.or(first_row(t)));
    let i = row?;
    let sample = at.samples.get(i).map_or(String::new(), |s| format!(" (sample {s} of the set)"));
    let what = format!("the loss is {}", word(loss));
    let cause = format!("the batch itself is not finite in row {i}{sample}");
    Some(error(at, &what, &cause).help("look at that sample: training data must be finite"))
}

/// Whether a gradient of this part is not finite.
pub(super) fn any(part: &dyn Module, grads: &Grads) -> bool {
    let mut any = false;
    part.visit(&mut Path::new(), &mut |_, item| {
        if let Item::Param(p) = item {
            any = any || grads.by_id(p.id()).is_some_and(|g| !g.is_finite());
        }
    });
    any
}

/// As [`in_gradients`], with the operation whose derivative was not finite first: runs `again`, the same passes with the same randomness, and looks
/// at each operation.
pub(super) fn in_backward(
    paths: &HashMap<LeafId, Path>,
    part: &dyn Module,
    grads: &Grads,
    at: &Place,
    again: impl FnOnce() -> Grads,
) -> Error {
    let error_of_parameters = in_gradients(paths, part, grads, at);
    match catch(|| detect_anomaly(again)) {
        Err(e) if e.kind() == ErrorKind::NonFinite => {
            let found = e.message().trim_start_matches("anomaly: ").to_string();
            let inside =
                if e.parts().is_empty() { String::new() } else { format!(", in {}", e.parts().join(" > ")) };
            let text = format!("{}; {found}{inside}", error_of_parameters.message());
            let help = error_of_parameters.help_text().unwrap_or_default().to_string();
            Error::new(ErrorKind::NonFinite, text).help(help)
        }
        _ => error_of_parameters,
    }
}

/// What to say of gradients that are not finite though the loss is.
pub(super) fn in_gradients(
    paths: &HashMap<LeafId, Path>,
    part: &dyn Module,
    grads: &Grads,
    at: &Place,
) -> Error {
    let mut names = Vec::new();
    part.visit(&mut Path::new(), &mut |path, item| {
        let Item::Param(p) = item else { return };
        if grads.by_id(p.id()).is_some_and(|g| !g.is_finite()) {
            names.push(format!("`{}`", paths.get(&p.id()).unwrap_or(path)));
        }
    });
    names.reverse(); // the backward pass reaches the last layer first
    let more = names.len().saturating_sub(3);
    names.truncate(3);
    let and = if more > 0 { format!(" and {more} more") } else { String::new() };
    error(at, "the gradient is not finite", &format!("from the last layer back, first {}{and}", names.join(", ")))
        .help("an operation is used where its derivative is infinite, such as the square root or the logarithm of 0")
}

fn error(at: &Place, what: &str, cause: &str) -> Error {
    let Place { epoch, batch, batches, step, .. } = at;
    Error::new(
        ErrorKind::NonFinite,
        format!("training: {what} in epoch {epoch}, batch {batch} of {batches} (step {step}): {cause}"),
    )
}

#[derive(Default)]
struct Found {
    serial: usize,
    layer: Option<String>,
    nan: Option<Sighting>,
    infinite: Option<Sighting>,
}

struct Sighting {
    serial: usize,
    text: String,
}

fn first_parameter_not_finite(names: &HashMap<LeafId, Path>, part: &dyn Module) -> Option<String> {
    let mut found = None;
    part.visit(&mut Path::new(), &mut |path, item| {
        if let (Item::Param(p), None) = (item, &found)
            && !p.is_finite()
        {
            found = Some(names.get(&p.id()).unwrap_or(path).to_string());
        }
    });
    found
}

fn watch(names: &HashMap<LeafId, Path>, body: impl FnOnce()) -> Found {
    let names: HashMap<LeafId, String> = names.iter().map(|(id, path)| (*id, path.to_string())).collect();
    let found = Rc::new(RefCell::new(Found::default()));
    let seen = found.clone();
    let watcher = move |event: &trace::TraceEvent<'_>| {
        let found = &mut *seen.borrow_mut();
        found.serial += 1;
        let own = event.leaves().find_map(|id| names.get(&id)).map(|name| layer_of(name).to_string());
        let inside = own.is_some();
        found.layer = own.or(found.layer.take());
        if event.output.is_finite() {
            return;
        }
        let layer = match (&found.layer, inside) {
            (Some(layer), true) => format!("layer `{layer}`: "),
            (Some(layer), false) => format!("after layer `{layer}`: "),
            (None, _) => "before the first layer: ".into(),
        };
        let place = match is_library(event.caller) {
            true => String::new(),
            false => format!(" ({}:{})", event.caller.file(), event.caller.line()),
        };
        let sighting = Sighting { serial: found.serial, text: format!("{layer}`{}`{place}", event.op) };
        let kind = if has_nan(event.output) { &mut found.nan } else { &mut found.infinite };
        kind.get_or_insert(sighting);
    };
    trace::with(watcher, body);
    found.take()
}

/// `fc1` of `fc1.weight`; a parameter of the model itself is its own layer.
fn layer_of(parameter: &str) -> &str {
    parameter.rsplit_once('.').map_or(parameter, |(layer, _)| layer)
}

fn has_nan(t: &Tensor) -> bool {
    crate::metrics::floats(&t.detach()).iter().any(|v| v.is_nan())
}

/// The first row of a batch's tensor that is not finite.
pub(super) fn first_row(x: &Tensor) -> Option<usize> {
    if !x.dtype().is_float() || x.is_finite() {
        return None;
    }
    let width = x.len() / x.shape()[0].max(1);
    crate::metrics::floats(x).iter().position(|v| !v.is_finite()).map(|i| i / width.max(1))
}

fn word(loss: f64) -> &'static str {
    if loss.is_nan() { "NaN" } else { "infinite" }
}

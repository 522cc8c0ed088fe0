//! Scale: how large activations and gradients are at initialisation, layer by layer, and whether they shrink or grow on their way.

use mapsto::nn::{Layer, ModuleExt, Sequential};
use mapsto::training::readable;
use mapsto::{DType, Result, Tensor, catch, train};

use super::seen::Seen;
use super::{Preflight, Verdict};
use crate::experiment::Experiment;

/// So many samples are enough to know a scale.
const SAMPLES: usize = 32;
/// Below this part of the largest, the least is next to nothing.
const SHRUNK: f64 = 1e-4;

/// The check.
pub fn check(experiment: &Experiment, seen: &Seen, found: &mut Preflight) -> Result<()> {
    let n = seen.learn.len().min(SAMPLES) as i64;
    let (x, target) = (seen.learn.x.slice(0, ..n), seen.learn.y.slice(0, ..n));
    // A copy: batch norm notes what it sees in training.
    let model = mapsto::nn::deep_copy(&experiment.model);
    // A last layer or a batch that does not fit is told of elsewhere, with more to say about it.
    let Ok((activations, gradients)) = catch(|| train(|| scales(&model, experiment, &x, &target))) else {
        return Ok(());
    };
    let names = |at: usize| format!("layer {at} ({})", name(&experiment.model, at));
    if let Some((at, _)) = activations.iter().chain(&gradients).find(|(_, scale)| !scale.is_finite()) {
        let text = format!("{} gives numbers that are not finite before the first step", names(*at));
        let help = "scale the inputs, as `standardize = true` does, or initialise smaller weights";
        found.say("scale", Verdict::Warning, text, Some(help.into()));
        return Ok(());
    }
    let before = found.findings.len();
    for (what, scales) in [("activations", &activations), ("gradients", &gradients)] {
        let largest = scales.iter().map(|(_, s)| *s).fold(0.0, f64::max);
        let Some(&(at, least)) = scales.iter().min_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
        if largest == 0.0 || least >= SHRUNK * largest {
            continue;
        }
        let Some(&(most_at, _)) = scales.iter().find(|(_, s)| *s == largest) else { continue };
        // Gradients come from the last layer: smaller towards the first, they vanish; larger, they explode.
        let grows = (what == "activations") == (most_at > at);
        let text = format!(
            "{what} {}: {} in {}, {} in {}",
            if grows { "explode" } else { "vanish" },
            readable(least, 2),
            names(at),
            readable(largest, 2),
            names(most_at)
        );
        let help = match grows {
            true => {
                "scale the inputs, as `standardize = true` does, put a norm such as `batch_norm` between the layers, or set `clip_norm`"
            }
            false => {
                "take `relu` rather than `sigmoid` or `tanh`, put a norm such as `batch_norm` between the layers, or `residual` around them"
            }
        };
        found.say("scale", Verdict::Look, text, Some(help.into()));
    }
    if found.findings.len() == before {
        let range = |scales: &[(usize, f64)]| {
            let of = |f: fn(f64, f64) -> f64, from| scales.iter().map(|(_, s)| *s).fold(from, f);
            format!("{} to {}", readable(of(f64::min, f64::INFINITY), 2), readable(of(f64::max, 0.0), 2))
        };
        if activations.is_empty() || gradients.is_empty() {
            return Ok(());
        }
        let text = format!(
            "activations {}, gradients {} from layer to layer at the start",
            range(&activations),
            range(&gradients)
        );
        found.say("scale", Verdict::Fine, text, None);
    }
    Ok(())
}

/// What the first part of a layer's description calls it.
fn name(model: &Sequential, at: usize) -> String {
    let layer = model.get(at).map(|layer| layer.name().to_string());
    layer.unwrap_or_else(|| at.to_string())
}

/// By position, the deviation of what each layer with parameters gives, and the root mean square of its parameters' gradients
/// relative to that of the parameters' own scale.
type Scales = Vec<(usize, f64)>;

fn scales(model: &Sequential, experiment: &Experiment, x: &Tensor, target: &Tensor) -> (Scales, Scales) {
    let (mut y, mut activations) = (x.clone(), Vec::new());
    for (at, layer) in model.layers().iter().enumerate() {
        y = layer.forward(&y);
        if layer.parameter_count() > 0 && y.dtype().is_float() {
            activations.push((at, size(&y)));
        }
    }
    let loss = experiment.loss.loss(&y, target);
    let grads = loss.backward();
    let mut gradients = Vec::new();
    for (at, layer) in model.layers().iter().enumerate() {
        let sizes = layer.parameters().into_iter().filter_map(|(_, p)| grads.get(&p).map(size));
        if let Some(largest) = sizes.reduce(f64::max) {
            gradients.push((at, largest));
        }
    }
    (activations, gradients)
}

/// The root mean square.
fn size(x: &Tensor) -> f64 {
    x.detach().to(DType::F64).square().mean(..).item().sqrt()
}

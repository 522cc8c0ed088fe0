//! One batch learnt by heart: a copy of the model that cannot do this has layers, a loss or targets that are put together wrongly.

use mapsto::nn::{Adam, Layer, Optimizer, deep_copy};
use mapsto::training::readable;
use mapsto::{Result, catch, train};

use super::seen::Seen;
use super::{Finding, Verdict};
use crate::experiment::Experiment;

/// So many samples.
const SAMPLES: usize = 16;
/// So many steps at most.
const STEPS: usize = 1000;
/// What is left of the loss, above the least there can be, when they are learnt.
const LEFT: f64 = 0.1;

/// The check.
pub fn check(experiment: &Experiment) -> Result<Finding> {
    let seen = Seen::of(experiment)?;
    let n = seen.learn.len().min(SAMPLES) as i64;
    let (x, target) = (seen.learn.x.slice(0, ..n), seen.learn.y.slice(0, ..n));
    let mut model = deep_copy(&experiment.model);
    let mut optimizer = Adam::new(1e-2);
    let mut losses = Vec::new();
    for _ in 0..STEPS {
        let loss = catch(|| train(|| experiment.loss.loss(&model.forward(&x), &target)))?;
        losses.push(loss.item());
        if losses[losses.len() - 1] <= LEFT * losses[0] || !losses[losses.len() - 1].is_finite() {
            break;
        }
        catch(|| optimizer.step(&mut model, loss.backward()))?;
    }
    let (first, last) = (losses[0], losses.iter().copied().fold(f64::INFINITY, f64::min));
    let steps = losses.len();
    let samples = super::counted(n as usize, "sample");
    let said = |v: f64| readable(v, 3);
    if last <= LEFT * first {
        let text = format!(
            "{samples} are learnt by heart in {steps} steps: the loss falls from {} to {}",
            said(first),
            said(last)
        );
        return Ok(Finding { check: "overfit", verdict: Verdict::Fine, text, help: None });
    }
    let text = format!(
        "{samples} are not learnt by heart in {steps} steps: the loss falls from {} to {} only",
        said(first),
        said(last)
    );
    let help = "a model that cannot learn a few samples cannot learn many: look at the last layer, the loss, much dropout, and whether equal inputs have different targets";
    Ok(Finding { check: "overfit", verdict: Verdict::Warning, text, help: Some(help.into()) })
}

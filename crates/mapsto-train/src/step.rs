//! `Step`: what a batch gave, its loss with all that is reported of it.

use mapsto_tensor::Tensor;
use std::borrow::Cow;

/// What a batch gave: the number to lower, how much it weighs, its parts, and the outputs that metrics read.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::Step;
/// let (seen, kl) = (tensor![2.0].sum(..), tensor![0.5].sum(..));
/// let step = Step::new(&seen + &kl * 0.1).term("seen", &seen).term("kl", &kl);
/// assert!((step.loss.item() - 2.05).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct Step {
    /// The number to lower, without axes.
    pub loss: Tensor,
    pub(crate) weight: Option<f64>,
    pub(crate) terms: Vec<(Cow<'static, str>, Tensor)>,
    pub(crate) outputs: Vec<Output>,
}

/// Outputs with their targets, under a name; the only one may have none.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) name: Cow<'static, str>,
    pub(crate) y: Tensor,
    pub(crate) target: Tensor,
}

impl Step {
    /// A loss, which is a mean over the samples of the batch.
    #[must_use]
    pub fn new(loss: Tensor) -> Step {
        Step { loss, weight: None, terms: Vec::new(), outputs: Vec::new() }
    }

    /// Says of how many things the loss is a mean, where those are not the samples: the tokens of a batch of sentences.
    ///
    /// Batches merge exactly as `Σ weight · loss / Σ weight`; a batch of weight 0 has no mean and takes no step.
    #[must_use]
    pub fn weight(self, count: usize) -> Step {
        self.weighing(count as f64)
    }

    pub(crate) fn weighing(self, weight: f64) -> Step {
        Step { weight: Some(weight), ..self }
    }

    /// Reports a part of the loss, a number without axes, in a column of its own.
    #[must_use]
    pub fn term(mut self, name: impl Into<Cow<'static, str>>, value: &Tensor) -> Step {
        self.terms.push((name.into(), value.detach()));
        self
    }

    /// Shows outputs with their targets to the metrics.
    #[must_use]
    pub fn output(self, y: &Tensor, target: &Tensor) -> Step {
        self.named("", y, target)
    }

    /// Shows outputs with their targets to the metrics that read this name: [`Metric::of`](crate::metrics::Metric::of).
    #[must_use]
    pub fn named(mut self, name: impl Into<Cow<'static, str>>, y: &Tensor, target: &Tensor) -> Step {
        self.outputs.push(Output { name: name.into(), y: y.detach(), target: target.detach() });
        self
    }

    /// The outputs and targets of that name; with no name, those without one or the only ones.
    pub(crate) fn find(&self, name: &str) -> Option<&Output> {
        self.outputs.iter().find(|o| o.name == name).or(match &self.outputs[..] {
            [only] if name.is_empty() => Some(only),
            _ => None,
        })
    }
}

impl From<Tensor> for Step {
    fn from(loss: Tensor) -> Step {
        Step::new(loss)
    }
}

#[test]
fn the_only_output_needs_no_name() {
    let (y, target) = (Tensor::ones([2]), Tensor::zeros([2]));
    let one = Step::new(Tensor::ones(())).named("kind", &y, &target);
    assert!(one.find("").is_some() && one.find("kind").is_some() && one.find("size").is_none());
    let two = one.named("size", &y, &target);
    assert!(two.find("").is_none() && two.find("size").is_some());
}

//! Perplexity: among how many equally likely words a language model is as unsure.

use super::{Better, Counts, ExactSum, Metric, MetricKind, Scored};
use mapsto_nn::Outputs;
use mapsto_spec::Entry;
use mapsto_tensor::{DType, Result, Tensor};

/// Perplexity: `exp(mean −log p)` over the tokens, where `p` is the probability of the true one (Jelinek et al. 1977).
///
/// Tokens whose target is `ignore_index`, such as padding, are left out.
///
/// * Shape: outputs `[.., k]` with class ids `[..]` or probabilities `[.., k]`; or one number a sample, `[n]` or `[.., 1]`, with a target of that shape, 0 or 1.
/// * scikit-learn has none; torchmetrics: `Perplexity`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Metric, Perplexity};
/// let y = Tensor::zeros([1, 3, 8]); // three tokens, each one of eight
/// let counts = Perplexity::new().count(&y, &tensor![[1, 0, 7]]).unwrap();
/// assert!((Perplexity::new().value(&counts) - 8.0).abs() < 1e-12);
/// ```
#[derive(Clone, Debug)]
pub struct Perplexity {
    outputs: Outputs,
    ignore_index: Option<i64>,
}

impl Perplexity {
    /// Of logits.
    #[must_use]
    pub fn new() -> Perplexity {
        Perplexity { outputs: Outputs::Logits, ignore_index: None }
    }

    /// Of outputs that are something else: probabilities, or their logarithms.
    ///
    /// # Panics
    /// When it is [`Outputs::Values`], which are no probabilities.
    #[must_use]
    #[track_caller]
    pub fn outputs(self, outputs: Outputs) -> Perplexity {
        Perplexity { outputs: super::checked_outputs("perplexity", outputs), ..self }
    }

    /// Leaves out tokens whose target is this number.
    #[must_use]
    pub fn ignore_index(self, id: i64) -> Perplexity {
        Perplexity { ignore_index: Some(id), ..self }
    }
}

impl Metric for Perplexity {
    fn name(&self) -> String {
        "perplexity".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let (ids, ignored) = match self.ignore_index {
            // Any class stands in for what is left out.
            Some(ignored) if !target.dtype().is_float() => {
                let ids = target.to(DType::I64).to_vec::<i64>();
                let kept: Vec<i64> = ids.iter().map(|&id| if id == ignored { 0 } else { id }).collect();
                let left_out: Vec<bool> = ids.iter().map(|&id| id == ignored).collect();
                (Tensor::from_slice(&kept, target.shape()), left_out)
            }
            _ => (target.clone(), vec![false; target.len()]),
        };
        let scored = Scored::read("perplexity", self.outputs, y, &ids)?;
        let counted = || (0..scored.len()).filter(|&i| !ignored[i]);
        Ok(Counts::mean(counted().map(|i| scored.surprise(i)).collect::<ExactSum>(), counted().count()))
    }

    fn value(&self, counts: &Counts) -> f64 {
        counts.mean_value().exp()
    }

    fn entry(&self) -> Option<Entry> {
        let entry = super::with_outputs(Entry::new(KIND.name), self.outputs);
        Some(self.ignore_index.into_iter().fold(entry, |entry, id| entry.with_option("ignore_index", id)))
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(self.outputs)
    }
}

impl Default for Perplexity {
    fn default() -> Perplexity {
        Perplexity::new()
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("perplexity", "The exponential of the mean of -log p of the true token.", |args, ()| {
        let metric = Perplexity::new().outputs(super::outputs_from(args)?);
        let metric = match args.optional::<i64>("ignore_index")? {
            Some(id) => metric.ignore_index(id),
            None => metric,
        };
        Ok(Box::new(metric))
    })
    .options(&[super::OUTPUTS, ("ignore_index", "the target of tokens that are left out, such as padding")]);

#[test]
fn ignored_tokens_are_left_out() {
    use mapsto_tensor::prelude::*;
    let metric = Perplexity::new().ignore_index(-100);
    let y = tensor![[[0.0, 0.0], [50.0, 0.0]]];
    assert!((metric.value(&metric.count(&y, &tensor![[1, -100]]).unwrap()) - 2.0).abs() < 1e-12);
    assert!(Perplexity::new().count(&y, &tensor![[1, -100]]).is_err());
}

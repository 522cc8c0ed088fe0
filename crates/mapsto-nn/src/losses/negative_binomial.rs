//! The negative log-likelihood of counts that spread wider than a Poisson distribution.

use super::{Loss, LossKind, Pointwise, REDUCTION, alike, check_counts};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;
use std::borrow::Cow;

/// `mean ((t + r) log(r + eʸ) − t y − r log r)`, where `y` is the logarithm of the expected count, `t` the count and `r` the number of
/// failures: the variance is `μ + μ² / r`. Terms of the target alone are left out.
///
/// * Shape: `[..], [..] → []`.
/// * PyTorch has `distributions.NegativeBinomial(total_count=r, logits=y - log(r))`, and no loss; Keras has none.
///
/// Source: Hilbe (2011), Negative binomial regression, chapter 8.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = NegativeBinomial::new(2.0).loss(&tensor![0.0], &tensor![3.0]);
/// assert_close!(loss, 5.0 * 3f64.ln() - 2.0 * 2f64.ln());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NegativeBinomial {
    r: f64,
}

impl NegativeBinomial {
    /// With the number of failures `r`.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    pub fn new(r: f64) -> NegativeBinomial {
        NegativeBinomial { r: Bounds::ABOVE_0.check("negative_binomial", "r", r) }
    }
}

impl Pointwise for NegativeBinomial {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        let t = alike("negative_binomial", Outputs::Values, y, target);
        check_counts("negative_binomial", &t);
        // log(r + eʸ) is log r + softplus(y − log r).
        (&t + self.r) * (y - self.r.ln()).softplus() - &t * (y - self.r.ln())
    }
}

impl Loss for NegativeBinomial {
    /// # Panics
    /// When the shapes differ, or a target is below 0.
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        self.each(y, target).mean(..)
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        Some(self)
    }

    fn name(&self) -> Cow<'static, str> {
        "negative_binomial".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Values)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.r))
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "negative_binomial",
    "Counts that spread wider than in a Poisson distribution, under the logarithm of their expected number.",
    |args, ()| Ok(Box::new(NegativeBinomial { r: Bounds::ABOVE_0.main(args, "r", 1.0)? })),
)
.options(&[("", "the number of failures: small for counts that spread widely"), REDUCTION]);

#[test]
fn large_outputs_stay_finite() {
    use mapsto_tensor::tensor;
    let y = tensor![1e4, -1e4, 0.0].leaf();
    let loss = NegativeBinomial::new(2.0).loss(&y, &tensor![3.0, 3.0, 1.0]);
    assert!(loss.item().is_finite() && loss.backward().of(&y).is_finite());
}

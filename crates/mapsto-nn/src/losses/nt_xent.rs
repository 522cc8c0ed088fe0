//! The contrastive loss of two views: each view finds its twin among all other views of the batch.

use super::cosine_similarity::unit;
use super::info_nce::pairs;
use super::{Loss, LossKind, REDUCTION, alike};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;
use std::borrow::Cow;

/// Over the `2n` vectors of outputs and targets together: `−mean log (exp(sᵢₖ) / Σ exp(sᵢⱼ))` over all `j ≠ i`, where `k` is the twin of `i` and
/// `sᵢⱼ` the cosine of the angle between both, divided by the temperature.
///
/// * Shape: `[n, d], [n, d] → []`; row `i` of both are views of one sample.
/// * PyTorch and Keras have none.
///
/// Source: Chen, Kornblith, Norouzi, Hinton (2020), A simple framework for contrastive learning, arXiv:2002.05709, equation 1.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = tensor![[1.0, 0.0], [0.0, 1.0]];
/// // Of three others the twin has a cosine of 1, the others of 0.
/// assert_close!(NtXent::new(0.5).loss(&y, &y), (1.0 + 2.0 * (-2f64).exp()).ln());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NtXent {
    temperature: f64,
}

impl NtXent {
    /// With this temperature, usually 0.1 to 1.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    pub fn new(temperature: f64) -> NtXent {
        NtXent { temperature: Bounds::ABOVE_0.check("nt_xent", "temperature", temperature) }
    }
}

impl Loss for NtXent {
    /// # Panics
    /// When the shapes differ, or are not `[n, d]` with at least two vectors.
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        let t = alike("nt_xent", Outputs::Values, y, target);
        let n = pairs("nt_xent", y);
        let z = unit(&Tensor::cat(&[y, &t], 0)); // [2n, d]
        let (own, twins) = y.device().scope(|| {
            let twins =
                Tensor::cat(&[Tensor::arange(n as i64..2 * n as i64), Tensor::arange(0..n as i64)], 0);
            (Tensor::eye(2 * n).eq(1.0), twins)
        });
        let scores = (z.matmul(&z.t()) / self.temperature).masked_fill(&own, f64::NEG_INFINITY);
        scores.cross_entropy(&twins)
    }

    fn name(&self) -> Cow<'static, str> {
        "nt_xent".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Values)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.temperature))
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "nt_xent",
    "Each of two views finds its twin among all others of the batch (Chen et al. 2020).",
    |args, ()| Ok(Box::new(NtXent { temperature: Bounds::ABOVE_0.main(args, "temperature", 0.5)? })),
)
.options(&[("", "what cosines are divided by: small for hard decisions"), REDUCTION]);

#[test]
fn gradients_are_finite_though_no_view_is_compared_with_itself() {
    let y = Tensor::randn([3, 4]).leaf();
    let loss = NtXent::new(0.1).loss(&y, &Tensor::randn([3, 4]));
    assert!(loss.item() > 0.0 && loss.backward().of(&y).is_finite());
}

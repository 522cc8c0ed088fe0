//! The logistic loss of targets 1 and −1.

use super::hinge::signs;
use super::{LossKind, REDUCTION, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::Tensor;

/// `mean log(1 + e^(−s y))`, where `s` is 1 for a target of 1 and −1 for a target of −1 or 0:
/// [`bce_with_logits`](super::bce_with_logits) for certain targets.
///
/// * Shape: `[..], [..] → []`.
/// * PyTorch: `SoftMarginLoss`; Keras has none of this name.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(soft_margin(&tensor![0.0, 100.0], &tensor![1.0, -1.0]), (2f64.ln() + 100.0) / 2.0);
/// ```
/// # Panics
/// When the shapes differ, or a target is not −1, 0 or 1.
#[track_caller]
pub fn soft_margin(y: &Tensor, target: &Tensor) -> Tensor {
    each(y, target).mean(..)
}

#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    (y * -signs("soft_margin", Outputs::Logit, y, target)).softplus()
}

pub(super) const KIND: LossKind =
    LossKind::new("soft_margin", "Logistic loss of scores, for targets 1 and −1 (or 0).", |_, ()| {
        pointwise(soft_margin, each, Outputs::Logit)
    })
    .options(&[REDUCTION])
    .function(|| type_of(&soft_margin));

#[test]
fn it_is_binary_cross_entropy() {
    use mapsto_tensor::tensor;
    let (y, t) = (tensor![1.5, -2.0, 1e4, -1e4], tensor![1.0, 0.0, 0.0, 1.0]);
    assert_eq!(soft_margin(&y, &t).item(), super::bce_with_logits(&y, &t).item());
}

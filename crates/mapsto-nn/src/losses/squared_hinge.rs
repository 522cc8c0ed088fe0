//! The squared hinge loss, whose gradient has no jump.

use super::hinge::signs;
use super::{LossKind, REDUCTION, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::Tensor;

/// Squared hinge loss: `mean max(0, 1 − s y)²`, where `s` is 1 for a target of 1 and −1 for a target of −1 or 0.
///
/// * Shape: `[..], [..] → []`.
/// * Keras: `SquaredHinge`; PyTorch has `MultiMarginLoss(p=2)`, see [`MultiMargin`](super::MultiMargin).
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(squared_hinge(&tensor![0.5, 3.0], &tensor![1.0, -1.0]), (0.25 + 16.0) / 2.0);
/// ```
/// # Panics
/// When the shapes differ, or a target is not −1, 0 or 1.
#[track_caller]
pub fn squared_hinge(y: &Tensor, target: &Tensor) -> Tensor {
    each(y, target).mean(..)
}

#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    (1.0 - y * signs("squared_hinge", Outputs::Logit, y, target)).relu().square()
}

pub(super) const KIND: LossKind = LossKind::new(
    "squared_hinge",
    "The square of the hinge loss, for targets 1 and −1 (or 0).",
    |_, ()| pointwise(squared_hinge, each, Outputs::Logit),
)
.options(&[REDUCTION])
.function(|| type_of(&squared_hinge));

#[test]
fn no_is_0_or_minus_1() {
    use mapsto_tensor::tensor;
    let y = tensor![0.5, -2.0];
    assert_eq!(squared_hinge(&y, &tensor![1, 0]).item(), squared_hinge(&y, &tensor![1, -1]).item());
}

//! The hinge loss of the support vector machine.

use super::{LossKind, REDUCTION, alike, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::{Tensor, fail};

/// Hinge loss: `mean max(0, 1 − s y)`, where `s` is 1 for a target of 1 and −1 for a target of −1 or 0.
///
/// * Shape: `[..], [..] → []`.
/// * Keras: `Hinge`; PyTorch has it for classes, see [`MultiMargin`](super::MultiMargin).
///
/// Source: Cortes, Vapnik (1995), Support-vector networks.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(hinge(&tensor![0.25, 3.0, 0.5], &tensor![1.0, 1.0, 0.0]), (0.75 + 0.0 + 1.5) / 3.0);
/// ```
/// # Panics
/// When the shapes differ, or a target is not −1, 0 or 1.
#[track_caller]
pub fn hinge(y: &Tensor, target: &Tensor) -> Tensor {
    each(y, target).mean(..)
}

#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    (1.0 - y * signs("hinge", Outputs::Logit, y, target)).relu()
}

/// The targets as −1 and 1.
#[track_caller]
pub(super) fn signs(loss: &str, outputs: Outputs, y: &Tensor, target: &Tensor) -> Tensor {
    let t = alike(loss, outputs, y, target);
    let known = t.eq(1.0).choose(1.0, 0.0) + t.eq(0.0).choose(1.0, 0.0) + t.eq(-1.0).choose(1.0, 0.0);
    if t.device().backend().has_numbers() && known.min(..).item() < 1.0 {
        fail!(loss, "targets must be 1 and −1, or 1 and 0"; help = "give 1 for yes; −1 and 0 both mean no");
    }
    t.gt(0.0).choose(Tensor::ones_like(&t), -1.0)
}

pub(super) const KIND: LossKind = LossKind::new(
    "hinge",
    "Nothing from a distance of 1 on the right side, linear before, for targets 1 and −1 (or 0).",
    |_, ()| pointwise(hinge, each, Outputs::Logit),
)
.options(&[REDUCTION])
.function(|| type_of(&hinge));

#[test]
fn other_targets_are_refused() {
    use mapsto_tensor::{catch, tensor};
    let e = catch(|| hinge(&tensor![1.0], &tensor![0.5])).unwrap_err();
    assert_eq!(e.message(), "hinge: targets must be 1 and −1, or 1 and 0");
}

//! The hinge loss of classes by the largest wrong score alone.

use super::{LossKind, REDUCTION, check_ids, check_outputs, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::Tensor;

/// The mean over rows of `max(0, 1 + m − y[t])`, where `m` is the largest score of the other classes, or 0 where all are below.
///
/// * Shape: `[.., k], [..] → []`; targets are class ids.
/// * Keras: `CategoricalHinge`, of one-hot targets; PyTorch has [`MultiMargin`](super::MultiMargin), of all wrong scores.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(categorical_hinge(&tensor![[2.0, 1.5, -1.0]], &tensor![0]), 0.5);
/// ```
/// # Panics
/// When the shapes do not fit, or an id is out of range.
#[track_caller]
pub fn categorical_hinge(y: &Tensor, target: &Tensor) -> Tensor {
    each(y, target).mean(..)
}

#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    check_outputs("categorical_hinge", Outputs::Logits, y);
    check_ids("categorical_hinge", y, target);
    let right = y.gather(-1, &target.unsqueeze(-1)).squeeze(-1);
    let others = 1.0 - target.one_hot(y.shape()[y.rank() - 1]).to(y.dtype());
    ((y * others).max(-1) - right + 1.0).relu()
}

pub(super) const KIND: LossKind = LossKind::new(
    "categorical_hinge",
    "Hinge loss of the right score and the largest other one, for class ids.",
    |_, ()| pointwise(categorical_hinge, each, Outputs::Logits),
)
.options(&[REDUCTION])
.function(|| type_of(&categorical_hinge));

#[test]
fn a_clear_answer_costs_nothing() {
    use mapsto_tensor::tensor;
    let y = tensor![[3.0, 1.0], [-1.0, -1.0]].leaf();
    let grads = categorical_hinge(&y, &tensor![0, 0]).backward();
    assert_eq!((grads.of(&y) * 2.0).to_vec::<f32>(), [0.0, 0.0, -1.0, 0.0]);
}

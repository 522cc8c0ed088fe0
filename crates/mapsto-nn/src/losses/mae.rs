//! Mean absolute error, for regression that outliers should not rule.

use super::{LossKind, REDUCTION, alike, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::Tensor;

/// Mean absolute error: `mean |y − t|` over all elements.
///
/// * Shape: `[..], [..] → []`.   * Gradient: 0 where `y = t`.
/// * PyTorch: `L1Loss`; Keras: `MeanAbsoluteError`.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_eq!(mae(&tensor![1.0, 4.0], &tensor![2.0, 1.0]).item(), 2.0);
/// ```
/// # Panics
/// When the shapes differ.
#[track_caller]
pub fn mae(y: &Tensor, target: &Tensor) -> Tensor {
    each(y, target).mean(..)
}

#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    (y - alike("mae", Outputs::Values, y, target)).abs()
}

pub(super) const KIND: LossKind =
    LossKind::new("mae", "Mean absolute error.", |_, ()| pointwise(mae, each, Outputs::Values))
        .options(&[REDUCTION])
        .function(|| type_of(&mae));

#[test]
fn the_gradient_at_the_target_is_zero() {
    use mapsto_tensor::tensor;
    let y = tensor![1.0, 2.0].leaf();
    assert_eq!(mae(&y, &tensor![1.0, 0.0]).backward().of(&y).to_vec::<f32>(), [0.0, 0.5]);
}

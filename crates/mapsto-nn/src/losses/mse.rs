//! Mean squared error, for regression.

use super::{LossKind, REDUCTION, alike, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::Tensor;

/// Mean squared error: `mean (y − t)²` over all elements.
///
/// * Shape: `[..], [..] → []`.
/// * PyTorch: `MSELoss`; Keras: `MeanSquaredError`.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_eq!(mse(&tensor![1.0, 4.0], &tensor![1.0, 1.0]).item(), 4.5);
/// ```
/// # Panics
/// When the shapes differ.
#[track_caller]
pub fn mse(y: &Tensor, target: &Tensor) -> Tensor {
    y.mse(&alike("mse", Outputs::Values, y, target))
}

#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    (y - alike("mse", Outputs::Values, y, target)).square()
}

pub(super) const KIND: LossKind =
    LossKind::new("mse", "Mean squared error.", |_, ()| pointwise(mse, each, Outputs::Values))
        .options(&[REDUCTION])
        .function(|| type_of(&mse));

#[test]
fn integer_targets_are_numbers_too() {
    use mapsto_tensor::tensor;
    assert_eq!(mse(&tensor![1.0, 3.0], &tensor![1, 1]).item(), 2.0);
}

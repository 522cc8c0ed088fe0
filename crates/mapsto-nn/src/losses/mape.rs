//! Mean absolute percentage error, for targets of very different sizes.

use super::{LossKind, REDUCTION, alike, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::Tensor;

/// Mean absolute percentage error: `100 · mean |y − t| / max(|t|, 10⁻⁷)`.
///
/// * Shape: `[..], [..] → []`.
/// * Keras: `MeanAbsolutePercentageError`; PyTorch has none.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(mape(&tensor![110.0, 1.0], &tensor![100.0, 2.0]), 30.0);
/// ```
/// # Panics
/// When the shapes differ.
#[track_caller]
pub fn mape(y: &Tensor, target: &Tensor) -> Tensor {
    each(y, target).mean(..)
}

#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    let t = alike("mape", Outputs::Values, y, target);
    (y - &t).abs() / t.abs().maximum(1e-7) * 100.0
}

pub(super) const KIND: LossKind =
    LossKind::new("mape", "Mean absolute error in percent of the targets.", |_, ()| {
        pointwise(mape, each, Outputs::Values)
    })
    .options(&[REDUCTION])
    .function(|| type_of(&mape));

#[test]
fn it_does_not_depend_on_the_unit() {
    let (y, t) = (Tensor::rand([20]) + 1.0, Tensor::rand([20]) + 1.0);
    let (one, other) = (mape(&y, &t).item(), mape(&(&y * 1000.0), &(&t * 1000.0)).item());
    assert!((one - other).abs() < 1e-3 * one);
}

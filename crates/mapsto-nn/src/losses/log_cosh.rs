//! The logarithm of the hyperbolic cosine of the error: squared near the target, absolute far from it, smooth between.

use super::{LossKind, REDUCTION, alike, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::Tensor;

/// `mean log cosh(y − t)`.
///
/// * Shape: `[..], [..] → []`.
/// * Keras: `LogCosh`; PyTorch has none.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(log_cosh(&tensor![1.0, 0.0], &tensor![0.0, 0.0]), 1f64.cosh().ln() / 2.0);
/// ```
/// # Panics
/// When the shapes differ.
#[track_caller]
pub fn log_cosh(y: &Tensor, target: &Tensor) -> Tensor {
    each(y, target).mean(..)
}

#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    // |d| + log(1 + e^(−2|d|)) − log 2, which overflows nowhere.
    let d = (y - alike("log_cosh", Outputs::Values, y, target)).abs();
    &d + (&d * -2.0).softplus() - std::f64::consts::LN_2
}

pub(super) const KIND: LossKind =
    LossKind::new("log_cosh", "Squared near the target, absolute far from it.", |_, ()| {
        pointwise(log_cosh, each, Outputs::Values)
    })
    .options(&[REDUCTION])
    .function(|| type_of(&log_cosh));

#[test]
fn large_errors_stay_finite() {
    use mapsto_tensor::tensor;
    let y = tensor![1e4, -1e4].leaf();
    let loss = log_cosh(&y, &tensor![0.0, 0.0]);
    assert!((loss.item() - (1e4 - std::f64::consts::LN_2)).abs() < 1e-2);
    assert_eq!(loss.backward().of(&y).to_vec::<f32>(), [0.5, -0.5]);
}

//! Mean squared logarithmic error, for targets that grow by factors.

use super::{LossKind, REDUCTION, alike, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::Tensor;

/// Mean squared logarithmic error: `mean (log(1 + y) − log(1 + t))²`, where what is below 10⁻⁷ counts as 10⁻⁷.
///
/// * Shape: `[..], [..] → []`.
/// * Keras: `MeanSquaredLogarithmicError`; PyTorch has none.
/// ```
/// use mapsto_nn::prelude::*;
/// let e = std::f64::consts::E;
/// assert_close!(msle(&tensor![e - 1.0, 3.0], &tensor![0.0, 3.0]), 0.5);
/// ```
/// # Panics
/// When the shapes differ.
#[track_caller]
pub fn msle(y: &Tensor, target: &Tensor) -> Tensor {
    each(y, target).mean(..)
}

#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    let log = |x: &Tensor| x.maximum(1e-7).log1p();
    (log(y) - log(&alike("msle", Outputs::Values, y, target))).square()
}

pub(super) const KIND: LossKind =
    LossKind::new("msle", "Mean squared error of logarithms, for targets from 0.", |_, ()| {
        pointwise(msle, each, Outputs::Values)
    })
    .options(&[REDUCTION])
    .function(|| type_of(&msle));

#[test]
fn negative_outputs_count_as_none() {
    use mapsto_tensor::tensor;
    assert!(msle(&tensor![-5.0], &tensor![0.0]).item() < 1e-12);
}

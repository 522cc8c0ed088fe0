//! Binary cross-entropy of probabilities.

use super::{LossKind, REDUCTION, alike, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::{Tensor, no_grad};

/// Binary cross-entropy of probabilities: `−mean (t log y + (1 − t) log (1 − y))`.
///
/// Logarithms are bounded at log 10⁻³⁰, where the gradient ends; [`bce_with_logits`](super::bce_with_logits) on the values
/// before the sigmoid is exact everywhere and should be preferred.
///
/// * Shape: `[..], [..] → []`; `y` in 0..1.
/// * PyTorch: `BCELoss`; Keras: `BinaryCrossentropy`.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = bce(&tensor![0.5, 0.9], &tensor![1.0, 1.0]);
/// assert_close!(loss, (-(0.5f64.ln()) - 0.9f64.ln()) / 2.0);
/// ```
/// # Panics
/// When the shapes differ, or when `y` or the target holds something outside of 0..1.
#[track_caller]
pub fn bce(y: &Tensor, target: &Tensor) -> Tensor {
    let t = alike("bce", Outputs::Probabilities, y, target);
    y.bce(&t)
}

/// The cross-entropy of each element, with the same bounds.
#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    let t = alike("bce", Outputs::Probabilities, y, target);
    // It refuses what is no probability.
    drop(no_grad(|| y.bce(&t)));
    let log = |x: &Tensor| x.clamp(1e-30, 1.0).log();
    -(&t * log(y) + (1.0 - &t) * log(&(1.0 - y)))
}

pub(super) const KIND: LossKind = LossKind::new("bce", "Binary cross-entropy of probabilities.", |_, ()| {
    pointwise(bce, each, Outputs::Probabilities)
})
.options(&[REDUCTION])
.function(|| type_of(&bce));

#[test]
fn certainty_stays_finite_and_logits_are_noticed() {
    use mapsto_tensor::{catch, tensor};
    let y = tensor![0.0, 1.0].leaf();
    let loss = bce(&y, &tensor![1.0, 0.0]);
    assert!((loss.item() - 69.07755).abs() < 1e-3);
    assert!(loss.backward().of(&y).is_finite());
    assert_eq!(bce(&tensor![0.0, 1.0], &tensor![0.0, 1.0]).item(), 0.0);
    let error = catch(|| bce(&tensor![-1.0, 2.0], &tensor![0.0, 1.0])).unwrap_err();
    assert_eq!(error.message(), "bce: outputs should be probabilities, they reach from -1 to 2");
}

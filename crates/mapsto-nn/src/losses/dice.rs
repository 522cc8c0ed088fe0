//! The Dice loss: one minus the overlap of what was found with what is there.

use super::tversky::overlap;
use super::{LossKind, REDUCTION, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::Tensor;

/// The mean over samples of `1 − (2 Σ y t + ε) / (Σ y + Σ t + ε)`, with sums over all axes but the first: for masks of objects that are
/// small in their images. ε is `2 · 10⁻⁷`.
///
/// * Shape: `[n, ..], [n, ..] → []`; outputs are probabilities.
/// * Keras: `Dice`, over the whole batch; PyTorch has none.
///
/// Source: Milletari, Navab, Ahmadi (2016), V-Net, arXiv:1606.04797, section 3, with its squares left out as in Keras.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = dice(&tensor![[1.0, 0.5, 0.0]], &tensor![[1.0, 0.0, 1.0]]);
/// assert_close!(loss, 1.0 - 2.0 / 3.5);
/// ```
/// # Panics
/// When the shapes differ, or a number is not within 0..=1.
#[track_caller]
pub fn dice(y: &Tensor, target: &Tensor) -> Tensor {
    each(y, target).mean(..)
}

#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    overlap("dice", y, target, 0.5, 0.5)
}

pub(super) const KIND: LossKind =
    LossKind::new("dice", "One minus the overlap of probabilities with targets, for masks.", |_, ()| {
        pointwise(dice, each, Outputs::Probabilities)
    })
    .options(&[REDUCTION])
    .function(|| type_of(&dice));

#[test]
fn samples_count_alike_whatever_their_size() {
    use mapsto_tensor::tensor;
    let (y, t) = (tensor![[1.0, 1.0], [1.0, 0.0]], tensor![[1.0, 1.0], [0.0, 1.0]]);
    assert!((dice(&y, &t).item() - 0.5).abs() < 1e-6);
}

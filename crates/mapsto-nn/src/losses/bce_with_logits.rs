//! Binary cross-entropy of logits: a sigmoid and its loss in one, exact where the sigmoid saturates.

use super::{LossKind, alike, boxed};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::Tensor;

/// Binary cross-entropy of `σ(y)`: `mean (softplus(y) − t y)`, with `softplus(y) = log(1 + eʸ)`.
///
/// * Shape: `[..], [..] → []`.   * Gradient: `(σ(y) − t) / count`.
/// ```
/// use mapsto_nn::prelude::*;
/// let (y, t) = (tensor![0.0, 100.0, -100.0], tensor![1.0, 1.0, 1.0]);
/// assert_close!(bce_with_logits(&y, &t), (2f64.ln() + 0.0 + 100.0) / 3.0);
/// ```
/// # Panics
/// When the shapes differ, or when the target holds something outside of 0..1.
#[track_caller]
pub fn bce_with_logits(y: &Tensor, target: &Tensor) -> Tensor {
    let t = alike("bce_with_logits", Outputs::Logit, y, target);
    y.bce_with_logits(&t)
}

pub(super) const KIND: LossKind =
    LossKind::new("bce_with_logits", "Binary cross-entropy of the values before a sigmoid.", |_, ()| {
        boxed(bce_with_logits, Outputs::Logit)
    })
    .function(|| type_of(&bce_with_logits));

#[test]
fn it_is_bce_after_a_sigmoid() {
    let (y, t) = (Tensor::randn([50]), Tensor::rand([50]));
    let difference = (bce_with_logits(&y, &t) - super::bce(&y.sigmoid(), &t)).item();
    assert!(difference.abs() < 1e-6, "{difference}");
}

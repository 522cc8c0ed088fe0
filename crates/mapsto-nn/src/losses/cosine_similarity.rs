//! The angle between outputs and targets, whatever their lengths.

use super::{LossKind, REDUCTION, alike, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::{Tensor, fail};

/// `−mean y · t / (‖y‖ ‖t‖)`, along the last axis; lengths below 10⁻⁸ count as 10⁻⁸.
///
/// * Shape: `[.., d], [.., d] → []`.
/// * Keras: `CosineSimilarity`; PyTorch has the function `cosine_similarity` and, for pairs, [`cosine_embedding`](super::cosine_embedding).
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = cosine_similarity(&tensor![[3.0, 0.0], [0.0, 2.0]], &tensor![[1.0, 0.0], [1.0, 0.0]]);
/// assert_close!(loss, -0.5);
/// ```
/// # Panics
/// When the shapes differ, or there is no last axis.
#[track_caller]
pub fn cosine_similarity(y: &Tensor, target: &Tensor) -> Tensor {
    each(y, target).mean(..)
}

#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    let t = alike("cosine_similarity", Outputs::Values, y, target);
    -cosine("cosine_similarity", y, &t)
}

/// The cosines of the angles between vectors on the last axis.
#[track_caller]
pub(super) fn cosine(loss: &str, a: &Tensor, b: &Tensor) -> Tensor {
    if a.rank() == 0 {
        fail!(loss, "vectors [.., d] were expected, found a tensor without axes");
    }
    (unit(a) * unit(b)).sum(-1)
}

/// Vectors on the last axis, of length 1; one of length 0 stays.
pub(super) fn unit(x: &Tensor) -> Tensor {
    // f16 holds nothing below 6e-8.
    x.normalize(2.0, -1, if x.dtype().size() < 4 { 1e-7 } else { 1e-8 })
}

pub(super) const KIND: LossKind = LossKind::new(
    "cosine_similarity",
    "Minus the cosine of the angle between outputs and targets.",
    |_, ()| pointwise(cosine_similarity, each, Outputs::Values),
)
.options(&[REDUCTION])
.function(|| type_of(&cosine_similarity));

#[test]
fn lengths_do_not_matter() {
    use mapsto_tensor::{DType, tensor};
    let (y, t) = (Tensor::randn([4, 3]), Tensor::randn([4, 3]));
    let difference = cosine_similarity(&y, &t) - cosine_similarity(&(&y * 7.0), &(&t * 0.1));
    assert!(difference.item().abs() < 1e-6);
    assert!(cosine_similarity(&Tensor::zeros([1, 3]), &Tensor::ones([1, 3])).item() == 0.0);
    for dtype in [DType::F16, DType::BF16, DType::F32] {
        let (x, none) = (tensor![[200.0, 200.0]].to(dtype), tensor![[0.0, 0.0]].to(dtype));
        assert!((cosine_similarity(&x, &x).item() + 1.0).abs() < 1e-2, "{dtype}");
        assert_eq!(cosine_similarity(&x, &none).item(), 0.0, "{dtype}");
    }
    assert!((cosine_similarity(&tensor![[1e20, 1e20]], &tensor![[1e20, 1e20]]).item() + 1.0).abs() < 1e-6);
}

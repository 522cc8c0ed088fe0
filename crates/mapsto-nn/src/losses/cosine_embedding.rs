//! A loss of pairs of vectors, which should point the same way where they are alike, and not elsewhere.

use super::cosine_similarity::cosine;
use super::hinge::signs;
use crate::Outputs;
use mapsto_tensor::{Tensor, fail};

/// The mean over pairs of `1 − cos θ` where the target is 1, and of `max(0, cos θ − margin)` where it is −1 or 0; `θ` is the angle between
/// both vectors.
///
/// It compares two outputs, so a program calls it, and no file names it.
///
/// * Shape: `[.., d], [.., d], [..] → []`.
/// * PyTorch: `CosineEmbeddingLoss`; Keras has none.
/// ```
/// use mapsto_nn::prelude::*;
/// let (a, b) = (tensor![[1.0, 0.0], [3.0, 4.0]], tensor![[0.0, 2.0], [1.0, 0.0]]);
/// assert_close!(cosine_embedding(&a, &b, &tensor![1, -1], 0.5), (1.0 + 0.1) / 2.0);
/// ```
/// # Panics
/// When the shapes do not fit, a target is not −1, 0 or 1, or the margin is not in −1..=1.
#[track_caller]
pub fn cosine_embedding(a: &Tensor, b: &Tensor, target: &Tensor, margin: f64) -> Tensor {
    if !(-1.0..=1.0).contains(&margin) {
        fail!("cosine_embedding", "margin must be at least -1 and at most 1, got {margin}");
    }
    if a.shape() != b.shape() {
        fail!("cosine_embedding", "the vectors {:?} and {:?} differ in shape", a.shape(), b.shape());
    }
    let near = cosine("cosine_embedding", a, b);
    let s = signs("cosine_embedding", Outputs::Values, &near, target);
    s.gt(0.0).choose(1.0 - &near, (&near - margin).relu()).mean(..)
}

#[test]
fn it_is_checked() {
    use mapsto_tensor::{catch, tensor};
    let (a, b) = (Tensor::ones([2, 3]), Tensor::ones([2, 3]));
    assert!(cosine_embedding(&a, &b, &tensor![1, 1], 0.0).item().abs() < 1e-6);
    assert!((cosine_embedding(&a, &b, &tensor![0, -1], 0.25).item() - 0.75).abs() < 1e-6);
    let message = |f: &dyn Fn() -> Tensor| catch(f).unwrap_err().message().to_string();
    assert!(
        message(&|| cosine_embedding(&a, &b, &tensor![1, 1], 1.5)).contains("margin must be at least -1")
    );
    assert!(
        message(&|| cosine_embedding(&a, &Tensor::ones([3]), &tensor![1, 1], 0.0))
            .contains("differ in shape")
    );
    assert!(message(&|| cosine_embedding(&a, &b, &tensor![2, 1], 0.0)).contains("must be 1 and −1"));
}

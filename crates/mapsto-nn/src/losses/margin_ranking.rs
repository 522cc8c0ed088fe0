//! A loss of pairs of scores, of which one should exceed the other.

use super::hinge::signs;
use crate::Outputs;
use mapsto_spec::Bounds;
use mapsto_tensor::{Tensor, fail};

/// `mean max(0, margin − s (a − b))`, where `s` is 1 where `a` should be the larger score, and −1 where `b` should.
///
/// It compares two outputs, so a program calls it, and no file names it.
///
/// * Shape: `[..], [..], [..] → []`.
/// * PyTorch: `MarginRankingLoss`; Keras has none.
/// ```
/// use mapsto_nn::prelude::*;
/// let (a, b) = (tensor![2.0, 2.0], tensor![1.5, 1.5]);
/// assert_close!(margin_ranking(&a, &b, &tensor![1, -1], 1.0), (0.5 + 1.5) / 2.0);
/// ```
/// # Panics
/// When the shapes differ, a target is not −1, 0 or 1, or the margin is not finite and at least 0.
#[track_caller]
pub fn margin_ranking(a: &Tensor, b: &Tensor, target: &Tensor, margin: f64) -> Tensor {
    Bounds::AT_LEAST_0.check("margin_ranking", "margin", margin);
    if a.shape() != b.shape() {
        fail!("margin_ranking", "the scores {:?} and {:?} differ in shape", a.shape(), b.shape());
    }
    let s = signs("margin_ranking", Outputs::Values, a, target);
    (margin - s * (a - b)).relu().mean(..)
}

#[test]
fn scores_apart_pull_no_more() {
    use mapsto_tensor::{catch, tensor};
    let (a, b) = (tensor![3.0, 1.0].leaf(), tensor![0.0, 0.5]);
    let grads = margin_ranking(&a, &b, &tensor![1, 1], 1.0).backward();
    assert_eq!(grads.of(&a).to_vec::<f32>(), [0.0, -0.5]);
    let e = catch(|| margin_ranking(&a, &Tensor::ones([2, 1]), &tensor![1, 1], 1.0)).unwrap_err();
    assert!(e.message().contains("[2] and [2, 1] differ in shape"), "{e}");
    assert!(catch(|| margin_ranking(&a, &b, &tensor![1, 1], -1.0)).is_err());
}

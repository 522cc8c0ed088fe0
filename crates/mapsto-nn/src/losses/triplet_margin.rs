//! A loss of triplets: an anchor should be nearer to its like than to another by a margin.

use mapsto_spec::Bounds;
use mapsto_tensor::{Tensor, fail};

/// `mean max(0, ‖a − p‖ − ‖a − n‖ + margin)` over anchors `a`, vectors `p` that are like them and vectors `n` that are not;
/// a millionth is added to differences, so that the distance of equal vectors has a slope.
///
/// It compares three outputs, so a program calls it, and no file names it.
///
/// * Shape: `[.., d], [.., d], [.., d] → []`.
/// * PyTorch: `TripletMarginLoss`, with `p=2` and without `swap`; Keras has none.
///
/// Source: Schroff, Kalenichenko, Philbin (2015), FaceNet, arXiv:1503.03832, equation 3, without its squares.
/// ```
/// use mapsto_nn::prelude::*;
/// let (a, p, n) = (tensor![[0.0, 0.0]], tensor![[3.0, 4.0]], tensor![[0.0, 5.5]]);
/// let loss = triplet_margin(&a, &p, &n, 1.0).item();
/// assert!((loss - 0.5).abs() < 1e-5);
/// ```
/// # Panics
/// When the shapes differ, or the margin is not finite and above 0.
#[track_caller]
pub fn triplet_margin(anchor: &Tensor, like: &Tensor, other: &Tensor, margin: f64) -> Tensor {
    Bounds::ABOVE_0.check("triplet_margin", "margin", margin);
    for x in [like, other] {
        if x.shape() != anchor.shape() || x.rank() == 0 {
            fail!(
                "triplet_margin",
                "vectors of one shape [.., d] were expected, found {:?} and {:?}",
                anchor.shape(),
                x.shape()
            );
        }
    }
    let distance = |x: &Tensor| (anchor - x + 1e-6).square().sum(-1).sqrt();
    (distance(like) - distance(other) + margin).relu().mean(..)
}

#[test]
fn equal_vectors_have_a_slope() {
    use mapsto_tensor::catch;
    let (a, far) = (Tensor::ones([2, 3]).leaf(), Tensor::zeros([2, 3]));
    let loss = triplet_margin(&a, &a.detach(), &far, 5.0);
    assert!((loss.item() - (5.0 - 3f64.sqrt())).abs() < 1e-4);
    assert!(loss.backward().of(&a).is_finite());
    let e = catch(|| triplet_margin(&a, &Tensor::ones([3]), &far, 1.0)).unwrap_err();
    assert!(e.message().contains("found [2, 3] and [3]"), "{e}");
    assert!(catch(|| triplet_margin(&a, &far, &far, 0.0)).is_err());
}

//! The triplet loss by any distance.

use crate::layers::PairwiseDistance;
use mapsto_spec::Bounds;
use mapsto_tensor::{Tensor, fail};

/// `mean max(0, d(a, p) − d(a, n) + margin)` over anchors `a`, vectors `p` that are like them and vectors `n` that are not, by a distance
/// `d` of one's own.
///
/// It compares three outputs, so a program calls it, and no file names it.
///
/// * Shape: `[n, ..], [n, ..], [n, ..] → []`.
/// * PyTorch: `TripletMarginWithDistanceLoss(distance_function, margin=1.0, swap=False)`.
///
/// Source: Schroff, Kalenichenko, Philbin (2015), FaceNet, arXiv:1503.03832, equation 3; Balntas et al. (2016), Learning local feature
/// descriptors with triplets, for the exchange.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = TripletMarginWithDistance::new(|x, y| (x - y).abs().sum(-1)).margin(2.0);
/// let (a, p, n) = (tensor![[0.0, 0.0]], tensor![[1.0, 1.0]], tensor![[3.0, 0.0]]);
/// assert_close!(loss.loss(&a, &p, &n), 1.0);
/// ```
pub struct TripletMarginWithDistance {
    distance: Box<Distance>,
    margin: f64,
    swap: bool,
}

/// A number for each pair of two batches.
type Distance = dyn Fn(&Tensor, &Tensor) -> Tensor + Send + Sync;

impl Default for TripletMarginWithDistance {
    /// By the [`PairwiseDistance`].
    fn default() -> TripletMarginWithDistance {
        TripletMarginWithDistance::new(|x, y| PairwiseDistance::new().forward(x, y))
    }
}

impl TripletMarginWithDistance {
    /// By this distance of two batches, a number for each pair, with a margin of 1.
    pub fn new(
        distance: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
    ) -> TripletMarginWithDistance {
        TripletMarginWithDistance { distance: Box::new(distance), margin: 1.0, swap: false }
    }

    /// The same with another margin.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn margin(self, margin: f64) -> TripletMarginWithDistance {
        let margin = Bounds::ABOVE_0.check("triplet_margin_with_distance", "margin", margin);
        TripletMarginWithDistance { margin, ..self }
    }

    /// The same, where `p` takes the anchor's place wherever it is nearer to `n`.
    #[must_use]
    pub fn swap(self) -> TripletMarginWithDistance {
        TripletMarginWithDistance { swap: true, ..self }
    }

    /// The loss.
    ///
    /// # Panics
    /// When the shapes differ, there is no sample, or the distances are of different shapes.
    #[track_caller]
    pub fn loss(&self, anchor: &Tensor, like: &Tensor, other: &Tensor) -> Tensor {
        for x in [like, other] {
            if x.shape() != anchor.shape() || x.is_empty() {
                fail!(
                    "triplet_margin_with_distance",
                    "vectors of one shape were expected, found {:?} and {:?}",
                    anchor.shape(),
                    x.shape()
                );
            }
        }
        let (near, far) = ((self.distance)(anchor, like), (self.distance)(anchor, other));
        let far = if self.swap { far.minimum((self.distance)(like, other)) } else { far };
        (near - far + self.margin).relu().mean(..)
    }
}

#[test]
fn it_is_triplet_margin_by_default() {
    use mapsto_tensor::prelude::*;
    let [a, p, n] = [(); 3].map(|()| Tensor::randn([6, 3]).to(DType::F64));
    let plain = TripletMarginWithDistance::default().margin(1.5).loss(&a, &p, &n).item();
    assert!((plain - super::triplet_margin(&a, &p, &n, 1.5).item()).abs() < 1e-12);
    // torch.nn.TripletMarginWithDistanceLoss(swap=True) with its default distance.
    let (a, p, n) = (tensor![[0.0, 0.0]], tensor![[3.0, 4.0]], tensor![[3.0, 5.0]]);
    assert!((TripletMarginWithDistance::default().swap().loss(&a, &p, &n).item() - 5.0).abs() < 1e-4);
    let e = catch(|| TripletMarginWithDistance::default().loss(&a, &p, &Tensor::ones([1]))).unwrap_err();
    assert!(e.message().contains("found [1, 2] and [1]"), "{e}");
}

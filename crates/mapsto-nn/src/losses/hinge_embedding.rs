//! A loss of distances, which should be small for pairs that are alike and at least a margin for others.

use super::hinge::signs;
use super::{Loss, LossKind, Pointwise, REDUCTION};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;
use std::borrow::Cow;

/// The mean of `y` where the target is 1, and of `max(0, margin − y)` where it is −1 or 0; `y` are distances.
///
/// * Shape: `[..], [..] → []`.
/// * PyTorch: `HingeEmbeddingLoss`; Keras has none.
///
/// Source: Hadsell, Chopra, LeCun (2006), Dimensionality reduction by learning an invariant mapping, without its squares.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = HingeEmbedding::new(1.0).loss(&tensor![0.5, 0.25], &tensor![1.0, -1.0]);
/// assert_close!(loss, (0.5 + 0.75) / 2.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HingeEmbedding {
    margin: f64,
}

impl HingeEmbedding {
    /// With this margin.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    pub fn new(margin: f64) -> HingeEmbedding {
        HingeEmbedding { margin: Bounds::AT_LEAST_0.check("hinge_embedding", "margin", margin) }
    }
}

impl Pointwise for HingeEmbedding {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        let s = signs("hinge_embedding", Outputs::Values, y, target);
        s.gt(0.0).choose(y, (self.margin - y).relu())
    }
}

impl Loss for HingeEmbedding {
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        self.each(y, target).mean(..)
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        Some(self)
    }

    fn name(&self) -> Cow<'static, str> {
        "hinge_embedding".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Values)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.margin))
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "hinge_embedding",
    "Distances: small for pairs that are alike (1), at least the margin for others (−1 or 0).",
    |args, ()| Ok(Box::new(HingeEmbedding { margin: Bounds::AT_LEAST_0.main(args, "margin", 1.0)? })),
)
.options(&[("", "the distance from which unlike pairs count for nothing"), REDUCTION]);

#[test]
fn far_pairs_pull_no_more() {
    use mapsto_tensor::tensor;
    let y = tensor![3.0, 0.5, 3.0].leaf();
    let grads = HingeEmbedding::new(1.0).loss(&y, &tensor![-1.0, -1.0, 1.0]).backward();
    assert_eq!((grads.of(&y) * 3.0).to_vec::<f32>(), [0.0, -1.0, 1.0]);
}

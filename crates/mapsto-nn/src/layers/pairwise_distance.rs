//! How far two batches of vectors are apart, pair by pair.

use mapsto_spec::Bounds;
use mapsto_tensor::Tensor;

/// `‖x − y + eps‖ₚ` along the last axis; eps gives the distance of equal vectors a slope.
///
/// * Shape: `[.., d], [.., d] → [..]`.
/// * PyTorch: `PairwiseDistance(p=2, eps=1e-6)`.
/// ```
/// use mapsto_nn::{layers::PairwiseDistance, prelude::*};
/// let d = PairwiseDistance::new().forward(&tensor![[0.0, 0.0], [1.0, 1.0]], &tensor![[3.0, 4.0], [1.0, 3.0]]);
/// assert_close!(d, [5.0, 2.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairwiseDistance {
    p: f64,
    eps: f64,
}

impl Default for PairwiseDistance {
    fn default() -> PairwiseDistance {
        PairwiseDistance::new()
    }
}

impl PairwiseDistance {
    /// Of p = 2; eps is 10⁻⁶.
    pub fn new() -> PairwiseDistance {
        PairwiseDistance { p: 2.0, eps: 1e-6 }
    }

    /// The same of another norm.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn p(self, p: f64) -> PairwiseDistance {
        PairwiseDistance { p: Bounds::ABOVE_0.check("pairwise_distance", "p", p), ..self }
    }

    /// The same with another number added to differences.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn eps(self, eps: f64) -> PairwiseDistance {
        PairwiseDistance { eps: Bounds::AT_LEAST_0.check("pairwise_distance", "eps", eps), ..self }
    }

    /// The distances.
    ///
    /// # Panics
    /// When the shapes do not broadcast, or have no axes.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, y: &Tensor) -> Tensor {
        (x - y + self.eps).norm(self.p, -1)
    }
}

#[test]
fn it_is_pytorchs() {
    use mapsto_tensor::prelude::*;
    // torch.nn.PairwiseDistance(p=3)(x, y) in f64.
    let (x, y) = (tensor![[1.0, -2.0, 0.5]], tensor![[0.0, 1.0, 0.5]]);
    assert_close!(PairwiseDistance::new().p(3.0).forward(&x, &y), [3.036_588_1]);
    let x = Tensor::ones([2, 3]).leaf();
    assert!(PairwiseDistance::new().forward(&x, &Tensor::ones([2, 3])).sum(..).backward().of(&x).is_finite());
    assert!(catch(|| PairwiseDistance::new().eps(0.0).forward(&x, &Tensor::ones([2, 4]))).is_err());
}

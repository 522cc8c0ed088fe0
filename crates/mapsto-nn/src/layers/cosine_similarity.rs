//! How alike two batches of vectors are, by their angles.

use mapsto_spec::Bounds;
use mapsto_tensor::Tensor;

/// `x · y / (max(|x|, eps) · max(|y|, eps))` along an axis.
///
/// * Shape: `[n, d, ..], [n, d, ..] → [n, ..]`.
/// * PyTorch: `CosineSimilarity(dim=1, eps=1e-8)`; Keras: `Dot(axes, normalize=True)`.
/// ```
/// use mapsto_nn::{layers::CosineSimilarity, prelude::*};
/// let alike = CosineSimilarity::new();
/// assert_close!(alike.forward(&tensor![[1.0, 0.0]], &tensor![[3.0, 3.0]]), [0.5f64.sqrt()]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineSimilarity {
    axis: isize,
    eps: f64,
}

impl Default for CosineSimilarity {
    fn default() -> CosineSimilarity {
        CosineSimilarity::new()
    }
}

impl CosineSimilarity {
    /// Along axis 1; eps is 10⁻⁸.
    pub fn new() -> CosineSimilarity {
        CosineSimilarity { axis: 1, eps: 1e-8 }
    }

    /// The same along another axis.
    #[must_use]
    pub fn axis(self, axis: isize) -> CosineSimilarity {
        CosineSimilarity { axis, ..self }
    }

    /// The same with another least length.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(self, eps: f64) -> CosineSimilarity {
        CosineSimilarity { eps: Bounds::ABOVE_0.check("cosine_similarity", "eps", eps), ..self }
    }

    /// The cosines.
    ///
    /// # Panics
    /// When there is no such axis or the shapes do not broadcast.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, y: &Tensor) -> Tensor {
        x.cosine_similarity(y, self.axis, self.eps)
    }
}

#[test]
fn any_axis() {
    use mapsto_tensor::prelude::*;
    let (x, y) = (Tensor::randn([2, 3, 4]), Tensor::randn([2, 3, 4]));
    let by = CosineSimilarity::new().axis(-1).eps(1e-4);
    assert_close!(by.forward(&x, &y), CosineSimilarity::new().forward(&x.swap(1, 2), &y.swap(1, 2)));
    assert!(catch(|| by.forward(&x, &Tensor::ones([5]))).is_err());
}

//! Vectors whose elements are normal and independent.

use super::{Distribution, Divergence, Normal};
use mapsto_tensor::{Tensor, fail};

/// The normal distribution of vectors whose covariance is a diagonal: the density of a vector is the product over its elements.
///
/// * PyTorch: `distributions.MultivariateNormal` of a diagonal, and `Independent(Normal(mean, std), 1)`.
/// ```
/// use mapsto_nn::distributions::{Distribution, MultivariateNormal};
/// use mapsto_nn::prelude::*;
/// let d = MultivariateNormal::diagonal(&tensor![0.0, 0.0], &tensor![1.0, 2.0]);
/// assert_close!(d.log_prob(&tensor![[0.0, 2.0]]), [-3.03102]);
/// ```
#[derive(Clone, Debug)]
pub struct MultivariateNormal(Normal);

impl MultivariateNormal {
    /// With the means and the standard deviations of the elements, along the last axis.
    ///
    /// # Panics
    /// When there are no axes, and as [`Normal::new`].
    #[track_caller]
    pub fn diagonal(mean: &Tensor, std: &Tensor) -> MultivariateNormal {
        let each = Normal::new(mean, std);
        if each.mean().rank() == 0 {
            fail!("multivariate_normal", "vectors are needed, the shape is []");
        }
        MultivariateNormal(each)
    }
}

impl Distribution for MultivariateNormal {
    fn name(&self) -> &'static str {
        "multivariate_normal"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        self.0.rsample(shape)
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        self.0.log_prob(x).sum(-1)
    }

    fn entropy(&self) -> Tensor {
        self.0.entropy().sum(-1)
    }

    fn mean(&self) -> Tensor {
        self.0.mean()
    }

    fn variance(&self) -> Tensor {
        self.0.variance()
    }
}

impl Divergence for MultivariateNormal {
    #[track_caller]
    fn kl(&self, q: &MultivariateNormal) -> Tensor {
        self.0.kl(&q.0).sum(-1)
    }
}

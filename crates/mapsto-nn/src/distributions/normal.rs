//! The normal distribution.

use super::{Distribution, Divergence, HALF_LOG_TAU, repeated, require, together};
use mapsto_tensor::Tensor;

/// `e^(−(x − μ)² / (2 σ²)) / (σ √(2π))` with mean μ and standard deviation σ.
///
/// * PyTorch: `distributions.Normal`.
/// ```
/// use mapsto_nn::distributions::{Distribution, Normal};
/// use mapsto_nn::prelude::*;
/// let d = Normal::new(&tensor![1.0], &tensor![2.0]);
/// assert_close!(d.log_prob(&tensor![3.0]), [-2.11209]);
/// assert_close!(d.entropy(), [2.11209]);
/// ```
#[derive(Clone, Debug)]
pub struct Normal {
    mean: Tensor,
    std: Tensor,
}

impl Normal {
    /// With this mean and standard deviation.
    ///
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a deviation is not above 0.
    #[track_caller]
    pub fn new(mean: &Tensor, std: &Tensor) -> Normal {
        let [mean, std] = together("normal", [mean, std]);
        require("normal", "std", "above 0", &std, |s| s.gt(0.0));
        Normal { mean, std }
    }

    /// The share of the distribution below x.
    #[track_caller]
    pub fn cdf(&self, x: &Tensor) -> Tensor {
        ((x - &self.mean) / &self.std).ndtr()
    }

    /// The number below which a share of the distribution lies.
    #[track_caller]
    pub fn icdf(&self, p: &Tensor) -> Tensor {
        &self.mean + &self.std * p.ndtri()
    }
}

impl Distribution for Normal {
    fn name(&self) -> &'static str {
        "normal"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        &self.mean + &self.std * Tensor::randn_like(&repeated(&self.mean.detach(), shape))
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        ((x - &self.mean) / &self.std).square() * -0.5 - self.std.log() - HALF_LOG_TAU
    }

    fn entropy(&self) -> Tensor {
        self.std.log() + (0.5 + HALF_LOG_TAU)
    }

    fn mean(&self) -> Tensor {
        self.mean.clone()
    }

    fn variance(&self) -> Tensor {
        self.std.square()
    }
}

impl Divergence for Normal {
    #[track_caller]
    fn kl(&self, q: &Normal) -> Tensor {
        let (ratio, apart) = (&self.std / &q.std, (&self.mean - &q.mean) / &q.std);
        (ratio.square() + apart.square() - 1.0) * 0.5 - ratio.log()
    }
}

#[test]
fn shares_and_their_numbers() {
    use mapsto_tensor::{assert_close, tensor};
    let d = Normal::new(&tensor![1.0], &tensor![2.0]);
    assert_close!(d.cdf(&tensor![1.0, 4.92]), [0.5, 0.975_002]);
    assert_close!(d.icdf(&tensor![0.5, 0.975]), [1.0, 4.919_928]);
    assert!(mapsto_tensor::catch(|| Normal::new(&tensor![0.0], &tensor![-1.0])).is_err());
}

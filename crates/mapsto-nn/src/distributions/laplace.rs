//! Two exponential distributions back to back.

use super::{Distribution, Divergence, repeated, require, together};
use mapsto_tensor::{Tensor, random};

/// `e^(−|x − μ| / b) / (2 b)` with mean μ and scale b.
///
/// * PyTorch: `distributions.Laplace`.
/// ```
/// use mapsto_nn::distributions::{Distribution, Laplace};
/// use mapsto_nn::prelude::*;
/// assert_close!(Laplace::new(&tensor![1.0], &tensor![2.0]).log_prob(&tensor![3.0]), [-2.38629]);
/// ```
#[derive(Clone, Debug)]
pub struct Laplace {
    mean: Tensor,
    scale: Tensor,
}

impl Laplace {
    /// With this mean and scale.
    ///
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a scale is not above 0.
    #[track_caller]
    pub fn new(mean: &Tensor, scale: &Tensor) -> Laplace {
        let [mean, scale] = together("laplace", [mean, scale]);
        require("laplace", "scale", "above 0", &scale, |v| v.gt(0.0));
        Laplace { mean, scale }
    }
}

impl Distribution for Laplace {
    fn name(&self) -> &'static str {
        "laplace"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        random::laplace(&repeated(&self.mean, shape), &self.scale)
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        -((x - &self.mean).abs() / &self.scale) - (&self.scale * 2.0).log()
    }

    fn entropy(&self) -> Tensor {
        (&self.scale * 2.0).log() + 1.0
    }

    fn mean(&self) -> Tensor {
        self.mean.clone()
    }

    fn variance(&self) -> Tensor {
        self.scale.square() * 2.0
    }
}

impl Divergence for Laplace {
    #[track_caller]
    fn kl(&self, q: &Laplace) -> Tensor {
        let (ratio, apart) = (&self.scale / &q.scale, (&self.mean - &q.mean).abs());
        -ratio.log() + &apart / &q.scale + ratio * (-(apart / &self.scale)).exp() - 1.0
    }
}

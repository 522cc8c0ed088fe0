//! The quotient of two normal numbers: tails so heavy that there is no mean.

use super::{Distribution, Divergence, repeated, require, together};
use mapsto_tensor::{Tensor, random};
use std::f64::consts::PI;

/// `1 / (π s (1 + ((x − m) / s)²))`, with median m and scale s. Its mean is NaN and its variance infinite, as PyTorch has them.
///
/// * PyTorch: `distributions.Cauchy`.
/// ```
/// use mapsto_nn::distributions::{Distribution, Cauchy};
/// use mapsto_nn::prelude::*;
/// assert_close!(Cauchy::new(&tensor![0.0], &tensor![1.0]).log_prob(&tensor![1.0]), [-1.83788]);
/// ```
#[derive(Clone, Debug)]
pub struct Cauchy {
    median: Tensor,
    scale: Tensor,
}

impl Cauchy {
    /// With this median and scale.
    ///
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a scale is not above 0.
    #[track_caller]
    pub fn new(median: &Tensor, scale: &Tensor) -> Cauchy {
        let [median, scale] = together("cauchy", [median, scale]);
        require("cauchy", "scale", "above 0", &scale, |v| v.gt(0.0));
        Cauchy { median, scale }
    }
}

impl Distribution for Cauchy {
    fn name(&self) -> &'static str {
        "cauchy"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        random::cauchy(&repeated(&self.median, shape), &self.scale)
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        -((x - &self.median) / &self.scale).square().log1p() - self.scale.log() - PI.ln()
    }

    fn entropy(&self) -> Tensor {
        self.scale.log() + (4.0 * PI).ln()
    }

    fn mean(&self) -> Tensor {
        Tensor::full_like(&self.median.detach(), f64::NAN)
    }

    fn variance(&self) -> Tensor {
        Tensor::full_like(&self.median.detach(), f64::INFINITY)
    }
}

impl Divergence for Cauchy {
    /// Chyzak and Nielsen (2019), arXiv:1905.10965.
    #[track_caller]
    fn kl(&self, q: &Cauchy) -> Tensor {
        let apart = (&self.scale + &q.scale).square() + (&self.median - &q.median).square();
        apart.log() - (&self.scale * &q.scale).log() - 4f64.ln()
    }
}

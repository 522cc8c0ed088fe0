//! The size of a normal number.

use super::{Distribution, Divergence, HALF_LOG_TAU, repeated, require, together, where_inside};
use mapsto_tensor::Tensor;
use std::f64::consts::{FRAC_2_PI, LN_2};

/// `√(2/π) / s · e^(−x² / 2s²)` for x of at least 0: the size of a number of the [`Normal`](super::Normal) distribution around 0.
///
/// * PyTorch: `distributions.HalfNormal`.
/// ```
/// use mapsto_nn::distributions::{Distribution, HalfNormal};
/// use mapsto_nn::prelude::*;
/// assert_close!(HalfNormal::new(&tensor![2.0]).mean(), [1.59577]);
/// ```
#[derive(Clone, Debug)]
pub struct HalfNormal {
    scale: Tensor,
}

impl HalfNormal {
    /// With this scale.
    ///
    /// # Panics
    /// When a scale is not a float above 0.
    #[track_caller]
    pub fn new(scale: &Tensor) -> HalfNormal {
        let [scale] = together("half_normal", [scale]);
        require("half_normal", "scale", "above 0", &scale, |v| v.gt(0.0));
        HalfNormal { scale }
    }
}

impl Distribution for HalfNormal {
    fn name(&self) -> &'static str {
        "half_normal"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        &self.scale * Tensor::randn_like(&repeated(&self.scale.detach(), shape)).abs()
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        let y = (x / &self.scale).square() * -0.5 - self.scale.log() + (LN_2 - HALF_LOG_TAU);
        where_inside(&x.detach().ge(0.0), y)
    }

    fn entropy(&self) -> Tensor {
        self.scale.log() + (HALF_LOG_TAU + 0.5 - LN_2)
    }

    fn mean(&self) -> Tensor {
        &self.scale * FRAC_2_PI.sqrt()
    }

    fn variance(&self) -> Tensor {
        self.scale.square() * (1.0 - FRAC_2_PI)
    }
}

impl Divergence for HalfNormal {
    #[track_caller]
    fn kl(&self, q: &HalfNormal) -> Tensor {
        let ratio = &self.scale / &q.scale;
        (ratio.square() - 1.0) * 0.5 - ratio.log()
    }
}

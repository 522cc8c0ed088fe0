//! The size of a number of the Cauchy distribution: a prior of scales.

use super::{Cauchy, Distribution, Divergence, repeated, require, together, where_inside};
use mapsto_tensor::{Tensor, random};
use std::f64::consts::{LN_2, PI};

/// `2 / (π s (1 + (x / s)²))` for x of at least 0. Its mean and variance are infinite.
///
/// * PyTorch: `distributions.HalfCauchy`.
/// ```
/// use mapsto_nn::distributions::{Distribution, HalfCauchy};
/// use mapsto_nn::prelude::*;
/// assert_close!(HalfCauchy::new(&tensor![1.0]).log_prob(&tensor![1.0]), [-1.14473]);
/// ```
#[derive(Clone, Debug)]
pub struct HalfCauchy {
    scale: Tensor,
}

impl HalfCauchy {
    /// With this scale.
    ///
    /// # Panics
    /// When a scale is not a float above 0.
    #[track_caller]
    pub fn new(scale: &Tensor) -> HalfCauchy {
        let [scale] = together("half_cauchy", [scale]);
        require("half_cauchy", "scale", "above 0", &scale, |v| v.gt(0.0));
        HalfCauchy { scale }
    }
}

impl Distribution for HalfCauchy {
    fn name(&self) -> &'static str {
        "half_cauchy"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        let scale = repeated(&self.scale, shape);
        random::cauchy(&Tensor::zeros_like(&scale.detach()), &scale).abs()
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        let y = -(x / &self.scale).square().log1p() - self.scale.log() + (LN_2 - PI.ln());
        where_inside(&x.detach().ge(0.0), y)
    }

    fn entropy(&self) -> Tensor {
        self.scale.log() + (2.0 * PI).ln()
    }

    fn mean(&self) -> Tensor {
        Tensor::full_like(&self.scale.detach(), f64::INFINITY)
    }

    fn variance(&self) -> Tensor {
        self.mean()
    }
}

impl Divergence for HalfCauchy {
    /// That of the whole distributions: each half is the other's mirror image.
    #[track_caller]
    fn kl(&self, q: &HalfCauchy) -> Tensor {
        let whole = |d: &HalfCauchy| Cauchy::new(&Tensor::zeros_like(&d.scale.detach()), &d.scale);
        whole(self).kl(&whole(q))
    }
}

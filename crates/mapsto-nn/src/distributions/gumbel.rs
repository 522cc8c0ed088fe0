//! The largest of many.

use super::{Distribution, Divergence, EULER, repeated, require, together};
use mapsto_tensor::{Tensor, random};

/// `e^(−z − e^(−z)) / b` of `z = (x − μ) / b`, with mode μ and scale b.
///
/// * PyTorch: `distributions.Gumbel`.
/// ```
/// use mapsto_nn::distributions::{Distribution, Gumbel};
/// use mapsto_nn::prelude::*;
/// assert_close!(Gumbel::new(&tensor![0.0], &tensor![1.0]).mean(), [0.57722]);
/// ```
#[derive(Clone, Debug)]
pub struct Gumbel {
    mode: Tensor,
    scale: Tensor,
}

impl Gumbel {
    /// With this mode and scale.
    ///
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a scale is not above 0.
    #[track_caller]
    pub fn new(mode: &Tensor, scale: &Tensor) -> Gumbel {
        let [mode, scale] = together("gumbel", [mode, scale]);
        require("gumbel", "scale", "above 0", &scale, |v| v.gt(0.0));
        Gumbel { mode, scale }
    }
}

impl Distribution for Gumbel {
    fn name(&self) -> &'static str {
        "gumbel"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        random::gumbel(&repeated(&self.mode, shape), &self.scale)
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        let z = (x - &self.mode) / &self.scale;
        -(&z + (-&z).exp()) - self.scale.log()
    }

    fn entropy(&self) -> Tensor {
        self.scale.log() + (1.0 + EULER)
    }

    fn mean(&self) -> Tensor {
        &self.mode + &self.scale * EULER
    }

    fn variance(&self) -> Tensor {
        self.scale.square() * (std::f64::consts::PI.powi(2) / 6.0)
    }
}

impl Divergence for Gumbel {
    #[track_caller]
    fn kl(&self, q: &Gumbel) -> Tensor {
        let (ratio, apart) = (&self.scale / &q.scale, (&q.mode - &self.mode) / &q.scale);
        // The mean of e^(−z) of the other is Γ(1 + ratio) e^apart.
        let mean = (&apart + (&ratio + 1.0).lgamma()).exp();
        -ratio.log() - apart + ratio * EULER + mean - (EULER + 1.0)
    }
}

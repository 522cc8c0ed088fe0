//! The time to the next event.

use super::{Distribution, Divergence, repeated, require, together, where_inside};
use mapsto_tensor::{Tensor, random};

/// `rate · e^(−rate · x)` for x of at least 0.
///
/// * PyTorch: `distributions.Exponential`.
/// ```
/// use mapsto_nn::distributions::{Distribution, Exponential};
/// use mapsto_nn::prelude::*;
/// let d = Exponential::new(&tensor![2.0]);
/// assert_close!(d.log_prob(&tensor![1.0, -1.0]), [2f64.ln() - 2.0, f64::NEG_INFINITY]);
/// ```
#[derive(Clone, Debug)]
pub struct Exponential {
    rate: Tensor,
}

impl Exponential {
    /// With this rate.
    ///
    /// # Panics
    /// When a rate is not a float above 0.
    #[track_caller]
    pub fn new(rate: &Tensor) -> Exponential {
        let [rate] = together("exponential", [rate]);
        require("exponential", "rate", "above 0", &rate, |v| v.gt(0.0));
        Exponential { rate }
    }
}

impl Distribution for Exponential {
    fn name(&self) -> &'static str {
        "exponential"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        random::exponential(&repeated(&self.rate, shape))
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        where_inside(&x.detach().ge(0.0), self.rate.log() - &self.rate * x)
    }

    fn entropy(&self) -> Tensor {
        -self.rate.log() + 1.0
    }

    fn mean(&self) -> Tensor {
        self.rate.recip()
    }

    fn variance(&self) -> Tensor {
        self.rate.square().recip()
    }
}

impl Divergence for Exponential {
    #[track_caller]
    fn kl(&self, q: &Exponential) -> Tensor {
        let ratio = &q.rate / &self.rate;
        &ratio - 1.0 - ratio.log()
    }
}

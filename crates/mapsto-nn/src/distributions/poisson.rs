//! Counts of events.

use super::{Distribution, Divergence, repeated, require, together, where_inside};
use mapsto_tensor::{Tensor, fail, no_grad, random};

/// `rateᵏ e^(−rate) / k!` for counts k of 0, 1, ..
///
/// * PyTorch: `distributions.Poisson`.
/// ```
/// use mapsto_nn::distributions::{Distribution, Poisson};
/// use mapsto_nn::prelude::*;
/// assert_close!(Poisson::new(&tensor![2.0]).log_prob(&tensor![3.0]), [-1.71232]);
/// ```
#[derive(Clone, Debug)]
pub struct Poisson {
    rate: Tensor,
}

impl Poisson {
    /// With this rate.
    ///
    /// # Panics
    /// When a rate is not a float of at least 0.
    #[track_caller]
    pub fn new(rate: &Tensor) -> Poisson {
        let [rate] = together("poisson", [rate]);
        require("poisson", "rate", "at least 0", &rate, |v| v.ge(0.0));
        Poisson { rate }
    }
}

impl Distribution for Poisson {
    fn name(&self) -> &'static str {
        "poisson"
    }

    #[track_caller]
    fn sample(&self, shape: &[usize]) -> Tensor {
        no_grad(|| random::poisson(&repeated(&self.rate.detach(), shape)))
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        let inside = x.detach().ge(0.0).and(&x.detach().eq(x.detach().floor()));
        let count = inside.choose(x, 0.0);
        where_inside(&inside, count.xlogy(&self.rate) - &self.rate - (count + 1.0).lgamma())
    }

    /// # Panics
    /// There is no formula of it.
    #[track_caller]
    fn entropy(&self) -> Tensor {
        fail!("poisson", "there is no formula of its entropy"; help = "the mean of `-log_prob` of samples comes near")
    }

    fn mean(&self) -> Tensor {
        self.rate.clone()
    }

    fn variance(&self) -> Tensor {
        self.rate.clone()
    }
}

impl Divergence for Poisson {
    #[track_caller]
    fn kl(&self, q: &Poisson) -> Tensor {
        self.rate.xlogy(&self.rate) - self.rate.xlogy(&q.rate) - (&self.rate - &q.rate)
    }
}

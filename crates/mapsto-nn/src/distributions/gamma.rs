//! The sum of waiting times.

use super::{Distribution, Divergence, repeated, require, together, where_inside};
use mapsto_tensor::{Tensor, random};

/// `rateᵃ x^(a − 1) e^(−rate · x) / Γ(a)` for x above 0, with the concentration `a`.
///
/// * PyTorch: `distributions.Gamma`.
/// ```
/// use mapsto_nn::distributions::{Distribution, Gamma};
/// use mapsto_nn::prelude::*;
/// let d = Gamma::new(&tensor![3.0], &tensor![2.0]);
/// assert_close!(d.mean(), [1.5]);
/// assert_close!(d.log_prob(&tensor![1.0]), [-0.61371]);
/// ```
#[derive(Clone, Debug)]
pub struct Gamma {
    concentration: Tensor,
    rate: Tensor,
}

impl Gamma {
    /// With this concentration and rate.
    ///
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a parameter is not above 0.
    #[track_caller]
    pub fn new(concentration: &Tensor, rate: &Tensor) -> Gamma {
        let [concentration, rate] = together("gamma", [concentration, rate]);
        require("gamma", "concentration", "above 0", &concentration, |v| v.gt(0.0));
        require("gamma", "rate", "above 0", &rate, |v| v.gt(0.0));
        Gamma { concentration, rate }
    }
}

impl Distribution for Gamma {
    fn name(&self) -> &'static str {
        "gamma"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        random::gamma(&repeated(&self.concentration, shape), &self.rate)
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        let (a, inside) = (&self.concentration, x.detach().ge(0.0));
        let safe = inside.choose(x, 1.0);
        where_inside(&inside, a * self.rate.log() + (a - 1.0).xlogy(&safe) - &self.rate * &safe - a.lgamma())
    }

    fn entropy(&self) -> Tensor {
        let a = &self.concentration;
        a - self.rate.log() + a.lgamma() - (a - 1.0) * a.digamma()
    }

    fn mean(&self) -> Tensor {
        &self.concentration / &self.rate
    }

    fn variance(&self) -> Tensor {
        &self.concentration / self.rate.square()
    }
}

impl Divergence for Gamma {
    #[track_caller]
    fn kl(&self, q: &Gamma) -> Tensor {
        let (p, a) = (self, &self.concentration);
        &q.concentration * (p.rate.log() - q.rate.log()) + q.concentration.lgamma() - a.lgamma()
            + (a - &q.concentration) * a.digamma()
            + (&q.rate - &p.rate) * (a / &p.rate)
    }
}

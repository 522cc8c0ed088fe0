//! The reciprocal of a sum of waiting times: a prior of variances.

use super::{Distribution, Divergence, Gamma, require, together, where_inside};
use mapsto_tensor::Tensor;

/// `rateᵃ x^(−a − 1) e^(−rate / x) / Γ(a)` for x above 0, with the concentration `a`: one over a number of the [`Gamma`] distribution.
///
/// The mean is infinite for concentrations of at most 1, and the variance for those of at most 2.
///
/// * PyTorch: `distributions.InverseGamma`.
/// ```
/// use mapsto_nn::distributions::{Distribution, InverseGamma};
/// use mapsto_nn::prelude::*;
/// let d = InverseGamma::new(&tensor![3.0], &tensor![2.0]);
/// assert_close!(d.mean(), [1.0]);
/// assert_close!(d.log_prob(&tensor![1.0]), [-0.61371]);
/// ```
#[derive(Clone, Debug)]
pub struct InverseGamma {
    concentration: Tensor,
    rate: Tensor,
}

impl InverseGamma {
    /// With this concentration and rate.
    ///
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a parameter is not above 0.
    #[track_caller]
    pub fn new(concentration: &Tensor, rate: &Tensor) -> InverseGamma {
        let [concentration, rate] = together("inverse_gamma", [concentration, rate]);
        require("inverse_gamma", "concentration", "above 0", &concentration, |v| v.gt(0.0));
        require("inverse_gamma", "rate", "above 0", &rate, |v| v.gt(0.0));
        InverseGamma { concentration, rate }
    }

    fn inverse(&self) -> Gamma {
        Gamma::new(&self.concentration, &self.rate)
    }

    /// `y` of a concentration that is above a bound, else infinite.
    fn above(&self, bound: f64, y: impl Fn(&Tensor) -> Tensor) -> Tensor {
        let known = self.concentration.detach().gt(bound);
        known.choose(y(&known.choose(&self.concentration, bound + 1.0)), f64::INFINITY)
    }
}

impl Distribution for InverseGamma {
    fn name(&self) -> &'static str {
        "inverse_gamma"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        self.inverse().rsample(shape).recip()
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        let (a, inside) = (&self.concentration, x.detach().gt(0.0));
        let safe = inside.choose(x, 1.0);
        where_inside(&inside, a * self.rate.log() - (a + 1.0) * safe.log() - &self.rate / &safe - a.lgamma())
    }

    fn entropy(&self) -> Tensor {
        let a = &self.concentration;
        a + self.rate.log() + a.lgamma() - (a + 1.0) * a.digamma()
    }

    fn mean(&self) -> Tensor {
        self.above(1.0, |a| &self.rate / (a - 1.0))
    }

    fn variance(&self) -> Tensor {
        self.above(2.0, |a| self.rate.square() / ((a - 1.0).square() * (a - 2.0)))
    }
}

impl Divergence for InverseGamma {
    /// That of the reciprocals.
    #[track_caller]
    fn kl(&self, q: &InverseGamma) -> Tensor {
        self.inverse().kl(&q.inverse())
    }
}

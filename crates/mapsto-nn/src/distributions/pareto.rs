//! Sizes of which a few are most of the sum.

use super::{Distribution, Divergence, Exponential, repeated, require, together, where_inside};
use mapsto_tensor::Tensor;

/// `a sᵃ / x^(a + 1)` for x of at least s, with scale s and exponent a.
///
/// The mean is infinite for exponents of at most 1, and the variance for those of at most 2.
///
/// * PyTorch: `distributions.Pareto`.
/// ```
/// use mapsto_nn::distributions::{Distribution, Pareto};
/// use mapsto_nn::prelude::*;
/// assert_close!(Pareto::new(&tensor![1.0], &tensor![3.0]).mean(), [1.5]);
/// ```
#[derive(Clone, Debug)]
pub struct Pareto {
    scale: Tensor,
    exponent: Tensor,
}

impl Pareto {
    /// With this scale and exponent.
    ///
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a parameter is not above 0.
    #[track_caller]
    pub fn new(scale: &Tensor, exponent: &Tensor) -> Pareto {
        let [scale, exponent] = together("pareto", [scale, exponent]);
        require("pareto", "scale", "above 0", &scale, |v| v.gt(0.0));
        require("pareto", "exponent", "above 0", &exponent, |v| v.gt(0.0));
        Pareto { scale, exponent }
    }

    /// `y` of an exponent that is above a bound, else infinite.
    fn above(&self, bound: f64, y: impl Fn(&Tensor) -> Tensor) -> Tensor {
        let known = self.exponent.detach().gt(bound);
        known.choose(y(&known.choose(&self.exponent, bound + 1.0)), f64::INFINITY)
    }
}

impl Distribution for Pareto {
    fn name(&self) -> &'static str {
        "pareto"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        repeated(&self.scale, shape) * Exponential::new(&self.exponent).rsample(shape).exp()
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        let inside = x.detach().ge(self.scale.detach());
        let log = inside.choose(x, self.scale.detach()).log();
        where_inside(&inside, self.exponent.log() + &self.exponent * (self.scale.log() - &log) - log)
    }

    fn entropy(&self) -> Tensor {
        self.scale.log() - self.exponent.log() + self.exponent.recip() + 1.0
    }

    fn mean(&self) -> Tensor {
        self.above(1.0, |a| &self.scale * a / (a - 1.0))
    }

    fn variance(&self) -> Tensor {
        self.above(2.0, |a| self.scale.square() * a / ((a - 1.0).square() * (a - 2.0)))
    }
}

impl Divergence for Pareto {
    /// Infinite where this one begins before `q`.
    #[track_caller]
    fn kl(&self, q: &Pareto) -> Tensor {
        let ratio = &q.exponent / &self.exponent;
        let y = &q.exponent * (self.scale.log() - q.scale.log()) - ratio.log() + &ratio - 1.0;
        self.scale.detach().ge(q.scale.detach()).choose(y, f64::INFINITY)
    }
}

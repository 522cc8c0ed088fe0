//! The uniform distribution.

use super::{Distribution, Divergence, repeated, require, together, where_inside};
use mapsto_tensor::Tensor;

/// `1 / (high − low)` from `low` to below `high`.
///
/// * PyTorch: `distributions.Uniform`.
/// ```
/// use mapsto_nn::distributions::{Distribution, Uniform};
/// use mapsto_nn::prelude::*;
/// let d = Uniform::new(&tensor![1.0], &tensor![3.0]);
/// assert_close!(d.log_prob(&tensor![2.0, 5.0]), [-0.69315, f64::NEG_INFINITY]);
/// ```
#[derive(Clone, Debug)]
pub struct Uniform {
    low: Tensor,
    high: Tensor,
}

impl Uniform {
    /// Between these two.
    ///
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or `high` is not above `low`.
    #[track_caller]
    pub fn new(low: &Tensor, high: &Tensor) -> Uniform {
        let [low, high] = together("uniform", [low, high]);
        require("uniform", "high", "above `low`", &(high.detach() - low.detach()), |d| d.gt(0.0));
        Uniform { low, high }
    }

    fn width(&self) -> Tensor {
        &self.high - &self.low
    }
}

impl Distribution for Uniform {
    fn name(&self) -> &'static str {
        "uniform"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        &self.low + self.width() * Tensor::rand_like(&repeated(&self.low.detach(), shape))
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        let x = x.detach();
        where_inside(&x.ge(self.low.detach()).and(&x.lt(self.high.detach())), -self.width().log())
    }

    fn entropy(&self) -> Tensor {
        self.width().log()
    }

    fn mean(&self) -> Tensor {
        (&self.low + &self.high) * 0.5
    }

    fn variance(&self) -> Tensor {
        self.width().square() / 12.0
    }
}

impl Divergence for Uniform {
    /// Infinite where this one reaches beyond `q`.
    #[track_caller]
    fn kl(&self, q: &Uniform) -> Tensor {
        let within = q.low.detach().le(self.low.detach()).and(&q.high.detach().ge(self.high.detach()));
        within.choose((q.width() / self.width()).log(), f64::INFINITY)
    }
}

//! The time to a failure that grows likelier, or less so, with age.

use super::{Distribution, EULER, Exponential, repeated, require, together, where_inside};
use mapsto_tensor::Tensor;

/// `k/s (x/s)^(k − 1) e^(−(x/s)ᵏ)` for x above 0, with scale s and concentration k.
///
/// * PyTorch: `distributions.Weibull`.
/// ```
/// use mapsto_nn::distributions::{Distribution, Weibull};
/// use mapsto_nn::prelude::*;
/// let d = Weibull::new(&tensor![2.0], &tensor![2.0]);
/// assert_close!(d.log_prob(&tensor![1.0]), [-0.94315]);
/// assert_close!(d.mean(), [1.77245]);
/// ```
#[derive(Clone, Debug)]
pub struct Weibull {
    scale: Tensor,
    concentration: Tensor,
}

impl Weibull {
    /// With this scale and concentration.
    ///
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a parameter is not above 0.
    #[track_caller]
    pub fn new(scale: &Tensor, concentration: &Tensor) -> Weibull {
        let [scale, concentration] = together("weibull", [scale, concentration]);
        require("weibull", "scale", "above 0", &scale, |v| v.gt(0.0));
        require("weibull", "concentration", "above 0", &concentration, |v| v.gt(0.0));
        Weibull { scale, concentration }
    }

    /// `Γ(1 + n/k)`, the mean of `(x/s)ⁿ`.
    fn moment(&self, n: f64) -> Tensor {
        (n / &self.concentration + 1.0).lgamma().exp()
    }
}

impl Distribution for Weibull {
    fn name(&self) -> &'static str {
        "weibull"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        let one = Tensor::ones_like(&self.scale.detach());
        let noise = Exponential::new(&one).rsample(shape);
        // By the logarithm, so that a small concentration does not leave the range of the floats between.
        repeated(&self.scale, shape) * (noise.log() / &self.concentration).exp()
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        let (k, inside) = (&self.concentration, x.detach().ge(0.0));
        let share = inside.choose(x, 1.0) / &self.scale;
        let above = share.detach().gt(0.0);
        let power = above.choose((k * above.choose(&share, 1.0).log()).exp(), 0.0);
        where_inside(&inside, k.log() - self.scale.log() + (k - 1.0).xlogy(&share) - power)
    }

    fn entropy(&self) -> Tensor {
        let k = &self.concentration;
        (1.0 - 1.0 / k) * EULER + self.scale.log() - k.log() + 1.0
    }

    fn mean(&self) -> Tensor {
        &self.scale * self.moment(1.0)
    }

    fn variance(&self) -> Tensor {
        self.scale.square() * (self.moment(2.0) - self.moment(1.0).square())
    }
}

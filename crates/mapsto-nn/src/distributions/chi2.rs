//! The sum of squares of normal numbers.

use super::{Distribution, Divergence, Gamma, together};
use mapsto_tensor::Tensor;

/// `x^(n/2 − 1) e^(−x/2) / (2^(n/2) Γ(n/2))` with n degrees of freedom: the [`Gamma`] distribution of n/2 and rate ½.
///
/// * PyTorch: `distributions.Chi2`.
/// ```
/// use mapsto_nn::distributions::{Distribution, Chi2};
/// use mapsto_nn::prelude::*;
/// assert_close!(Chi2::new(&tensor![2.0]).log_prob(&tensor![1.0]), [-1.19315]);
/// ```
#[derive(Clone, Debug)]
pub struct Chi2(Gamma);

impl Chi2 {
    /// With these degrees of freedom.
    ///
    /// # Panics
    /// When a number of degrees is not a float above 0.
    #[track_caller]
    pub fn new(freedom: &Tensor) -> Chi2 {
        let [freedom] = together("chi2", [freedom]);
        super::require("chi2", "freedom", "above 0", &freedom, |v| v.gt(0.0));
        Chi2(Gamma::new(&(&freedom * 0.5), &Tensor::full_like(&freedom.detach(), 0.5)))
    }
}

impl Distribution for Chi2 {
    fn name(&self) -> &'static str {
        "chi2"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        self.0.rsample(shape)
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        self.0.log_prob(x)
    }

    fn entropy(&self) -> Tensor {
        self.0.entropy()
    }

    fn mean(&self) -> Tensor {
        self.0.mean()
    }

    fn variance(&self) -> Tensor {
        self.0.variance()
    }
}

impl Divergence for Chi2 {
    #[track_caller]
    fn kl(&self, q: &Chi2) -> Tensor {
        self.0.kl(&q.0)
    }
}

//! The distribution of numbers whose logarithm is normal.

use super::{Distribution, Divergence, Normal, where_inside};
use mapsto_tensor::Tensor;

/// `e^z` of normal z.
///
/// * PyTorch: `distributions.LogNormal`.
/// ```
/// use mapsto_nn::distributions::{Distribution, LogNormal};
/// use mapsto_nn::prelude::*;
/// assert_close!(LogNormal::new(&tensor![0.0], &tensor![1.0]).mean(), [1.64872]);
/// ```
#[derive(Clone, Debug)]
pub struct LogNormal(Normal);

impl LogNormal {
    /// Whose logarithm has this mean and standard deviation.
    ///
    /// # Panics
    /// As [`Normal::new`].
    #[track_caller]
    pub fn new(mean: &Tensor, std: &Tensor) -> LogNormal {
        LogNormal(Normal::new(mean, std))
    }
}

impl Distribution for LogNormal {
    fn name(&self) -> &'static str {
        "log_normal"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        self.0.rsample(shape).exp()
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        let inside = x.detach().gt(0.0);
        let log = inside.choose(x, 1.0).log();
        where_inside(&inside, self.0.log_prob(&log) - log)
    }

    fn entropy(&self) -> Tensor {
        self.0.entropy() + self.0.mean()
    }

    fn mean(&self) -> Tensor {
        (self.0.mean() + self.0.variance() * 0.5).exp()
    }

    fn variance(&self) -> Tensor {
        self.0.variance().expm1() * (self.0.mean() * 2.0 + self.0.variance()).exp()
    }
}

impl Divergence for LogNormal {
    #[track_caller]
    fn kl(&self, q: &LogNormal) -> Tensor {
        self.0.kl(&q.0)
    }
}

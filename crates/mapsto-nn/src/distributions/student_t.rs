//! A normal distribution whose spread is not known: heavy tails.

use super::{Distribution, repeated, require, together};
use mapsto_tensor::{Tensor, random};
use std::f64::consts::PI;

/// `Γ((n + 1)/2) / (Γ(n/2) √(n π) s) · (1 + z²/n)^(−(n + 1)/2)` of `z = (x − μ) / s`, with n degrees of freedom.
///
/// The mean is NaN for at most one degree of freedom; the variance is infinite for at most two, and NaN for at most one. Samples
/// learn about n as those of the [`Chi2`](super::Chi2) distribution below the root.
///
/// * PyTorch: `distributions.StudentT`.
/// ```
/// use mapsto_nn::distributions::{Distribution, StudentT};
/// use mapsto_nn::prelude::*;
/// let d = StudentT::new(&tensor![4.0], &tensor![0.0], &tensor![1.0]);
/// assert_close!(d.log_prob(&tensor![0.0]), [-0.98083]);
/// assert_close!(d.variance(), [2.0]);
/// ```
#[derive(Clone, Debug)]
pub struct StudentT {
    freedom: Tensor,
    mean: Tensor,
    scale: Tensor,
}

impl StudentT {
    /// With these degrees of freedom, this centre and this scale.
    ///
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a number of degrees or a scale is not above 0.
    #[track_caller]
    pub fn new(freedom: &Tensor, mean: &Tensor, scale: &Tensor) -> StudentT {
        let [freedom, mean, scale] = together("student_t", [freedom, mean, scale]);
        require("student_t", "freedom", "above 0", &freedom, |v| v.gt(0.0));
        require("student_t", "scale", "above 0", &scale, |v| v.gt(0.0));
        StudentT { freedom, mean, scale }
    }

    /// `ln (s √(n π) Γ(n/2) / Γ((n + 1)/2))`.
    fn log_norm(&self) -> Tensor {
        let n = &self.freedom;
        self.scale.log() + (n.log() + PI.ln()) * 0.5 + (n * 0.5).lgamma() - ((n + 1.0) * 0.5).lgamma()
    }
}

impl Distribution for StudentT {
    fn name(&self) -> &'static str {
        "student_t"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        random::student_t(&repeated(&self.freedom, shape), &self.mean, &self.scale)
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        let (n, z) = (&self.freedom, (x - &self.mean) / &self.scale);
        (n + 1.0) * -0.5 * (z.square() / n).log1p() - self.log_norm()
    }

    fn entropy(&self) -> Tensor {
        let n = &self.freedom;
        let next = (n + 1.0) * 0.5;
        &next * (next.digamma() - (n * 0.5).digamma()) + self.log_norm()
    }

    fn mean(&self) -> Tensor {
        self.freedom.detach().gt(1.0).choose(&self.mean, f64::NAN)
    }

    fn variance(&self) -> Tensor {
        let n = &self.freedom;
        let known = n.detach().gt(2.0);
        let safe = known.choose(n, 3.0);
        let finite = known.choose(self.scale.square() * &safe / (&safe - 2.0), f64::INFINITY);
        n.detach().gt(1.0).choose(finite, f64::NAN)
    }
}

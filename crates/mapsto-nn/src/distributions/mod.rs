//! Distributions of random tensors: samples, densities, entropies, and divergences between two of one family.
//!
//! Their parameters are tensors that broadcast together; each sample has their shape behind the one that is asked for. Draws come
//! from [`mapsto_tensor::random`], so a seed gives the same ones on any number of threads.

mod bernoulli;
mod beta;
mod categorical;
mod cauchy;
mod chi2;
mod dirichlet;
mod exponential;
mod gamma;
mod gumbel;
mod gumbel_softmax;
mod half_cauchy;
mod half_normal;
mod inverse_gamma;
mod laplace;
mod log_normal;
mod multivariate_normal;
mod normal;
mod pareto;
mod poisson;
mod student_t;
#[cfg(test)]
mod tests;
mod uniform;
mod weibull;

pub use bernoulli::Bernoulli;
pub use beta::Beta;
pub use categorical::Categorical;
pub use cauchy::Cauchy;
pub use chi2::Chi2;
pub use dirichlet::Dirichlet;
pub use exponential::Exponential;
pub use gamma::Gamma;
pub use gumbel::Gumbel;
pub use gumbel_softmax::{gumbel_softmax, gumbel_softmax_hard};
pub use half_cauchy::HalfCauchy;
pub use half_normal::HalfNormal;
pub use inverse_gamma::InverseGamma;
pub use laplace::Laplace;
pub use log_normal::LogNormal;
pub use multivariate_normal::MultivariateNormal;
pub use normal::Normal;
pub use pareto::Pareto;
pub use poisson::Poisson;
pub use student_t::StudentT;
pub use uniform::Uniform;
pub use weibull::Weibull;

use mapsto_tensor::{Tensor, fail, no_grad};

/// A distribution over tensors.
///
/// ```
/// use mapsto_nn::distributions::{Distribution, Normal};
/// use mapsto_nn::prelude::*;
/// let d = Normal::new(&tensor![0.0, 10.0], &tensor![1.0]);
/// assert_eq!(d.sample(&[5]).shape(), [5, 2]);
/// assert_close!(d.log_prob(&tensor![0.0, 10.0]), [-0.91894, -0.91894]);
/// ```
pub trait Distribution {
    /// The name, as messages show it.
    fn name(&self) -> &'static str;

    /// Samples that the parameters may learn from: functions of the parameters and of noise that is a constant to them
    /// (reparametrisation; Kingma and Welling 2013, arXiv:1312.6114).
    ///
    /// * Shape: `shape` before that of the parameters.
    /// # Panics
    /// When the distribution has no such form.
    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        let _ = shape;
        fail!(self.name(), "its samples have no derivative by its parameters"; help = "draw with `sample`, and learn from `log_prob` of the draw")
    }

    /// Samples, which are constants.
    ///
    /// * Shape: `shape` before that of the parameters.
    #[track_caller]
    fn sample(&self, shape: &[usize]) -> Tensor {
        no_grad(|| self.rsample(shape)).detach()
    }

    /// The logarithm of the density, or of the probability of a count or a class, at `x`; `−∞` where there is none.
    ///
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    fn log_prob(&self, x: &Tensor) -> Tensor;

    /// The entropy in nats.
    fn entropy(&self) -> Tensor;

    /// The mean.
    fn mean(&self) -> Tensor;

    /// The variance.
    fn variance(&self) -> Tensor;

    /// The standard deviation.
    fn stddev(&self) -> Tensor {
        self.variance().sqrt()
    }
}

/// What has a divergence from another distribution.
pub trait Divergence<Q = Self> {
    /// The divergence of Kullback and Leibler from `q`, in nats: the mean of `ln p(x) − ln q(x)` over samples x of this one.
    fn kl(&self, q: &Q) -> Tensor;
}

/// The divergence of Kullback and Leibler, `KL(p ‖ q)`, in nats.
///
/// * PyTorch: `torch.distributions.kl_divergence`.
/// ```
/// use mapsto_nn::distributions::{Normal, kl_divergence};
/// use mapsto_nn::prelude::*;
/// let (p, q) = (Normal::new(&tensor![1.0], &tensor![1.0]), Normal::new(&tensor![0.0], &tensor![1.0]));
/// assert_close!(kl_divergence(&p, &q), [0.5]);
/// ```
/// # Panics
/// When the shapes do not broadcast or the dtypes differ.
#[track_caller]
pub fn kl_divergence<P: Divergence<Q>, Q>(p: &P, q: &Q) -> Tensor {
    p.kl(q)
}

/// `ln √(2π)`.
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;
/// Euler's constant γ.
const EULER: f64 = 0.577_215_664_901_532_9;

/// Parameters of floats, expanded to the shape that all of them broadcast to.
#[track_caller]
fn together<const N: usize>(name: &str, parameters: [&Tensor; N]) -> [Tensor; N] {
    for p in parameters {
        if !p.dtype().is_float() || p.dtype() != parameters[0].dtype() {
            fail!(name, "parameters are floats of one dtype, these are {} and {}", parameters[0].dtype(), p.dtype();
                  help = "convert them with `.to(DType::F32)`");
        }
    }
    let all = Tensor::broadcast_tensors(&parameters);
    std::array::from_fn(|i| all[i].clone())
}

/// Refuses a parameter of which a condition does not hold everywhere.
#[track_caller]
fn require(name: &str, parameter: &str, wanted: &str, value: &Tensor, holds: impl Fn(&Tensor) -> Tensor) {
    if !value.device().backend().has_numbers() || value.is_empty() {
        return;
    }
    if holds(&value.detach()).all(..).item() == 0.0 {
        fail!(name, "`{parameter}` must be {wanted}");
    }
}

/// A parameter repeated for a shape of samples.
#[track_caller]
fn repeated(parameter: &Tensor, shape: &[usize]) -> Tensor {
    parameter.expand([shape, parameter.shape()].concat())
}

/// `y` where a condition on `x` holds, else `−∞`.
#[track_caller]
fn where_inside(inside: &Tensor, y: Tensor) -> Tensor {
    inside.choose(y, f64::NEG_INFINITY)
}

//! The gamma distribution and what is made of it.

use super::words::{Words, each, require, together};
use crate::error::named;
use crate::ops::{dirichlet_path, gamma_path};
use crate::{DType, Tensor, fail, no_grad};
use mapsto_kernels::real::Real;

/// Numbers of the gamma distribution with density `rateᵃ x^(a − 1) e^(−rate · x) / Γ(a)` for the concentration `a`, one for each pair of
/// parameters, from the user stream.
///
/// Source: Marsaglia and Tsang (2000), A simple method for generating gamma variables; its gradient by the concentration: Figurnov,
/// Mohamed and Mnih (2018), Implicit reparameterization gradients, arXiv:1805.08498.
///
/// * Gradient: `drate = −x / rate · dy`, and `da` is how far the draw moves while the share of the distribution below it stays the
///   same. The second derivative by it is NaN.   * PyTorch: `distributions.Gamma`.
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = random::gamma(&Tensor::full([10_000], 3.0), &Tensor::full([1], 2.0));
/// assert!((x.mean(..).item() - 1.5).abs() < 0.05);
/// ```
/// # Panics
/// When the shapes do not broadcast, the dtypes differ, or a parameter is not above 0.
#[track_caller]
pub fn gamma(concentration: &Tensor, rate: &Tensor) -> Tensor {
    let shape = together("gamma", &[concentration, rate]);
    check("gamma", "concentration", concentration);
    check("gamma", "rate", rate);
    named("gamma", || standard(&concentration.expand(shape)) / rate)
}

/// [`gamma`] with a rate of 1.
///
/// * PyTorch: `torch._standard_gamma`.
/// ```
/// use mapsto_tensor::prelude::*;
/// assert!((random::standard_gamma(&Tensor::full([10_000], 0.5)).mean(..).item() - 0.5).abs() < 0.03);
/// ```
/// # Panics
/// When a concentration is not a float above 0.
#[track_caller]
pub fn standard_gamma(concentration: &Tensor) -> Tensor {
    together("standard_gamma", &[concentration]);
    check("standard_gamma", "concentration", concentration);
    named("standard_gamma", || standard(concentration))
}

/// Gamma numbers that move with their concentrations.
#[track_caller]
fn standard(concentration: &Tensor) -> Tensor {
    let x = no_grad(|| positive(&logs(concentration).exp(), concentration.dtype()));
    gamma_path(concentration, &x)
}

/// Numbers of the χ² distribution: sums of so many squares of normal numbers, one for each number of degrees of freedom.
///
/// * Gradient: as that of [`gamma`].   * PyTorch: `distributions.Chi2`.
/// ```
/// use mapsto_tensor::prelude::*;
/// assert!((random::chi2(&Tensor::full([10_000], 3.0)).mean(..).item() - 3.0).abs() < 0.1);
/// ```
/// # Panics
/// When a number is not a float above 0.
#[track_caller]
pub fn chi2(freedom: &Tensor) -> Tensor {
    together("chi2", &[freedom]);
    check("chi2", "freedom", freedom);
    named("chi2", || standard(&(freedom * 0.5)) * 2.0)
}

/// Numbers of the beta distribution with density `x^(a − 1) (1 − x)^(b − 1) / B(a, b)`, one for each pair of parameters.
///
/// * Gradient: by both parameters as that of [`gamma`].   * PyTorch: `distributions.Beta`.
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = random::beta(&Tensor::full([10_000], 2.0), &Tensor::full([1], 6.0));
/// assert!((x.mean(..).item() - 0.25).abs() < 0.01);
/// ```
/// # Panics
/// When the shapes do not broadcast, the dtypes differ, or a parameter is not above 0.
#[track_caller]
pub fn beta(a: &Tensor, b: &Tensor) -> Tensor {
    let shape = together("beta", &[a, b]);
    check("beta", "a", a);
    check("beta", "b", b);
    named("beta", || {
        let (a, b) = (a.expand(shape), b.expand(shape));
        // By logarithms: with small parameters both gamma numbers would be 0.
        let odds = logs(&a) - logs(&b);
        let shares = Tensor::stack(&[odds.sigmoid(), (-odds).sigmoid()], -1).to(a.dtype());
        dirichlet_path(&Tensor::stack(&[&a, &b], -1), &shares).select(-1, 0)
    })
}

/// Points of the Dirichlet distribution: rows of shares that add up to 1, one for each row of concentrations.
///
/// * Shape: `[.., k] → [.., k]`.   * Gradient: as that of [`gamma`].   * PyTorch: `distributions.Dirichlet`.
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = random::dirichlet(&Tensor::full([1000, 3], 2.0));
/// assert_close!(x.sum(-1), Tensor::ones([1000]));
/// ```
/// # Panics
/// When there are no axes, or a concentration is not a float above 0.
#[track_caller]
pub fn dirichlet(concentration: &Tensor) -> Tensor {
    together("dirichlet", &[concentration]);
    if concentration.rank() == 0 {
        fail!("dirichlet", "a row of concentrations is needed, the shape is []");
    }
    check("dirichlet", "concentration", concentration);
    named("dirichlet", || {
        let x = no_grad(|| logs(concentration).softmax(-1).to(concentration.dtype()));
        dirichlet_path(concentration, &x)
    })
}

#[track_caller]
fn check(op: &str, name: &str, parameter: &Tensor) {
    require(op, name, "above 0 and finite", parameter, |v| v > 0.0 && v < f64::INFINITY);
}

/// What is 0 in a dtype becomes its least normal number: no gamma number is 0.
#[track_caller]
fn positive(x: &Tensor, dtype: DType) -> Tensor {
    let least = match dtype {
        DType::F64 => f64::MIN_POSITIVE,
        DType::F16 => 2f64.powi(-14),
        _ => f64::from(f32::MIN_POSITIVE),
    };
    x.maximum(least).to(dtype)
}

/// Logarithms (f64) of gamma numbers, which small concentrations make smaller than any float.
#[track_caller]
fn logs(concentration: &Tensor) -> Tensor {
    each(&concentration.detach(), log_gamma)
}

fn log_gamma(words: &mut Words, a: f64) -> f64 {
    if a < 1.0 {
        // The number of a + 1, times u^(1 / a).
        let shrunk = Real::ln(words.uniform()) / a;
        return log_gamma(words, a + 1.0) + shrunk;
    }
    let d = a - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let z = words.normal();
        let root = 1.0 + c * z;
        if root <= 0.0 {
            continue;
        }
        let (v, log) = (root * root * root, 3.0 * Real::ln(root));
        let u = words.uniform();
        if Real::ln(u) < 0.5 * z * z + d * (1.0 - v + log) {
            return Real::ln(d) + log;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::judged::{distance, is_pure};
    use super::*;
    use crate::prelude::*;

    #[test]
    fn numbers_follow_their_laws() {
        seed(4);
        let n = 20_000;
        for (a, rate) in [(0.02, 1.0), (0.3, 2.0), (1.0, 1.0), (2.5, 0.5), (200.0, 3.0)] {
            let x = gamma(&Tensor::full([n], a).to(DType::F64), &tensor![rate].to(DType::F64));
            let d = distance(&x, |x| Tensor::from_vec(vec![a], [1]).gammainc(x * rate).item());
            assert!(d < 1.95, "{a}: {d}");
        }
        // B(2, 3) has the distribution function 6x² − 8x³ + 3x⁴.
        let d = distance(&beta(&Tensor::full([n], 2.0), &tensor![3.0]), |x| {
            x * x * (6.0 - 8.0 * x + 3.0 * x * x)
        });
        assert!(d < 1.95, "{d}");
        // A share of a Dirichlet point follows the beta distribution.
        let x = dirichlet(&tensor![2.0, 1.0, 2.0].expand([n, 3]));
        let d = distance(&x.select(1, 0), |x| x * x * (6.0 - 8.0 * x + 3.0 * x * x));
        assert!(d < 1.95 && (x.sum(1) - 1.0).abs().max(..).item() < 1e-6, "{d}");
        let d = distance(&chi2(&Tensor::full([n], 2.0)), |x| 1.0 - (-0.5 * x).exp());
        assert!(d < 1.95, "{d}");
        is_pure(|| gamma(&Tensor::full([3000], 0.7), &Tensor::ones([1])));
    }

    #[test]
    fn ends_and_refusals() {
        let tiny = standard_gamma(&Tensor::full([100], 1e-3));
        assert!(tiny.min(..).item() > 0.0);
        let x = beta(&Tensor::full([100], 1e-3), &Tensor::full([1], 1e-3));
        assert!(x.is_nan().any(..).item() == 0.0);
        let rate = tensor![2.0].leaf();
        let x = gamma(&tensor![3.0], &rate);
        assert_close!(x.sum(..).backward().of(&rate), -x.detach() / 2.0);
        let e = catch(|| gamma(&tensor![-1.0], &tensor![1.0])).unwrap_err();
        assert_eq!(e.message(), "gamma: `concentration` must be above 0 and finite, got -1");
        assert_eq!(dirichlet(&Tensor::ones([0, 3])).shape(), [0, 3]);
    }
}

//! Distributions whose numbers are functions of uniform ones: the function is the derivative's way back to the parameters.

use super::words::{each, require, together};
use super::{Distribution, Stream, gamma, next};
use crate::error::named;
use crate::{DType, Tensor};
use std::f64::consts::PI;

/// Numbers of the exponential distribution with density `rate · e^(−rate · x)`, one for each rate, from the user stream.
///
/// * Gradient: `drate = −x / rate · dy`, the draw staying the same.   * PyTorch: `Tensor.exponential_`, `distributions.Exponential`.
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = random::exponential(&Tensor::full([10_000], 2.0));
/// assert!((x.mean(..).item() - 0.5).abs() < 0.03 && x.min(..).item() > 0.0);
/// ```
/// # Panics
/// When the rates are not floats above 0.
#[track_caller]
pub fn exponential(rate: &Tensor) -> Tensor {
    together("exponential", &[rate]);
    require("exponential", "rate", "above 0", rate, |v| v > 0.0);
    named("exponential", || noise(rate, |u| -u.log()) / rate)
}

/// Numbers of the Laplace distribution with density `e^(−|x − mean| / scale) / (2 scale)`, one for each pair of parameters.
///
/// * Gradient: `dmean = dy`, `dscale = (x − mean) / scale · dy`.   * PyTorch: `distributions.Laplace`.
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = random::laplace(&Tensor::zeros([10_000]), &Tensor::ones([1]));
/// assert!((x.abs().mean(..).item() - 1.0).abs() < 0.05);
/// ```
/// # Panics
/// When the shapes do not broadcast, the dtypes differ, or a scale is not above 0.
#[track_caller]
pub fn laplace(mean: &Tensor, scale: &Tensor) -> Tensor {
    located("laplace", mean, scale, |u| {
        let v = u - 0.5;
        -v.sign() * (v.abs() * -2.0).log1p()
    })
}

/// Numbers of the Gumbel distribution, the largest of many: `mean − scale ln(−ln u)` of uniform u, one for each pair of parameters.
///
/// * Gradient: `dmean = dy`, `dscale = (x − mean) / scale · dy`.   * PyTorch: `distributions.Gumbel`.
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = random::gumbel(&Tensor::zeros([10_000]), &Tensor::ones([1]));
/// assert!((x.mean(..).item() - 0.57722).abs() < 0.05);
/// ```
/// # Panics
/// When the shapes do not broadcast, the dtypes differ, or a scale is not above 0.
#[track_caller]
pub fn gumbel(mean: &Tensor, scale: &Tensor) -> Tensor {
    located("gumbel", mean, scale, |u| -(-u.log()).log())
}

/// Numbers of the Cauchy distribution with density `1 / (π scale (1 + ((x − median) / scale)²))`, one for each pair of parameters.
///
/// * Gradient: `dmedian = dy`, `dscale = (x − median) / scale · dy`.   * PyTorch: `Tensor.cauchy_`, `distributions.Cauchy`.
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = random::cauchy(&Tensor::full([10_000], 3.0), &Tensor::ones([1]));
/// assert!((x.median(0).0.item() - 3.0).abs() < 0.1);
/// ```
/// # Panics
/// When the shapes do not broadcast, the dtypes differ, or a scale is not above 0.
#[track_caller]
pub fn cauchy(median: &Tensor, scale: &Tensor) -> Tensor {
    located("cauchy", median, scale, |u| ((u - 0.5) * PI).tan())
}

/// Numbers whose logarithms are normal with `mean` and `std`, one for each pair of parameters.
///
/// * Gradient: `dmean = x dy`, `dstd = x (ln x − mean) / std · dy`.   * PyTorch: `Tensor.log_normal_`, `distributions.LogNormal`.
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = random::log_normal(&Tensor::full([10_000], 1.0), &Tensor::full([1], 0.5));
/// assert!((x.log().mean(..).item() - 1.0).abs() < 0.03);
/// ```
/// # Panics
/// When the shapes do not broadcast, the dtypes differ, or a deviation is below 0.
#[track_caller]
pub fn log_normal(mean: &Tensor, std: &Tensor) -> Tensor {
    let shape = together("log_normal", &[mean, std]);
    require("log_normal", "std", "at least 0", std, |v| v >= 0.0);
    let draw = next(Stream::User);
    named("log_normal", || {
        let z =
            mean.device().scope(|| Tensor::random(draw, Distribution::Normal(0.0, 1.0), shape, mean.dtype()));
        (mean + std * z).exp()
    })
}

/// Numbers of Student's t distribution with `freedom` degrees of freedom around `mean`, one for each triple of parameters: normal
/// ones over the root of `χ² / freedom`.
///
/// * Gradient: `dmean = dy`, `dscale = (x − mean) / scale · dy`; `freedom` has that of the
///   [`chi2`](super::chi2) number below the root.   * PyTorch: `distributions.StudentT`.
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = random::student_t(&Tensor::full([10_000], 9.0), &Tensor::zeros([1]), &Tensor::ones([1]));
/// assert!((x.var(..).item() - 9.0 / 7.0).abs() < 0.15);
/// ```
/// # Panics
/// When the shapes do not broadcast, the dtypes differ, or a scale or a number of degrees is not above 0.
#[track_caller]
pub fn student_t(freedom: &Tensor, mean: &Tensor, scale: &Tensor) -> Tensor {
    let shape = together("student_t", &[freedom, mean, scale]);
    require("student_t", "freedom", "above 0", freedom, |v| v > 0.0);
    require("student_t", "scale", "above 0", scale, |v| v > 0.0);
    named("student_t", || {
        let freedom = freedom.to(DType::F64).expand(shape);
        let normal = each(&freedom, |words, _| words.normal());
        let chi = gamma::standard_gamma(&(&freedom * 0.5)) * 2.0;
        let t = (normal / (chi / freedom).sqrt()).to(mean.dtype());
        mean + scale * t
    })
}

/// `mean + scale · noise` of a family that has both.
#[track_caller]
fn located(op: &str, mean: &Tensor, scale: &Tensor, f: fn(&Tensor) -> Tensor) -> Tensor {
    let shape = together(op, &[mean, scale]);
    require(op, "scale", "above 0", scale, |v| v > 0.0);
    named(op, || mean + scale * noise(&mean.detach().expand(shape), f))
}

/// A function of uniform numbers between 0 and 1, of the shape and dtype of another tensor; computed in f64.
#[track_caller]
fn noise(like: &Tensor, f: fn(&Tensor) -> Tensor) -> Tensor {
    let u = each(like, |words, _| words.uniform());
    f(&u).to(like.dtype())
}

#[cfg(test)]
mod tests {
    use super::super::words::judged::{distance, is_pure};
    use super::*;
    use crate::prelude::*;

    #[test]
    fn numbers_follow_their_laws() {
        seed(11);
        let n = 20_000;
        let of = |v: f64| Tensor::full([n], v);
        let one = |v: f64| Tensor::full([1], v);
        let d = [
            distance(&exponential(&of(2.0)), |x| 1.0 - (-2.0 * x).exp()),
            distance(&laplace(&of(1.0), &one(2.0)), |x| {
                let z = (x - 1.0) / 2.0;
                if z < 0.0 { 0.5 * z.exp() } else { 1.0 - 0.5 * (-z).exp() }
            }),
            distance(&gumbel(&of(1.0), &one(2.0)), |x| (-(-(x - 1.0) / 2.0).exp()).exp()),
            distance(&cauchy(&of(1.0), &one(2.0)), |x| 0.5 + ((x - 1.0) / 2.0).atan() / PI),
            distance(&log_normal(&of(0.5), &one(0.7)), |x| tensor![(x.ln() - 0.5) / 0.7].ndtr().item()),
            // With two degrees of freedom the distribution function is algebraic.
            distance(&student_t(&of(2.0), &one(1.0), &one(3.0)), |x| {
                let z = (x - 1.0) / 3.0;
                0.5 + z / (2.0 * (2.0 + z * z).sqrt())
            }),
        ];
        assert!(d.iter().all(|d| *d < 1.95), "{d:?}");
        is_pure(|| exponential(&Tensor::full([3000], 2.0)));
        is_pure(|| student_t(&Tensor::full([3000], 2.0), &Tensor::zeros([1]), &Tensor::ones([1])));
    }

    #[test]
    fn gradients_go_back_to_the_parameters() {
        let (mean, scale) = (tensor![1.0, -2.0].leaf(), tensor![2.0].leaf());
        type Draw = fn(&Tensor, &Tensor) -> Tensor;
        for draw in [laplace, gumbel, cauchy] as [Draw; 3] {
            let x = draw(&mean, &scale);
            let z = (x.detach() - mean.detach()) / scale.detach();
            let grads = x.sum(..).backward();
            assert_close!(grads.of(&mean), [1.0, 1.0]);
            assert_close!(grads.of(&scale), z.sum(keep(0)));
        }
        let x = exponential(&scale);
        assert_close!(x.sum(..).backward().of(&scale), -x.detach() / 2.0);
    }

    #[test]
    fn what_is_no_parameter_is_refused() {
        let e = catch(|| exponential(&tensor![1.0, 0.0])).unwrap_err();
        assert_eq!(e.message(), "exponential: `rate` must be above 0, got 0");
        let e = catch(|| laplace(&tensor![1.0], &tensor![f64::NAN])).unwrap_err();
        assert_eq!(e.message(), "laplace: `scale` must be above 0, got NaN");
        assert!(
            catch(|| gumbel(&tensor![1, 2], &tensor![1, 2]))
                .unwrap_err()
                .message()
                .starts_with("gumbel: parameters are floats")
        );
        assert_eq!(exponential(&Tensor::ones([0, 3])).shape(), [0, 3]);
        assert_eq!(exponential(&Tensor::ones([2]).to(DType::BF16)).dtype(), DType::BF16);
    }
}

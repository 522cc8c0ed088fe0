//! Distributions of whole numbers.

use super::words::{Words, each, require, together};
use crate::Tensor;
use crate::error::named;
use crate::ops::lgamma_of;
use mapsto_kernels::real::Real;

/// Ones and zeros, a one with the probability that each element says; in the dtype of the probabilities, from the user stream.
///
/// * PyTorch: `torch.bernoulli`. [`Tensor::bernoulli`] takes one probability.
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = random::bernoulli(&tensor![0.0, 1.0]);
/// assert_close!(x, [0.0, 1.0]);
/// ```
/// # Panics
/// When a probability is not a float from 0 to 1.
#[track_caller]
pub fn bernoulli(p: &Tensor) -> Tensor {
    together("bernoulli", &[p]);
    check("bernoulli", p);
    named("bernoulli", || each(p, |words, p| f64::from(u8::from(words.uniform() < p))).to(p.dtype()))
}

/// Counts of successes in `trials` tries with the probability that each element says, in its dtype.
///
/// Source: Hörmann (1993), The generation of binomial random variates (BTRS).
///
/// * PyTorch: `torch.binomial`, whose trials are a tensor.
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = random::binomial(10, &Tensor::full([10_000], 0.3));
/// assert!((x.mean(..).item() - 3.0).abs() < 0.06 && x.max(..).item() <= 10.0);
/// ```
/// # Panics
/// When a probability is not a float from 0 to 1.
#[track_caller]
pub fn binomial(trials: u32, p: &Tensor) -> Tensor {
    together("binomial", &[p]);
    check("binomial", p);
    let n = f64::from(trials);
    named("binomial", || {
        let draw = move |words: &mut Words, p: f64| {
            if p > 0.5 { n - successes(words, n, 1.0 - p) } else { successes(words, n, p) }
        };
        each(p, draw).to(p.dtype())
    })
}

/// Counts of events that come at the rate that each element says, in its dtype.
///
/// Source: Hörmann (1993), The transformed rejection method for generating Poisson random variables (PTRS).
///
/// * PyTorch: `torch.poisson`.
/// ```
/// use mapsto_tensor::prelude::*;
/// assert!((random::poisson(&Tensor::full([10_000], 4.0)).mean(..).item() - 4.0).abs() < 0.1);
/// ```
/// # Panics
/// When a rate is not a finite float of at least 0.
#[track_caller]
pub fn poisson(rate: &Tensor) -> Tensor {
    together("poisson", &[rate]);
    require("poisson", "rate", "finite and at least 0", rate, |v| (0.0..f64::INFINITY).contains(&v));
    named("poisson", || each(rate, events).to(rate.dtype()))
}

/// How many tries it takes to the first success, with the probability that each element says: 1 at least.
///
/// * PyTorch: `Tensor.geometric_`; `distributions.Geometric` counts the failures, one less.
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = random::geometric(&Tensor::full([10_000], 0.25));
/// assert!((x.mean(..).item() - 4.0).abs() < 0.15 && x.min(..).item() == 1.0);
/// ```
/// # Panics
/// When a probability is not a float above 0 and up to 1.
#[track_caller]
pub fn geometric(p: &Tensor) -> Tensor {
    together("geometric", &[p]);
    require("geometric", "p", "above 0 and up to 1", p, |v| v > 0.0 && v <= 1.0);
    named("geometric", || each(p, tries).to(p.dtype()))
}

#[track_caller]
fn check(op: &str, p: &Tensor) {
    require(op, "p", "from 0 to 1", p, |v| (0.0..=1.0).contains(&v));
}

fn tries(words: &mut Words, p: f64) -> f64 {
    (Real::ln(words.uniform()) / Real::ln_1p(-p)).ceil().max(1.0)
}

fn events(words: &mut Words, rate: f64) -> f64 {
    if rate < 10.0 {
        // How many exponential numbers fit into the time.
        let (mut left, mut count) = (rate, 0.0);
        loop {
            left += Real::ln(words.uniform());
            if left < 0.0 {
                return count;
            }
            count += 1.0;
        }
    }
    let (root, log) = (rate.sqrt(), Real::ln(rate));
    let b = 0.931 + 2.53 * root;
    let a = -0.059 + 0.02483 * b;
    let (inverse, v_r) = (1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2.0));
    loop {
        let (u, v) = (words.uniform() - 0.5, words.uniform());
        let us = 0.5 - u.abs();
        let k = ((2.0 * a / us + b) * u + rate + 0.43).floor();
        if us >= 0.07 && v <= v_r {
            return k;
        }
        if k < 0.0 || (us < 0.013 && v > us) {
            continue;
        }
        if Real::ln(v) + Real::ln(inverse) - Real::ln(a / (us * us) + b)
            <= k * log - rate - lgamma_of(k + 1.0)
        {
            return k;
        }
    }
}

/// For a probability of up to a half.
fn successes(words: &mut Words, n: f64, p: f64) -> f64 {
    if p == 0.0 {
        return 0.0;
    }
    if n * p < 10.0 {
        // From one success to the next.
        let (mut at, mut count) = (0.0, 0.0);
        loop {
            at += tries(words, p);
            if at > n {
                return count;
            }
            count += 1.0;
        }
    }
    let spread = (n * p * (1.0 - p)).sqrt();
    let b = 1.15 + 2.53 * spread;
    let a = -0.0873 + 0.0248 * b + 0.01 * p;
    let (c, v_r, alpha) = (n * p + 0.5, 0.92 - 4.2 / b, (2.83 + 5.1 / b) * spread);
    let (odds, m) = (Real::ln(p / (1.0 - p)), ((n + 1.0) * p).floor());
    let h = lgamma_of(m + 1.0) + lgamma_of(n - m + 1.0);
    loop {
        let (u, v) = (words.uniform() - 0.5, words.uniform());
        let us = 0.5 - u.abs();
        let k = ((2.0 * a / us + b) * u + c).floor();
        if us >= 0.07 && v <= v_r {
            return k;
        }
        if k < 0.0 || k > n {
            continue;
        }
        let v = Real::ln(v * alpha / (a / (us * us) + b));
        if v <= h - lgamma_of(k + 1.0) - lgamma_of(n - k + 1.0) + (k - m) * odds {
            return k;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::judged::{chi_square, is_pure};
    use super::*;
    use crate::prelude::*;

    #[test]
    fn numbers_follow_their_laws() {
        seed(8);
        let n = 20_000;
        let of = |v: f64| Tensor::full([n], v).to(DType::F64);
        let ln = |k: f64| lgamma_of(k + 1.0);
        for rate in [0.3f64, 4.0, 9.9, 10.1, 60.0] {
            let z = chi_square(&poisson(&of(rate)), |k| (k as f64 * rate.ln() - rate - ln(k as f64)).exp());
            assert!(z < 4.0, "Poisson {rate}: {z}");
        }
        for (t, p) in [(10u32, 0.3f64), (10, 0.9), (100, 0.5), (400, 0.03), (1000, 0.7), (1, 0.5)] {
            let share = |k: i64| {
                let (n, k) = (f64::from(t), k as f64);
                (ln(n) - ln(k) - ln(n - k) + k * p.ln() + (n - k) * (1.0 - p).ln()).exp()
            };
            let x = binomial(t, &of(p));
            assert!(x.min(..).item() >= 0.0 && x.max(..).item() <= f64::from(t));
            let z = chi_square(&x, share);
            assert!(z < 4.0, "binomial {t} {p}: {z}");
        }
        let z =
            chi_square(&geometric(&of(0.3)), |k| if k < 1 { 0.0 } else { 0.3 * 0.7f64.powi(k as i32 - 1) });
        assert!(z < 4.0, "geometric: {z}");
        let z = chi_square(&bernoulli(&of(0.3)), |k| if k == 1 { 0.3 } else { 0.7 });
        assert!(z < 4.0, "Bernoulli: {z}");
        let far = poisson(&of(1e9));
        assert!((far.mean(..).item() - 1e9).abs() < 1200.0 && (far.var(..).item() / 1e9 - 1.0).abs() < 0.06);
        is_pure(|| poisson(&Tensor::full([3000], 12.0)));
        is_pure(|| binomial(100, &Tensor::full([3000], 0.4)));
    }

    #[test]
    fn ends_and_refusals() {
        assert_close!(binomial(7, &tensor![0.0, 1.0]), [0.0, 7.0]);
        assert_close!(binomial(0, &tensor![0.5]), [0.0]);
        assert_close!(poisson(&tensor![0.0]), [0.0]);
        assert_close!(geometric(&tensor![1.0]), [1.0]);
        let e = catch(|| bernoulli(&tensor![0.5, 1.5])).unwrap_err();
        assert_eq!(e.message(), "bernoulli: `p` must be from 0 to 1, got 1.5");
        assert!(
            catch(|| poisson(&tensor![f64::INFINITY])).is_err()
                && catch(|| geometric(&tensor![0.0])).is_err()
        );
        assert_eq!(poisson(&Tensor::ones([2, 0])).shape(), [2, 0]);
    }
}

//! The logarithm of the gamma function and its derivatives.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Params, Real, Unary, map, polynomial, unary};
use crate::graph::{At, Keep, Say};
use crate::slope::{Slope, slope, times_slope};
use crate::{Tensor, fail};
use crate::graph::Attrs;
use crate::{Error, ErrorKind, Result};

impl Tensor {
    /// `ln |Γ(x)|` of each element; `∞` at 0, −1, −2, ..
    ///
    /// Near its roots the error is small beside 1.
    ///
    /// Source: Abramowitz and Stegun (1964), 6.1.40 (Stirling) and 6.1.17.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = ψ(x) dy`, the [`digamma`](Tensor::digamma).
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.5, 1.0, 5.0, -1.5].lgamma(), [0.57236, 0.0, 3.17805, 0.86005]);
    /// ```
    #[track_caller]
    pub fn lgamma(&self) -> Tensor {
        map(LGamma, self)
    }

    /// `ψ(x) = d ln Γ(x) / dx` of each element; NaN at −1, −2, .., `−∞` at 0 and `∞` at −0.
    ///
    /// Near its roots the error is small beside 1.
    ///
    /// Source: Abramowitz and Stegun (1964), 6.3.18 and 6.3.7.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = ψ⁽¹⁾(x) dy`, [`polygamma`](Tensor::polygamma) of 1.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.5, 1.0, 5.0].digamma(), [-1.96351, -0.57722, 1.50612]);
    /// ```
    #[track_caller]
    pub fn digamma(&self) -> Tensor {
        map(Digamma, self)
    }

    /// The `n`-th derivative of [`digamma`](Tensor::digamma): `ψ⁽ⁿ⁾(x) = (−1)ⁿ⁺¹ n! Σₖ (x + k)⁻ⁿ⁻¹`.
    ///
    /// Source: Abramowitz and Stegun (1964), 6.4.11 and 6.4.7.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = ψ⁽ⁿ⁺¹⁾(x) dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.5, 1.0].polygamma(1), [4.93480, 1.64493]);
    /// ```
    /// # Panics
    /// When `n` is above 8.
    #[track_caller]
    pub fn polygamma(&self, n: usize) -> Tensor {
        if n > HIGHEST {
            fail!("polygamma", "derivative {n} of digamma, the highest is {HIGHEST}");
        }
        if n == 0 && self.dtype().is_float() { self.digamma() } else { map(Polygamma { n: n as u64 }, self) }
    }
}

/// The highest derivative of the digamma function, and the last that serves its gradients.
const HIGHEST: usize = 8;
const LAST: usize = 12;

/// The Bernoulli numbers B₂, B₄, .., B₂₂.
const BERNOULLI: [f64; 11] = [
    1.0 / 6.0,
    -1.0 / 30.0,
    1.0 / 42.0,
    -1.0 / 30.0,
    5.0 / 66.0,
    -691.0 / 2730.0,
    7.0 / 6.0,
    -3617.0 / 510.0,
    43_867.0 / 798.0,
    -174_611.0 / 330.0,
    854_513.0 / 138.0,
];

/// `cot πx`, exactly 0 in the middle between two integers.
#[inline(always)]
fn cotangent<R: Real>(x: R) -> R {
    let part = x - x.round();
    let rest = (R::HALF - part.abs()) * R::from_f64(std::f64::consts::PI);
    let near = part * R::from_f64(std::f64::consts::PI);
    let middle = part.sign() * (rest.sin() / rest.cos());
    R::select(part.abs().gt(R::from_f64(0.25)), middle, near.cos() / near.sin())
}

/// The distance to the nearest integer with its sign, as an angle: a half turn for each integer.
#[inline(always)]
fn turn<R: Real>(x: R) -> R {
    (x - x.round()) * R::from_f64(std::f64::consts::PI)
}

/// `Σ c(k) B₂ₖ v²ᵏ` of small `v`, the first terms of an asymptotic series.
#[inline(always)]
fn series<R: Real>(v: R, c: impl Fn(f64) -> f64) -> R {
    let terms: [f64; 11] = std::array::from_fn(|i| BERNOULLI[10 - i] * c((11 - i) as f64));
    let square = v * v;
    square * polynomial(square, &terms)
}

#[derive(Clone, Copy)]
struct LGamma;
impl Unary for LGamma {
    const NAME: &'static str = "lgamma";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let z = x.abs();
        // Stirling's series from 8 on; below, that of z + 8 less the factors between.
        let far = z.ge(R::from_f64(8.0));
        let factors = (1..8).fold(z, |p, k| p * (z + R::from_f64(k as f64)));
        let w = R::select(far, z, z + R::from_f64(8.0));
        let rest = series(w.recip(), |k| 1.0 / (2.0 * k * (2.0 * k - 1.0))) * w;
        let stirling = (w - R::HALF) * (w.ln() - R::ONE) + (R::from_f64(0.418_938_533_204_672_7) + rest);
        let right = stirling - R::select(far, R::ZERO, factors.ln());
        // Γ(−z) Γ(z) = π / (z |sin π z|), by two logarithms: the product of two small factors would be 0.
        let mirror = -((turn(z).sin().abs() * R::from_f64(std::f64::consts::FRAC_1_PI)).ln() + z.ln()) - right;
        let y = R::select(x.lt(R::ZERO), mirror, right);
        // A root is one: the terms would leave the last digit of theirs.
        let y = R::select(x.eq(R::from_f64(2.0)), R::ZERO, y);
        // Far left all numbers are whole.
        R::select(z.eq(R::INFINITY) | x.lt(R::from_f64(-1e16)), R::INFINITY, y)
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, x: R) -> R {
        // In double no product of two numbers of single precision is 0, so that all factors have one logarithm.
        let (z, left) = (x.abs(), x.lt(R::ZERO));
        let far = z.ge(R::from_f64(8.0));
        let factors = (1..8).fold(z, |p, k| p * (z + R::from_f64(k as f64)));
        let factors = R::select(far, R::ONE, factors);
        let w = R::select(far, z, z + R::from_f64(8.0));
        let rest = series(w.recip(), |k| 1.0 / (2.0 * k * (2.0 * k - 1.0))) * w;
        let stirling = (w - R::HALF) * (w.ln() - R::ONE) + (R::from_f64(0.418_938_533_204_672_7) + rest);
        let mirror = turn(z).sin().abs() * R::from_f64(std::f64::consts::FRAC_1_PI) * z;
        let log = R::select(left, factors / mirror, factors).ln();
        let y = R::select(left, log - stirling, stirling - log);
        let y = R::select(x.eq(R::from_f64(2.0)), R::ZERO, y);
        R::select(z.eq(R::INFINITY) | x.lt(R::from_f64(-1e16)), R::INFINITY, y)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(GammaSlope { n: 0 }, g, at.x())
    }
}

/// `ln |Γ(x)|` of one number, for samplers.
pub(crate) fn lgamma_of(x: f64) -> f64 {
    LGamma.f(x)
}

/// `ψ(x)` of one number.
pub(crate) fn digamma_of(x: f64) -> f64 {
    polygamma(0, x)
}

#[derive(Clone, Copy)]
struct Digamma;
impl Unary for Digamma {
    const NAME: &'static str = "digamma";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        polygamma(0, x)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(GammaSlope { n: 1 }, g, at.x())
    }
}

#[derive(Clone, Copy)]
struct Polygamma {
    n: u64,
}
impl Unary for Polygamma {
    const NAME: &'static str = "polygamma";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    fn attrs(self, say: Say<'_>) {
        say("n", (self.n as usize).into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        polygamma(self.n as usize, x)
    }
    fn params(self) -> Params {
        Params::NONE.shaped_by(self.n)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(GammaSlope { n: self.n + 1 }, g, at.x())
    }
}

/// `ψ⁽ⁿ⁾(x)` as the slope of the derivative before it. In one pass with the gradient, for near a pole it may be no number where
/// their product is one.
#[derive(Clone, Copy)]
struct GammaSlope {
    n: u64,
}
impl Slope for GammaSlope {
    const NAME: &'static str = "polygamma_grad";
    const DOUBLE: bool = true;
    const WIDE: bool = true;
    fn slope_attrs(self, say: Say<'_>) {
        say("n", (self.n as usize).into());
    }
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        g * polygamma(self.n as usize, x)
    }
    fn params(self) -> Params {
        Params::NONE.shaped_by(self.n)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        self.bent(&Tensor::ones_like(x), x)
    }
    fn bent(self, g: &Tensor, x: &Tensor) -> Option<Tensor> {
        if self.n as usize == LAST {
            fail!("polygamma", "there is no derivative {} of digamma", LAST + 1);
        }
        Some(times_slope(GammaSlope { n: self.n + 1 }, g, x))
    }
}

/// `ψ⁽ⁿ⁾(x)`: an asymptotic series of `z + 10` and the terms between, for x < 0 by the reflection
/// `ψ⁽ⁿ⁾(x) = (−1)ⁿ ψ⁽ⁿ⁾(1 − x) − dⁿ/dxⁿ π cot πx`.
#[inline(always)]
fn polygamma<R: Real>(n: usize, x: R) -> R {
    let factorial = |k: usize| (1..=k).map(|k| k as f64).product::<f64>();
    let power = |v: R, n: usize| (1..n).fold(v, |p, _| p * v);
    let even = n.is_multiple_of(2);
    let left = x.lt(R::ZERO);
    let z = R::select(left, R::ONE - x, x);
    let steps = (0..10).map(|k| power((z + R::from_f64(k as f64)).recip(), n + 1));
    let between = steps.reduce(|a, b| a + b).unwrap_or(R::ZERO);
    let w = z + R::from_f64(10.0);
    let v = w.recip();
    let right = if n == 0 {
        w.ln() - (v * R::HALF + series(v, |k| 0.5 / k)) - between
    } else {
        // The ratio (2k + n − 1)! / (2k)! is a product of n − 1 numbers.
        let ratio = |k: f64| (1..n).map(|i| 2.0 * k + i as f64).product::<f64>();
        let tail = R::from_f64(factorial(n - 1)) + (v * R::from_f64(0.5 * factorial(n)) + series(v, ratio));
        let sum = between * R::from_f64(factorial(n)) + power(v, n) * tail;
        if even { -sum } else { sum }
    };
    // The derivative of π cot πx as a polynomial in the cotangent c, of which dc/dx = −π (1 + c²).
    let mut slopes = [0.0; LAST + 3];
    slopes[1] = std::f64::consts::PI;
    for _ in 0..n {
        let mut next = [0.0; LAST + 3];
        for (k, c) in slopes.iter().enumerate().skip(1).filter(|(_, c)| **c != 0.0) {
            next[k - 1] -= std::f64::consts::PI * k as f64 * c;
            next[k + 1] -= std::f64::consts::PI * k as f64 * c;
        }
        slopes = next;
    }
    let c = cotangent(x);
    let cot = slopes[..n + 2].iter().rev().fold(None, |sum: Option<R>, k| match sum {
        Some(sum) => Some(sum.fma(c, R::from_f64(*k))),
        None => Some(R::from_f64(*k)),
    });
    let mirror = (if even { right } else { -right }) - cot.unwrap_or(R::ZERO);
    // An even derivative has both infinities at a pole.
    let mirror = if even { R::select(x.round().eq(x), R::NAN, mirror) } else { mirror };
    let y = R::select(left, mirror, right);
    // Beside 0 the sign of the zero says which.
    if n == 0 { R::select(x.eq(R::ZERO), -x.recip(), y) } else { y }
}

/// The attribute `n`, a derivative that is known.
fn order(attrs: &mut Attrs, most: usize) -> Result<u64> {
    match attrs.need::<usize>("n")? {
        n if n <= most => Ok(n as u64),
        n => Err(Error::new(ErrorKind::Model, format!("derivative {n} of digamma, the last is {most}"))),
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("lgamma", "`ln |Γ(x)|` of each element.", Takes::Floats, of_lgamma).built(|_| Ok(unary(LGamma))),
    OpKind::new("digamma", "`ψ(x) = d ln Γ(x) / dx` of each element.", Takes::Floats, of_digamma).built(|_| Ok(unary(Digamma))),
    OpKind::new("polygamma", "The `n`-th derivative of `digamma`.", Takes::Floats, of_polygamma).built(|a| Ok(unary(Polygamma { n: order(a, LAST - 1)? }))),
    OpKind::new("polygamma_grad", "The derivative of `lgamma`, `digamma` and `polygamma`: `g ψ⁽ⁿ⁾(x)`.", Takes::Floats, of_polygamma_grad).built(|a| Ok(slope(GammaSlope { n: order(a, LAST)? }))),
];

fn of_polygamma_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(0.5..12.0), |x| times_slope(GammaSlope { n: 0 }, &x[0], &x[1]));
    s.pairs(floats(-2.0..2.0), floats(0.5..12.0), |x| times_slope(GammaSlope { n: 1 }, &x[0], &x[1]));
}

fn of_lgamma(s: &mut Samples) {
    s.each(floats(0.2..12.0), |x| x[0].lgamma());
    s.each(floats(-2.8..-2.2), |x| x[0].lgamma());
}

fn of_digamma(s: &mut Samples) {
    s.each(floats(0.2..12.0), |x| x[0].digamma());
    s.each(floats(-2.8..-2.2), |x| x[0].digamma());
}

fn of_polygamma(s: &mut Samples) {
    s.each(floats(0.5..12.0), |x| x[0].polygamma(1));
    s.each(floats(0.5..12.0), |x| x[0].polygamma(2));
    s.each(floats(-1.7..-1.3), |x| x[0].polygamma(1));
    s.each(floats(-1.7..-1.3), |x| x[0].polygamma(2));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn lgamma() {
        // Values of scipy.special.gammaln and torch.special.polygamma.
        let x = Tensor::from_vec(vec![1e-9, 0.1, 0.5, 1.5, 2.5, 7.9, 8.1, 100.0, 1e10, -0.5, -1.5, -10.3], [12]);
        let want = Tensor::from_vec(vec![20.723_265_836_369_194, 2.252_712_651_734_206, 0.572_364_942_924_700_1, -0.120_782_237_635_245_22, 0.284_682_870_472_919_2, 8.324_265_868_008_81, 8.727_388_263_432_04, 359.134_205_369_575_4, 220_258_509_288.810_58, 1.265_512_123_484_645_4, 0.860_047_015_376_481, -14.457_515_440_024_208], [12]);
        assert!(((x.lgamma() - want).abs() / x.lgamma().abs().maximum(1.0)).max(..).item() < 4e-15);
        let roots = tensor![1.0, 2.0];
        assert_eq!(roots.lgamma().to_vec::<f32>(), [0.0, 0.0]);
        assert_eq!(roots.to(DType::F64).lgamma().to_vec::<f64>(), [0.0, 0.0]);
        check(|x| x.lgamma()).absolute(1.0).on(floats(0.1..9.0));
        check(|x| x.digamma()).absolute(1.0).on(floats(0.5..9.0));
        check(|x| x.polygamma(1)).on(floats(0.5..9.0));
        check(|x| x.polygamma(3)).on(floats(0.9..4.0));
        check(|x| x.digamma()).absolute(1.0).on(floats(-0.8..-0.3));
    }
}

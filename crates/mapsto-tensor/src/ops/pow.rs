//! Powers with one exponent for all elements.

use crate::autocast::full;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::{DType, Tensor};
use crate::elementwise::{Params, Real, Unary, map, unary};
use crate::graph::{At, Keep, Op, Say};
use crate::slope::{Slope, slope, times_slope};

impl Tensor {
    /// `xᵖ` of each element; a negative base is fine with a whole exponent and NaN with others.
    ///
    /// Whole exponents up to 32 are multiplications, ½ and −½ are [`sqrt`](Tensor::sqrt) and [`rsqrt`](Tensor::rsqrt);
    /// [`powt`](Tensor::powt) takes an exponent for each element.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = p xᵖ⁻¹ dy`.   * ONNX: `Pow`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-2.0, 3.0].pow(3.0), [-8.0, 27.0]);
    /// assert_close!(tensor![4.0, 2.0].pow(-0.5), [0.5, 0.70711]);
    /// ```
    #[track_caller]
    pub fn pow(&self, p: f64) -> Tensor {
        if let Some([Some(x)]) = full([Some(self)]) {
            return x.pow(p);
        }
        match p {
            // Integers are refused in the name of this operation.
            _ if self.dtype() == DType::Bool => map(Known::<3>, self),
            _ if !self.dtype().is_float() && (p == -1.0 || p.fract() != 0.0) => map(Power { p }, self),
            // With the exponent known to the compiler, a power is vector code.
            -2.0 => map(Known::<-2>, self),
            -1.0 => self.recip(),
            -0.5 => self.rsqrt(),
            0.0 => map(Known::<0>, self),
            0.5 => self.sqrt(),
            1.0 => map(Known::<1>, self),
            2.0 => self.square(),
            3.0 => map(Known::<3>, self),
            4.0 => map(Known::<4>, self),
            _ if p.fract() == 0.0 && p.abs() <= 32.0 => map(Whole { p: p as i32 }, self),
            _ => map(Power { p }, self),
        }
    }
}

#[derive(Clone, Copy)]
struct Power {
    p: f64,
}
impl Unary for Power {
    const NAME: &'static str = "pow";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("p", self.p.into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.powf(R::param(0, self.p))
    }
    fn params(self) -> Params {
        [self.p].into()
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(PowerSlope::of(self.p), g, at.x())
    }
}

/// A small whole exponent, by multiplication.
#[derive(Clone, Copy)]
struct Whole {
    p: i32,
}
impl Unary for Whole {
    const NAME: &'static str = "pow";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("p", (self.p as f64).into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.powi(self.p)
    }
    fn params(self) -> Params {
        Params::NONE.shaped_by(self.p as u64)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(WholeSlope { p: self.p }, g, at.x())
    }
}

/// One of the commonest exponents.
#[derive(Clone, Copy)]
struct Known<const P: i32>;
impl<const P: i32> Unary for Known<P> {
    const NAME: &'static str = "pow";
    const FULL: bool = true;
    const KEEP: Keep = Keep::INPUTS;
    fn attrs(self, say: Say<'_>) {
        say("p", (P as f64).into());
    }
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x.powi(P)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        match P {
            // Not `0 · x⁻¹`, which is NaN at 0.
            0 => Tensor::zeros_like(g),
            1 => g.clone(),
            _ => times_slope(WholeSlope { p: P }, g, at.x()),
        }
    }
}

/// `p xᵖ⁻¹` of a small whole exponent: `g` times a root of the power, twice, so that no partial product leaves the range of
/// numbers where the whole does not.
#[derive(Clone, Copy)]
struct WholeSlope {
    p: i32,
}
impl Slope for WholeSlope {
    const NAME: &'static str = "pow_grad";
    const WIDE: bool = true;
    fn slope_attrs(self, say: Say<'_>) {
        say("p", (self.p as f64).into());
    }
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let n = self.p - 1;
        let root = x.powi(n / 2);
        let y = g * root * root;
        let y = match n % 2 {
            0 => y,
            1 => y * x,
            _ => y / x,
        };
        y * R::from_f64(self.p as f64)
    }
    fn params(self) -> Params {
        Params::NONE.shaped_by(self.p as u64)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        self.bent(&Tensor::ones_like(x), x)
    }
    fn bent(self, g: &Tensor, x: &Tensor) -> Option<Tensor> {
        Some(times_slope(WholeSlope { p: self.p - 1 }, g, x) * self.p as f64)
    }
}

/// The same of any exponent.
#[derive(Clone, Copy)]
struct PowerSlope {
    p: f64,
    half: f64,
}
impl PowerSlope {
    fn of(p: f64) -> PowerSlope {
        PowerSlope { p, half: (p - 1.0) / 2.0 }
    }
    /// Whether the exponent is whole, its predecessor odd, and its size below 1.
    fn kind(self) -> [bool; 3] {
        [self.p.fract() == 0.0, self.p % 2.0 == 0.0, self.p.abs() < 1.0]
    }
}
impl Slope for PowerSlope {
    const NAME: &'static str = "pow_grad";
    const WIDE: bool = true;
    fn slope_attrs(self, say: Say<'_>) {
        say("p", self.p.into());
    }
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let [whole, odd, small] = self.kind();
        // Of a negative number only whole powers are numbers.
        let root = if whole { x.abs() } else { x }.powf(R::param(1, self.half));
        // What makes it smaller comes first.
        let p = R::param(0, self.p);
        let y = if small { g * p * root * root } else { g * root * root * p };
        if odd { R::select(x.lt(R::ZERO), -y, y) } else { y }
    }
    fn params(self) -> Params {
        let [whole, odd, small] = self.kind();
        Params::from([self.p, self.half]).shaped_by(whole as u64 + 2 * odd as u64 + 4 * small as u64)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        self.bent(&Tensor::ones_like(x), x)
    }
    fn bent(self, g: &Tensor, x: &Tensor) -> Option<Tensor> {
        Some(times_slope(PowerSlope::of(self.p - 1.0), g, x) * self.p)
    }
}

/// The slope of an exponent.
fn power_slope(p: f64) -> Box<dyn Op> {
    if p.fract() == 0.0 && p.abs() <= 32.0 { slope(WholeSlope { p: p as i32 }) } else { slope(PowerSlope::of(p)) }
}

/// The operation of an exponent, as [`Tensor::pow`] chooses it.
fn power(p: f64) -> Box<dyn Op> {
    match p {
        -2.0 => unary(Known::<-2>),
        0.0 => unary(Known::<0>),
        1.0 => unary(Known::<1>),
        3.0 => unary(Known::<3>),
        4.0 => unary(Known::<4>),
        _ if p.fract() == 0.0 && p.abs() <= 32.0 => unary(Whole { p: p as i32 }),
        _ => unary(Power { p }),
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("pow", "`xᵖ` of each element; a negative base is fine with a whole exponent and NaN with others.", Takes::Floats, samples).built(|a| a.need("p").map(power)),
    OpKind::new("pow_grad", "The derivative of `pow`: `g p xᵖ⁻¹`.", Takes::Floats, of_pow_grad).built(|a| a.need("p").map(power_slope)),
];

fn samples(s: &mut Samples) {
    s.each(floats(-1.5..1.5), |x| x[0].pow(0.0));
    s.each(floats(-1.5..1.5), |x| x[0].pow(1.0));
    s.each(floats(-1.5..1.5), |x| x[0].pow(2.0));
    s.each(floats(-1.5..1.5), |x| x[0].pow(3.0));
    s.each(floats(-1.5..1.5), |x| x[0].pow(4.0));
    s.each(floats(-1.5..1.5), |x| x[0].pow(7.0));
    s.each(floats(0.5..1.5), |x| x[0].pow(-3.0));
    s.each(floats(0.5..1.5), |x| x[0].pow(-2.0));
    s.each(floats(0.5..1.5), |x| x[0].pow(-1.0));
    s.each(floats(0.5..1.5), |x| x[0].pow(-0.5));
    s.each(floats(0.5..1.5), |x| x[0].pow(0.5));
    s.each(floats(0.5..1.5), |x| x[0].pow(2.7));
    s.each(floats(0.5..1.5), |x| x[0].pow(40.0));
}

fn of_pow_grad(s: &mut Samples) {
    let (d, x) = (floats(-2.0..2.0), floats(0.5..1.5));
    s.pairs(d.clone(), x.clone(), |x| times_slope(WholeSlope { p: 3 }, &x[0], &x[1]));
    s.pairs(d.clone(), x.clone(), |x| times_slope(WholeSlope { p: -2 }, &x[0], &x[1]));
    s.pairs(d.clone(), x.clone(), |x| times_slope(PowerSlope::of(2.7), &x[0], &x[1]));
    s.pairs(d, x, |x| times_slope(PowerSlope::of(40.0), &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;

    #[test]
    fn pow_grad() {
        for p in [-7, -2, 3, 4, 9] {
            check2(move |g, x| times_slope(WholeSlope { p }, g, x))
                .tolerance(8.0)
                .reference(move |g, x| g * p as f64 * x.powi(p - 1))
                .on(floats(-2.0..2.0), floats(0.5..1.2));
        }
        for p in [-0.3, 2.7, 40.0, 41.0] {
            check2(move |g, x| times_slope(PowerSlope::of(p), g, x))
                .tolerance(16.0)
                .reference(move |g, x| g * p * x.powf(p - 1.0))
                .on(floats(-2.0..2.0), floats(0.5..1.1));
        }
        let x = tensor![-1.5, 1.5].leaf();
        assert_close!(x.pow(40.0).sum(..).backward().of(&x), [-40.0 * 1.5f64.powi(39), 40.0 * 1.5f64.powi(39)]);
        assert_close!(x.pow(41.0).sum(..).backward().of(&x), [41.0 * 1.5f64.powi(40), 41.0 * 1.5f64.powi(40)]);
        assert!(x.pow(2.5).sum(..).backward().of(&x).to_vec::<f32>()[0].is_nan());
    }
    use crate::prelude::*;

    #[test]
    fn pow() {
        for p in [0.0, 1.0, 2.0, 3.0, 4.0, 7.0] {
            check(move |x| x.pow(p)).reference(move |x| x.powf(p)).on(floats(-1.5..1.5));
        }
        for p in [-7.0, -2.0, -1.0, -0.3, 2.7, 40.0] {
            check(move |x| x.pow(p)).tolerance(8.0).reference(move |x| x.powf(p)).on(floats(0.5..1.2));
        }
        check(|x| x.pow(0.5)).reference(f64::sqrt).on(floats(0.5..1.2));
        check(|x| x.pow(-0.5)).reference(|x| 1.0 / x.sqrt()).on(floats(0.5..1.2));
    }

    #[test]
    fn at_zero() {
        let x = tensor![0.0].leaf();
        for (p, want) in [(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)] {
            assert_close!(x.pow(p).sum(..).backward().of(&x), [want]);
        }
    }
}

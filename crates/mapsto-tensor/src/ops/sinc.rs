//! The cardinal sine: what an ideal low-pass filter makes of an impulse.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Real, Unary, map, polynomial, unary};
use crate::graph::{At, Keep};
use crate::slope::{Slope, slope, times_slope};
use crate::Tensor;

impl Tensor {
    /// `sin(πx) / (πx)` of each element, and 1 at 0; exactly 0 at the other integers.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dx = (cos πx − y) / x · dy`, and 0 at 0.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![-0.5, 0.0, 1.0, 1.5].sinc(), [0.63662, 1.0, 0.0, -0.21221]);
    /// ```
    #[track_caller]
    pub fn sinc(&self) -> Tensor {
        map(Sinc, self)
    }
}

/// `sin πx` and `cos πx`: a half turn for each integer is taken away first, exactly.
#[inline(always)]
fn half_turns<R: Real>(x: R) -> (R, R) {
    let n = x.round();
    let angle = (x - n) * R::from_f64(std::f64::consts::PI);
    let half = n * R::HALF;
    let sign = R::select(half.floor().eq(half), R::ONE, -R::ONE);
    (angle.sin() * sign, angle.cos() * sign)
}

#[derive(Clone, Copy)]
struct Sinc;
impl Unary for Sinc {
    const NAME: &'static str = "sinc";
    const KEEP: Keep = Keep::INPUTS;
    const DOUBLE: bool = true;
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        let y = half_turns(x).0 / (x * R::from_f64(std::f64::consts::PI));
        R::select(x.eq(R::ZERO), R::ONE, y)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        times_slope(SincSlope, g, at.x())
    }
}

/// `(cos πx − sinc x) / x`.
#[derive(Clone, Copy)]
struct SincSlope;
impl Slope for SincSlope {
    const NAME: &'static str = "sinc_grad";
    const DOUBLE: bool = true;
    const WIDE: bool = true;
    #[inline(always)]
    fn times<R: Real>(self, g: R, x: R) -> R {
        let (sin, cos) = half_turns(x);
        let u = x * R::from_f64(std::f64::consts::PI);
        let far = (cos - sin / u) / x;
        let z = u * u;
        let near = u * polynomial(z, &SERIES) * R::from_f64(std::f64::consts::PI);
        g * R::select(x.abs().lt(R::from_f64(0.3)), near, far)
    }
    fn bend(self, x: &Tensor) -> Option<Tensor> {
        let zero = x.detach().eq(0.0);
        let other = zero.choose(1.0, x);
        let slope = times_slope(SincSlope, &Tensor::ones_like(x), &other);
        let square = std::f64::consts::PI.powi(2);
        Some(zero.choose(-square / 3.0, other.sinc() * -square - slope * 2.0 / &other))
    }
}

/// `(cos u − sin u / u) / u²` of `u²` by its series `Σ (−1)ᵏ 2k / (2k + 1)! u²ᵏ⁻²`: near 0 the difference would cancel.
const SERIES: [f64; 9] = {
    let mut terms = [0.0; 9];
    let (mut k, mut factorial) = (1, 1.0);
    while k <= 9 {
        factorial *= (2 * k) as f64 * (2 * k + 1) as f64;
        terms[9 - k] = if k % 2 == 0 { 2.0 } else { -2.0 } * k as f64 / factorial;
        k += 1;
    }
    terms
};

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("sinc", "`sin(πx) / (πx)` of each element, and 1 at 0.", Takes::Floats, of_sinc).built(|_| Ok(unary(Sinc))),
    OpKind::new("sinc_grad", "The derivative of `sinc`: `g (cos πx − sinc x) / x`.", Takes::Floats, of_sinc_grad).built(|_| Ok(slope(SincSlope))),
];

fn of_sinc(s: &mut Samples) {
    s.each(floats(-4.0..4.0), |x| x[0].sinc());
}

fn of_sinc_grad(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-4.0..4.0), |x| times_slope(SincSlope, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn sinc() {
        let pi = std::f64::consts::PI;
        check(|x| x.sinc()).reference(move |x| if x == 0.0 { 1.0 } else { (pi * x).sin() / (pi * x) }).on(floats(-0.9..0.9));
        check(|x| x.sinc()).on(floats(-4.0..4.0));
        assert_eq!(Tensor::arange(-3..4).to(DType::F32).sinc().abs().to_vec::<f32>(), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        let x = tensor![0.0].leaf();
        let [dx] = grad(&x.sinc(), [&x]);
        assert_close!(dx, [0.0]);
        assert_close!(dx.sum(..).backward().of(&x), [-pi * pi / 3.0]);
    }
}

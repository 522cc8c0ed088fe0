//! The angle and the length of a vector.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Binary, Operand, Real, binary, zip};
use crate::graph::{At, Keep, Vjp};
use crate::ternary::{Ternary, ternary, zip3};
use crate::Tensor;
use super::atan::{HALF_PI, angle, small_angle};

impl Tensor {
    /// The angle of the vector `(x, y)`, with this tensor as `y`, from −π to π: `atan(y / x)` in its quadrant.
    ///
    /// * Shape: `[..], [..] → broadcast`, floats only; or a tensor and a number.   * Gradient: `dy = x / (x² + y²) · g`, `dx = −y / (x² + y²) · g`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 1.0, -1.0, 0.0].atan2(tensor![1.0, -1.0, -1.0, -1.0]), [0.78540, 2.35619, -2.35619, 3.14159]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn atan2(&self, x: impl Into<Operand>) -> Tensor {
        zip(Atan2, self, &x.into().like("atan2", self))
    }

    /// The length of the vector `(a, b)`: `√(a² + b²)`, whose squares may leave the range of numbers.
    ///
    /// * Shape: `[..], [..] → broadcast`, floats only; or a tensor and a number.   * Gradient: `da = a / y · dy`, `db = b / y · dy`, both 0 at the origin.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![3.0, 1e30].hypot(tensor![4.0, 1e30]), [5.0, 1.41421e30]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn hypot(&self, other: impl Into<Operand>) -> Tensor {
        zip(Hypot, self, &other.into().like("hypot", self))
    }
}

/// Whether the sign bit is set: −0 is negative here.
#[inline(always)]
pub(super) fn is_negative<R: Real>(x: R) -> R::Mask {
    x.lt(R::ZERO) | (x.eq(R::ZERO) & x.recip().lt(R::ZERO))
}

#[derive(Clone, Copy)]
struct Atan2;
impl Binary for Atan2 {
    const NAME: &'static str = "atan2";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        use std::f64::consts::{FRAC_PI_4, PI};
        let (y, x) = (a.abs(), b.abs());
        // Two equal ones may be infinite.
        let turn = R::select(y.eq(x), R::from_f64(FRAC_PI_4), angle(y / x));
        let turn = R::select(y.eq(R::ZERO) & x.ge(R::ZERO), R::ZERO, turn);
        let left = R::from_f64(PI) - (turn - R::from_f64(1.224_646_799_147_353_2e-16));
        let turn = R::select(is_negative(b), left, turn);
        R::select(is_negative(a), -turn, turn)
    }
    const SINGLE: bool = true;
    #[inline(always)]
    fn single<R: Real>(self, a: R, b: R) -> R {
        let ((y, x), [high, low]) = ((a.abs(), b.abs()), HALF_PI.map(R::from_f64));
        let turn = small_angle(y.min(x) / y.max(x));
        let turn = R::select(y.gt(x), high - (turn - low), turn);
        // Two equal ones may be infinite or 0.
        let equal = R::select(y.eq(R::ZERO), R::ZERO, R::from_f64(std::f64::consts::FRAC_PI_4));
        let turn = R::select(y.eq(x), equal, turn);
        let turn = R::select(is_negative(b), (high + high) - (turn - (low + low)), turn);
        R::select(is_negative(a), -turn, turn)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        let (y, x) = (at.a(), at.b());
        at.both(|| zip3(Turn, g, x, y), || -zip3(Turn, g, y, x))
    }
}

#[derive(Clone, Copy)]
struct Hypot;
impl Binary for Hypot {
    const NAME: &'static str = "hypot";
    const KEEP: Keep = Keep::INPUTS;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        let (a, b) = (a.abs(), b.abs());
        let most = a.max(b);
        let part = a.min(b) / most;
        let y = R::select(most.eq(R::ZERO), R::ZERO, most * part.fma(part, R::ONE).sqrt());
        R::select(a.eq(R::INFINITY) | b.eq(R::INFINITY), R::INFINITY, y)
    }
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Vjp {
        let (a, b) = (at.a(), at.b());
        at.both(|| zip3(Part, g, a, b), || zip3(Part, g, b, a))
    }
}

/// `g a / (a² + b²)`; 0 at the origin, where there is no angle, and infinitely far out.
#[derive(Clone, Copy)]
struct Turn;
impl Ternary for Turn {
    const NAME: &'static str = "atan2_grad";
    #[inline(always)]
    fn f<R: Real>(self, g: R, a: R, b: R) -> R {
        let most = a.abs().max(b.abs());
        let (a, b) = (a / most, b / most);
        let flat = most.eq(R::ZERO) | most.eq(R::INFINITY);
        R::select(flat, R::ZERO, g * (a / a.fma(a, b * b)) / most)
    }
    fn compose(self, g: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
        let square = a.square() + b.square();
        let flat = square.detach().eq(0.0).or(&square.detach().eq(f64::INFINITY));
        flat.choose(0.0, g * a / flat.choose(1.0, square))
    }
}

/// `g a / √(a² + b²)`, 0 at the origin.
#[derive(Clone, Copy)]
struct Part;
impl Ternary for Part {
    const NAME: &'static str = "hypot_grad";
    #[inline(always)]
    fn f<R: Real>(self, g: R, a: R, b: R) -> R {
        let most = a.abs().max(b.abs());
        let (a, b) = (a / most, b / most);
        R::select(most.eq(R::ZERO), R::ZERO, g * (a / a.fma(a, b * b).sqrt()))
    }
    fn compose(self, g: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
        let square = a.square() + b.square();
        let origin = square.detach().eq(0.0);
        origin.choose(0.0, g * a / origin.choose(1.0, square).sqrt())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("atan2", "The angle of the vector `(x, y)` from −π to π.", Takes::Floats, of_atan2).built(|_| Ok(binary(Atan2))),
    OpKind::new("hypot", "The length of the vector `(a, b)`: `√(a² + b²)`.", Takes::Floats, of_hypot).built(|_| Ok(binary(Hypot))),
    OpKind::new("atan2_grad", "The derivative of `atan2`: `g a / (a² + b²)`.", Takes::Floats, of_turn).built(|_| Ok(ternary(Turn))),
    OpKind::new("hypot_grad", "The derivative of `hypot`: `g a / √(a² + b²)`.", Takes::Floats, of_part).built(|_| Ok(ternary(Part))),
];

fn of_turn(s: &mut Samples) {
    let d = floats(-2.0..2.0).avoiding(0.0);
    s.of(&[(&[3, 4], &d), (&[3, 4], &d), (&[4], &d)], |x| zip3(Turn, &x[0], &x[1], &x[2]));
}

fn of_part(s: &mut Samples) {
    let d = floats(-2.0..2.0).avoiding(0.0);
    s.of(&[(&[3, 4], &d), (&[3, 4], &d), (&[4], &d)], |x| zip3(Part, &x[0], &x[1], &x[2]));
}

fn of_atan2(s: &mut Samples) {
    let d = floats(-2.0..2.0).avoiding(0.0);
    s.pairs(d.clone(), d, |x| x[0].atan2(&x[1]));
}

fn of_hypot(s: &mut Samples) {
    let d = floats(-2.0..2.0).avoiding(0.0);
    s.pairs(d.clone(), d, |x| x[0].hypot(&x[1]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn angles_and_lengths() {
        let domain = || floats(-2.0..2.0).avoiding(0.0);
        check2(|y, x| y.atan2(x)).reference(f64::atan2).on(domain(), domain());
        check2(|a, b| a.hypot(b)).reference(f64::hypot).on(domain(), domain());
    }

    #[test]
    fn at_the_axes_and_far_out() {
        let ends = [0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        for (y, x) in ends.iter().flat_map(|y| ends.map(|x| (*y, x))) {
            let of = |v: f64| Tensor::from_vec(vec![v], [1]);
            let (got, want) = (of(y).atan2(of(x)).item(), y.atan2(x));
            assert!((got.is_nan() && want.is_nan()) || (got - want).abs() < 1e-15 && got.is_sign_negative() == want.is_sign_negative(), "{y} {x}: {got}");
            let (got, want) = (of(y).hypot(of(x)).item(), y.hypot(x));
            assert!((got.is_nan() && want.is_nan()) || (got == want) || (got - want).abs() < 1e-15, "{y} {x}: {got}");
        }
        let (a, b) = (tensor![0.0].leaf(), tensor![0.0].leaf());
        assert_close!(a.hypot(&b).sum(..).backward().of(&a), [0.0]);
        let (a, b) = (tensor![0.0, 0.0, 2.0].leaf(), tensor![0.0, f64::INFINITY, 0.0].leaf());
        let grads = a.atan2(&b).sum(..).backward();
        assert_close!(grads.of(&a), [0.0, 0.0, 0.0]);
        assert_close!(grads.of(&b), [0.0, 0.0, -0.5]);
        assert_close!(Tensor::from_vec(vec![1e300], [1]).hypot(1e300), [1.414_213_562_373_095e300]);
    }
}

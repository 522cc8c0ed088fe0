//! Points between two others, and products and quotients added to a third.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Operand, Real};
use crate::error::named;
use crate::ternary::{Ternary, ternary, zip3};
use crate::{Scalar, Tensor};

impl Tensor {
    /// The point at `weight` of the way from this to `end`: `a + w (b − a)`, and exactly `b` where `w` is 1.
    ///
    /// * Shape: `[..], [..], [..] → broadcast`, floats only; `weight` may be a number.   * Gradient: `da = (1 − w) dy`, `db = w dy`, `dw = (b − a) dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 10.0].lerp(&tensor![4.0, 20.0], 0.25), [1.0, 12.5]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn lerp(&self, end: &Tensor, weight: impl Into<Operand>) -> Tensor {
        let weight = weight.into().like("lerp", self);
        named("lerp", || zip3(Lerp, self, end, &weight))
    }

    /// `x + value · a · b`.
    ///
    /// * Shape: `[..], [..], [..] → broadcast`, floats only.   * Gradient: `da = value · b dy`, `db = value · a dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0].addcmul(&tensor![2.0], &tensor![3.0], 0.5), [4.0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or `value` is not finite.
    #[track_caller]
    pub fn addcmul(&self, a: &Tensor, b: &Tensor, value: f64) -> Tensor {
        named("addcmul", || {
            let value = Scalar::Float(value).attribute("addcmul", "value", self);
            self + a * b * value
        })
    }

    /// `x + value · a / b`.
    ///
    /// * Shape: `[..], [..], [..] → broadcast`, floats only.   * Gradient: `da = value / b · dy`, `db = −value · a / b² · dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0].addcdiv(&tensor![3.0], &tensor![2.0], 2.0), [4.0]);
    /// ```
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or `value` is not finite.
    #[track_caller]
    pub fn addcdiv(&self, a: &Tensor, b: &Tensor, value: f64) -> Tensor {
        named("addcdiv", || {
            let value = Scalar::Float(value).attribute("addcdiv", "value", self);
            self + a / b * value
        })
    }
}

#[derive(Clone, Copy)]
struct Lerp;
impl Ternary for Lerp {
    const NAME: &'static str = "lerp";
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R, w: R) -> R {
        // From the nearer end, so that both are met exactly.
        let way = b - a;
        R::select(w.lt(R::HALF), w.fma(way, a), (w - R::ONE).fma(way, b))
    }
    fn compose(self, a: &Tensor, b: &Tensor, w: &Tensor) -> Tensor {
        a + w * (b - a)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("lerp", "The point at a weight of the way from one number to another.", Takes::Floats, of_lerp).built(|_| Ok(ternary(Lerp))),
    OpKind::new("addcmul", "`x + value · a · b`.", Takes::Floats, of_addcmul).made_of("mul and add"),
    OpKind::new("addcdiv", "`x + value · a / b`.", Takes::Floats, of_addcdiv).made_of("div, mul and add"),
];

fn of_lerp(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 4], &d), (&[4], &d), (&[3, 1], &floats(0.0..1.0))], |x| x[0].lerp(&x[1], &x[2]));
    s.of(&[(&[0, 2], &d), (&[2], &d)], |x| x[0].lerp(&x[1], 0.75));
}

fn of_addcmul(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 4], &d), (&[4], &d), (&[3, 1], &d)], |x| x[0].addcmul(&x[1], &x[2], 0.5));
}

fn of_addcdiv(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 4], &d), (&[4], &d), (&[3, 1], &floats(0.5..2.0))], |x| x[0].addcdiv(&x[1], &x[2], 0.5));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn between_and_beside() {
        let d = || floats(-2.0..2.0);
        check3(|a, b, w| a.lerp(b, w)).absolute(2.0).reference(|a, b, w| a + w * (b - a)).on(d(), d(), floats(0.0..1.0));
        check3(|x, a, b| x.addcmul(a, b, 0.5)).absolute(2.0).reference(|x, a, b| x + 0.5 * a * b).on(d(), d(), d());
        check3(|x, a, b| x.addcdiv(a, b, 0.5)).absolute(2.0).reference(|x, a, b| x + 0.5 * a / b).on(d(), d(), floats(0.5..2.0));
        let (a, b) = (tensor![1e8, 0.1], tensor![0.3, 0.7]);
        assert_eq!(a.lerp(&b, 1.0).to_vec::<f32>(), b.to_vec::<f32>());
        assert_eq!(a.lerp(&b, 0.0).to_vec::<f32>(), a.to_vec::<f32>());
    }
}

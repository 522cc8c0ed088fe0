//! A choice between two tensors, element by element.

use crate::autocast::met;
use crate::check::{bools, floats};
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::{MapOp, Params, Program, Written};
use crate::elementwise::{Operand, same_dtype};
use crate::scalar::Scalar;
use crate::graph::{At, Cost, Keep, Meaning, Meant, Op, Outline, Ran, Vjp, apply};
use crate::shape::broadcast;
use crate::{DType, Tensor, fail};
use crate::written::written;
use mapsto_kernels::real::Value;

impl Tensor {
    /// `a` where this condition holds, else `b`, for each element. What is not chosen changes nothing: neither its NaN nor
    /// its gradient passes.
    ///
    /// * Shape: `[..] (bool), [..], [..] → broadcast`, any number; `a` or `b` may be a number, or both: two
    ///   integers give i64, others f32.
    /// * Gradient: `da = dy` where the condition holds, `db = dy` elsewhere, 0 otherwise.   * ONNX: `Where`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![-2.0, 3.0];
    /// assert_close!(x.lt(0.0).choose(&x * 0.1, &x), [-0.2, 3.0]);
    /// assert_close!(x.lt(0.0).choose(0.0, &x), [0.0, 3.0]);
    /// ```
    /// # Panics
    /// When the condition is not bool, the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn choose(&self, a: impl Into<Operand>, b: impl Into<Operand>) -> Tensor {
        self.chosen(a.into(), b.into())
    }

    #[track_caller]
    fn chosen(&self, a: Operand, b: Operand) -> Tensor {
        if self.dtype() != DType::Bool {
            fail!("choose", "the condition is {}, not bool", self.dtype(); help = "compare it, e.g. `cond.ne(0)`");
        }
        let (a, b) = match (a, b) {
            (Operand::Tensor(a), b) => {
                let b = b.among("choose", &a);
                (a, b)
            }
            (a, Operand::Tensor(b)) => (a.among("choose", &b), b),
            (Operand::Scalar(a), Operand::Scalar(b)) => {
                let integers = matches!((a, b), (Scalar::Int(_), Scalar::Int(_)));
                let dtype = if integers { DType::I64 } else { DType::F32 };
                self.device().scope(|| (Tensor::full_of((), a, dtype), Tensor::full_of((), b, dtype)))
            }
        };
        if self.device() != a.device() {
            fail!("choose", "devices differ: {:?} and {:?}", self.device(), a.device());
        }
        apply(Choose, &[self, &a, &b])
    }
}

struct Choose;
impl Op for Choose {
    fn name(&self) -> &'static str {
        "choose"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        3..=3
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::moved(xs, y)
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let (yes, a, b) = (xs[0], xs[1], xs[2]);
        if let Some(wide) = met(&[a, b]) {
            return self.run(&[yes, &wide[0], &wide[1]]);
        }
        same_dtype("choose", a, b);
        let shape = broadcast("choose", &broadcast("choose", yes.shape_of(), a.shape_of()), b.shape_of());
        yes.device().backend().map(&Choose, xs, &shape, a.dtype()).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE.input(0)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let condition = at.input(0);
        Vjp::from([
            None,
            at.wants(1).then(|| condition.choose(g, 0.0)),
            at.wants(2).then(|| condition.choose(0.0, g)),
        ])
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        let meant = xs.of(1)?;
        (xs.of(2) == Some(meant)).then_some(meant)
    }
}
impl MapOp for Choose {
    fn name(&self) -> &'static str {
        "choose"
    }
    fn program(&self) -> Written {
        written::<Choose>(&Params::NONE, || {
            Program::of(3, |x| Value::select(x[0].eq(Value::ZERO), x[2], x[1]))
        })
    }
    fn int_program(&self) -> Option<Written> {
        Some(self.program())
    }
    #[cfg(test)]
    fn f32(&self, xs: &[f32]) -> f32 {
        if xs[0] != 0.0 { xs[1] } else { xs[2] }
    }
    #[cfg(test)]
    fn f64(&self, xs: &[f64]) -> f64 {
        if xs[0] != 0.0 { xs[1] } else { xs[2] }
    }
    #[cfg(test)]
    fn i64(&self, xs: &[i64]) -> i64 {
        if xs[0] != 0 { xs[1] } else { xs[2] }
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("choose", "`a` where this condition holds, else `b`, for each element.", Takes::All, samples).built(|_| Ok(Box::new(Choose))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    let yes = bools();
    s.of(&[(&[3, 1], &yes), (&[3, 4], &d), (&[4], &d)], |x| x[0].choose(&x[1], &x[2]));
    s.of(&[(&[], &yes), (&[5], &d), (&[5], &d)], |x| x[0].choose(&x[1], &x[2]));
    s.of(&[(&[7], &yes), (&[7], &d)], |x| x[0].choose(1, &x[1]));
    s.of(&[(&[0], &yes), (&[1], &d), (&[1], &d)], |x| x[0].choose(&x[1], &x[2]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn choose() {
        check3(|c, a, b| c.eq(1).choose(a, b))
            .reference(|c, a, b| if c == 1.0 { a } else { b })
            .on(ints(0..2), floats(-2.0..2.0), floats(-2.0..2.0));
        check3(|c, a, b| c.eq(1).choose(a, b)).on(ints(0..2), ints(-9..9), ints(-9..9));
        check2(|c, a| c.eq(1).choose(a, 0.5)).on(ints(0..2), floats(-2.0..2.0));
    }

    #[test]
    fn what_is_not_chosen_has_no_say() {
        let x = tensor![0.0, 10.0].leaf();
        let y = x.gt(0.0).choose(x.log(), 0.0);
        assert_close!(y, [0.0, std::f64::consts::LN_10]);
        let y = x.gt(0.0).choose(1.0, 0.5);
        assert_close!(y, [0.5, 1.0]);
        assert!(catch(|| x.choose(1.0, 0.0)).unwrap_err().message().contains("not bool"));
    }
}

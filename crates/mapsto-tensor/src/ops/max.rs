//! The largest elements over axes, and what they share with the smallest.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::keep;
use crate::backend::Reduction;
use crate::elementwise::{Binary, Real, binary, zip};
use crate::graph::{At, Cost, Keep, Op, Outline, Ran, Say, Vjp, apply};
use crate::reduce::{axes_of, count, mask_of, reduce, unreduce};
use crate::shape::{Axes, MAX_RANK};
use crate::{Tensor, fail};

impl Tensor {
    /// The largest element over axes; NaN if any is. (`maximum` compares two tensors.)
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`.
    /// * Gradient: `dy` to the largest element, shared equally if several are equal.   * ONNX: `ReduceMax`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 5.0], [7.0, 3.0]];
    /// assert_close!(x.max(-1), [5.0, 7.0]);
    /// assert_eq!(x.max(..).item(), 7.0);
    /// ```
    /// # Panics
    /// When there is no such axis, or it has no elements.
    #[track_caller]
    pub fn max(&self, axes: impl Into<Axes>) -> Tensor {
        extreme("max", Reduction::Max, self, axes.into())
    }
}

/// The largest or the smallest element over axes.
#[track_caller]
pub(crate) fn extreme(name: &'static str, kind: Reduction, x: &Tensor, axes: Axes) -> Tensor {
    let mask = axes.mask(name, x.shape());
    let left: usize = x.shape().iter().zip(&mask).filter(|(_, gone)| !**gone).map(|(n, _)| n).product();
    if count(&mask, x.shape()) == 0 && left > 0 {
        fail!(name, "there are no elements to choose from in {:?}", x.shape());
    }
    apply(Extreme { name, kind, mask, keep: axes.keep }, &[x])
}

/// The operation of both: they differ in the reduction.
pub(super) struct Extreme {
    pub(super) name: &'static str,
    pub(super) kind: Reduction,
    pub(super) mask: [bool; MAX_RANK],
    pub(super) keep: bool,
}
impl Op for Extreme {
    fn name(&self) -> &'static str {
        self.name
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 1)
    }
    fn attrs(&self, say: Say<'_>) {
        say("axes", axes_of(&self.mask));
        say("keep", self.keep.into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        reduce(self.kind, xs[0], &self.mask, self.keep).into()
    }
    fn keep(&self) -> Keep {
        Keep::BOTH
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let back = |t: &Tensor| unreduce(t, &self.mask, at.shape(0));
        // Which elements are extreme does not change with small steps: a constant.
        let extreme = zip(Equal, &at.x().detach(), &back(&at.y().detach()));
        let axes: Vec<usize> = (0..at.x().rank()).filter(|&i| self.mask[i]).collect();
        let share = back(g) / extreme.sum(crate::keep(&axes[..]));
        (extreme * share).into()
    }
}

/// 1 where both are equal, else 0.
#[derive(Clone, Copy)]
struct Equal;
impl Binary for Equal {
    const NAME: &'static str = "equal";
    const KEEP: Keep = Keep::NONE;
    #[inline(always)]
    fn f<R: Real>(self, a: R, b: R) -> R {
        R::select(a.eq(b), R::ONE, R::ZERO)
    }
    fn vjp(self, _: &At<'_>, _: &Tensor) -> Vjp {
        Vjp::from([None, None])
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("max", "The largest element over axes; NaN if any is.", Takes::Numbers, of_max).built(|a| Ok(Box::new(Extreme { name: "max", kind: Reduction::Max, mask: mask_of(a)?, keep: a.need("keep")? }))),
    OpKind::new("equal", "1 where two numbers are equal, else 0.", Takes::Floats, of_equal).built(|_| Ok(binary(Equal))),
];

fn of_max(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].max(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].max(keep(1)));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].max([0, 2]));
    s.of(&[(&[3, 5], &d)], |x| x[0].max(..));
    s.of(&[(&[1, 7], &d)], |x| x[0].max(0));
    s.of(&[(&[], &d)], |x| x[0].max(..));
    s.of(&[(&[0, 3], &d)], |x| x[0].max(-1));
}

fn of_equal(s: &mut Samples) {
    s.pairs(floats(-2.0..2.0), floats(-2.0..2.0), |x| zip(Equal, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn max() {
        check(|x| x.unsqueeze(0).max(0)).on(floats(-2.0..2.0));
        check(|x| x.max(..)).shapes([&[3, 5]]).on(floats(-2.0..2.0));
        let found = |v: &[f64]| v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        check(|x| x.max(0)).shapes([&[2, 20_011]]).formula(move |[x]| x.reduced(&[0], found)).on(floats(-2.0..2.0));
        check(|x| x.max(keep([0, 2])))
            .shapes([&[3, 5, 4]])
            .formula(move |[x]| x.reduced(&[0, 2], found).shaped(&[1, 5, 1]))
            .on(floats(-2.0..2.0));
        check(|x| x.max(-1)).shapes([&[0, 3]]).on(floats(-2.0..2.0));
        assert!(tensor![1.0, f64::NAN].max(..).item().is_nan());
        assert_eq!(tensor![[3, 9], [7, 1]].max(0).to_vec::<i64>(), [7, 9]);
    }

    #[test]
    fn ties_share_the_gradient_and_nothing_has_no_maximum() {
        let x = tensor![2.0, 5.0, 5.0].leaf();
        assert_close!(x.max(..).backward().of(&x), [0.0, 0.5, 0.5]);
        let e = catch(|| Tensor::zeros([0, 3]).max(0)).unwrap_err();
        assert_eq!(e.message(), "max: there are no elements to choose from in [0, 3]");
    }
}

//! Whether any element is true.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::keep;
use crate::backend::Reduction;
use crate::backend::reductions::truth as truth_of;
use crate::graph::{At, Cost, Keep, Op, Outline, Ran, Say, Vjp, apply};
use crate::reduce::{axes_of, count, mask_of, reduce, unreduce};
use crate::shape::{Axes, MAX_RANK};
use crate::{DType, Tensor};

impl Tensor {
    /// Whether any element over axes is true, that is: not zero; false of nothing.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`; the result is bool.
    /// * Gradient: none.   * ONNX: `ReduceMax`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[0.0, 2.0], [0.0, 0.0]];
    /// assert_eq!(x.any(-1).to_vec::<bool>(), [true, false]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn any(&self, axes: impl Into<Axes>) -> Tensor {
        truth("any", Reduction::Max, self, axes.into())
    }
}

/// The largest or the smallest truth over axes.
#[track_caller]
pub(crate) fn truth(name: &'static str, kind: Reduction, x: &Tensor, axes: Axes) -> Tensor {
    let mask = axes.mask(name, x.shape());
    apply(Truth { name, kind, mask, keep: axes.keep }, &[x])
}

/// The operation of both: they differ in the reduction.
pub(super) struct Truth {
    pub(super) name: &'static str,
    pub(super) kind: Reduction,
    pub(super) mask: [bool; MAX_RANK],
    pub(super) keep: bool,
}
impl Op for Truth {
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
        if xs[0].device().backend().is_host() {
            let y = truth_of(self.kind, xs[0], &self.mask[..xs[0].rank()]);
            return if self.keep { unreduce(&y, &self.mask, xs[0].shape()) } else { y }.into();
        }
        let x = xs[0].to(DType::Bool);
        let y = match count(&self.mask, x.shape()) {
            // Nothing has no extreme element; its sum has the shape, and `all` of it is true.
            0 => {
                let zeros = reduce(Reduction::Sum, &x, &self.mask, self.keep);
                if self.kind == Reduction::Max { zeros } else { zeros + 1 }.to(DType::Bool)
            }
            _ => reduce(self.kind, &x, &self.mask, self.keep),
        };
        y.into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, _: &Tensor) -> Vjp {
        Vjp::from([None])
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("any", "Whether any element over axes is true, that is: not zero; false of nothing.", Takes::All, samples).built(|a| Ok(Box::new(Truth { name: "any", kind: Reduction::Max, mask: mask_of(a)?, keep: a.need("keep")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].any(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].any(keep(1)));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].any([0, 2]));
    s.of(&[(&[3, 5], &d)], |x| x[0].any(..));
    s.of(&[(&[1, 7], &d)], |x| x[0].any(0));
    s.of(&[(&[], &d)], |x| x[0].any(..));
    s.of(&[(&[0, 3], &d)], |x| x[0].any(0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn any() {
        check(|x| x.any(..)).on(ints(0..2));
        check(|x| x.any(0)).shapes([&[3, 5]]).formula(|[x]| x.reduced(&[0], |v| f64::from(v.iter().any(|&v| v != 0.0)))).on(ints(0..2));
        check(|x| x.any(crate::keep(1))).shapes([&[3, 0]]).on(ints(0..2));
        assert_eq!(crate::tensor![[0, 0], [1, 0], [0, 0]].any(1).to_vec::<bool>(), [false, true, false]);
        assert!(!crate::Tensor::zeros([0]).any(..).to_vec::<bool>()[0]);
    }
}

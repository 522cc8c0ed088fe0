//! Sums over axes.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::keep;
use crate::backend::Reduction;
use crate::graph::{At, Cost, Keep, Op, Outline, Ran, Say, Vjp, apply};
use crate::reduce::{axes_of, mask_of, reduce, unreduce};
use crate::shape::{Axes, MAX_RANK};
use crate::Tensor;

impl Tensor {
    /// The sum over axes: `y = Σ x`, in a fixed pairwise order; integers sum to i64. The order is that of memory, so a
    /// transposed view may sum to another last digit than its copy.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`.   * Gradient: `dx = dy`, repeated.
    /// * ONNX: `ReduceSum`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 2.0], [3.0, 4.0]];
    /// assert_close!(x.sum(0), [4.0, 6.0]);
    /// assert_eq!(x.sum(..).item(), 10.0);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn sum(&self, axes: impl Into<Axes>) -> Tensor {
        let axes = axes.into();
        let mask = axes.mask("sum", self.shape());
        apply(Sum { mask, keep: axes.keep }, &[self])
    }
}

struct Sum {
    mask: [bool; MAX_RANK],
    keep: bool,
}
impl Op for Sum {
    fn is_full(&self) -> bool {
        true
    }
    fn name(&self) -> &'static str {
        "sum"
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
        reduce(Reduction::Sum, xs[0], &self.mask, self.keep).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        unreduce(g, &self.mask, at.shape(0)).expand(at.shape(0)).into()
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("sum", "The sum over axes: `y = Σ x`, in a fixed pairwise order; integers sum to i64.", Takes::All, samples).built(|a| Ok(Box::new(Sum { mask: mask_of(a)?, keep: a.need("keep")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].sum(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].sum(keep(1)));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].sum([0, 2]));
    s.of(&[(&[3, 5], &d)], |x| x[0].sum(..));
    s.of(&[(&[1, 7], &d)], |x| x[0].sum(0));
    s.of(&[(&[], &d)], |x| x[0].sum(..));
    s.of(&[(&[0, 3], &d)], |x| x[0].sum(0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::keep;

    #[test]
    fn sum() {
        check(|x| x.sum(..)).on(floats(-2.0..2.0));
        check(|x| x.sum([0, 2]))
            .shapes([&[3, 5, 4]])
            .formula(|[x]| x.reduced(&[0, 2], |v| v.iter().sum()))
            .on(floats(-2.0..2.0));
        let x = crate::tensor![1.0, 2.0, 4.0].leaf();
        assert_eq!(x.sum(..).item(), 7.0);
        crate::assert_close!(x.sum(..).backward().of(&x), [1.0, 1.0, 1.0]);
        check(|x| x.unsqueeze(0).sum(-1)).on(floats(-2.0..2.0));
        check(|x| x.unsqueeze(-1).sum(keep(0))).on(floats(-2.0..2.0));
    }
}

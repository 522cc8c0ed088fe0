//! Variances over axes.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{rows_of, slice, widened, with_float};
use crate::graph::{At, Attrs, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::reduce::{axes_of, centred, count, left_of, mask_of, unreduce};
use crate::shape::{Axes, MAX_RANK};
use crate::{Result, Tensor, fail, keep};
use crate::backend::order::Order;
use mapsto_kernels::reduce::{moments, spreads};
use std::borrow::Cow;

impl Tensor {
    /// The population's variance over axes: `y = Σ (x − mean)² / n`, in two passes.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`; floats only.
    /// * Gradient: `dx = 2 (x − mean) dy / n`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[1.0, 3.0], [2.0, 8.0]].var(-1), [1.0, 9.0]);
    /// ```
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[track_caller]
    pub fn var(&self, axes: impl Into<Axes>) -> Tensor {
        self.var_with(axes, 0)
    }

    /// The variance with divisor `n − ddof`: 1 gives the unbiased estimate from a sample. NaN where nothing is left to
    /// divide by.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0, 3.0, 4.0].var_with(.., 1), 1.66667);
    /// ```
    /// # Panics
    /// As [`var`](Tensor::var).
    #[track_caller]
    pub fn var_with(&self, axes: impl Into<Axes>, ddof: usize) -> Tensor {
        let axes = axes.into();
        let mask = axes.mask("var", self.shape());
        if !self.dtype().is_float() {
            fail!("var", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        let y = fused(Var { mask, ddof }, &[self]);
        if axes.keep { y } else { y.reshape(left_of(&mask, self.shape())) }
    }
}

/// Keeps the axes it reduces with size 1.
pub(super) struct Var {
    pub(super) mask: [bool; MAX_RANK],
    pub(super) ddof: usize,
}
/// What is made of the squares.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Wanted {
    Variance,
    Deviation,
}
impl Var {
    pub(super) fn of(attrs: &mut Attrs) -> Result<Var> {
        Ok(Var { mask: mask_of(attrs)?, ddof: attrs.need("ddof")? })
    }
    pub(super) fn axes(&self, x: &Tensor) -> Vec<usize> {
        (0..x.rank()).filter(|&i| self.mask[i]).collect()
    }
    /// The CPU's kernel: the result, and the mean in two parts.
    pub(super) fn moments(&self, x: &Tensor, wanted: Wanted) -> Fast {
        // Axes as they lie in memory, so that a transposed input is not copied.
        let order = Order::of(&[x], x.shape_of());
        let (mut mask, mut turned) = (self.mask, Cow::Borrowed(x));
        if let Some(order) = &order {
            order.axes().iter().enumerate().for_each(|(to, &from)| mask[to] = self.mask[from]);
            turned = Cow::Owned(order.view(x, x.shape_of()));
        }
        let (rows, dims) = rows_of(&turned, &mask);
        let left = dims[0] * dims[2];
        let (mut mean, mut rest) = (None, None);
        let y = with_float!(rows.dtype(), T => Tensor::filled_by(left, |y: &mut [T]| {
            mean = Some(Tensor::filled_by(left, |mean: &mut [T]| {
                rest = Some(Tensor::filled_by(left, |rest: &mut [T]| match wanted {
                    Wanted::Variance => moments(slice(&rows), dims, self.ddof as f64, [mean, rest, y]),
                    Wanted::Deviation => spreads(slice(&rows), dims, self.ddof as f64, [mean, rest, y]),
                }));
            }));
        }));
        let back = |t: &Tensor| {
            let t = unreduce(t, &mask, turned.shape());
            order.as_ref().map_or(t.clone(), |order| t.permute(order.back()).contiguous())
        };
        let kept = [mean, rest].iter().flatten().map(back).collect();
        Fast { y: back(&y).to(x.dtype()), kept }
    }
    pub(super) fn divisor(&self, shape: &[usize]) -> f64 {
        match count(&self.mask, shape) {
            n if n > self.ddof => (n - self.ddof) as f64,
            _ => f64::NAN,
        }
    }
}
impl Fused for Var {
    fn name(&self) -> &'static str {
        "var"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 4)
    }
    fn attrs(&self, say: Say<'_>) {
        say("axes", axes_of(&self.mask));
        say("ddof", self.ddof.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let axes = self.axes(xs[0]);
        let d = centred(xs[0], &axes);
        // No part of it is larger than the result, nor any part of a derivative than the derivative.
        let divisor = self.divisor(xs[0].shape());
        let y = (&d * (&d / divisor)).sum(keep(&axes[..]));
        // The sum of nothing is 0, the variance of nothing is not.
        if divisor.is_nan() { y * f64::NAN } else { y }
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        Some(self.moments(xs[0], Wanted::Variance))
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let scale = widened(g) * (2.0 / self.divisor(at.shape(0)));
        // The mean in two parts, so that its rounding leaves the spread alone.
        Some(((widened(at.x()) - &at.kept()[0] - &at.kept()[1]) * scale).into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("var", "The population's variance over axes: `y = Σ (x − mean)² / n`, in two passes.", Takes::Floats, samples).built(|a| Ok(boxed(Var::of(a)?))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].var(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].var(keep(1)));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].var([0, 2]));
    s.of(&[(&[3, 5], &d)], |x| x[0].var(..));
    s.of(&[(&[1, 7], &d)], |x| x[0].var(0));
    s.of(&[(&[3, 5], &d)], |x| x[0].var_with(-1, 1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn a_view_has_the_variance_of_its_copy() {
        let x = Tensor::randn([3, 4, 5, 6]);
        for order in [[3, 2, 1, 0], [0, 3, 1, 2], [0, 1, 3, 2]] {
            let (view, rows) = (x.permute(order), x.permute(order).contiguous());
            for axes in [&[0usize][..], &[3], &[1, 2], &[0, 2], &[0, 1, 2, 3]] {
                assert_close!(view.var(axes), rows.var(axes));
                assert_close!(view.std(keep(axes)), rows.std(keep(axes)));
                let (a, b) = (view.clone().leaf(), rows.clone().leaf());
                let (da, db) = (a.std(axes).sum(..).backward(), b.std(axes).sum(..).backward());
                assert_close!(da.of(&a), db.of(&b));
            }
        }
    }

    #[test]
    fn var() {
        check(|x| x.var(..)).on(floats(-2.0..2.0));
        check(|x| x.var_with(keep([0, 2]), 1)).shapes([&[3, 4, 2]]).on(floats(-2.0..2.0));
        check(|x| x.var(1)).shapes([&[2, 5, 3]]).on(floats(-2.0..2.0));
        let mask = |axes: &[usize]| std::array::from_fn(|i| axes.contains(&i));
        check_fused(|| Var { mask: mask(&[1]), ddof: 1 }, &[(&[4, 9, 3], floats(-3.0..3.0))]);
        check_fused(|| Var { mask: mask(&[0, 2]), ddof: 0 }, &[(&[4, 9, 3], floats(-3.0..3.0))]);
        assert!(tensor![3.0].var_with(.., 1).item().is_nan());
        assert_close!((tensor![1.0, 2.0, 3.0] + 10000.0).var(..), 2.0 / 3.0);
        let far = Tensor::arange(0..1000).to(DType::F32) / 1024.0 + 1e6; // in steps of 1/16
        let want = far.to(DType::F64).var(..).item();
        assert!((far.var(..).item() / want - 1.0).abs() < 1e-6, "{} {want}", far.var(..).item());
    }
}

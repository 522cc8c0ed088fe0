//! Running products, and the doubling that other running functions share.

use crate::backend::cpu::{around, in_class, slice};
use crate::check::floats;
use crate::error::named;
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Axis;
use crate::storage::Plain;
use crate::{DType, Tensor, fail, keep};
use mapsto_kernels::real::Number;
use mapsto_kernels::scan;

impl Tensor {
    /// Running products along an axis: `yᵢ = Π_{k ≤ i} xₖ`; integers multiply to i64.
    ///
    /// * Shape: `[..] → [..]`, any number.   * Gradient: `dxⱼ = Σ_{i ≥ j} dyᵢ Π_{k ≤ i, k ≠ j} xₖ`, exact where elements are zero.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0, 3.0].cumprod(0), [1.0, 2.0, 6.0]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn cumprod(&self, axis: impl Into<Axis>) -> Tensor {
        let axis = axis.into();
        if axis.of_nothing("cumprod", self.shape()) {
            return self.reshape([1usize]).cumprod(0).reshape(());
        }
        let axis = axis.of("cumprod", self.shape());
        named("cumprod", || {
            let x = if self.dtype().is_float() { self.clone() } else { self.to(DType::I64) };
            fused(CumProd { axis }, &[&x])
        })
    }

    /// Running sums of exponentials as logarithms: `yᵢ = ln Σ_{k ≤ i} e^(xₖ)`, without overflow.
    ///
    /// * Shape: `[..] → [..]`, floats only.   * Gradient: `dxⱼ = Σ_{i ≥ j} e^(xⱼ − yᵢ) dyᵢ`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.0, 0.0, 1000.0].logcumsumexp(0), [0.0, 0.69315, 1000.0]);
    /// ```
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[track_caller]
    pub fn logcumsumexp(&self, axis: impl Into<Axis>) -> Tensor {
        let axis = axis.into();
        if axis.of_nothing("logcumsumexp", self.shape()) {
            return self.reshape([1usize]).logcumsumexp(0).reshape(());
        }
        let axis = axis.of("logcumsumexp", self.shape());
        if !self.dtype().is_float() {
            fail!("logcumsumexp", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        // Less the largest: sums of large numbers that lie near each other would lose their differences.
        let most = if self.is_empty() { Tensor::zeros_like(&self.detach()) } else { self.detach().max(keep(axis)) };
        let most = most.abs().lt(f64::INFINITY).choose(most, 0.0);
        running(&(self - &most), axis, |a, b| a.logaddexp(b)) + most
    }
}

struct CumProd {
    axis: usize,
}
impl Fused for CumProd {
    fn is_full(&self) -> bool {
        true
    }
    fn name(&self) -> &'static str {
        "cumprod"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 1)
    }
    fn attrs(&self, say: Say<'_>) {
        say("axis", self.axis.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        running(xs[0], self.axis, |a, b| a * b)
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        fn run<T: Number + Plain>(x: &Tensor, axis: usize) -> Tensor {
            let dims = around(x.shape(), axis);
            Tensor::filled_by(*x.shape_of(), |y: &mut [T]| scan::cumprod(slice(x), dims, y))
        }
        let x = in_class(xs[0]);
        let y = match x.dtype() {
            DType::F32 => run::<f32>(&x, self.axis),
            DType::F64 => run::<f64>(&x, self.axis),
            _ => run::<i64>(&x, self.axis),
        };
        Some(y.to(xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, _: &At<'_>, _: &Tensor) -> Option<Vjp> {
        None
    }
}

/// What `join` makes of each element and all before it, for a `join` that is associative: each round joins what is twice as far
/// away, so that there are as many rounds as bits in the length, and no element is divided by another.
#[track_caller]
pub(super) fn running(x: &Tensor, axis: usize, join: impl Fn(&Tensor, &Tensor) -> Tensor) -> Tensor {
    let (n, mut y, mut step) = (x.shape()[axis], x.clone(), 1);
    while step < n {
        let joined = join(&y.slice(axis, ..n - step), &y.slice(axis, step..));
        y = Tensor::cat(&[y.slice(axis, ..step), joined], axis);
        step *= 2;
    }
    y
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("cumprod", "Running products along an axis; integers multiply to i64.", Takes::Numbers, of_cumprod).built(|a| Ok(boxed(CumProd { axis: a.need("axis")? }))),
    OpKind::new("logcumsumexp", "Running sums of exponentials as logarithms along an axis.", Takes::Floats, of_logcumsumexp).made_of("slice, logaddexp and cat"),
];

fn of_cumprod(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].cumprod(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].cumprod(1));
    s.of(&[(&[0, 3], &d)], |x| x[0].cumprod(0));
}

fn of_logcumsumexp(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].logcumsumexp(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].logcumsumexp(1));
    s.of(&[(&[0, 3], &d)], |x| x[0].logcumsumexp(0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn running() {
        let products = |v: &[f64]| (0..v.len()).map(|i| v[..=i].iter().product()).collect::<Vec<f64>>();
        let sums = |v: &[f64]| (0..v.len()).map(|i| v[..=i].iter().map(|v| v.exp()).sum::<f64>().ln()).collect::<Vec<f64>>();
        check(|x| x.cumprod(1)).shapes([&[3, 9]]).formula(move |[x]| x.along(1, products)).on(floats(-1.5..1.5));
        check(|x| x.logcumsumexp(0)).shapes([&[9, 2]]).formula(move |[x]| x.along(0, sums)).on(floats(-2.0..2.0));
        for axis in [0, 1, 2] {
            check_fused(|| CumProd { axis }, &[(&[4, 9, 3], floats(-1.5..1.5))]);
        }
        check(|x| x.cumprod(0)).shapes([&[5]]).on(ints(-3..4));
        let x = tensor![2.0, 0.0, 3.0].leaf();
        assert_close!(x.cumprod(0).sum(..).backward().of(&x), [1.0, 8.0, 0.0]);
    }
}

//! Running extremes.

use crate::backend::cpu::{around, in_class, slice};
use crate::check::floats;
use crate::error::named;
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::{Axis, Shape};
use crate::storage::Plain;
use crate::{DType, Tensor};
use mapsto_kernels::real::Number;
use mapsto_kernels::scan::{Extreme, running_position};

impl Tensor {
    /// The largest element so far along an axis, and its position (i64), the last one of equals; from a NaN on it is NaN.
    ///
    /// * Shape: `[..] → ([..], [..])`, any number.   * Gradient: each `dy` to where its element came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, at) = tensor![1.0, 3.0, 2.0].cummax(0);
    /// assert_close!(y, [1.0, 3.0, 3.0]);
    /// assert_eq!(at.to_vec::<i64>(), [0, 1, 1]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn cummax(&self, axis: impl Into<Axis>) -> (Tensor, Tensor) {
        running(self, "cummax", axis.into(), Extreme::Largest)
    }

    /// The smallest element so far along an axis, and its position (i64), the last one of equals; from a NaN on it is NaN.
    ///
    /// * Shape: `[..] → ([..], [..])`, any number.   * Gradient: each `dy` to where its element came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, at) = tensor![3.0, 1.0, 2.0].cummin(0);
    /// assert_close!(y, [3.0, 1.0, 1.0]);
    /// assert_eq!(at.to_vec::<i64>(), [0, 1, 1]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn cummin(&self, axis: impl Into<Axis>) -> (Tensor, Tensor) {
        running(self, "cummin", axis.into(), Extreme::Smallest)
    }
}

/// The elements are gathered by their positions, which is also how the gradient flows.
#[track_caller]
fn running(x: &Tensor, op: &str, axis: Axis, extreme: Extreme) -> (Tensor, Tensor) {
    if axis.of_nothing(op, x.shape()) {
        return (x.clone(), x.device().scope(|| Tensor::full_of((), 0, DType::I64)));
    }
    let axis = axis.of(op, x.shape());
    named(op, || {
        let at = fused(RunningPosition { axis, extreme }, &[&x.detach()]);
        (x.gather(axis, &at), at)
    })
}

/// The position of the extreme so far.
struct RunningPosition {
    axis: usize,
    extreme: Extreme,
}
impl Fused for RunningPosition {
    fn name(&self) -> &'static str {
        if self.extreme == Extreme::Largest { "cummax" } else { "cummin" }
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
    /// By doubling, as for [`cumprod`](Tensor::cumprod).
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let (x, axis) = (xs[0], self.axis);
        let n = x.shape()[axis];
        let row: Shape = (0..x.rank()).map(|i| if i == axis { n } else { 1 }).collect();
        let mut at = x.device().scope(|| Tensor::arange(0..n)).reshape(row).expand(x.shape()).contiguous();
        let (mut y, mut step) = (x.detach(), 1);
        while step < n {
            let (old, new) = (y.slice(axis, ..n - step), y.slice(axis, step..));
            let wins = if self.extreme == Extreme::Largest { new.ge(&old) } else { new.le(&old) };
            let keep = wins.or(&new.is_nan());
            let positions = keep.choose(at.slice(axis, step..), at.slice(axis, ..n - step));
            at = Tensor::cat(&[at.slice(axis, ..step), positions], axis);
            y = Tensor::cat(&[y.slice(axis, ..step), keep.choose(new, old)], axis);
            step *= 2;
        }
        at
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        fn run<T: Number + Plain>(x: &Tensor, axis: usize, extreme: Extreme) -> Tensor {
            let dims = around(x.shape(), axis);
            Tensor::filled_by(*x.shape_of(), |y: &mut [i64]| running_position(slice::<T>(x), dims, extreme, y))
        }
        let x = in_class(xs[0]);
        let run = match x.dtype() {
            DType::F32 => run::<f32>,
            DType::F64 => run::<f64>,
            _ => run::<i64>,
        };
        Some(run(&x, self.axis, self.extreme).into())
    }
    fn cpu_vjp(&self, _: &At<'_>, _: &Tensor) -> Option<Vjp> {
        None
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("cummax", "The largest element so far along an axis, and its position.", Takes::Numbers, of_cummax)
        .built(|a| Ok(boxed(RunningPosition { axis: a.need("axis")?, extreme: Extreme::Largest }))),
    OpKind::new("cummin", "The smallest element so far along an axis, and its position.", Takes::Numbers, of_cummin)
        .built(|a| Ok(boxed(RunningPosition { axis: a.need("axis")?, extreme: Extreme::Smallest }))),
];

fn of_cummax(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].cummax(-1).0);
    s.of(&[(&[3, 5], &d)], |x| x[0].cummax(0).1);
    s.of(&[(&[0, 3], &d)], |x| x[0].cummax(0).0);
}

fn of_cummin(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].cummin(-1).0);
    s.of(&[(&[3, 5], &d)], |x| x[0].cummin(0).1);
    s.of(&[(&[0, 3], &d)], |x| x[0].cummin(0).0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn extremes_so_far() {
        let most = |v: &[f64]| (0..v.len()).map(|i| v[..=i].iter().fold(f64::MIN, |a, b| a.max(*b))).collect::<Vec<f64>>();
        check(|x| x.cummax(1).0).shapes([&[3, 11]]).formula(move |[x]| x.along(1, most)).on(floats(-2.0..2.0));
        check(|x| x.cummin(0).1).shapes([&[6, 2]]).on(ints(0..3));
        let x = Tensor::randn([5, 33, 4]);
        for dtype in [DType::F32, DType::F64, DType::BF16, DType::I64, DType::U8] {
            for (axis, extreme) in [(0, Extreme::Largest), (1, Extreme::Largest), (1, Extreme::Smallest), (2, Extreme::Smallest)] {
                let (op, x) = (RunningPosition { axis, extreme }, (&x * 3.0).abs().to(dtype));
                assert_eq!(fused(RunningPosition { axis, extreme }, &[&x]).to_vec::<i64>(), op.compose(&[&x]).to_vec::<i64>());
            }
        }
        // Values of torch.cummax and torch.cummin.
        let x = tensor![2.0, 2.0, 1.0, f64::NAN, 5.0];
        let (y, at) = x.cummax(0);
        assert_eq!(at.to_vec::<i64>(), [0, 1, 1, 3, 3]);
        assert!(y.to_vec::<f32>()[..3] == [2.0, 2.0, 2.0] && y.to_vec::<f32>()[4].is_nan());
        assert_eq!(x.slice(0, ..3).cummin(0).1.to_vec::<i64>(), [0, 1, 2]);
    }
}

//! Medians and other quantiles.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Axis;
use crate::error::named;
use crate::{Tensor, fail};

impl Tensor {
    /// The median of an axis and its position (i64): of an even number of elements the smaller of the two in the middle; NaN if any is.
    ///
    /// * Shape: `[a, n] → ([a], [a])` along the last axis, any number.   * Gradient: `dy` to where the median came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, at) = tensor![3.0, 1.0, 4.0, 2.0].median(0);
    /// assert_eq!((y.item(), at.item_i64()), (2.0, 3));
    /// ```
    /// # Panics
    /// When there is no such axis, or it has no elements. `quantile(0.5, axis)` is the mean of the two in the middle.
    #[track_caller]
    pub fn median(&self, axis: impl Into<Axis>) -> (Tensor, Tensor) {
        let axis = axis.into();
        if axis.of_nothing("median", self.shape()) {
            return (self.clone(), self.argsort(0));
        }
        let axis = axis.of("median", self.shape());
        let n = self.shape()[axis];
        if n == 0 {
            fail!("median", "axis {axis} of {:?} has no elements", self.shape());
        }
        named("median", || {
            let at = self.argsort(axis);
            // NaN is sorted to the end.
            let (middle, last) = (at.slice(axis, (n - 1) / 2..=(n - 1) / 2), at.slice(axis, n - 1..));
            let nan = self.detach().gather(axis, &last).is_nan();
            let at = nan.choose(&last, &middle);
            (self.gather(axis, &at).squeeze(axis), at.squeeze(axis))
        })
    }

    /// The number below which a part `q` of an axis lies: between two elements on the straight line from one to the other; NaN if any is.
    ///
    /// Source: Hyndman and Fan (1996), definition 7, as in NumPy and PyTorch.
    ///
    /// * Shape: `[a, n] → [a]` along the last axis, floats only.   * Gradient: `dy` to the two elements beside it, by their weights; to a NaN where there is one.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![3.0, 1.0, 4.0, 2.0].quantile(0.5, 0), 2.5);
    /// ```
    /// # Panics
    /// When there is no such axis, it has no elements, or `q` is not from 0 to 1.
    #[track_caller]
    pub fn quantile(&self, q: f64, axis: impl Into<Axis>) -> Tensor {
        self.quantile_with(q, axis, Between::Linear)
    }

    /// [`quantile`](Tensor::quantile) with another way between two elements.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![3.0, 1.0, 4.0, 2.0].quantile_with(0.5, 0, Between::Lower), 2.0);
    /// ```
    /// # Panics
    /// As [`quantile`](Tensor::quantile).
    #[track_caller]
    pub fn quantile_with(&self, q: f64, axis: impl Into<Axis>, between: Between) -> Tensor {
        let axis = axis.into();
        check_quantiles("quantile", self, &[q]);
        if axis.of_nothing("quantile", self.shape()) {
            return self.clone();
        }
        let axis = filled_axis("quantile", self, axis);
        named("quantile", || of_sorted(&self.sort(axis).0, axis, q, between))
    }

    /// Several quantiles of an axis at once, which is sorted once: they stand along a new first axis.
    ///
    /// * Shape: `[a, n] → [k, a]` along the last axis for k numbers, floats only.   * Gradient: as [`quantile`](Tensor::quantile).
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![[3.0, 1.0, 4.0, 2.0]].quantiles(&[0.0, 0.5, 1.0], 1, Between::Linear);
    /// assert_close!(y, [[1.0], [2.5], [4.0]]);
    /// ```
    /// # Panics
    /// As [`quantile`](Tensor::quantile), and when no number is given.
    #[track_caller]
    pub fn quantiles(&self, q: &[f64], axis: impl Into<Axis>, between: Between) -> Tensor {
        let axis = axis.into();
        check_quantiles("quantiles", self, q);
        if q.is_empty() {
            fail!("quantiles", "no `q` is given");
        }
        if axis.of_nothing("quantiles", self.shape()) {
            return named("quantiles", || Tensor::stack(&vec![self; q.len()], 0));
        }
        let axis = filled_axis("quantiles", self, axis);
        named("quantiles", || {
            let sorted = self.sort(axis).0;
            let all: Vec<Tensor> = q.iter().map(|&q| of_sorted(&sorted, axis, q, between)).collect();
            Tensor::stack(&all, 0)
        })
    }
}

/// What a quantile between two elements is: NumPy's and PyTorch's `interpolation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// On the straight line from one to the other.
    Linear,
    /// The lower one.
    Lower,
    /// The higher one.
    Higher,
    /// The nearer one; of a half the one with the even position.
    Nearest,
    /// Their mean.
    Midpoint,
}

#[track_caller]
pub(super) fn check_quantiles(op: &str, x: &Tensor, q: &[f64]) {
    if !x.dtype().is_float() {
        fail!(op, "floats are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    if let Some(wrong) = q.iter().find(|q| !(0.0..=1.0).contains(*q)) {
        fail!(op, "`q` must be from 0 to 1, got {wrong}");
    }
}

/// The axis, which must have elements.
#[track_caller]
pub(super) fn filled_axis(op: &str, x: &Tensor, axis: Axis) -> usize {
    let axis = axis.of(op, x.shape());
    if x.shape()[axis] == 0 {
        fail!(op, "axis {axis} of {:?} has no elements", x.shape());
    }
    axis
}

/// The two elements beside a place and the weight of the second.
pub(super) fn beside(at: f64, between: Between) -> (f64, f64, f64) {
    let (low, high) = (at.floor(), at.ceil());
    match between {
        Between::Linear => (low, high, at - low),
        Between::Lower => (low, low, 0.0),
        Between::Higher => (high, high, 0.0),
        Between::Nearest => (at.round_ties_even(), at.round_ties_even(), 0.0),
        Between::Midpoint => (low, high, if low == high { 0.0 } else { 0.5 }),
    }
}

/// A quantile of a sorted axis.
#[track_caller]
fn of_sorted(sorted: &Tensor, axis: usize, q: f64, between: Between) -> Tensor {
    let n = sorted.shape()[axis];
    let (low, high, weight) = beside(q * (n - 1) as f64, between);
    // NaN is sorted to the end, and the gradient goes to where it came from.
    let last = sorted.select(axis, n - 1);
    let nan = last.detach().is_nan();
    // An element as it is, since nothing lies between infinite ones.
    let mut y = sorted.select(axis, low as usize);
    if weight != 0.0 {
        y = y.lerp(&sorted.select(axis, high as usize), weight);
    }
    nan.choose(last, y)
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("median", "The median of an axis and its position.", Takes::Numbers, of_median).made_of("argsort and gather"),
    OpKind::new("quantiles", "Several quantiles of an axis at once.", Takes::Floats, of_quantiles).made_of("sort, select, lerp and stack"),
    OpKind::new("quantile", "The number below which a part of an axis lies.", Takes::Floats, of_quantile).made_of("sort, select and lerp"),
];

fn of_median(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].median(-1).0);
    s.of(&[(&[4, 3], &d)], |x| x[0].median(0).1);
}

fn of_quantile(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].quantile(0.3, -1));
    s.of(&[(&[4, 3], &d)], |x| x[0].quantile(0.5, 0));
}

fn of_quantiles(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].quantiles(&[0.3, 0.9], -1, Between::Linear));
    s.of(&[(&[4, 3], &d)], |x| x[0].quantiles(&[0.5], 0, Between::Midpoint));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    /// The gradients of `torch.quantile` and `torch.median`.
    #[test]
    fn a_row_with_nan_hands_its_gradient_to_it() {
        let rows = || tensor![[3.0, f64::NAN, 1.0], [2.0, 5.0, 4.0]].leaf();
        let of = |f: &dyn Fn(&Tensor) -> Tensor| {
            let x = rows();
            f(&x).sum(..).backward().of(&x).clone()
        };
        assert_close!(of(&|x| x.quantile(0.5, 1)), [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_close!(of(&|x| x.quantile(0.3, 1)), [[0.0, 1.0, 0.0], [0.4, 0.0, 0.6]]);
        assert_close!(of(&|x| x.quantiles(&[0.3], 1, Between::Linear)), [[0.0, 1.0, 0.0], [0.4, 0.0, 0.6]]);
        assert_close!(of(&|x| x.median(1).0), [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_close!(of(&|x| x.nanquantile(0.3, 1, Between::Linear)), [[0.3, 0.0, 0.7], [0.4, 0.0, 0.6]]);
    }

    #[test]
    fn an_infinite_element_is_a_quantile() {
        let x = tensor![f64::NEG_INFINITY, 1.0, 2.0, f64::INFINITY];
        let at = |q: f64, between| x.quantile_with(q, 0, between).item();
        assert_eq!(
            [at(1.0, Between::Lower), at(0.0, Between::Linear), at(1.0, Between::Linear), at(0.9, Between::Higher)],
            [f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY, f64::INFINITY]
        );
        assert_eq!(x.nanquantile(1.0, 0, Between::Linear).item(), f64::INFINITY);
    }

    #[test]
    fn quantiles() {
        let middle = |v: &[f64]| {
            let mut v = v.to_vec();
            v.sort_by(f64::total_cmp);
            v[(v.len() - 1) / 2]
        };
        check(|x| x.median(1).0).shapes([&[3, 6]]).formula(move |[x]| x.reduced(&[1], middle)).on(floats(-2.0..2.0));
        check(|x| x.quantile(0.3, 0)).shapes([&[6, 2]]).on(floats(-2.0..2.0));
        // Values of torch.quantile.
        let x = tensor![5.0, 1.0, 2.0, 10.0];
        for (q, want) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.5), (0.9, 8.5), (1.0, 10.0)] {
            assert_close!(x.quantile(q, 0), want);
        }
        let modes = [
            (Between::Lower, [1.0, 1.0, 2.0, 5.0, 10.0]),
            (Between::Higher, [1.0, 2.0, 5.0, 10.0, 10.0]),
            (Between::Nearest, [1.0, 2.0, 5.0, 10.0, 10.0]),
            (Between::Midpoint, [1.0, 1.5, 3.5, 7.5, 10.0]),
            (Between::Linear, [1.0, 1.75, 3.5, 8.5, 10.0]),
        ];
        for (between, want) in modes {
            assert_close!(x.quantiles(&[0.0, 0.25, 0.5, 0.9, 1.0], 0, between), want);
            assert_close!(x.quantile_with(0.9, 0, between), want[3]);
        }
        check(|x| x.quantiles(&[0.1, 0.6], 1, Between::Linear)).shapes([&[2, 5]]).on(floats(-2.0..2.0));
        assert_eq!(Tensor::zeros([2, 3, 4]).quantiles(&[0.1, 0.6], 1, Between::Lower).shape(), [2, 2, 4]);
        assert_eq!(catch(|| x.quantiles(&[0.1, 1.5], 0, Between::Linear)).unwrap_err().message(), "quantiles: `q` must be from 0 to 1, got 1.5");
        let nan = tensor![1.0, f64::NAN, 0.0];
        assert!(nan.median(0).0.item().is_nan() && nan.quantile(0.1, 0).item().is_nan());
        assert_eq!(nan.median(0).1.item_i64(), 1);
    }
}

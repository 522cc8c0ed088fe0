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
    /// * Shape: `[a, n] → [a]` along the last axis, floats only.   * Gradient: `dy` to the two elements beside it, by their weights.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![3.0, 1.0, 4.0, 2.0].quantile(0.5, 0), 2.5);
    /// ```
    /// # Panics
    /// When there is no such axis, it has no elements, or `q` is not from 0 to 1.
    #[track_caller]
    pub fn quantile(&self, q: f64, axis: impl Into<Axis>) -> Tensor {
        let axis = axis.into();
        if !self.dtype().is_float() {
            fail!("quantile", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        if !(0.0..=1.0).contains(&q) {
            fail!("quantile", "`q` must be from 0 to 1, got {q}");
        }
        if axis.of_nothing("quantile", self.shape()) {
            return self.clone();
        }
        let axis = axis.of("quantile", self.shape());
        let n = self.shape()[axis];
        if n == 0 {
            fail!("quantile", "axis {axis} of {:?} has no elements", self.shape());
        }
        named("quantile", || {
            let sorted = self.sort(axis).0;
            let at = q * (n - 1) as f64;
            let (low, high) = (at.floor() as usize, at.ceil() as usize);
            let nan = sorted.detach().select(axis, n - 1).is_nan();
            let y = sorted.select(axis, low).lerp(&sorted.select(axis, high), at - at.floor());
            nan.choose(f64::NAN, y)
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("median", "The median of an axis and its position.", Takes::Numbers, of_median).made_of("argsort and gather"),
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

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

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
        let nan = tensor![1.0, f64::NAN, 0.0];
        assert!(nan.median(0).0.item().is_nan() && nan.quantile(0.1, 0).item().is_nan());
        assert_eq!(nan.median(0).1.item_i64(), 1);
    }
}

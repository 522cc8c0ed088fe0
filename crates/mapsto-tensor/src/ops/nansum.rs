//! Sums and means of what is a number, and counts of what is not 0.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Axes;
use crate::error::named;
use crate::{DType, Tensor, fail, keep};

impl Tensor {
    /// The sum over axes of the elements that are not NaN.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`.   * Gradient: `dx = dy`, 0 where x is NaN.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1.0, f64::NAN, 2.0].nansum(..).item(), 3.0);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn nansum(&self, axes: impl Into<Axes>) -> Tensor {
        let axes = axes.into();
        axes.mask("nansum", self.shape());
        named("nansum", || if self.dtype().is_float() { self.is_nan().choose(0.0, self).sum(axes) } else { self.sum(axes) })
    }

    /// The mean over axes of the elements that are not NaN; NaN of none.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`; floats only.   * Gradient: `dx = dy / n` for n numbers, 0 where x is NaN.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1.0, f64::NAN, 2.0].nanmean(..).item(), 1.5);
    /// ```
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[track_caller]
    pub fn nanmean(&self, axes: impl Into<Axes>) -> Tensor {
        let axes = axes.into();
        axes.mask("nanmean", self.shape());
        if !self.dtype().is_float() {
            fail!("nanmean", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        named("nanmean", || {
            let nan = self.is_nan();
            // By the shares of the mean of all, whose sum does not overflow.
            let (mean, share) = (nan.choose(0.0, self).mean(axes.clone()), nan.not().to(self.dtype()).mean(axes));
            mean / share
        })
    }

    /// How many elements over axes are not 0, as i64; NaN is not 0.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`; every dtype.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![[1.0, 0.0], [2.0, 3.0]].count_nonzero(-1).to_vec::<i64>(), [1, 2]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn count_nonzero(&self, axes: impl Into<Axes>) -> Tensor {
        let axes = axes.into();
        axes.mask("count_nonzero", self.shape());
        named("count_nonzero", || {
            let is = if self.dtype() == DType::Bool { self.clone() } else { self.ne(0) };
            is.to(DType::I64).sum(axes)
        })
    }

    /// The smallest and the largest element over axes; NaN if any is.
    ///
    /// * Shape: `[a, b] → ([a], [a])` for `-1`.   * Gradient: as [`min`](Tensor::min) and [`max`](Tensor::max).
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (lo, hi) = tensor![3.0, -1.0, 2.0].aminmax(..);
    /// assert_eq!((lo.item(), hi.item()), (-1.0, 3.0));
    /// ```
    /// # Panics
    /// When there is no such axis, or it has no elements.
    #[track_caller]
    pub fn aminmax(&self, axes: impl Into<Axes>) -> (Tensor, Tensor) {
        let axes = axes.into();
        named("aminmax", || (self.min(axes.clone()), self.max(axes)))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("nansum", "The sum over axes of the elements that are not NaN.", Takes::Numbers, of_nansum).made_of("choose and sum"),
    OpKind::new("nanmean", "The mean over axes of the elements that are not NaN.", Takes::Floats, of_nanmean).made_of("choose and mean"),
    OpKind::new("count_nonzero", "How many elements over axes are not 0.", Takes::All, of_count_nonzero).made_of("ne and sum"),
    OpKind::new("aminmax", "The smallest and the largest element over axes.", Takes::Numbers, of_aminmax).made_of("min and max"),
];

fn of_nansum(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].nansum(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].nansum(keep([0, 2])));
    s.of(&[(&[3, 5], &d)], |x| x[0].nansum(..));
}

fn of_nanmean(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].nanmean(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].nanmean(keep([0, 2])));
    s.of(&[(&[3, 5], &d)], |x| x[0].nanmean(..));
}

fn of_count_nonzero(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].count_nonzero(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].count_nonzero(keep([0, 2])));
    s.of(&[(&[3, 5], &d)], |x| x[0].count_nonzero(..));
}

fn of_aminmax(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].aminmax(-1).0);
    s.of(&[(&[3, 5], &d)], |x| x[0].aminmax(0).1);
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn what_counts() {
        check(|x| x.nansum(1)).shapes([&[3, 5]]).formula(|[x]| x.reduced(&[1], |v| v.iter().sum())).on(floats(-2.0..2.0));
        check(|x| x.nanmean(1)).shapes([&[3, 5]]).formula(|[x]| x.reduced(&[1], |v| v.iter().sum::<f64>() / v.len() as f64)).on(floats(-2.0..2.0));
        check(|x| x.count_nonzero(0)).shapes([&[6, 3]]).formula(|[x]| x.reduced(&[0], |v| v.iter().filter(|v| **v != 0.0).count() as f64)).on(ints(-1..2));
        let x = tensor![[f64::NAN, 1.0, 5.0], [f64::NAN, f64::NAN, f64::NAN]].leaf();
        assert_close!(x.nansum(-1), [6.0, 0.0]);
        let y = x.nanmean(-1);
        assert!(y.to_vec::<f32>()[0] == 3.0 && y.to_vec::<f32>()[1].is_nan());
        assert_close!(y.select(0, 0).backward().of(&x).select(0, 0), [0.0, 0.5, 0.5]);
        assert_eq!(tensor![true, false].count_nonzero(..).item_i64(), 1);
    }
}

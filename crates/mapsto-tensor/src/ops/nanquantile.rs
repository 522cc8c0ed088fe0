//! Medians and other quantiles of what is a number.

use super::quantile::{Between, beside, check_quantiles, filled_axis};
use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Axis;
use crate::{DType, Tensor};

impl Tensor {
    /// The [`quantile`](Tensor::quantile) of the elements of an axis that are not NaN; NaN of none.
    ///
    /// * Shape: `[a, n] → [a]` along the last axis, floats only.   * Gradient: `dy` to the two elements beside it, by their weights.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![3.0, f64::NAN, 1.0].nanquantile(0.5, 0, Between::Linear), 2.0);
    /// ```
    /// # Panics
    /// When there is no such axis, it has no elements, or `q` is not from 0 to 1.
    #[track_caller]
    pub fn nanquantile(&self, q: f64, axis: impl Into<Axis>, between: Between) -> Tensor {
        let axis = axis.into();
        check_quantiles("nanquantile", self, &[q]);
        if axis.of_nothing("nanquantile", self.shape()) {
            return self.clone();
        }
        let axis = filled_axis("nanquantile", self, axis);
        if !self.device().backend().has_numbers() {
            return self.select(axis, 0);
        }
        named("nanquantile", || {
            // NaN is sorted to the end, behind as many numbers as there are.
            let sorted = self.sort(axis).0;
            let counts = self.detach().is_nan().not().to(DType::I64).sum(crate::keep(axis));
            let (mut lows, mut highs, mut weights) = (Vec::new(), Vec::new(), Vec::new());
            for n in counts.to_vec::<i64>() {
                let (low, high, weight) = beside(q * (n - 1).max(0) as f64, between);
                lows.push(low as i64);
                highs.push(high as i64);
                weights.push(weight);
            }
            let shape = *counts.shape_of();
            let (low, high, weight) = self.device().scope(|| (Tensor::from_vec(lows, shape), Tensor::from_vec(highs, shape), Tensor::from_vec(weights, shape)));
            // An element as it is where that is asked for, since nothing lies between infinite ones.
            let (whole, low) = (weight.eq(0.0), sorted.gather(axis, &low));
            let y = whole.choose(&low, low.lerp(&sorted.gather(axis, &high), weight.to(self.dtype())));
            y.squeeze(axis)
        })
    }

    /// The [`median`](Tensor::median) of the elements of an axis that are not NaN, and its position (i64): of an even number the
    /// smaller of the two in the middle; NaN of none.
    ///
    /// * Shape: `[a, n] → ([a], [a])` along the last axis, any number.   * Gradient: `dy` to where the median came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, at) = tensor![3.0, f64::NAN, 1.0, 2.0].nanmedian(0);
    /// assert_eq!((y.item(), at.item_i64()), (2.0, 3));
    /// ```
    /// # Panics
    /// When there is no such axis, or it has no elements.
    #[track_caller]
    pub fn nanmedian(&self, axis: impl Into<Axis>) -> (Tensor, Tensor) {
        let axis = axis.into();
        if axis.of_nothing("nanmedian", self.shape()) {
            return (self.clone(), named("nanmedian", || self.argsort(0)));
        }
        let axis = filled_axis("nanmedian", self, axis);
        named("nanmedian", || {
            if !self.dtype().is_float() {
                return self.median(axis);
            }
            let numbers = self.detach().is_nan().not().to(DType::I64).sum(crate::keep(axis));
            let at = self.argsort(axis).gather(axis, &(numbers - 1).maximum(0).floor_divide(2));
            (self.gather(axis, &at).squeeze(axis), at.squeeze(axis))
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("nanquantile", "The quantile of the elements of an axis that are not NaN.", Takes::Floats, of_nanquantile).made_of("sort, gather and lerp"),
    OpKind::new("nanmedian", "The median of the elements of an axis that are not NaN.", Takes::Numbers, of_nanmedian).made_of("argsort and gather"),
];

fn of_nanquantile(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].nanquantile(0.3, -1, Between::Linear));
    s.of(&[(&[4, 3], &d)], |x| x[0].nanquantile(0.5, 0, Between::Lower));
}

fn of_nanmedian(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].nanmedian(-1).0);
    s.of(&[(&[4, 3], &d)], |x| x[0].nanmedian(0).1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn of_what_is_a_number() {
        check(|x| x.nanquantile(0.3, 0, Between::Linear)).shapes([&[6, 2]]).on(floats(-2.0..2.0));
        check(|x| x.nanmedian(1).0).shapes([&[3, 6]]).on(floats(-2.0..2.0));
        let nan = f64::NAN;
        let x = tensor![[1.0, nan, 3.0], [nan, nan, nan], [5.0, 4.0, 1.0]];
        let (y, at) = x.nanmedian(1);
        assert_eq!((y.to_vec::<f32>()[0], y.to_vec::<f32>()[2]), (1.0, 4.0));
        assert!(y.to_vec::<f32>()[1].is_nan());
        assert_eq!(at.to_vec::<i64>(), [0, 0, 1]);
        let y = x.nanquantile(0.5, 1, Between::Linear).to_vec::<f32>();
        assert!(y[0] == 2.0 && y[1].is_nan() && y[2] == 4.0);
        let x = tensor![nan, 2.0, 4.0].leaf();
        assert_close!(x.nanquantile(0.25, 0, Between::Linear).backward().of(&x), [0.0, 0.75, 0.25]);
        assert_eq!(tensor![3, 1, 2].nanmedian(0).0.item_i64(), 2);
    }
}

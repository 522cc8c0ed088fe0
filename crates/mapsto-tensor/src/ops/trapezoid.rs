//! Integrals of samples by the trapezoidal rule.

use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Axis;
use crate::{Tensor, fail};

impl Tensor {
    /// The integral of an axis by the trapezoidal rule, its elements standing `dx` apart: `Σ (yᵢ + yᵢ₊₁) / 2 · dx`.
    ///
    /// * Shape: `[a, n] → [a]` along the last axis, floats only.   * Gradient: `dx dy`, a half of that at both ends.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0, 4.0].trapezoid(0.5, 0), 2.25);
    /// ```
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[track_caller]
    pub fn trapezoid(&self, dx: f64, axis: impl Into<Axis>) -> Tensor {
        let axis = checked("trapezoid", self, axis.into());
        named("trapezoid", || parts(self, axis, dx).sum(axis))
    }

    /// The integral from the first element to each that follows, by the trapezoidal rule.
    ///
    /// * Shape: `[a, n] → [a, n − 1]` along the last axis, floats only.   * Gradient: that of the sums.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0, 4.0].cumulative_trapezoid(0.5, 0), [0.75, 2.25]);
    /// ```
    /// # Panics
    /// When there is no such axis, or the elements are not floats.
    #[track_caller]
    pub fn cumulative_trapezoid(&self, dx: f64, axis: impl Into<Axis>) -> Tensor {
        let axis = checked("cumulative_trapezoid", self, axis.into());
        named("cumulative_trapezoid", || parts(self, axis, dx).cumsum(axis))
    }
}

#[track_caller]
fn checked(op: &str, y: &Tensor, axis: Axis) -> usize {
    if !y.dtype().is_float() {
        fail!(op, "floats are needed, these are {}", y.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    axis.of(op, y.shape())
}

/// The area between each element and the next.
#[track_caller]
fn parts(y: &Tensor, axis: usize, dx: f64) -> Tensor {
    let n = y.shape()[axis];
    (y.slice(axis, n.min(1)..) + y.slice(axis, ..n.max(1) - 1)) * (dx * 0.5)
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("trapezoid", "The integral of an axis by the trapezoidal rule.", Takes::Floats, of_trapezoid).made_of("slice, add and sum"),
    OpKind::new("cumulative_trapezoid", "Integrals up to each element.", Takes::Floats, of_cumulative).made_of("slice, add and cumsum"),
];

fn of_trapezoid(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].trapezoid(0.5, -1));
    s.of(&[(&[1, 3], &d)], |x| x[0].trapezoid(1.0, 0));
}

fn of_cumulative(s: &mut Samples) {
    s.of(&[(&[3, 5], &floats(-2.0..2.0))], |x| x[0].cumulative_trapezoid(0.5, 0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn integrals() {
        let area = |v: &[f64]| v.windows(2).map(|w| (w[0] + w[1]) / 2.0 * 0.3).sum::<f64>();
        check(|x| x.trapezoid(0.3, 1)).shapes([&[2, 6]]).absolute(1.0).formula(move |[x]| x.reduced(&[1], area)).on(floats(-2.0..2.0));
        check(|x| x.cumulative_trapezoid(0.3, 0)).shapes([&[4, 2]]).absolute(1.0)
            .formula(move |[x]| Numbers::from_fn(&[3, 2], |at| area(&(0..at[0] + 2).map(|i| x.at(&[i, at[1]])).collect::<Vec<_>>())))
            .on(floats(-2.0..2.0));
        assert_close!(Tensor::ones([1]).trapezoid(1.0, 0), 0.0);
        assert_eq!(Tensor::ones([0]).cumulative_trapezoid(1.0, 0).shape(), [0]);
    }
}

//! Positions of the largest elements.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::backend::Reduction;
use crate::graph::{At, Cost, Keep, Op, Outline, Ran, Say, Vjp, apply};
use crate::reduce::reduce;
use crate::shape::Axis;
use crate::{MAX_RANK, fail};

impl Tensor {
    /// The position (i64) of the first largest element along an axis; of the first NaN, if there is one.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`.   * Gradient: none.   * ONNX: `ArgMax`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![[1.0, 5.0, 5.0], [7.0, 3.0, 3.0]].argmax(-1).to_vec::<i64>(), [1, 0]);
    /// ```
    /// # Panics
    /// When there is no such axis, or it has no elements.
    #[track_caller]
    pub fn argmax(&self, axis: impl Into<Axis>) -> Tensor {
        extreme_position("argmax", Reduction::ArgMax, self, axis.into())
    }
}

/// The position of the largest or the smallest element along an axis.
#[track_caller]
pub(crate) fn extreme_position(op: &'static str, kind: Reduction, x: &Tensor, axis: Axis) -> Tensor {
    if axis.of_nothing(op, x.shape()) {
        return extreme_position(op, kind, &x.reshape([1usize]), Axis(0));
    }
    let axis = axis.of(op, x.shape());
    if x.shape()[axis] == 0 {
        fail!(op, "axis {axis} of {:?} has no elements to choose from", x.shape());
    }
    let mut mask = [false; MAX_RANK];
    mask[axis] = true;
    apply(Position { name: op, kind, mask }, &[x])
}

/// The operation of both: they differ in the reduction.
pub(super) struct Position {
    pub(super) name: &'static str,
    pub(super) kind: Reduction,
    pub(super) mask: [bool; MAX_RANK],
}
impl Op for Position {
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
        say("axis", self.mask.iter().position(|&gone| gone).unwrap_or_default().into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        reduce(self.kind, xs[0], &self.mask, false).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, _: &At<'_>, _: &Tensor) -> Vjp {
        Vjp::from([None])
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("argmax", "The position (i64) of the first largest element along an axis; of the first NaN, if there is one.", Takes::Numbers, samples).built(|a| Ok(Box::new(Position { name: "argmax", kind: Reduction::ArgMax, mask: crate::reduce::mask_from(&[a.need("axis")?])? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].argmax(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].argmax(1));
    s.of(&[(&[1, 7], &d)], |x| x[0].argmax(0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn argmax() {
        let first = |v: &[f64]| (0..v.len()).rev().max_by(|&i, &j| v[i].total_cmp(&v[j])).expect("some") as f64;
        check(|x| x.unsqueeze(0).argmax(0)).formula(|[x]| Numbers::from_fn(&x.shape, |_| 0.0)).on(floats(-2.0..2.0));
        check(|x| x.unsqueeze(-1).unsqueeze(0).argmax(1)).shapes([&[20_011]]).formula(move |[x]| x.reduced(&[0], first).shaped(&[1, 1])).on(floats(-2.0..2.0));
        check(|x| x.argmax(-1)).shapes([&[4001, 5]]).formula(move |[x]| x.reduced(&[1], first)).on(ints(-3..3));
        check(|x| x.argmax(-1)).shapes([&[3, 5]]).formula(move |[x]| x.reduced(&[1], first)).on(ints(-3..3));
        assert_eq!(tensor![1.0, f64::NAN, f64::NAN].argmax(0).item(), 1.0);
        let e = catch(|| Tensor::zeros([2, 0]).argmax(1)).unwrap_err();
        assert_eq!(e.message(), "argmax: axis 1 of [2, 0] has no elements to choose from");
    }
}

//! Positions of the smallest elements.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::backend::Reduction;
use crate::shape::Axis;
use super::argmax::{Position, extreme_position};

impl Tensor {
    /// The position (i64) of the first smallest element along an axis; of the first NaN, if there is one.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`.   * Gradient: none.   * ONNX: `ArgMin`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![[1.0, 5.0, 5.0], [7.0, 3.0, 3.0]].argmin(-1).to_vec::<i64>(), [0, 1]);
    /// ```
    /// # Panics
    /// When there is no such axis, or it has no elements.
    #[track_caller]
    pub fn argmin(&self, axis: impl Into<Axis>) -> Tensor {
        extreme_position("argmin", Reduction::ArgMin, self, axis.into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("argmin", "The position (i64) of the first smallest element along an axis; of the first NaN, if there is one.", Takes::Numbers, samples).built(|a| Ok(Box::new(Position { name: "argmin", kind: Reduction::ArgMin, mask: crate::reduce::mask_from(&[a.need("axis")?])? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].argmin(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].argmin(1));
    s.of(&[(&[1, 7], &d)], |x| x[0].argmin(0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn argmin() {
        check(|x| x.unsqueeze(0).argmin(0)).on(floats(-2.0..2.0));
        let first = |v: &[f64]| (0..v.len()).min_by(|&i, &j| v[i].total_cmp(&v[j])).expect("some") as f64;
        check(|x| x.argmin(-1)).shapes([&[12_001, 3]]).formula(move |[x]| x.reduced(&[1], first)).on(ints(-3..3));
        check(|x| x.argmin(-1)).shapes([&[3, 5]]).formula(move |[x]| x.reduced(&[1], first)).on(ints(-3..3));
        assert_eq!(tensor![1.0, f64::NAN, f64::NAN].argmin(0).item(), 1.0);
        let e = catch(|| Tensor::zeros([2, 0]).argmin(1)).unwrap_err();
        assert_eq!(e.message(), "argmin: axis 1 of [2, 0] has no elements to choose from");
    }
}

//! Whether all elements are true.

use super::any::{Truth, truth};
use crate::check::floats;
use crate::reduce::mask_of;
use crate::kind::{OpKind, Samples, Takes};
use crate::keep;
use crate::Tensor;
use crate::backend::Reduction;
use crate::shape::Axes;

impl Tensor {
    /// Whether all elements over axes are true, that is: not zero; true of nothing.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`; the result is bool.
    /// * Gradient: none.   * ONNX: `ReduceMin`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[0.0, 2.0], [1.0, 3.0]];
    /// assert_eq!(x.all(-1).to_vec::<bool>(), [false, true]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn all(&self, axes: impl Into<Axes>) -> Tensor {
        truth("all", Reduction::Min, self, axes.into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("all", "Whether all elements over axes are true, that is: not zero; true of nothing.", Takes::All, samples).built(|a| Ok(Box::new(Truth { name: "all", kind: Reduction::Min, mask: mask_of(a)?, keep: a.need("keep")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].all(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].all(keep(1)));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].all([0, 2]));
    s.of(&[(&[3, 5], &d)], |x| x[0].all(..));
    s.of(&[(&[1, 7], &d)], |x| x[0].all(0));
    s.of(&[(&[], &d)], |x| x[0].all(..));
    s.of(&[(&[0, 3], &d)], |x| x[0].all(0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn all() {
        check(|x| x.all(..)).on(ints(0..2));
        check(|x| x.all(0)).shapes([&[3, 5]]).formula(|[x]| x.reduced(&[0], |v| f64::from(v.iter().all(|&v| v != 0.0)))).on(ints(0..2));
        check(|x| x.all(crate::keep(1))).shapes([&[3, 0]]).on(ints(0..2));
        assert_eq!(crate::tensor![[1, 1], [1, 0], [2, 3]].all(1).to_vec::<bool>(), [true, false, true]);
        assert!(crate::Tensor::zeros([0]).all(..).to_vec::<bool>()[0]);
    }
}

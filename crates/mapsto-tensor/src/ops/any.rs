//! Whether any element is true.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::keep;
use crate::backend::Reduction;
use crate::reduce::{count, reduce};
use crate::shape::Axes;
use crate::{DType, Tensor, no_grad};
use std::panic::Location;

impl Tensor {
    /// Whether any element over axes is true, that is: not zero; false of nothing.
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`; the result is bool.
    /// * Gradient: none.   * ONNX: `ReduceMax`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[0.0, 2.0], [0.0, 0.0]];
    /// assert_eq!(x.any(-1).to_vec::<bool>(), [true, false]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn any(&self, axes: impl Into<Axes>) -> Tensor {
        truth("any", Reduction::Max, self, axes.into())
    }
}

/// The largest or the smallest truth over axes.
#[track_caller]
pub(crate) fn truth(name: &'static str, kind: Reduction, x: &Tensor, axes: Axes) -> Tensor {
    let mask = axes.mask(name, x.shape());
    let y = no_grad(|| {
        let x = x.to(DType::Bool);
        match count(&mask, x.shape()) {
            // Nothing has no extreme element; its sum has the shape, and `all` of it is true.
            0 => {
                let zeros = reduce(Reduction::Sum, &x, &mask, axes.keep);
                if kind == Reduction::Max { zeros } else { zeros + 1 }.to(DType::Bool)
            }
            _ => reduce(kind, &x, &mask, axes.keep),
        }
    });
    crate::trace::emit(name, &[x], &y, Location::caller());
    y
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("any", "Whether any element over axes is true, that is: not zero; false of nothing.", Takes::All, samples),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].any(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].any(keep(1)));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].any([0, 2]));
    s.of(&[(&[3, 5], &d)], |x| x[0].any(..));
    s.of(&[(&[1, 7], &d)], |x| x[0].any(0));
    s.of(&[(&[], &d)], |x| x[0].any(..));
    s.of(&[(&[0, 3], &d)], |x| x[0].any(0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn any() {
        check(|x| x.any(..)).on(ints(0..2));
        check(|x| x.any(0)).shapes([&[3, 5]]).on(ints(0..2));
        check(|x| x.any(crate::keep(1))).shapes([&[3, 0]]).on(ints(0..2));
        assert!(!crate::Tensor::zeros([0]).any(..).to_vec::<bool>()[0]);
    }
}

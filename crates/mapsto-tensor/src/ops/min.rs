//! The smallest elements over axes.

use super::max::{Extreme, extreme};
use crate::check::floats;
use crate::reduce::mask_of;
use crate::kind::{OpKind, Samples, Takes};
use crate::keep;
use crate::Tensor;
use crate::backend::Reduction;
use crate::shape::Axes;

impl Tensor {
    /// The smallest element over axes; NaN if any is. (`minimum` compares two tensors.)
    ///
    /// * Shape: `[a, b] → [a]` for `-1`, `[a, 1]` for `keep(-1)`, `[]` for `..`.
    /// * Gradient: `dy` to the smallest element, shared equally if several are equal.   * ONNX: `ReduceMin`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 5.0], [7.0, 3.0]];
    /// assert_close!(x.min(-1), [1.0, 3.0]);
    /// assert_eq!(x.min(..).item(), 1.0);
    /// ```
    /// # Panics
    /// When there is no such axis, or it has no elements.
    #[track_caller]
    pub fn min(&self, axes: impl Into<Axes>) -> Tensor {
        extreme("min", Reduction::Min, self, axes.into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("min", "The smallest element over axes; NaN if any is.", Takes::Numbers, samples).built(|a| Ok(Box::new(Extreme { name: "min", kind: Reduction::Min, mask: mask_of(a)?, keep: a.need("keep")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].min(-1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].min(keep(1)));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].min([0, 2]));
    s.of(&[(&[3, 5], &d)], |x| x[0].min(..));
    s.of(&[(&[1, 7], &d)], |x| x[0].min(0));
    s.of(&[(&[], &d)], |x| x[0].min(..));
    s.of(&[(&[0, 3], &d)], |x| x[0].min(-1));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    /// Small inputs give small results, to as many digits.
    #[test]
    fn small_numbers_keep_their_digits() {
        let x = floats(-2.0..2.0).draw(&[3, 5], 1);
        assert_close!((&x * 1e-6).min(1) * 1e6, x.min(1));
    }

    #[test]
    fn min() {
        check(|x| x.unsqueeze(0).min(0)).on(floats(-2.0..2.0));
        let found = |v: &[f64]| v.iter().copied().fold(f64::INFINITY, f64::min);
        check(|x| x.min(0)).shapes([&[2, 20_011]]).formula(move |[x]| x.reduced(&[0], found)).on(floats(-2.0..2.0));
        check(|x| x.min(keep([0, 2])))
            .shapes([&[3, 5, 4]])
            .formula(move |[x]| x.reduced(&[0, 2], found).shaped(&[1, 5, 1]))
            .on(floats(-2.0..2.0));
        assert!(tensor![1.0, f64::NAN].min(..).item().is_nan());
    }
}

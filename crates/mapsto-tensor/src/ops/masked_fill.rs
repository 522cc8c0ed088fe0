//! One value put wherever a mask holds, as attention hides positions.

use crate::check::{bools, floats};
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::broadcast;
use crate::{DType, Scalar, Tensor, fail};

impl Tensor {
    /// The elements, replaced by `value` where `mask` holds.
    ///
    /// * Shape: `[..]`, mask broadcast to it `→ [..]`, any number.   * Gradient: `dx = dy` where the mask does not hold.
    /// * ONNX: `Where`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 2.0], [3.0, 4.0]];
    /// assert_close!(x.masked_fill(&tensor![false, true], -1.0), [[1.0, -1.0], [3.0, -1.0]]);
    /// ```
    /// # Panics
    /// When the mask is not bool or has more axes or elements than the tensor, or the dtype cannot hold the value.
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor, value: impl Into<Scalar>) -> Tensor {
        if mask.dtype() != DType::Bool {
            fail!("masked_fill", "the mask is {}, not bool", mask.dtype(); help = "compare it, e.g. `mask.ne(0)`");
        }
        if mask.device() != self.device() {
            fail!("masked_fill", "devices differ: {:?} and {:?}", mask.device(), self.device());
        }
        broadcast("masked_fill", mask.shape_of(), self.shape_of());
        let y = mask.choose(value.into().held_by("masked_fill", self.dtype()), self);
        if y.shape() != self.shape() {
            fail!("masked_fill", "a mask of {:?} is bigger than the tensor of {:?}", mask.shape(), self.shape();
                  help = "expand the tensor first, if that is meant: `x.expand(mask.shape())`");
        }
        y
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("masked_fill", "The elements, replaced by `value` where `mask` holds.", Takes::All, samples).made_of("choose"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    let yes = bools();
    s.of(&[(&[3, 4], &d), (&[4], &yes)], |x| x[0].masked_fill(&x[1], 1.0));
    s.of(&[(&[0, 2], &d), (&[2], &yes)], |x| x[0].masked_fill(&x[1], 0.0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn masked_fill() {
        let shapes: [&[usize]; 2] = [&[3, 1], &[2, 3, 4]];
        check2(|m, x| x.masked_fill(&m.eq(1), 0.25)).shapes(shapes).on(ints(0..2), floats(-2.0..2.0));
        let e = catch(|| tensor![1.0].masked_fill(&tensor![true, false], 0.0)).unwrap_err();
        assert!(e.message().contains("bigger than the tensor"), "{e}");
    }
}

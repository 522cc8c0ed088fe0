//! A tensor cut into parts of given sizes along an axis.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::{Axis, sum};
use crate::{Tensor, fail};

impl Tensor {
    /// Views of consecutive parts of an axis, of the sizes given.
    ///
    /// * Shape: `[5, 3] → [2, 3], [3, 3]` for `split(&[2, 3], 0)`, any number.   * Gradient: zeros around each part's.
    /// * ONNX: `Split`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let parts = Tensor::arange(0..5).split(&[2, 3], 0);
    /// assert_eq!(parts[1].to_vec::<i64>(), [2, 3, 4]);
    /// ```
    /// # Panics
    /// When the sizes do not add up to the axis's.
    #[track_caller]
    pub fn split(&self, sizes: &[usize], axis: impl Into<Axis>) -> Vec<Tensor> {
        let axis = axis.into().of("split", self.shape());
        let total = sum(sizes.iter().copied());
        if total != Some(self.shape()[axis]) {
            let total = total.map_or("too much".to_string(), |t| t.to_string());
            fail!("split", "the sizes {sizes:?} add up to {total}, axis {axis} of {:?} has {}", self.shape(), self.shape()[axis]);
        }
        let mut start = 0;
        let mut parts = Vec::with_capacity(sizes.len());
        for &n in sizes {
            parts.push(self.slice(axis, start..start + n as isize));
            start += n as isize;
        }
        parts
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("split", "Views of consecutive parts of an axis, of the sizes given.", Takes::All, samples).made_of("slice"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 6], &d)], |x| x[0].split(&[1, 0, 5], 1).remove(2));
    s.of(&[(&[3, 6], &d)], |x| x[0].split(&[2, 1], 0).remove(0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn split() {
        check(|x| {
            let parts = x.split(&[1, 0, 3], 1);
            &parts[0] * &parts[2] + parts[1].sum(..)
        })
        .shapes([&[2, 4]])
        .on(floats(-2.0..2.0));
        let e = catch(|| Tensor::zeros([5]).split(&[2, 2], 0)).unwrap_err();
        assert_eq!(e.message(), "split: the sizes [2, 2] add up to 4, axis 0 of [5] has 5");
    }
}

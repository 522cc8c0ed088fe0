//! A tensor cut into a known number of equal parts, to be named at once.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Axis;
use crate::{Tensor, fail};

impl Tensor {
    /// Views of `N` equal parts of an axis: `let [q, k, v] = qkv.chunk(-1);`.
    ///
    /// * Shape: `[2, 6] → 3 · [2, 2]`, any number.   * Gradient: zeros around each part's.   * ONNX: `Split`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let [a, b] = tensor![1.0, 2.0, 3.0, 4.0].chunk(0);
    /// assert_close!(a * b, [3.0, 8.0]);
    /// ```
    /// # Panics
    /// When the size of the axis is not a multiple of `N`.
    #[track_caller]
    pub fn chunk<const N: usize>(&self, axis: impl Into<Axis>) -> [Tensor; N] {
        let axis = axis.into().of("chunk", self.shape());
        let size = self.shape()[axis];
        if N == 0 || !size.is_multiple_of(N) {
            fail!("chunk", "axis {axis} of {:?} has size {size}, which is not a multiple of {N}", self.shape();
                  help = "`split` takes parts of any sizes");
        }
        let n = (size / N) as isize;
        std::array::from_fn(|i| self.slice(axis, i as isize * n..(i as isize + 1) * n))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("chunk", "Views of `N` equal parts of an axis: `let [q, k, v] = qkv.chunk(-1);`.", Takes::All, samples).made_of("slice"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 4], &d)], |x| x[0].chunk::<2>(1)[1].clone());
    s.of(&[(&[0, 4], &d)], |x| x[0].chunk::<1>(0)[0].clone());
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn chunk() {
        check(|x| {
            let [a, b, c] = x.chunk(-1);
            a * b.square() - c
        })
        .shapes([&[2, 6]])
        .on(floats(-2.0..2.0));
        let e = catch(|| Tensor::zeros([5]).chunk::<2>(0)).unwrap_err();
        assert_eq!(e.message(), "chunk: axis 0 of [5] has size 5, which is not a multiple of 2");
    }
}

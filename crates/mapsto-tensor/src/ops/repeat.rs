//! Copies of a tensor beside itself, and of its elements.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::{Axis, MAX_RANK, Shape};
use crate::error::named;
use crate::{Tensor, fail};

impl Tensor {
    /// The tensor `times[i]` times beside itself along each axis; more numbers than axes add axes of size 1 in front. NumPy calls it `tile`.
    ///
    /// * Shape: `[n] → [k n]`, every dtype.   * Gradient: the sum over the copies.   * ONNX: `Tile`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0].repeat([2]), [1.0, 2.0, 1.0, 2.0]);
    /// assert_eq!(Tensor::zeros([2, 3]).repeat([4, 1, 2]).shape(), [4, 2, 6]);
    /// ```
    /// # Panics
    /// When there are less numbers than axes.
    #[track_caller]
    pub fn repeat(&self, times: impl AsRef<[usize]>) -> Tensor {
        let times = times.as_ref();
        let Some(new) = times.len().checked_sub(self.rank()) else {
            fail!("repeat", "{} numbers for the {} axes of {:?}", times.len(), self.rank(), self.shape(); help = "1 keeps an axis as it is");
        };
        if times.len() > MAX_RANK {
            fail!("repeat", "{} axes, the most is {MAX_RANK}", times.len());
        }
        let shape: Shape = vec![1; new].into_iter().chain(self.shape().iter().copied()).collect();
        let whole: Shape = shape.iter().zip(times).map(|(n, k)| n.saturating_mul(*k)).collect();
        whole.fit("repeat");
        named("repeat", || (0..times.len()).fold(self.reshape(shape), |x, axis| copies(&x, axis, times[axis])))
    }

    /// Each slice along an axis `times` times, one after the other. NumPy calls it `repeat`.
    ///
    /// * Shape: `[n] → [n times]`, any number.   * Gradient: the sum over the copies.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0].repeat_interleave(2, 0), [1.0, 1.0, 2.0, 2.0]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn repeat_interleave(&self, times: usize, axis: impl Into<Axis>) -> Tensor {
        let axis = axis.into().of("repeat_interleave", self.shape());
        let n = self.shape()[axis];
        let count = n.saturating_mul(times);
        self.shape_of().with(axis, count).fit("repeat_interleave");
        named("repeat_interleave", || {
            let mut sizes = self.shape().to_vec();
            sizes[axis] = count;
            if self.rank() < MAX_RANK {
                let mut wide = self.shape().to_vec();
                wide.insert(axis + 1, times);
                return self.unsqueeze(axis + 1).expand(wide).reshape(sizes);
            }
            let at = self.device().scope(|| Tensor::arange(0..count));
            self.index_select(axis, &at.floor_divide(times.max(1)))
        })
    }
}

/// `count` copies beside each other along an axis.
fn copies(x: &Tensor, axis: usize, count: usize) -> Tensor {
    match count {
        0 => x.slice(axis, ..0),
        1 => x.clone(),
        _ if x.rank() < MAX_RANK => {
            let (mut wide, mut sizes) = (x.shape().to_vec(), x.shape().to_vec());
            wide.insert(axis, count);
            sizes[axis] *= count;
            x.unsqueeze(axis).expand(wide).reshape(sizes)
        }
        _ => {
            let n = x.shape()[axis];
            let at = x.device().scope(|| Tensor::arange(0..count * n));
            x.index_select(axis, &at.remainder(n.max(1)))
        }
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("repeat", "A tensor several times beside itself along each axis.", Takes::All, of_repeat).made_of("expand and reshape"),
    OpKind::new("repeat_interleave", "Each slice along an axis several times.", Takes::Numbers, of_repeat_interleave).made_of("expand and reshape"),
];

fn of_repeat(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 2], &d)], |x| x[0].repeat([2, 3]));
    s.of(&[(&[3], &d)], |x| x[0].repeat([2, 1, 2]));
    s.of(&[(&[1, 1, 2, 1, 2, 1], &d)], |x| x[0].repeat([2, 1, 1, 3, 1, 1]));
}

fn of_repeat_interleave(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 2], &d)], |x| x[0].repeat_interleave(2, 0));
    s.of(&[(&[1, 1, 2, 1, 2, 1], &d)], |x| x[0].repeat_interleave(3, 2));
    s.of(&[(&[0, 2], &d)], |x| x[0].repeat_interleave(3, -1));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn copies_beside_and_behind() {
        check(|x| x.repeat([2, 3])).shapes([&[3, 2]]).formula(|[x]| Numbers::from_fn(&[6, 6], |at| x.at(&[at[0] % 3, at[1] % 2]))).on(floats(-2.0..2.0));
        check(|x| x.repeat([2, 1, 2])).shapes([&[3]]).on(floats(-2.0..2.0));
        check(|x| x.repeat_interleave(2, 1)).shapes([&[3, 4]]).formula(|[x]| Numbers::from_fn(&[3, 8], |at| x.at(&[at[0], at[1] / 2]))).on(floats(-2.0..2.0));
        assert_eq!((tensor![1.0].repeat([0]).shape(), tensor![1.0].repeat_interleave(0, 0).shape()), (&[0][..], &[0][..]));
    }
}

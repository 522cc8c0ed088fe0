//! Tensors of one shape put side by side along a new axis.

use crate::autocast::met;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::{Axis, MAX_RANK, Shape};
use crate::{Tensor, fail};
use std::borrow::Borrow;

impl Tensor {
    /// The parts, all of one shape, along a new axis before axis `axis`; `-1` adds it at the end.
    ///
    /// * Shape: `n · [2, 3] → [n, 2, 3]` for axis 0, any number.   * Gradient: each part's slice.
    /// * ONNX: `Concat(Unsqueeze(..))`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (a, b) = (tensor![1.0, 2.0], tensor![3.0, 4.0]);
    /// assert_close!(Tensor::stack(&[&a, &b], 0), [[1.0, 2.0], [3.0, 4.0]]);
    /// assert_close!(Tensor::stack(&[&a, &b], -1), [[1.0, 3.0], [2.0, 4.0]]);
    /// ```
    /// # Panics
    /// When there are no parts, or when they differ in shape or dtype.
    #[track_caller]
    pub fn stack<T: Borrow<Tensor>>(parts: &[T], axis: impl Into<Axis>) -> Tensor {
        if let Some(wide) = met(&parts.iter().map(Borrow::borrow).collect::<Vec<_>>()) {
            return Tensor::stack(&wide, axis);
        }
        let Some(first) = parts.first().map(Borrow::borrow) else { fail!("stack", "there are no parts") };
        let shape = first.shape();
        for (i, part) in parts.iter().map(Borrow::borrow).enumerate() {
            if part.shape() != shape {
                fail!("stack", "part 0 is {shape:?}, part {i} is {:?}", part.shape();
                      help = "all parts need one shape; `cat` joins what differs along an axis");
            }
            if part.dtype() != first.dtype() {
                fail!("stack", "part 0 is {}, part {i} is {}", first.dtype(), part.dtype();
                      help = "convert one with `.to(DType::{:?})`", first.dtype());
            }
            if part.device() != first.device() {
                fail!("stack", "part 0 is on {:?}, part {i} on {:?}", first.device(), part.device());
            }
        }
        if shape.len() == MAX_RANK {
            fail!("stack", "the parts {shape:?} have {MAX_RANK} axes, the most there are");
        }
        let axis = axis.into().of("stack", &[shape, &[1][..]].concat());
        let (before, after) = shape.split_at(axis);
        before.iter().chain([&parts.len()]).chain(after).copied().collect::<Shape>().fit("stack");
        let rows: Vec<Tensor> = parts.iter().map(|p| p.borrow().unsqueeze(axis)).collect();
        Tensor::cat(&rows, axis)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("stack", "The parts, all of one shape, along a new axis before axis `axis`; `-1` adds it at the end.", Takes::All, samples).made_of("reshape and cat"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3], &d), (&[2, 3], &d)], |x| Tensor::stack(x, 0));
    s.of(&[(&[], &d), (&[], &d), (&[], &d)], |x| Tensor::stack(x, 0));
    s.of(&[(&[0, 2], &d), (&[0, 2], &d)], |x| Tensor::stack(x, -1));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn stack() {
        check(|x| Tensor::stack(&[x, &(x * 2.0)], 0)).on(floats(-2.0..2.0));
        check(|x| Tensor::stack(&[x, &x.square(), x], -1)).on(floats(-2.0..2.0));
        let e = catch(|| Tensor::stack(&[Tensor::zeros([2]), Tensor::zeros([3])], 0)).unwrap_err();
        assert_eq!(e.message(), "stack: part 0 is [2], part 1 is [3]");
    }
}

//! What all reductions share: which shape is left, and how a gradient gets its vanished axes back.

use crate::Tensor;
use crate::backend::Reduction;
use crate::shape::Shape;

/// Runs a reduction over the axes of `mask`; `keep` leaves them with size 1.
#[track_caller]
pub(crate) fn reduce(kind: Reduction, x: &Tensor, mask: &[bool], keep: bool) -> Tensor {
    let y = x.device().backend().reduce(kind, x, &mask[..x.rank()]);
    if keep { crate::no_grad(|| unreduce(&y, mask, x.shape())) } else { y }
}

/// Gives the axes of `mask` back to a reduced tensor, with size 1.
#[track_caller]
pub(crate) fn unreduce(y: &Tensor, mask: &[bool], shape: &[usize]) -> Tensor {
    y.reshape(shape.iter().zip(mask).map(|(&n, &gone)| if gone { 1 } else { n }).collect::<Shape>())
}

/// How many elements fall together in one.
pub(crate) fn count(mask: &[bool], shape: &[usize]) -> usize {
    shape.iter().zip(mask).filter(|(_, gone)| **gone).map(|(n, _)| n).product()
}

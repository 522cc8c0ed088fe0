//! What all reductions share: which shape is left, and how a gradient gets its vanished axes back.

use crate::backend::Reduction;
use crate::graph::{Attr, Attrs};
use crate::shape::{MAX_RANK, Shape};
use crate::{Error, ErrorKind, Result, Tensor};

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

/// The axes of a mask, as an attribute.
pub(crate) fn axes_of(mask: &[bool]) -> Attr {
    Attr::Ints((0..mask.len()).filter(|&i| mask[i]).map(|i| i as i64).collect())
}

/// The mask of the attribute `axes`.
pub(crate) fn mask_of(attrs: &mut Attrs) -> Result<[bool; MAX_RANK]> {
    mask_from(&attrs.need::<Vec<usize>>("axes")?)
}

/// The mask of these axes.
pub(crate) fn mask_from(axes: &[usize]) -> Result<[bool; MAX_RANK]> {
    let mut mask = [false; MAX_RANK];
    for &axis in axes {
        let Some(gone) = mask.get_mut(axis) else {
            return Err(Error::new(
                ErrorKind::Model,
                format!("axis {axis} is beyond the {MAX_RANK} axes of a shape"),
            ));
        };
        *gone = true;
    }
    Ok(mask)
}

/// Less their mean over axes. Twice, because the mean itself is rounded: where it is large beside the spread, much of that
/// would be lost.
#[track_caller]
pub(crate) fn centred(x: &Tensor, axes: &[usize]) -> Tensor {
    let d = x - x.mean(crate::keep(axes));
    &d - d.mean(crate::keep(axes))
}

/// The deviations from a mean in units of the largest one, if that is above `least`, and the unit: squares of what is beyond
/// 10¹⁹ or below 10⁻¹⁹ are not numbers of f32. The unit is a constant, for it cancels.
#[track_caller]
pub(crate) fn in_units(d: &Tensor, axes: &[usize], least: f64) -> (Tensor, Tensor) {
    let empty = axes.iter().any(|&a| d.shape()[a] == 0) || d.is_empty();
    let unit = if empty {
        Tensor::ones_like(&d.detach().sum(crate::keep(axes)))
    } else {
        let most = d.detach().abs().max(crate::keep(axes));
        most.eq(0.0).choose(1.0, most).maximum(least)
    };
    (d / &unit, unit)
}

/// The sizes of the axes that are left.
pub(crate) fn left_of(mask: &[bool], shape: &[usize]) -> Vec<usize> {
    shape.iter().zip(mask).filter(|(_, gone)| !**gone).map(|(n, _)| *n).collect()
}

/// How many elements fall together in one.
pub(crate) fn count(mask: &[bool], shape: &[usize]) -> usize {
    shape.iter().zip(mask).filter(|(_, gone)| **gone).map(|(n, _)| n).product()
}

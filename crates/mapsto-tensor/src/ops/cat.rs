//! Tensors joined along an axis.

use crate::autocast::met;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::graph::{At, Cost, Keep, Meaning, Meant, Op, Outline, Ran, Say, Vjp, apply};
use crate::shape::{Axis, sum, too_many};
use crate::{Layout, Tensor, fail};
use std::borrow::Borrow;

impl Tensor {
    /// The parts one after the other along an axis; a view, where they lie so already, as after a `split`.
    ///
    /// * Shape: `[2, 3], [4, 3] → [6, 3]` for axis 0, any number.   * Gradient: each part's slice.   * ONNX: `Concat`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (a, b) = (tensor![[1.0], [2.0]], tensor![[3.0, 4.0], [5.0, 6.0]]);
    /// assert_close!(Tensor::cat(&[a, b], 1), [[1.0, 3.0, 4.0], [2.0, 5.0, 6.0]]);
    /// ```
    /// # Panics
    /// When there are no parts, or when they differ in dtype or in the size of another axis.
    #[track_caller]
    pub fn cat<T: Borrow<Tensor>>(parts: &[T], axis: impl Into<Axis>) -> Tensor {
        checked(&parts.iter().map(Borrow::borrow).collect::<Vec<_>>(), axis.into())
    }
}

#[track_caller]
fn checked(parts: &[&Tensor], axis: Axis) -> Tensor {
    if let Some(wide) = met(parts) {
        return checked(&wide.iter().collect::<Vec<_>>(), axis);
    }
    let Some(&first) = parts.first() else { fail!("cat", "there are no parts") };
    let axis = axis.of("cat", first.shape());
    for (i, part) in parts.iter().enumerate() {
        let fits = part.rank() == first.rank()
            && part.shape().iter().zip(first.shape()).enumerate().all(|(k, (a, b))| k == axis || a == b);
        if !fits {
            fail!("cat", "part 0 is {:?}, part {i} is {:?}", first.shape(), part.shape();
                  help = "only axis {axis}, along which they are joined, may differ");
        }
        if part.dtype() != first.dtype() {
            fail!("cat", "part 0 is {}, part {i} is {}", first.dtype(), part.dtype();
                  help = "convert one with `.to(DType::{:?})`", first.dtype());
        }
        if part.device() != first.device() {
            fail!("cat", "part 0 is on {:?}, part {i} on {:?}", first.device(), part.device());
        }
    }
    let sizes: Vec<usize> = parts.iter().map(|p| p.shape()[axis]).collect();
    let Some(size) = sum(sizes.iter().copied()) else { too_many("cat", &sizes) };
    first.shape_of().with(axis, size).fit("cat");
    apply(Cat { axis }, parts)
}

/// A view of the parts as one tensor, where each begins in memory where the one before it ends.
fn as_they_lie(parts: &[&Tensor], axis: usize, size: usize) -> Option<Tensor> {
    let first = parts[0].layout();
    let mut next = first.offset as isize;
    for part in parts {
        let layout = part.layout();
        let follows = part.storage().is(parts[0].storage())
            && layout.strides() == first.strides()
            && layout.offset as isize == next;
        if !follows {
            return None;
        }
        next += layout.shape[axis] as isize * layout.strides[axis];
    }
    let layout = Layout { shape: first.shape.with(axis, size), ..*first };
    Some(Tensor::raw(parts[0].0.storage.clone(), layout, parts[0].dtype()))
}

/// The parts copied to their places.
fn joined(parts: &[&Tensor], axis: usize, size: usize) -> Tensor {
    let (first, backend) = (parts[0], parts[0].device().backend());
    let mut y = backend.empty(&first.shape_of().with(axis, size), first.dtype());
    let (whole, mut start) = (*y.layout(), 0);
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let offset = start * whole.strides[axis] as usize;
        backend.copy(part, &mut y, &Layout { shape: *part.shape_of(), offset, ..whole });
        start += part.shape()[axis];
    }
    y
}

struct Cat {
    axis: usize,
}
impl Op for Cat {
    fn name(&self) -> &'static str {
        "cat"
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::moved(xs, y)
    }
    fn attrs(&self, say: Say<'_>) {
        say("axis", self.axis.into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let size = xs.iter().map(|x| x.shape()[self.axis]).sum();
        as_they_lie(xs, self.axis, size).unwrap_or_else(|| joined(xs, self.axis, size)).into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let mut start = 0;
        let slices: Vec<Option<Tensor>> = (0..at.inputs())
            .map(|i| {
                let n = at.shape(i)[self.axis] as isize;
                let part = start..start + n;
                start += n;
                at.wants(i).then(|| g.slice(self.axis, part))
            })
            .collect();
        slices.into()
    }
    /// Of a single part, as it does.
    fn sums_along(&self, xs: &Meant<'_>) -> Option<usize> {
        (xs.inputs() == 1).then(|| xs.sums_along(0)).flatten()
    }
    /// What all parts mean. Rows that add up to 1 stay so only where they are joined along another axis: each part then has
    /// size 1 there, or all say so.
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        let single = xs.inputs() == 1 || xs.size(self.axis) == xs.inputs();
        let elsewhere = || (0..xs.inputs()).all(|i| xs.sums_along(i).is_some_and(|axis| axis != self.axis));
        xs.of_all().filter(|m| match m {
            Meaning::Distribution | Meaning::LogDistribution | Meaning::Constant => single || elsewhere(),
            _ => true,
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("cat", "The parts one after the other along an axis; a view, where they lie so already, as after a `split`.", Takes::All, samples).built(|a| Ok(Box::new(Cat { axis: a.need("axis")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3], &d), (&[4, 3], &d)], |x| Tensor::cat(x, 0));
    s.of(&[(&[2, 3, 2], &d), (&[2, 1, 2], &d), (&[2, 0, 2], &d)], |x| Tensor::cat(x, 1));
    s.of(&[(&[7], &d)], |x| Tensor::cat(x, -1));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn cat() {
        check2(|a, b| Tensor::cat(&[a, b, a], 1))
            .shapes([&[2, 3, 2], &[2, 1, 2]])
            .formula(|[a, b]| {
                Numbers::from_fn(&[2, 7, 2], |at| match at[1] {
                    3 => b.at(&[at[0], 0, at[2]]),
                    i => a.at(&[at[0], i % 4, at[2]]),
                })
            })
            .on(floats(-2.0..2.0), floats(-2.0..2.0));
        check2(|a, b| Tensor::cat(&[a, b], -1)).shapes([&[2, 0], &[2, 3]]).on(ints(0..9), ints(0..9));
        check(|x| Tensor::cat(&vec![x.reshape([-1]); 20], 0))
            .formula(|[x]| Numbers { shape: vec![20 * x.values.len()], values: x.values.repeat(20) })
            .on(floats(-2.0..2.0));
        let parts = Tensor::arange(0..24).reshape([2, 3, 4]).split(&[1, 2], 1);
        assert_eq!(Tensor::cat(&parts, 1).storage().address(), parts[0].storage().address());
        assert_eq!(Tensor::cat(&parts, 1).to_vec::<i64>(), Vec::from_iter(0..24));
        assert_eq!(Tensor::cat(&[&parts[1], &parts[0]], 1).select(0, 0).to_vec::<i64>()[7..], [11, 0, 1, 2, 3]);
        let e = catch(|| Tensor::cat(&[Tensor::zeros([2, 3]), Tensor::zeros([2, 4])], 0)).unwrap_err();
        assert_eq!(e.message(), "cat: part 0 is [2, 3], part 1 is [2, 4]");
    }
}

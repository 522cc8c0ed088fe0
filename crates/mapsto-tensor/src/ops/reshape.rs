//! The same elements under another shape: reshape, flatten, squeeze and unsqueeze.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::graph::{At, Cost, Keep, Meaning, Meant, Op, Outline, Ran, Say, Vjp, apply};
use crate::shape::{Axis, MAX_RANK, Shape};
use crate::{Tensor, fail};

/// Sizes for [`Tensor::reshape`], one of which may be `-1` (what is left), and for [`Tensor::expand`], where `-1` keeps a size.
pub struct Sizes {
    rank: usize,
    sizes: [isize; MAX_RANK],
}

macro_rules! sizes_from {
    ($($t:ty)*) => {$(
        impl<const N: usize> From<[$t; N]> for Sizes {
            #[track_caller]
            fn from(s: [$t; N]) -> Sizes {
                // A size beyond `isize` must not become the negative number that leaves it open.
                Sizes::new(s.iter().map(|&n| isize::try_from(n).unwrap_or(isize::MAX)))
            }
        }
    )*};
}
sizes_from!(usize isize i32 i64);

impl Sizes {
    #[track_caller]
    fn new(sizes: impl ExactSizeIterator<Item = isize>) -> Sizes {
        let rank = sizes.len();
        if rank > MAX_RANK {
            fail!("reshape", "{rank} axes, the most is {MAX_RANK}");
        }
        let mut out = Sizes { rank, sizes: [1; MAX_RANK] };
        out.sizes.iter_mut().zip(sizes).for_each(|(to, n)| *to = n);
        out
    }

    /// The shape with the sizes of `old`, aligned at the last axis, where they are left open.
    #[track_caller]
    pub(super) fn over(&self, op: &str, old: &[usize]) -> Shape {
        let sizes = &self.sizes[..self.rank];
        let mut shape = Shape::new(&[1; MAX_RANK][..self.rank]);
        for (i, &n) in sizes.iter().enumerate() {
            shape[i] = match (usize::try_from(n), (i + old.len()).checked_sub(self.rank)) {
                (Ok(n), _) => n,
                (Err(_), Some(from)) if n == -1 => old[from],
                _ => fail!(op, "{sizes:?} leaves axis {i} open, which {old:?} does not have";
                           help = "write its size; -1 keeps the size of an axis that is there"),
            };
        }
        shape
    }
}

impl From<()> for Sizes {
    fn from(_: ()) -> Sizes {
        Sizes { rank: 0, sizes: [1; MAX_RANK] }
    }
}
impl From<&[usize]> for Sizes {
    #[track_caller]
    fn from(s: &[usize]) -> Sizes {
        Sizes::new(s.iter().map(|&n| isize::try_from(n).unwrap_or(isize::MAX)))
    }
}
impl From<&Vec<usize>> for Sizes {
    #[track_caller]
    fn from(s: &Vec<usize>) -> Sizes {
        Sizes::from(&s[..])
    }
}
impl From<usize> for Sizes {
    fn from(n: usize) -> Sizes {
        Sizes::from([n])
    }
}
impl From<Vec<usize>> for Sizes {
    #[track_caller]
    fn from(s: Vec<usize>) -> Sizes {
        Sizes::from(&s[..])
    }
}
impl From<Shape> for Sizes {
    fn from(s: Shape) -> Sizes {
        Sizes::from(&s[..])
    }
}

impl Tensor {
    /// The same elements in row-major order under another shape; `-1` stands for whatever size is left.
    ///
    /// * Shape: `[..] → shape`.   * Gradient: the reshaped gradient.   * ONNX: `Reshape`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::arange(0..6).reshape([2, -1]).shape(), [2, 3]);
    /// ```
    /// # Panics
    /// When the counts differ, or a size is below -1.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Sizes>) -> Tensor {
        self.reshaped(shape.into())
    }

    #[track_caller]
    fn reshaped(&self, wanted: Sizes) -> Tensor {
        let sizes = &wanted.sizes[..wanted.rank];
        let mut shape = Shape::new(&[1; MAX_RANK][..wanted.rank]);
        shape.iter_mut().zip(sizes).for_each(|(to, &n)| *to = usize::try_from(n).unwrap_or(1));
        let known = shape.fit("reshape").known_count();
        if let Some(n) = sizes.iter().find(|&&n| n < -1) {
            fail!("reshape", "{n} is no size, in {sizes:?}"; help = "-1 stands for whatever size is left");
        }
        let open = sizes.iter().filter(|&&n| n < 0).count();
        let fits = match open {
            0 => known == self.len(),
            1 => known > 0 && self.len().is_multiple_of(known),
            _ => false,
        };
        if open > 1 {
            fail!("reshape", "{open} sizes are left open by -1, in {sizes:?}"; help = "leave one size open, and write the others");
        }
        if !fits {
            fail!("reshape", "{:?} has {} elements, {sizes:?} has {}", self.shape(), self.len(),
                  if open == 0 { known.to_string() } else { format!("a multiple of {known}") });
        }
        if let Some(open) = sizes.iter().position(|&n| n < 0) {
            shape[open] = self.len() / known;
        }
        if &shape == self.shape_of() {
            return self.clone();
        }
        apply(Reshape { shape }, &[self])
    }

    /// The axes from `start` on joined into one.
    ///
    /// * Shape: `[a, b, c] → [a, b·c]` for `start = 1`.   * ONNX: `Flatten`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::zeros([5, 2, 3]).flatten(1).shape(), [5, 6]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn flatten(&self, start: impl Into<Axis>) -> Tensor {
        if self.rank() == 0 {
            return self.reshape([1usize]);
        }
        let start = start.into().of("flatten", self.shape());
        let (before, joined) = self.shape().split_at(start);
        self.reshape(before.iter().copied().chain([joined.iter().product()]).collect::<Shape>())
    }

    /// Without axis `axis`, which must have size 1.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::zeros([2, 1, 3]).squeeze(1).shape(), [2, 3]);
    /// ```
    /// # Panics
    /// When the axis has another size.
    #[track_caller]
    pub fn squeeze(&self, axis: impl Into<Axis>) -> Tensor {
        let axis = axis.into();
        if axis.of_nothing("squeeze", self.shape()) {
            return self.clone();
        }
        let axis = axis.of("squeeze", self.shape());
        if self.shape()[axis] != 1 {
            fail!("squeeze", "axis {axis} of {:?} has size {}, not 1", self.shape(), self.shape()[axis]);
        }
        self.reshape(self.shape_of().without(axis))
    }

    /// With a new axis of size 1 before axis `axis`; `-1` adds it at the end.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::zeros([2, 3]).unsqueeze(-1).shape(), [2, 3, 1]);
    /// ```
    /// # Panics
    /// When `axis` is beyond the end.
    #[track_caller]
    pub fn unsqueeze(&self, axis: impl Into<Axis>) -> Tensor {
        if self.rank() == MAX_RANK {
            fail!("unsqueeze", "{:?} has {MAX_RANK} axes, the most there are", self.shape());
        }
        let (mut sizes, places, axis) = (self.shape().to_vec(), self.rank() as isize + 1, axis.into());
        let place = if axis.0 < 0 { axis.0.saturating_add(places) } else { axis.0 };
        if !(0..places).contains(&place) {
            fail!("unsqueeze", "there is no place {} for a new axis in {:?}", axis.0, self.shape();
                  help = "it may stand before axis 0 to {}, or at the end by -1", places - 1);
        }
        sizes.insert(place as usize, 1);
        self.reshape(sizes)
    }
}

struct Reshape {
    shape: Shape,
}
impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=1
    }
    fn cost(&self, _: &[Outline], _: &Outline) -> Cost {
        Cost::NONE
    }
    fn attrs(&self, say: Say<'_>) {
        say("shape", self.shape[..].into());
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let x = xs[0];
        let y = match x.layout().reshape(&self.shape) {
            Some(layout) => Tensor::raw(x.0.storage.clone(), layout, x.dtype()),
            None => {
                let copy = crate::backend::carry::copy(x);
                Tensor::raw(copy.0.storage.clone(), crate::Layout::contiguous(self.shape), x.dtype())
            }
        };
        y.into()
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        g.reshape(at.shape(0)).into()
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        xs.of(0)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("reshape", "The same elements in row-major order under another shape; `-1` stands for whatever size is left.", Takes::All, samples).built(|a| Ok(Box::new(Reshape { shape: crate::shape::shape_from(a.need("shape")?)? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 4], &d)], |x| x[0].reshape([2, 6]));
    s.of(&[(&[3, 4], &d)], |x| x[0].t().reshape([-1, 2]));
    s.of(&[(&[2, 3, 2], &d)], |x| x[0].flatten(1));
    s.of(&[(&[2, 1, 3], &d)], |x| x[0].squeeze(1));
    s.of(&[(&[], &d)], |x| x[0].unsqueeze(0));
    s.of(&[(&[0, 3], &d)], |x| x[0].reshape([3, 0]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn reshape() {
        check(|x| x.reshape([-1])).formula(|[x]| x.shaped(&[x.values.len()])).on(floats(-2.0..2.0));
        check(|x| x.flatten(0).unsqueeze(0).squeeze(0)).on(floats(-2.0..2.0));
    }
}

//! Shapes and axes as users write them: `[2, 3]`, `-1`, `..`, `keep(-1)`.

use crate::fail;
use smallvec::{SmallVec, smallvec};
use std::fmt;
use std::ops::{Deref, RangeFull};

/// The most axes a tensor can have.
pub const MAX_RANK: usize = 6;

/// The most elements of a tensor: of the largest dtype, they fill the `isize::MAX` bytes that Rust can address.
pub const MAX_ELEMENTS: usize = isize::MAX as usize / 8;

/// The product of sizes, or of any part of them; none if it exceeds [`MAX_ELEMENTS`]. This is the one place where sizes
/// are multiplied before it is known that the result fits. A size of 0 does not excuse the others: strides, and the
/// products of some axes that reductions use, leave it out.
///
/// ```
/// use mapsto_tensor::product;
/// assert_eq!(product(&[2, 3, 4]), Some(24));
/// assert_eq!(product(&[0, 3]), Some(0));
/// assert_eq!(product(&[0, 1 << 40, 1 << 40]), None);
/// ```
pub fn product(sizes: &[usize]) -> Option<usize> {
    let nonzero = sizes.iter().try_fold(1usize, |p, &n| p.checked_mul(n.max(1)))?;
    (nonzero <= MAX_ELEMENTS).then_some(if sizes.contains(&0) { 0 } else { nonzero })
}

/// The sum of sizes along an axis; none if it exceeds [`MAX_ELEMENTS`].
pub(crate) fn sum(sizes: impl IntoIterator<Item = usize>) -> Option<usize> {
    sizes.into_iter().try_fold(0usize, |s, n| s.checked_add(n)).filter(|&s| s <= MAX_ELEMENTS)
}

/// The sizes of a tensor's axes, held inline.
#[derive(Clone, Copy, Eq)]
pub struct Shape {
    rank: u8,
    /// 1 beyond the rank.
    sizes: [usize; MAX_RANK],
}

/// All sizes at once: comparing as many as there are, one by one or by a call, takes several times as long.
impl PartialEq for Shape {
    #[inline]
    fn eq(&self, other: &Shape) -> bool {
        let differing = self.sizes.iter().zip(&other.sizes).fold(0, |d, (a, b)| d | (a ^ b));
        self.rank == other.rank && differing == 0
    }
}

impl Shape {
    /// The shape with these sizes.
    ///
    /// # Panics
    /// When there are more than [`MAX_RANK`] of them.
    #[track_caller]
    pub fn new(sizes: &[usize]) -> Shape {
        if sizes.len() > MAX_RANK {
            fail!("shape", "{sizes:?} has {} axes, the most is {MAX_RANK}", sizes.len());
        }
        let mut s = Shape { rank: sizes.len() as u8, sizes: [1; MAX_RANK] };
        s.sizes[..sizes.len()].copy_from_slice(sizes);
        s
    }

    /// How many elements a tensor of this shape has.
    ///
    /// # Panics
    /// When no memory could hold them: when they, or those of the axes that are not 0, exceed [`MAX_ELEMENTS`].
    #[inline]
    #[track_caller]
    pub fn count(&self) -> usize {
        self.fit("shape").known_count()
    }

    /// The count of a shape that has been checked, as that of every tensor has been.
    #[inline]
    pub(crate) fn known_count(&self) -> usize {
        debug_assert!(product(self).is_some());
        self.sizes.iter().product()
    }

    /// The shape itself, checked: the result of `op` can be addressed.
    #[inline]
    #[track_caller]
    pub(crate) fn fit(&self, op: &str) -> Shape {
        // Six sizes below 2¹⁰ have a product below 2⁶⁰, so one comparison is enough for small tensors.
        if self.sizes.iter().fold(0, |all, n| all | n) >= 1 << 10 && product(&self.sizes).is_none() {
            too_many(op, self);
        }
        *self
    }

    /// The shape without axis `axis`.
    pub(crate) fn without(&self, axis: usize) -> Shape {
        self.iter().enumerate().filter(|(i, _)| *i != axis).map(|(_, &n)| n).collect()
    }

    /// The shape with axis `axis` of another size.
    pub(crate) fn with(mut self, axis: usize, size: usize) -> Shape {
        self[axis] = size;
        self
    }
}

/// Raises that a tensor cannot be made, at the caller's line.
#[cold]
#[track_caller]
pub(crate) fn too_many(op: &str, sizes: &[usize]) -> ! {
    fail!(op, "{sizes:?} has more elements than can be addressed";
          help = "the product of all sizes but 0 must be below 2^60; are these the sizes that were meant?")
}

impl Deref for Shape {
    type Target = [usize];
    #[inline]
    fn deref(&self) -> &[usize] {
        &self.sizes[..self.rank as usize]
    }
}

impl std::ops::DerefMut for Shape {
    fn deref_mut(&mut self) -> &mut [usize] {
        &mut self.sizes[..self.rank as usize]
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // On one line even in `{:#?}`: a shape is read as one word.
        write!(f, "[")?;
        for (i, n) in self.iter().enumerate() {
            write!(f, "{}{n}", if i == 0 { "" } else { ", " })?;
        }
        write!(f, "]")
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(sizes: I) -> Shape {
        let mut s = Shape::new(&[]);
        for n in sizes {
            if s.rank as usize == MAX_RANK {
                fail!("shape", "more than {MAX_RANK} axes");
            }
            s.sizes[s.rank as usize] = n;
            s.rank += 1;
        }
        s
    }
}
impl<const N: usize> From<[usize; N]> for Shape {
    #[track_caller]
    fn from(s: [usize; N]) -> Shape {
        Shape::new(&s)
    }
}
impl From<&[usize]> for Shape {
    #[track_caller]
    fn from(s: &[usize]) -> Shape {
        Shape::new(s)
    }
}
impl From<&Vec<usize>> for Shape {
    #[track_caller]
    fn from(s: &Vec<usize>) -> Shape {
        Shape::new(s)
    }
}
impl From<Vec<usize>> for Shape {
    #[track_caller]
    fn from(s: Vec<usize>) -> Shape {
        Shape::new(&s)
    }
}
impl From<usize> for Shape {
    fn from(n: usize) -> Shape {
        Shape::new(&[n])
    }
}
impl From<()> for Shape {
    fn from(_: ()) -> Shape {
        Shape::new(&[])
    }
}

/// One axis, counted from the front (`0`, `1`, ..) or from the back (`-1`, `-2`, ..).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis(pub isize);

impl Axis {
    /// The axis counted from the front in a tensor of `rank` axes.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn of(self, op: &str, shape: &[usize]) -> usize {
        let rank = shape.len() as isize;
        let a = if self.0 < 0 { self.0 + rank } else { self.0 };
        if a < 0 || a >= rank {
            fail!(op, "axis {} of {shape:?}, which has {rank} axes", self.0);
        }
        a as usize
    }
}

impl Axis {
    /// Whether a tensor without axes is meant, whose axes 0 and −1 name its one element, as in PyTorch.
    ///
    /// # Panics
    /// When there are no axes and another one is named.
    #[track_caller]
    pub(crate) fn of_nothing(self, op: &str, shape: &[usize]) -> bool {
        if shape.is_empty() && !matches!(self.0, 0 | -1) {
            self.of(op, shape);
        }
        shape.is_empty()
    }
}

macro_rules! axis_from {
    ($($t:ty)*) => {$(
        // No tensor has an axis `isize::MAX`, which stands for all that is beyond it.
        impl From<$t> for Axis { fn from(a: $t) -> Axis { Axis(isize::try_from(a).unwrap_or(isize::MAX)) } }
        impl From<$t> for Axes { fn from(a: $t) -> Axes { Axes { list: Some(smallvec![Axis::from(a)]), keep: false } } }
        impl<const N: usize> From<[$t; N]> for Axes {
            fn from(a: [$t; N]) -> Axes { Axes { list: Some(a.iter().map(|&a| Axis::from(a)).collect()), keep: false } }
        }
    )*};
}
axis_from!(i32 isize usize i64);

/// The axes a reduction runs over: `..` (all), `-1`, `[0, 2]`, and `keep(-1)` to keep them with size 1.
#[derive(Clone, Debug)]
pub struct Axes {
    /// All of them, if none are named.
    list: Option<SmallVec<[Axis; MAX_RANK]>>,
    pub(crate) keep: bool,
}

impl From<RangeFull> for Axes {
    fn from(_: RangeFull) -> Axes {
        Axes { list: None, keep: false }
    }
}
impl From<&[usize]> for Axes {
    fn from(a: &[usize]) -> Axes {
        Axes { list: Some(a.iter().map(|&a| Axis::from(a)).collect()), keep: false }
    }
}

/// The same axes, kept in the result with size 1.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = tensor![[1.0, 2.0], [3.0, 4.0]];
/// assert_eq!(x.sum(keep(-1)).shape(), [2, 1]);
/// assert_eq!(x.sum(-1).shape(), [2]);
/// ```
pub fn keep(axes: impl Into<Axes>) -> Axes {
    Axes { keep: true, ..axes.into() }
}

impl Axes {
    /// Which axes of `shape` are meant, as a mask.
    #[track_caller]
    pub(crate) fn mask(&self, op: &str, shape: &[usize]) -> [bool; MAX_RANK] {
        let mut mask = [false; MAX_RANK];
        match &self.list {
            None => mask[..shape.len()].fill(true),
            Some(list) => {
                for a in list {
                    let a = if a.of_nothing(op, shape) { 0 } else { a.of(op, shape) };
                    if mask[a] {
                        fail!(op, "axis {a} is named twice");
                    }
                    mask[a] = true;
                }
                mask[0] &= !shape.is_empty();
            }
        }
        mask
    }
}

/// A shape of sizes that come from outside.
pub(crate) fn shape_from(sizes: Vec<usize>) -> crate::Result<Shape> {
    if sizes.len() > MAX_RANK {
        return Err(crate::Error::new(
            crate::ErrorKind::Model,
            format!("{} axes, the most is {MAX_RANK}", sizes.len()),
        ));
    }
    Ok(Shape::new(&sizes))
}

/// The shape both operands broadcast to, by NumPy's rule: aligned at the last axis, sizes equal or one of them 1.
#[track_caller]
pub(crate) fn broadcast(op: &str, a: &Shape, b: &Shape) -> Shape {
    if a == b {
        return *a;
    }
    let rank = a.len().max(b.len());
    let mut out = Shape::new(&[1; MAX_RANK][..rank]);
    for i in 0..rank {
        let at = |s: &Shape| if i + s.len() >= rank { s[i + s.len() - rank] } else { 1 };
        let (x, y) = (at(a), at(b));
        out[i] = match (x, y) {
            _ if x == y => x,
            (1, _) => y,
            (_, 1) => x,
            _ => {
                fail!(op, "shapes do not broadcast: {a:?} and {b:?}      {x} ≠ {y} at axis {}", i as isize - rank as isize;
                      help = "sizes must be equal or 1, aligned at the last axis; `unsqueeze` adds an axis of size 1")
            }
        };
    }
    out.fit(op)
}

#[test]
fn a_product_of_sizes_is_right_or_none() {
    for sizes in
        [&[1usize << 30, 1 << 30][..], &[1 << 40, 0, 1 << 40], &[usize::MAX], &[3, usize::MAX / 2, 2]]
    {
        assert_eq!(product(sizes), None, "{sizes:?}");
        let e = crate::catch(|| Shape::new(sizes).count()).unwrap_err();
        assert!(e.message().contains("more elements than can be addressed"), "{e}");
    }
    assert_eq!(product(&[1 << 30, (1 << 30) - 1]), Some((1 << 60) - (1 << 30)));
    assert_eq!(Shape::new(&[1023; 6]).count(), 1023usize.pow(6));
    assert_eq!((product(&[]), product(&[0, 5])), (Some(1), Some(0)));
    assert_eq!((sum([1, 2]), sum([usize::MAX, 2]), sum([MAX_ELEMENTS, 1])), (Some(3), None, None));
}

#[test]
fn broadcasting_follows_numpy() {
    let b = |a: &[usize], b: &[usize]| broadcast("add", &a.into(), &b.into()).to_vec();
    assert_eq!(b(&[3, 1], &[4]), [3, 4]);
    assert_eq!(b(&[], &[2, 0]), [2, 0]);
    assert_eq!(b(&[0], &[1]), [0]);
    let e = crate::catch(|| b(&[2, 3], &[4])).unwrap_err();
    assert_eq!(e.message(), "add: shapes do not broadcast: [2, 3] and [4]      3 ≠ 4 at axis -1");
}

//! Where the elements of a view lie in its storage: shape, signed strides and an offset.

use crate::fail;
use crate::shape::{MAX_RANK, Shape};

/// Element `(i, j, ..)` lies at `offset + i·strides[0] + j·strides[1] + ..`, counted in elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    pub(crate) shape: Shape,
    pub(crate) strides: [isize; MAX_RANK],
    pub(crate) offset: usize,
}

impl Layout {
    /// Row-major, from the start of the storage.
    #[inline]
    pub fn contiguous(shape: Shape) -> Layout {
        let mut strides = [0; MAX_RANK];
        match *shape {
            [] => {}
            [_] => strides[0] = 1,
            [_, n] => (strides[0], strides[1]) = (n as isize, 1),
            _ => {
                let mut step = 1;
                for i in (0..shape.len()).rev() {
                    strides[i] = step;
                    step *= shape[i] as isize;
                }
            }
        }
        Layout { shape, strides, offset: 0 }
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The distance between neighbours along each axis, in elements.
    pub fn strides(&self) -> &[isize] {
        &self.strides[..self.shape.len()]
    }

    /// Where element `(0, 0, ..)` lies.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Whether the elements lie one after the other in row-major order.
    pub fn is_contiguous(&self) -> bool {
        let (mut step, mut even) = (1, true);
        for (&n, &stride) in self.shape.iter().zip(&self.strides).rev() {
            match n {
                0 => return true,
                1 => {}
                _ => even &= stride == step,
            }
            step *= n as isize;
        }
        even
    }

    /// The same elements seen through a bigger shape: axes of size 1, and axes added in front, repeat with stride 0.
    ///
    /// # Panics
    /// When an axis has neither size 1 nor the wanted size.
    #[track_caller]
    pub fn broadcast_to(&self, shape: &Shape) -> Layout {
        let Some(lead) = shape.len().checked_sub(self.shape.len()) else { self.cannot_repeat(shape) };
        let mut strides = [0; MAX_RANK];
        for i in lead..shape.len() {
            let n = self.shape[i - lead];
            if n == shape[i] {
                strides[i] = self.strides[i - lead];
            } else if n != 1 {
                self.cannot_repeat(shape);
            }
        }
        Layout { shape: *shape, strides, offset: self.offset }
    }

    #[cold]
    #[track_caller]
    fn cannot_repeat(&self, shape: &Shape) -> ! {
        fail!("layout", "{:?} cannot be repeated to {shape:?}", self.shape; help = "only axes of size 1 repeat, aligned at the last axis")
    }

    /// The same elements with the axes in another order.
    ///
    /// # Panics
    /// When the order does not name every axis once.
    #[track_caller]
    pub fn permute(&self, order: &[usize]) -> Layout {
        let rank = self.shape.len();
        if order.len() != rank || (0..rank).any(|axis| !order.contains(&axis)) {
            fail!("layout", "{order:?} is no order of the {rank} axes of {:?}", self.shape; help = "name every axis once, e.g. [1, 0] of two");
        }
        let mut out = *self;
        for (to, &from) in order.iter().enumerate() {
            out.shape[to] = self.shape[from];
            out.strides[to] = self.strides[from];
        }
        out
    }

    /// The strides of the same elements under another shape of the same count, if no copy is needed for it.
    ///
    /// # Panics
    /// When the shape has another count.
    #[track_caller]
    pub fn reshape(&self, shape: &Shape) -> Option<Layout> {
        if self.shape.count() != shape.count() {
            fail!(
                "layout",
                "{:?} has {} elements, {shape:?} has {}",
                self.shape,
                self.shape.count(),
                shape.count()
            );
        }
        if self.is_contiguous() {
            return Some(Layout { offset: self.offset, ..Layout::contiguous(*shape) });
        }
        let mut strides = [0; MAX_RANK];
        // Old axes are taken in groups whose count equals a group of new axes; each group must be one even run.
        let old: Vec<(usize, isize)> =
            self.shape.iter().zip(self.strides()).filter(|(n, _)| **n != 1).map(|(n, s)| (*n, *s)).collect();
        let (mut i, mut j) = (0, 0);
        while j < shape.len() && i < old.len() {
            if shape[j] == 1 {
                j += 1;
                continue;
            }
            let (i0, j0) = (i, j);
            let (mut have, mut want) = (old[i].0, shape[j]);
            i += 1;
            j += 1;
            while have != want {
                if have < want {
                    have *= old[i].0;
                    i += 1;
                } else {
                    want *= shape[j];
                    j += 1;
                }
            }
            for k in i0..i - 1 {
                if old[k].1 != old[k + 1].1 * old[k + 1].0 as isize {
                    return None;
                }
            }
            let mut step = old[i - 1].1;
            for k in (j0..j).rev() {
                strides[k] = step;
                step *= shape[k] as isize;
            }
        }
        Some(Layout { shape: *shape, strides, offset: self.offset })
    }

    /// Whether every element lies in a storage of so many.
    pub(crate) fn lies_in(&self, elements: usize) -> bool {
        if self.shape.contains(&0) {
            return true;
        }
        let (mut first, mut last) = (self.offset as isize, self.offset as isize);
        for (&n, &stride) in self.shape.iter().zip(&self.strides) {
            let reach = (n as isize - 1).saturating_mul(stride);
            (first, last) = (first.saturating_add(reach.min(0)), last.saturating_add(reach.max(0)));
        }
        first >= 0 && (last as usize) < elements
    }

    /// The same walk with neighbouring axes merged wherever one step of the outer equals a whole run of the inner.
    pub(crate) fn coalesce(layouts: &mut [Layout]) {
        let Some(first) = layouts.first() else { return };
        let rank = first.shape.len();
        // From the innermost axis outwards; axes `at..` of each layout are those merged so far. Size 1 needs no axis.
        let mut at = rank;
        for i in (0..rank).rev() {
            if layouts[0].shape[i] == 1 {
                continue;
            }
            let joins =
                at < rank && layouts.iter().all(|l| l.strides[i] == l.strides[at] * l.shape[at] as isize);
            at -= !joins as usize;
            for l in &mut *layouts {
                if joins {
                    l.shape[at] *= l.shape[i];
                } else {
                    (l.shape[at], l.strides[at]) = (l.shape[i], l.strides[i]);
                }
            }
        }
        for l in layouts {
            l.shape = Shape::new(&l.shape[at..]);
            l.strides.copy_within(at..rank, 0);
            l.strides[rank - at..].fill(0);
        }
    }
}

#[test]
fn reshape_of_a_view_keeps_the_elements_or_asks_for_a_copy() {
    let l = Layout::contiguous([4, 6].into());
    assert_eq!(l.reshape(&[2, 2, 3, 2].into()).unwrap().strides(), [12, 6, 2, 1]);
    let t = l.permute(&[1, 0]);
    assert!(t.reshape(&[24].into()).is_none());
    assert_eq!(t.reshape(&[2, 3, 4].into()).unwrap().strides(), [3, 1, 6]);
    assert_eq!(t.reshape(&[6, 1, 4, 1].into()).unwrap().strides(), [1, 0, 6, 0]);
}

#[test]
fn views_that_a_layout_does_not_have_are_refused() {
    let l = Layout::contiguous([3, 4].into());
    let refused = |view: &dyn Fn()| crate::catch(view).unwrap_err().message().to_string();
    for shape in [&[7, 7][..], &[4], &[3, 3, 8], &[]] {
        assert!(refused(&|| _ = l.broadcast_to(&shape.into())).contains("cannot be repeated"));
    }
    for order in [&[5, 0][..], &[0], &[0, 0], &[0, 1, 2]] {
        assert!(refused(&|| _ = l.permute(order)).contains("is no order of the 2 axes"));
    }
    for shape in [&[5][..], &[], &[13], &[0]] {
        assert!(refused(&|| _ = l.reshape(&shape.into())).contains("has 12 elements"));
    }
    assert!(l.lies_in(12) && !l.lies_in(11) && l.permute(&[1, 0]).lies_in(12));
}

#[test]
fn axes_merge_when_they_form_one_run() {
    let mut l = [
        Layout::contiguous([2, 3, 4].into()),
        Layout::contiguous([4].into()).broadcast_to(&[2, 3, 4].into()),
    ];
    Layout::coalesce(&mut l);
    assert_eq!(
        (l[0].shape.to_vec(), l[0].strides().to_vec(), l[1].strides().to_vec()),
        (vec![6, 4], vec![4, 1], vec![0, 1])
    );
}

//! Where the elements of a view lie in its storage: shape, signed strides and an offset.

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
    pub fn broadcast_to(&self, shape: &Shape) -> Layout {
        let lead = shape.len() - self.shape.len();
        let mut strides = [0; MAX_RANK];
        for i in lead..shape.len() {
            if self.shape[i - lead] == shape[i] {
                strides[i] = self.strides[i - lead];
            }
        }
        Layout { shape: *shape, strides, offset: self.offset }
    }

    /// The same elements with the axes in another order.
    pub fn permute(&self, order: &[usize]) -> Layout {
        let mut out = *self;
        for (to, &from) in order.iter().enumerate() {
            out.shape[to] = self.shape[from];
            out.strides[to] = self.strides[from];
        }
        out
    }

    /// The strides of the same elements under another shape of the same count, if no copy is needed for it.
    pub fn reshape(&self, shape: &Shape) -> Option<Layout> {
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

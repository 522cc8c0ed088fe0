//! The product of the chain: a matrix packed once, which multiplies a few rows at every step.

use super::ROWS;
use crate::gemm::lanes::{TILE, dispatch};
use crate::gemm::pack::{Strip, interleave};
use crate::gemm::tile::{Block, Cut, Finish, Side};
use crate::gemm::{Gemm, Mat, sizes};
use crate::threads::{Pieces, parallel};
use crate::workspace::{Scratch, scratch};

/// A matrix of `depth × cols` in panels of [`TILE`] registers, each for the whole depth: a panel passes by the few rows
/// once, so that cutting it to the size of the L1 cache would only load and store sums.
pub struct Recurrence<T> {
    panels: Scratch<T>,
    depth: usize,
    cols: usize,
}

impl<T: Gemm> Recurrence<T> {
    pub fn new(w: Mat<T>) -> Recurrence<T> {
        let (depth, cols, lanes) = (w.rows, w.cols, sizes::<T>().1);
        let mut panels = scratch::<T>(depth * cols.next_multiple_of(lanes));
        let store = Pieces::new(&mut panels);
        let wide = TILE * lanes;
        parallel(cols.div_ceil(wide), depth * cols, |panel| {
            let at = panel * wide;
            let width = (cols - at).next_multiple_of(lanes).min(wide);
            let start = (w.offset as isize) + at as isize * w.col_stride;
            let strip = Strip { data: w.data, start, lane: w.col_stride, step: w.row_stride };
            // SAFETY: panels lie one after the other, and each is packed by one call.
            let to = unsafe { store.get(at * depth, width * depth) };
            interleave(to, width, width.min(cols - at), depth, strip);
        });
        Recurrence { panels, depth, cols }
    }

    /// Room for the rows of a block, as [`pack`](Self::pack) lays them out.
    pub fn room(&self) -> Scratch<T> {
        scratch(self.depth * ROWS)
    }

    /// Packs `rows ≤ ROWS` rows of `data`, `stride` apart from `start` on.
    pub fn pack(&self, to: &mut [T], rows: usize, data: &[T], start: usize, stride: usize) {
        let high = sizes::<T>().0;
        for i in (0..rows).step_by(high) {
            let start = (start + i * stride) as isize;
            let strip = Strip { data, start, lane: stride as isize, step: 1 };
            interleave(&mut to[i * self.depth..], high, high.min(rows - i), self.depth, strip);
        }
    }

    /// `c (+)= a·w` for packed rows; those of `c` are `stride` apart from its beginning on.
    pub fn times(&self, a: &[T], rows: usize, c: &mut [T], stride: usize, add: bool) {
        let (steps, cols, wide) = (self.depth, self.cols, TILE * sizes::<T>().1);
        if rows == 0 || cols == 0 {
            return;
        }
        assert!(self.cols <= stride && (rows - 1) * stride + cols <= c.len());
        let out = Pieces::new(c);
        parallel(cols.div_ceil(wide), rows * steps * cols, |panel| {
            let at = panel * wide;
            dispatch(Block {
                steps,
                rows,
                high: sizes::<T>().0,
                cols: Cut { lanes: wide.min(cols - at), unit: sizes::<T>().1, wide },
                a: Side::packed(a),
                b: Side::packed(&self.panels[at * steps..]),
                // SAFETY: each panel covers columns of its own, which lie in `c` by the assertion.
                c: unsafe { out.at(at) },
                stride,
                finish: Finish { add, bias: None, relu: false },
            });
        });
    }
}

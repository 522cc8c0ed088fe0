//! A matrix packed once, by which lines of tiles are multiplied many times: at every step of a sequence.

use super::sweep::{AREA, HIGH, Left, Lines, SIDE, Sweep, fill, lay};
use crate::gemm::lanes::{TILE, dispatch};
use crate::gemm::pack::{Strip, interleave};
use crate::gemm::{Gemm, Mat, sizes};
use crate::threads::{Pieces, for_chunks, parallel};
use crate::workspace::{Scratch, scratch};

/// A matrix of `depth × cols` in panels of at most [`TILE`] registers, as even as they come.
///
/// Each panel has the whole depth: it streams from the L2 cache past the 8 rows it meets, and cutting it to the size of L1
/// would load and store sums instead (16 rows by 256 × 1024, 64 times: 2.95 ms; in pieces of 128 steps, so that each
/// is used twice while in L1: 3.05).
pub struct Panels<T> {
    store: Scratch<T>,
    depth: usize,
    cols: usize,
    /// Where each panel begins, and where the last ends.
    edges: Vec<usize>,
}

/// Where a product goes, and what it meets there.
pub struct To<'a, T> {
    /// From the first number on.
    pub c: &'a mut [T],
    /// From one row to the next, at least the number of columns.
    pub stride: usize,
    /// Whether to add to what is there.
    pub add: bool,
    /// Added to each row.
    pub bias: Option<&'a [T]>,
}

/// Dense rows that one task packs or multiplies.
const DENSE: usize = 64;

/// Panels that one task multiplies.
const RUN: usize = 4;

/// Depth of a sum that is made at once.
const LONG: usize = 512;

impl<T: Gemm> Panels<T> {
    /// Of matrices one below the other, each filled up with zeros to whole tiles, as [`lay`] fills rows.
    pub fn new(parts: &[Mat<T>]) -> Panels<T> {
        let depth = parts.iter().map(|part| part.rows.next_multiple_of(SIDE)).sum();
        let cols = parts[0].cols;
        let mut panels = Panels::of(depth, cols);
        let (edges, pieces) = (&panels.edges, Pieces::new(&mut panels.store));
        parallel(edges.len() - 1, depth * cols, |p| {
            let (at, width) = (edges[p], edges[p + 1] - edges[p]);
            // SAFETY: panels lie one after the other, and each is packed by one call.
            let mut to = unsafe { pieces.get(at * depth, width * depth) };
            for w in parts {
                let (mine, rest) = to.split_at_mut(w.rows.next_multiple_of(SIDE) * width);
                let (filled, padding) = mine.split_at_mut(w.rows * width);
                let start = w.offset as isize + at as isize * w.col_stride;
                let strip = Strip { data: w.data, start, lane: w.col_stride, step: w.row_stride };
                interleave(filled, width, width.min(cols - at), w.rows, strip);
                padding.fill(T::default());
                to = rest;
            }
        });
        panels
    }

    /// Of the rows that `row` gives by their number; zeros where it gives none.
    pub fn of_rows<'a>(
        depth: usize,
        cols: usize,
        row: impl Fn(usize) -> Option<&'a [T]> + Sync,
    ) -> Panels<T> {
        let mut panels = Panels::of(depth, cols);
        let (edges, pieces) = (&panels.edges, Pieces::new(&mut panels.store));
        parallel(depth.div_ceil(DENSE), depth * cols, |run| {
            for k in run * DENSE..(run * DENSE + DENSE).min(depth) {
                let row = row(k);
                for edge in edges.windows(2) {
                    let (at, width) = (edge[0], edge[1] - edge[0]);
                    // SAFETY: each row of each panel is filled by one call.
                    let to = unsafe { pieces.get(at * depth + k * width, width) };
                    match row {
                        Some(row) => fill(to, &row[at..cols.min(at + width)]),
                        None => to.fill(T::default()),
                    }
                }
            }
        });
        panels
    }

    /// Of these sizes, to be filled.
    fn of(depth: usize, cols: usize) -> Panels<T> {
        let lanes = sizes::<T>().1;
        let registers = cols.div_ceil(lanes);
        let count = registers.div_ceil(TILE);
        let edges = (0..=count).map(|p| p * registers / count.max(1) * lanes).collect();
        Panels { store: scratch(depth * registers * lanes), depth, cols, edges }
    }

    /// Room for [`HIGH`] rows as deep as this matrix, in tiles.
    pub fn room(&self) -> Scratch<T> {
        scratch(self.depth * HIGH)
    }

    /// Rows in such room, as a left operand.
    pub fn rows<'a>(&self, tiles: &'a [T]) -> Left<'a, T> {
        Left { tiles, pitch: AREA, count: self.depth / SIDE, lines: Lines::Rows }
    }

    /// `c (+)= left·self` for so many lines.
    pub fn times(&self, left: Left<T>, lines: usize, to: To<T>) {
        let cols = self.cols;
        if lines * cols == 0 {
            return;
        }
        assert!(cols <= to.stride && (lines - 1) * to.stride + cols <= to.c.len());
        assert!(left.depth() == self.depth);
        self.part(left, 0, lines, to);
    }

    /// The same from a part of the depth on; very deep sums are made of halves, so that they keep their digits.
    fn part(&self, left: Left<T>, from: usize, lines: usize, to: To<T>) {
        let To { c, stride, add, bias } = to;
        let (depth, cols, most) = (self.depth, self.cols, LONG / left.step());
        if left.count > most {
            let middle = (left.count / 2).next_multiple_of(most);
            let second =
                Left { tiles: &left.tiles[middle * left.pitch..], count: left.count - middle, ..left };
            let mut sums = scratch::<T>(lines * cols);
            self.part(Left { count: middle, ..left }, from, lines, To { c: &mut *c, stride, add, bias });
            let of_second = To { c: &mut sums, stride: cols, add: false, bias: None };
            self.part(second, from + middle * left.step(), lines, of_second);
            for (c, sums) in c.chunks_mut(stride).zip(sums.chunks_exact(cols)) {
                c.iter_mut().zip(sums).for_each(|(y, &x)| *y += x);
            }
            return;
        }
        let out = Pieces::new(c);
        let panels = self.edges.len() - 1;
        parallel(panels.div_ceil(RUN), lines * left.depth() * cols, |run| {
            let edges = &self.edges[run * RUN..=panels.min(run * RUN + RUN)];
            // SAFETY: each run of panels covers columns of its own, which lie in `c` by the assertion.
            let c = unsafe { out.at(0) };
            let panels = &self.store;
            dispatch(Sweep { left, lines, panels, depth, from, edges, cols, c, stride, add, bias });
        });
    }

    /// `c = x·self + bias` for dense rows.
    pub fn times_dense(&self, x: &[T], inner: usize, c: &mut [T], bias: Option<&[T]>) {
        let cols = self.cols;
        for_chunks(c, DENSE * cols, x.len() * cols, |chunk, c| {
            let mut tiles = self.room();
            let x = x[chunk * DENSE * inner..].chunks(HIGH * inner);
            for (x, c) in x.zip(c.chunks_mut(HIGH * cols)) {
                for (row, x) in x.chunks_exact(inner).enumerate() {
                    lay(&mut tiles, row, x);
                }
                let lines = c.len() / cols;
                self.times(self.rows(&tiles), lines, To { c, stride: cols, add: false, bias });
            }
        });
    }
}

//! The gradients of the gates of all steps in tiles, as the chain makes them and as all later products read them.

use super::panels::{Panels, To};
use super::sweep::{AREA, HIGH, Left, Lines, SIDE, lay};
use super::{ROWS, Sequences};
use crate::gemm::Gemm;
use crate::simd::vectorize;
use crate::threads::{Pieces, parallel};
use crate::workspace::{Scratch, scratch};
use std::ops::Range;

/// The gradients of so many parts of the hidden size, for each sequence at each step a row.
///
/// Rows stand in the order in which the blocks' chains make them (block, step, sequence), [`HIGH`] to a group, and a group
/// is a line of tiles. So a step of a block is a left operand where it lies, a group is one of the inputs' gradient, and a
/// column of tiles, through the groups, one of the weights' gradients: nothing is packed again, where products of any
/// layout read the 8 MiB of an LSTM's three times and packed them twice.
pub struct Slopes<'a, T> {
    store: Scratch<T>,
    sizes: Sequences<'a>,
    parts: usize,
}

/// One weight whose gradient is wanted: `dw = slopesᵀ·right`.
pub struct Weight<'a, T> {
    /// For each part of the gates, the part of `dw` that it makes, if it makes one.
    pub parts: &'a [Option<usize>],
    /// The columns of `dw`.
    pub cols: usize,
    /// The other operand's row for a sequence and a step.
    pub right: &'a (dyn Fn(usize, usize) -> &'a [T] + Sync),
    /// The gradient.
    pub dw: &'a mut [T],
}

/// Between one group and the next, lest 64 of them fall on the same sets of a cache: 256 bytes of f32, as long as the eight
/// lines that one product of a column touches there. (Both weights of an LSTM of 256, one thread: 4.6 ms, without 4.8.)
const GAP: usize = 64;

/// Numbers of the right operands packed at a time: 768 KiB of f32, which leaves room in an L2 cache of 1 MiB.
const PIECE: usize = 3 << 16;

impl<'s, T: Gemm> Slopes<'s, T> {
    /// Of this many parts.
    pub fn new(sizes: Sequences<'s>, parts: usize) -> Slopes<'s, T> {
        let mut slopes = Slopes { store: scratch(0), sizes, parts };
        slopes.store = scratch(slopes.groups() * slopes.pitch());
        slopes
    }

    /// All numbers, of which a block of [`ROWS`] sequences has [`block`](Self::block).
    pub fn all(&mut self) -> &mut [T] {
        &mut self.store
    }

    /// The numbers of a whole block; the last block may have fewer.
    pub fn block(&self) -> usize {
        self.sizes.steps * self.pitch()
    }

    /// What puts rows into the piece of one block, and finds them there.
    pub fn layout(&self) -> Layout {
        Layout { parts: self.parts, hidden: self.sizes.hidden, pitch: self.pitch() }
    }

    fn pitch(&self) -> usize {
        self.parts * self.sizes.hidden.next_multiple_of(SIDE) * HIGH + GAP
    }

    fn groups(&self) -> usize {
        let Sequences { batch, steps, .. } = self.sizes;
        batch / ROWS * steps + (padded(batch % ROWS) * steps).div_ceil(HIGH)
    }

    /// The sequence and the step of row `k`, if it is one.
    fn place(&self, k: usize) -> Option<(usize, usize)> {
        let Sequences { batch, steps, .. } = self.sizes;
        let first = k / (ROWS * steps) * ROWS;
        let rows = ROWS.min(batch - first);
        let (step, row) = (k % (ROWS * steps) / padded(rows), k % padded(rows));
        (row < rows && step < steps).then_some((first + row, step))
    }

    /// The groups of each run in which there are steps: all in one, where all sequences have all steps. Short gaps, whose rows are
    /// zeros, are multiplied too, for a run costs a packing of its own.
    fn runs(&self) -> Vec<Range<usize>> {
        let Sequences { batch, steps, .. } = self.sizes;
        let mut runs: Vec<Range<usize>> = Vec::new();
        for first in (0..batch).step_by(ROWS) {
            let rows = padded(ROWS.min(batch - first));
            let start = first / ROWS * steps;
            let end = start + (rows * self.sizes.len(first)).div_ceil(HIGH);
            match runs.last_mut() {
                Some(last) if end > start && (start - last.end) * 8 <= steps => last.end = end,
                _ if end > start => runs.push(start..end),
                _ => {}
            }
        }
        runs
    }

    /// Whether any sequence of a group has its steps.
    fn is_active(&self, group: usize) -> bool {
        let (step, first) = match self.place(group * HIGH) {
            Some((first, step)) => (step, first),
            None => return false,
        };
        step < self.sizes.len(first)
    }

    /// `dx = slopes·w`, of the parts from `part` on that `w` was made for, into a row of `dx` for each sequence and step.
    pub fn times(&self, part: usize, w: &Panels<T>, dx: &mut [T]) {
        let (steps, cols) = (self.sizes.steps, self.sizes.inputs);
        assert_eq!(dx.len(), self.sizes.rows() * cols);
        let (out, layout) = (Pieces::new(dx), self.layout());
        parallel(self.groups(), self.store.len() * cols, |group| {
            let tiles = &self.store[group * layout.pitch..][..layout.pitch];
            let mut rows = scratch::<T>(HIGH * cols);
            if self.is_active(group) {
                let to = To { c: &mut rows, stride: cols, add: false, bias: None };
                w.times(w.rows(&tiles[part * layout.part()..]), HIGH, to);
            } else {
                rows.fill(T::default());
            }
            for (i, row) in rows.chunks_exact(cols).enumerate() {
                if let Some((sequence, step)) = self.place(group * HIGH + i) {
                    // SAFETY: a row of its own for each sequence and step.
                    unsafe { out.get((sequence * steps + step) * cols, cols) }.copy_from_slice(row);
                }
            }
        });
    }

    /// Writes the gradients of the weights.
    ///
    /// Loop nest: pieces of the groups › packing of the right operands, to stay in L2 › columns of tiles (in parallel) ›
    /// panels › micro-tiles › groups.
    pub fn weights(&self, weights: &mut [Weight<'_, T>]) {
        let (h, pitch, runs) = (self.sizes.hidden, self.pitch(), self.runs());
        let cols = weights.iter().map(|w| w.cols).sum::<usize>();
        if runs.is_empty() || cols == 0 {
            return weights.iter_mut().for_each(|w| w.dw.fill(T::default()));
        }
        let most = (PIECE / cols / HIGH).max(8);
        let cut = |run: &Range<usize>| {
            let (start, groups) = (run.start, run.len());
            let pieces = groups.div_ceil(most);
            (0..pieces).map(move |i| (start + groups * i / pieces, start + groups * (i + 1) / pieces))
        };
        let across = h.div_ceil(SIDE);
        for (piece, (first, end)) in runs.iter().flat_map(cut).enumerate() {
            let depth = (end - first) * HIGH;
            let right: Vec<Panels<T>> = weights
                .iter()
                .map(|w| {
                    let row = |k| {
                        let (sequence, step) = self.place(first * HIGH + k)?;
                        (step < self.sizes.len(sequence)).then(|| (w.right)(sequence, step))
                    };
                    Panels::of_rows(depth, w.cols, row)
                })
                .collect();
            let out: Vec<_> = weights.iter_mut().map(|w| (w.parts, w.cols, Pieces::new(w.dw))).collect();
            parallel(self.parts * across, depth * self.parts * h * cols, |column| {
                let tiles = &self.store[first * pitch + column * AREA..];
                let left = Left { tiles, pitch, count: end - first, lines: Lines::Columns };
                let (part, at) = (column / across, column % across * SIDE);
                for (right, &(parts, cols, ref dw)) in right.iter().zip(&out) {
                    let (Some(part), count) = (parts[part], SIDE.min(h - at)) else { continue };
                    // SAFETY: the rows of `dw` that a column of tiles makes are its own.
                    let c = unsafe { dw.get((part * h + at) * cols, count * cols) };
                    right.times(left, count, To { c, stride: cols, add: piece > 0, bias: None });
                }
            });
        }
    }
}

/// The rows that a block's sequences take up at each step: a power of two, so that no step lies in two groups.
fn padded(rows: usize) -> usize {
    if rows == 0 { 0 } else { rows.next_power_of_two() }
}

/// How a block's piece of [`Slopes`] is laid out.
#[derive(Clone, Copy)]
pub struct Layout {
    parts: usize,
    hidden: usize,
    pitch: usize,
}

impl Layout {
    /// The numbers that one part of a group takes.
    fn part(&self) -> usize {
        self.hidden.next_multiple_of(SIDE) * HIGH
    }

    /// Where a step of `rows` sequences begins.
    fn start(&self, rows: usize, step: usize) -> usize {
        let row = step * padded(rows);
        row / HIGH * self.pitch + row % HIGH * SIDE
    }

    /// Puts the gradients of all parts for a step, a row for each sequence.
    pub fn put<T: Gemm>(&self, block: &mut [T], step: usize, slopes: &[T]) {
        let wide = self.parts * self.hidden;
        let start = self.start(slopes.len() / wide, step);
        vectorize(
            #[inline(always)]
            || {
                for (row, slopes) in slopes.chunks_exact(wide).enumerate() {
                    for (part, slopes) in slopes.chunks_exact(self.hidden).enumerate() {
                        lay(&mut block[start + part * self.part()..], row, slopes);
                    }
                }
            },
        );
    }

    /// A step of `rows` sequences, as a left operand of `w`, from one part on.
    pub fn step<'a, T: Gemm>(
        &self,
        block: &'a [T],
        rows: usize,
        step: usize,
        part: usize,
        w: &Panels<T>,
    ) -> Left<'a, T> {
        w.rows(&block[self.start(rows, step) + part * self.part()..])
    }
}

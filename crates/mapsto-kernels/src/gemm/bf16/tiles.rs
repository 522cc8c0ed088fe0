//! Products on the tiles of AMX, whose instruction multiplies 16 × 32 by 32 × 16 bf16 in 16 cycles: sixteen times as many
//! multiply-adds as AVX-512 does in f32.
//!
//! Both operands are packed, each number as one bf16, or as the sum of two (see [`gemm_x3`](super::gemm_x3)).
//!
//! Loop nest: pieces of k › tasks along C's longer side (in parallel; each packs its own part of one operand, while the
//! other is packed once for all) › runs of panels of B › panels of A › panels of B › blocks of 32 steps. A panel is two tiles
//! wide, so that four loads feed four products; 512 steps of eight panels of each operand are 512 KiB of the L2 cache, or
//! 1 MiB in two parts.
//!
//! Tiles take numbers below 2⁻¹²⁶ as 0, operands and sums. 32 terms are summed alone, then added to the sum.
//!
//! Three parts and six products of them, as near to the exact result as multiply-adds in f32 (a GPT's losses were within
//! 5.2e-7 of another framework's, by multiply-adds within 1.5e-6), were built, measured and left out: while the machine gave
//! AMX its full rate they had 2.2 times the speed of multiply-adds (370 and 160 GFLOP/s on one thread), but for much of the
//! time it gave 0.4 of it, and then loads of tiles were not hidden either, and they had 0.8 times (75 and 92). Two parts win
//! in either state, and so does one.

mod amx;
mod split;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::super::tile::Finish;
use super::{MACS, Mat, add_row, end_row};
use crate::elements::elements;
use crate::simd::vectorize;
use crate::threads::{Pieces, WORTH_SHARING, parallel};
use crate::workspace::{Scratch, scratch, scratch_copy};
pub use amx::is_there;
use amx::{PANEL, TILE};
use split::{Order, Source, packed};

/// Steps of a piece of k at most: a panel is then 32 KiB, or 64 in two parts.
const STEPS: usize = 512;
/// Panels of A in a task, and of B that stay in L2 while those of A pass by.
const RUN: usize = 8;
/// Numbers of the shared operand packed at a time. (Tests pack in many rounds.)
const SHARED: usize = if cfg!(test) { 1 << 12 } else { 1 << 22 };

/// Multiply-adds that take about as long as moving an element.
const FAST: usize = 8 * MACS;

/// Whether a product is large enough for tiles.
pub fn pay(m: usize, k: usize, n: usize) -> bool {
    m >= TILE && n >= TILE && k >= TILE && elements([m, n, k]) >= ENOUGH
}

/// Multiplications from which tiles win. (Tests take them for less.)
const ENOUGH: usize = if cfg!(test) { 1 << 12 } else { 1 << 18 };

/// C = A·B or C += A·B, then the epilogue, with operands in one part or two. Sizes and slices are checked, and k is not 0.
/// Gives whether the parts could hold the operands; if not, C holds nothing of use.
pub fn product<const PARTS: usize>(a: Mat<f32>, b: Mat<f32>, c: &mut [f32], finish: Finish<f32>) -> bool {
    assert!(is_there(), "tiles on a processor without them");
    let (mut dense_a, mut dense_b) = (scratch(0), scratch(0));
    let a = with_lines(a, &mut dense_a);
    let b = with_lines(b, &mut dense_b);
    let (m, k, n) = (a.rows, a.cols, b.cols);
    let pieces = k.div_ceil(STEPS);
    let steps = k.div_ceil(amx::STEPS).div_ceil(pieces) * amx::STEPS;
    let by_rows = m >= n;
    let of_a = Source { lanes: a, order: Order::Lanes };
    let of_b = Source { lanes: b.t(), order: Order::Pairs };
    let (shared, own) = if by_rows { (of_b, of_a) } else { (of_a, of_b) };
    let (long, short) = (m.max(n), m.min(n));
    let panels = long.div_ceil(PANEL);
    let tasks = match elements([m, n, k]) / FAST {
        little if little < WORTH_SHARING => 1,
        _ => panels.div_ceil(RUN).next_multiple_of(8).min(panels),
    };
    let edge = |t: usize| (panels * t / tasks * PANEL).min(long);
    let each = packed(short, steps, PARTS);
    let at_once = (SHARED * PARTS / 2 / each).clamp(1, pieces);
    let mut store = scratch::<u32>(at_once * each);
    let out = Pieces::new(c);
    let all_held = AtomicBool::new(true);
    for first in (0..pieces).step_by(at_once) {
        let count = at_once.min(pieces - first);
        let depth = |p: usize| ((first + p) * steps).min(k)..((first + p + 1) * steps).min(k);
        let strips = short.div_ceil(PANEL);
        let to = Pieces::new(&mut store);
        parallel(count * strips, count * short * steps, |block| {
            let (p, strip) = (block / strips, block % strips * PANEL);
            let (lanes, range) = (strip..short.min(strip + PANEL), depth(p));
            // SAFETY: panels of one piece, and pieces, lie one after the other; each is packed by one call. The processor
            // has the instructions, as asserted.
            let held = unsafe {
                let to =
                    to.get(p * each + packed(strip, range.len(), PARTS), packed(PANEL, range.len(), PARTS));
                shared.pack::<PARTS>(lanes, range, to)
            };
            all_held.fetch_and(held, Relaxed);
        });
        let store: &[u32] = &store;
        parallel(tasks, count * steps * (m * n / FAST), |t| {
            let own_lanes = edge(t)..edge(t + 1);
            let mut mine = scratch::<u32>(packed(own_lanes.len(), steps, PARTS));
            let (rows, columns) = if by_rows { (own_lanes.clone(), 0..n) } else { (0..m, own_lanes.clone()) };
            for p in 0..count {
                let range = depth(p);
                // SAFETY: as above.
                let held = unsafe { own.pack::<PARTS>(own_lanes.clone(), range.clone(), &mut mine) };
                all_held.fetch_and(held, Relaxed);
                let (shared, own) = (&store[p * each..], &mine[..]);
                let last = first + p + 1 == pieces;
                let block = Block {
                    rows: rows.len(),
                    columns: columns.len(),
                    steps: range.len(),
                    // SAFETY: tasks cover disjoint rows or columns of C, which is borrowed throughout.
                    c: unsafe { out.at(rows.start * n + columns.start) },
                    stride: n,
                    finish: Finish {
                        add: finish.add || first + p > 0,
                        bias: finish.bias.filter(|_| last).map(|bias| &bias[columns.clone()]),
                        relu: finish.relu && last,
                    },
                };
                let (a, b) = if by_rows { (own, shared) } else { (shared, own) };
                // SAFETY: C as above, and the operands are packed.
                unsafe { block.multiply::<PARTS>(a, b) }
            }
        });
    }
    all_held.into_inner()
}

/// A matrix whose rows or columns are dense: itself, or a copy.
fn with_lines<'a>(x: Mat<'a, f32>, copy: &'a mut Scratch<f32>) -> Mat<'a, f32> {
    if x.row_stride == 1 || x.col_stride == 1 {
        return x;
    }
    let (rows, cols) = (x.rows, x.cols);
    *copy = scratch_copy((0..rows * cols).map(|i| x.at(i / cols, i % cols)));
    Mat::row_major(copy, rows, cols)
}

/// A part of C, for some steps.
struct Block<'a> {
    rows: usize,
    columns: usize,
    steps: usize,
    c: *mut f32,
    stride: usize,
    finish: Finish<'a, f32>,
}

impl Block<'_> {
    /// From panels of both operands.
    ///
    /// # Safety
    /// C holds the rows and columns, which nobody else touches; the processor has tiles.
    unsafe fn multiply<const PARTS: usize>(&self, a: &[u32], b: &[u32]) {
        let Block { rows, columns, steps, c, stride, finish } = *self;
        let panel = packed(PANEL, steps, PARTS);
        assert!(a.len() >= packed(rows, steps, PARTS) && b.len() >= packed(columns, steps, PARTS));
        let blocks = steps.div_ceil(amx::STEPS);
        let work = || {
            let mut edge = [[0.0f32; PANEL]; PANEL];
            for run in (0..columns).step_by(RUN * PANEL) {
                let end = columns.min(run + RUN * PANEL);
                for i in (0..rows).step_by(PANEL) {
                    let height = PANEL.min(rows - i);
                    for j in (run..end).step_by(PANEL) {
                        let width = PANEL.min(end - j);
                        // SAFETY: the panels lie in the slices, as asserted, and C is the caller's promise.
                        unsafe {
                            let (a, b) =
                                (a.as_ptr().add(i / PANEL * panel), b.as_ptr().add(j / PANEL * panel));
                            let c = c.add(i * stride + j);
                            if (height, width) == (PANEL, PANEL) {
                                amx::multiply::<PARTS>(blocks, a, b, c, stride, finish.add);
                            } else {
                                amx::multiply::<PARTS>(blocks, a, b, edge.as_mut_ptr().cast(), PANEL, false);
                                for (i, sums) in edge[..height].iter().enumerate() {
                                    let row = std::slice::from_raw_parts_mut(c.add(i * stride), width);
                                    add_row(row, sums, finish.add);
                                }
                            }
                        }
                    }
                    for i in i..i + height {
                        // SAFETY: the caller's promise.
                        let row =
                            unsafe { std::slice::from_raw_parts_mut(c.add(i * stride + run), end - run) };
                        end_row(row, finish.bias.map(|bias| &bias[run..end]), finish.relu);
                    }
                }
            }
        };
        // SAFETY: the caller's promise.
        unsafe { amx::with_tiles(|| vectorize(work)) }
    }
}

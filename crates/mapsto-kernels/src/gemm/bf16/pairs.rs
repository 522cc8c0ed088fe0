//! Products of bf16 by VDPBF16PS: both operands packed in pairs of steps, tiles of sums in f32.
//!
//! Loop nest: blocks of C of [`ROWS`] × [`COLS`] (in parallel) › pieces of [`PIECE`] pairs of steps › panels of A › panels
//! of B › pairs. Six rows of four registers are 24 sums, which hide the instruction's latency. A panel of A is then 9 KiB of
//! the L1 cache, the four panels of B that a block reads are 384 KiB of L2; the blocks are small so that a C of few
//! columns is shared among threads too.
//!
//! A pair lies in the order in which VDPBF16PS adds: it multiplies and adds the upper halves, rounds, then the lower
//! halves, and rounds (Intel's manual, volume 2). The earlier step is therefore the upper half, and sums are those of
//! multiply-adds in the order of the steps. (On Sapphire Rapids to the last bit, in 3500 sums of 700 steps of numbers from
//! 2⁻³⁰ to 2³⁰. The tests ask for less: other makers' circuits have not been seen.)

use std::arch::x86_64::*;
use std::ops::Range;

use super::super::tile::Finish;
use super::{MACS, Mat, add_row, bits, end_row};
use crate::elements::elements;
use crate::simd::vectorize;
use crate::threads::{Pieces, parallel};
use crate::workspace::{Scratch, scratch};
use half::bf16;

/// Rows of a panel of A.
const HIGH: usize = 6;
/// Registers across a panel of B, and their lanes.
const WIDE: usize = 4;
const LANES: usize = 16;
/// Rows and columns of a block of C.
const ROWS: usize = 8 * HIGH;
const COLS: usize = 4 * WIDE * LANES;
/// Pairs of steps summed in registers before they are added to C.
const PIECE: usize = 384;

/// The sums of a tile.
type Tile = [[f32; WIDE * LANES]; HIGH];

/// C (+)= A·B with rounded operands; sizes and slices are checked, and the processor has the instruction.
pub fn product<T: Rounds>(a: Mat<T>, b: Mat<T>, c: &mut [f32], finish: Finish<f32>) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    let (pairs, pieces) = (k.div_ceil(2), k.div_ceil(2 * PIECE));
    let a = Panels::pack(a, HIGH, HIGH);
    let b = Panels::pack(b.t(), WIDE * LANES, LANES);
    let (down, across) = (m.div_ceil(ROWS), n.div_ceil(COLS));
    let out = Pieces::new(c);
    parallel(down * across, elements([m, n, k]) / MACS, |block| {
        let (top, left) = (block % down * ROWS, block / down * COLS);
        let (bottom, right) = ((top + ROWS).min(m), (left + COLS).min(n));
        for piece in 0..pieces {
            let range = pairs * piece / pieces..pairs * (piece + 1) / pieces;
            let finish = Finish {
                add: finish.add || piece > 0,
                bias: finish.bias.filter(|_| piece + 1 == pieces),
                relu: finish.relu && piece + 1 == pieces,
            };
            for i in (top..bottom).step_by(HIGH) {
                for j in (left..right).step_by(WIDE * LANES) {
                    let mut tile = [[0.0; WIDE * LANES]; HIGH];
                    multiply(a.panel(i, range.clone()), b.panel(j, range.clone()), &mut tile);
                    let width = (right - j).min(WIDE * LANES);
                    for (i, sums) in (i..bottom.min(i + HIGH)).zip(&tile) {
                        // SAFETY: blocks cover disjoint parts of C's rows, and C is borrowed throughout.
                        let row = unsafe { out.get(i * n + j, width) };
                        let bias = finish.bias.map(|bias| &bias[j..j + width]);
                        vectorize(
                            #[inline(always)]
                            || {
                                add_row(row, &sums[..width], finish.add);
                                end_row(row, bias, finish.relu);
                            },
                        );
                    }
                }
            }
        }
    });
}

/// The sums of one tile, from a panel of A and one of B of as many pairs.
fn multiply(a: &[u32], b: &[u32], sums: &mut Tile) {
    let pairs = a.len() / HIGH;
    assert!(b.len() >= pairs * LANES && has_instruction());
    // SAFETY: the processor has the instruction.
    unsafe {
        match b.len() / (pairs * LANES) {
            1 => tile::<1>(a, b, sums),
            2 => tile::<2>(a, b, sums),
            3 => tile::<3>(a, b, sums),
            _ => tile::<WIDE>(a, b, sums),
        }
    }
}

fn has_instruction() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
}

#[target_feature(enable = "avx512f,avx512bf16")]
fn tile<const NV: usize>(a: &[u32], b: &[u32], sums: &mut Tile) {
    let mut acc = [[_mm512_setzero_ps(); NV]; HIGH];
    let (a, b) = (a.as_chunks::<HIGH>().0, b.as_chunks::<LANES>().0);
    for (rows, columns) in a.iter().zip(b.chunks_exact(NV)) {
        let mut y = [pairs_of(_mm512_setzero_si512()); NV];
        for v in 0..NV {
            // SAFETY: a chunk is as long as a register.
            y[v] = pairs_of(unsafe { _mm512_loadu_si512(columns[v].as_ptr().cast()) });
        }
        for i in 0..HIGH {
            let x = pairs_of(_mm512_set1_epi32(rows[i] as i32));
            for v in 0..NV {
                acc[i][v] = _mm512_dpbf16_ps(acc[i][v], x, y[v]);
            }
        }
    }
    for (acc, sums) in acc.iter().zip(sums) {
        for (acc, sums) in acc.iter().zip(sums.as_chunks_mut::<LANES>().0) {
            // SAFETY: a chunk is as long as a register.
            unsafe { _mm512_storeu_ps(sums.as_mut_ptr(), *acc) };
        }
    }
}

/// A register of pairs, for which there is no load of its own.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn pairs_of(register: __m512i) -> __m512bh {
    // SAFETY: both are 64 bytes, of which any are a value.
    unsafe { std::mem::transmute::<__m512i, __m512bh>(register) }
}

/// One operand, rounded and packed: panels of lanes (A's rows or B's columns), each by pairs of steps.
struct Panels {
    store: Scratch<u32>,
    lanes: usize,
    pairs: usize,
    /// Lanes of a panel; of the last as many as are left, padded with zeros to whole `unit`s.
    wide: usize,
    unit: usize,
}

/// Lanes and pairs that are read together, to be dealt out to panels. (16 pairs of 2048 rows of 1536 lost 5 % of the
/// product to reading so many rows in short pieces; 64 pairs are no better than 32.)
const STRIP: usize = 64;
const BLOCK: usize = 32;

impl Panels {
    fn pack<T: Rounds>(x: Mat<T>, wide: usize, unit: usize) -> Panels {
        let (lanes, pairs) = (x.rows, x.cols.div_ceil(2));
        let mut store = scratch(lanes.next_multiple_of(unit) * pairs);
        let strip = STRIP / wide * wide;
        // Some of the pairs of one strip each: enough to do for one thread, and enough pieces for many.
        let (strips, long) = (lanes.div_ceil(strip), 4 * BLOCK);
        let runs = pairs.div_ceil(long);
        let mut panels = Panels { store: scratch(0), lanes, pairs, wide, unit };
        let pieces = Pieces::new(&mut store);
        parallel(strips * runs, lanes * pairs, |task| {
            let (first, run) = (task / runs * strip, task % runs * long);
            let count = strip.min(lanes - first);
            vectorize(
                #[inline(always)]
                || {
                    for p in (run..pairs.min(run + long)).step_by(BLOCK) {
                        let mut block = [[0; STRIP]; BLOCK];
                        let taken = BLOCK.min(pairs - p);
                        read(&x, first..first + count, p..p + taken, &mut block);
                        for at in (first..first + count).step_by(wide) {
                            let width = panels.width(at);
                            // SAFETY: each task writes the pairs of its strip's panels, and no other does.
                            let to = unsafe { pieces.get(at * pairs + p * width, taken * width) };
                            for (to, line) in to.chunks_exact_mut(width).zip(&block) {
                                let from = &line[at - first..][..width];
                                to.iter_mut().zip(from).for_each(|(to, &pair)| *to = pair);
                            }
                        }
                    }
                },
            );
        });
        panels.store = store;
        panels
    }

    /// Lanes of the panel that begins at one.
    #[inline(always)]
    fn width(&self, lane: usize) -> usize {
        self.wide.min((self.lanes - lane).next_multiple_of(self.unit))
    }

    fn panel(&self, lane: usize, pairs: Range<usize>) -> &[u32] {
        let width = self.width(lane);
        &self.store[lane * self.pairs + pairs.start * width..][..pairs.len() * width]
    }
}

/// `block[p][l]` is pair `p` of lane `l`; what lies beyond the last step is 0.
#[inline(always)]
fn read<T: Rounds>(x: &Mat<T>, lanes: Range<usize>, pairs: Range<usize>, block: &mut [[u32; STRIP]; BLOCK]) {
    if x.row_stride == 1 {
        let zeros = [T::ZERO; STRIP];
        let step = |k: usize| match k < x.cols {
            true => &x.data[x.index(lanes.start, k) as usize..][..lanes.len()],
            false => &zeros[..lanes.len()],
        };
        for (line, p) in block.iter_mut().zip(pairs) {
            let both = step(2 * p).iter().zip(step(2 * p + 1));
            line.iter_mut().zip(both).for_each(|(to, (&early, &late))| *to = pair(early, late));
        }
    } else if x.col_stride == 1 && 2 * pairs.end <= x.cols {
        for (l, lane) in lanes.enumerate() {
            let steps = &x.data[x.index(lane, 2 * pairs.start) as usize..][..2 * pairs.len()];
            let both = steps.as_chunks::<2>().0;
            block.iter_mut().zip(both).for_each(|(line, &[early, late])| line[l] = pair(early, late));
        }
    } else {
        for (line, p) in block.iter_mut().zip(pairs) {
            for (to, lane) in line.iter_mut().zip(lanes.clone()) {
                let late = if 2 * p + 1 < x.cols { x.at(lane, 2 * p + 1) } else { T::ZERO };
                *to = pair(x.at(lane, 2 * p), late);
            }
        }
    }
}

#[inline(always)]
fn pair<T: Rounds>(early: T, late: T) -> u32 {
    early.bits() << 16 | late.bits()
}

/// What is taken as bf16: numbers that are rounded to it, and its own.
pub trait Rounds: Copy + Send + Sync {
    const ZERO: Self;
    /// The bits of the nearest bf16, in the lower half.
    fn bits(self) -> u32;
}

impl Rounds for f32 {
    const ZERO: f32 = 0.0;
    #[inline(always)]
    fn bits(self) -> u32 {
        bits(self)
    }
}

impl Rounds for bf16 {
    const ZERO: bf16 = bf16::ZERO;
    #[inline(always)]
    fn bits(self) -> u32 {
        self.to_bits() as u32
    }
}

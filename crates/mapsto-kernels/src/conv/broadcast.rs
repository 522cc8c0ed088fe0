//! The direct way with all channels of a point side by side: each input number is broadcast against registers of output
//! channels. It knows no "between" rows, strides cost it nothing, and its weights can be packed once and kept.
//!
//! Loop nest: images, parts of their output rows, parts of their channels (in parallel) › panels of output channels › runs
//! of at most [`POINTS`] outputs › pieces of at most [`STEPS`] terms › groups of outputs › terms. A piece of the weights and
//! the inputs of a group lie in L1.

//!
//! Measured on two cores of a Sapphire Rapids Xeon (multiply-adds in registers reach 370 GFLOP/s), one image, weights packed
//! before: 7 × 7 taps of stride 2, 3 → 64 channels of 224 × 224, 0.70 to 0.94 ms; 3 × 3 taps of stride 2, 64 → 128 channels of
//! 56 × 56, 0.45 ms (with planes and weights packed each time 1.33 ms); 512 channels of 7 × 7, 0.81 ms (1.79 ms). Sixteen
//! images, 64 → 128 of 56 × 56: 6.3 ms (7.2 ms); 256 → 512 of 14 × 14: 6.5 ms (8.8 ms).

use super::channels_last::{self, Finish};
use super::multiply::{Product, STEPS, panels};
use super::planes::MOST_PADDED;
use super::{ConvShape, Ending};
use crate::elements::elements;
use crate::gemm::lanes::{Kernel, Lanes, dispatch};
use crate::gemm::pack::{Strip, interleave};
use crate::threads::{Pieces, for_chunks, parallel};
use crate::workspace::{Scratch, scratch};
use std::ops::Range;

/// Outputs whose sums wait in L1 for the next piece of terms: 96 · 64 · 4 bytes are 24 KiB.
const POINTS: usize = 96;

/// Pieces whose sums are added one to another.
const MANY: usize = 64;

/// Bytes of packed weights from which blocks part the channels rather than the rows, so that each reads its own.
const MANY_WEIGHTS: usize = 1 << 20;

/// Terms below which turning the results back costs more than it brings: 1 → 32 channels of 64 images of 28 × 28, nine
/// terms, take 0.97 ms on one core, directly 0.59 ms.
const FEW_TERMS: usize = 24;

/// Whether this way is faster than the direct one: neighbouring columns of the kernel must lie side by side.
pub fn pays(s: &ConvShape) -> bool {
    s.groups == 1 && s.dilation[1] == 1 && s.taps() >= FEW_TERMS
}

/// The weights, `[panel, row, column, c_in, width]`, as [`forward`] wants them.
pub fn pack(s: &ConvShape, w: &[f32]) -> Scratch<f32> {
    let (_, width) = panels(s.c_out);
    let (terms, taps) = (s.taps(), s.kernel[0] * s.kernel[1]);
    let each = terms * width;
    let mut packed = scratch(s.c_out.div_ceil(width) * each);
    for_chunks(&mut packed, each, s.c_out * terms, |p, packed| {
        let (row, mut turned) = (p * width, scratch::<f32>(each));
        let strip = Strip { data: w, start: (row * terms) as isize, lane: terms as isize, step: 1 };
        interleave(&mut turned, width, width.min(s.c_out - row), terms, strip);
        // [c_in, tap, width] to [tap, c_in, width].
        for (i, to) in packed.chunks_exact_mut(width).enumerate() {
            let (tap, c) = (i / s.c_in, i % s.c_in);
            to.copy_from_slice(&turned[(c * taps + tap) * width..][..width]);
        }
    });
    packed
}

/// `y = ending(x ∗ w)` for packed weights; see [`conv2d`](super::conv2d).
pub fn forward(s: &ConvShape, x: &[f32], packed: &[f32], ending: &Ending<f32>, y: &mut [f32]) {
    let [oh, ow] = s.out();
    let (_, width) = panels(s.c_out);
    let wide = s.c_out.div_ceil(width);
    // Eight blocks or more, of whole rows and panels.
    let more = 8usize.div_ceil(s.n);
    let (rows, parts) = if size_of_val(packed) >= MANY_WEIGHTS {
        let parts = wide.min(more);
        (more.div_ceil(parts).min(oh), parts)
    } else {
        (more.min(oh), 1)
    };
    let out = Pieces::new(y);
    parallel(s.n * rows * parts, s.macs(), |block| {
        let (n, row, part) = (block / parts / rows, block / parts % rows, block % parts);
        // SAFETY: each block writes its own rows of its own channels.
        let finish = Finish { y: unsafe { out.at(0) }, ending: *ending, plane: oh * ow };
        dispatch(Block {
            s,
            x: &x[n * s.c_in * s.h * s.w..][..s.c_in * s.h * s.w],
            packed,
            n,
            rows: oh * row / rows..oh * (row + 1) / rows,
            panels: wide * part / parts..wide * (part + 1) / parts,
            finish,
        });
    });
}

/// Some output rows of one image, for some panels of channels.
struct Block<'a> {
    s: &'a ConvShape,
    x: &'a [f32],
    packed: &'a [f32],
    n: usize,
    rows: Range<usize>,
    panels: Range<usize>,
    finish: Finish<'a>,
}

impl Block<'_> {
    /// The input rows that the block needs, channels last, with the padding.
    fn unfold(&self, columns: usize) -> Scratch<f32> {
        let s = self.s;
        let c = s.c_in;
        let rows = (self.rows.len() - 1) * s.stride[0] + (s.kernel[0] - 1) * s.dilation[0] + 1;
        let padded = elements([rows, columns, c]);
        assert!(
            padded <= MOST_PADDED,
            "convolution: {c} padded channels of {rows} × {columns} are more than {MOST_PADDED} numbers"
        );
        let mut store = scratch::<f32>(padded);
        for (r, row) in store.chunks_exact_mut(columns * c).enumerate() {
            let y = (self.rows.start * s.stride[0] + r).wrapping_sub(s.padding[0]);
            if y >= s.h {
                row.fill(0.0);
                continue;
            }
            let (left, rest) = row.split_at_mut(s.padding[1].min(columns) * c);
            let (inside, right) = rest.split_at_mut(s.w.min(rest.len() / c) * c);
            left.fill(0.0);
            right.fill(0.0);
            let from = &self.x[y * s.w..];
            if c.is_multiple_of(16) {
                channels_last::gather(inside, c, from, s.h * s.w, c);
            } else {
                // No point is inside where all that the outputs read is padding.
                for i in 0..c.min(inside.len()) {
                    let from = &from[i * s.h * s.w..];
                    inside[i..].iter_mut().step_by(c).zip(from).for_each(|(to, &x)| *to = x);
                }
            }
        }
        store
    }
}

impl Kernel<f32> for Block<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = f32>>(self) {
        let s = self.s;
        let ([oh, ow], (_, width)) = (s.out(), panels(s.c_out));
        // Columns that outputs read: fewer than the padded image has, if the stride leaves some over.
        let columns = (ow - 1) * s.stride[1] + s.kernel[1];
        let store = self.unfold(columns);
        let outputs = self.rows.len() * ow;
        let mut starts = scratch::<usize>(outputs);
        for (p, start) in starts.iter_mut().enumerate() {
            *start = (p / ow * s.stride[0] * columns + p % ow * s.stride[1]) * s.c_in;
        }
        let starts: &[usize] = &starts;
        // A row of the kernel is one run of terms.
        let (steps, run) = (s.kernel[1] * s.c_in, s.dilation[0] * columns * s.c_in);
        let pieces = (s.kernel[0] * steps).div_ceil(STEPS + STEPS / 4);
        let at_once = s.kernel[0].div_ceil(pieces);
        let cuts = if at_once > 1 { 1 } else { steps.div_ceil(STEPS) };
        let mut sums = scratch::<f32>(POINTS.min(outputs) * width);
        // Of very many pieces: the sums of those before, since each addition is rounded.
        let long = s.kernel[0].div_ceil(at_once) * cuts > MANY;
        let mut before = scratch::<f32>(if long { sums.len() } else { 0 });
        let parts = outputs.div_ceil(POINTS);
        for panel in self.panels.clone() {
            let weights = &self.packed[panel * s.kernel[0] * steps * width..][..s.kernel[0] * steps * width];
            for part in 0..parts {
                let points = outputs * part / parts..outputs * (part + 1) / parts;
                let mut count = 0;
                before.fill(0.0);
                for first in (0..s.kernel[0]).step_by(at_once) {
                    for cut in 0..cuts {
                        if count == MANY {
                            before.iter_mut().zip(&*sums).for_each(|(y, &x)| *y += x);
                            count = 0;
                        }
                        let piece = steps * cut / cuts..steps * (cut + 1) / cuts;
                        // SAFETY: every output's runs of terms lie in `store`; weights and sums in their slices.
                        unsafe {
                            Product {
                                rows: points.len(),
                                runs: at_once.min(s.kernel[0] - first),
                                steps: piece.len(),
                                a: store.as_ptr().add(first * run + piece.start),
                                run,
                                step: 1,
                                b: weights.as_ptr().add((first * steps + piece.start) * width),
                                width,
                                c: sums.as_mut_ptr(),
                                add: count > 0,
                            }
                            .compute::<L>(
                                #[inline(always)]
                                |i| *starts.get_unchecked(points.start + i),
                            );
                        }
                        count += 1;
                    }
                }
                sums.iter_mut().zip(&*before).for_each(|(y, &x)| *y += x);
                let channels = panel * width..s.c_out.min((panel + 1) * width);
                let to = (self.n * s.c_out + channels.start) * oh * ow + self.rows.start * ow + points.start;
                // SAFETY: the sums hold these points; the outputs are this block's own.
                unsafe { self.finish.line(sums.as_ptr(), width, channels, points.len(), to) };
            }
        }
    }
}

//! The gradient of the weights: for each tap, the planes' shifted run times the output's gradient, summed over images.

use super::ConvShape;
use super::planes::Planes;
use crate::gemm::lanes::{Kernel, Lanes, TILE, dispatch};
use crate::gemm::pack::{Strip, interleave};
use crate::gemm::{Gemm, SERIAL, sizes};
use crate::simd::array;
use crate::threads::{Pieces, parallel};
use crate::workspace::scratch;

/// How many runs of how many images: the work is cut so, whatever the threads.
pub fn runs(s: &ConvShape, size: usize) -> (usize, usize) {
    let runs = (PARTIAL / size.max(1)).clamp(1, RUNS).min(s.n);
    let each = s.n.div_ceil(runs);
    (s.n.div_ceil(each), each)
}

/// Images are summed in at most this many runs, whose sums are then added in order.
const RUNS: usize = 16;
/// Outputs of one row that are added one to another; more than [`SERIAL`], so that such a row is taken alone.
pub const LONG: usize = 2 * SERIAL;
/// Elements that the runs' partial sums may take together.
const PARTIAL: usize = 1 << 22;

/// Loop nest: runs of images, groups, panels of output channels (in parallel) › images of the run › tiles of 8 taps ›
/// outputs. A panel of the gradient is transposed, so that a register holds one output's channels.
pub fn gradient<T: Gemm>(s: &ConvShape, x: &[T], g: &[T], dw: &mut [T]) {
    let ([oh, ow], (ci, co), taps) = (s.out(), s.per_group(), s.taps());
    let (_, lanes) = sizes::<T>();
    let outputs = oh * ow;
    let planes = Planes::of_input(s);
    let mut offsets = scratch::<usize>(taps);
    planes.offsets(s, &mut offsets);
    let offsets: &[usize] = &offsets;
    // Panels of equal width, of at most TILE registers.
    let registers = co.div_ceil(lanes);
    let width = registers.div_ceil(registers.div_ceil(TILE)) * lanes;
    let panels = co.div_ceil(width);
    let size = panels * s.groups * taps * width;
    let (runs, each) = runs(s, size);
    let mut partial = scratch::<T>(runs * size);
    let out = Pieces::new(&mut partial);
    parallel(runs * s.groups * panels, s.macs(), |block| {
        let (run, group, panel) = (block / panels / s.groups, block / panels % s.groups, block % panels);
        // SAFETY: each block has its own piece.
        let sums = unsafe { out.get(block * taps * width, taps * width) };
        sums.fill(T::default());
        let mut store = scratch::<T>(planes.len(ci));
        let mut gradients = scratch::<T>(outputs * width);
        let first = group * co + panel * width;
        for n in run * each..((run + 1) * each).min(s.n) {
            planes.fill(
                &mut store,
                &x[(n * s.c_in + group * ci) * s.h * s.w..][..ci * s.h * s.w],
                [s.h, s.w],
            );
            let start = ((n * s.c_out + first) * outputs) as isize;
            let strip = Strip { data: g, start, lane: outputs as isize, step: 1 };
            interleave(&mut gradients, width, width.min(co - panel * width), outputs, strip);
            dispatch(Correlate {
                planes: &store,
                plane_width: planes.size[1],
                offsets,
                gradients: &gradients,
                out: [oh, ow],
                width,
                sums,
            });
        }
    });
    // Add the runs, in order, and turn [tap, channel] into [channel, tap].
    let partial: &[T] = &partial;
    let out = Pieces::new(dw);
    parallel(s.groups * panels, runs * size, |block| {
        let (group, panel) = (block / panels, block % panels);
        let mut sum = scratch::<T>(taps * width);
        sum.copy_from_slice(&partial[block * taps * width..][..taps * width]);
        for run in 1..runs {
            let part = &partial[run * size + block * taps * width..][..taps * width];
            sum.iter_mut().zip(part).for_each(|(y, &x)| *y += x);
        }
        let channels = width.min(co - panel * width);
        // SAFETY: each (group, panel) has channels of its own.
        let dw = unsafe { out.get((group * co + panel * width) * taps, channels * taps) };
        interleave(dw, taps, taps, channels, Strip { data: &sum, start: 0, lane: width as isize, step: 1 });
    });
}

/// `sums[k, o] += Σ planes[offset(k) + position(p)] · gradients[p, o]` over one image's outputs p.
struct Correlate<'a, T> {
    planes: &'a [T],
    plane_width: usize,
    offsets: &'a [usize],
    gradients: &'a [T],
    out: [usize; 2],
    width: usize,
    sums: &'a mut [T],
}

impl<T: Gemm> Kernel<T> for Correlate<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(mut self) {
        let last = (self.out[0] - 1) * self.plane_width + self.out[1];
        assert!(self.offsets.iter().all(|o| o + last <= self.planes.len()));
        assert!(self.gradients.len() >= self.out[0] * self.out[1] * self.width);
        assert!(self.sums.len() >= self.offsets.len() * self.width);
        let taps = self.offsets.len();
        let mut k = 0;
        while k < taps {
            let left = taps - k;
            // SAFETY: the lengths were checked above.
            unsafe {
                let registers = self.width / L::N;
                if left == 1 {
                    match registers {
                        1 => self.taps::<L, 1, 1>(k, 1),
                        2 => self.taps::<L, 1, 2>(k, 1),
                        _ => self.taps::<L, 1, TILE>(k, 1),
                    }
                } else if L::MANY {
                    match registers {
                        1 => self.taps::<L, 8, 1>(k, left.min(8)),
                        2 => self.taps::<L, 8, 2>(k, left.min(8)),
                        _ => self.taps::<L, 8, TILE>(k, left.min(8)),
                    }
                } else {
                    match registers {
                        1 => self.taps::<L, 4, 1>(k, left.min(4)),
                        2 => self.taps::<L, 4, 2>(k, left.min(4)),
                        _ => self.taps::<L, 4, TILE>(k, left.min(4)),
                    }
                }
            }
            k += left.min(L::ROWS);
        }
    }
}

impl<T: Gemm> Correlate<'_, T> {
    /// `count ≤ MR` taps from `k`; the others repeat the last and are not stored.
    #[inline(always)]
    unsafe fn taps<L: Lanes<Elem = T>, const MR: usize, const NV: usize>(&mut self, k: usize, count: usize) {
        // SAFETY: `run` has checked every offset's reach and both panels' lengths; `width` is NV registers.
        unsafe {
            let x: [*const T; MR] = array(|i| self.planes.as_ptr().add(self.offsets[k + i.min(count - 1)]));
            let mut g = self.gradients.as_ptr();
            // Many rows in parts, and a long row too, so that no sum is rounded very often.
            let [oh, ow] = self.out;
            let rows = (SERIAL / ow).max(1);
            for first in (0..oh).step_by(rows) {
                for from in (0..ow).step_by(LONG) {
                    let to = ow.min(from + LONG);
                    let mut acc = [[L::splat(T::default()); NV]; MR];
                    for r in first..oh.min(first + rows) {
                        for q in r * self.plane_width + from..r * self.plane_width + to {
                            let mut row = [L::splat(T::default()); NV];
                            for v in 0..NV {
                                row[v] = L::load(g.add(v * L::N));
                            }
                            for i in 0..MR {
                                let x = L::splat(*x[i].add(q));
                                for v in 0..NV {
                                    acc[i][v] = acc[i][v].fma(x, row[v]);
                                }
                            }
                            g = g.add(NV * L::N);
                        }
                    }
                    for i in 0..MR {
                        if i >= count {
                            break;
                        }
                        for v in 0..NV {
                            let sum = self.sums.as_mut_ptr().add((k + i) * self.width + v * L::N);
                            acc[i][v].add(L::load(sum)).store(sum);
                        }
                    }
                }
            }
        }
    }
}

//! The gradient of the weights where taps or channels are few, as in a first layer or a depthwise one: dot products of
//! output rows with the planes' runs.
//!
//! Measured on two cores: 8 × 64 channels of 56 × 56, depthwise 3 × 3, 11.8 → 0.72 ms; the first layer 1 → 32 of 64 images of
//! 28 × 28, 0.45 → 0.33 ms.

use super::ConvShape;
use super::planes::Planes;
use super::weight::{LONG, runs};
use crate::gemm::lanes::{Kernel, Lanes, dispatch};
use crate::gemm::{Gemm, SERIAL, sizes};
use crate::simd::array;
use crate::threads::{Pieces, parallel};
use crate::workspace::scratch;

/// Whether this way is the faster: by multiply-adds of registers, and half a cycle for each number transposed there.
pub fn pays<T: Gemm>(s: &ConvShape) -> bool {
    let ([oh, ow], (_, co), taps, (high, lanes)) = (s.out(), s.per_group(), s.taps(), sizes::<T>());
    let here = oh * ow.div_ceil(lanes) * taps * co;
    let there = oh * ow * (taps.next_multiple_of(high) * co.div_ceil(lanes) + co);
    here < there
}

/// Loop nest: runs of images and groups (in parallel) › images of the run › pairs of channels › tiles of 8 taps › rows ›
/// registers along a row. A register of sums for each (channel, tap) is added up only when the run is done.
pub fn gradient<T: Gemm>(s: &ConvShape, x: &[T], g: &[T], dw: &mut [T]) {
    let ([oh, ow], (ci, co), taps) = (s.out(), s.per_group(), s.taps());
    let (_, lanes) = sizes::<T>();
    let planes = Planes::of_input(s);
    let mut offsets = scratch::<usize>(taps);
    planes.offsets(s, &mut offsets);
    let offsets: &[usize] = &offsets;
    let (runs, each) = runs(s, dw.len());
    let mut partial = scratch::<T>(runs * dw.len());
    let out = Pieces::new(&mut partial);
    parallel(runs * s.groups, s.macs(), |block| {
        let (run, group) = (block / s.groups, block % s.groups);
        let mut store = scratch::<T>(planes.len(ci));
        let mut sums = scratch::<T>(co * taps * lanes);
        sums.fill(T::default());
        for n in run * each..((run + 1) * each).min(s.n) {
            planes.fill(
                &mut store,
                &x[(n * s.c_in + group * ci) * s.h * s.w..][..ci * s.h * s.w],
                [s.h, s.w],
            );
            let gradients = &g[(n * s.c_out + group * co) * oh * ow..][..co * oh * ow];
            let (planes, plane_width) = (&store[..], planes.size[1]);
            dispatch(Dots { planes, plane_width, offsets, gradients, out: [oh, ow], sums: &mut sums });
        }
        // SAFETY: each block has its own piece.
        let total = unsafe { out.get(block * co * taps, co * taps) };
        dispatch(Total { sums: &sums, total });
    });
    dw.copy_from_slice(&partial[..dw.len()]);
    for part in partial.chunks_exact(dw.len()).skip(1) {
        dw.iter_mut().zip(part).for_each(|(y, &x)| *y += x);
    }
}

/// `sums[o, k] += Σ planes[offset(k) + position(p)] · gradients[o, p]`, a register each.
struct Dots<'a, T> {
    planes: &'a [T],
    plane_width: usize,
    offsets: &'a [usize],
    gradients: &'a [T],
    out: [usize; 2],
    sums: &'a mut [T],
}

impl<T: Gemm> Kernel<T> for Dots<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(mut self) {
        let outputs = self.out[0] * self.out[1];
        let last = (self.out[0] - 1) * self.plane_width + self.out[1];
        let channels = self.gradients.len() / outputs;
        assert!(self.offsets.iter().all(|o| o + last <= self.planes.len()));
        assert!(self.sums.len() >= self.offsets.len() * channels * L::N);
        for o in (0..channels).step_by(2) {
            for k in (0..self.offsets.len()).step_by(L::ROWS) {
                let taps = L::ROWS.min(self.offsets.len() - k);
                // SAFETY: the lengths were checked above.
                unsafe {
                    let one = channels - o == 1;
                    if taps == 1 {
                        if one { self.tile::<L, 1, 1>(o, k, taps) } else { self.tile::<L, 2, 1>(o, k, taps) }
                    } else if L::MANY {
                        if one { self.tile::<L, 1, 8>(o, k, taps) } else { self.tile::<L, 2, 8>(o, k, taps) }
                    } else {
                        if one { self.tile::<L, 1, 4>(o, k, taps) } else { self.tile::<L, 2, 4>(o, k, taps) }
                    }
                }
            }
        }
    }
}

impl<T: Gemm> Dots<'_, T> {
    /// `CO` channels from `o`, `taps ≤ MR` taps from `k`; the others repeat the last and are not stored.
    #[inline(always)]
    unsafe fn tile<L: Lanes<Elem = T>, const CO: usize, const MR: usize>(
        &mut self,
        o: usize,
        k: usize,
        taps: usize,
    ) {
        let [oh, ow] = self.out;
        // SAFETY: `run` has checked every offset's reach and the sums' length; the gradients have CO channels from `o`.
        unsafe {
            let x: [*const T; MR] = array(|i| self.planes.as_ptr().add(self.offsets[k + i.min(taps - 1)]));
            let g: [*const T; CO] = array(|c| self.gradients.as_ptr().add((o + c) * oh * ow));
            // Many rows in parts, and a long row too, so that no sum is rounded very often.
            let rows = (SERIAL / ow.div_ceil(L::N)).max(1);
            for first in (0..oh).step_by(rows) {
                for from in (0..ow).step_by(LONG * L::N) {
                    let to = ow.min(from + LONG * L::N);
                    let mut acc = [[L::splat(T::default()); MR]; CO];
                    for r in first..oh.min(first + rows) {
                        let mut column = from;
                        while column < to {
                            let (w, q) = (L::N.min(to - column), r * self.plane_width + column);
                            let mut row = [L::splat(T::default()); CO];
                            for c in 0..CO {
                                row[c] = L::load_first(g[c].add(r * ow + column), w);
                            }
                            for i in 0..MR {
                                // What lies beyond the row must not meet its zeros: it could be infinite.
                                let x = L::load_first(x[i].add(q), w);
                                for c in 0..CO {
                                    acc[c][i] = acc[c][i].fma(x, row[c]);
                                }
                            }
                            column += w;
                        }
                    }
                    for c in 0..CO {
                        for i in 0..MR {
                            if i < taps {
                                let at = ((o + c) * self.offsets.len() + k + i) * L::N;
                                let sum = self.sums.as_mut_ptr().add(at);
                                acc[c][i].add(L::load(sum)).store(sum);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Adds up each register of `sums`.
struct Total<'a, T> {
    sums: &'a [T],
    total: &'a mut [T],
}

impl<T: Gemm> Kernel<T> for Total<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) {
        for (y, register) in self.total.iter_mut().zip(self.sums.chunks_exact(L::N)) {
            // SAFETY: the chunk is as long as the register.
            *y = unsafe { L::load(register.as_ptr()).sum() };
        }
    }
}

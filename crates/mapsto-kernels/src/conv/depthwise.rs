//! Depthwise convolutions, each channel by a kernel of its own: a stencil over one padded plane at a time, which lies in L1.
//!
//! The padding is written once for many planes. A stride across splits a plane into one part for each phase, so that the
//! inputs of neighbouring outputs lie side by side; the gradient of the input is a stencil of stride 1 over the output's
//! gradient, with zeros where the stride stepped over.
//!
//! Loop nest: runs of planes (in parallel) › planes › groups of [`ROWS`] rows › registers along a row › taps.

use super::weight::runs;
use super::{ConvShape, Ending};
use crate::elements::elements;
use crate::gemm::SERIAL;
use crate::gemm::lanes::{Kernel, Lanes, dispatch};
use crate::simd::array;
use crate::threads::{Pieces, for_chunks, parallel};
use crate::workspace::scratch;

/// Output rows computed together, so that a tap is read once for them.
const ROWS: usize = 4;
/// Planes of one piece of work.
const PLANES: usize = 16;
/// Taps whose sums are kept in registers together in the gradient of the weights.
const TAPS: usize = 9;
/// Elements of a padded plane, beyond which the direct way's parts suit the cache better.
const MOST: usize = 1 << 15;

/// Whether this way covers a shape: one input and one output channel in a group, and no padding that the kernel cannot reach.
pub fn covers(s: &ConvShape) -> bool {
    let reach: [usize; 2] = std::array::from_fn(|d| (s.kernel[d] - 1).saturating_mul(s.dilation[d]));
    let inside = (0..2).all(|d| s.padding[d] <= reach[d]);
    let sides = [s.h, s.w, s.stride[1]].map(|side| side.saturating_add(reach[0].max(reach[1])));
    let some = s.h * s.w > 0;
    some && s.groups == s.c_in
        && s.c_in == s.c_out
        && inside
        && elements(sides) / sides[2] * 2 <= MOST
        && s.stride[1] <= 8
}

/// `y = ending(x ∗ w)`; see [`conv2d`](super::conv2d).
pub fn forward(s: &ConvShape, x: &[f32], w: &[f32], ending: &Ending<f32>, y: &mut [f32]) {
    let ([oh, ow], taps, size) = (s.out(), s.taps(), s.h * s.w);
    let plane = Plane::of_input(s);
    let offsets = plane.offsets(s, |i, j| (i, j));
    for_chunks(y, PLANES * oh * ow, x.len() + s.macs() / 8, |block, y| {
        let from = block * PLANES;
        let x = &x[from * size..][..y.len() / (oh * ow) * size];
        let (stride, out) = (s.stride[0], [oh, ow]);
        dispatch(Stencil {
            plane: &plane,
            x,
            w,
            taps,
            channel: from,
            channels: s.c_in,
            offsets: &offsets,
            stride,
            out,
            y,
        });
        if !ending.is_none() {
            for (i, y) in y.chunks_exact_mut(oh * ow).enumerate() {
                ending.plane(from + i, s.c_out, y);
            }
        }
    });
}

/// The gradient of the input; see [`conv2d_data`](super::conv2d_data).
pub fn data(s: &ConvShape, g: &[f32], w: &[f32], dx: &mut [f32]) {
    let ([oh, ow], taps, size) = (s.out(), s.taps(), s.h * s.w);
    let plane = Plane::of_gradient(s);
    // The taps turned around.
    let offsets = plane.offsets(s, |i, j| (s.kernel[0] - 1 - i, s.kernel[1] - 1 - j));
    for_chunks(dx, PLANES * size, g.len() + s.macs() / 8, |block, dx| {
        let from = block * PLANES;
        let x = &g[from * oh * ow..][..dx.len() / size * oh * ow];
        let out = [s.h, s.w];
        dispatch(Stencil {
            plane: &plane,
            x,
            w,
            taps,
            channel: from,
            channels: s.c_in,
            offsets: &offsets,
            stride: 1,
            out,
            y: dx,
        });
    });
}

/// The gradient of the weights; see [`conv2d_weight`](super::conv2d_weight).
pub fn weights(s: &ConvShape, x: &[f32], g: &[f32], dw: &mut [f32]) {
    let ([oh, ow], taps) = (s.out(), s.taps());
    let plane = Plane::of_input(s);
    let offsets = plane.offsets(s, |i, j| (i, j));
    let (runs, each) = runs(s, dw.len());
    let mut partial = scratch::<f32>(runs * dw.len());
    let out = Pieces::new(&mut partial);
    parallel(runs * s.c_in, x.len() + s.macs() / 8, |block| {
        let (run, channel) = (block / s.c_in, block % s.c_in);
        // SAFETY: each block has its own taps.
        let sums = unsafe { out.get(block * taps, taps) };
        let images = run * each..((run + 1) * each).min(s.n);
        let out = [oh, ow];
        dispatch(Dots {
            plane: &plane,
            x,
            g,
            images,
            channel,
            channels: s.c_in,
            stride: s.stride[0],
            offsets: &offsets,
            out,
            sums,
        });
    });
    dw.copy_from_slice(&partial[..dw.len()]);
    for part in partial.chunks_exact(dw.len()).skip(1) {
        dw.iter_mut().zip(part).for_each(|(y, &x)| *y += x);
    }
}

/// How a plane is copied: where the image begins among zeros, and how far apart its points lie.
struct Plane {
    /// The plane's rows and columns as it comes.
    size: [usize; 2],
    /// The row and the column of its first point.
    first: [usize; 2],
    /// Rows from one of its rows to the next, and columns.
    apart: [usize; 2],
    /// Parts into which the columns are split, and rows of one.
    phases: usize,
    rows: usize,
    /// Elements from one row to the next.
    pitch: usize,
}

impl Plane {
    fn of_input(s: &ConvShape) -> Plane {
        let [oh, ow] = s.out();
        let reach = |d: usize| (s.kernel[d] - 1) * s.dilation[d];
        let rows = ((oh - 1) * s.stride[0] + reach(0) + 1).max(s.padding[0] + s.h);
        let columns = (ow + reach(1) / s.stride[1]).max((s.padding[1] + s.w).div_ceil(s.stride[1]));
        Plane {
            size: [s.h, s.w],
            first: s.padding,
            apart: [1, 1],
            phases: s.stride[1],
            rows,
            pitch: columns.next_multiple_of(8),
        }
    }

    fn of_gradient(s: &ConvShape) -> Plane {
        let reach: [usize; 2] = std::array::from_fn(|d| (s.kernel[d] - 1) * s.dilation[d]);
        let first = std::array::from_fn(|d| reach[d] - s.padding[d]);
        let pitch = (s.w + reach[1]).next_multiple_of(8);
        Plane { size: s.out(), first, apart: s.stride, phases: 1, rows: s.h + reach[0], pitch }
    }

    /// Elements, with what registers may read beyond the last row.
    fn len(&self) -> usize {
        self.phases * self.rows * self.pitch + 16
    }

    /// Where output (0, 0) finds the input of each tap.
    fn offsets(&self, s: &ConvShape, tap: impl Fn(usize, usize) -> (usize, usize)) -> Vec<usize> {
        let taps = (0..s.kernel[0]).flat_map(|i| (0..s.kernel[1]).map(move |j| (i, j)));
        taps.map(|(i, j)| {
            let (i, j) = tap(i, j);
            let (row, column) = (i * s.dilation[0], j * s.dilation[1]);
            (column % self.phases * self.rows + row) * self.pitch + column / self.phases
        })
        .collect()
    }

    /// Copies one plane to where its points belong.
    #[inline(always)]
    unsafe fn fill<L: Lanes<Elem = f32>>(&self, x: &[f32], store: &mut [f32]) {
        let [_, w] = self.size;
        for (r, x) in x.chunks_exact(w).enumerate() {
            let row = (self.first[0] + r * self.apart[0]) * self.pitch;
            if self.phases == 1 && self.apart[1] == 1 {
                let to = &mut store[row + self.first[1]..][..w];
                for q in (0..w).step_by(L::N) {
                    // SAFETY: both rows have w elements.
                    unsafe {
                        let (from, to) = (x.as_ptr().add(q), to.as_mut_ptr().add(q));
                        if w - q >= L::N {
                            L::load(from).store(to)
                        } else {
                            L::load_first(from, w - q).store_first(to, w - q)
                        }
                    }
                }
            } else if self.phases == 1 {
                let to = store[row + self.first[1]..].iter_mut().step_by(self.apart[1]);
                to.zip(x).for_each(|(to, &x)| *to = x);
            } else {
                let mut done = 0;
                if self.phases == 2 {
                    // By whole registers: the plain loop below goes number by number.
                    let [even, odd] = [0, 1].map(|phase| self.place(row, phase));
                    for (i, x) in x.as_chunks::<8>().0.iter().enumerate() {
                        store[even + 4 * i..][..4].copy_from_slice(&array::<f32, 4>(|i| x[2 * i]));
                        store[odd + 4 * i..][..4].copy_from_slice(&array::<f32, 4>(|i| x[2 * i + 1]));
                    }
                    done = w / 8 * 8;
                }
                for (c, &x) in x.iter().enumerate().skip(done) {
                    store[self.place(row, c)] = x;
                }
            }
        }
    }

    /// Where column `c` of a row is copied to.
    #[inline(always)]
    fn place(&self, row: usize, c: usize) -> usize {
        let at = self.first[1] + c;
        at % self.phases * self.rows * self.pitch + row + at / self.phases
    }
}

/// `y[r, q] = Σₖ w[k] · plane[offset(k) + r·stride·pitch + q]` for some planes, whose channels follow one another.
struct Stencil<'a> {
    plane: &'a Plane,
    x: &'a [f32],
    w: &'a [f32],
    taps: usize,
    channel: usize,
    channels: usize,
    offsets: &'a [usize],
    stride: usize,
    out: [usize; 2],
    y: &'a mut [f32],
}

impl Kernel<f32> for Stencil<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = f32>>(self) {
        let Stencil { plane, x, w, taps, channel, channels, offsets, stride, out: [oh, ow], y } = self;
        let mut store = scratch::<f32>(plane.len());
        store.fill(0.0);
        let down = stride * plane.pitch;
        let reach = (oh - 1) * down + ow.next_multiple_of(L::N);
        assert!(offsets.len() == taps && offsets.iter().all(|o| o + reach <= store.len()));
        let size = plane.size[0] * plane.size[1];
        for (i, (x, y)) in x.chunks_exact(size).zip(y.chunks_exact_mut(oh * ow)).enumerate() {
            let w = &w[(channel + i) % channels * taps..][..taps];
            // SAFETY: this runs in the register's family.
            unsafe { plane.fill::<L>(x, &mut store) };
            for first in (0..oh).step_by(ROWS) {
                for q in (0..ow).step_by(L::N) {
                    // SAFETY: every tap's register lies in `store`, as asserted; the outputs are those of the row.
                    unsafe {
                        let at: [*const f32; ROWS] =
                            array(|r| store.as_ptr().add((first + r).min(oh - 1) * down + q));
                        let mut acc = [L::splat(0.0); ROWS];
                        for (&offset, &w) in offsets.iter().zip(w) {
                            let w = L::splat(w);
                            for r in 0..ROWS {
                                acc[r] = acc[r].fma(L::load(at[r].add(offset)), w);
                            }
                        }
                        for r in 0..ROWS {
                            if first + r < oh {
                                let to = y.as_mut_ptr().add((first + r) * ow + q);
                                if ow - q >= L::N { acc[r].store(to) } else { acc[r].store_first(to, ow - q) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `sums[k] = Σ plane[offset(k) + r·stride·pitch + q] · g[r, q]` over the planes of one channel.
struct Dots<'a> {
    plane: &'a Plane,
    x: &'a [f32],
    g: &'a [f32],
    images: std::ops::Range<usize>,
    channel: usize,
    channels: usize,
    stride: usize,
    offsets: &'a [usize],
    out: [usize; 2],
    sums: &'a mut [f32],
}

impl Kernel<f32> for Dots<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = f32>>(self) {
        let Dots { plane, x, g, images, channel, channels, stride, offsets, out: [oh, ow], sums } = self;
        let mut store = scratch::<f32>(plane.len());
        store.fill(0.0);
        let taps = offsets.len();
        let mut registers = scratch::<f32>(taps * L::N);
        registers.fill(0.0);
        let down = stride * plane.pitch;
        let reach = (oh - 1) * down + ow;
        assert!(sums.len() == taps && offsets.iter().all(|o| o + reach <= store.len()));
        let size = plane.size[0] * plane.size[1];
        // Many rows in parts, so that no sum is rounded very often.
        let rows = (SERIAL / ow.div_ceil(L::N)).max(1);
        for n in images {
            let at = n * channels + channel;
            let g = &g[at * oh * ow..][..oh * ow];
            // SAFETY: this runs in the register's family.
            unsafe { plane.fill::<L>(&x[at * size..][..size], &mut store) };
            for k in (0..taps).step_by(TAPS) {
                let count = TAPS.min(taps - k);
                for first in (0..oh).step_by(rows) {
                    // SAFETY: every tap's row lies in `store`, as asserted, and the registers of `count` taps in theirs.
                    unsafe {
                        let at: [*const f32; TAPS] =
                            array(|i| store.as_ptr().add(offsets[k + i.min(count - 1)]));
                        let mut acc = [L::splat(0.0); TAPS];
                        for r in first..oh.min(first + rows) {
                            for q in (0..ow).step_by(L::N) {
                                // What lies beyond the row must not meet its zeros: it could be infinite.
                                let there = L::N.min(ow - q);
                                let g = L::load_first(g.as_ptr().add(r * ow + q), there);
                                for i in 0..TAPS {
                                    acc[i] = acc[i].fma(L::load_first(at[i].add(r * down + q), there), g);
                                }
                            }
                        }
                        for i in 0..TAPS {
                            if i < count {
                                let sum = registers.as_mut_ptr().add((k + i) * L::N);
                                acc[i].add(L::load(sum)).store(sum);
                            }
                        }
                    }
                }
            }
        }
        for (y, register) in sums.iter_mut().zip(registers.chunks_exact(L::N)) {
            // SAFETY: the chunk is as long as the register.
            *y = unsafe { L::load(register.as_ptr()).sum() };
        }
    }
}

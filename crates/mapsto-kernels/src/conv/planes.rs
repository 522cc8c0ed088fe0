//! Padded copies of an image's channels in which each tap of a kernel is a run at a fixed offset.

use super::ConvShape;
use crate::elements::elements;
use crate::gemm::Gemm;

/// How channels are copied: for each phase one plane of `size`, whose (r, c) is the image's
/// `(r·step + origin, c·step + origin)` in each direction, or 0 outside the image.
pub struct Planes {
    pub size: [usize; 2],
    /// Elements from one plane to the next.
    stride: usize,
    step: [usize; 2],
    /// The image's row and column at each phase's (0, 0).
    origins: [Vec<isize>; 2],
}

impl Planes {
    /// The input's planes under the forward convolution: one for each phase of the stride that a tap falls on.
    pub fn of_input(s: &ConvShape) -> Planes {
        let out = s.out();
        let size = |d: usize| out[d] + (s.kernel[d] - 1) * s.dilation[d] / s.stride[d];
        let origins =
            |d: usize| phases(s, d).into_iter().map(|phase| phase as isize - s.padding[d] as isize).collect();
        let size = [size(0), size(1)];
        Planes { size, stride: apart(size), step: s.stride, origins: [origins(0), origins(1)] }
    }

    /// Where output (0, 0) finds its input for each tap (c, i, j), in that order.
    pub fn offsets(&self, s: &ConvShape, offsets: &mut [usize]) {
        let place = |d: usize, i: usize| {
            let (phase, shift) = (i * s.dilation[d] % s.stride[d], i * s.dilation[d] / s.stride[d]);
            let origin = phase as isize - s.padding[d] as isize;
            (self.origins[d].iter().position(|&o| o == origin).unwrap_or(0), shift)
        };
        let taps = s.kernel[0] * s.kernel[1];
        self.check(offsets.len() / taps);
        for (k, offset) in offsets.iter_mut().enumerate() {
            let ((a, y), (b, x)) = (place(0, k % taps / s.kernel[1]), place(1, k % s.kernel[1]));
            let plane = (k / taps * self.origins[0].len() + a) * self.origins[1].len() + b;
            *offset = plane * self.stride + y * self.size[1] + x;
        }
    }

    /// The output gradient's planes under one phase of the data gradient.
    pub fn of_gradient(rows: &Along, cols: &Along) -> Planes {
        let origins = [vec![rows.lowest], vec![cols.lowest]];
        let size = [rows.count + rows.reach, cols.count + cols.reach];
        Planes { size, stride: apart(size), step: [1, 1], origins }
    }

    /// Where the phase's input (0, 0) finds its output gradient for each (o, tap row, tap column), in that order.
    pub fn offsets_of_gradient(&self, rows: &Along, cols: &Along, offsets: &mut [usize]) {
        let taps = rows.taps.len() * cols.taps.len();
        self.check(offsets.len() / taps);
        for (k, offset) in offsets.iter_mut().enumerate() {
            let (i, j) = (k % taps / cols.taps.len(), k % cols.taps.len());
            let (y, x) = (rows.reach - rows.taps[i].1, cols.reach - cols.taps[j].1);
            *offset = k / taps * self.stride + y * self.size[1] + x;
        }
    }

    /// Panics unless the planes of some channels are of a size to be had: before places in them are counted.
    fn check(&self, channels: usize) {
        let [rows, cols] = self.size;
        assert!(
            self.len(channels) <= MOST_PADDED,
            "convolution: {channels} padded channels of {rows} × {cols} are more than {MOST_PADDED} numbers"
        );
    }

    /// Elements of the planes of some channels.
    pub fn len(&self, channels: usize) -> usize {
        elements([channels, self.origins[0].len(), self.origins[1].len(), self.stride])
    }

    /// Copies the channels of `x`, each of `h × w`, and zeros what follows the last plane (kernels read beyond it).
    pub fn fill<T: Gemm>(&self, store: &mut [T], x: &[T], [h, w]: [usize; 2]) {
        let [rows, cols] = self.size;
        let used = self.len(x.len() / (h * w));
        let (planes, slack) = store.split_at_mut(used);
        slack.fill(T::default());
        let mut planes = planes.chunks_exact_mut(self.stride);
        for channel in x.chunks_exact(h * w) {
            for &top in &self.origins[0] {
                for &left in &self.origins[1] {
                    let Some(plane) = planes.next() else { return };
                    // Columns whose source is inside the image.
                    let from = first_inside(left, self.step[1]).min(cols);
                    let to = first_beyond(left, self.step[1], w).clamp(from, cols);
                    for (r, row) in plane[..rows * cols].chunks_exact_mut(cols).enumerate() {
                        let y = top + (r * self.step[0]) as isize;
                        if y < 0 || y >= h as isize || from == to {
                            row.fill(T::default());
                            continue;
                        }
                        let start = y as usize * w + (left + (from * self.step[1]) as isize) as usize;
                        row[..from].fill(T::default());
                        row[to..].fill(T::default());
                        if self.step[1] == 1 {
                            row[from..to].copy_from_slice(&channel[start..start + to - from]);
                        } else {
                            let source = channel[start..].iter().step_by(self.step[1]);
                            row[from..to].iter_mut().zip(source).for_each(|(to, &x)| *to = x);
                        }
                    }
                }
            }
        }
    }
}

/// Numbers that an image's padded channels may have, a copy of which each thread keeps: 16 GiB of f32. Only padding and
/// dilation of a kind that nobody means get there, and memory that the system promised and has not ends the process.
pub const MOST_PADDED: usize = 1 << 32;

/// One direction of one phase of the data gradient: the inputs q with `q + padding = u·stride + phase`, and the taps
/// that reach them, each from the output `u - shift`.
pub struct Along {
    /// The first such input, and how many there are.
    pub first: usize,
    pub count: usize,
    /// (tap, shift).
    pub taps: Vec<(usize, usize)>,
    /// The largest shift.
    reach: usize,
    /// The first input's u, less `reach`: the lowest output read.
    lowest: isize,
}

impl Along {
    /// Direction `d` (0: rows, 1: columns) of phase `phase` of the stride.
    pub fn phase(s: &ConvShape, d: usize, phase: usize) -> Along {
        let (size, stride, padding) = ([s.h, s.w][d], s.stride[d], s.padding[d]);
        let u = first_inside(phase as isize - padding as isize, stride);
        let first = u * stride + phase - padding;
        let count = if first < size { (size - 1 - first) / stride + 1 } else { 0 };
        let reaches = |i: &usize| i * s.dilation[d] % stride == phase;
        let taps: Vec<_> =
            (0..s.kernel[d]).filter(reaches).map(|i| (i, i * s.dilation[d] / stride)).collect();
        let reach = taps.last().map_or(0, |t| t.1);
        Along { first, count, taps, reach, lowest: u as isize - reach as isize }
    }
}

/// The phases of the stride in direction `d` that a tap falls on, in order: as many as the kernel has taps at most, however
/// large the stride.
pub fn phases(s: &ConvShape, d: usize) -> Vec<usize> {
    let mut phases: Vec<usize> = (0..s.kernel[d]).map(|i| i * s.dilation[d] % s.stride[d]).collect();
    phases.sort_unstable();
    phases.dedup();
    phases
}

/// The distance of planes: an odd number of cache lines (of f32). Planes 1 KiB apart, as 14 × 14 padded would be, share a
/// quarter of the L1 cache's sets, and 64 of them evict one another.
fn apart(size: [usize; 2]) -> usize {
    (elements(size).div_ceil(16) | 1).saturating_mul(16)
}

/// The least `c` with `origin + c·step ≥ 0`.
fn first_inside(origin: isize, step: usize) -> usize {
    if origin < 0 { origin.unsigned_abs().div_ceil(step) } else { 0 }
}

/// The least `c` with `origin + c·step ≥ size`.
fn first_beyond(origin: isize, step: usize, size: usize) -> usize {
    (size as isize - origin).max(0).unsigned_abs().div_ceil(step)
}

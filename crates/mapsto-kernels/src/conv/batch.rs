//! The whole batch as one product: for small images, of which one alone fills no register, and for the gradients of
//! convolutions with a stride, whose phases have few taps each.
//!
//! Images are turned so that the batch lies innermost, `[c, h, w, n]`. The matrix of the convolution (im2col) is then made of
//! runs of at least n numbers, its columns are the outputs of all images, and the weights are read where they lie: with few
//! outputs, bringing them into another order takes longer than multiplying them. Taps that meet nothing but padding, as eight of
//! nine do on images of 1 × 1, are left out.
//!
//! Loop nest: runs of images, so that the matrix stays in the cache › turn › unfold or fold › one matrix product › turn back;
//! each of them in parallel.

use super::{ConvShape, Ending};
use crate::elements::elements;
use crate::gemm::pack::{Strip, interleave};
use crate::gemm::{Epilogue, Mat, Write, gemm};
use crate::simd::vectorize_light;
use crate::threads::for_chunks;
use crate::workspace::{Scratch, scratch};
use std::ops::Range;

/// Elements of the matrix of a run of images.
const MATRIX: usize = if cfg!(miri) { 1 << 8 } else { 1 << 22 };

/// Images that a run has at least: the width of a register's transposition.
const FEW: usize = 8;

/// Images that are turned back together.
const TURNED: usize = 16;

/// Whether this way covers a shape: enough images, all channels in one group, and no matrix that leaves the cache.
pub fn covers(s: &ConvShape) -> bool {
    let ([oh, ow], taps) = (s.out(), useful(s));
    let terms = elements([s.c_in, taps[0].len(), taps[1].len()]);
    s.groups == 1 && s.n >= FEW && terms > 0 && elements([terms, oh, ow, FEW]) <= MATRIX
}

/// `y = ending(x ∗ w)`; see [`conv2d`](super::conv2d).
pub fn forward(s: &ConvShape, x: &[f32], w: &[f32], ending: &Ending<f32>, y: &mut [f32]) {
    let b = Batch::of(s);
    let mut some = scratch(0);
    let w = b.useful_weights(w, &mut some);
    b.runs(|n| {
        let matrix = b.matrix(n.len(), &x[b.images(&n, s.c_in, b.size)]);
        let points = n.len() * b.outputs();
        let mut turned = scratch::<f32>(s.c_out * points);
        gemm(w, Mat::row_major(&matrix, b.terms, points), &mut turned, Write::Overwrite, Epilogue::none());
        b.turn_back(&turned, n.len(), b.outputs(), &mut y[b.images(&n, s.c_out, b.out)]);
    });
    if !ending.is_none() {
        ending.pass(y, s.c_out, b.outputs());
    }
}

/// The gradient of the input; see [`conv2d_data`](super::conv2d_data).
pub fn data(s: &ConvShape, g: &[f32], w: &[f32], dx: &mut [f32]) {
    let b = Batch::of(s);
    let mut some = scratch(0);
    let w = b.useful_weights(w, &mut some);
    b.runs(|n| {
        let points = n.len() * b.outputs();
        let turned = b.turn(&g[b.images(&n, s.c_out, b.out)], n.len(), b.outputs());
        let turned = Mat::row_major(&turned, s.c_out, points);
        let mut matrix = scratch::<f32>(b.terms * points);
        gemm(w.t(), turned, &mut matrix, Write::Overwrite, Epilogue::none());
        let dx = &mut dx[b.images(&n, s.c_in, b.size)];
        if b.pointwise {
            return b.turn_back(&matrix, n.len(), b.outputs(), dx);
        }
        let [h, width] = b.size;
        let mut sums = scratch::<f32>(dx.len());
        for_chunks(&mut sums, h * width * n.len(), matrix.len(), |c, sums| {
            b.fold(&matrix[c * b.taps() * points..][..b.taps() * points], n.len(), sums)
        });
        b.turn_back(&sums, n.len(), h * width, dx);
    });
}

/// The gradient of the weights; see [`conv2d_weight`](super::conv2d_weight).
pub fn weights(s: &ConvShape, x: &[f32], g: &[f32], dw: &mut [f32]) {
    let b = Batch::of(s);
    let all = s.taps() == b.terms;
    let mut some = scratch::<f32>(if all { 0 } else { s.c_out * b.terms });
    b.runs(|n| {
        let points = n.len() * b.outputs();
        let matrix = b.matrix(n.len(), &x[b.images(&n, s.c_in, b.size)]);
        let turned = b.turn(&g[b.images(&n, s.c_out, b.out)], n.len(), b.outputs());
        let write = if n.start == 0 { Write::Overwrite } else { Write::Add };
        let (g, x) = (Mat::row_major(&turned, s.c_out, points), Mat::row_major(&matrix, b.terms, points));
        gemm(g, x.t(), if all { &mut *dw } else { &mut some }, write, Epilogue::none());
    });
    if !all {
        let cost = dw.len();
        for_chunks(dw, s.taps(), cost, |o, dw| {
            dw.fill(0.0);
            b.each_useful(|at, i| dw[at] = some[o * b.terms + i]);
        });
    }
}

/// The taps, down and across, from the first to the last that meets the image for some output.
fn useful(s: &ConvShape) -> [Range<usize>; 2] {
    let out = s.out();
    std::array::from_fn(|d| {
        let mut meets = (0..s.kernel[d]).filter(|&i| !overlap(s, d, i, out[d]).is_empty());
        let first = meets.next().unwrap_or(0);
        first
            ..meets
                .next_back()
                .map_or(first + usize::from(!overlap(s, d, first, out[d]).is_empty()), |i| i + 1)
    })
}

/// The outputs of direction `d` whose tap `i` is inside the image.
fn overlap(s: &ConvShape, d: usize, i: usize, out: usize) -> Range<usize> {
    let (tap, stride, size) = (i * s.dilation[d], s.stride[d], [s.h, s.w][d]);
    let from = s.padding[d].saturating_sub(tap).div_ceil(stride).min(out);
    from..(s.padding[d] + size).saturating_sub(tap).div_ceil(stride).clamp(from, out)
}

struct Batch<'a> {
    s: &'a ConvShape,
    size: [usize; 2],
    out: [usize; 2],
    useful: [Range<usize>; 2],
    /// Rows of the matrix.
    terms: usize,
    /// Whether the matrix is the image itself; then the batch need not lie innermost.
    pointwise: bool,
}

impl<'a> Batch<'a> {
    fn of(s: &'a ConvShape) -> Batch<'a> {
        let useful = useful(s);
        let terms = s.c_in * useful[0].len() * useful[1].len();
        let pointwise = s.kernel == [1, 1] && s.stride == [1, 1] && s.padding == [0, 0];
        Batch { s, size: [s.h, s.w], out: s.out(), useful, terms, pointwise }
    }

    fn outputs(&self) -> usize {
        self.out[0] * self.out[1]
    }

    /// Taps of one channel.
    fn taps(&self) -> usize {
        self.useful[0].len() * self.useful[1].len()
    }

    /// Runs of images, by the shape alone.
    fn runs(&self, mut f: impl FnMut(Range<usize>)) {
        let most = (MATRIX / (self.terms * self.outputs())).max(FEW) / FEW * FEW;
        (0..self.s.n).step_by(most).for_each(|from| f(from..self.s.n.min(from + most)));
    }

    fn images(&self, n: &Range<usize>, channels: usize, [h, w]: [usize; 2]) -> Range<usize> {
        n.start * channels * h * w..n.end * channels * h * w
    }

    /// The useful weights, `[c_out, terms]`: as they are, or copied to `some`.
    fn useful_weights<'w>(&self, w: &'w [f32], some: &'w mut Scratch<f32>) -> Mat<'w, f32> {
        let (s, all) = (self.s, self.s.taps());
        if self.terms == all {
            return Mat::row_major(w, s.c_out, all);
        }
        *some = scratch(s.c_out * self.terms);
        for_chunks(some, self.terms, s.c_out * all, |o, some| {
            self.each_useful(|at, i| some[i] = w[o * all + at])
        });
        Mat::row_major(some, s.c_out, self.terms)
    }

    /// `f(index among all weights, index among the useful ones)` for one output channel.
    fn each_useful(&self, mut f: impl FnMut(usize, usize)) {
        let [kh, kw] = self.s.kernel;
        let mut count = 0;
        for channel in 0..self.s.c_in {
            for i in self.useful[0].clone() {
                for j in self.useful[1].clone() {
                    f((channel * kh + i) * kw + j, count);
                    count += 1;
                }
            }
        }
    }

    /// From `[n, c, plane]` to `[c, plane, n]`, or, pointwise, to `[c, n, plane]`.
    fn turn(&self, x: &[f32], n: usize, plane: usize) -> Scratch<f32> {
        let (mut turned, each) = (scratch::<f32>(x.len()), x.len() / n);
        if self.pointwise {
            for_chunks(&mut turned, n * plane, x.len(), |c, to| {
                for (i, to) in to.chunks_exact_mut(plane).enumerate() {
                    to.copy_from_slice(&x[i * each + c * plane..][..plane]);
                }
            });
            return turned;
        }
        let rows = each.div_ceil(TURNED).next_multiple_of(FEW);
        for_chunks(&mut turned, rows * n, x.len(), |block, to| {
            let strip = Strip { data: x, start: (block * rows) as isize, lane: each as isize, step: 1 };
            interleave(to, n, n, to.len() / n, strip);
        });
        turned
    }

    /// The inverse of [`turn`](Batch::turn).
    fn turn_back(&self, turned: &[f32], n: usize, plane: usize, y: &mut [f32]) {
        let each = y.len() / n;
        for_chunks(y, if self.pointwise { each } else { TURNED * each }, turned.len(), |block, y| {
            if self.pointwise {
                for (c, to) in y.chunks_exact_mut(plane).enumerate() {
                    to.copy_from_slice(&turned[(c * n + block) * plane..][..plane]);
                }
            } else {
                let strip =
                    Strip { data: turned, start: (block * TURNED) as isize, lane: n as isize, step: 1 };
                interleave(y, each, each, y.len() / each, strip);
            }
        });
    }

    /// `[c, tap, p, n] = x[n, c, p·stride + tap·dilation - padding]` of the useful taps, 0 in the padding.
    fn matrix(&self, n: usize, x: &[f32]) -> Scratch<f32> {
        let [h, w] = self.size;
        let turned = self.turn(x, n, h * w);
        if self.pointwise {
            return turned;
        }
        let each = self.outputs() * n;
        let mut matrix = scratch::<f32>(self.terms * each);
        let cost = matrix.len();
        for_chunks(&mut matrix, self.taps() * each, cost, |c, matrix| {
            let plane = &turned[c * h * w * n..][..h * w * n];
            vectorize_light(
                #[inline(always)]
                || {
                    self.each_row(n, |at, row| match row {
                        Some((from, inside)) => {
                            matrix[at.start..at.start + inside.start].fill(0.0);
                            matrix[at.start + inside.end..at.end].fill(0.0);
                            let to = &mut matrix[at.start + inside.start..at.start + inside.end];
                            match self.s.stride[1] {
                                1 => to.copy_from_slice(&plane[from..from + inside.len()]),
                                step => {
                                    let points = to.chunks_exact_mut(n).zip(plane[from..].chunks(step * n));
                                    for (to, x) in points {
                                        to.iter_mut().zip(x).for_each(|(to, &x)| *to = x);
                                    }
                                }
                            }
                        }
                        None => matrix[at].fill(0.0),
                    })
                },
            );
        });
        matrix
    }

    /// The adjoint of [`matrix`](Batch::matrix) for one channel: adds each element to the input it was read from.
    fn fold(&self, matrix: &[f32], n: usize, plane: &mut [f32]) {
        plane.fill(0.0);
        vectorize_light(
            #[inline(always)]
            || {
                self.each_row(n, |at, row| {
                    let Some((to, inside)) = row else { return };
                    let from = &matrix[at.start + inside.start..at.start + inside.end];
                    let points = from.chunks_exact(n).zip(plane[to..].chunks_mut(self.s.stride[1] * n));
                    for (g, to) in points {
                        to.iter_mut().zip(g).for_each(|(to, &g)| *to += g);
                    }
                })
            },
        );
    }

    /// For each row of outputs of each tap of a channel: where it lies in the matrix and, if it meets the image, where its first
    /// point inside is read and which part of the row is inside.
    #[inline(always)]
    fn each_row(&self, n: usize, mut f: impl FnMut(Range<usize>, Option<(usize, Range<usize>)>)) {
        let (s, [oh, ow]) = (self.s, self.out);
        let mut at = 0;
        for i in self.useful[0].clone() {
            let down = overlap(s, 0, i, oh);
            for j in self.useful[1].clone() {
                let across = overlap(s, 1, j, ow);
                for r in 0..oh {
                    let inside = (down.contains(&r) && !across.is_empty()).then(|| {
                        let y = r * s.stride[0] + i * s.dilation[0] - s.padding[0];
                        let x = across.start * s.stride[1] + j * s.dilation[1] - s.padding[1];
                        ((y * s.w + x) * n, across.start * n..across.end * n)
                    });
                    f(at..at + ow * n, inside);
                    at += ow * n;
                }
            }
        }
    }
}

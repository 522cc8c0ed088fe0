//! Two-dimensional pooling: the largest or the mean of each window, and both derivatives.

use crate::elements::elements;
use crate::gemm::Activation;
use crate::real::Float;
use crate::simd;
use crate::threads::{Pieces, for_chunks, parallel};

/// The sizes of a pooling: x is `[planes, h, w]`, y is `[planes, out…]`; a plane is one channel of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// Images × channels.
    pub planes: usize,
    /// Rows of a plane.
    pub h: usize,
    /// Columns of a plane.
    pub w: usize,
    /// Rows and columns of a window.
    pub kernel: [usize; 2],
    /// Rows and columns from one window to the next.
    pub stride: [usize; 2],
    /// Rows and columns by which the first windows reach out of the plane, at most half a window.
    pub padding: [usize; 2],
}

impl PoolShape {
    /// Rows and columns of the output: `(h + 2·padding - kernel) / stride + 1`.
    ///
    /// ```
    /// # use mapsto_kernels::pool::PoolShape;
    /// let s = PoolShape { planes: 64, h: 28, w: 28, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
    /// assert_eq!(s.out(), [14, 14]);
    /// ```
    ///
    /// # Panics
    /// If a window is larger than the padded plane or smaller than twice the padding, or a size or a stride is 0.
    pub fn out(&self) -> [usize; 2] {
        std::array::from_fn(|d| {
            let (size, k, s, p) = ([self.h, self.w][d], self.kernel[d], self.stride[d], self.padding[d]);
            assert!(s > 0 && k > 0, "pooling: a size 0 in {self:?}");
            assert!(p <= k / 2, "pooling: padding {p} is more than half the window {k}");
            assert!(size > 0, "pooling: {} × {} inputs are none", self.h, self.w);
            let padded = p.saturating_mul(2).saturating_add(size);
            assert!(
                padded <= isize::MAX as usize / 4,
                "pooling: {size} + 2·{p} inputs are too many to count"
            );
            assert!(k <= padded, "pooling: a window of {k} on {size} + 2·{p} inputs");
            (padded - k) / s + 1
        })
    }

    fn check(&self, x: usize, y: usize) -> [usize; 2] {
        let [oh, ow] = self.out();
        assert_eq!(x, elements([self.planes, self.h, self.w]), "pooling: elements of the input of {self:?}");
        assert_eq!(y, elements([self.planes, oh, ow]), "pooling: elements of the output of {self:?}");
        [oh, ow]
    }

    /// The part of output `i`'s window in direction `d` that lies in the plane.
    fn inside(&self, d: usize, i: usize) -> std::ops::Range<usize> {
        let (start, size) = (i * self.stride[d], [self.h, self.w][d]);
        start.saturating_sub(self.padding[d])..(start + self.kernel[d] - self.padding[d]).min(size)
    }

    /// For each row of outputs and each point of its windows, in order: `f(outputs, input of the first)` for those whose
    /// point lies in the plane; their inputs are a stride apart. So the inner loop is over outputs, not over a window.
    #[inline(always)]
    fn points(&self, [oh, ow]: [usize; 2], mut f: impl FnMut(std::ops::Range<usize>, usize)) {
        for p in 0..oh {
            for r in self.inside(0, p) {
                // The points that some output has in the plane: a window may be far wider.
                let last = (ow - 1) * self.stride[1];
                for j in self.padding[1].saturating_sub(last)..self.kernel[1].min(self.padding[1] + self.w) {
                    // Outputs q with padding ≤ q·stride + j < padding + w.
                    let from = self.padding[1].saturating_sub(j).div_ceil(self.stride[1]).min(ow);
                    let to =
                        (self.padding[1] + self.w).saturating_sub(j).div_ceil(self.stride[1]).clamp(from, ow);
                    if from < to {
                        f(
                            p * ow + from..p * ow + to,
                            r * self.w + from * self.stride[1] + j - self.padding[1],
                        );
                    }
                }
            }
        }
    }

    fn is_halving(&self) -> bool {
        (self.kernel, self.stride, self.padding) == ([2, 2], [2, 2], [0, 0])
    }
}

/// Planes handled by one block: enough that a block is worth telling a thread about.
fn planes_together(s: &PoolShape) -> usize {
    (16_384 / elements([s.h, s.w]).max(1)).max(1)
}

/// `y[p]` is the largest x of window p and `at[p]` its index `row · w + column` in its plane: the first if several are
/// equal, the first NaN if there is one. With a ReLU, `y[p]` is then 0 where it was less.
///
/// ```
/// # use mapsto_kernels::{gemm::Activation, pool::{PoolShape, max_pool2d}};
/// let s = PoolShape { planes: 1, h: 2, w: 4, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
/// let (mut y, mut at) = ([0.0f32; 2], [0; 2]);
/// max_pool2d(&s, &[1., 2., 3., 3., 4., 0., 3., 1.], Activation::None, &mut y, &mut at);
/// assert_eq!((y, at), ([4., 3.], [4, 2]));
/// ```
///
/// # Panics
/// If a slice's length is not that of the shape, or a plane has more than 2³¹ elements.
pub fn max_pool2d<T: Float>(s: &PoolShape, x: &[T], activation: Activation, y: &mut [T], at: &mut [i32]) {
    let [oh, ow] = s.check(x.len(), y.len());
    assert_eq!(at.len(), y.len(), "max_pool2d: positions for {} outputs", y.len());
    assert!(elements([s.h, s.w]) <= i32::MAX as usize, "max_pool2d: a plane of {} × {}", s.h, s.w);
    let (together, relu) = (planes_together(s), activation == Activation::Relu);
    let (ys, ats) = (Pieces::new(y), Pieces::new(at));
    parallel(s.planes.div_ceil(together), x.len(), |block| {
        for plane in block * together..((block + 1) * together).min(s.planes) {
            let x = &x[plane * s.h * s.w..][..s.h * s.w];
            // SAFETY: each plane is visited by one call.
            let y = unsafe { ys.get(plane * oh * ow, oh * ow) };
            // SAFETY: as above.
            let at = unsafe { ats.get(plane * oh * ow, oh * ow) };
            if s.is_halving() {
                halve(s.w, ow, x, relu, y, at)
            } else {
                largest(s, ow, x, y, at);
                if relu {
                    y.iter_mut().for_each(|y| *y = y.max(T::ZERO));
                }
            }
        }
    });
}

/// [`max_pool2d`] without the positions, for who wants no gradient: 64 planes of 112 × 112, windows of 3 × 3 and stride 2,
/// take 0.60 ms on one core instead of 3.5.
///
/// # Panics
/// If a slice's length is not that of the shape.
pub fn max_pool2d_values<T: Float>(s: &PoolShape, x: &[T], activation: Activation, y: &mut [T]) {
    let [oh, ow] = s.check(x.len(), y.len());
    let (together, relu) = (planes_together(s), activation == Activation::Relu);
    for_chunks(y, (together * oh * ow).max(1), x.len(), |block, y| {
        // The largest of each column of a row of windows, with the padding on both sides.
        let mut columns = vec![T::LOWEST; s.w + 2 * s.padding[1]];
        for (i, y) in y.chunks_exact_mut(oh * ow).enumerate() {
            let x = &x[(block * together + i) * s.h * s.w..][..s.h * s.w];
            simd::vectorize_light(
                #[inline(always)]
                || {
                    for (r, y) in y.chunks_exact_mut(ow).enumerate() {
                        let rows = s.inside(0, r);
                        let inside = &mut columns[s.padding[1]..][..s.w];
                        inside.copy_from_slice(&x[rows.start * s.w..][..s.w]);
                        for row in x[(rows.start + 1) * s.w..rows.end * s.w].chunks_exact(s.w) {
                            inside.iter_mut().zip(row).for_each(|(best, &x)| *best = larger(*best, x));
                        }
                        y.fill(T::LOWEST);
                        for j in 0..s.kernel[1] {
                            let from = &columns[j..];
                            match s.stride[1] {
                                1 => y.iter_mut().zip(from).for_each(|(y, &x)| *y = larger(*y, x)),
                                2 => {
                                    y.iter_mut().zip(from.chunks(2)).for_each(|(y, x)| *y = larger(*y, x[0]))
                                }
                                n => y
                                    .iter_mut()
                                    .zip(from.iter().step_by(n))
                                    .for_each(|(y, &x)| *y = larger(*y, x)),
                            }
                        }
                        if relu {
                            y.iter_mut().for_each(|y| *y = y.max(T::ZERO));
                        }
                    }
                },
            );
        }
    });
}

/// The gradient of the input of [`max_pool2d`]: each output's gradient goes to the input it came from; `dx` is
/// overwritten. With a ReLU it takes the outputs `y` besides: where they are not above 0, nothing passes.
///
/// For 2 × 2 windows, writing both rows once by comparing places with the maximum's lost to clearing and scattering: 2048
/// planes of 28 × 28 took 0.69 ms on one core instead of 0.43, 4096 of 14 × 14 0.60 instead of 0.16.
///
/// # Panics
/// If a slice's length is not that of the shape, or `at` points out of a plane.
pub fn max_pool2d_backward<T: Float>(s: &PoolShape, g: &[T], at: &[i32], y: Option<&[T]>, dx: &mut [T]) {
    let [oh, ow] = s.check(dx.len(), g.len());
    assert_eq!(at.len(), g.len(), "max_pool2d_backward: positions for {} outputs", g.len());
    assert!(y.is_none_or(|y| y.len() == g.len()), "max_pool2d_backward: outputs for {} gradients", g.len());
    let (together, size, outs) = (planes_together(s), s.h * s.w, oh * ow);
    for_chunks(dx, (together * size).max(1), s.planes * size, |block, dx| {
        let mut passed = vec![T::ZERO; if y.is_some() { outs } else { 0 }];
        for (i, dx) in dx.chunks_exact_mut(size).enumerate() {
            let range = (block * together + i) * outs..(block * together + i + 1) * outs;
            let (mut g, at) = (&g[range.clone()], &at[range.clone()]);
            if let Some(y) = y {
                // At NaN the gradient passes, so that it shows.
                for (p, (&g, &y)) in passed.iter_mut().zip(g.iter().zip(&y[range])) {
                    *p = T::select(y <= T::ZERO, T::ZERO, g);
                }
                g = &passed;
            }
            dx.fill(T::ZERO);
            g.iter().zip(at).for_each(|(&g, &at)| dx[at as usize] += g);
        }
    });
}

/// The one that a maximum keeps.
#[inline(always)]
fn larger<T: Float>(best: T, x: T) -> T {
    T::select(beats(x, best), x, best)
}

/// `y[p]` is the sum of window p over the kernel's size; the padding counts, as zeros.
///
/// ```
/// # use mapsto_kernels::pool::{PoolShape, avg_pool2d};
/// let s = PoolShape { planes: 1, h: 2, w: 4, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
/// let mut y = [0.0f32; 2];
/// avg_pool2d(&s, &[1., 2., 3., 4., 5., 6., 7., 8.], &mut y);
/// assert_eq!(y, [3.5, 5.5]);
/// ```
///
/// # Panics
/// If a slice's length is not that of the shape.
pub fn avg_pool2d<T: Float>(s: &PoolShape, x: &[T], y: &mut [T]) {
    let [oh, ow] = s.check(x.len(), y.len());
    let (together, share) = (planes_together(s), share(s));
    for_chunks(y, together * oh * ow, x.len(), |block, y| {
        for (i, y) in y.chunks_exact_mut(oh * ow).enumerate() {
            let x = &x[(block * together + i) * s.h * s.w..][..s.h * s.w];
            simd::vectorize_light(
                #[inline(always)]
                || {
                    if s.is_halving() {
                        return halve_mean(s.w, ow, x, y, share);
                    }
                    y.fill(T::ZERO);
                    s.points(
                        [oh, ow],
                        #[inline(always)]
                        |outs, first| add_strided(&mut y[outs], &x[first..], s.stride[1]),
                    );
                    y.iter_mut().for_each(|y| *y *= share);
                },
            );
        }
    });
}

/// Windows of 2 × 2 side by side: two rows of inputs become one of outputs.
#[inline(always)]
fn halve_mean<T: Float>(w: usize, ow: usize, x: &[T], y: &mut [T], share: T) {
    for (y, rows) in y.chunks_exact_mut(ow).zip(x.chunks_exact(2 * w)) {
        let (above, below) = rows.split_at(w);
        for ((y, a), b) in y.iter_mut().zip(above.chunks_exact(2)).zip(below.chunks_exact(2)) {
            *y = (a[0] + a[1] + b[0] + b[1]) * share;
        }
    }
}

/// The gradient of [`halve_mean`]; what the windows leave out stays as it is.
#[inline(always)]
fn halve_mean_backward<T: Float>(w: usize, ow: usize, g: &[T], dx: &mut [T], share: T) {
    for (g, rows) in g.chunks_exact(ow).zip(dx.chunks_exact_mut(2 * w)) {
        let (above, below) = rows.split_at_mut(w);
        for ((&g, a), b) in g.iter().zip(above.chunks_exact_mut(2)).zip(below.chunks_exact_mut(2)) {
            let each = g * share;
            (a[0], a[1], b[0], b[1]) = (each, each, each, each);
        }
    }
}

/// `y[i] += x[i·stride]`; the two most frequent strides are constants to the compiler.
#[inline(always)]
fn add_strided<T: Float>(y: &mut [T], x: &[T], stride: usize) {
    match stride {
        1 => y.iter_mut().zip(x).for_each(|(y, &x)| *y += x),
        2 => y.iter_mut().zip(x.chunks(2)).for_each(|(y, x)| *y += x[0]),
        _ => y.iter_mut().zip(x.iter().step_by(stride)).for_each(|(y, &x)| *y += x),
    }
}

/// The gradient of the input of [`avg_pool2d`]: each output's gradient is shared out over its window; `dx` is
/// overwritten.
///
/// # Panics
/// If a slice's length is not that of the shape.
pub fn avg_pool2d_backward<T: Float>(s: &PoolShape, g: &[T], dx: &mut [T]) {
    let [oh, ow] = s.check(dx.len(), g.len());
    let (together, share, size) = (planes_together(s), share(s), s.h * s.w);
    for_chunks(dx, (together * size).max(1), g.len() * s.kernel[0] * s.kernel[1], |block, dx| {
        for (i, dx) in dx.chunks_exact_mut(size).enumerate() {
            dx.fill(T::ZERO);
            let g = &g[(block * together + i) * oh * ow..][..oh * ow];
            simd::vectorize_light(
                #[inline(always)]
                || {
                    if s.is_halving() {
                        return halve_mean_backward(s.w, ow, g, dx, share);
                    }
                    s.points(
                        [oh, ow],
                        #[inline(always)]
                        |outs, first| {
                            let dx = &mut dx[first..];
                            match s.stride[1] {
                                1 => dx.iter_mut().zip(&g[outs]).for_each(|(d, &g)| *d += g * share),
                                2 => dx.chunks_mut(2).zip(&g[outs]).for_each(|(d, &g)| d[0] += g * share),
                                n => {
                                    dx.iter_mut().step_by(n).zip(&g[outs]).for_each(|(d, &g)| *d += g * share)
                                }
                            }
                        },
                    );
                },
            );
        }
    });
}

fn share<T: Float>(s: &PoolShape) -> T {
    T::ONE / T::from_f64((s.kernel[0] * s.kernel[1]) as f64)
}

/// Any window: the first largest, row by row.
fn largest<T: Float>(s: &PoolShape, ow: usize, x: &[T], y: &mut [T], at: &mut [i32]) {
    for (p, (y, at)) in y.iter_mut().zip(at).enumerate() {
        let (rows, cols) = (s.inside(0, p / ow), s.inside(1, p % ow));
        let first = rows.start * s.w + cols.start;
        (*y, *at) = (x[first], first as i32);
        for r in rows {
            for c in cols.clone() {
                if beats(x[r * s.w + c], *y) {
                    (*y, *at) = (x[r * s.w + c], (r * s.w + c) as i32);
                }
            }
        }
    }
}

/// Windows of 2 × 2 side by side, in runs of a fixed length that LLVM turns into registers (a loop over the columns of
/// a narrow plane would stay scalar); the last run overlaps the one before.
fn halve<T: Float>(w: usize, ow: usize, x: &[T], relu: bool, y: &mut [T], at: &mut [i32]) {
    simd::vectorize_light(|| {
        for (r, (y, at)) in y.chunks_exact_mut(ow).zip(at.chunks_exact_mut(ow)).enumerate() {
            let row = Row { x: &x[2 * r * w..][..2 * w], w, start: 2 * r * w };
            match ow {
                16.. => row.in_runs::<16>(y, at),
                8.. => row.in_runs::<8>(y, at),
                4.. => row.in_runs::<4>(y, at),
                _ => row.in_runs::<1>(y, at),
            }
            if relu {
                y.iter_mut().for_each(|y| *y = y.max(T::ZERO));
            }
        }
    });
}

/// Two rows of a plane, of `w` columns, from index `start`.
struct Row<'a, T> {
    x: &'a [T],
    w: usize,
    start: usize,
}

impl<T> Row<'_, T> {
    #[inline(always)]
    fn in_runs<const N: usize>(&self, y: &mut [T], at: &mut [i32])
    where
        T: Float,
    {
        let last = y.len() - N;
        let mut c = 0;
        loop {
            let (a, b) = (&self.x[2 * c..][..2 * N], &self.x[self.w + 2 * c..][..2 * N]);
            let (mut best, mut place) = ([T::ZERO; N], [0i32; N]);
            let first = (self.start + 2 * c) as i32;
            for i in 0..N {
                let left = first + 2 * i as i32;
                let above = beats(a[2 * i + 1], a[2 * i]);
                let (x, p) = (T::select(above, a[2 * i + 1], a[2 * i]), left + above as i32);
                let below = beats(b[2 * i + 1], b[2 * i]);
                let (z, q) = (T::select(below, b[2 * i + 1], b[2 * i]), left + self.w as i32 + below as i32);
                let lower = beats(z, x);
                best[i] = T::select(lower, z, x);
                place[i] = if lower { q } else { p };
            }
            y[c..c + N].copy_from_slice(&best);
            at[c..c + N].copy_from_slice(&place);
            if c == last {
                return;
            }
            c = (c + N).min(last);
        }
    }
}

/// Whether `x` takes the place of an earlier `best`: it is larger, or the first NaN.
#[inline(always)]
pub(crate) fn beats<T: Float>(x: T, best: T) -> bool {
    (x > best) | (x.is_nan() & !best.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    fn shapes() -> Vec<PoolShape> {
        let base = PoolShape { planes: 70, h: 28, w: 28, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
        vec![
            base,
            PoolShape { planes: 3, h: 7, w: 9, ..base },
            PoolShape { planes: 2, h: 8, w: 11, kernel: [3, 3], padding: [1, 1], ..base },
            PoolShape { h: 6, w: 5, kernel: [3, 2], stride: [1, 3], padding: [1, 0], ..base },
            PoolShape { planes: 2, h: 7, w: 7, kernel: [7, 7], ..base },
            PoolShape { planes: 0, ..base },
        ]
    }

    /// Numbers with many ties.
    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| (i * 7919 % 97 % 7) as f32 - 3.0).collect()
    }

    /// The inputs of each window, in order, as (index in x, index in its plane).
    fn windows(s: &PoolShape) -> Vec<Vec<(usize, i32)>> {
        let [oh, ow] = s.out();
        let mut all = Vec::new();
        for p in 0..s.planes * oh * ow {
            let (plane, r, c) = (p / (oh * ow), p / ow % oh, p % ow);
            let mut window = Vec::new();
            for i in 0..s.kernel[0] {
                for j in 0..s.kernel[1] {
                    let (y, x) = (r * s.stride[0] + i, c * s.stride[1] + j);
                    let (Some(y), Some(x)) = (y.checked_sub(s.padding[0]), x.checked_sub(s.padding[1]))
                    else {
                        continue;
                    };
                    if y < s.h && x < s.w {
                        window.push(((plane * s.h + y) * s.w + x, (y * s.w + x) as i32));
                    }
                }
            }
            all.push(window);
        }
        all
    }

    #[test]
    fn pooling_agrees_with_its_definition_on_any_number_of_threads_in_every_family() {
        for s in shapes() {
            let windows = windows(&s);
            let (x, g) = (numbers(s.planes * s.h * s.w), numbers(windows.len()));
            let size = (s.kernel[0] * s.kernel[1]) as f64;
            let (mut largest, mut first, mut mean) = (vec![], vec![], vec![]);
            let (mut dlargest, mut dmean) = (vec![0.0f64; x.len()], vec![0.0f64; x.len()]);
            let mut dpassed = dlargest.clone();
            for (window, &g) in windows.iter().zip(&g) {
                let max = window.iter().map(|w| x[w.0]).fold(f32::MIN, f32::max);
                let at = window.iter().find(|w| x[w.0] == max).unwrap();
                largest.push(max);
                first.push(at.1);
                dlargest[at.0] += g as f64;
                dpassed[at.0] += if max > 0.0 { g as f64 } else { 0.0 };
                mean.push(window.iter().map(|w| x[w.0] as f64).sum::<f64>() / size);
                window.iter().for_each(|w| dmean[w.0] += g as f64 / size);
            }
            let close = |a: &[f32], b: &[f64]| a.iter().zip(b).all(|(&a, b)| (a as f64 - b).abs() < 1e-5);
            for &isa in Isa::available() {
                for threads in [1, 2, 8] {
                    let (mut y, mut at) = (vec![f32::NAN; g.len()], vec![9; g.len()]);
                    let mut dx = vec![f32::NAN; x.len()];
                    with_isa(isa, || {
                        with_threads(threads, || {
                            max_pool2d(&s, &x, Activation::None, &mut y, &mut at);
                            assert_eq!((&y, &at), (&largest, &first), "{s:?}");
                            max_pool2d_backward(&s, &g, &at, None, &mut dx);
                            assert!(close(&dx, &dlargest), "{s:?}");
                            y.fill(f32::NAN);
                            max_pool2d_values(&s, &x, Activation::None, &mut y);
                            assert_eq!(y, largest, "{s:?}");
                            let relu: Vec<f32> = largest.iter().map(|y| y.max(0.0)).collect();
                            max_pool2d_values(&s, &x, Activation::Relu, &mut y);
                            assert_eq!(y, relu, "{s:?}");
                            max_pool2d(&s, &x, Activation::Relu, &mut y, &mut at);
                            assert_eq!((&y, &at), (&relu, &first), "{s:?}");
                            max_pool2d_backward(&s, &g, &at, Some(&y), &mut dx);
                            assert!(close(&dx, &dpassed), "{s:?}");
                            avg_pool2d(&s, &x, &mut y);
                            assert!(close(&y, &mean), "{s:?}");
                            avg_pool2d_backward(&s, &g, &mut dx);
                            assert!(close(&dx, &dmean), "{s:?}");
                        })
                    });
                }
            }
        }
    }

    #[test]
    fn the_first_nan_wins() {
        let s = PoolShape { planes: 1, h: 2, w: 4, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
        let x = [1.0, f64::NAN, f64::NEG_INFINITY, f64::NEG_INFINITY, f64::NAN, 9.0, f64::NAN, f64::INFINITY];
        for s in [s, PoolShape { stride: [1, 2], ..s }] {
            let (mut y, mut at) = ([0.0; 2], [0; 2]);
            max_pool2d_values(&s, &x, Activation::Relu, &mut y);
            assert!(y.iter().all(|y| y.is_nan()));
            max_pool2d(&s, &x, Activation::None, &mut y, &mut at);
            assert!(y.iter().all(|y| y.is_nan()));
            assert_eq!(at, [1, 6]);
        }
    }
}

//! The mean of each window, and the gradient that it shares out.

use super::{PoolShape, planes_together};
use crate::real::Float;
use crate::simd;
use crate::threads::for_chunks;

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
        // In f64, since a window may be a whole plane.
        let mut sums = vec![0.0; if s.is_halving() { 0 } else { oh * ow }];
        for (i, y) in y.chunks_exact_mut(oh * ow).enumerate() {
            let x = &x[(block * together + i) * s.h * s.w..][..s.h * s.w];
            simd::vectorize_light(
                #[inline(always)]
                || {
                    if s.is_halving() {
                        return halve_mean(s.w, ow, x, y, share);
                    }
                    sums.fill(0.0);
                    s.points(
                        [oh, ow],
                        #[inline(always)]
                        |outs, first| add_strided(&mut sums[outs], &x[first..], s.stride[1]),
                    );
                    let share = self::share::<f64>(s);
                    y.iter_mut().zip(&sums).for_each(|(y, &sum)| *y = T::from_f64(sum * share));
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
            // Each for itself: their sum may be infinite where the mean is not.
            *y = a[0] * share + a[1] * share + b[0] * share + b[1] * share;
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
fn add_strided<T: Float>(y: &mut [f64], x: &[T], stride: usize) {
    match stride {
        1 => y.iter_mut().zip(x).for_each(|(y, x)| *y += x.to_f64()),
        2 => y.iter_mut().zip(x.chunks(2)).for_each(|(y, x)| *y += x[0].to_f64()),
        _ => y.iter_mut().zip(x.iter().step_by(stride)).for_each(|(y, x)| *y += x.to_f64()),
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
        let mut sums = vec![0.0; if s.is_halving() { 0 } else { size }];
        for (i, dx) in dx.chunks_exact_mut(size).enumerate() {
            dx.fill(T::ZERO);
            let g = &g[(block * together + i) * oh * ow..][..oh * ow];
            simd::vectorize_light(
                #[inline(always)]
                || {
                    if s.is_halving() {
                        return halve_mean_backward(s.w, ow, g, dx, share);
                    }
                    sums.fill(0.0);
                    s.points(
                        [oh, ow],
                        #[inline(always)]
                        |outs, first| {
                            let (sums, g) = (&mut sums[first..], &g[outs]);
                            match s.stride[1] {
                                1 => sums.iter_mut().zip(g).for_each(|(d, g)| *d += g.to_f64()),
                                2 => sums.chunks_mut(2).zip(g).for_each(|(d, g)| d[0] += g.to_f64()),
                                n => sums.iter_mut().step_by(n).zip(g).for_each(|(d, g)| *d += g.to_f64()),
                            }
                        },
                    );
                    let share = self::share::<f64>(s);
                    dx.iter_mut().zip(&sums).for_each(|(d, &sum)| *d = T::from_f64(sum * share));
                },
            );
        }
    });
}

pub(super) fn share<T: Float>(s: &PoolShape) -> T {
    T::ONE / T::from_f64((s.kernel[0] * s.kernel[1]) as f64)
}

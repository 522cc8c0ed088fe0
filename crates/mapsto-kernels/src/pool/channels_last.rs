//! Pooling of images whose channels lie next to each other, `[n, h, w, c]`: the inner loop is over channels.

use super::largest::larger;
use super::{PoolShape, mean};
use crate::elements::elements;
use crate::gemm::Activation;
use crate::real::Float;
use crate::simd::vectorize_light;
use crate::threads::for_chunks;
use std::ops::Range;

/// [`max_pool2d_values`](super::max_pool2d_values) of `c` channels next to each other; `s.planes` is images × channels.
///
/// ```
/// # use mapsto_kernels::{gemm::Activation, pool::{PoolShape, max_pool2d_channels_last}};
/// let s = PoolShape { planes: 2, h: 1, w: 2, kernel: [1, 2], stride: [1, 1], padding: [0, 0] };
/// let mut y = [0.0f32; 2];
/// max_pool2d_channels_last(&s, 2, &[1., 5., 3., 4.], Activation::None, &mut y);
/// assert_eq!(y, [3., 5.]);
/// ```
///
/// # Panics
/// If a slice's length is not that of the shape, or `c` does not divide the planes.
pub fn max_pool2d_channels_last<T: Float>(
    s: &PoolShape,
    c: usize,
    x: &[T],
    activation: Activation,
    y: &mut [T],
) {
    let relu = activation == Activation::Relu;
    each_window(s, c, x, y, |x, [rows, columns], y| {
        y.fill(T::LOWEST);
        for r in rows {
            for x in x[(r * s.w + columns.start) * c..(r * s.w + columns.end) * c].chunks_exact(c) {
                vectorize_light(
                    #[inline(always)]
                    || y.iter_mut().zip(x).for_each(|(y, &x)| *y = larger(*y, x)),
                );
            }
        }
        if relu {
            y.iter_mut().for_each(|y| *y = y.max(T::ZERO));
        }
    });
}

/// [`avg_pool2d`](super::avg_pool2d) of `c` channels next to each other; `s.planes` is images × channels.
///
/// # Panics
/// As [`max_pool2d_channels_last`].
pub fn avg_pool2d_channels_last<T: Float>(s: &PoolShape, c: usize, x: &[T], y: &mut [T]) {
    let share = mean::share::<f64>(s);
    each_window(s, c, x, y, |x, [rows, columns], y| {
        let place = (rows.start * s.w + columns.start) * c;
        if s.is_halving() {
            let share = mean::share::<T>(s);
            let [a, b] = [place, place + s.w * c].map(|at| x[at..at + 2 * c].split_at(c));
            return vectorize_light(
                #[inline(always)]
                || {
                    for ((((y, &a0), &a1), &b0), &b1) in y.iter_mut().zip(a.0).zip(a.1).zip(b.0).zip(b.1) {
                        *y = a0 * share + a1 * share + b0 * share + b1 * share;
                    }
                },
            );
        }
        // In f64, since a window may be a whole plane; so many channels at a time.
        for (first, y) in (0..).step_by(SIDE).zip(y.chunks_mut(SIDE)) {
            let mut sums = [0.0; SIDE];
            for r in rows.clone() {
                for k in columns.clone() {
                    let x = &x[(r * s.w + k) * c + first..][..y.len()];
                    vectorize_light(
                        #[inline(always)]
                        || sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += x.to_f64()),
                    );
                }
            }
            y.iter_mut().zip(sums).for_each(|(y, sum)| *y = T::from_f64(sum * share));
        }
    });
}

/// Channels that are summed side by side.
const SIDE: usize = 64;
/// Elements read in a piece of work.
const BLOCK: usize = 1 << 14;

/// Calls `f(image, the window's rows and columns within it, y)` for each window, with the results of its channels.
fn each_window<T: Float>(
    s: &PoolShape,
    c: usize,
    x: &[T],
    y: &mut [T],
    f: impl Fn(&[T], [Range<usize>; 2], &mut [T]) + Sync,
) {
    let [oh, ow] = s.check(x.len(), y.len());
    if y.is_empty() {
        return;
    }
    assert!(c > 0 && s.planes.is_multiple_of(c), "pooling: {c} channels next to each other in {s:?}");
    let (row, image) = (ow * c, s.h * s.w * c);
    let together = (BLOCK / elements([row, s.kernel[0], s.kernel[1]])).max(1);
    for_chunks(y, together * row, x.len(), |block, y| {
        for (k, y) in y.chunks_exact_mut(row).enumerate() {
            let (n, p) = ((block * together + k) / oh, (block * together + k) % oh);
            for (q, y) in y.chunks_exact_mut(c).enumerate() {
                f(&x[n * image..][..image], [s.inside(0, p), s.inside(1, q)], y);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::{avg_pool2d, max_pool2d_values};
    use crate::threads::with_threads;

    #[test]
    fn as_planes_give_it() {
        let base = PoolShape { planes: 6, h: 8, w: 10, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
        for (s, c) in [
            (base, 3),
            (PoolShape { planes: 140, ..base }, 70),
            (PoolShape { kernel: [3, 3], padding: [1, 1], ..base }, 2),
            (PoolShape { kernel: [3, 2], stride: [1, 3], padding: [1, 0], ..base }, 6),
            (PoolShape { planes: 0, ..base }, 3),
        ] {
            let ([oh, ow], size) = (s.out(), s.h * s.w);
            let x: Vec<f32> = (0..s.planes * size).map(|i| (i * 7919 % 97) as f32 - 40.0).collect();
            let turned = |x: &[f32], size: usize| -> Vec<f32> {
                (0..x.len()).map(|i| x[(i / (size * c) * c + i % c) * size + i / c % size]).collect()
            };
            let last = turned(&x, size);
            let (mut want, mut y) = (vec![0.0; s.planes * oh * ow], vec![9.0; s.planes * oh * ow]);
            for threads in [1, 2, 8] {
                for activation in [Activation::None, Activation::Relu] {
                    max_pool2d_values(&s, &x, activation, &mut want);
                    with_threads(threads, || max_pool2d_channels_last(&s, c, &last, activation, &mut y));
                    assert_eq!(y, turned(&want, oh * ow), "{s:?}");
                }
                avg_pool2d(&s, &x, &mut want);
                with_threads(threads, || avg_pool2d_channels_last(&s, c, &last, &mut y));
                assert_eq!(y, turned(&want, oh * ow), "{s:?}");
            }
        }
    }
}

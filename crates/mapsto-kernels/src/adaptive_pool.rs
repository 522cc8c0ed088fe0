//! Adaptive pooling: the largest or the mean of windows that divide any plane into a given number of rows and columns,
//! and both derivatives.
//!
//! The loop nest: planes, rows of windows, rows of inputs, columns. What a row of windows has in each column is found first,
//! in vector registers; then each window takes its columns.

use crate::elements::elements;
use crate::pool::{add_at, beats, larger};
use crate::real::Float;
use crate::reduce;
use crate::simd::vectorize_light;
use crate::threads::{Pieces, for_chunks, parallel};
use std::ops::Range;

/// The sizes of an adaptive pooling: x is `[planes, h, w]`, y is `[planes, out…]`; a plane is one channel of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdaptivePoolShape {
    /// Images × channels.
    pub planes: usize,
    /// Rows of a plane.
    pub h: usize,
    /// Columns of a plane.
    pub w: usize,
    /// Rows and columns of windows.
    pub out: [usize; 2],
}

impl AdaptivePoolShape {
    /// The rows (`d = 0`) or columns (`d = 1`) of window `i` of `n = out[d]`: from `⌊i·size / n⌋` up to
    /// `⌈(i + 1)·size / n⌉`, so that windows differ by at most one and share an edge where `n` does not divide the size.
    ///
    /// ```
    /// # use mapsto_kernels::adaptive_pool::AdaptivePoolShape;
    /// let s = AdaptivePoolShape { planes: 1, h: 6, w: 5, out: [3, 3] };
    /// assert_eq!([0, 1, 2].map(|i| s.window(0, i)), [0..2, 2..4, 4..6]);
    /// assert_eq!([0, 1, 2].map(|i| s.window(1, i)), [0..2, 1..4, 3..5]);
    /// ```
    pub fn window(&self, d: usize, i: usize) -> Range<usize> {
        let (size, n) = ([self.h, self.w][d], self.out[d]);
        let (size, n) = (size as u128, n as u128);
        (i as u128 * size / n) as usize..((i as u128 + 1) * size).div_ceil(n) as usize
    }

    /// Elements of a plane of x and of y, after a check of both.
    fn check(&self, x: usize, y: usize) -> (usize, usize) {
        let (size, outs) = (elements([self.h, self.w]), elements(self.out));
        assert!(size > 0 && outs > 0, "adaptive pooling: a size 0 in {self:?}");
        assert_eq!(x, elements([self.planes, size]), "adaptive pooling: elements of the input of {self:?}");
        assert_eq!(y, elements([self.planes, outs]), "adaptive pooling: elements of the output of {self:?}");
        (size, outs)
    }

    /// Planes handled by one block: enough that a block is worth telling a thread about.
    fn together(&self) -> usize {
        (16_384 / elements([self.h, self.w])).max(1)
    }

    /// The rows of all windows, and their columns; of no planes there are none, however many windows they would have.
    fn windows(&self) -> [Vec<Range<usize>>; 2] {
        let count = |d: usize| if self.planes == 0 { 0 } else { self.out[d] };
        [0, 1].map(|d| (0..count(d)).map(|i| self.window(d, i)).collect())
    }
}

/// `y[p]` is the mean of window p. One window, the whole plane, is a sum over a row of memory.
///
/// ```
/// # use mapsto_kernels::adaptive_pool::{AdaptivePoolShape, adaptive_avg_pool2d};
/// let s = AdaptivePoolShape { planes: 1, h: 1, w: 5, out: [1, 3] };
/// let mut y = [0.0f32; 3];
/// adaptive_avg_pool2d(&s, &[1., 2., 3., 4., 6.], &mut y);
/// assert_eq!(y, [1.5, 3.0, 5.0]);
/// ```
///
/// # Panics
/// If a slice's length is not that of the shape, or a size of a plane is 0.
pub fn adaptive_avg_pool2d<T: Float>(s: &AdaptivePoolShape, x: &[T], y: &mut [T]) {
    let (size, outs) = s.check(x.len(), y.len());
    if outs == 1 {
        return reduce::mean(x, [s.planes, size, 1], y);
    }
    let [rows, columns] = s.windows();
    for_chunks(y, elements([s.together(), outs]), x.len(), |block, y| {
        let planes = x[block * s.together() * size..].chunks_exact(size);
        let mut sums = vec![0.0; s.w];
        for (x, y) in planes.zip(y.chunks_exact_mut(outs)) {
            for (rows, y) in rows.iter().zip(y.chunks_exact_mut(s.out[1])) {
                sums.fill(0.0);
                for x in x[rows.start * s.w..rows.end * s.w].chunks_exact(s.w) {
                    vectorize_light(
                        #[inline(always)]
                        || sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += x.to_f64()),
                    );
                }
                for (y, columns) in y.iter_mut().zip(&columns) {
                    let sum: f64 = sums[columns.clone()].iter().sum();
                    *y = T::from_f64(sum * share(rows, columns));
                }
            }
        }
    });
}

/// The gradient of the input of [`adaptive_avg_pool2d`]: each output's gradient is shared out over its window; `dx` is
/// overwritten.
///
/// # Panics
/// If a slice's length is not that of the shape, or a size of a plane is 0.
pub fn adaptive_avg_pool2d_backward<T: Float>(s: &AdaptivePoolShape, g: &[T], dx: &mut [T]) {
    let (size, outs) = s.check(dx.len(), g.len());
    let [rows, columns] = s.windows();
    for_chunks(dx, elements([s.together(), size]), elements([s.planes, size]), |block, dx| {
        let planes = g[block * s.together() * outs..].chunks_exact(outs);
        let (mut sums, mut each) = (vec![0.0; if outs == 1 { 0 } else { size }], vec![0.0; s.w]);
        for (g, dx) in planes.zip(dx.chunks_exact_mut(size)) {
            if outs == 1 {
                dx.fill(T::from_f64(g[0].to_f64() * share(&(0..s.h), &(0..s.w))));
                continue;
            }
            // In f64, since one input may lie in very many windows.
            sums.fill(0.0);
            for (rows, g) in rows.iter().zip(g.chunks_exact(s.out[1])) {
                each.fill(0.0);
                for (g, columns) in g.iter().zip(&columns) {
                    let g = g.to_f64() * share(rows, columns);
                    each[columns.clone()].iter_mut().for_each(|each| *each += g);
                }
                for sums in sums[rows.start * s.w..rows.end * s.w].chunks_exact_mut(s.w) {
                    sums.iter_mut().zip(&each).for_each(|(sum, each)| *sum += each);
                }
            }
            dx.iter_mut().zip(&sums).for_each(|(d, &sum)| *d = T::from_f64(sum));
        }
    });
}

/// `y[p]` is the largest x of window p and `at[p]` its index `row · w + column` in its plane: the first if several are
/// equal, the first NaN if there is one.
///
/// ```
/// # use mapsto_kernels::adaptive_pool::{AdaptivePoolShape, adaptive_max_pool2d};
/// let s = AdaptivePoolShape { planes: 1, h: 2, w: 3, out: [1, 2] };
/// let (mut y, mut at) = ([0.0f32; 2], [0; 2]);
/// adaptive_max_pool2d(&s, &[1., 5., 2., 4., 0., 3.], &mut y, &mut at);
/// assert_eq!((y, at), ([5., 5.], [1, 1]));
/// ```
///
/// # Panics
/// If a slice's length is not that of the shape, a size of a plane is 0, or a plane has more than 2³¹ elements.
pub fn adaptive_max_pool2d<T: Float>(s: &AdaptivePoolShape, x: &[T], y: &mut [T], at: &mut [i32]) {
    let (size, outs) = s.check(x.len(), y.len());
    assert_eq!(at.len(), y.len(), "adaptive_max_pool2d: positions for {} outputs", y.len());
    assert!(size <= i32::MAX as usize, "adaptive_max_pool2d: a plane of {} × {}", s.h, s.w);
    let together = s.together();
    let (ys, ats, [rows, columns]) = (Pieces::new(y), Pieces::new(at), s.windows());
    parallel(s.planes.div_ceil(together), x.len(), |block| {
        // The largest in each column of a row of windows, and its row.
        let (mut best, mut places) = (vec![T::ZERO; s.w], vec![0; s.w]);
        for plane in block * together..((block + 1) * together).min(s.planes) {
            let x = &x[plane * size..][..size];
            // SAFETY: each plane is visited by one call.
            let y = unsafe { ys.get(plane * outs, outs) };
            // SAFETY: as above.
            let at = unsafe { ats.get(plane * outs, outs) };
            for (i, rows) in rows.iter().enumerate() {
                let (y, at) = (&mut y[i * s.out[1]..][..s.out[1]], &mut at[i * s.out[1]..][..s.out[1]]);
                best.copy_from_slice(&x[rows.start * s.w..][..s.w]);
                places.fill(rows.start as i32);
                vectorize_light(
                    #[inline(always)]
                    || {
                        for row in rows.start + 1..rows.end {
                            let x = &x[row * s.w..][..s.w];
                            for ((best, place), &x) in best.iter_mut().zip(&mut places).zip(x) {
                                let better = beats(x, *best);
                                *best = T::select(better, x, *best);
                                *place = if better { row as i32 } else { *place };
                            }
                        }
                    },
                );
                for ((y, at), columns) in y.iter_mut().zip(at).zip(&columns) {
                    let (best, places) = (&best[columns.clone()], &places[columns.clone()]);
                    let most = best.iter().copied().reduce(larger).expect("a window has columns");
                    // Of equal ones, or of several NaN, the one in the first row.
                    let first = best.iter().zip(places).enumerate().filter(|(_, (x, _))| !beats(most, **x));
                    let (k, (_, row)) =
                        first.min_by_key(|(_, (_, row))| **row).expect("the largest is one of them");
                    (*y, *at) = (most, row * s.w as i32 + (columns.start + k) as i32);
                }
            }
        }
    });
}

/// The gradient of the input of [`adaptive_max_pool2d`]: each output's gradient goes to the input it came from; `dx` is
/// overwritten.
///
/// # Panics
/// If a slice's length is not that of the shape, or `at` points out of a plane.
pub fn adaptive_max_pool2d_backward<T: Float>(s: &AdaptivePoolShape, g: &[T], at: &[i32], dx: &mut [T]) {
    let (size, outs) = s.check(dx.len(), g.len());
    assert_eq!(at.len(), g.len(), "adaptive_max_pool2d_backward: positions for {} outputs", g.len());
    for_chunks(dx, elements([s.together(), size]), elements([s.planes, size]), |block, dx| {
        let first = block * s.together() * outs;
        let planes = g[first..].chunks_exact(outs).zip(at[first..].chunks_exact(outs));
        for ((g, at), dx) in planes.zip(dx.chunks_exact_mut(size)) {
            add_at(dx, g, at, outs);
        }
    });
}

fn share(rows: &Range<usize>, columns: &Range<usize>) -> f64 {
    1.0 / (rows.len() * columns.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::with_threads;

    /// Numbers with many ties.
    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| (i * 7919 % 97 % 7) as f32 - 3.0).collect()
    }

    #[test]
    fn adaptive_pooling_agrees_with_its_definition_on_any_number_of_threads() {
        for (planes, h, w, out) in [
            (600, 7, 7, [1, 1]),
            (70, 28, 27, [5, 4]),
            (3, 5, 4, [5, 4]),
            (2, 3, 2, [4, 7]),
            (0, 2, 2, [1, 1]),
        ] {
            let s = AdaptivePoolShape { planes, h, w, out };
            let (x, g) = (numbers(planes * h * w), numbers(planes * out[0] * out[1]));
            let (mut largest, mut first, mut mean) = (vec![], vec![], vec![]);
            let (mut dlargest, mut dmean) = (vec![0.0f64; x.len()], vec![0.0f64; x.len()]);
            for (p, &g) in g.iter().enumerate() {
                let (plane, i, j) = (p / (out[0] * out[1]), p / out[1] % out[0], p % out[1]);
                // Whether [r, r + 1) meets [i·h/n, (i + 1)·h/n): the rule without a division.
                let meets = |r: usize, i: usize, size: usize, n: usize| {
                    r * n < (i + 1) * size && (r + 1) * n > i * size
                };
                let window: Vec<usize> =
                    (0..h * w).filter(|q| meets(q / w, i, h, out[0]) && meets(q % w, j, w, out[1])).collect();
                let value = |q: usize| x[plane * h * w + q];
                let max = window.iter().map(|&q| value(q)).fold(f32::MIN, f32::max);
                let at = *window.iter().find(|&&q| value(q) == max).unwrap();
                largest.push(max);
                first.push(at as i32);
                dlargest[plane * h * w + at] += g as f64;
                let size = window.len() as f64;
                mean.push(window.iter().map(|&q| value(q) as f64).sum::<f64>() / size);
                window.iter().for_each(|q| dmean[plane * h * w + *q] += g as f64 / size);
            }
            let close = |a: &[f32], b: &[f64]| a.iter().zip(b).all(|(&a, b)| (a as f64 - b).abs() < 1e-5);
            for threads in [1, 2, 8] {
                let (mut y, mut at) = (vec![f32::NAN; g.len()], vec![9; g.len()]);
                let mut dx = vec![f32::NAN; x.len()];
                with_threads(threads, || {
                    adaptive_max_pool2d(&s, &x, &mut y, &mut at);
                    assert_eq!((&y, &at), (&largest, &first), "{s:?}");
                    adaptive_max_pool2d_backward(&s, &g, &at, &mut dx);
                    assert!(close(&dx, &dlargest), "{s:?}");
                    adaptive_avg_pool2d(&s, &x, &mut y);
                    assert!(close(&y, &mean), "{s:?}");
                    adaptive_avg_pool2d_backward(&s, &g, &mut dx);
                    assert!(close(&dx, &dmean), "{s:?}");
                });
            }
        }
    }
}

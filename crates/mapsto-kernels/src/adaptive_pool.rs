//! Adaptive pooling: the largest or the mean of windows that divide any plane into a given number of rows and columns,
//! and both derivatives: pooling by lists of windows.

use crate::elements::elements;
use crate::pool::{Divisors, Span, Spans, add_at, max_pool_spans, mean_pool_spans, mean_pool_spans_backward};
use crate::real::Float;
use crate::threads::for_chunks;
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

    /// The windows as lists, and how many places each has along each axis.
    fn spans(&self) -> (Spans, Divisors) {
        let of = |r: Range<usize>| Span { start: r.start, end: r.end, step: 1 };
        let along = |d: usize| -> Vec<Span> { (0..self.out[d]).map(|i| of(self.window(d, i))).collect() };
        let spans = [vec![of(0..1)], along(0), along(1)];
        let divisors = spans.each_ref().map(|spans| spans.iter().map(|span| span.end - span.start).collect());
        (Spans { planes: self.planes, size: [1, self.h, self.w], spans }, divisors)
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
    s.check(x.len(), y.len());
    if s.planes > 0 {
        let (spans, divisors) = s.spans();
        mean_pool_spans(&spans, &divisors, x, y);
    }
}

/// The gradient of the input of [`adaptive_avg_pool2d`]: each output's gradient is shared out over its window; `dx` is
/// overwritten.
///
/// # Panics
/// If a slice's length is not that of the shape, or a size of a plane is 0.
pub fn adaptive_avg_pool2d_backward<T: Float>(s: &AdaptivePoolShape, g: &[T], dx: &mut [T]) {
    s.check(dx.len(), g.len());
    if s.planes > 0 {
        let (spans, divisors) = s.spans();
        mean_pool_spans_backward(&spans, &divisors, g, dx);
    }
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
    s.check(x.len(), y.len());
    assert_eq!(at.len(), y.len(), "adaptive_max_pool2d: positions for {} outputs", y.len());
    if s.planes > 0 {
        max_pool_spans(&s.spans().0, x, y, at);
    }
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

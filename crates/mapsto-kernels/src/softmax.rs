//! Softmax, its logarithm and log-sum-exp along the middle axis of `[outer, n, inner]`, with their gradients.
//!
//! Every row is shifted by its maximum, so no exponential overflows. Some 4096 numbers are taken at a time, and each step is
//! a plain loop over them, so that LLVM fills whole registers: with maxima, exponentials and sums in one loop over tiles of 32
//! it took them two at a time. Rows of up to 32 numbers are turned on their side, 32 rows at a time, each in a lane of its
//! own (for 10 classes ten times faster: 2 µs instead of 27 for 128 rows).

mod columns;
mod short;

pub(crate) use short::{SHORT, exponentials_across, logs_across};

use crate::elements::elements;
use crate::real::{Float, Value};
use crate::reduce::fold::{Max, Steps, Sum};
use crate::simd::vectorize;
use crate::threads::for_chunks;
use crate::tiles::{LANES, sum_of, tiles1};
use short::short_rows;

/// `y[o, j, i] = e^(x[o, j, i]) / Σₖ e^(x[o, k, i])` for `dims = [outer, n, inner]`.
///
/// ```
/// let mut y = [0f32; 4];
/// mapsto_kernels::softmax::softmax(&[0.0, 3f32.ln(), 1000.0, 1000.0], [2, 2, 1], &mut y);
/// assert!((y[0] - 0.25).abs() < 1e-6 && y[3] == 0.5);
/// ```
///
/// # Panics
/// If `x` and `y` have not the elements of `dims` (also in every other function here).
pub fn softmax<T: Float>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    check(dims, x, y);
    let n = dims[1];
    if dims[2] > 1 {
        return columns::softmax(x, dims, y);
    }
    if n <= SHORT {
        return short_rows(
            x,
            n,
            y,
            #[inline(always)]
            |x, across, y| {
                let (_, mut sums) = exponentials_across(x, n, across);
                for l in 0..LANES {
                    sums[l] = sums[l].recip();
                }
                for (r, y) in y.chunks_exact_mut(n).enumerate() {
                    for j in 0..n {
                        y[j] = across[j][r] * sums[r];
                    }
                }
            },
        );
    }
    pieces(x.len(), n, y, |at, y| {
        let x = &x[at..][..y.len()];
        let (h, s) = (&mut [T::ZERO; MANY][..y.len() / n], &mut [T::ZERO; MANY][..y.len() / n]);
        maxima(x, n, h);
        exponentials(x, n, h, y);
        sums(y, n, s);
        vectorize(
            #[inline(always)]
            || {
                for (y, s) in y.chunks_exact_mut(n).zip(s) {
                    let scale = s.recip();
                    y.iter_mut().for_each(|y| *y *= scale);
                }
            },
        );
    });
}

/// The gradient through [`softmax`]: `dx = y (g − Σₖ gₖ yₖ)`.
///
/// ```
/// let mut dx = [0f32; 2];
/// mapsto_kernels::softmax::softmax_backward(&[0.25, 0.75], &[1.0, 0.0], [1, 2, 1], &mut dx);
/// assert_eq!(dx, [0.1875, -0.1875]);
/// ```
pub fn softmax_backward<T: Float>(y: &[T], g: &[T], dims: [usize; 3], dx: &mut [T]) {
    assert_eq!(g.len(), y.len(), "softmax: the gradient has not the elements of the result");
    check(dims, y, dx);
    let n = dims[1];
    if dims[2] > 1 {
        return columns::softmax_backward(y, g, dims, dx);
    }
    pieces(y.len(), n, dx, |at, dx| {
        let (y, g) = (&y[at..][..dx.len()], &g[at..][..dx.len()]);
        let (top, dots) = (&mut [T::ZERO; MANY][..dx.len() / n], &mut [T::ZERO; MANY][..dx.len() / n]);
        vectorize(
            #[inline(always)]
            || dx.iter_mut().zip(y).zip(g).for_each(|((dx, &y), &g)| *dx = y * g),
        );
        sums(dx, n, dots);
        maxima(y, n, top);
        vectorize(
            #[inline(always)]
            || {
                let rows = dx.chunks_exact_mut(n).zip(y.chunks_exact(n)).zip(g.chunks_exact(n));
                for (((dx, y), g), &dot) in rows.zip(&*dots) {
                    dx.iter_mut().zip(y).zip(g).for_each(|((dx, &y), &g)| *dx = y * (g - dot));
                }
            },
        );
        for (r, _) in top.iter().enumerate().filter(|(_, top)| **top >= T::from_f64(MOST)) {
            if let Some((j, corrected)) = correct_softmax(y, g, Line { first: r * n, step: 1, n }) {
                dx[r * n + j] = corrected;
            }
        }
    });
}

/// Elements that are normalised together.
#[derive(Clone, Copy)]
struct Line {
    first: usize,
    step: usize,
    n: usize,
}
impl Line {
    fn places(self) -> impl Iterator<Item = usize> {
        (0..self.n).map(move |j| self.first + j * self.step)
    }
}

/// What is all but 1 has `g − dot` cancelled: there it is the sum of its differences from the others. Its place and `dx`.
fn correct_softmax<T: Float>(y: &[T], g: &[T], line: Line) -> Option<(usize, T)> {
    let (j, top) = line.places().enumerate().find(|(_, at)| y[*at] >= T::from_f64(MOST))?;
    let others = line.places().filter(|&at| at != top);
    Some((j, y[top] * T::from_f64(others.fold(0.0, |sum, at| sum + (y[at] * (g[top] - g[at])).to_f64()))))
}

/// `y[o, j, i] = x[o, j, i] − ln Σₖ e^(x[o, k, i])` for `dims = [outer, n, inner]`.
///
/// ```
/// let mut y = [0f64; 2];
/// mapsto_kernels::softmax::log_softmax(&[0.0, 3f64.ln()], [1, 2, 1], &mut y);
/// assert!((y[0] - 0.25f64.ln()).abs() < 1e-15);
/// ```
pub fn log_softmax<T: Float>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    check(dims, x, y);
    let n = dims[1];
    if dims[2] > 1 {
        return columns::log_softmax(x, dims, y);
    }
    if n <= SHORT {
        return short_rows(
            x,
            n,
            y,
            #[inline(always)]
            |x, across, y| {
                let (highest, _) = exponentials_across(x, n, across);
                let logs = logs_across(&across[..n]);
                for (r, (x, y)) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)).enumerate() {
                    for j in 0..n {
                        y[j] = (x[j] - highest[r]) - logs[r];
                    }
                }
            },
        );
    }
    pieces(x.len(), n, y, |at, y| {
        let x = &x[at..][..y.len()];
        let (h, s) = (&mut [T::ZERO; MANY][..y.len() / n], &mut [T::ZERO; MANY][..y.len() / n]);
        maxima(x, n, h);
        exponentials(x, n, h, y);
        sums(y, n, s);
        logs_of_sums(x, n, h, s);
        vectorize(
            #[inline(always)]
            || {
                let rows = y.chunks_exact_mut(n).zip(x.chunks_exact(n));
                for ((y, x), (&h, &log)) in rows.zip(h.iter().zip(&*s)) {
                    y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - h) - log);
                }
            },
        );
    });
}

/// The gradient through [`log_softmax`]: `dx = g − e^y Σₖ gₖ`.
///
/// ```
/// let (y, mut dx) = ([0.25f64.ln(), 0.75f64.ln()], [0.0; 2]);
/// mapsto_kernels::softmax::log_softmax_backward(&y, &[1.0, 0.0], [1, 2, 1], &mut dx);
/// assert!((dx[0] - 0.75).abs() < 1e-15);
/// ```
pub fn log_softmax_backward<T: Float>(y: &[T], g: &[T], dims: [usize; 3], dx: &mut [T]) {
    assert_eq!(g.len(), y.len(), "log_softmax: the gradient has not the elements of the result");
    check(dims, y, dx);
    let n = dims[1];
    if dims[2] > 1 {
        return columns::log_softmax_backward(y, g, dims, dx);
    }
    pieces(y.len(), n, dx, |at, dx| {
        let (y, g) = (&y[at..][..dx.len()], &g[at..][..dx.len()]);
        let (top, s) = (&mut [T::ZERO; MANY][..dx.len() / n], &mut [T::ZERO; MANY][..dx.len() / n]);
        maxima(y, n, top);
        sums(g, n, s);
        // The exponential that runs here is of numbers, not of NaN.
        s.iter_mut().zip(&*top).filter(|(_, top)| Value::is_nan(**top)).for_each(|(s, _)| *s = T::NAN);
        vectorize(
            #[inline(always)]
            || {
                dx.iter_mut().zip(y).for_each(|(dx, y)| *dx = y.exp_of_negative());
                for ((dx, g), &s) in dx.chunks_exact_mut(n).zip(g.chunks_exact(n)).zip(&*s) {
                    dx.iter_mut().zip(g).for_each(|(dx, &g)| *dx = g - *dx * s);
                }
            },
        );
        for (r, _) in top.iter().enumerate().filter(|(_, top)| **top > T::from_f64(MOST.ln())) {
            if let Some((j, corrected)) = correct_log_softmax(y, g, Line { first: r * n, step: 1, n }) {
                dx[r * n + j] = corrected;
            }
        }
    });
}

/// Where a probability is all but 1, the difference cancels: g − e^y Σ g = −g (e^y − 1) − e^y Σ of the others.
fn correct_log_softmax<T: Float>(y: &[T], g: &[T], line: Line) -> Option<(usize, T)> {
    let (j, top) = line.places().enumerate().find(|(_, at)| y[*at] > T::from_f64(MOST.ln()))?;
    let others = line.places().filter(|&at| at != top).fold(0.0, |sum, at| sum + g[at].to_f64());
    Some((j, -(g[top] * y[top].exp_m1()) - y[top].exp() * T::from_f64(others)))
}

/// `y[o, i] = ln Σₖ e^(x[o, k, i])` for `dims = [outer, n, inner]`; `-inf` where `n` is 0. Its gradient is the softmax.
///
/// ```
/// let mut y = [0f32; 1];
/// mapsto_kernels::softmax::logsumexp(&[1000.0, 1000.0], [1, 2, 1], &mut y);
/// assert_eq!(y[0], 1000.0 + 2f32.ln());
/// ```
///
/// # Panics
/// If `x` has not the elements of `dims`, or `y` not those of `[outer, inner]`.
pub fn logsumexp<T: Float>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    let [outer, n, inner] = dims;
    assert_eq!(x.len(), elements([outer, n, inner]), "logsumexp: x has not the elements of {dims:?}");
    assert_eq!(y.len(), elements([outer, inner]), "logsumexp: y has not the elements of [{outer}, {inner}]");
    if n == 0 {
        return y.fill(T::LOWEST);
    }
    if inner > 1 {
        return columns::logsumexp(x, dims, y);
    }
    let group = (BLOCK / n).clamp(1, MANY);
    for_chunks(y, group, COST * x.len(), |i, y| {
        let x = &x[i * group * n..][..y.len() * n];
        if n <= SHORT {
            return vectorize(
                #[inline(always)]
                || {
                    let mut across = [[T::ZERO; LANES]; SHORT];
                    for (x, y) in x.chunks(n * LANES).zip(y.chunks_mut(LANES)) {
                        let (highest, _) = exponentials_across(x, n, &mut across);
                        let logs = logs_across(&across[..n]);
                        for r in 0..y.len() {
                            y[r] = shifted(highest[r], logs[r]);
                        }
                    }
                },
            );
        }
        let (h, mut room) = (&mut [T::ZERO; MANY][..y.len()], [T::ZERO; BLOCK]);
        maxima(x, n, h);
        if n <= BLOCK {
            exponentials(x, n, h, &mut room[..x.len()]);
            sums(&room[..x.len()], n, y);
        } else {
            let mut sum = 0.0;
            for x in x.chunks(BLOCK) {
                let (room, mut part) = (&mut room[..x.len()], [T::ZERO]);
                exponentials(x, x.len(), h, room);
                sums(room, x.len(), &mut part);
                sum += part[0].to_f64();
            }
            y[0] = T::from_f64(sum);
        }
        logs_of_sums(x, n, h, y);
        y.iter_mut().zip(&*h).for_each(|(y, &h)| *y = shifted(h, *y));
    });
}

/// A maximum and the logarithm of the sum beside it. An infinite maximum is the result; shifting by it gave NaN.
#[inline(always)]
fn shifted<T: Float>(h: T, log: T) -> T {
    if h.abs() == T::INFINITY { h } else { h + log }
}

fn check<T>(dims: [usize; 3], x: &[T], y: &[T]) {
    assert_eq!(x.len(), y.len(), "softmax: the slices differ in length");
    assert_eq!(x.len(), elements(dims), "softmax: {} elements are not those of {dims:?}", x.len());
}

/// Elements in a piece of work, and what one costs beside an addition.
pub(crate) const BLOCK: usize = 4096;
pub(crate) const COST: usize = 8;

/// The most rows in a piece.
const MANY: usize = 128;

/// Calls `f(start, piece of y)` for pieces of some 4096 elements in whole rows of `n`.
fn pieces<T: Float>(len: usize, n: usize, y: &mut [T], f: impl Fn(usize, &mut [T]) + Sync) {
    if len > 0 {
        let piece = (BLOCK / n).clamp(1, MANY) * n;
        for_chunks(y, piece, COST * len, |i, y| f(i * piece, y));
    }
}

/// The largest of each row.
fn maxima<T: Float>(x: &[T], n: usize, y: &mut [T]) {
    (Steps::of::<Max<T>>().rows)(x, n, &[], y);
}

/// The sum of each row; a long one is summed block by block, and the blocks in f64.
fn sums<T: Float>(x: &[T], n: usize, y: &mut [T]) {
    let rows = Steps::of::<Sum<T>>().rows;
    if n <= BLOCK {
        return rows(x, n, &[], y);
    }
    for (x, y) in x.chunks_exact(n).zip(y) {
        let mut part = [T::ZERO];
        let sum = x.chunks(BLOCK).map(|x| {
            rows(x, x.len(), &[], &mut part);
            part[0].to_f64()
        });
        *y = T::from_f64(sum.sum());
    }
}

/// `y = e^(x − h)` of rows with their maxima; NaN where the maximum is not finite.
fn exponentials<T: Float>(x: &[T], n: usize, h: &[T], y: &mut [T]) {
    vectorize(
        #[inline(always)]
        || {
            for ((x, y), &h) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)).zip(h) {
                if h.is_finite() {
                    y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - h).exp_of_negative());
                } else {
                    y.fill(T::NAN);
                }
            }
        },
    );
}

/// `ln Σ e^(x − h)` of rows with their maxima, in place of the sums.
fn logs_of_sums<T: Float>(x: &[T], n: usize, h: &[T], s: &mut [T]) {
    for ((x, &h), s) in x.chunks_exact(n).zip(h).zip(&mut *s).filter(|(_, s)| **s < T::from_f64(FEW)) {
        // Below zero, so that it is known from the others.
        *s = -log_of_sum(x, h, *s);
    }
    vectorize(
        #[inline(always)]
        || s.iter_mut().for_each(|s| *s = if *s <= T::ZERO { -*s } else { s.ln() }),
    );
}

/// A row's maximum.
#[inline(always)]
fn highest<T: Float>(x: &[T]) -> T {
    let mut high = [T::LOWEST; LANES];
    tiles1(
        x,
        T::LOWEST,
        #[inline(always)]
        |_, x| {
            for l in 0..LANES {
                high[l] = high[l].max(x[l]);
            }
        },
    );
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            high[l] = high[l].max(high[l + half]);
        }
        half /= 2;
    }
    high[0]
}

/// From this probability on, what is left to 1 is summed up: the difference would lose its digits.
pub(crate) const MOST: f64 = 0.75;

/// Below this sum the maximum has most of it.
const FEW: f64 = 1.25;

/// `ln Σ e^(x − h)` of a row with that sum; where the maximum `h` has most of it, the others are summed beside it.
#[inline(always)]
pub(crate) fn log_of_sum<T: Float>(x: &[T], h: T, sum: T) -> T {
    if sum >= T::from_f64(FEW) || Value::is_nan(sum) {
        return sum.ln();
    }
    let others = sum_of(
        x,
        T::LOWEST,
        #[inline(always)]
        |x| {
            let e = (x - h).exp();
            if x == h { T::ZERO } else { e }
        },
    );
    others.ln_1p()
}

/// A row's maximum `h` and `Σ e^(x − h)`.
#[inline(always)]
pub(crate) fn sum_of_exponentials<T: Float>(x: &[T]) -> (T, T) {
    let h = highest(x);
    let sum = sum_of(
        x,
        T::LOWEST,
        #[inline(always)]
        |x| (x - h).exp(),
    );
    (h, sum)
}

#[cfg(test)]
mod tests;

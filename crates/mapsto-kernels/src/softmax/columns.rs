//! The same along columns: a tile of neighbouring columns at a time, row by row, as they lie in memory.

use super::{COST, FEW, Line, MOST, correct_log_softmax, correct_softmax, shifted};
use crate::real::{Float, Value};
use crate::simd::vectorize;
use crate::threads::{Pieces, parallel};
use std::ops::Range;

/// Columns in a tile, so that its running values stay in registers' reach, and the elements that stay in L2.
const WIDTH: usize = 512;
const TILE: usize = 1 << 16;
/// The narrowest tile: two cache lines of f32, which come from memory together.
const NARROW: usize = 32;
/// Rows that are summed in the columns' own type; the sums of more are added in f64.
const ROWS: usize = 256;

/// Some columns of `[outer, n, inner]`.
struct Tile<T> {
    first: usize,
    n: usize,
    inner: usize,
    width: usize,
    y: Pieces<T>,
}

impl<T> Tile<T> {
    /// A row of these columns in a tensor of that shape.
    #[inline(always)]
    fn of<'x>(&self, x: &'x [T], j: usize) -> &'x [T] {
        &x[self.first + j * self.inner..][..self.width]
    }

    /// The same of the result.
    #[inline(always)]
    fn row(&mut self, j: usize) -> &mut [T] {
        // SAFETY: the result is borrowed until `parallel` returns; each tile has columns of its own, of which one row at a
        // time is borrowed from it.
        unsafe { self.y.get(self.first + j * self.inner, self.width) }
    }
}

/// Calls `f` for every tile of columns; `y` has a row of `n` or of one for each.
fn tiles<T: Float>([outer, n, inner]: [usize; 3], y: &mut [T], f: impl Fn(&mut Tile<T>) + Sync) {
    if n == 0 || y.is_empty() {
        return;
    }
    let width = (TILE / n).clamp(NARROW, WIDTH).next_multiple_of(NARROW).min(inner);
    let count = inner.div_ceil(width);
    let y = Pieces::new(y);
    parallel(outer * count, COST * outer * n * inner, |unit| {
        let (o, i) = (unit / count, unit % count * width);
        f(&mut Tile { first: o * n * inner + i, n, inner, width: width.min(inner - i), y });
    });
}

/// Running values of a tile.
type Values<T> = [T; WIDTH];

fn maxima<T: Float>(tile: &Tile<T>, x: &[T]) -> Values<T> {
    let mut h = [T::LOWEST; WIDTH];
    vectorize(
        #[inline(always)]
        || {
            for j in 0..tile.n {
                h.iter_mut().zip(tile.of(x, j)).for_each(|(h, &x)| *h = h.max(x));
            }
        },
    );
    h
}

/// Sums of what `f(rows, sums)` adds.
fn sums<T: Float>(n: usize, mut f: impl FnMut(Range<usize>, &mut Values<T>)) -> Values<T> {
    let mut sums = [T::ZERO; WIDTH];
    if n <= ROWS {
        f(0..n, &mut sums);
        return sums;
    }
    let mut all = [0.0; WIDTH];
    for from in (0..n).step_by(ROWS) {
        let mut part = [T::ZERO; WIDTH];
        f(from..n.min(from + ROWS), &mut part);
        all.iter_mut().zip(&part).for_each(|(all, part)| *all += part.to_f64());
    }
    sums.iter_mut().zip(&all).for_each(|(sum, all)| *sum = T::from_f64(*all));
    sums
}

/// Writes `e^(x − h)` and gives its sums; they are NaN where the maximum is not finite.
fn exponentials<T: Float>(tile: &mut Tile<T>, x: &[T], h: &Values<T>) -> Values<T> {
    let mut s = sums(tile.n, |rows, s| {
        vectorize(
            #[inline(always)]
            || {
                for j in rows {
                    let x = tile.of(x, j);
                    for (((y, &x), &h), s) in tile.row(j).iter_mut().zip(x).zip(h).zip(&mut *s) {
                        *y = (x - h).exp_of_negative();
                        *s += *y;
                    }
                }
            },
        )
    });
    not_of_what_is_infinite(h, &mut s);
    s
}

fn not_of_what_is_infinite<T: Float>(h: &Values<T>, s: &mut Values<T>) {
    s.iter_mut().zip(h).filter(|(_, h)| !h.is_finite()).for_each(|(s, _)| *s = T::NAN);
}

/// `ln Σ e^(x − h)` in place of the sums.
fn logs_of_sums<T: Float>(tile: &Tile<T>, x: &[T], h: &Values<T>, s: &mut Values<T>) {
    for l in (0..tile.width).filter(|&l| s[l] < T::from_f64(FEW)).collect::<Vec<_>>() {
        let column = x[tile.first + l..].iter().step_by(tile.inner).take(tile.n);
        // The maximum itself has most of it: the others are summed beside it. Below zero, so that it is known.
        let (mut others, mut equal) = (T::ZERO, -T::ONE);
        for &x in column {
            if x == h[l] { equal += T::ONE } else { others += (x - h[l]).exp() }
        }
        s[l] = -(others + equal).ln_1p();
    }
    vectorize(
        #[inline(always)]
        || s[..tile.width].iter_mut().for_each(|s| *s = if *s <= T::ZERO { -*s } else { s.ln() }),
    );
}

pub(super) fn softmax<T: Float>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    tiles(dims, y, |tile| {
        let h = maxima(tile, x);
        let mut s = exponentials(tile, x, &h);
        vectorize(
            #[inline(always)]
            || {
                s.iter_mut().for_each(|s| *s = s.recip());
                for j in 0..tile.n {
                    tile.row(j).iter_mut().zip(&s).for_each(|(y, &s)| *y *= s);
                }
            },
        );
    });
}

pub(super) fn log_softmax<T: Float>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    tiles(dims, y, |tile| {
        let h = maxima(tile, x);
        let mut s = exponentials(tile, x, &h);
        logs_of_sums(tile, x, &h, &mut s);
        vectorize(
            #[inline(always)]
            || {
                for j in 0..tile.n {
                    let x = tile.of(x, j);
                    for (((y, &x), &h), &log) in tile.row(j).iter_mut().zip(x).zip(&h).zip(&s) {
                        *y = (x - h) - log;
                    }
                }
            },
        );
    });
}

pub(super) fn softmax_backward<T: Float>(y: &[T], g: &[T], dims: [usize; 3], dx: &mut [T]) {
    tiles(dims, dx, |tile| {
        let top = maxima(tile, y);
        let dots = sums(tile.n, |rows, s| {
            vectorize(
                #[inline(always)]
                || {
                    for j in rows {
                        s.iter_mut()
                            .zip(tile.of(y, j))
                            .zip(tile.of(g, j))
                            .for_each(|((s, &y), &g)| *s += y * g);
                    }
                },
            )
        });
        vectorize(
            #[inline(always)]
            || {
                for j in 0..tile.n {
                    let (y, g) = (tile.of(y, j), tile.of(g, j));
                    for (((dx, &y), &g), &dot) in tile.row(j).iter_mut().zip(y).zip(g).zip(&dots) {
                        *dx = y * (g - dot);
                    }
                }
            },
        );
        corrected(tile, &top, MOST, &|first| correct_softmax(y, g, first));
    });
}

pub(super) fn log_softmax_backward<T: Float>(y: &[T], g: &[T], dims: [usize; 3], dx: &mut [T]) {
    tiles(dims, dx, |tile| {
        let top = maxima(tile, y);
        let mut s = sums(tile.n, |rows, s| {
            vectorize(
                #[inline(always)]
                || {
                    for j in rows {
                        s.iter_mut().zip(tile.of(g, j)).for_each(|(s, &g)| *s += g);
                    }
                },
            )
        });
        // The exponential that runs here is of numbers, not of NaN.
        s.iter_mut().zip(&top).filter(|(_, top)| Value::is_nan(**top)).for_each(|(s, _)| *s = T::NAN);
        vectorize(
            #[inline(always)]
            || {
                for j in 0..tile.n {
                    let (y, g) = (tile.of(y, j), tile.of(g, j));
                    for (((dx, &y), &g), &s) in tile.row(j).iter_mut().zip(y).zip(g).zip(&s) {
                        *dx = g - y.exp_of_negative() * s;
                    }
                }
            },
        );
        corrected(tile, &top, MOST.ln(), &|first| correct_log_softmax(y, g, first));
    });
}

/// Corrects the element of each column that has most of it, where there is one.
fn corrected<T: Float>(
    tile: &mut Tile<T>,
    top: &Values<T>,
    most: f64,
    correct: &dyn Fn(Line) -> Option<(usize, T)>,
) {
    for l in (0..tile.width).filter(|&l| top[l] >= T::from_f64(most)) {
        let line = Line { first: tile.first + l, step: tile.inner, n: tile.n };
        if let Some((j, dx)) = correct(line) {
            tile.row(j)[l] = dx;
        }
    }
}

pub(super) fn logsumexp<T: Float>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    let [_, n, inner] = dims;
    tiles(dims, y, |tile| {
        let h = maxima(tile, x);
        let mut s = sums(n, |rows, s| {
            vectorize(
                #[inline(always)]
                || {
                    for j in rows {
                        for ((s, &x), &h) in s.iter_mut().zip(tile.of(x, j)).zip(&h) {
                            *s += (x - h).exp_of_negative();
                        }
                    }
                },
            )
        });
        not_of_what_is_infinite(&h, &mut s);
        logs_of_sums(tile, x, &h, &mut s);
        // The results have one row for each of `n`.
        let (o, i) = (tile.first / (n * inner), tile.first % inner);
        tile.first = o * inner + i;
        tile.row(0).iter_mut().zip(h.iter().zip(&s)).for_each(|(y, (&h, &log))| *y = shifted(h, log));
    });
}

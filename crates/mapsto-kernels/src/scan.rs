//! Running sums, products and extremes along the middle axis of `[outer, n, inner]`: `cumsum` and its like.

use crate::elements::elements;
use crate::real::{Number, Value};
use crate::simd::{array, vectorize_light};
use crate::threads::{Pieces, for_chunks, parallel};

/// Running sums: `y[o, j, i] = Σ_{k ≤ j} x[o, k, i]` for `dims = [outer, n, inner]`; f32 is accumulated in f64.
///
/// ```
/// let mut y = [0f32; 4];
/// mapsto_kernels::scan::cumsum(&[1., 2., 3., 4.], [1, 4, 1], &mut y);
/// assert_eq!(y, [1., 3., 6., 10.]);
/// ```
///
/// # Panics
/// If a slice has not the elements of `dims`.
pub fn cumsum<T: Number>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    scan(x, dims, y, |j, _| j, T::Wide::ZERO, sum);
}

/// Running sums from the end: `y[o, j, i] = Σ_{k ≥ j} x[o, k, i]`, which is how the gradient of [`cumsum`] flows.
///
/// ```
/// let mut y = [0i64; 4];
/// mapsto_kernels::scan::cumsum_reverse(&[1, 2, 3, 4], [1, 4, 1], &mut y);
/// assert_eq!(y, [10, 9, 7, 4]);
/// ```
///
/// # Panics
/// If a slice has not the elements of `dims`.
pub fn cumsum_reverse<T: Number>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    scan(x, dims, y, |j, n| n - 1 - j, T::Wide::ZERO, sum);
}

/// Running products: `y[o, j, i] = Π_{k ≤ j} x[o, k, i]`; f32 is multiplied in f64.
///
/// ```
/// let mut y = [0i64; 4];
/// mapsto_kernels::scan::cumprod(&[1, 2, 3, 4], [1, 4, 1], &mut y);
/// assert_eq!(y, [1, 2, 6, 24]);
/// ```
///
/// # Panics
/// If a slice has not the elements of `dims`.
pub fn cumprod<T: Number>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    scan(
        x,
        dims,
        y,
        |j, _| j,
        T::Wide::ONE,
        #[inline(always)]
        |product, x, _| {
            *product = product.times(x.widen());
            T::narrow(*product)
        },
    );
}

/// The position of the extreme so far: `y[o, j, i]` is the last `k ≤ j` whose `x[o, k, i]` is the largest, or the smallest, or
/// NaN if there is one.
///
/// ```
/// use mapsto_kernels::scan::{Extreme, running_position};
/// let mut y = [0; 4];
/// running_position(&[2., 1., 2., f32::NAN], [1, 4, 1], Extreme::Largest, &mut y);
/// assert_eq!(y, [0, 0, 2, 3]);
/// ```
///
/// # Panics
/// If a slice has not the elements of `dims`.
pub fn running_position<T: Number>(x: &[T], dims: [usize; 3], extreme: Extreme, y: &mut [i64]) {
    // What every element beats, which the first one always is.
    let start = (if extreme == Extreme::Largest { T::LOWEST } else { T::HIGHEST }, 0);
    scan(
        x,
        dims,
        y,
        |j, _| j,
        start,
        #[inline(always)]
        |(best, at), x, j| {
            let wins = if extreme == Extreme::Largest { x.ge(*best) } else { x.le(*best) } | x.is_nan();
            *best = T::select(wins, x, *best);
            *at = if wins { j as i64 } else { *at };
            *at
        },
    );
}

/// Which elements [`running_position`] looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extreme {
    /// The largest.
    Largest,
    /// The smallest.
    Smallest,
}

#[inline(always)]
fn sum<T: Number>(sum: &mut T::Wide, x: T, _: usize) -> T {
    *sum = sum.plus(x.widen());
    T::narrow(*sum)
}

const TILE: usize = 128;
/// Rows that are summed side by side: each addition waits for the one before it in its row.
const SIDE: usize = 4;

/// Each result is what `step` makes of a running value, of an element and of its place along the axis.
fn scan<T: Number, Y: Send, S: Copy + Sync>(
    x: &[T],
    [outer, n, inner]: [usize; 3],
    y: &mut [Y],
    place: impl Fn(usize, usize) -> usize + Sync,
    start: S,
    step: impl Fn(&mut S, T, usize) -> Y + Sync,
) {
    assert_eq!(
        x.len(),
        elements([outer, n, inner]),
        "cumsum: x has not the elements of [{outer}, {n}, {inner}]"
    );
    assert_eq!(y.len(), x.len(), "cumsum: y has not the elements of x");
    if y.is_empty() {
        return;
    }
    if inner == 1 {
        let rows = (4096 / n).max(SIDE);
        return for_chunks(y, rows * n, 4 * x.len(), |k, y| {
            let x = &x[k * rows * n..][..y.len()];
            let side = y.len() / (SIDE * n) * (SIDE * n);
            for (x, y) in x[..side].chunks_exact(SIDE * n).zip(y.chunks_exact_mut(SIDE * n)) {
                let mut running = [start; SIDE];
                let xs: [&[T]; SIDE] = array(|r| &x[r * n..][..n]);
                for j in 0..n {
                    let at = place(j, n);
                    for r in 0..SIDE {
                        y[r * n + at] = step(&mut running[r], xs[r][at], at);
                    }
                }
            }
            for (x, y) in x[side..].chunks_exact(n).zip(y[side..].chunks_exact_mut(n)) {
                let mut running = start;
                for j in 0..n {
                    let at = place(j, n);
                    y[at] = step(&mut running, x[at], at);
                }
            }
        });
    }
    let tiles = inner.div_ceil(TILE);
    let results = Pieces::new(y);
    parallel(outer * tiles, 4 * x.len(), |unit| {
        let (o, i) = (unit / tiles, unit % tiles * TILE);
        let width = TILE.min(inner - i);
        vectorize_light(
            #[inline(always)]
            || {
                let mut running = [start; TILE];
                for j in 0..n {
                    let j = place(j, n);
                    let at = (o * n + j) * inner + i;
                    // SAFETY: `y` is borrowed until `parallel` returns; each unit has columns of its own, and takes
                    // one row of them at a time.
                    let y = unsafe { results.get(at, width) };
                    for ((y, &x), running) in y.iter_mut().zip(&x[at..at + width]).zip(&mut running) {
                        *y = step(running, x, j);
                    }
                }
            },
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::with_threads;

    #[test]
    fn against_plain_loops_on_any_number_of_threads() {
        let all = [[1, 0, 3], [0, 2, 2], [1, 1, 1], [1, 1001, 1], [40, 33, 1], [3, 70, 129], [2, 1000, 20]];
        for dims @ [outer, n, inner] in all {
            let x: Vec<i64> = (0..(outer * n * inner) as i64).map(|i| i * 7919 % 1013 - 500).collect();
            let floats: Vec<f32> = x.iter().map(|&x| x as f32).collect();
            let (mut want, mut back) = (x.clone(), x.clone());
            for at in 0..x.len() {
                let (j, end) = (at / inner % n, x.len() - 1 - at);
                want[at] += if j > 0 { want[at - inner] } else { 0 };
                back[end] += if end / inner % n < n - 1 { back[end + inner] } else { 0 };
            }
            for threads in [1, 2, 8] {
                let (mut y, mut z, mut f) = (vec![0; x.len()], vec![0; x.len()], vec![0.0; x.len()]);
                with_threads(threads, || {
                    cumsum(&x, dims, &mut y);
                    cumsum_reverse(&x, dims, &mut z);
                    cumsum(&floats, dims, &mut f);
                });
                assert_eq!((&y, &z), (&want, &back), "{dims:?}");
                assert!(f.iter().zip(&want).all(|(f, &w)| *f == w as f32));
            }
        }
    }

    #[test]
    fn products_and_positions_are_those_of_plain_loops() {
        for dims @ [outer, n, inner] in [[0, 2, 2], [3, 7, 1], [40, 33, 1], [3, 70, 129], [2, 40, 20]] {
            let x: Vec<f32> = (0..outer * n * inner).map(|i| (i * 7919 % 101) as f32 / 10.0 - 5.0).collect();
            let x: Vec<f32> = x.into_iter().map(|x| if x == 4.5 { f32::NAN } else { x }).collect();
            let whole: Vec<i64> = x.iter().map(|x| *x as i64).collect();
            for threads in [1, 2, 8] {
                let (mut p, mut most, mut least) = (whole.clone(), whole.clone(), whole.clone());
                with_threads(threads, || {
                    cumprod(&whole, dims, &mut p);
                    running_position(&x, dims, Extreme::Largest, &mut most);
                    running_position(&x, dims, Extreme::Smallest, &mut least);
                });
                for at in 0..x.len() {
                    let (j, first) = (at / inner % n, at - at / inner % n * inner);
                    let before = if j > 0 { p[at - inner] } else { 1 };
                    assert_eq!(p[at], before.wrapping_mul(whole[at]), "{dims:?}");
                    let wins = |y: &[i64], better: fn(f32, f32) -> bool| {
                        let best = x[first + y[at] as usize * inner];
                        let all = (0..=j).map(|k| (k, x[first + k * inner]));
                        let last = |found: &dyn Fn(f32) -> bool| {
                            all.clone().rfind(|(_, x)| found(*x)).map(|(k, _)| k)
                        };
                        let want = last(&|x| x.is_nan()).or(last(&|x| x == best));
                        all.clone().all(|(_, x)| !better(x, best)) && want == Some(y[at] as usize)
                    };
                    assert!(wins(&most, |a, b| a > b) && wins(&least, |a, b| a < b), "{dims:?}");
                }
            }
        }
        let mut y = [9; 3];
        running_position(&[f32::NEG_INFINITY, f32::NEG_INFINITY, 0.0], [1, 3, 1], Extreme::Largest, &mut y);
        assert_eq!(y, [0, 1, 2]);
    }

    #[test]
    fn small_terms_are_not_lost_beside_a_large_sum() {
        let mut x = vec![0.25f32; 1001];
        x[0] = 16_777_216.0;
        let mut y = x.clone();
        cumsum(&x, [1, 1001, 1], &mut y);
        assert_eq!(y[1000], 16_777_216.0 + 250.0);
    }
}

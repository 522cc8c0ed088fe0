//! Running sums along the middle axis of `[outer, n, inner]`, from either end: `cumsum` and its gradient.

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
    scan(x, dims, y, |j, _| j);
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
    scan(x, dims, y, |j, n| n - 1 - j);
}

const TILE: usize = 128;
/// Rows that are summed side by side: each addition waits for the one before it in its row.
const SIDE: usize = 4;

fn scan<T: Number>(
    x: &[T],
    [outer, n, inner]: [usize; 3],
    y: &mut [T],
    place: impl Fn(usize, usize) -> usize + Sync,
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
                let mut sums = [T::Wide::ZERO; SIDE];
                let xs: [&[T]; SIDE] = array(|r| &x[r * n..][..n]);
                for j in 0..n {
                    let at = place(j, n);
                    for r in 0..SIDE {
                        sums[r] = sums[r].plus(xs[r][at].widen());
                        y[r * n + at] = T::narrow(sums[r]);
                    }
                }
            }
            for (x, y) in x[side..].chunks_exact(n).zip(y[side..].chunks_exact_mut(n)) {
                let mut sum = T::Wide::ZERO;
                for j in 0..n {
                    let at = place(j, n);
                    sum = sum.plus(x[at].widen());
                    y[at] = T::narrow(sum);
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
                let mut sums = [T::Wide::ZERO; TILE];
                for j in 0..n {
                    let at = (o * n + place(j, n)) * inner + i;
                    // SAFETY: `y` is borrowed until `parallel` returns; each unit has columns of its own, and takes
                    // one row of them at a time.
                    let y = unsafe { results.get(at, width) };
                    for ((y, &x), sum) in y.iter_mut().zip(&x[at..at + width]).zip(&mut sums) {
                        *sum = sum.plus(x.widen());
                        *y = T::narrow(*sum);
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
    fn small_terms_are_not_lost_beside_a_large_sum() {
        let mut x = vec![0.25f32; 1001];
        x[0] = 16_777_216.0;
        let mut y = x.clone();
        cumsum(&x, [1, 1001, 1], &mut y);
        assert_eq!(y[1000], 16_777_216.0 + 250.0);
    }
}

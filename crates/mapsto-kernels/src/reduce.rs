//! Sums, means, variances, extremes and their positions along the middle axis of `[outer, n, inner]`.
//!
//! Every result is a fixed tree over fixed blocks: it depends on the sizes alone, never on threads or on the width of
//! the processor's registers. Within a leaf 32 (or, along columns, 1024) running values stand side by side; the leaves
//! are combined pairwise (Higham 1993, "The accuracy of floating point summation"), so the error of a sum of `n`
//! grows with log n rather than n. Elements that lie otherwise, or in another type, are read where they lie ([`Source`]).

pub(crate) mod fold;
mod moments;
mod position;
mod source;

pub(crate) use moments::power_of_two_below;
pub use moments::{deviations, mean, moments, spreads, squares, squares_from, variance};
pub use position::{argmax, argmax_from, argmin, argmin_from};
pub use source::Source;

use crate::elements::elements;
use crate::real::{Float, Number};
use crate::simd::vectorize_light;
use crate::threads::for_chunks;
use crate::tiles::total;
use fold::{BLOCK, LANES, Max, Min, Product, Steps, Sum, fold, fold_from, tree};

/// Sums: `y[o, i] = Σⱼ x[o, j, i]` for `dims = [outer, n, inner]`; 0 where `n` is 0.
///
/// ```
/// let mut y = [0f32; 3];
/// mapsto_kernels::reduce::sum(&[1., 2., 3., 10., 20., 30.], [1, 2, 3], &mut y);
/// assert_eq!(y, [11., 22., 33.]);
/// ```
///
/// # Panics
/// If a slice's length is not what `dims` says (also in every other function here).
pub fn sum<T: Number>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    let [outer, n, inner] = dims;
    // Finding the way takes some 300 instructions, in which these are added up.
    if x.len() <= FEW && n <= SHORT && x.len() == elements(dims) && y.len() == elements([outer, inner]) {
        y.fill(T::ZERO);
        for (y, x) in y.chunks_exact_mut(inner.max(1)).zip(x.chunks_exact(elements([n, inner]).max(1))) {
            for row in x.chunks_exact(inner) {
                y.iter_mut().zip(row).for_each(|(y, &x)| *y = y.plus(x));
            }
        }
        return;
    }
    fold::<Sum<T>>(x, dims, None, y);
}

/// So few, of which so few are added.
const FEW: usize = 64;
const SHORT: usize = 16;

/// Products: `y[o, i] = Πⱼ x[o, j, i]`; 1 where `n` is 0.
///
/// ```
/// let mut y = [0i64; 2];
/// mapsto_kernels::reduce::product(&[2, 3, 4, 5], [2, 2, 1], &mut y);
/// assert_eq!(y, [6, 20]);
/// ```
pub fn product<T: Number>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    fold::<Product<T>>(x, dims, None, y);
}

/// Largest values: `y[o, i] = maxⱼ x[o, j, i]`; NaN if any is NaN.
///
/// ```
/// let mut y = [0i64; 2];
/// mapsto_kernels::reduce::max(&[1, 7, 5, 3], [1, 2, 2], &mut y);
/// assert_eq!(y, [5, 7]);
/// ```
///
/// # Panics
/// Also if there is a result and `n` is 0: the maximum of nothing has no value.
pub fn max<T: Number>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    assert!(dims[1] > 0 || y.is_empty(), "max: no elements along the axis");
    fold::<Max<T>>(x, dims, None, y);
}

/// Smallest values: `y[o, i] = minⱼ x[o, j, i]`; NaN if any is NaN.
///
/// # Panics
/// Also if there is a result and `n` is 0.
pub fn min<T: Number>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    assert!(dims[1] > 0 || y.is_empty(), "min: no elements along the axis");
    fold::<Min<T>>(x, dims, None, y);
}

/// The [`sum`] of each result of a source; 0 of nothing.
///
/// ```
/// use mapsto_kernels::reduce::{Source, sum_from};
/// let x = [1u8, 2, 3, 4, 5, 6];
/// let bring = |at: isize, step: isize, to: &mut [i64]| {
///     to.iter_mut().enumerate().for_each(|(i, t)| *t = x[at as usize + i * step as usize] as i64)
/// };
/// let mut y = [0; 3];
/// sum_from(&Source { plain: None, bring: &bring, offset: 0, kept: &[(3, 1)], gone: &[(2, 3)] }, &mut y);
/// assert_eq!(y, [5, 7, 9]);
/// ```
///
/// # Panics
/// If there is not one result for each kept element, or an element lies outside of what is stored (also in the functions
/// below).
pub fn sum_from<T: Number>(x: &Source<'_, T>, y: &mut [T]) {
    fold_from(&Steps::of::<Sum<T>>(), x, None, y);
}

/// The [`product`] of each result of a source; 1 of nothing.
pub fn product_from<T: Number>(x: &Source<'_, T>, y: &mut [T]) {
    fold_from(&Steps::of::<Product<T>>(), x, None, y);
}

/// The [`max`] of each result of a source; the lowest value of the type of nothing.
pub fn max_from<T: Number>(x: &Source<'_, T>, y: &mut [T]) {
    fold_from(&Steps::of::<Max<T>>(), x, None, y);
}

/// The [`min`] of each result of a source; the highest value of the type of nothing.
pub fn min_from<T: Number>(x: &Source<'_, T>, y: &mut [T]) {
    fold_from(&Steps::of::<Min<T>>(), x, None, y);
}

/// `Σ aᵢ bᵢ`, accumulated in f64; with `a = b` the square of the Euclidean norm.
///
/// ```
/// assert_eq!(mapsto_kernels::reduce::dot(&[1f32, 2., 3.], &[4., 5., 6.]), 32.0);
/// ```
///
/// # Panics
/// If the lengths differ.
pub fn dot<T: Float>(a: &[T], b: &[T]) -> f64 {
    assert_eq!(a.len(), b.len(), "dot: lengths differ");
    let leaf = |k: usize| {
        let span = k * BLOCK..(k * BLOCK + BLOCK).min(a.len());
        let (a, b) = (&a[span.clone()], &b[span]);
        // The lanes are joined elsewhere: see `fold`.
        total(vectorize_light(
            #[inline(always)]
            || {
                let mut sums = [0f64; LANES];
                let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
                for (a, b) in a.iter().zip(b) {
                    for l in 0..LANES {
                        sums[l] += a[l].to_f64() * b[l].to_f64();
                    }
                }
                for (l, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
                    sums[l] += a.to_f64() * b.to_f64();
                }
                sums
            },
        ))
    };
    let blocks = a.len().div_ceil(BLOCK);
    if blocks <= 1 {
        return if blocks == 0 { 0.0 } else { leaf(0) };
    }
    let mut partial = vec![0f64; blocks];
    for_chunks(&mut partial, 1, a.len(), |k, p| p[0] = leaf(k));
    tree(&Steps::of::<Sum<f64>>(), 0, blocks, &mut |k| partial[k])
}

/// The sum of a short slice in f64, on this thread, in 32 running values.
///
/// ```
/// assert_eq!(mapsto_kernels::reduce::sum_in_f64(&[1f32, 2f32.powi(-30)]), 1.0 + 2f64.powi(-30));
/// ```
pub fn sum_in_f64<T: Float>(x: &[T]) -> f64 {
    total(vectorize_light(
        #[inline(always)]
        || {
            let mut sums = [0f64; LANES];
            let (whole, rest) = x.as_chunks::<LANES>();
            for x in whole {
                for l in 0..LANES {
                    sums[l] += x[l].to_f64();
                }
            }
            sums.iter_mut().zip(rest).for_each(|(sum, x)| *sum += x.to_f64());
            sums
        },
    ))
}

/// Whether no element is infinite or NaN.
///
/// ```
/// assert!(!mapsto_kernels::reduce::all_finite(&[1.0f32, f32::NAN]));
/// ```
pub fn all_finite<T: Float>(x: &[T]) -> bool {
    // No way out inside a block: a loop that always runs to its end becomes vector code.
    let mut bad = false;
    for block in x.chunks(BLOCK) {
        bad |= vectorize_light(
            #[inline(always)]
            || block.iter().fold(false, |bad, x| bad | !x.is_finite()),
        );
    }
    !bad
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    fn numbers(n: usize) -> Vec<f32> {
        (0..n)
            .map(|i| ((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / 16_777_216.0 - 0.3)
            .collect()
    }

    const DIMS: [[usize; 3]; 22] = [
        [0, 3, 2],
        [3, 0, 2],
        [3, 2, 0],
        [2, 0, 1],
        [1, 1, 1],
        [1, 7, 1],
        [5, 33, 1],
        [300, 10, 1],
        [1, 4096, 1],
        [1, 100_003, 1],
        [20, 9001, 1],
        [1, 5, 3],
        [1, 1000, 2],
        [1, 70_001, 7],
        [1, 20_000, 10],
        [1, 1000, 128],
        [1, 300, 129],
        [2, 513, 255],
        [3, 130, 257],
        [1, 9, 1000],
        [17, 65, 64],
        [2, 100, 2000],
    ];

    /// Plain loops in f64: the elements of each result, in order.
    fn groups(x: &[f32], [outer, n, inner]: [usize; 3]) -> Vec<Vec<f64>> {
        let at = |o: usize, i: usize| move |j: usize| (o * n + j) * inner + i;
        (0..outer * inner)
            .map(|k| (0..n).map(at(k / inner, k % inner)).map(|p| x[p] as f64).collect())
            .collect()
    }

    fn same_everywhere(f: impl Fn() -> Vec<u64>) {
        let want = with_threads(1, &f);
        for threads in [2, 8] {
            assert_eq!(with_threads(threads, &f), want, "{threads} threads");
        }
        for &isa in Isa::available() {
            assert_eq!(with_isa(isa, &f), want, "{isa:?}");
        }
    }

    #[test]
    fn against_plain_loops_with_the_same_bits_everywhere() {
        for dims in DIMS {
            let x = numbers(dims.iter().product());
            let out = dims[0] * dims[2];
            let all = || {
                let [mut s, mut m, mut v, mut hi, mut lo] = [(); 5].map(|()| vec![0f32; out]);
                let (mut p, mut q) = (vec![0; out], vec![0; out]);
                sum(&x, dims, &mut s);
                mean(&x, dims, &mut m);
                variance(&x, dims, &m, 1.0, &mut v);
                if dims[1] > 0 {
                    max(&x, dims, &mut hi);
                    min(&x, dims, &mut lo);
                    argmax(&x, dims, &mut p);
                    argmin(&x, dims, &mut q);
                }
                (s, m, v, hi, lo, p, q)
            };
            same_everywhere(|| {
                let (s, m, v, hi, lo, p, q) = all();
                let floats = [s, m, v, hi, lo].concat().into_iter().map(|x| x.to_bits() as u64);
                floats.chain([p, q].concat().into_iter().map(|x| x as u64)).collect()
            });
            let (s, m, v, hi, lo, p, q) = all();
            for (k, x) in groups(&x, dims).iter().enumerate() {
                let n = x.len() as f64;
                let total: f64 = x.iter().sum();
                let size: f64 = x.iter().map(|x| x.abs()).sum();
                assert!((s[k] as f64 - total).abs() <= 6e-7 * size, "sum {dims:?}: {} {total}", s[k]);
                if n == 0.0 {
                    assert!(m[k].is_nan() && v[k].is_nan() && s[k] == 0.0);
                    continue;
                }
                assert!((m[k] as f64 - total / n).abs() <= 6e-7 * size / n);
                let variance = x.iter().map(|x| (x - total / n).powi(2)).sum::<f64>() / (n - 1.0);
                if n > 1.0 {
                    assert!(
                        (v[k] as f64 - variance).abs() <= 1e-5 * variance,
                        "{dims:?}: {} {variance}",
                        v[k]
                    );
                } else {
                    assert!(v[k].is_nan());
                }
                let (high, low) =
                    (x.iter().copied().fold(f64::MIN, f64::max), x.iter().copied().fold(f64::MAX, f64::min));
                assert_eq!([hi[k] as f64, lo[k] as f64], [high, low]);
                let first = |v: f64| x.iter().position(|&x| x == v).unwrap() as i64;
                assert_eq!([p[k], q[k]], [first(high), first(low)], "{dims:?}");
            }
        }
    }

    #[test]
    fn nan_wins_and_the_first_of_equals_is_named() {
        for (dims, stride) in [([1, 9000, 1], 1), ([1, 9000, 2], 2), ([1, 9000, 300], 300)] {
            let mut x = vec![1f32; 9000 * stride];
            let run = |x: &[f32]| {
                let (mut y, mut z, mut p, mut q) =
                    (vec![0.0; stride], vec![0.0; stride], vec![9; stride], vec![9; stride]);
                max(x, dims, &mut y);
                min(x, dims, &mut z);
                argmax(x, dims, &mut p);
                argmin(x, dims, &mut q);
                (y[0], z[0], p[0], q[0])
            };
            assert_eq!(run(&x), (1.0, 1.0, 0, 0));
            x[7000 * stride] = 5.0;
            x[8000 * stride] = 5.0;
            assert_eq!(run(&x), (5.0, 1.0, 7000, 0));
            x[7500 * stride] = f32::NAN;
            x[8500 * stride] = f32::NAN;
            let (y, z, p, q) = run(&x);
            assert!(y.is_nan() && z.is_nan() && p == 7500 && q == 7500);
            let lowest = vec![f32::NEG_INFINITY; x.len()];
            assert_eq!(run(&lowest), (f32::NEG_INFINITY, f32::NEG_INFINITY, 0, 0));
        }
    }

    #[test]
    fn other_types_and_products() {
        let mut y = [0i64; 2];
        sum(&[i64::MAX, 5, 1, 6], [1, 2, 2], &mut y);
        assert_eq!(y, [i64::MIN, 11]);
        argmax(&[3i64, 4, 4, 3], [2, 2, 1], &mut y);
        assert_eq!(y, [1, 0]);
        let mut z = [0.0f64; 1];
        product(&[1.5, 2.0, 4.0], [1, 3, 1], &mut z);
        assert_eq!(z, [12.0]);
        assert!(std::panic::catch_unwind(|| max::<f32>(&[], [1, 0, 1], &mut [0.0])).is_err());
        assert!(std::panic::catch_unwind(|| sum(&[1f32], [1, 2, 1], &mut [0.0])).is_err());
    }

    #[test]
    fn sums_of_many_stay_exact() {
        // A running f32 sum of 2²⁵ ones stops at 2²⁴.
        let n = 1 << 25;
        let (x, mut y) = (vec![1f32; n], [0f32]);
        sum(&x, [1, n, 1], &mut y);
        assert_eq!(y, [n as f32]);
        let mut y = [0f32; 2];
        sum(&x, [1, n / 2, 2], &mut y);
        assert_eq!(y, [n as f32 / 2.0; 2]);
    }

    #[test]
    fn dots_and_finiteness() {
        for n in [0, 1, 31, 4097, 100_001] {
            let x = numbers(n);
            let want: f64 = x.iter().map(|&x| x as f64 * x as f64).sum();
            same_everywhere(|| vec![dot(&x, &x).to_bits()]);
            assert!((dot(&x, &x) - want).abs() <= 1e-12 * want);
            assert!(all_finite(&x));
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut x = x.clone();
                if let Some(x) = x.last_mut() {
                    *x = bad;
                    assert!(!all_finite(&[*x]));
                }
                assert_eq!(all_finite(&x), n == 0);
            }
        }
    }
}

//! Sums, means, variances, extremes and their positions along the middle axis of `[outer, n, inner]`.
//!
//! Every result is a fixed tree over fixed blocks: it depends on the sizes alone, never on threads or on the width of
//! the processor's registers. Within a leaf 32 (or, along columns, 256) running values stand side by side; the leaves
//! are combined pairwise (Higham 1993, "The accuracy of floating point summation"), so the error of a sum of `n`
//! grows with log n rather than n.

use crate::elements::elements;
use crate::real::{Float, Number, Value};
use crate::simd::vectorize_light;
use crate::threads::{Pieces, for_chunks, parallel};
use std::marker::PhantomData;

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
    fold::<Sum<T>>(x, dims, None, y);
}

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

/// Means: `y[o, i] = 1/n Σⱼ x[o, j, i]`; NaN where `n` is 0.
///
/// ```
/// let mut y = [0f64; 2];
/// mapsto_kernels::reduce::mean(&[1., 2., 3., 4.], [2, 2, 1], &mut y);
/// assert_eq!(y, [1.5, 3.5]);
/// ```
pub fn mean<T: Float>(x: &[T], dims: [usize; 3], y: &mut [T]) {
    sum(x, dims, y);
    let n = T::from_f64(dims[1] as f64);
    y.iter_mut().for_each(|y| *y /= n);
    if dims[1] > 1 && !all_finite(y) {
        // The sum may be infinite where the mean is not.
        for k in (0..y.len()).filter(|&k| !y[k].is_finite()).collect::<Vec<_>>() {
            let (scaled, scale) = scaled(x, dims, k);
            sum(&scaled, [1, dims[1], 1], &mut y[k..=k]);
            y[k] = y[k] / n / scale;
        }
    }
}

/// The numbers that fall together in result `k`, times a power of two that brings the largest near 1, and that power: what
/// lies between them and a result, such as a square, is then a number where the result is one.
fn scaled<T: Float>(x: &[T], [_, n, inner]: [usize; 3], k: usize) -> (Vec<T>, T) {
    let first = k / inner * n * inner + k % inner;
    let mut all: Vec<T> = x[first..].iter().step_by(inner).take(n).copied().collect();
    let scale = power_of_two_below(all.iter().fold(T::ZERO, |most, x| most.max(x.abs()))).recip();
    all.iter_mut().for_each(|x| *x *= scale);
    (all, scale)
}

/// A power of two near a positive number, such that its reciprocal is a number too; 1 for what is no number.
pub(crate) fn power_of_two_below<T: Float>(x: T) -> T {
    if !(x > T::ZERO && x.is_finite()) {
        return T::ONE;
    }
    let exponent = x.to_f64().log2().floor();
    let (least, most) = (T::MIN_POSITIVE.to_f64().log2(), T::MAX.to_f64().log2().floor() - 1.0);
    T::from_f64(exponent.clamp(least, most).exp2())
}

/// Variances about given means: `y[o, i] = 1/(n − correction) Σⱼ (x[o, j, i] − mean[o, i])²`.
///
/// `correction` 0 gives the population's variance, 1 the unbiased estimate from a sample. NaN where `n ≤ correction`
/// leaves nothing to divide by.
///
/// ```
/// let mut y = [0f64];
/// mapsto_kernels::reduce::variance(&[1., 2., 3., 4.], [1, 4, 1], &[2.5], 1.0, &mut y);
/// assert_eq!(y, [5.0 / 3.0]);
/// ```
pub fn variance<T: Float>(x: &[T], dims: [usize; 3], mean: &[T], correction: f64, y: &mut [T]) {
    squares(x, dims, mean, y);
    let n = dims[1] as f64 - correction;
    let n = if n > 0.0 { T::from_f64(n) } else { T::NAN };
    y.iter_mut().for_each(|y| *y /= n);
}

/// Deviations from given numbers: `y[o, i] = Σⱼ (x[o, j, i] − c[o, i])`.
///
/// ```
/// let mut y = [0f64];
/// mapsto_kernels::reduce::deviations(&[1., 2., 3.], [1, 3, 1], &[1.], &mut y);
/// assert_eq!(y, [3.0]);
/// ```
pub fn deviations<T: Float>(x: &[T], dims: [usize; 3], c: &[T], y: &mut [T]) {
    assert_eq!(c.len(), y.len(), "deviations: one number for each result");
    fold::<Deviations<T>>(x, dims, Some(c), y);
}

/// Variances, as [`variance`], with their means, which come as two numbers: `mean` rounded, and `rest`, what rounding took.
///
/// Everything is taken beside the first element, so that values far from zero keep the digits of their spread, and equal
/// values have no variance at all.
///
/// ```
/// let x: Vec<f32> = (0..1000).map(|i| 1e6 + (i % 2) as f32).collect();
/// let (mut mean, mut rest, mut variance) = ([0.0], [0.0], [0.0]);
/// mapsto_kernels::reduce::moments(&x, [1, 1000, 1], 0.0, &mut mean, &mut rest, &mut variance);
/// assert_eq!((mean[0] as f64 + rest[0] as f64, variance), (1e6 + 0.5, [0.25]));
/// ```
pub fn moments<T: Float>(
    x: &[T],
    dims: [usize; 3],
    correction: f64,
    mean: &mut [T],
    rest: &mut [T],
    variance: &mut [T],
) {
    moments_as_they_come(x, dims, correction, mean, rest, variance);
    if !all_finite(variance) && dims[1] as f64 > correction {
        for k in (0..variance.len()).filter(|&k| !variance[k].is_finite()).collect::<Vec<_>>() {
            let (spread, scale) = apart_from_scale(x, dims, correction, k, &mut mean[k], &mut rest[k]);
            variance[k] = spread / scale / scale;
        }
    }
}

fn moments_as_they_come<T: Float>(
    x: &[T],
    dims: [usize; 3],
    correction: f64,
    mean: &mut [T],
    rest: &mut [T],
    variance: &mut [T],
) {
    let [_, n, inner] = dims;
    assert!(mean.len() == rest.len() && rest.len() == variance.len(), "moments: one of each for each result");
    if n > 0 {
        mean.iter_mut().enumerate().for_each(|(k, m)| *m = x[k / inner * n * inner + k % inner]);
    }
    deviations(x, dims, mean, rest);
    let count = T::from_f64(n as f64);
    for (m, rest) in mean.iter_mut().zip(&mut *rest) {
        let (first, step) = (*m, *rest / count);
        *m = first + step;
        *rest = step - (*m - first);
    }
    squares(x, dims, mean, variance);
    let left = n as f64 - correction;
    let left = if left > 0.0 { T::from_f64(left) } else { T::NAN };
    for (v, rest) in variance.iter_mut().zip(&*rest) {
        *v = (*v - count * *rest * *rest).max(T::ZERO) / left;
    }
}

/// Standard deviations, as the roots of [`moments`]' variances, also where those are no numbers of the type: 10²⁰ in f32, or
/// 10⁻³⁰.
///
/// ```
/// let (mut mean, mut rest, mut deviation) = ([0f32], [0f32], [0f32]);
/// mapsto_kernels::reduce::spreads(&[1e30, 3e30], [1, 2, 1], 0.0, &mut mean, &mut rest, &mut deviation);
/// assert!((mean[0] / 2e30 - 1.0).abs() < 1e-6 && (deviation[0] / 1e30 - 1.0).abs() < 1e-6);
/// ```
pub fn spreads<T: Float>(
    x: &[T],
    dims: [usize; 3],
    correction: f64,
    mean: &mut [T],
    rest: &mut [T],
    deviation: &mut [T],
) {
    moments(x, dims, correction, mean, rest, deviation);
    // Below it squares have lost digits.
    let least = T::MIN_POSITIVE / T::EPSILON;
    let [_, n, inner] = dims;
    for k in 0..deviation.len() {
        let v = deviation[k];
        deviation[k] = v.sqrt();
        let first = k / inner.max(1) * n * inner + k % inner.max(1);
        let rare = n > 1 && n as f64 > correction && !(v >= least && v.is_finite());
        // Equal elements are common, and have no spread at all.
        if rare && x[first..].iter().step_by(inner).take(n).any(|&x0| x0 != x[first]) {
            let (spread, scale) = apart_from_scale(x, dims, correction, k, &mut mean[k], &mut rest[k]);
            deviation[k] = spread.sqrt() / scale;
        }
    }
}

/// The variance of the numbers of result `k` times the square of a scale, and that scale; the mean is written as it is.
fn apart_from_scale<T: Float>(
    x: &[T],
    dims: [usize; 3],
    correction: f64,
    k: usize,
    mean: &mut T,
    rest: &mut T,
) -> (T, T) {
    let (all, scale) = scaled(x, dims, k);
    let (m, r, mut variance) = (std::slice::from_mut(mean), std::slice::from_mut(rest), [T::ZERO]);
    moments_as_they_come(&all, [1, all.len(), 1], correction, m, r, &mut variance);
    (m[0], r[0]) = (m[0] / scale, r[0] / scale);
    (variance[0], scale)
}

/// Squares about given means: `y[o, i] = Σⱼ (x[o, j, i] − mean[o, i])²`.
///
/// ```
/// let mut y = [0f64];
/// mapsto_kernels::reduce::squares(&[1., 2., 3.], [1, 3, 1], &[2.], &mut y);
/// assert_eq!(y, [2.0]);
/// ```
pub fn squares<T: Float>(x: &[T], dims: [usize; 3], mean: &[T], y: &mut [T]) {
    assert_eq!(mean.len(), y.len(), "squares: one mean for each result");
    fold::<Squares<T>>(x, dims, Some(mean), y);
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

/// Positions of the largest values: the first `j` with the largest `x[o, j, i]`. NaN counts as the largest, so the
/// first NaN wins (as in PyTorch and NumPy).
///
/// ```
/// let mut at = [0; 2];
/// mapsto_kernels::reduce::argmax(&[1f32, 9., 9., 2., f32::NAN, 3.], [2, 3, 1], &mut at);
/// assert_eq!(at, [1, 1]);
/// ```
///
/// # Panics
/// Also if there is a result and `n` is 0.
pub fn argmax<T: Number>(x: &[T], dims: [usize; 3], at: &mut [i64]) {
    assert!(dims[1] > 0 || at.is_empty(), "argmax: no elements along the axis");
    position::<Max<T>>(x, dims, at, |a, b| a > b);
}

/// Positions of the smallest values: the first `j` with the smallest `x[o, j, i]`; the first NaN wins.
///
/// # Panics
/// Also if there is a result and `n` is 0.
pub fn argmin<T: Number>(x: &[T], dims: [usize; 3], at: &mut [i64]) {
    assert!(dims[1] > 0 || at.is_empty(), "argmin: no elements along the axis");
    position::<Min<T>>(x, dims, at, |a, b| a < b);
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
        vectorize_light(
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
                join_lanes::<Sum<f64>>(sums)
            },
        )
    };
    let blocks = a.len().div_ceil(BLOCK);
    if blocks <= 1 {
        return if blocks == 0 { 0.0 } else { leaf(0) };
    }
    let mut partial = vec![0f64; blocks];
    for_chunks(&mut partial, 1, a.len(), |k, p| p[0] = leaf(k));
    tree::<Sum<f64>>(0, blocks, &|k| partial[k])
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

/// Elements in a leaf along a row, rows (or groups of rows) in a leaf along columns, and columns in a tile.
const BLOCK: usize = 4096;
const LANES: usize = 32;
const ROWS: usize = 64;
const TILE: usize = 256;
/// Results are shared among threads one by one when there are this many; fewer are each cut into several parts.
const ENOUGH: usize = 16;

/// What is done with the elements: `step` takes in one (`c` is the result's own constant, such as its mean), `join`
/// puts two partial results together.
trait Fold: 'static {
    type T: Number;
    const START: Self::T;
    fn step(y: Self::T, x: Self::T, c: Self::T) -> Self::T;
    fn join(a: Self::T, b: Self::T) -> Self::T;
}

macro_rules! folds {
    ($($name:ident<$bound:ident>: $start:expr, |$y:ident, $x:ident, $c:ident| $step:expr, |$a:ident, $b:ident| $join:expr;)*) => {$(
        struct $name<T>(PhantomData<T>);
        impl<T: $bound> Fold for $name<T> {
            type T = T;
            const START: T = $start;
            #[inline(always)]
            fn step($y: T, $x: T, $c: T) -> T {
                $step
            }
            #[inline(always)]
            fn join($a: T, $b: T) -> T {
                $join
            }
        }
    )*};
}
folds! {
    Sum<Number>: T::ZERO, |y, x, _c| y.plus(x), |a, b| a.plus(b);
    Product<Number>: T::ONE, |y, x, _c| y.times(x), |a, b| a.times(b);
    Deviations<Float>: T::ZERO, |y, x, c| y + (x - c), |a, b| a + b;
    Squares<Float>: T::ZERO, |y, x, c| y + (x - c) * (x - c), |a, b| a + b;
    Max<Number>: T::LOWEST, |y, x, _c| y.max(x), |a, b| a.max(b);
    Min<Number>: T::HIGHEST, |y, x, _c| y.min(x), |a, b| a.min(b);
}

fn fold<F: Fold>(x: &[F::T], dims: [usize; 3], context: Option<&[F::T]>, y: &mut [F::T]) {
    let [outer, n, inner] = dims;
    assert_eq!(x.len(), elements([outer, n, inner]), "reduce: x has not the elements of {dims:?}");
    assert_eq!(y.len(), elements([outer, inner]), "reduce: y has not the elements of [{outer}, {inner}]");
    if x.is_empty() {
        return y.fill(F::START);
    }
    if inner == 1 { rows::<F>(x, n, context, y) } else { columns::<F>(x, dims, context, y) }
}

/// `inner = 1`: each result is a contiguous row.
fn rows<F: Fold>(x: &[F::T], n: usize, context: Option<&[F::T]>, y: &mut [F::T]) {
    let blocks = n.div_ceil(BLOCK);
    let leaf = |o: usize, k: usize| {
        let row = &x[o * n..(o + 1) * n];
        row_block::<F>(&row[k * BLOCK..(k * BLOCK + BLOCK).min(n)], context.map_or(F::T::ZERO, |c| c[o]))
    };
    if blocks > 1 && y.len() < ENOUGH {
        let mut partial = vec![F::START; y.len() * blocks];
        for_chunks(&mut partial, 1, x.len(), |i, p| p[0] = leaf(i / blocks, i % blocks));
        for (o, y) in y.iter_mut().enumerate() {
            *y = tree::<F>(0, blocks, &|k| partial[o * blocks + k]);
        }
        return;
    }
    let chunk = (BLOCK / n).max(1);
    for_chunks(y, chunk, x.len(), |i, y| {
        if blocks > 1 {
            y[0] = tree::<F>(0, blocks, &|k| leaf(i, k));
            return;
        }
        vectorize_light(
            #[inline(always)]
            || {
                for (o, y) in (i * chunk..).zip(y) {
                    *y = lanes::<F>(&x[o * n..(o + 1) * n], context.map_or(F::T::ZERO, |c| c[o]));
                }
            },
        );
    });
}

fn row_block<F: Fold>(x: &[F::T], c: F::T) -> F::T {
    vectorize_light(
        #[inline(always)]
        || lanes::<F>(x, c),
    )
}

#[inline(always)]
fn lanes<F: Fold>(x: &[F::T], c: F::T) -> F::T {
    let mut y = [F::START; LANES];
    let (whole, rest) = x.as_chunks::<LANES>();
    for x in whole {
        for l in 0..LANES {
            y[l] = F::step(y[l], x[l], c);
        }
    }
    for (y, &x) in y.iter_mut().zip(rest) {
        *y = F::step(*y, x, c);
    }
    join_lanes::<F>(y)
}

#[inline(always)]
fn join_lanes<F: Fold>(mut y: [F::T; LANES]) -> F::T {
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            y[l] = F::join(y[l], y[l + half]);
        }
        half /= 2;
    }
    y[0]
}

/// Joins leaves `from..to` (at least one) pairwise, always cut in the middle.
fn tree<F: Fold>(from: usize, to: usize, leaf: &impl Fn(usize) -> F::T) -> F::T {
    if to - from == 1 {
        return leaf(from);
    }
    let middle = (from + to) / 2;
    F::join(tree::<F>(from, middle, leaf), tree::<F>(middle, to, leaf))
}

/// `inner > 1`: a tile of up to 256 neighbouring columns at a time, one row after the other. Where `inner` is small
/// several rows make one wide row, and the running values are folded together at the end.
struct Columns<'a, T> {
    x: &'a [T],
    n: usize,
    inner: usize,
    /// Rows taken together.
    together: usize,
}

fn columns<F: Fold>(x: &[F::T], [outer, n, inner]: [usize; 3], context: Option<&[F::T]>, y: &mut [F::T]) {
    let columns = Columns { x, n, inner, together: (TILE / inner).max(1) };
    let leaves = n.div_ceil(ROWS * columns.together);
    let tiles = inner.div_ceil(TILE);
    let units = outer * tiles;
    // Few results of many rows are cut at a fixed depth of the tree, and its top is done at the end.
    let mut depth = 0;
    while units << depth < ENOUGH && 2 << depth <= leaves {
        depth += 1;
    }
    let place = |unit: usize| {
        let (o, j) = (unit / tiles, unit % tiles * TILE);
        (o, j, TILE.min(inner - j))
    };
    let compute = |unit: usize, (from, to): (usize, usize), out: &mut [F::T; TILE]| {
        let (o, j, width) = place(unit);
        let mut c = [F::T::ZERO; TILE];
        if let Some(context) = context {
            let here = &context[o * inner + j..][..width];
            c.chunks_mut(width).for_each(|c| c.copy_from_slice(&here[..c.len()]));
        }
        columns.tree::<F>(o, j, width, from, to, &c, out);
    };
    let results = Pieces::new(y);
    let write = |unit: usize, out: &[F::T; TILE]| {
        let (o, j, width) = place(unit);
        // SAFETY: `y` is borrowed until the function returns; each unit has columns of its own and is written once.
        unsafe { results.get(o * inner + j, width) }.copy_from_slice(&out[..width]);
    };
    if depth == 0 {
        return parallel(units, x.len(), |unit| {
            let mut out = [F::START; TILE];
            compute(unit, (0, leaves), &mut out);
            write(unit, &out);
        });
    }
    let parts = 1usize << depth;
    let mut partial = vec![[F::START; TILE]; units * parts];
    for_chunks(&mut partial, 1, x.len(), |i, out| {
        compute(i / parts, span(leaves, depth, i % parts), &mut out[0]);
    });
    for (unit, partial) in partial.chunks_mut(parts).enumerate() {
        let mut step = 1;
        while step < parts {
            for k in (0..parts).step_by(2 * step) {
                let (a, b) = partial.split_at_mut(k + step);
                join_tiles::<F>(&mut a[k], &b[0]);
            }
            step *= 2;
        }
        write(unit, &partial[0]);
    }
}

/// The leaves under the `index`-th node at `depth` of the tree over `leaves`.
fn span(leaves: usize, depth: usize, index: usize) -> (usize, usize) {
    let (mut from, mut to) = (0, leaves);
    for bit in (0..depth).rev() {
        let middle = (from + to) / 2;
        if index >> bit & 1 == 0 { to = middle } else { from = middle }
    }
    (from, to)
}

impl<T: Number> Columns<'_, T> {
    fn tree<F: Fold<T = T>>(
        &self,
        o: usize,
        j: usize,
        width: usize,
        from: usize,
        to: usize,
        c: &[T; TILE],
        out: &mut [T; TILE],
    ) {
        if to - from == 1 {
            return self.leaf::<F>(o, j, width, from, c, out);
        }
        let middle = (from + to) / 2;
        self.tree::<F>(o, j, width, from, middle, c, out);
        let mut right = [F::START; TILE];
        self.tree::<F>(o, j, width, middle, to, c, &mut right);
        join_tiles::<F>(out, &right);
    }

    fn leaf<F: Fold<T = T>>(
        &self,
        o: usize,
        j: usize,
        width: usize,
        leaf: usize,
        c: &[T; TILE],
        out: &mut [T; TILE],
    ) {
        let &Columns { x, n, inner, together } = self;
        let x = &x[o * n * inner..(o + 1) * n * inner];
        let (first, last) = (leaf * ROWS * together, ((leaf + 1) * ROWS * together).min(n));
        vectorize_light(
            #[inline(always)]
            || {
                let mut y = [F::START; TILE];
                for row in (first..last).step_by(together) {
                    let len = if together == 1 { width } else { together.min(last - row) * inner };
                    let x = &x[row * inner + j..][..len];
                    for ((y, &x), &c) in y[..len].iter_mut().zip(x).zip(c) {
                        *y = F::step(*y, x, c);
                    }
                }
                for row in 1..together.min(last - first) {
                    for i in 0..inner {
                        y[i] = F::join(y[i], y[row * inner + i]);
                    }
                }
                out[..width].copy_from_slice(&y[..width]);
            },
        );
    }
}

fn join_tiles<F: Fold>(a: &mut [F::T; TILE], b: &[F::T; TILE]) {
    vectorize_light(
        #[inline(always)]
        || {
            for (a, &b) in a.iter_mut().zip(b) {
                *a = F::join(*a, b);
            }
        },
    );
}

fn position<F: Fold>(
    x: &[F::T],
    dims: [usize; 3],
    at: &mut [i64],
    beats: impl Fn(F::T, F::T) -> bool + Sync + Copy,
) {
    let [outer, n, inner] = dims;
    assert_eq!(x.len(), elements([outer, n, inner]), "reduce: x has not the elements of {dims:?}");
    assert_eq!(at.len(), elements([outer, inner]), "reduce: there are not [{outer}, {inner}] positions");
    if at.is_empty() {
        return;
    }
    if inner == 1 {
        let chunk = (BLOCK / n).max(1);
        return for_chunks(at, chunk, 2 * x.len(), |i, at| {
            for (j, at) in at.iter_mut().enumerate() {
                let o = i * chunk + j;
                *at = first_of::<F>(&x[o * n..(o + 1) * n]) as i64;
            }
        });
    }
    let tiles = inner.div_ceil(TILE);
    let results = Pieces::new(at);
    parallel(outer * tiles, 2 * x.len(), |unit| {
        let (o, j) = (unit / tiles, unit % tiles * TILE);
        let width = TILE.min(inner - j);
        let x = &x[o * n * inner..(o + 1) * n * inner];
        // SAFETY: `at` is borrowed until `parallel` returns, and each unit has columns of its own.
        let at = unsafe { results.get(o * inner + j, width) };
        vectorize_light(
            #[inline(always)]
            || {
                let mut best = [F::START; TILE];
                best[..width].copy_from_slice(&x[j..j + width]);
                at.fill(0);
                for row in 1..n {
                    let x = &x[row * inner + j..][..width];
                    for ((best, at), &x) in best.iter_mut().zip(at.iter_mut()).zip(x) {
                        let better = !best.is_nan() & (beats(x, *best) | x.is_nan());
                        *best = F::T::select(better, x, *best);
                        *at = if better { row as i64 } else { *at };
                    }
                }
            },
        );
    });
}

/// The first element of `x` that is the extreme: found block by block, then looked for inside one block.
fn first_of<F: Fold>(x: &[F::T]) -> usize {
    let (mut best, mut block) = (F::START, 0);
    for (k, x) in x.chunks(BLOCK).enumerate() {
        let here = row_block::<F>(x, F::T::ZERO);
        if k == 0 || F::join(best, here) != best {
            (best, block) = (here, k);
        }
        if best.is_nan() {
            break;
        }
    }
    let is_best = |x: &F::T| if best.is_nan() { x.is_nan() } else { *x == best };
    let mut start = block * BLOCK;
    // Whole tiles first, without a way out in their middle: such a loop becomes vector code.
    let any = |x: &[F::T; TILE]| {
        vectorize_light(
            #[inline(always)]
            || x.iter().fold(false, |any, x| any | is_best(x)),
        )
    };
    start += x[start..].as_chunks().0.iter().take_while(|x| !any(x)).count() * TILE;
    start + x[start..].iter().position(is_best).expect("the extreme is one of the elements")
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

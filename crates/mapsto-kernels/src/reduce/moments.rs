//! Means, variances and standard deviations, also of numbers whose squares are none.

use super::fold::{Deviations, Squares, Steps, fold, fold_from};
use super::{Source, all_finite, sum};
use crate::real::Float;

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
/// mapsto_kernels::reduce::moments(&x, [1, 1000, 1], 0.0, [&mut mean, &mut rest, &mut variance]);
/// assert_eq!((mean[0] as f64 + rest[0] as f64, variance), (1e6 + 0.5, [0.25]));
/// ```
pub fn moments<T: Float>(x: &[T], dims: [usize; 3], correction: f64, [mean, rest, variance]: [&mut [T]; 3]) {
    moments_as_they_come(x, dims, correction, [&mut *mean, &mut *rest, &mut *variance]);
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
    [mean, rest, variance]: [&mut [T]; 3],
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
/// mapsto_kernels::reduce::spreads(&[1e30, 3e30], [1, 2, 1], 0.0, [&mut mean, &mut rest, &mut deviation]);
/// assert!((mean[0] / 2e30 - 1.0).abs() < 1e-6 && (deviation[0] / 1e30 - 1.0).abs() < 1e-6);
/// ```
pub fn spreads<T: Float>(x: &[T], dims: [usize; 3], correction: f64, [mean, rest, deviation]: [&mut [T]; 3]) {
    moments(x, dims, correction, [&mut *mean, &mut *rest, &mut *deviation]);
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
    moments_as_they_come(&all, [1, all.len(), 1], correction, [m, r, &mut variance]);
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

/// The sum of the squares of each result of a source, in f64, where those of f32 are exact and always numbers; 0 of nothing.
///
/// # Panics
/// As [`sum_from`](super::sum_from).
pub fn squares_from(x: &Source<'_, f64>, y: &mut [f64]) {
    fold_from(&Steps::of::<Squares<f64>>(), x, None, y);
}

//! Batch normalisation: each channel by its mean and variance over a batch, or by running ones.

use super::{BLOCK, apart};
use crate::elements::elements;
use crate::real::Float;
use crate::reduce;
use crate::simd::vectorize;
use crate::threads::for_chunks;
use crate::tiles::{LANES, tiles2, total};

/// Mean and population's variance of each channel of `x = [n, c, s]` (`s` stands for all axes after the channels).
///
/// ```
/// let (mut mean, mut var) = ([[0f32; 2]; 2], [0f32; 2]);
/// mapsto_kernels::norm::batch_norm_stats(&[1., 3., 10., 10., 5., 7., 10., 10.], [2, 2, 2], &mut mean, &mut var);
/// assert_eq!((mean, var), ([[4., 0.], [10., 0.]], [5., 0.]));
/// ```
pub fn batch_norm_stats<T: Float>(x: &[T], dims: [usize; 3], mean: &mut [[T; 2]], var: &mut [T]) {
    let [n, c, s] = dims;
    assert!(mean.len() == c && var.len() == c, "batch_norm: one mean and one variance for each channel");
    assert_eq!(x.len(), elements(dims), "batch_norm: x has not the elements of {dims:?}");
    if x.is_empty() {
        mean.fill([T::from_f64(f64::NAN); 2]); // the mean of nothing
        return var.fill(T::from_f64(f64::NAN));
    }
    let count = T::from_f64((n * s) as f64);
    // A sum for each sample and channel, then over the samples.
    type Sums<T> = fn(&[T], [usize; 3], &[T], &mut [T]);
    let mut partial = vec![T::ZERO; if s == 1 { 0 } else { n * c }];
    let mut sums = |f: Sums<T>, about: &[T], out: &mut [T]| {
        if s == 1 {
            return f(x, [1, n, c], about, out);
        }
        let about: Vec<T> = (0..n).flat_map(|_| about.iter().copied()).collect();
        f(x, [n * c, s, 1], &about, &mut partial);
        reduce::sum(&partial, [1, n, c], out);
    };
    let mut about: Vec<T> = x.iter().step_by(s).take(c).copied().collect();
    sums(reduce::deviations, &about, var);
    for ((mean, about), step) in mean.iter_mut().zip(&mut about).zip(&*var) {
        *mean = apart(*about, *step / count);
        *about = mean[0];
    }
    sums(reduce::squares, &about, var);
    for (var, [_, rest]) in var.iter_mut().zip(&*mean) {
        *var = (*var / count - *rest * *rest).max(T::ZERO);
    }
}

/// `y = (x − mean) · rstd · γ + β` for each channel of `x = [n, c, s]` (Ioffe & Szegedy 2015, arXiv:1502.03167); with
/// the batch's statistics in training, with running ones in use.
///
/// ```
/// let mut y = [0f32; 4];
/// mapsto_kernels::norm::batch_norm_apply(&[1., 3., 10., 20.], [1, 2, 2], &[[2., 0.], [10., 0.]], &[1., 0.5], None, None, &mut y);
/// assert_eq!(y, [-1., 1., 0., 5.]);
/// ```
pub fn batch_norm_apply<T: Float>(
    x: &[T],
    dims: [usize; 3],
    mean: &[[T; 2]],
    rstd: &[T],
    gamma: Option<&[T]>,
    beta: Option<&[T]>,
    y: &mut [T],
) {
    check_channels(dims, [x.len(), y.len()], mean, [Some(rstd), gamma, beta]);
    let scale = |k: usize| rstd[k] * gamma.map_or(T::ONE, |g| g[k]);
    let shift = |k: usize| beta.map_or(T::ZERO, |b| b[k]) - mean[k][1] * scale(k);
    let all: Vec<[T; 3]> = channels(dims).map(|k| [mean[k][0], scale(k), shift(k)]).collect();
    by_channel(
        dims,
        y,
        #[inline(always)]
        |at, channels, s, y| {
            let x = &x[at..at + y.len()];
            if s == 1 {
                for ((y, &x), &[mean, scale, shift]) in y.iter_mut().zip(x).zip(&all[channels..]) {
                    *y = (x - mean) * scale + shift;
                }
            } else {
                let [mean, scale, shift] = all[channels];
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = (x - mean) * scale + shift;
                }
            }
        },
    );
}

/// The gradient through [`batch_norm_apply`] with the batch's own statistics ([`batch_norm_stats`]): with
/// `z = (x − mean) rstd` and `N = n s`, for each channel `dβ = Σ g`, `dγ = Σ g z`,
/// `dx = γ rstd (g − dβ/N − z dγ/N)`.
pub fn batch_norm_backward<T: Float>(
    x: &[T],
    dims: [usize; 3],
    g: &[T],
    mean: &[[T; 2]],
    rstd: &[T],
    gamma: Option<&[T]>,
    dx: &mut [T],
    dgamma: &mut [T],
    dbeta: &mut [T],
) {
    let [n, c, s] = dims;
    check_channels(dims, [x.len(), g.len(), dx.len()], mean, [Some(rstd), gamma, Some(dgamma), Some(dbeta)]);
    if x.is_empty() {
        dgamma.fill(T::ZERO);
        return dbeta.fill(T::ZERO);
    }
    let sums = sums_with_gradient(x, dims, g, mean, rstd);
    dgamma.copy_from_slice(&sums[..c]);
    dbeta.copy_from_slice(&sums[c..]);
    let count = T::from_f64((n * s) as f64);
    let scale = |k: usize| rstd[k] * gamma.map_or(T::ONE, |g| g[k]);
    let all: Vec<[T; 4]> = channels(dims)
        .map(|k| {
            let ([m, rest], slope) = (mean[k], sums[k] / count * rstd[k]);
            [m, scale(k), sums[c + k] / count - rest * slope, slope]
        })
        .collect();
    by_channel(
        dims,
        dx,
        #[inline(always)]
        |at, channels, s, dx| {
            let (x, g) = (&x[at..at + dx.len()], &g[at..at + dx.len()]);
            if s == 1 {
                for (((dx, &x), &g), &[mean, scale, shift, slope]) in
                    dx.iter_mut().zip(x).zip(g).zip(&all[channels..])
                {
                    *dx = scale * (g - shift - (x - mean) * slope);
                }
            } else {
                let [mean, scale, shift, slope] = all[channels];
                for ((dx, &x), &g) in dx.iter_mut().zip(x).zip(g) {
                    *dx = scale * (g - shift - (x - mean) * slope);
                }
            }
        },
    );
}

/// The gradient through [`batch_norm_apply`] with statistics that do not depend on the batch: `dx = γ rstd g`, and `dγ` and
/// `dβ` as for [`batch_norm_backward`].
pub fn batch_norm_given_backward<T: Float>(
    x: &[T],
    dims: [usize; 3],
    g: &[T],
    mean: &[[T; 2]],
    rstd: &[T],
    gamma: Option<&[T]>,
    dx: &mut [T],
    dgamma: &mut [T],
    dbeta: &mut [T],
) {
    let [_, c, _] = dims;
    check_channels(dims, [x.len(), g.len(), dx.len()], mean, [Some(rstd), gamma, Some(dgamma), Some(dbeta)]);
    let sums = sums_with_gradient(x, dims, g, mean, rstd);
    dgamma.copy_from_slice(&sums[..c]);
    dbeta.copy_from_slice(&sums[c..]);
    let all: Vec<T> = channels(dims).map(|k| rstd[k] * gamma.map_or(T::ONE, |g| g[k])).collect();
    by_channel(
        dims,
        dx,
        #[inline(always)]
        |at, channels, s, dx| {
            let g = &g[at..at + dx.len()];
            if s == 1 {
                dx.iter_mut().zip(g).zip(&all[channels..]).for_each(|((dx, &g), &scale)| *dx = g * scale);
            } else {
                let scale = all[channels];
                dx.iter_mut().zip(g).for_each(|(dx, &g)| *dx = g * scale);
            }
        },
    );
}

/// `Σ g z` of each channel, then `Σ g` of each; see [`batch_norm_backward`].
fn sums_with_gradient<T: Float>(
    x: &[T],
    [n, c, s]: [usize; 3],
    g: &[T],
    mean: &[[T; 2]],
    rstd: &[T],
) -> Vec<T> {
    let mut sums = vec![T::ZERO; 2 * c];
    if x.is_empty() {
        return sums;
    }
    // Sums of each block of samples: [blocks, (Σ g z, Σ g), c].
    let group = if s == 1 { 64 } else { 1 };
    let blocks = n.div_ceil(group);
    let mut partial = vec![T::ZERO; blocks * 2 * c];
    for_chunks(&mut partial, 2 * c, 4 * x.len(), |i, partial| {
        let (for_gamma, for_beta) = partial.split_at_mut(c);
        let span = i * group * c * s..((i + 1) * group).min(n) * c * s;
        let (x, g) = (&x[span.clone()], &g[span]);
        vectorize(
            #[inline(always)]
            || {
                if s == 1 {
                    for (x, g) in x.chunks_exact(c).zip(g.chunks_exact(c)) {
                        let sums = for_gamma.iter_mut().zip(for_beta.iter_mut());
                        let given = mean.iter().zip(rstd);
                        for (((sums, &x), &g), (&[m, rest], &unit)) in sums.zip(x).zip(g).zip(given) {
                            *sums.0 += g * (((x - m) - rest) * unit);
                            *sums.1 += g;
                        }
                    }
                    return;
                }
                for (k, (x, g)) in x.chunks_exact(s).zip(g.chunks_exact(s)).enumerate() {
                    let ([m, rest], unit) = (mean[k], rstd[k]);
                    let (mut all_products, mut all) = (0.0, 0.0);
                    for (x, g) in x.chunks(BLOCK).zip(g.chunks(BLOCK)) {
                        let (mut products, mut sums) = ([T::ZERO; LANES], [T::ZERO; LANES]);
                        tiles2(
                            x,
                            g,
                            #[inline(always)]
                            |_, x, g| {
                                for l in 0..LANES {
                                    products[l] += ((x[l] - m) - rest) * unit * g[l];
                                    sums[l] += g[l];
                                }
                            },
                        );
                        all_products += total(products).to_f64();
                        all += total(sums).to_f64();
                    }
                    (for_gamma[k], for_beta[k]) = (T::from_f64(all_products), T::from_f64(all));
                }
            },
        );
    });
    reduce::sum(&partial, [1, blocks, 2 * c], &mut sums);
    sums
}

fn check_channels<T, const A: usize, const B: usize>(
    dims: [usize; 3],
    all: [usize; A],
    mean: &[[T; 2]],
    each: [Option<&[T]>; B],
) {
    assert!(mean.len() == dims[1], "batch_norm: not one mean for each channel");
    let all_of_it = elements(dims);
    assert!(all.iter().all(|&len| len == all_of_it), "batch_norm: a slice has not the elements of {dims:?}");
    assert!(each.iter().flatten().all(|v| v.len() == dims[1]), "batch_norm: not one number for each channel");
}

/// The channels in order; with `s = 1` those of as many samples as make a long run.
fn channels([_, c, s]: [usize; 3]) -> impl ExactSizeIterator<Item = usize> {
    (0..if s == 1 { (64 / c.max(1)).max(1) * c } else { c }).map(move |k| k % c)
}

/// Calls `f(start, channel, s, piece of y)` for each run of one channel's elements; with `s = 1` for some samples at a time,
/// whose [`channels`] begin at 0.
#[inline(always)]
fn by_channel<T: Float>(
    [_, c, s]: [usize; 3],
    y: &mut [T],
    f: impl Fn(usize, usize, usize, &mut [T]) + Sync,
) {
    if y.is_empty() {
        return;
    }
    let run = if s == 1 { channels([0, c, s]).len() } else { s };
    let group = (BLOCK / run).max(1) * run;
    let cost = 2 * y.len();
    for_chunks(y, group, cost, |i, y| {
        vectorize(
            #[inline(always)]
            || {
                for (k, y) in y.chunks_mut(run).enumerate() {
                    let at = i * group + k * run;
                    f(at, if s == 1 { 0 } else { at / s % c }, s, y);
                }
            },
        );
    });
}

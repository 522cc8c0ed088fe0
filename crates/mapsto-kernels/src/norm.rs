//! Layer and batch normalisation, `y = (x − mean) / √(var + ε) · γ + β`, forward and backward.
//!
//! Both take two visits for the statistics (mean, then squares about it), because one visit (`E[x²] − E[x]²`) cancels
//! where the mean is large beside the spread. For the same reason a mean is taken beside the first element, and comes as
//! two numbers: `[the mean rounded, what rounding took]`. Sums over many rows are taken in fixed blocks and joined
//! pairwise.

use crate::blocks::for_blocks;
use crate::elements::elements;
use crate::real::Float;
use crate::reduce;
use crate::simd::vectorize;
use crate::softmax::{LANES, tiles1, tiles2, total};
use crate::threads::for_chunks;

/// Normalises each row of `n` (Ba, Kiros & Hinton 2016, arXiv:1607.06450): `y = (x − mean) · rstd · γ + β`, with
/// `rstd = 1/√(var + ε)` and the population's variance. `mean`, in two parts, and `rstd` are for the gradient.
///
/// ```
/// let (mut y, mut mean, mut rstd) = ([0f32; 2], [[0.0; 2]], [0.0]);
/// mapsto_kernels::norm::layer_norm(&[1.0, 5.0], 2, None, Some(&[10.0, 20.0]), 0.0, &mut y, &mut mean, &mut rstd);
/// assert_eq!((y, mean, rstd), ([9.0, 21.0], [[3.0, 0.0]], [0.5]));
/// ```
///
/// # Panics
/// If lengths do not fit (also in every other function here).
pub fn layer_norm<T: Float>(
    x: &[T],
    n: usize,
    gamma: Option<&[T]>,
    beta: Option<&[T]>,
    eps: f64,
    y: &mut [T],
    mean: &mut [[T; 2]],
    rstd: &mut [T],
) {
    assert!(
        x.len() == y.len() && x.len() == elements([n, mean.len()]),
        "layer_norm: the slices are not rows of {n}"
    );
    assert_eq!(mean.len(), rstd.len(), "layer_norm: one mean and one rstd for each row");
    assert!(
        [gamma, beta].iter().flatten().all(|p| p.len() == n),
        "layer_norm: gamma and beta are rows of {n}"
    );
    if x.is_empty() {
        return;
    }
    let (count, eps, group) = (T::from_f64(n as f64), T::from_f64(eps), (BLOCK / n).max(1));
    for_blocks(
        [y, mean.as_flattened_mut(), rstd],
        [group * n, 2 * group, group],
        4 * x.len(),
        |i, [y, mean, rstd]| {
            let x = &x[i * group * n..][..y.len()];
            vectorize(
                #[inline(always)]
                || {
                    for (r, (x, y)) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)).enumerate() {
                        let [m, rest] = apart(x[0], about::<T>(x, x[0], |d| d) / count);
                        let squares = about::<T>(x, m, |d| d * d) / count - rest * rest;
                        let variance = squares.max(T::ZERO) + eps;
                        if !(variance >= T::MIN_POSITIVE && variance.is_finite()) {
                            let (mean, s) = (&mut mean[2 * r..][..2], &mut rstd[r]);
                            far_row(x, eps, [gamma, beta], y, mean, s);
                            continue;
                        }
                        let s = variance.sqrt().recip();
                        mean[2 * r..][..2].copy_from_slice(&[m, rest]);
                        rstd[r] = s;
                        y.iter_mut().zip(x).for_each(|(y, &x)| *y = ((x - m) - rest) * s);
                        if let Some(gamma) = gamma {
                            y.iter_mut().zip(gamma).for_each(|(y, &gamma)| *y *= gamma);
                        }
                        if let Some(beta) = beta {
                            y.iter_mut().zip(beta).for_each(|(y, &beta)| *y += beta);
                        }
                    }
                },
            );
        },
    );
}

/// A row whose variance is no number, or has lost its digits: the row is taken in units of its largest number.
#[cold]
fn far_row<T: Float>(x: &[T], eps: T, weights: [Option<&[T]>; 2], y: &mut [T], mean: &mut [T], rstd: &mut T) {
    let unit = reduce::power_of_two_below(x.iter().fold(T::ZERO, |most, x| most.max(x.abs())));
    let scale = unit.recip();
    let scaled: Vec<T> = x.iter().map(|x| *x * scale).collect();
    let ([mut m], [mut rest], [mut v]) = ([T::ZERO], [T::ZERO], [T::ZERO]);
    let one = std::slice::from_mut::<T>;
    reduce::moments(&scaled, [1, x.len(), 1], 0.0, one(&mut m), one(&mut rest), one(&mut v));
    let s = (v + eps * scale * scale).sqrt().recip();
    (mean[0], mean[1], *rstd) = (m * unit, rest * unit, s * scale);
    for (i, (y, x)) in y.iter_mut().zip(&scaled).enumerate() {
        *y = ((*x - m) - rest) * s;
        *y *= weights[0].map_or(T::ONE, |gamma| gamma[i]);
        *y += weights[1].map_or(T::ZERO, |beta| beta[i]);
    }
}

/// `x + step` as the number it rounds to and what rounding took from it.
#[inline(always)]
fn apart<T: Float>(x: T, step: T) -> [T; 2] {
    let m = x + step;
    [m, step - (m - x)]
}

/// `Σ f(x − m)` over a row, a long one block by block.
#[inline(always)]
fn about<T: Float>(x: &[T], m: T, f: impl Fn(T) -> T) -> T {
    let mut all = 0.0;
    for x in x.chunks(BLOCK) {
        let mut sums = [T::ZERO; LANES];
        tiles1(
            x,
            m,
            #[inline(always)]
            |_, x| {
                for l in 0..LANES {
                    sums[l] += f(x[l] - m);
                }
            },
        );
        all += total(sums).to_f64();
    }
    T::from_f64(all)
}

/// The gradient through [`layer_norm`]: with `z = (x − mean) rstd` and `h = γ g`,
/// `dx = rstd (h − mean(h) − z mean(z h))` in each row, `dγ = Σ g z` and `dβ = Σ g` over the rows.
///
/// Two visits of a row, one for all four sums: 0.22 ms for 2048 rows of 384 on two threads; five visits took 0.46.
pub fn layer_norm_backward<T: Float>(
    x: &[T],
    n: usize,
    gamma: Option<&[T]>,
    mean: &[[T; 2]],
    rstd: &[T],
    g: &[T],
    dx: &mut [T],
    dgamma: &mut [T],
    dbeta: &mut [T],
) {
    let rows = mean.len();
    assert!(
        x.len() == elements([n, rows]) && g.len() == x.len() && dx.len() == x.len(),
        "layer_norm: rows of {n}"
    );
    assert_eq!(rows, rstd.len(), "layer_norm: one mean and one rstd for each row");
    assert!(gamma.is_none_or(|p| p.len() == n), "layer_norm: gamma is a row of {n}");
    assert!(
        dgamma.len() == n && dbeta.len() == n,
        "layer_norm: the gradients of gamma and beta are rows of {n}"
    );
    if x.is_empty() {
        dgamma.fill(T::ZERO);
        return dbeta.fill(T::ZERO);
    }
    let count = T::from_f64(n as f64);
    // At most 64 blocks, each with sums of its own for γ and β, in whole tiles.
    let group = (BLOCK / n).max(1).max(rows.div_ceil(64));
    let (blocks, wide) = (rows.div_ceil(group), n.next_multiple_of(LANES));
    let mut weights = vec![T::ONE; wide];
    weights[..n].copy_from_slice(gamma.unwrap_or(&vec![T::ONE; n]));
    let (weights, _) = weights.as_chunks::<LANES>();
    let mut partial = vec![T::ZERO; 2 * wide * blocks];
    for_blocks([dx, &mut partial], [group * n, 2 * wide], 8 * x.len(), |i, [dx, partial]| {
        let span = i * group * n..i * group * n + dx.len();
        let (x, g) = (&x[span.clone()], &g[span]);
        let (partial, _) = partial.as_chunks_mut::<LANES>();
        let (for_gamma, for_beta) = partial.split_at_mut(wide / LANES);
        vectorize(
            #[inline(always)]
            || {
                for (r, dx) in dx.chunks_exact_mut(n).enumerate() {
                    let (x, g) = (&x[r * n..(r + 1) * n], &g[r * n..(r + 1) * n]);
                    let ([m, rest], s) = (mean[i * group + r], rstd[i * group + r]);
                    let (mut sums, mut products) = ([T::ZERO; LANES], [T::ZERO; LANES]);
                    tiles2(
                        x,
                        g,
                        #[inline(always)]
                        |at, x, g| {
                            let k = at / LANES;
                            let (weight, for_gamma, for_beta) =
                                (&weights[k], &mut for_gamma[k], &mut for_beta[k]);
                            for l in 0..LANES {
                                // Not d h, which may be infinite where the gradient is not.
                                let (z, h) = (((x[l] - m) - rest) * s, g[l] * weight[l]);
                                sums[l] += h;
                                products[l] += z * h;
                                for_gamma[l] += g[l] * z;
                                for_beta[l] += g[l];
                            }
                        },
                    );
                    let (shift, slope) = (total(sums) / count, total(products) / count * s);
                    let weights = weights.as_flattened();
                    for (((dx, &x), &g), &weight) in dx.iter_mut().zip(x).zip(g).zip(weights) {
                        *dx = s * (g * weight - shift - ((x - m) - rest) * slope);
                    }
                }
            },
        );
    });
    let mut sums = vec![T::ZERO; 2 * wide];
    reduce::sum(&partial, [1, blocks, 2 * wide], &mut sums);
    dgamma.copy_from_slice(&sums[..n]);
    dbeta.copy_from_slice(&sums[wide..wide + n]);
}

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
    let [_, c, _] = dims;
    check_channels(dims, [x.len(), y.len()], mean, [Some(rstd), gamma, beta]);
    let scale = |k: usize| rstd[k] * gamma.map_or(T::ONE, |g| g[k]);
    let shift = |k: usize| beta.map_or(T::ZERO, |b| b[k]) - mean[k][1] * scale(k);
    let all: Vec<[T; 3]> = (0..c).map(|k| [mean[k][0], scale(k), shift(k)]).collect();
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
                        for k in 0..c {
                            let [m, rest] = mean[k];
                            for_gamma[k] += g[k] * (((x[k] - m) - rest) * rstd[k]);
                            for_beta[k] += g[k];
                        }
                    }
                    return;
                }
                for (k, (x, g)) in x.chunks_exact(s).zip(g.chunks_exact(s)).enumerate() {
                    let ([m, rest], unit) = (mean[k], rstd[k]);
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
                    (for_gamma[k], for_beta[k]) = (total(products), total(sums));
                }
            },
        );
    });
    let mut sums = vec![T::ZERO; 2 * c];
    reduce::sum(&partial, [1, blocks, 2 * c], &mut sums);
    dgamma.copy_from_slice(&sums[..c]);
    dbeta.copy_from_slice(&sums[c..]);
    let count = T::from_f64((n * s) as f64);
    let scale = |k: usize| rstd[k] * gamma.map_or(T::ONE, |g| g[k]);
    let all: Vec<[T; 4]> = (0..c)
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

/// Elements in a piece of work.
const BLOCK: usize = 4096;

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

/// Calls `f(start, channel, s, piece of y)` for each run of one channel's elements; with `s = 1` for each sample,
/// whose channels begin at 0.
#[inline(always)]
fn by_channel<T: Float>(
    [_, c, s]: [usize; 3],
    y: &mut [T],
    f: impl Fn(usize, usize, usize, &mut [T]) + Sync,
) {
    if y.is_empty() {
        return;
    }
    let run = if s == 1 { c } else { s };
    let group = (BLOCK / run).max(1) * run;
    let cost = 2 * y.len();
    for_chunks(y, group, cost, |i, y| {
        vectorize(
            #[inline(always)]
            || {
                for (k, y) in y.chunks_exact_mut(run).enumerate() {
                    let at = i * group + k * run;
                    f(at, if s == 1 { 0 } else { at / s % c }, s, y);
                }
            },
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::with_threads;

    fn numbers(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| (((i + seed) * 7919) % 1009) as f64 / 500.0 - 1.0).collect()
    }

    fn close(a: &[f64], b: &[f64], what: &str) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-10 * (1.0 + b.abs()), "{what}: {a} {b}");
        }
    }

    /// Normalises the elements `at` of `x` together and gives their results and, for a gradient `h` on the normalised
    /// values, theirs: the Jacobian `∂zᵢ/∂xⱼ = rstd (δᵢⱼ − 1/N − zᵢ zⱼ / N)` written out.
    fn plain(x: &[f64], h: &[f64], at: &[usize], eps: f64) -> (Vec<f64>, Vec<f64>) {
        let n = at.len() as f64;
        let mean = at.iter().map(|&i| x[i]).sum::<f64>() / n;
        let rstd = 1.0 / (at.iter().map(|&i| (x[i] - mean).powi(2)).sum::<f64>() / n + eps).sqrt();
        let z: Vec<f64> = at.iter().map(|&i| (x[i] - mean) * rstd).collect();
        let dx = (0..at.len()).map(|j| {
            let row = |i: usize| h[at[i]] * rstd * ((i == j) as u8 as f64 - 1.0 / n - z[i] * z[j] / n);
            (0..at.len()).map(row).sum()
        });
        (z.clone(), dx.collect())
    }

    fn on_threads<R: PartialEq>(f: impl Fn() -> R) -> R {
        let one = with_threads(1, &f);
        assert!(with_threads(2, &f) == one && with_threads(8, &f) == one);
        one
    }

    #[test]
    fn layer_norm_against_its_jacobian() {
        for (rows, n) in [(0, 4), (1, 1), (3, 5), (2, 33), (700, 10), (65, 128)] {
            let (x, g) = (numbers(rows * n, 1), numbers(rows * n, 2));
            let (gamma, beta) = (numbers(n, 3), numbers(n, 4));
            for p in [None, Some((&gamma[..], &beta[..]))] {
                let (y, dx, dgamma, dbeta) = on_threads(|| {
                    let (mut y, mut dx) = (x.clone(), x.clone());
                    let (mut mean, mut rstd) = (vec![[0.0; 2]; rows], vec![0.0; rows]);
                    let [mut dgamma, mut dbeta] = [vec![9.0; n], vec![9.0; n]];
                    layer_norm(&x, n, p.map(|p| p.0), p.map(|p| p.1), 1e-3, &mut y, &mut mean, &mut rstd);
                    let gamma = p.map(|p| p.0);
                    layer_norm_backward(&x, n, gamma, &mean, &rstd, &g, &mut dx, &mut dgamma, &mut dbeta);
                    (y, dx, dgamma, dbeta)
                });
                let ([mut wy, mut wdx], [mut wgamma, mut wbeta]) =
                    ([x.clone(), x.clone()], [vec![0.0; n], vec![0.0; n]]);
                let h: Vec<f64> =
                    g.iter().enumerate().map(|(i, g)| g * p.map_or(1.0, |p| p.0[i % n])).collect();
                for r in 0..rows {
                    let at: Vec<usize> = (r * n..(r + 1) * n).collect();
                    let (z, d) = plain(&x, &h, &at, 1e-3);
                    for j in 0..n {
                        wy[at[j]] = p.map_or(z[j], |p| z[j] * p.0[j] + p.1[j]);
                        wdx[at[j]] = d[j];
                        wgamma[j] += g[at[j]] * z[j];
                        wbeta[j] += g[at[j]];
                    }
                }
                close(&y, &wy, "y");
                close(&dx, &wdx, "dx");
                close(&dgamma, &wgamma, "dgamma");
                close(&dbeta, &wbeta, "dbeta");
            }
        }
    }

    #[test]
    fn batch_norm_against_its_jacobian() {
        for dims @ [n, c, s] in
            [[0, 3, 2], [1, 1, 2], [4, 3, 1], [130, 5, 1], [3, 4, 7], [5, 2, 33], [2, 70, 50]]
        {
            let len = n * c * s;
            let (x, g) = (numbers(len, 1), numbers(len, 2));
            let (gamma, beta) = (numbers(c, 3), numbers(c, 4));
            for p in [None, Some((&gamma[..], &beta[..]))] {
                let (y, dx, dgamma, dbeta) = on_threads(|| {
                    let (mut y, mut dx) = (x.clone(), x.clone());
                    let [mut var, mut dgamma, mut dbeta] = [(); 3].map(|()| vec![9.0; c]);
                    let mut mean = vec![[9.0; 2]; c];
                    batch_norm_stats(&x, dims, &mut mean, &mut var);
                    let rstd: Vec<f64> = var.iter().map(|v| 1.0 / (v + 1e-3).sqrt()).collect();
                    batch_norm_apply(&x, dims, &mean, &rstd, p.map(|p| p.0), p.map(|p| p.1), &mut y);
                    let gamma = p.map(|p| p.0);
                    batch_norm_backward(&x, dims, &g, &mean, &rstd, gamma, &mut dx, &mut dgamma, &mut dbeta);
                    (y, dx, dgamma, dbeta)
                });
                let ([mut wy, mut wdx], [mut wgamma, mut wbeta]) =
                    ([x.clone(), x.clone()], [vec![0.0; c], vec![0.0; c]]);
                let h: Vec<f64> =
                    g.iter().enumerate().map(|(i, g)| g * p.map_or(1.0, |p| p.0[i / s % c])).collect();
                for k in 0..c {
                    let at: Vec<usize> = (0..len).filter(|i| i / s % c == k).collect();
                    let (z, d) = plain(&x, &h, &at, 1e-3);
                    for (j, &i) in at.iter().enumerate() {
                        wy[i] = p.map_or(z[j], |p| z[j] * p.0[k] + p.1[k]);
                        wdx[i] = d[j];
                        wgamma[k] += g[i] * z[j];
                        wbeta[k] += g[i];
                    }
                }
                close(&y, &wy, "y");
                close(&dx, &wdx, "dx");
                close(&dgamma, &wgamma, "dgamma");
                close(&dbeta, &wbeta, "dbeta");
            }
        }
    }

    #[test]
    fn a_large_mean_leaves_the_spread_alone() {
        for (n, top) in [(1000, 4096.0), (1000, 1e6), (1 << 20, 1e4), (4096, 8e6)] {
            let x: Vec<f32> = (0..n).map(|i| top + (i % 2) as f32).collect();
            let g: Vec<f32> = (0..n).map(|i| (i % 3) as f32).collect();
            let (mut y, mut mean, mut rstd) = (x.clone(), [[0.0; 2]], [0.0]);
            layer_norm(&x, n, None, None, 0.0, &mut y, &mut mean, &mut rstd);
            assert!(
                (rstd[0] - 2.0).abs() < 1e-5 && (y[0] + 1.0).abs() < 1e-5,
                "{n} {top}: {rstd:?} {}",
                y[0]
            );
            let (mut dx, mut dgamma, mut dbeta) = (x.clone(), vec![0.0; n], vec![0.0; n]);
            layer_norm_backward(&x, n, None, &mean, &rstd, &g, &mut dx, &mut dgamma, &mut dbeta);
            assert!(dgamma.iter().zip(&g).zip(&y).all(|((d, g), y)| (d - g * y).abs() < 1e-5));
            let (mut mean, mut var) = ([[0.0; 2]; 2], [0.0; 2]);
            batch_norm_stats(&x, [2, 2, n / 4], &mut mean, &mut var);
            let middle = mean[1][0] as f64 - top as f64 + mean[1][1] as f64;
            assert!(
                (var[0] - 0.25).abs() < 1e-5 && (middle - 0.5).abs() < 1e-5,
                "{n} {top}: {var:?} {middle}"
            );
            let rstd = [2.0; 2];
            batch_norm_apply(&x, [2, 2, n / 4], &mean, &rstd, None, None, &mut y);
            assert!((y[0] + 1.0).abs() < 1e-5 && (y[1] - 1.0).abs() < 1e-5);
            let (mut dgamma, mut dbeta) = ([0.0; 2], [0.0; 2]);
            batch_norm_backward(&x, [2, 2, n / 4], &y, &mean, &rstd, None, &mut dx, &mut dgamma, &mut dbeta);
            assert!(dgamma.iter().all(|d| (d / (n / 2) as f32 - 1.0).abs() < 1e-5), "{dgamma:?}");
        }
    }

    #[test]
    fn equal_values_have_no_variance_at_all() {
        for value in [0.1f32, 1e6 + 0.3, -7.7e-20] {
            let x = vec![value; 999];
            let (mut y, mut mean, mut rstd) = (x.clone(), [[0.0; 2]], [0.0]);
            layer_norm(&x, 999, None, None, 1.0, &mut y, &mut mean, &mut rstd);
            assert!(mean == [[value, 0.0]] && rstd == [1.0] && y.iter().all(|&y| y == 0.0));
            let (mut mean, mut var) = ([[0.0; 2]; 3], [9.0; 3]);
            batch_norm_stats(&x, [3, 3, 111], &mut mean, &mut var);
            assert!(var == [0.0; 3] && mean == [[value, 0.0]; 3]);
        }
    }
}

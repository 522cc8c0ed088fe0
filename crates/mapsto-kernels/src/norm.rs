//! Layer and batch normalisation, `y = (x − mean) / √(var + ε) · γ + β`, forward and backward.
//!
//! Both take two visits for the statistics (mean, then squares about it), because one visit (`E[x²] − E[x]²`) cancels
//! where the mean is large beside the spread. For the same reason a mean is taken beside the first element, and comes as
//! two numbers: `[the mean rounded, what rounding took]`. Sums over many rows are taken in fixed blocks and joined
//! pairwise.

mod batch;
mod layer;

pub use batch::{batch_norm_apply, batch_norm_backward, batch_norm_given_backward, batch_norm_stats};
pub use layer::{layer_norm, layer_norm_backward};

use crate::real::Float;

/// Elements in a piece of work, and of a long row that are summed in its own type.
const BLOCK: usize = 4096;

/// `x + step` as the number it rounds to and what rounding took from it.
#[inline(always)]
fn apart<T: Float>(x: T, step: T) -> [T; 2] {
    let m = x + step;
    [m, step - (m - x)]
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

//! Eigenvalues and eigenvectors of a symmetric matrix in f64, for projections.

/// Eigenvalues, the largest first, and the eigenvector of each, of a symmetric `n × n` matrix; none where the iteration does not settle.
///
/// Householder's tridiagonal form, then QL with implicit shifts: the procedures `tred2` and `tql2` of Bowdler, Martin, Reinsch and
/// Wilkinson, 1968.
pub(crate) fn eigen(mut v: Vec<f64>, n: usize) -> Option<Vec<(f64, Vec<f64>)>> {
    let (mut d, mut e) = (vec![0.0; n], vec![0.0; n]);
    tridiagonal(&mut v, &mut d, &mut e);
    diagonal(&mut v, &mut d, &mut e)?;
    let mut pairs: Vec<(f64, Vec<f64>)> =
        (0..n).map(|j| (d[j], (0..n).map(|i| v[i * n + j]).collect())).collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    Some(pairs)
}

/// The diagonal `d` and the line below it `e` of a tridiagonal matrix, and in `v` the turn that makes it.
fn tridiagonal(v: &mut [f64], d: &mut [f64], e: &mut [f64]) {
    let n = d.len();
    (0..n).for_each(|j| d[j] = v[(n - 1) * n + j]);
    for i in (1..n).rev() {
        let scale: f64 = d[..i].iter().map(|d| d.abs()).sum();
        let mut h = 0.0;
        if scale == 0.0 {
            e[i] = d[i - 1];
            for j in 0..i {
                d[j] = v[(i - 1) * n + j];
                v[i * n + j] = 0.0;
                v[j * n + i] = 0.0;
            }
        } else {
            for k in 0..i {
                d[k] /= scale;
                h += d[k] * d[k];
            }
            let f = d[i - 1];
            let g = if f > 0.0 { -h.sqrt() } else { h.sqrt() };
            e[i] = scale * g;
            h -= f * g;
            d[i - 1] = f - g;
            e[..i].fill(0.0);
            for j in 0..i {
                let f = d[j];
                v[j * n + i] = f;
                let mut g = e[j] + v[j * n + j] * f;
                for k in j + 1..i {
                    g += v[k * n + j] * d[k];
                    e[k] += v[k * n + j] * f;
                }
                e[j] = g;
            }
            let mut f = 0.0;
            for j in 0..i {
                e[j] /= h;
                f += e[j] * d[j];
            }
            let hh = f / (h + h);
            (0..i).for_each(|j| e[j] -= hh * d[j]);
            for j in 0..i {
                let (f, g) = (d[j], e[j]);
                (j..i).for_each(|k| v[k * n + j] -= f * e[k] + g * d[k]);
                d[j] = v[(i - 1) * n + j];
                v[i * n + j] = 0.0;
            }
        }
        d[i] = h;
    }
    for i in 0..n.saturating_sub(1) {
        v[(n - 1) * n + i] = v[i * n + i];
        v[i * n + i] = 1.0;
        let h = d[i + 1];
        if h != 0.0 {
            (0..=i).for_each(|k| d[k] = v[k * n + i + 1] / h);
            for j in 0..=i {
                let g: f64 = (0..=i).map(|k| v[k * n + i + 1] * v[k * n + j]).sum();
                (0..=i).for_each(|k| v[k * n + j] -= g * d[k]);
            }
        }
        (0..=i).for_each(|k| v[k * n + i + 1] = 0.0);
    }
    for j in 0..n {
        d[j] = v[(n - 1) * n + j];
        v[(n - 1) * n + j] = 0.0;
    }
    if n > 0 {
        v[n * n - 1] = 1.0;
        e[0] = 0.0;
    }
}

/// The eigenvalues in `d` and the eigenvectors in the columns of `v`.
fn diagonal(v: &mut [f64], d: &mut [f64], e: &mut [f64]) -> Option<()> {
    let n = d.len();
    if n == 0 {
        return Some(());
    }
    e.rotate_left(1);
    e[n - 1] = 0.0;
    let (mut f, mut largest) = (0.0, 0.0f64);
    for l in 0..n {
        largest = largest.max(d[l].abs() + e[l].abs());
        let m = (l..n).find(|m| e[*m].abs() <= f64::EPSILON * largest).unwrap_or(n - 1);
        let (mut turns, mut is_done) = (0, m == l);
        while !is_done {
            turns += 1;
            if turns > 100 {
                return None;
            }
            let g = d[l];
            let p = (d[l + 1] - g) / (2.0 * e[l]);
            let r = if p < 0.0 { -p.hypot(1.0) } else { p.hypot(1.0) };
            d[l] = e[l] / (p + r);
            d[l + 1] = e[l] * (p + r);
            let (next, h) = (d[l + 1], g - d[l]);
            d[l + 2..].iter_mut().for_each(|d| *d -= h);
            f += h;
            let mut p = d[m];
            let (mut c, mut c2, mut c3) = (1.0, 1.0, 1.0);
            let below = e[l + 1];
            let (mut s, mut s2) = (0.0, 0.0);
            for i in (l..m).rev() {
                (c3, c2, s2) = (c2, c, s);
                let (g, h) = (c * e[i], c * p);
                let r = p.hypot(e[i]);
                e[i + 1] = s * r;
                s = e[i] / r;
                c = p / r;
                p = c * d[i] - s * g;
                d[i + 1] = h + s * (c * g + s * d[i]);
                for k in 0..n {
                    let h = v[k * n + i + 1];
                    v[k * n + i + 1] = s * v[k * n + i] + c * h;
                    v[k * n + i] = c * v[k * n + i] - s * h;
                }
            }
            p = -s * s2 * c3 * below * e[l] / next;
            e[l] = s * p;
            d[l] = c * p;
            is_done = e[l].abs() <= f64::EPSILON * largest;
        }
        d[l] += f;
        e[l] = 0.0;
    }
    Some(())
}

#[test]
fn a_matrix_is_its_eigenvectors_times_its_eigenvalues() {
    let mut draw = mapsto_tensor::random::Keyed::new(&[3]);
    let mut compared = 0;
    for n in [1, 2, 3, 10, 41] {
        for rank in [1, n] {
            let b: Vec<f64> = (0..n * rank).map(|_| draw.normal()).collect();
            let dot = |i: usize, j: usize| (0..rank).map(|k| b[i * rank + k] * b[j * rank + k]).sum::<f64>();
            let a: Vec<f64> = (0..n * n).map(|ij| dot(ij / n, ij % n)).collect();
            let pairs = eigen(a.clone(), n).unwrap();
            for i in 0..n {
                for j in 0..n {
                    let made: f64 = pairs.iter().map(|(w, v)| w * v[i] * v[j]).sum();
                    assert!((made - a[i * n + j]).abs() < 1e-11 * (1 + n) as f64, "{n}: {i}, {j}");
                    let dot: f64 = pairs[i].1.iter().zip(&pairs[j].1).map(|(a, b)| a * b).sum();
                    assert!((dot - f64::from(i == j)).abs() < 1e-12);
                    compared += 2;
                }
            }
            assert!(pairs.windows(2).all(|w| w[0].0 >= w[1].0));
        }
    }
    assert_eq!(compared, 2 * 2 * (1 + 4 + 9 + 100 + 41 * 41));
}

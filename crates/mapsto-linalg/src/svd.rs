//! The singular value decomposition.

use crate::batch::{
    Fault, Matrices, Matrix, attempt, batched, eye, finite, is_unused, parts, rows, shape_of, sizes,
};
use crate::eigh::{most_steps, turned};
use crate::samples::{ANY, each, spread};
use crate::solve::cubic;
use mapsto_tensor::graph::{At, Cost, Keep, Op, Outline, Ran, Vjp, apply};
use mapsto_tensor::kind::{OpKind, Samples, Takes};
use mapsto_tensor::{Result, Tensor};
use nalgebra::{DVector, SVD};
use std::ops::RangeInclusive;

pub(crate) const KINDS: [OpKind; 2] = [
    OpKind::new("svd", "Singular values and vectors of each matrix.", Takes::Floats, of_svd)
        .built(|_| Ok(Box::new(Svd { is_whole: true }))),
    OpKind::new("svdvals", "Singular values of each matrix.", Takes::Floats, of_svdvals)
        .built(|_| Ok(Box::new(Svd { is_whole: false }))),
];

/// `U` and `V` with orthonormal columns and singular values `s`, the largest first, with `U diag(s) Vᵀ = A`, of each matrix. The third result is
/// `Vᵀ`. PyTorch's `full_matrices=False`.
///
/// **Signs**: of each column of `U`, the first of its largest numbers is positive. Of equal singular values the vectors are some
/// orthonormal basis of their space.
///
/// * Shape: `[.., m, n] → ([.., m, k], [.., k], [.., k, n])` with `k = min(m, n)`, floats only.
/// * Gradient: with `E = sⱼ² − sᵢ²` and `skew X = X − Xᵀ`, `dA = U (skew(Uᵀ dU)/E · s + diag(ds) + s · skew(Vᵀ dV)/E) Vᵀ`, and the parts of
///   `dU` and `dV` outside of the spaces of `U` and `V`, divided by `s`. Of equal singular values there is no derivative of singular
///   vectors: it is infinite or NaN, unless none was used.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let (u, s, vt) = mapsto_linalg::svd(&tensor![[0.0, 2.0], [3.0, 0.0]])?;
/// assert_close!(s, [3.0, 2.0]);
/// assert_close!(u, [[0.0, 1.0], [1.0, 0.0]]);
/// assert_close!(vt, [[1.0, 0.0], [0.0, 1.0]]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix holds NaN or infinity.
/// # Panics
/// When these are no matrices of floats. Source: Townsend, *Differentiating the singular value decomposition* (2016).
#[track_caller]
pub fn svd(a: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
    let (m, n) = sizes("svd", a);
    let k = m.min(n);
    let [u, s, vt] = parts(&attempt(Svd { is_whole: true }, &[a])?, [(m, k), (1, k), (k, n)]);
    Ok((u, s.squeeze(-2), vt))
}

/// The singular values of each matrix, the largest first.
///
/// * Shape: `[.., m, n] → [.., min(m, n)]`, floats only.   * Gradient: `dA = U diag(dy) Vᵀ`, also where singular values are equal.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_linalg::svdvals(&tensor![[0.0, 2.0], [-3.0, 0.0]])?, [3.0, 2.0]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix holds NaN or infinity.
/// # Panics
/// When these are no matrices of floats. Source: as [`svd`].
#[track_caller]
pub fn svdvals(a: &Tensor) -> Result<Tensor> {
    attempt(Svd { is_whole: false }, &[a])
}

/// `U`, `s` and `Vᵀ`, found to full precision or not at all.
pub(crate) fn decomposed(a: &Matrix) -> Result<Factors, Fault> {
    finite(a)?;
    let (m, n) = a.shape();
    if m.min(n) == 0 {
        return Ok((Matrix::zeros(m, 0), Vec::new(), Matrix::zeros(0, n)));
    }
    let found =
        quick(a).filter(|found| gives(found, a)).or_else(|| rotated(a).filter(|found| gives(found, a)));
    let (u, s, vt) = found.ok_or(Fault::Endless)?;
    let mut order: Vec<usize> = (0..s.len()).collect();
    order.sort_by(|i, j| s[*j].total_cmp(&s[*i]));
    let (mut u, mut vt) = (u.select_columns(&order), vt.select_rows(&order));
    for (i, mut column) in u.column_iter_mut().enumerate() {
        if turned(column.as_mut_slice()) {
            vt.row_mut(i).neg_mut();
        }
    }
    Ok((u, order.iter().map(|i| s[*i]).collect(), vt))
}

/// `U`, the singular values, and `Vᵀ`.
type Factors = (Matrix, Vec<f64>, Matrix);

/// Whether the product is the matrix, and the vectors are orthonormal.
fn gives((u, s, vt): &Factors, a: &Matrix) -> bool {
    let (k, n) = (s.len(), a.nrows().max(a.ncols()) as f64);
    let left = Matrix::from_fn(u.nrows(), k, |i, j| u[(i, j)] * s[j]) * vt - a;
    let one = Matrix::identity(k, k);
    let tilted = (u.transpose() * u - &one).amax().max((vt * vt.transpose() - one).amax());
    left.amax() <= 1e-13 * n * a.amax() && tilted <= 1e-13 * n && s.iter().all(|s| *s >= 0.0)
}

/// By two diagonals and implicit shifts. Of some matrices these steps do not end, or end too early.
fn quick(a: &Matrix) -> Option<Factors> {
    let found = SVD::try_new_unordered(
        a.clone(),
        true,
        true,
        5.0 * f64::EPSILON,
        most_steps(a.nrows().min(a.ncols())),
    )?;
    Some((found.u?, found.singular_values.iter().copied().collect(), found.v_t?))
}

/// Passes over all pairs of columns; quadratic convergence leaves but a few.
const MOST_PASSES: usize = 80;

/// By turning pairs of columns until all are at right angles, which always ends, to high precision, and takes several times as long.
/// Source: Hestenes, *Inversion of matrices by biorthogonalization* (1958); Demmel and Veselić, *Jacobi's method is more accurate than QR* (1992).
pub(crate) fn rotated(a: &Matrix) -> Option<Factors> {
    if a.nrows() < a.ncols() {
        let (u, s, vt) = rotated(&a.transpose())?;
        return Some((vt.transpose(), s, u.transpose()));
    }
    let (n, most) = (a.ncols(), a.amax());
    let scale = if most > 0.0 { most } else { 1.0 };
    let (mut u, mut v) = (a / scale, Matrix::identity(n, n));
    // A column of which rounding alone is left counts as 0: it has no direction that turning could find.
    let least = f64::EPSILON * n as f64 * u.norm();
    let close = 2.0 * f64::EPSILON * (a.nrows() as f64).sqrt();
    let mut passes = 0;
    loop {
        let mut is_done = true;
        for p in 0..n {
            for q in p + 1..n {
                let (pp, qq, pq) =
                    (u.column(p).norm_squared(), u.column(q).norm_squared(), u.column(p).dot(&u.column(q)));
                if pq.abs() <= close * (pp * qq).sqrt() || pp.min(qq).sqrt() <= least {
                    continue;
                }
                is_done = false;
                let zeta = (qq - pp) / (2.0 * pq);
                let t = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                turn(&mut u, (p, q), c, c * t);
                turn(&mut v, (p, q), c, c * t);
            }
        }
        passes += 1;
        if is_done {
            break;
        }
        if passes == MOST_PASSES {
            return None;
        }
    }
    let mut s: Vec<f64> = u.column_iter().map(|column| column.norm()).collect();
    let (there, gone): (Vec<usize>, Vec<usize>) = (0..n).partition(|j| s[*j] > least);
    gone.iter().for_each(|j| s[*j] = 0.0);
    there.iter().for_each(|j| u.column_mut(*j).unscale_mut(s[*j]));
    for (i, j) in gone.iter().enumerate() {
        let known: Vec<usize> = there.iter().chain(&gone[..i]).copied().collect();
        let direction = another(&u, &known)?;
        u.set_column(*j, &direction);
    }
    s.iter_mut().for_each(|s| *s *= scale);
    Some((u, s, v.transpose()))
}

/// Two columns turned in their plane.
fn turn(x: &mut Matrix, (p, q): (usize, usize), c: f64, s: f64) {
    for i in 0..x.nrows() {
        let (a, b) = (x[(i, p)], x[(i, q)]);
        (x[(i, p)], x[(i, q)]) = (c * a - s * b, s * a + c * b);
    }
}

/// A direction at right angles to columns of which there are fewer than rows.
fn another(u: &Matrix, known: &[usize]) -> Option<DVector<f64>> {
    let m = u.nrows();
    // The axis that has most left beside the columns.
    let left = |i: usize| 1.0 - known.iter().map(|j| u[(i, *j)].powi(2)).sum::<f64>();
    let axis = (0..m).max_by(|i, k| left(*i).total_cmp(&left(*k)))?;
    let mut y = DVector::zeros(m);
    y[axis] = 1.0;
    for _ in 0..2 {
        for j in known {
            let part = u.column(*j).dot(&y);
            y -= u.column(*j) * part;
        }
        y = y.try_normalize(0.0)?;
    }
    Some(y)
}

struct Svd {
    is_whole: bool,
}
impl Matrices for Svd {
    fn compute(&self, xs: &[&Tensor]) -> Result<Tensor> {
        let (m, n) = sizes(self.name(), xs[0]);
        let k = m.min(n);
        let numbers = if self.is_whole { m * k + k + k * n } else { k };
        batched(self.name(), xs, &shape_of(xs[0], &[numbers]), &|x| {
            let (u, s, vt) = decomposed(&x[0])?;
            Ok(if self.is_whole { [rows(&u), s, rows(&vt)].concat() } else { s })
        })
    }
}
impl Op for Svd {
    fn name(&self) -> &'static str {
        if self.is_whole { "svd" } else { "svdvals" }
    }
    fn takes(&self) -> RangeInclusive<usize> {
        1..=1
    }
    fn keep(&self) -> Keep {
        if self.is_whole { Keep::OUTPUT } else { Keep::INPUTS }
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        self.ran(xs)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let (m, n) = (at.shape(0)[at.shape(0).len() - 2], at.shape(0)[at.shape(0).len() - 1]);
        let k = m.min(n);
        let whole = if self.is_whole { at.y() } else { apply(Svd { is_whole: true }, &[at.x()]) };
        let [u, s, vt] = parts(&whole, [(m, k), (1, k), (k, n)]);
        let eye = eye(k, &u);
        if !self.is_whole {
            return u.matmul(&(g.unsqueeze(-2) * eye)).matmul(&vt).into();
        }
        let [gu, gs, gvt] = parts(g, [(m, k), (1, k), (k, n)]);
        let gaps = s.square() - s.t().square() + &eye; // [i, j]: sⱼ² − sᵢ²
        let skew = |x: Tensor| (&x - x.t()) / &gaps;
        let (has_u, has_v) = (!is_unused(&gu), !is_unused(&gvt));
        let mut inner = gs * &eye;
        if has_u {
            inner += skew(u.t().matmul(&gu)) * &s;
        }
        if has_v {
            inner += skew(vt.matmul(&gvt.t())) * s.t();
        }
        let mut da = u.matmul(&inner).matmul(&vt);
        if has_u && m > k {
            da += ((&gu - u.matmul(&u.t().matmul(&gu))) / &s).matmul(&vt);
        }
        if has_v && n > k {
            da += u.matmul(&((&gvt - gvt.matmul(&vt.t()).matmul(&vt)) / s.t()));
        }
        da.into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

fn of_svd(s: &mut Samples) {
    each(s, &ANY, spread, |x| apply(Svd { is_whole: true }, &[&x[0]]));
}

fn of_svdvals(s: &mut Samples) {
    each(s, &ANY, spread, |x| apply(Svd { is_whole: false }, &[&x[0]]));
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    /// A matrix, decomposed, put together again.
    fn returns(a: &Tensor) {
        let (u, s, vt) = svd(a).unwrap_or_else(|e| panic!("{:?}: {e}", a.shape()));
        let k = s.len();
        let (one, most) = (Tensor::eye(k).to(DType::F64), a.abs().max(..).item().max(1e-300));
        assert_tensors_close(&(&u * &s).matmul(&vt), a, 1e-12 * most, 0.0, "U s Vᵀ");
        assert_tensors_close(&u.t().matmul(&u), &one, 1e-12, 0.0, "Uᵀ U");
        assert_tensors_close(&vt.matmul(&vt.t()), &one, 1e-12, 0.0, "Vᵀ V");
        assert!(
            s.ge(0.0).all(..).item() == 1.0 && (k < 2 || s.diff(1, 0).le(0.0).all(..).item() == 1.0),
            "{s}"
        );
        assert_tensors_close(&svdvals(a).unwrap(), &s, 0.0, 0.0, "the values alone");
        agrees(a);
    }

    /// Both ways to decompose it give the same singular values.
    fn agrees(a: &Tensor) {
        let (m, n) = (a.shape()[0], a.shape()[1]);
        let x = crate::batch::Matrix::from_row_slice(m, n, &a.to_vec::<f64>());
        let found = super::rotated(&x).unwrap_or_else(|| panic!("{m} × {n}: no end"));
        assert!(super::gives(&found, &x), "{m} × {n}: {x}");
        let mut s = found.1;
        s.sort_by(|a, b| b.total_cmp(a));
        let least = 1e-12 * a.abs().max(..).item();
        assert_tensors_close(
            &svdvals(a).unwrap(),
            &Tensor::from_vec(s.clone(), s.len()),
            least,
            0.0,
            "two ways",
        );
    }

    #[test]
    fn the_factors_give_every_kind_of_matrix_back() {
        seed(7);
        for [m, n] in [[1, 1], [2, 2], [3, 3], [7, 3], [3, 7], [1, 9], [9, 1], [30, 30], [50, 20]] {
            let x = Tensor::randn([m, n]).to(DType::F64);
            let low = x.slice(-1, ..1).matmul(&x.slice(-2, ..1));
            let mask = Tensor::rand([m, n]).lt(0.4);
            returns(&x);
            returns(&low);
            returns(&Tensor::zeros_like(&x));
            returns(&Tensor::ones_like(&x));
            returns(&mask.choose(0.0, &x));
            returns(&mask.choose(0.0, Tensor::ones_like(&x)));
            returns(&(&x * 1e200));
            returns(&(&x * 1e-200));
            returns(&x.triu(1));
            returns(&(x.sign() + low * 1e-13));
            let graded = Tensor::from_vec((0..n).map(|j| 10f64.powi(-2 * j as i32)).collect::<Vec<f64>>(), n);
            returns(&(&x * graded));
        }
        for n in [2, 3, 5, 12] {
            let hilbert: Vec<f64> = (0..n * n).map(|k| 1.0 / (k / n + k % n + 1) as f64).collect();
            returns(&Tensor::from_vec(hilbert, [n, n]));
            returns(&Tensor::eye(n).to(DType::F64));
            returns(&Tensor::eye(n).to(DType::F64).flip(0));
        }
    }

    #[test]
    fn equal_values_have_derivatives_and_their_vectors_say_that_they_have_none() {
        let a = tensor![[2.0, 0.0], [0.0, 2.0]].leaf();
        assert_close!(svdvals(&a).unwrap().sum(..).backward().of(&a), [[1.0, 0.0], [0.0, 1.0]]);
        assert_close!(svd(&a).unwrap().1.sum(..).backward().of(&a), [[1.0, 0.0], [0.0, 1.0]]);
        let g = (svd(&a).unwrap().0 * tensor![[1.0, 2.0], [3.0, 4.0]]).sum(..).backward();
        assert!(!g.of(&a).is_finite());
        let e = svd(&tensor![[f64::NAN]]).unwrap_err();
        assert_eq!(e.message(), "svd: the matrix holds NaN or infinity");
    }
}

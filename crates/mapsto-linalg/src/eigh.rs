//! Eigenvalues and eigenvectors of symmetric matrices.

use crate::batch::{
    Fault, Matrices, Matrix, attempt, batched, eye, is_unused, parts, rows, shape_of, side, symmetric,
};
use crate::samples::{self, SQUARE, each};
use crate::solve::cubic;
use crate::svd::rotated;
use mapsto_tensor::graph::{At, Cost, Keep, Op, Outline, Ran, Vjp, apply};
use mapsto_tensor::kind::{OpKind, Samples, Takes};
use mapsto_tensor::{Result, Tensor};
use nalgebra::SymmetricEigen;
use std::ops::RangeInclusive;

pub(crate) const KINDS: [OpKind; 2] = [
    OpKind::new("eigh", "Eigenvalues and eigenvectors of each symmetric matrix.", Takes::Floats, of_eigh)
        .built(|_| Ok(Box::new(Eigh { is_whole: true }))),
    OpKind::new("eigvalsh", "Eigenvalues of each symmetric matrix.", Takes::Floats, of_eigvalsh)
        .built(|_| Ok(Box::new(Eigh { is_whole: false }))),
];

/// Eigenvalues `w`, the smallest first, and eigenvectors, the columns of `V`, of each symmetric matrix: `A V = V diag(w)`.
///
/// **Signs**: of each eigenvector, the first of its largest numbers is positive. Of equal eigenvalues the vectors are some orthonormal
/// basis of their space.
///
/// * Shape: `[.., n, n] → ([.., n], [.., n, n])`, floats only.
/// * Gradient: `dA = V (diag(dw) + Vᵀ dV / (wⱼ − wᵢ)) Vᵀ`, symmetric. Of equal eigenvalues there is no derivative of eigenvectors: it is
///   infinite or NaN, unless no eigenvector was used.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let (w, v) = mapsto_linalg::eigh(&tensor![[2.0, 1.0], [1.0, 2.0]])?;
/// assert_close!(w, [1.0, 3.0]);
/// assert_close!(v, [[0.70711, 0.70711], [-0.70711, 0.70711]]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix is not symmetric (by more than a thousandth of its largest number), or holds NaN or infinity.
/// # Panics
/// When the matrices are not square. Source: Giles, *Collected matrix derivative results for forward and reverse mode algorithmic
/// differentiation* (2008), 3.1.
#[track_caller]
pub fn eigh(a: &Tensor) -> Result<(Tensor, Tensor)> {
    let n = side("eigh", a);
    let [w, v] = parts(&attempt(Eigh { is_whole: true }, &[a])?, [(1, n), (n, n)]);
    Ok((w.squeeze(-2), v))
}

/// The eigenvalues of each symmetric matrix, the smallest first.
///
/// * Shape: `[.., n, n] → [.., n]`, floats only.   * Gradient: `dA = V diag(dy) Vᵀ`, also where eigenvalues are equal.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_linalg::eigvalsh(&tensor![[2.0, 1.0], [1.0, 2.0]])?, [1.0, 3.0]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// As [`eigh`].
/// # Panics
/// When the matrices are not square. Source: as [`eigh`].
#[track_caller]
pub fn eigvalsh(a: &Tensor) -> Result<Tensor> {
    attempt(Eigh { is_whole: false }, &[a])
}

/// Turns the sign of a vector so that the first of its largest numbers is positive; they count as equal where rounding alone may
/// tell them apart. Says whether it was turned.
pub(crate) fn turned(v: &mut [f64]) -> bool {
    let most = v.iter().fold(0.0, |most: f64, v| most.max(v.abs())) * (1.0 - 1e-6);
    let is_turned = v.iter().find(|v| v.abs() >= most).is_some_and(|v| *v < 0.0);
    if is_turned {
        v.iter_mut().for_each(|v| *v = -*v);
    }
    is_turned
}

/// The most steps of an iteration that usually takes two for each number.
pub(crate) fn most_steps(n: usize) -> usize {
    1000 + 100 * n
}

/// Eigenvalues and eigenvectors, found to full precision or not at all.
fn decomposed(a: &Matrix) -> Result<(Vec<f64>, Matrix), Fault> {
    let a = symmetric(a)?;
    let n = a.nrows();
    if n == 0 {
        return Ok((Vec::new(), a));
    }
    let quick = SymmetricEigen::try_new(a.clone(), f64::EPSILON, most_steps(n));
    let quick = quick.map(|found| (found.eigenvalues.iter().copied().collect(), found.eigenvectors));
    let found = quick.filter(|found| gives(found, &a)).or_else(|| moved(&a).filter(|found| gives(found, &a)));
    let (w, v) = found.ok_or(Fault::Endless)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|i, j| w[*i].total_cmp(&w[*j]));
    let mut v = v.select_columns(&order);
    for mut column in v.column_iter_mut() {
        turned(column.as_mut_slice());
    }
    Ok((order.iter().map(|i| w[*i]).collect(), v))
}

/// Whether these are eigenvectors with these values, and orthonormal.
fn gives((w, v): &(Vec<f64>, Matrix), a: &Matrix) -> bool {
    let n = w.len();
    let left = a * v - Matrix::from_fn(n, n, |i, j| v[(i, j)] * w[j]);
    let tilted = v.transpose() * v - Matrix::identity(n, n);
    left.amax() <= 1e-13 * n as f64 * a.amax() && tilted.amax() <= 1e-13 * n as f64
}

/// By the singular vectors of a matrix with the same eigenvectors, moved so far that no eigenvalue is negative: slower, and it ends.
fn moved(a: &Matrix) -> Option<(Vec<f64>, Matrix)> {
    let n = a.nrows();
    let by = a.amax() * n as f64;
    let (_, s, vt) = rotated(&(a + Matrix::identity(n, n) * by))?;
    Some((s.iter().map(|s| s - by).collect(), vt.transpose()))
}

struct Eigh {
    is_whole: bool,
}
impl Matrices for Eigh {
    fn compute(&self, xs: &[&Tensor]) -> Result<Tensor> {
        let n = side(self.name(), xs[0]);
        let numbers = if self.is_whole { n + n * n } else { n };
        batched(self.name(), xs, &shape_of(xs[0], &[numbers]), &|m| {
            let (mut w, v) = decomposed(&m[0])?;
            if self.is_whole {
                w.extend(rows(&v));
            }
            Ok(w)
        })
    }
}
impl Op for Eigh {
    fn name(&self) -> &'static str {
        if self.is_whole { "eigh" } else { "eigvalsh" }
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
        let n = at.shape(0)[at.shape(0).len() - 1];
        // Eigenvalues alone: the vectors are computed where they are needed, and are the operation's that can be differentiated.
        let whole = if self.is_whole { at.y() } else { apply(Eigh { is_whole: true }, &[at.x()]) };
        let [w, v] = parts(&whole, [(1, n), (n, n)]);
        let eye = eye(n, &v);
        let gw = if self.is_whole { g.slice(-1, ..n) } else { g.clone() };
        let mut inner = gw.unsqueeze(-2) * &eye;
        if self.is_whole {
            let [_, gv] = parts(g, [(1, n), (n, n)]);
            if !is_unused(&gv) {
                let gaps = &w - w.t() + &eye; // [i, j]: wⱼ − wᵢ
                inner += v.t().matmul(&gv) * (1.0 - &eye) / gaps;
            }
        }
        let da = v.matmul(&inner).matmul(&v.t());
        ((&da + da.t()) * 0.5).into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

fn of_eigh(s: &mut Samples) {
    each(s, &SQUARE, samples::symmetric, |x| apply(Eigh { is_whole: true }, &[&x[0]]));
}

fn of_eigvalsh(s: &mut Samples) {
    each(s, &SQUARE, samples::symmetric, |x| apply(Eigh { is_whole: false }, &[&x[0]]));
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn vectors_are_orthonormal_and_give_the_matrix_back_even_where_values_are_equal() {
        seed(6);
        for n in [1, 2, 3, 10, 50] {
            let x = Tensor::randn([n, n]).to(DType::F64);
            let one = Tensor::eye(n).to(DType::F64);
            let half = x.slice(-1, ..n.div_ceil(2));
            let small = &one + (&x + x.t()) * 1e-14;
            for a in [
                &x + x.t(),
                one.clone(),
                half.matmul(&half.t()),
                Tensor::zeros_like(&x),
                Tensor::ones_like(&x),
                small,
                &x * 0.0 - &one,
            ] {
                let (w, v) = eigh(&a).unwrap();
                assert_tensors_close(&v.t().matmul(&v), &one, 1e-12, 0.0, "Vᵀ V");
                assert_tensors_close(&(&v * w.unsqueeze(-2)).matmul(&v.t()), &a, 1e-11, 0.0, "V w Vᵀ");
                assert!(w.len() < 2 || w.diff(1, 0).ge(0.0).all(..).item() == 1.0, "{w}");
                assert_tensors_close(&eigvalsh(&a).unwrap(), &w, 0.0, 0.0, "the values alone");
                let x = crate::batch::Matrix::from_row_slice(n, n, &a.to_vec::<f64>());
                let x = (&x + x.transpose()) * 0.5;
                let found = super::moved(&x).unwrap_or_else(|| panic!("{n}: no end"));
                assert!(super::gives(&found, &x), "the slow way of {x}");
            }
        }
    }

    #[test]
    fn equal_values_have_derivatives_and_their_vectors_say_that_they_have_none() {
        let a = tensor![[2.0, 0.0], [0.0, 2.0]].leaf();
        let g = eigvalsh(&a).unwrap().square().sum(..).backward();
        assert_close!(g.of(&a), [[4.0, 0.0], [0.0, 4.0]]);
        let g = eigh(&a).unwrap().0.square().sum(..).backward();
        assert_close!(g.of(&a), [[4.0, 0.0], [0.0, 4.0]]);
        let g = (eigh(&a).unwrap().1 * tensor![[1.0, 2.0], [3.0, 4.0]]).sum(..).backward();
        assert!(!g.of(&a).is_finite());
        let e = eigh(&tensor![[1.0, 2.0], [3.0, 4.0]]).unwrap_err();
        assert_eq!(e.message(), "eigh: the matrix is not symmetric: 3 stands at [1, 0] and 2 at [0, 1]");
        let e = eigvalsh(&tensor![[f64::INFINITY]]).unwrap_err();
        assert_eq!(e.message(), "eigvalsh: the matrix holds NaN or infinity");
    }
}

//! The Cholesky decomposition, and systems of equations of what it gives.

use crate::batch::{Fault, Matrices, Matrix, attempt, batched, eye, rows, side, symmetric};
use crate::samples::{self, SQUARE, each};
use crate::solve::{Triangle, cubic, over, solve_triangular};
use mapsto_tensor::graph::{At, Cost, Keep, Op, Outline, Ran, Vjp, apply};
use mapsto_tensor::kind::{OpKind, Samples, Takes};
use mapsto_tensor::{Result, Tensor};
use std::ops::RangeInclusive;

pub(crate) const KINDS: [OpKind; 1] = [OpKind::new(
    "cholesky",
    "The lower triangular L with L Lᵀ = A, of each symmetric positive definite matrix.",
    Takes::Floats,
    of_cholesky,
)
.built(|_| Ok(Box::new(Cholesky)))];

/// The lower triangular `L` with `L Lᵀ = A` and a positive diagonal, of each symmetric positive definite matrix.
///
/// * Shape: `[.., n, n] → [.., n, n]`, floats only.
/// * Gradient: `dA = L⁻ᵀ sym(Φ(Lᵀ dL)) L⁻¹`, where `Φ` takes the lower triangle and half of the diagonal; it is symmetric.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let l = mapsto_linalg::cholesky(&tensor![[4.0, 2.0], [2.0, 5.0]])?;
/// assert_close!(l, [[2.0, 0.0], [1.0, 2.0]]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix is not positive definite, not symmetric (by more than a thousandth of its largest number), or holds NaN or infinity.
/// PyTorch does not look at the upper triangle.
/// # Panics
/// When the matrices are not square. Source: Murray, *Differentiation of the Cholesky decomposition* (2016), equation 10.
#[track_caller]
pub fn cholesky(a: &Tensor) -> Result<Tensor> {
    attempt(Cholesky, &[a])
}

/// The solution `x` of `L Lᵀ x = b`, with the `L` that [`cholesky`] gives.
///
/// * Shape: `[.., n, k], [.., n, n] → [.., n, k]`; axes before broadcast; floats of one dtype.
/// * Gradient: that of two triangular systems.
/// ```
/// # use mapsto_tensor::prelude::*;
/// use mapsto_linalg::{cholesky, cholesky_solve};
/// let l = cholesky(&tensor![[4.0, 2.0], [2.0, 5.0]])?;
/// assert_close!(cholesky_solve(&tensor![[8.0], [12.0]], &l)?, [[1.0], [2.0]]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a 0 stands on a diagonal, or a number is NaN or infinite.
/// # Panics
/// When the matrices are not square or the shapes do not fit.
#[track_caller]
pub fn cholesky_solve(b: &Tensor, l: &Tensor) -> Result<Tensor> {
    solve_triangular(&l.t(), &solve_triangular(l, b, Triangle::Lower)?, Triangle::Upper)
}

/// The inverse of `L Lᵀ`, with the `L` that [`cholesky`] gives.
///
/// * Shape: `[.., n, n] → [.., n, n]`, floats only.   * Gradient: that of two triangular systems.
/// ```
/// # use mapsto_tensor::prelude::*;
/// use mapsto_linalg::{cholesky, cholesky_inverse};
/// let l = cholesky(&tensor![[4.0, 2.0], [2.0, 5.0]])?;
/// assert_close!(cholesky_inverse(&l)?, [[0.3125, -0.125], [-0.125, 0.25]]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a 0 stands on a diagonal, or a number is NaN or infinite.
/// # Panics
/// When the matrices are not square.
#[track_caller]
pub fn cholesky_inverse(l: &Tensor) -> Result<Tensor> {
    let n = side("cholesky_inverse", l);
    cholesky_solve(&eye(n, l).expand(l.shape()), l)
}

struct Cholesky;
impl Matrices for Cholesky {
    fn compute(&self, xs: &[&Tensor]) -> Result<Tensor> {
        let n = side("cholesky", xs[0]);
        batched("cholesky", xs, xs[0].shape(), &|m| {
            let a = symmetric(&m[0])?;
            let mut l = Matrix::zeros(n, n);
            for j in 0..n {
                for i in j..n {
                    let known: f64 = (0..j).map(|k| l[(i, k)] * l[(j, k)]).sum();
                    let left = a[(i, j)] - known;
                    l[(i, j)] = match i == j {
                        true if left > 0.0 => left.sqrt(),
                        true => return Err(Fault::NotPositive(j)),
                        false => left / l[(j, j)],
                    };
                }
            }
            Ok(rows(&l))
        })
    }
}
impl Op for Cholesky {
    fn name(&self) -> &'static str {
        "cholesky"
    }
    fn takes(&self) -> RangeInclusive<usize> {
        1..=1
    }
    fn keep(&self) -> Keep {
        Keep::OUTPUT
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        self.ran(xs)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let lt = at.y().t();
        let m = lt.matmul(g);
        let phi = (m.tril(0) + m.tril(-1)) * 0.5;
        let half = over(Triangle::Upper, &lt, &((&phi + phi.t()) * 0.5));
        over(Triangle::Upper, &lt, &half.t()).t().into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

fn of_cholesky(s: &mut Samples) {
    each(s, &SQUARE, samples::symmetric, |x| apply(Cholesky, &[&x[0]]));
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn the_factor_gives_the_matrix_back_and_solves_with_it() {
        seed(3);
        for n in [1, 2, 5, 30] {
            let x = Tensor::randn([3, n, n]).to(DType::F64);
            let a = x.matmul(&x.t()) + Tensor::eye(n).to(DType::F64);
            let l = cholesky(&a).unwrap();
            assert_tensors_close(&l.matmul(&l.t()), &a, 1e-9, 0.0, "L Lᵀ");
            assert_tensors_close(&l, &l.tril(0), 0.0, 0.0, "lower");
            let inverses = (cholesky_inverse(&l).unwrap(), inverse(&a).unwrap());
            assert_tensors_close(&inverses.0, &inverses.1, 1e-9, 0.0, "the inverse");
            let b = Tensor::randn([n, 2]).to(DType::F64);
            assert_tensors_close(
                &cholesky_solve(&b, &l).unwrap(),
                &solve(&a, &b).unwrap(),
                1e-9,
                0.0,
                "the solution",
            );
        }
    }

    #[test]
    fn what_has_no_factor_is_named() {
        let said = |a: Tensor| cholesky(&a).unwrap_err().message().to_string();
        assert_eq!(
            said(tensor![[1.0, 2.0], [2.0, 1.0]]),
            "cholesky: the matrix is not positive definite: its leading minor of size 2 is not positive"
        );
        assert_eq!(
            said(tensor![[[1.0, 0.5], [0.0, 1.0]]]),
            "cholesky: matrix [0] of the batch [1] is not symmetric: 0 stands at [1, 0] and 0.5 at [0, 1]"
        );
        assert_eq!(said(tensor![[f64::NAN]]), "cholesky: the matrix holds NaN or infinity");
    }
}

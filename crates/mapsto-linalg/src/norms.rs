//! Norms of matrices, and how much an inverse loses.

use crate::batch::{side, sizes};
use crate::solve::inverse;
use crate::svd::svdvals;
use mapsto_tensor::{Result, Tensor, fail};

/// A norm of matrices; PyTorch's `ord`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatrixNorm {
    /// `√Σ a²`, of Frobenius: `"fro"`, the default.
    #[default]
    Frobenius,
    /// The sum of the singular values: `"nuc"`.
    Nuclear,
    /// The largest sum of sizes in a row: `inf`.
    Inf,
    /// The smallest sum of sizes in a row: `-inf`.
    MinusInf,
    /// The largest sum of sizes in a column: `1`.
    One,
    /// The smallest sum of sizes in a column: `-1`.
    MinusOne,
    /// The largest singular value, the spectral norm: `2`.
    Two,
    /// The smallest singular value: `-2`.
    MinusTwo,
}

/// A norm of each matrix.
///
/// * Shape: `[.., m, n] → [..]`, floats only.   * Gradient: that of the sums, or of the singular values.
/// ```
/// # use mapsto_tensor::prelude::*;
/// use mapsto_linalg::{MatrixNorm, matrix_norm};
/// let a = tensor![[3.0, 0.0], [4.0, 0.0]];
/// assert_close!(matrix_norm(&a, MatrixNorm::Frobenius)?, 5.0);
/// assert_close!(matrix_norm(&a, MatrixNorm::One)?, 7.0);
/// assert_close!(matrix_norm(&a, MatrixNorm::Two)?, 5.0);
/// # Ok::<(), Error>(())
/// ```
/// The norms of vectors are [`Tensor::norm`].
///
/// # Errors
/// When singular values are asked for, and a matrix holds NaN or infinity.
/// # Panics
/// When these are no matrices of floats, or they are empty and the norm is a largest or smallest number.
#[track_caller]
pub fn matrix_norm(a: &Tensor, norm: MatrixNorm) -> Result<Tensor> {
    let (m, n) = sizes("matrix_norm", a);
    if m * n == 0 && !matches!(norm, MatrixNorm::Frobenius | MatrixNorm::Nuclear) {
        fail!("matrix_norm", "a matrix of {m} × {n} has no largest number ({norm:?})"; help = "`MatrixNorm::Frobenius` of it is 0");
    }
    let sums = |axis: isize| a.norm(1.0, axis);
    Ok(match norm {
        MatrixNorm::Frobenius => a.norm(2.0, [-2, -1]),
        MatrixNorm::Nuclear => svdvals(a)?.sum(-1),
        MatrixNorm::Inf => sums(-1).max(-1),
        MatrixNorm::MinusInf => sums(-1).min(-1),
        MatrixNorm::One => sums(-2).max(-1),
        MatrixNorm::MinusOne => sums(-2).min(-1),
        MatrixNorm::Two => svdvals(a)?.select(-1, 0),
        MatrixNorm::MinusTwo => svdvals(a)?.select(-1, -1),
    })
}

/// The condition of each matrix: its largest singular value over its smallest, ∞ of a singular matrix. A solution of linear equations
/// loses as many digits as this number has.
///
/// * Shape: `[.., m, n] → [..]`, floats only.   * Gradient: that of the singular values.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_linalg::cond(&tensor![[4.0, 0.0], [0.0, 0.5]])?, 8.0);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix holds NaN or infinity.
/// # Panics
/// When these are no matrices of floats, or they are empty.
#[track_caller]
pub fn cond(a: &Tensor) -> Result<Tensor> {
    let (m, n) = sizes("cond", a);
    if m * n == 0 {
        fail!("cond", "a matrix of {m} × {n} has no singular values");
    }
    let s = svdvals(a)?;
    Ok(s.select(-1, 0) / s.select(-1, -1))
}

/// The condition of each square matrix in a norm: `‖A‖ ‖A⁻¹‖`, or a quotient of singular values for [`MatrixNorm::Two`] and
/// [`MatrixNorm::MinusTwo`].
///
/// * Shape: `[.., n, n] → [..]`, floats only.   * Gradient: that of the norms.
/// ```
/// # use mapsto_tensor::prelude::*;
/// use mapsto_linalg::{MatrixNorm, cond_in};
/// assert_close!(cond_in(&tensor![[1.0, 1.0], [0.0, 0.5]], MatrixNorm::One)?, 6.0);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix is singular, or holds NaN or infinity. PyTorch answers ∞ for a singular one, as [`cond`] does.
/// # Panics
/// When the matrices are not square, or they are empty.
#[track_caller]
pub fn cond_in(a: &Tensor, norm: MatrixNorm) -> Result<Tensor> {
    match norm {
        MatrixNorm::Two => cond(a),
        MatrixNorm::MinusTwo => Ok(1.0 / cond(a)?),
        _ => {
            let _ = side("cond", a);
            Ok(matrix_norm(a, norm)? * matrix_norm(&inverse(a)?, norm)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn norms_have_derivatives_and_their_inequalities() {
        let all = [
            MatrixNorm::Frobenius,
            MatrixNorm::Nuclear,
            MatrixNorm::Inf,
            MatrixNorm::MinusInf,
            MatrixNorm::One,
            MatrixNorm::MinusOne,
            MatrixNorm::Two,
            MatrixNorm::MinusTwo,
        ];
        seed(9);
        let a = Tensor::randn([5, 4, 4]).to(DType::F64);
        let of = |norm| matrix_norm(&a, norm).unwrap().to_vec::<f64>();
        let [fro, nuc, inf, two, one] =
            [MatrixNorm::Frobenius, MatrixNorm::Nuclear, MatrixNorm::Inf, MatrixNorm::Two, MatrixNorm::One]
                .map(of);
        for i in 0..5 {
            assert!(
                two[i] <= fro[i] && fro[i] <= nuc[i] && two[i] * two[i] <= one[i] * inf[i] * (1.0 + 1e-12)
            );
        }
        for norm in all {
            check(move |a| matrix_norm(a, norm).unwrap()).shapes([&[2, 3, 2]]).on(floats(0.5..2.0));
            let found = cond_in(&a, norm).unwrap();
            assert!(found.is_finite() && found.shape() == [5], "{norm:?}");
        }
        assert_eq!(cond(&Tensor::zeros([2, 2])).unwrap().item().to_string(), "NaN");
        assert!(cond(&tensor![[1.0, 0.0], [0.0, 0.0]]).unwrap().item().is_infinite());
        let e = catch(|| matrix_norm(&Tensor::zeros([0, 2]), MatrixNorm::Two)).unwrap_err();
        assert_eq!(e.message(), "matrix_norm: a matrix of 0 × 2 has no largest number (Two)");
        assert!(catch(|| cond(&Tensor::zeros([0, 2]))).is_err());
    }
}

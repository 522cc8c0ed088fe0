//! Linear algebra of tensors, with derivatives: [`solve`], [`inverse`], [`det`], [`lstsq`], the decompositions [`qr`], [`lu`],
//! [`cholesky`], [`svd`], [`eig`] and [`eigh`], [`pinv`], [`matrix_exp`], norms and products. The names are those of `torch.linalg`.
//!
//! ```
//! use mapsto_linalg as linalg;
//! use mapsto_tensor::prelude::*;
//! let a = tensor![[4.0, 2.0], [2.0, 3.0]];
//! assert_close!(linalg::solve(&a, &tensor![8.0, 8.0])?, [1.0, 2.0]);
//! assert_close!(linalg::cholesky(&a)?, [[2.0, 0.0], [1.0, 1.41421]]);
//! # Ok::<(), Error>(())
//! ```
//!
//! # Batches, dtypes and errors
//!
//! The matrices are the last two axes; all axes before them are a batch, and each matrix of it is treated alone. All is computed in
//! f64 and rounded once to the dtype of the inputs. What data can spoil is an error that names the matrix: one that is singular, not
//! positive definite, not symmetric, or holds NaN. Matrices count as singular where no digit of the answer would be right; where some
//! would, [`cond`] says how many are lost.
//!
//! # Derivatives
//!
//! They are made of tensor operations, so that they can be differentiated again. Where a decomposition has none (vectors of equal
//! eigenvalues, columns that depend on each other), the gradient is not finite or its computation panics; it is never a number that
//! means nothing. [`eigvalsh`], [`svdvals`] and [`det`] have one everywhere.

mod batch;
mod cholesky;
mod det;
mod eig;
mod eigh;
mod golden;
mod lu;
mod norms;
mod pinv;
mod powers;
mod products;
mod qr;
mod samples;
mod solve;
mod svd;
mod tensors;

pub use cholesky::{cholesky, cholesky_inverse, cholesky_solve};
pub use det::{det, slogdet};
pub use eig::{eig, eigvals};
pub use eigh::{eigh, eigvalsh};
pub use lu::{lu, lu_factor, lu_solve};
pub use norms::{MatrixNorm, cond, cond_in, matrix_norm};
pub use pinv::{lstsq, matrix_rank, matrix_rank_with, pinv, pinv_with};
pub use powers::{matrix_exp, matrix_power};
pub use products::{cross, multi_dot, vander};
pub use qr::qr;
pub use solve::{Triangle, inverse, solve, solve_triangular};
pub use svd::{svd, svdvals};
pub use tensors::{householder_product, tensorinv, tensorsolve};

use mapsto_tensor::kind::OpKind;

/// The kinds of operations of this crate, as [`mapsto_tensor::ops::OPS`] lists those of the tensor.
pub static OPS: &[OpKind] = &[
    solve::KINDS[0],
    solve::KINDS[1],
    solve::KINDS[2],
    det::KINDS[0],
    det::KINDS[1],
    det::KINDS[2],
    cholesky::KINDS[0],
    qr::KINDS[0],
    lu::KINDS[0],
    eig::KINDS[0],
    eig::KINDS[1],
    eigh::KINDS[0],
    eigh::KINDS[1],
    svd::KINDS[0],
    svd::KINDS[1],
    pinv::KINDS[0],
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_kind_is_proven_over_its_samples() {
        mapsto_tensor::check::check_kinds(super::OPS);
    }
}

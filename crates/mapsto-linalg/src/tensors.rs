//! Inverses of tensors as matrices of joined axes, and the product of Householder's reflections.

use crate::batch::{eye, shape_of, sizes};
use crate::solve::{inverse, solve};
use mapsto_tensor::{Result, Tensor, fail};

/// The tensor that [`tensordot`](https://pytorch.org/docs/stable/generated/torch.tensordot.html) takes back: the inverse of the matrix whose
/// rows are the first `ind` axes and whose columns are the others.
///
/// * Shape: `[a.., b..] → [b.., a..]` with `ind` axes in `a..`, and as many elements in both; floats only.
/// * Gradient: that of [`inverse`].
/// ```
/// # use mapsto_tensor::prelude::*;
/// let a = Tensor::eye(6).reshape([2, 3, 6]) * 2.0;
/// let y = mapsto_linalg::tensorinv(&a, 2)?;
/// assert_eq!(y.shape(), [6, 2, 3]);
/// assert_close!(y.reshape([6, 6]), Tensor::eye(6) * 0.5);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When the matrix is singular, or holds NaN or infinity.
/// # Panics
/// When `ind` is 0 or no axis is left, or the two sides have not as many elements.
#[track_caller]
pub fn tensorinv(a: &Tensor, ind: usize) -> Result<Tensor> {
    let shape = a.shape();
    if ind == 0 || ind >= shape.len() {
        fail!("tensorinv", "the first {ind} axes of {shape:?} are no side of a matrix"; help = "`ind` must leave axes on both sides");
    }
    let (rows, columns) = shape.split_at(ind);
    let (m, n): (usize, usize) = (rows.iter().product(), columns.iter().product());
    if m != n {
        fail!("tensorinv", "axes {rows:?} and {columns:?} have {m} and {n} elements"; help = "both sides must have as many");
    }
    Ok(inverse(&a.reshape([m, n]))?.reshape(&[columns, rows].concat()[..]))
}

/// The tensor `x` with `tensordot(a, x, x.rank()) = b`.
///
/// * Shape: `[b.., x..], [b..] → [x..]` with as many elements in `b..` and `x..`; floats of one dtype.   * Gradient: that of [`solve`].
///
/// PyTorch's `dims`, which moves axes of `a` to its end first, is `movedim`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let a = Tensor::eye(6).reshape([2, 3, 6]) * 2.0;
/// let x = mapsto_linalg::tensorsolve(&a, &Tensor::ones([2, 3]))?;
/// assert_close!(x, [0.5; 6]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When the matrix is singular, or holds NaN or infinity.
/// # Panics
/// When the first axes of `a` are not those of `b`, or the others have not as many elements.
#[track_caller]
pub fn tensorsolve(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let n = b.len();
    let fits = a.rank() >= b.rank() && &a.shape()[..b.rank()] == b.shape();
    if !fits || a.shape()[b.rank()..].iter().product::<usize>() != n {
        fail!("tensorsolve", "a system {:?} and a right side {:?} do not fit", a.shape(), b.shape();
              help = "the first axes of the system are those of the right side, and the others have as many elements");
    }
    let x = solve(&a.reshape([n, n]), &b.reshape([n]))?;
    Ok(x.reshape(&a.shape()[b.rank()..]))
}

/// The first columns of the product of Householder's reflections `H₁ H₂ .. H_k`, `Hᵢ = 1 − τᵢ vᵢ vᵢᵀ`: the `Q` of what LAPACK's `geqrf` gives.
/// Of `vᵢ` the numbers below the diagonal stand in column i; it is 1 on the diagonal and 0 above.
///
/// * Shape: `[.., m, n], [.., k] → [.., m, n]` with `m ≥ n ≥ k`, floats of one dtype.   * Gradient: that of the products.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let q = mapsto_linalg::householder_product(&tensor![[9.0], [1.0]], &tensor![1.0]);
/// assert_close!(q, [[0.0], [-1.0]]);
/// ```
/// # Panics
/// When the shapes do not fit. Source: Golub and Van Loan, *Matrix computations*, 5.1.6.
#[doc(alias = "orgqr")]
#[track_caller]
pub fn householder_product(a: &Tensor, tau: &Tensor) -> Tensor {
    let (m, n) = sizes("householder_product", a);
    let k = tau.shape().last().copied().unwrap_or(usize::MAX);
    if n > m
        || k > n
        || tau.shape()[..tau.rank() - 1] != a.shape()[..a.rank() - 2]
        || tau.dtype() != a.dtype()
    {
        fail!("householder_product", "reflections {:?} of {} and factors {:?} of {} do not fit", a.shape(), a.dtype(), tau.shape(), tau.dtype();
              help = "[.., m, n] with m of at least n, and [.., k] with k of at most n, are needed");
    }
    let one = eye(m, a);
    let v = a.tril(-1) + one.slice(-1, ..n);
    let mut q = one.slice(-1, ..n).expand(&shape_of(a, &[m, n])[..]);
    for i in (0..k).rev() {
        let (v, tau) = (v.slice(-1, i..i + 1), tau.slice(-1, i..i + 1).unsqueeze(-1));
        q = &q - (&v * tau).matmul(&v.t().matmul(&q));
    }
    q
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn tensors_are_solved_and_inverted_as_matrices() {
        seed(13);
        let a = Tensor::randn([2, 3, 1, 6]).to(DType::F64);
        let b = Tensor::randn([2, 3]).to(DType::F64);
        let x = tensorsolve(&a, &b).unwrap();
        assert_eq!(x.shape(), [1, 6]);
        assert_tensors_close(&(&a * &x).sum([-2, -1]), &b, 1e-10, 0.0, "the right side");
        let inverse = tensorinv(&a, 2).unwrap();
        assert_eq!(inverse.shape(), [1, 6, 2, 3]);
        assert_tensors_close(&(&inverse * &b).sum([-2, -1]), &x, 1e-10, 0.0, "the inverse");
        let e = catch(|| tensorinv(&a, 1)).unwrap_err();
        assert_eq!(e.message(), "tensorinv: axes [2] and [3, 1, 6] have 2 and 18 elements");
        let e = catch(|| tensorsolve(&a, &x)).unwrap_err();
        assert_eq!(e.message(), "tensorsolve: a system [2, 3, 1, 6] and a right side [1, 6] do not fit");
    }

    #[test]
    fn reflections_are_orthonormal_and_have_derivatives() {
        seed(14);
        let a = Tensor::randn([2, 5, 3]).to(DType::F64);
        // A reflection is one where τ = 2 / vᵀv.
        let v = a.tril(-1) + Tensor::eye(5).to(DType::F64).slice(-1, ..3);
        let q = householder_product(&a, &(2.0 / v.square().sum(-2)));
        let one = Tensor::eye(3).to(DType::F64).expand([2, 3, 3]);
        assert_tensors_close(&q.t().matmul(&q), &one, 1e-12, 0.0, "Qᵀ Q");
        check2(|a, tau| householder_product(a, tau))
            .shapes([&[4, 3], &[2]])
            .on(floats(-1.0..1.0), floats(0.2..1.0));
        assert!(catch(|| householder_product(&Tensor::ones([2, 3]), &Tensor::ones([1]))).is_err());
    }
}

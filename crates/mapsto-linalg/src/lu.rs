//! The LU decomposition with exchanged rows.

use crate::batch::{Matrices, attempt, batched, finite, parts, rows, shape_of, side, sizes, together};
use crate::samples::{ANY, each, spread};
use crate::solve::{Triangle, cubic, over, solve_triangular};
use mapsto_tensor::error::named;
use mapsto_tensor::graph::{At, Cost, Keep, Op, Outline, Ran, Vjp, apply};
use mapsto_tensor::kind::{OpKind, Samples, Takes};
use mapsto_tensor::{DType, Result, Tensor, fail};
use nalgebra::DMatrix;
use std::ops::RangeInclusive;

pub(crate) const KINDS: [OpKind; 1] = [OpKind::new(
    "lu",
    "The permutation P, the unit lower L and the upper U with P L U = A, of each matrix.",
    Takes::Floats,
    of_lu,
)
.built(|_| Ok(Box::new(Lu)))];

/// The permutation `P`, the lower triangular `L` with ones on its diagonal, and the upper triangular `U` with `P L U = A`, of each matrix;
/// rows are exchanged so that nothing in `L` is larger than 1.
///
/// * Shape: `[.., m, n] → ([.., m, m], [.., m, k], [.., k, n])` with `k = min(m, n)`, floats only.
/// * Gradient: `dA = P L⁻ᵀ (tril₋₁(Lᵀ dL) + triu(dU Uᵀ)) U⁻ᵀ` of a square matrix; what is beyond the square of a wide or tall one follows by
///   `L⁻¹` or `U⁻¹`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let (p, l, u) = mapsto_linalg::lu(&tensor![[1.0, 2.0], [4.0, 4.0]])?;
/// assert_close!(p, [[0.0, 1.0], [1.0, 0.0]]);
/// assert_close!(l, [[1.0, 0.0], [0.25, 1.0]]);
/// assert_close!(u, [[4.0, 4.0], [0.0, 1.0]]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix holds NaN or infinity.
/// # Panics
/// When these are no matrices of floats. The derivative panics where `U` has a 0 on its diagonal. Source: Walter and Lehmann, *Algorithmic
/// differentiation of linear algebra functions* (2010), 3.1.
#[track_caller]
pub fn lu(a: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
    let [p, l, u] = parts(&attempt(Lu, &[a])?, layout(a));
    Ok((p.detach(), l, u))
}

/// `L` below the diagonal and `U` from it on, in one matrix, and the order of the rows: row i of the product is row `order[i]` of the
/// matrix. For [`lu_solve`], which solves for any number of right sides.
///
/// * Shape: `[.., m, n] → ([.., m, n], [.., m])`, the order as i64.   * Gradient: that of [`lu`].
///
/// PyTorch's pivots are the exchanges one after the other, counted from 1; the order is what they lead to.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let (lu, order) = mapsto_linalg::lu_factor(&tensor![[1.0, 2.0], [4.0, 4.0]])?;
/// assert_close!(lu, [[4.0, 4.0], [0.25, 1.0]]);
/// assert_eq!(order.to_vec::<i64>(), [1, 0]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// As [`lu`].
/// # Panics
/// As [`lu`].
#[track_caller]
pub fn lu_factor(a: &Tensor) -> Result<(Tensor, Tensor)> {
    let (m, n) = sizes("lu_factor", a);
    let (p, l, u) = lu(a)?;
    let below = filled(&l.tril(-1), -1, n);
    Ok((below + filled(&u, -2, m), p.t().argmax(-1)))
}

/// The solution `x` of `A x = b` by what [`lu_factor`] made of the square matrix A.
///
/// * Shape: `[.., n, n], [.., n], [.., n, k] → [.., n, k]`; axes before broadcast.   * Gradient: that of two triangular systems.
/// ```
/// # use mapsto_tensor::prelude::*;
/// use mapsto_linalg::{lu_factor, lu_solve};
/// let (lu, order) = lu_factor(&tensor![[1.0, 2.0], [4.0, 4.0]])?;
/// assert_close!(lu_solve(&lu, &order, &tensor![[5.0], [12.0]])?, [[1.0], [2.0]]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a 0 stands on the diagonal, or a number is NaN or infinite.
/// # Panics
/// When the matrices are not square, the order is no list of n row numbers, or the shapes do not fit.
#[track_caller]
pub fn lu_solve(lu: &Tensor, order: &Tensor, b: &Tensor) -> Result<Tensor> {
    let n = side("lu_solve", lu);
    if order.shape() != &lu.shape()[..lu.rank() - 1]
        || order.dtype() != DType::I64
        || sizes("lu_solve", b).0 != n
    {
        fail!("lu_solve", "factors {:?}, an order {:?} of {} and right sides {:?} do not fit", lu.shape(), order.shape(), order.dtype(), b.shape();
              help = "give both results of `lu_factor`, and right sides [.., {n}, k]");
    }
    let (lu, b) = together("lu_solve", lu, b);
    let places = order.unsqueeze(-1).expand(b.shape());
    let y = solve_triangular(&lu, &b.gather(-2, &places), Triangle::UnitLower)?;
    solve_triangular(&lu, &y, Triangle::Upper)
}

/// Zeros behind the numbers along an axis, up to a size.
fn filled(x: &Tensor, axis: isize, size: usize) -> Tensor {
    let mut shape = x.shape().to_vec();
    let at = shape.len().wrapping_add_signed(axis);
    if shape[at] == size {
        return x.clone();
    }
    shape[at] = size - shape[at];
    let zeros = x.device().scope(|| Tensor::full_of(&shape[..], 0.0, x.dtype()));
    Tensor::cat(&[x, &zeros], axis)
}

/// The sizes of `P`, `L` and `U`.
#[track_caller]
fn layout(a: &Tensor) -> [(usize, usize); 3] {
    let (m, n) = sizes("lu", a);
    let k = m.min(n);
    [(m, m), (m, k), (k, n)]
}

struct Lu;
impl Matrices for Lu {
    fn compute(&self, xs: &[&Tensor]) -> Result<Tensor> {
        let m = sizes("lu", xs[0]).0;
        let numbers = layout(xs[0]).iter().map(|(m, n)| m * n).sum();
        batched("lu", xs, &shape_of(xs[0], &[numbers]), &|x| {
            finite(&x[0])?;
            let (p, l, u) = x[0].clone().lu().unpack();
            let mut back = DMatrix::identity(m, m);
            p.inv_permute_rows(&mut back);
            Ok([rows(&back), rows(&l), rows(&u)].concat())
        })
    }
}
impl Op for Lu {
    fn name(&self) -> &'static str {
        "lu"
    }
    fn takes(&self) -> RangeInclusive<usize> {
        1..=1
    }
    fn keep(&self) -> Keep {
        Keep::BOTH
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        self.ran(xs)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let (m, n) = sizes("lu", at.x());
        let k = m.min(n);
        let [p, l, u] = parts(&at.y(), layout(at.x()));
        let [_, gl, gu] = parts(g, layout(at.x()));
        // Of the square of the first k rows and columns.
        let square = |l: &Tensor, u: &Tensor, gl: &Tensor, gu: &Tensor| {
            let inner = l.t().matmul(gl).tril(-1) + gu.matmul(&u.t()).triu(0);
            over(Triangle::Upper, u, &over(Triangle::UnitUpper, &l.t(), &inner).t()).t()
        };
        let moved = named("lu", || match (m > k, n > k) {
            // The rows beyond it are L₂ = A₂ U⁻¹.
            (true, _) => {
                let (top, rest) = (l.slice(-2, ..k), l.slice(-2, k..));
                let beyond = over(Triangle::Upper, &u, &gl.slice(-2, k..).t()).t();
                let gu = &gu - rest.t().matmul(&beyond).triu(0);
                Tensor::cat(&[&square(&top, &u, &gl.slice(-2, ..k), &gu), &beyond], -2)
            }
            // The columns beyond it are U₂ = L⁻¹ A₂.
            (_, true) => {
                let (left, rest) = (u.slice(-1, ..k), u.slice(-1, k..));
                let beyond = over(Triangle::UnitUpper, &l.t(), &gu.slice(-1, k..));
                let gl = &gl - beyond.matmul(&rest.t()).tril(-1);
                Tensor::cat(&[&square(&l, &left, &gl, &gu.slice(-1, ..k)), &beyond], -1)
            }
            _ => square(&l, &u, &gl, &gu),
        });
        p.detach().matmul(&moved).into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

fn of_lu(s: &mut Samples) {
    each(s, &ANY, spread, |x| {
        let y = apply(Lu, &[&x[0]]);
        let m = x[0].shape()[x[0].rank() - 2];
        // The permutation does not move.
        Tensor::cat(&[y.slice(-1, ..m * m).detach(), y.slice(-1, m * m..)], -1)
    });
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn the_product_is_the_matrix() {
        seed(5);
        for n in [1, 2, 3, 8, 33] {
            let a = Tensor::randn([2, n, n]).to(DType::F64);
            let (p, l, u) = lu(&a).unwrap();
            assert_tensors_close(&p.matmul(&l).matmul(&u), &a, 1e-12, 0.0, "P L U");
            assert_tensors_close(&l, &l.tril(0), 0.0, 0.0, "lower");
            assert!(l.abs().max(..).item() <= 1.0);
            let one = p.matmul(&p.t());
            assert_tensors_close(
                &one,
                &Tensor::eye(n).to(DType::F64).expand([2, n, n]),
                0.0,
                0.0,
                "a permutation",
            );
        }
        for [m, n] in [[5, 3], [3, 5], [1, 4], [4, 1], [6, 6]] {
            let a = Tensor::randn([2, m, n]).to(DType::F64);
            let (p, l, u) = lu(&a).unwrap();
            assert_tensors_close(&p.matmul(&l).matmul(&u), &a, 1e-12, 0.0, "P L U");
            let (packed, order) = lu_factor(&a).unwrap();
            assert_eq!((packed.shape(), order.shape()), (&[2, m, n][..], &[2, m][..]));
            let k = m.min(n);
            let l = packed.slice(-1, ..k).tril(-1) + Tensor::eye(m).to(DType::F64).slice(-1, ..k);
            let there = a.gather(-2, &order.unsqueeze(-1).expand([2, m, n]));
            assert_tensors_close(&l.matmul(&packed.slice(-2, ..k).triu(0)), &there, 1e-12, 0.0, "the order");
            if m == n {
                let b = Tensor::randn([m, 2]).to(DType::F64);
                let x = lu_solve(&packed, &order, &b).unwrap();
                assert_tensors_close(&a.matmul(&x), &b.expand([2, m, 2]), 1e-10, 0.0, "lu_solve");
                let e = catch(|| lu_solve(&packed, &order.slice(-1, 1..), &b)).unwrap_err();
                assert!(
                    e.message().starts_with("lu_solve: factors [2, 6, 6], an order [2, 5] of i64"),
                    "{e}"
                );
            }
        }
        assert_eq!(lu(&tensor![[f64::NAN]]).unwrap_err().message(), "lu: the matrix holds NaN or infinity");
    }
}

//! The LU decomposition with exchanged rows.

use crate::batch::{Matrices, attempt, batched, finite, parts, rows, shape_of, side};
use crate::samples::{SQUARE, each, spread};
use crate::solve::{Triangle, cubic, over};
use mapsto_tensor::error::named;
use mapsto_tensor::graph::{At, Cost, Keep, Op, Outline, Ran, Vjp, apply};
use mapsto_tensor::kind::{OpKind, Samples, Takes};
use mapsto_tensor::{Result, Tensor};
use nalgebra::DMatrix;
use std::ops::RangeInclusive;

pub(crate) const KINDS: [OpKind; 1] = [OpKind::new(
    "lu",
    "The permutation P, the unit lower L and the upper U with P L U = A, of each square matrix.",
    Takes::Floats,
    of_lu,
)
.built(|_| Ok(Box::new(Lu)))];

/// The permutation `P`, the lower triangular `L` with ones on its diagonal, and the upper triangular `U` with `P L U = A`, of each square matrix;
/// rows are exchanged so that nothing in `L` is larger than 1.
///
/// * Shape: `[.., n, n] → ([.., n, n], [.., n, n], [.., n, n])`, floats only.
/// * Gradient: `dA = P L⁻ᵀ (tril₋₁(Lᵀ dL) + triu(dU Uᵀ)) U⁻ᵀ`.
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
/// When the matrices are not square. The derivative panics where `U` has a 0 on its diagonal. Source: Walter and Lehmann, *Algorithmic
/// differentiation of linear algebra functions* (2010), 3.1.
#[track_caller]
pub fn lu(a: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
    let n = side("lu", a);
    let [p, l, u] = parts(&attempt(Lu, &[a])?, [(n, n); 3]);
    Ok((p.detach(), l, u))
}

struct Lu;
impl Matrices for Lu {
    fn compute(&self, xs: &[&Tensor]) -> Result<Tensor> {
        let n = side("lu", xs[0]);
        batched("lu", xs, &shape_of(xs[0], &[3 * n * n]), &|x| {
            finite(&x[0])?;
            let (p, l, u) = x[0].clone().lu().unpack();
            let mut back = DMatrix::identity(n, n);
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
        Keep::OUTPUT
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        self.ran(xs)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let n = at.shape(0)[at.shape(0).len() - 1];
        let [p, l, u] = parts(&at.y(), [(n, n); 3]);
        let [_, gl, gu] = parts(g, [(n, n); 3]);
        named("lu", || {
            let inner = l.t().matmul(&gl).tril(-1) + gu.matmul(&u.t()).triu(0);
            let left = over(Triangle::UnitUpper, &l.t(), &inner);
            p.detach().matmul(&over(Triangle::Upper, &u, &left.t()).t())
        })
        .into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

fn of_lu(s: &mut Samples) {
    each(s, &SQUARE, spread, |x| {
        let y = apply(Lu, &[&x[0]]);
        let n = x[0].shape()[x[0].rank() - 1];
        // The permutation does not move.
        Tensor::cat(&[y.slice(-1, ..n * n).detach(), y.slice(-1, n * n..)], -1)
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
        assert_eq!(lu(&tensor![[f64::NAN]]).unwrap_err().message(), "lu: the matrix holds NaN or infinity");
    }
}

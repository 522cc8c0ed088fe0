//! The QR decomposition.

use crate::batch::{Matrices, attempt, batched, finite, parts, rows, shape_of, sizes};
use crate::samples::{ANY, each, spread};
use crate::solve::{Triangle, cubic, over};
use mapsto_tensor::error::named;
use mapsto_tensor::graph::{At, Cost, Keep, Op, Outline, Ran, Vjp, apply};
use mapsto_tensor::kind::{OpKind, Samples, Takes};
use mapsto_tensor::{DType, Result, Tensor, fail};
use std::ops::RangeInclusive;

pub(crate) const KINDS: [OpKind; 1] = [OpKind::new(
    "qr",
    "Q with orthonormal columns and the upper triangular R with Q R = A.",
    Takes::Floats,
    of_qr,
)
.built(|_| Ok(Box::new(Qr)))];

/// `Q` with orthonormal columns and the upper triangular `R` with `Q R = A`, of each matrix; PyTorch's mode `reduced`.
///
/// **Signs**: the diagonal of `R` is at least 0, which makes both unique where `A` has full rank. LAPACK, and so PyTorch and NumPy,
/// let the signs fall as they do.
///
/// * Shape: `[.., m, n] → ([.., m, k], [.., k, n])` with `k = min(m, n)`, floats only.
/// * Gradient: `dA = (dQ + Q (T + Tᵀ − diag T)) R⁻ᵀ` with `T` the upper triangle of `dR Rᵀ − Qᵀ dQ`; of a wide matrix that of its first
///   `m` columns, the others following by `Qᵀ`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let (q, r) = mapsto_linalg::qr(&tensor![[3.0, 1.0], [4.0, 2.0]])?;
/// assert_close!(q, [[0.6, -0.8], [0.8, 0.6]]);
/// assert_close!(r, [[5.0, 2.2], [0.0, 0.4]]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix holds NaN or infinity.
/// # Panics
/// When these are no matrices of floats. The derivative panics where columns depend on each other. Source: Walter and Lehmann, *Algorithmic differentiation of
/// linear algebra functions* (2010), 3.2; Roberts and Roberts, *QR and LQ decomposition matrix backpropagation algorithms* (2020).
#[track_caller]
pub fn qr(a: &Tensor) -> Result<(Tensor, Tensor)> {
    let (m, n) = sizes("qr", a);
    let k = m.min(n);
    let [q, r] = parts(&attempt(Qr, &[a])?, [(m, k), (k, n)]);
    Ok((q, r))
}

struct Qr;
impl Matrices for Qr {
    fn compute(&self, xs: &[&Tensor]) -> Result<Tensor> {
        let (m, n) = sizes("qr", xs[0]);
        let k = m.min(n);
        batched("qr", xs, &shape_of(xs[0], &[m * k + k * n]), &|x| {
            finite(&x[0])?;
            let qr = x[0].clone().qr();
            Ok([rows(&qr.q()), rows(&qr.r())].concat())
        })
    }
}
impl Op for Qr {
    fn name(&self) -> &'static str {
        "qr"
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
        let (m, n) = sizes("qr", at.x());
        let k = m.min(n);
        let [q, r] = parts(&at.y(), [(m, k), (k, n)]);
        let [gq, gr] = parts(g, [(m, k), (k, n)]);
        if n <= m {
            return named("qr", || tall(&q, &r, &gq, &gr)).into();
        }
        // The columns beyond the first m are Y, with R = [U | Qᵀ Y].
        let gv = gr.slice(-1, m..);
        let gq = gq + at.x().slice(-1, m..).matmul(&gv.t());
        let left = named("qr", || tall(&q, &r.slice(-1, ..m), &gq, &gr.slice(-1, ..m)));
        Tensor::cat(&[left, q.matmul(&gv)], -1).into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

/// The derivative where there are at least as many rows as columns. A column of which rounding alone left something on the diagonal has
/// none.
#[track_caller]
fn tall(q: &Tensor, r: &Tensor, gq: &Tensor, gr: &Tensor) -> Tensor {
    if r.device().backend().has_numbers() && !r.is_empty() {
        let here = r.detach().to(DType::F64);
        let least = here.norm(2.0, -2) * (f64::EPSILON * here.shape()[here.rank() - 1] as f64);
        if here.diagonal(0, -2, -1).abs().le(least).any(..).item() == 1.0 {
            fail!("qr", "the columns of a matrix {:?} depend on each other, and there is no derivative", here.shape();
                  help = "`linalg::pinv` and `linalg::lstsq` have one");
        }
    }
    let m = gr.matmul(&r.t()) - q.t().matmul(gq);
    let w = gq + q.matmul(&(m.triu(0) + m.triu(1).t()));
    over(Triangle::Upper, r, &w.t()).t()
}

fn of_qr(s: &mut Samples) {
    each(s, &ANY, spread, |x| apply(Qr, &[&x[0]]));
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn the_product_is_the_matrix_and_the_columns_are_orthonormal() {
        seed(4);
        for [m, n] in [[1, 1], [5, 5], [9, 4], [4, 9], [40, 40]] {
            let a = Tensor::randn([2, m, n]).to(DType::F64);
            for a in [a.clone(), Tensor::zeros_like(&a), a.slice(-1, ..1).expand([2, m, n])] {
                let (q, r) = qr(&a).unwrap();
                assert_tensors_close(&q.matmul(&r), &a, 1e-12, 0.0, "Q R");
                let k = m.min(n);
                let one = Tensor::eye(k).to(DType::F64).expand([2, k, k]);
                assert_tensors_close(&q.t().matmul(&q), &one, 1e-12, 0.0, "Qᵀ Q");
                assert_tensors_close(&r, &r.triu(0), 1e-12, 0.0, "upper");
                assert!(r.diagonal(0, -2, -1).ge(0.0).all(..).item() == 1.0, "{r}");
            }
        }
        let e = qr(&tensor![[f64::INFINITY]]).unwrap_err();
        assert_eq!(e.message(), "qr: the matrix holds NaN or infinity");
        let a = Tensor::ones([2, 2]).leaf();
        let e = catch(|| qr(&a).unwrap().0.sum(..).backward()).unwrap_err();
        assert_eq!(
            e.message(),
            "qr: the columns of a matrix [2, 2] depend on each other, and there is no derivative"
        );
    }
}

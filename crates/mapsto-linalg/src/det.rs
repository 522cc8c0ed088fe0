//! Determinants, and their logarithms, which do not overflow.

use crate::batch::{Matrices, Matrix, batched, finite, has_room, rows, shape_of, side};
use crate::samples::{SQUARE, each, spread};
use crate::solve::{Inverse, cubic, factored};
use crate::svd::decomposed;
use mapsto_tensor::error::named;
use mapsto_tensor::graph::{At, Cost, Keep, Op, Outline, Ran, Vjp, apply};
use mapsto_tensor::kind::{OpKind, Samples, Takes};
use mapsto_tensor::{Result, Tensor};
use std::ops::RangeInclusive;

pub(crate) const KINDS: [OpKind; 3] = [
    OpKind::new("det", "The determinant of each square matrix.", Takes::Floats, of_det)
        .built(|_| Ok(Box::new(Det))),
    OpKind::new(
        "cofactor",
        "The derivative of the determinant: the cofactors of each square matrix.",
        Takes::Floats,
        of_cofactor,
    )
    .built(|_| Ok(Box::new(Cofactor))),
    OpKind::new(
        "slogdet",
        "Sign and logarithm of the size of the determinant of each square matrix.",
        Takes::Floats,
        of_slogdet,
    )
    .built(|_| Ok(Box::new(SlogDet))),
];

/// The determinant of each square matrix; that of a matrix with NaN or infinity is NaN.
///
/// * Shape: `[.., n, n] → [..]`, floats only.   * Gradient: `dA = dy · cofactors`, `dy · det(A) A⁻ᵀ` where that exists; also of a singular
///   matrix.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let a = tensor![[1.0, 2.0], [2.0, 4.0]].leaf();
/// let det = mapsto_linalg::det(&a);
/// assert_close!(det, 0.0);
/// assert_close!(det.backward().of(&a), [[4.0, -2.0], [-2.0, 1.0]]);
/// ```
/// # Panics
/// When the matrices are not square. The second derivative panics where a matrix is singular. Source: Giles, *Collected matrix
/// derivative results for forward and reverse mode algorithmic differentiation* (2008), 2.2.4.
#[doc(alias = "determinant")]
#[track_caller]
pub fn det(a: &Tensor) -> Tensor {
    apply(Det, &[a])
}

/// Sign and logarithm of the size of the determinant of each square matrix: of a singular one 0 and −∞.
///
/// * Shape: `[.., n, n] → ([..], [..])`, floats only.   * Gradient: `dA = dy A⁻ᵀ` of the logarithm; the sign has none.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let (sign, log) = mapsto_linalg::slogdet(&tensor![[0.0, 2.0], [3.0, 0.0]]);
/// assert_close!(sign, -1.0);
/// assert_close!(log, 1.79176);                               // ln 6
/// ```
/// # Panics
/// When the matrices are not square. The derivative panics where a matrix is singular: it is infinite. Source: Giles (2008), 2.2.4.
#[doc(alias = "logdet")]
#[track_caller]
pub fn slogdet(a: &Tensor) -> (Tensor, Tensor) {
    let y = apply(SlogDet, &[a]);
    (y.select(-1, 0).detach(), y.select(-1, 1))
}

struct Det;
impl Op for Det {
    fn name(&self) -> &'static str {
        "det"
    }
    fn takes(&self) -> RangeInclusive<usize> {
        1..=1
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let _ = side("det", xs[0]);
        let y = batched("det", xs, &shape_of(xs[0], &[]), &|m| match finite(&m[0]) {
            Ok(()) if m[0].is_empty() => Ok(vec![1.0]),
            Ok(()) => Ok(vec![m[0].clone().lu().determinant()]),
            Err(_) => Ok(vec![f64::NAN]),
        });
        y.expect("every matrix has a determinant").into()
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let cofactors = named(self.name(), || apply(Cofactor, &[at.x()]));
        (cofactors * g.unsqueeze(-1).unsqueeze(-1)).into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

/// The derivative of the determinant. Of a regular matrix it is `det(A) A⁻ᵀ`; else it is made of the singular values,
/// `det(U) det(V) U diag(Π_{j ≠ i} sⱼ) Vᵀ`.
struct Cofactor;
impl Matrices for Cofactor {
    fn compute(&self, xs: &[&Tensor]) -> Result<Tensor> {
        let _ = side("cofactor", xs[0]);
        batched("cofactor", xs, xs[0].shape(), &|m| {
            if let Ok(lu) = factored(&m[0])
                && let Some(inverse) = lu.try_inverse()
            {
                return Ok(rows(&(inverse.transpose() * lu.determinant())));
            }
            let (u, s, vt) = decomposed(&m[0])?;
            let others =
                |i: usize| -> f64 { s.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, s)| s).product() };
            let turns = u.determinant() * vt.determinant();
            let middle =
                Matrix::from_fn(s.len(), s.len(), |i, j| if i == j { turns * others(i) } else { 0.0 });
            Ok(rows(&(u * middle * vt)))
        })
    }
}
impl Op for Cofactor {
    fn name(&self) -> &'static str {
        "cofactor"
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
    /// With `Y = A⁻¹`, `dC = tr(Y dA) C − det(A) (Y dA Y)ᵀ`.
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let (y, det) = named(self.name(), || (apply(Inverse, &[at.x()]), apply(Det, &[at.x()])));
        let trace = (g * at.y()).sum([-2, -1]).unsqueeze(-1).unsqueeze(-1);
        (y.t() * trace - y.matmul(g).matmul(&y).t() * det.unsqueeze(-1).unsqueeze(-1)).into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

struct SlogDet;
impl Op for SlogDet {
    fn name(&self) -> &'static str {
        "slogdet"
    }
    fn takes(&self) -> RangeInclusive<usize> {
        1..=1
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let _ = side("slogdet", xs[0]);
        has_room("slogdet", xs[0].rank() - 1);
        let y = batched("slogdet", xs, &shape_of(xs[0], &[2]), &|m| {
            if finite(&m[0]).is_err() {
                return Ok(vec![f64::NAN; 2]);
            }
            if m[0].is_empty() {
                return Ok(vec![1.0, 0.0]);
            }
            let lu = m[0].clone().lu();
            let pivots: Vec<f64> = lu.u().diagonal().iter().copied().collect();
            if pivots.contains(&0.0) {
                return Ok(vec![0.0, f64::NEG_INFINITY]);
            }
            let sign: f64 = pivots.iter().map(|v| v.signum()).product();
            Ok(vec![sign * lu.p().determinant::<f64>(), pivots.iter().map(|v| v.abs().ln()).sum()])
        });
        y.expect("every matrix has a determinant").into()
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let inverse = named(self.name(), || apply(Inverse, &[at.x()]));
        (inverse.t() * g.select(-1, 1).unsqueeze(-1).unsqueeze(-1)).into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

fn of_det(s: &mut Samples) {
    each(s, &SQUARE, spread, |x| apply(Det, &[&x[0]]));
}

fn of_cofactor(s: &mut Samples) {
    each(s, &SQUARE, spread, |x| apply(Cofactor, &[&x[0]]));
}

fn of_slogdet(s: &mut Samples) {
    each(s, &SQUARE, spread, |x| apply(SlogDet, &[&x[0]]));
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn determinants_multiply_and_logarithms_do_not_overflow() {
        seed(2);
        let [a, b] = [0, 1].map(|_| Tensor::randn([4, 6, 6]).to(DType::F64));
        assert_tensors_close(&det(&a.matmul(&b)), &(det(&a) * det(&b)), 1e-9, 1e-9, "det of a product");
        let (sign, log) = slogdet(&a);
        assert_tensors_close(&(sign * log.exp()), &det(&a), 1e-9, 1e-9, "slogdet");
        let (sign, log) = slogdet(&(Tensor::eye(300) * -1e-3));
        assert_eq!(sign.item(), 1.0);
        assert!((log.item() / (300.0 * (1e-3f64).ln()) - 1.0).abs() < 1e-6);
        let (sign, log) = slogdet(&Tensor::zeros([2, 2]));
        assert_eq!((sign.item(), log.item()), (0.0, f64::NEG_INFINITY));
        assert!(det(&tensor![[f64::NAN, 1.0], [1.0, 1.0]]).item().is_nan());
        assert_eq!(det(&Tensor::zeros([0, 0])).item(), 1.0);
    }

    #[test]
    fn a_singular_matrix_has_a_first_derivative_and_says_that_it_has_no_second_here() {
        let a = tensor![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]].to(DType::F64).leaf();
        let g = det(&a).backward().of(&a).clone();
        assert_close!(g.to(DType::F32), [[-3.0, 6.0, -3.0], [6.0, -12.0, 6.0], [-3.0, 6.0, -3.0]]);
        let e =
            catch(|| mapsto_tensor::grad(&mapsto_tensor::grad(&det(&a), [&a])[0].sum(..), [&a])).unwrap_err();
        assert!(e.message().contains("is singular"), "{e}");
        let e = catch(|| slogdet(&a).1.backward()).unwrap_err();
        assert!(e.message().starts_with("slogdet: the matrix is singular"), "{e}");
    }
}

//! Pseudo-inverses, least squares, and the rank of a matrix.

use crate::batch::{Matrices, Matrix, attempt, batched, rows, shape_of, sizes, together};
use crate::samples::{ANY, each, spread};
use crate::solve::cubic;
use crate::svd::{decomposed, svdvals};
use mapsto_tensor::graph::{At, Attrs, Cost, Keep, Op, Outline, Ran, Say, Vjp, apply};
use mapsto_tensor::kind::{OpKind, Samples, Takes};
use mapsto_tensor::{DType, Result, Tensor, fail};
use std::ops::RangeInclusive;

pub(crate) const KINDS: [OpKind; 1] =
    [OpKind::new("pinv", "The pseudo-inverse of each matrix.", Takes::Floats, of_pinv).built(of_attrs)];

fn of_attrs(a: &mut Attrs) -> Result<Box<dyn Op>> {
    Ok(Box::new(Pinv { rtol: a.need("rtol")? }))
}

/// The pseudo-inverse of each matrix (Moore, Penrose): the inverse where there is one, else the matrix that gives the shortest of all solutions
/// of least squares.
///
/// Singular values below `max(m, n) · ε` times the largest count as 0, with the `ε` of the dtype, as in PyTorch; [`pinv_with`] takes
/// another factor.
///
/// * Shape: `[.., m, n] → [.., n, m]`, floats only.
/// * Gradient: `dA = −Yᵀ dy Yᵀ + (1 − A Y) dyᵀ Y Yᵀ + Yᵀ Y dyᵀ (1 − Y A)`, where the rank does not change.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let a = tensor![[1.0, 0.0], [0.0, 0.0], [0.0, 2.0]];
/// assert_close!(mapsto_linalg::pinv(&a)?, [[1.0, 0.0, 0.0], [0.0, 0.0, 0.5]]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix holds NaN or infinity.
/// # Panics
/// When these are no matrices of floats. Source: Golub and Pereyra, *The differentiation of pseudo-inverses and nonlinear least squares problems
/// whose variables separate* (1973), equation 4.12.
#[track_caller]
pub fn pinv(a: &Tensor) -> Result<Tensor> {
    pinv_with(a, usual("pinv", a))
}

/// [`pinv`] where singular values of at most `rtol` times the largest count as 0.
///
/// * Shape: `[.., m, n] → [.., n, m]`, floats only.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let a = tensor![[1.0, 0.0], [0.0, 0.01]];
/// assert_close!(mapsto_linalg::pinv_with(&a, 0.1)?, [[1.0, 0.0], [0.0, 0.0]]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix holds NaN or infinity.
/// # Panics
/// When these are no matrices of floats, or `rtol` is negative or NaN.
#[track_caller]
pub fn pinv_with(a: &Tensor, rtol: f64) -> Result<Tensor> {
    let _ = sizes("pinv", a);
    tolerable("pinv", rtol);
    attempt(Pinv { rtol }, &[a])
}

/// The `x` of least `‖A x − b‖` for each matrix, and of least `‖x‖` among those: for more equations than unknowns, fewer, or such as
/// depend on each other. PyTorch's first result.
///
/// * Shape: `[.., m, n], [.., m, k] → [.., n, k]`, or `[m, n], [m] → [n]`; axes before broadcast; floats of one dtype.
/// * Gradient: that of [`pinv`] and of the product.
/// ```
/// # use mapsto_tensor::prelude::*;
/// // The line through (0, 1), (1, 3), (2, 5), by its value at 0 and its slope.
/// let a = tensor![[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]];
/// assert_close!(mapsto_linalg::lstsq(&a, &tensor![1.0, 3.0, 5.0])?, [1.0, 2.0]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix holds NaN or infinity.
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn lstsq(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (rtol, (m, _)) = (usual("lstsq", a), sizes("lstsq", a));
    let is_vector = b.rank() == 1 && a.rank() == 2;
    let b = if is_vector { b.unsqueeze(-1) } else { b.clone() };
    if sizes("lstsq", &b).0 != m || a.dtype() != b.dtype() {
        fail!("lstsq", "{:?} of {} and the right sides {:?} of {} do not fit", a.shape(), a.dtype(), b.shape(), b.dtype();
              help = "`b` must be [.., {m}, k] of the same dtype");
    }
    let (a, b) = together("lstsq", a, &b);
    // The product is taken in f64 too, so that it loses no digits of the factors.
    let x = attempt(Pinv { rtol }, &[&a.to(DType::F64)])?.matmul(&b.to(DType::F64)).to(b.dtype());
    Ok(if is_vector { x.squeeze(-1) } else { x })
}

/// How many singular values are more than `max(m, n) · ε` times the largest, with the `ε` of the dtype.
///
/// * Shape: `[.., m, n] → [..]`, i64.   * Gradient: none.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let a = tensor![[1.0, 2.0], [2.0, 4.0]];
/// assert_eq!(mapsto_linalg::matrix_rank(&a)?.item(), 1.0);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix holds NaN or infinity.
/// # Panics
/// When these are no matrices of floats.
#[track_caller]
pub fn matrix_rank(a: &Tensor) -> Result<Tensor> {
    matrix_rank_with(a, usual("matrix_rank", a))
}

/// [`matrix_rank`] where singular values of at most `rtol` times the largest count as 0.
///
/// * Shape: `[.., m, n] → [..]`, i64.   * Gradient: none.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let a = tensor![[1.0, 0.0], [0.0, 0.01]];
/// assert_eq!(mapsto_linalg::matrix_rank_with(&a, 0.1)?.item(), 1.0);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix holds NaN or infinity.
/// # Panics
/// When these are no matrices of floats, or `rtol` is negative or NaN.
#[track_caller]
pub fn matrix_rank_with(a: &Tensor, rtol: f64) -> Result<Tensor> {
    let (m, n) = sizes("matrix_rank", a);
    tolerable("matrix_rank", rtol);
    if m.min(n) == 0 {
        return Ok(a.device().scope(|| Tensor::full_of(&shape_of(a, &[])[..], 0, DType::I64)));
    }
    let s = svdvals(&a.detach().to(DType::F64))?;
    Ok(s.gt(s.slice(-1, ..1) * rtol).to(DType::I64).sum(-1))
}

/// The factor below which PyTorch takes a singular value for 0.
#[track_caller]
fn usual(op: &str, a: &Tensor) -> f64 {
    let (m, n) = sizes(op, a);
    let eps = match a.dtype() {
        DType::F64 => f64::EPSILON,
        DType::F32 => f64::from(f32::EPSILON),
        DType::F16 => 2f64.powi(-10),
        _ => 2f64.powi(-7),
    };
    m.max(n) as f64 * eps
}

#[track_caller]
fn tolerable(op: &str, rtol: f64) {
    if rtol.is_nan() || rtol < 0.0 {
        fail!(op, "`rtol` must be at least 0, got {rtol}");
    }
}

struct Pinv {
    rtol: f64,
}
impl Matrices for Pinv {
    fn compute(&self, xs: &[&Tensor]) -> Result<Tensor> {
        let (m, n) = sizes("pinv", xs[0]);
        tolerable("pinv", self.rtol);
        batched("pinv", xs, &shape_of(xs[0], &[n, m]), &|x| {
            let (u, s, vt) = decomposed(&x[0])?;
            let least = self.rtol * s[0];
            let over = Matrix::from_fn(n, s.len(), |i, j| if s[j] > least { vt[(j, i)] / s[j] } else { 0.0 });
            Ok(rows(&(over * u.transpose())))
        })
    }
}
impl Op for Pinv {
    fn name(&self) -> &'static str {
        "pinv"
    }
    fn attrs(&self, say: Say<'_>) {
        say("rtol", self.rtol.into());
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
        let (a, y) = (at.x(), at.y());
        let (yt, gt) = (y.t(), g.t());
        // Each product with the projections 1 − A Y and 1 − Y A is a difference.
        let left = gt.matmul(&y).matmul(&yt);
        let right = yt.matmul(&y).matmul(&gt);
        let outer = &left - a.matmul(&y.matmul(&left)) + &right - right.matmul(&y).matmul(a);
        (outer - yt.matmul(g).matmul(&yt)).into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

fn of_pinv(s: &mut Samples) {
    each(s, &ANY, spread, |x| apply(Pinv { rtol: 1e-12 }, &[&x[0]]));
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn the_four_conditions_of_penrose_hold() {
        seed(8);
        for [m, n, r] in [[4, 4, 4], [6, 3, 3], [3, 6, 3], [5, 5, 2], [7, 4, 2], [3, 3, 0]] {
            let a = Tensor::randn([m, r]).to(DType::F64).matmul(&Tensor::randn([r, n]).to(DType::F64));
            let y = pinv(&a).unwrap();
            let (ay, ya) = (a.matmul(&y), y.matmul(&a));
            assert_tensors_close(&ay.matmul(&a), &a, 1e-10, 0.0, "A Y A");
            assert_tensors_close(&ya.matmul(&y), &y, 1e-10, 0.0, "Y A Y");
            assert_tensors_close(&ay, &ay.t(), 1e-10, 0.0, "A Y");
            assert_tensors_close(&ya, &ya.t(), 1e-10, 0.0, "Y A");
            assert_eq!(matrix_rank(&a).unwrap().item(), r as f64);
            let b = Tensor::randn([m, 2]).to(DType::F64);
            let x = lstsq(&a, &b).unwrap();
            assert_tensors_close(
                &a.t().matmul(&(a.matmul(&x) - b)),
                &Tensor::zeros([n, 2]).to(DType::F64),
                1e-9,
                0.0,
                "the rest",
            );
        }
    }

    #[test]
    fn least_squares_have_derivatives_and_refusals() {
        let right = floats(-2.0..2.0);
        check2(|a, b| lstsq(a, b).unwrap()).shapes([&[4, 2], &[4, 2]]).on(floats(0.5..2.0), right);
        let said = |f: &dyn Fn() -> Result<Tensor>| catch(f).unwrap_err().message().to_string();
        let a = Tensor::ones([3, 2]);
        assert_eq!(
            said(&|| lstsq(&a, &tensor![1.0])),
            "lstsq: [3, 2] of f32 and the right sides [1, 1] of f32 do not fit"
        );
        assert_eq!(said(&|| pinv_with(&a, -1.0)), "pinv: `rtol` must be at least 0, got -1");
        assert_eq!(
            pinv(&tensor![[f64::NAN]]).unwrap_err().message(),
            "pinv: the matrix holds NaN or infinity"
        );
        assert_eq!(matrix_rank(&Tensor::zeros([2, 0, 3])).unwrap().to_vec::<i64>(), [0, 0]);
    }
}

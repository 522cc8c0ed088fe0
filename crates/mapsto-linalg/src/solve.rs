//! Inverses, and systems of linear equations of full and of triangular matrices.

use crate::batch::{Fault, Matrices, Matrix, alike, attempt, batched, finite, rows, side, sizes, together};
use crate::samples::{SQUARE, each, spread};
use mapsto_tensor::check::floats;
use mapsto_tensor::graph::{At, Attrs, Cost, Keep, Op, Outline, Ran, Say, Vjp, apply};
use mapsto_tensor::kind::{OpKind, Samples, Takes};
use mapsto_tensor::{Result, Tensor, fail};
use std::ops::RangeInclusive;

pub(crate) const KINDS: [OpKind; 3] = [
    OpKind::new("inverse", "The inverse of each square matrix.", Takes::Floats, of_inverse)
        .built(|_| Ok(Box::new(Inverse))),
    OpKind::new("solve", "The solution of `A x = b` for each square matrix.", Takes::Floats, of_solve)
        .built(|_| Ok(Box::new(Solve))),
    OpKind::new(
        "solve_triangular",
        "The solution of `A x = b` for each triangular matrix.",
        Takes::Floats,
        of_triangular,
    )
    .built(of_attrs),
];

fn of_attrs(a: &mut Attrs) -> Result<Box<dyn Op>> {
    Ok(Box::new(SolveTriangular { is_upper: a.need("upper")?, is_unit: a.need("unit")? }))
}

/// The inverse of each square matrix; `torch.linalg.inv`.
///
/// * Shape: `[.., n, n] → [.., n, n]`, floats only.   * Gradient: `dA = −A⁻ᵀ dy A⁻ᵀ`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let a = tensor![[2.0, 1.0], [1.0, 1.0]];
/// assert_close!(mapsto_linalg::inverse(&a)?, [[1.0, -1.0], [-1.0, 2.0]]);
/// let e = mapsto_linalg::inverse(&tensor![[1.0, 2.0], [2.0, 4.0]]).unwrap_err();
/// assert_eq!(e.message(), "inverse: the matrix is singular, or so close to it that no digit would be right");
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix is singular, or holds NaN or infinity.
/// # Panics
/// When the matrices are not square. Source: Giles, *Collected matrix derivative results for forward and reverse mode algorithmic
/// differentiation* (2008), 2.2.3.
#[doc(alias = "inv")]
#[track_caller]
pub fn inverse(a: &Tensor) -> Result<Tensor> {
    attempt(Inverse, &[a])
}

/// The solution `x` of `A x = b` for each square matrix.
///
/// * Shape: `[.., n, n], [.., n, k] → [.., n, k]`, or `[.., n, n], [.., n] → [.., n]`; axes before broadcast; floats of one dtype.
/// * Gradient: `db = A⁻ᵀ dy`, `dA = −db xᵀ`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let a = tensor![[2.0, 1.0], [1.0, 3.0]];
/// assert_close!(mapsto_linalg::solve(&a, &tensor![3.0, 5.0])?, [0.8, 1.4]);
/// # Ok::<(), Error>(())
/// ```
/// As in PyTorch, `b` is one vector for each matrix where it has one axis, or the shape of `a` without its last axis.
///
/// # Errors
/// When a matrix is singular, or holds NaN or infinity.
/// # Panics
/// When the matrices are not square or the shapes do not fit. Source: Giles (2008), 2.3.1.
#[track_caller]
pub fn solve(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let n = side("solve", a);
    let is_vector = b.rank() == 1 || (b.rank() + 1 == a.rank() && b.shape() == &a.shape()[..a.rank() - 1]);
    let b = if is_vector { b.unsqueeze(-1) } else { b.clone() };
    fits("solve", n, &b);
    let (a, b) = together("solve", a, &b);
    let x = attempt(Solve, &[&a, &b])?;
    Ok(if is_vector { x.squeeze(-1) } else { x })
}

/// Which triangle of a matrix counts; the rest is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Triangle {
    /// The diagonal and what is below it.
    Lower,
    /// The diagonal and what is above it.
    Upper,
    /// What is below the diagonal, which counts as 1.
    UnitLower,
    /// What is above the diagonal, which counts as 1.
    UnitUpper,
}

/// The solution `x` of `A x = b` for each triangular matrix. PyTorch's `left=False` is the transpose of it:
/// `solve_triangular(&a.t(), &b.t(), ..)?.t()` solves `x A = b`.
///
/// * Shape: `[.., n, n], [.., n, k] → [.., n, k]`; axes before broadcast; floats of one dtype.
/// * Gradient: `db = A⁻ᵀ dy`, `dA` that triangle of `−db xᵀ`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// use mapsto_linalg::{Triangle, solve_triangular};
/// let a = tensor![[2.0, 0.0], [1.0, 4.0]];
/// assert_close!(solve_triangular(&a, &tensor![[2.0], [9.0]], Triangle::Lower)?, [[1.0], [2.0]]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a 0 stands on a diagonal that counts, or a number is NaN or infinite.
/// # Panics
/// When the matrices are not square or the shapes do not fit.
#[track_caller]
pub fn solve_triangular(a: &Tensor, b: &Tensor, triangle: Triangle) -> Result<Tensor> {
    fits("solve_triangular", side("solve_triangular", a), b);
    let (a, b) = together("solve_triangular", a, b);
    attempt(SolveTriangular::of(triangle), &[&a, &b])
}

#[track_caller]
fn fits(op: &str, n: usize, b: &Tensor) {
    if sizes(op, b).0 != n {
        fail!(op, "matrices of side {n} and right sides {:?} do not fit", b.shape(); help = "`b` must be [.., {n}, k]");
    }
}

/// The rows that were exchanged, `L` and `U`. A pivot without a correct digit, since all of them were lost while it was computed, is a
/// fault: rounding alone made it what it is.
pub(crate) fn factored(a: &Matrix) -> Result<nalgebra::LU<f64, nalgebra::Dyn, nalgebra::Dyn>, Fault> {
    finite(a)?;
    let lu = a.clone().lu();
    let (l, u) = (lu.l(), lu.u());
    for k in 0..a.nrows() {
        let terms: f64 = (0..=k).map(|j| (l[(k, j)] * u[(j, k)]).abs()).sum();
        let least = a.nrows() as f64 * f64::EPSILON * terms;
        if u[(k, k)].abs() <= least || !u[(k, k)].is_finite() {
            return Err(Fault::Singular);
        }
    }
    Ok(lu)
}

/// Operations of `n` steps for each number of a matrix.
pub(crate) fn cubic(xs: &[Outline], y: &Outline) -> Cost {
    Cost::each_input(xs, y, xs[0].shape.last().map_or(1, |n| *n as u64))
}

pub(crate) struct Inverse;
impl Matrices for Inverse {
    fn compute(&self, xs: &[&Tensor]) -> Result<Tensor> {
        let _ = side("inverse", xs[0]);
        batched("inverse", xs, xs[0].shape(), &|m| {
            let y = factored(&m[0])?.try_inverse().ok_or(Fault::Singular)?;
            finite(&y).map_err(|_| Fault::Singular)?;
            Ok(rows(&y))
        })
    }
}
impl Op for Inverse {
    fn name(&self) -> &'static str {
        "inverse"
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
        let yt = at.y().t();
        (-yt.matmul(g).matmul(&yt)).into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

pub(crate) struct Solve;
impl Matrices for Solve {
    fn compute(&self, xs: &[&Tensor]) -> Result<Tensor> {
        let n = side("solve", xs[0]);
        fits("solve", n, xs[1]);
        alike("solve", xs[0], xs[1]);
        batched("solve", xs, xs[1].shape(), &|m| {
            finite(&m[1])?;
            let mut x = m[1].clone();
            if !factored(&m[0])?.solve_mut(&mut x) {
                return Err(Fault::Singular);
            }
            Ok(rows(&x))
        })
    }
}
impl Op for Solve {
    fn name(&self) -> &'static str {
        "solve"
    }
    fn takes(&self) -> RangeInclusive<usize> {
        2..=2
    }
    fn keep(&self) -> Keep {
        Keep::OUTPUT.input(0)
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        self.ran(xs)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let db = apply(Solve, &[&at.a().t(), g]);
        let da = at.wants(0).then(|| -db.matmul(&at.y().t()));
        [da, Some(db)].into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct SolveTriangular {
    is_upper: bool,
    is_unit: bool,
}

impl SolveTriangular {
    pub(crate) fn of(triangle: Triangle) -> SolveTriangular {
        SolveTriangular {
            is_upper: matches!(triangle, Triangle::Upper | Triangle::UnitUpper),
            is_unit: matches!(triangle, Triangle::UnitLower | Triangle::UnitUpper),
        }
    }

    /// That triangle of a matrix.
    fn of_matrix(self, a: &Tensor) -> Tensor {
        let k = i64::from(self.is_unit);
        if self.is_upper { a.triu(k) } else { a.tril(-k) }
    }
}

impl Matrices for SolveTriangular {
    fn compute(&self, xs: &[&Tensor]) -> Result<Tensor> {
        let n = side("solve_triangular", xs[0]);
        fits("solve_triangular", n, xs[1]);
        alike("solve_triangular", xs[0], xs[1]);
        batched("solve_triangular", xs, xs[1].shape(), &|m| {
            // What is not read may be anything.
            let mut a = if self.is_upper { m[0].upper_triangle() } else { m[0].lower_triangle() };
            if self.is_unit {
                a.fill_diagonal(1.0);
            }
            finite(&a)?;
            finite(&m[1])?;
            let mut x = m[1].clone();
            let solved = if self.is_upper {
                a.solve_upper_triangular_mut(&mut x)
            } else {
                a.solve_lower_triangular_mut(&mut x)
            };
            if solved { Ok(rows(&x)) } else { Err(Fault::Singular) }
        })
    }
}
impl Op for SolveTriangular {
    fn name(&self) -> &'static str {
        "solve_triangular"
    }
    fn attrs(&self, say: Say<'_>) {
        say("upper", self.is_upper.into());
        say("unit", self.is_unit.into());
    }
    fn takes(&self) -> RangeInclusive<usize> {
        2..=2
    }
    fn keep(&self) -> Keep {
        Keep::OUTPUT.input(0)
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        self.ran(xs)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let db = apply(SolveTriangular { is_upper: !self.is_upper, ..*self }, &[&at.a().t(), g]);
        let da = at.wants(0).then(|| self.of_matrix(&-db.matmul(&at.y().t())));
        [da, Some(db)].into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

/// `T⁻¹ b`, inside of derivatives.
#[track_caller]
pub(crate) fn over(triangle: Triangle, t: &Tensor, b: &Tensor) -> Tensor {
    apply(SolveTriangular::of(triangle), &[t, b])
}

fn of_inverse(s: &mut Samples) {
    each(s, &SQUARE, spread, |x| apply(Inverse, &[&x[0]]));
}

fn with_right_side(s: &mut Samples, call: fn(&[Tensor]) -> Tensor) {
    for shape in SQUARE {
        let a = spread(s, shape);
        let right = [&shape[..shape.len() - 1], &[2]].concat();
        let b = s.draw(&right, &floats(-2.0..2.0));
        s.given(vec![a, b], call);
    }
}

fn of_solve(s: &mut Samples) {
    with_right_side(s, |x| apply(Solve, &[&x[0], &x[1]]));
}

fn of_triangular(s: &mut Samples) {
    with_right_side(s, |x| over(Triangle::Lower, &x[0], &x[1]));
    with_right_side(s, |x| over(Triangle::UnitUpper, &x[0], &x[1]));
    with_right_side(s, |x| over(Triangle::Upper, &x[0], &x[1]));
    with_right_side(s, |x| over(Triangle::UnitLower, &x[0], &x[1]));
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn inverse_times_matrix_is_the_identity_and_vectors_are_solved() {
        seed(1);
        for n in [1, 2, 7, 40] {
            let a = Tensor::randn([3, n, n]).to(DType::F64);
            let b = Tensor::randn([n, 4]).to(DType::F64);
            let one = inverse(&a).unwrap().matmul(&a);
            assert_tensors_close(
                &one,
                &Tensor::eye(n).to(DType::F64).expand([3, n, n]),
                1e-9,
                0.0,
                "the identity",
            );
            let x = solve(&a, &b).unwrap();
            assert_tensors_close(&a.matmul(&x), &b.expand([3, n, 4]), 1e-9, 0.0, "the right side");
            let v = Tensor::randn([3, n]).to(DType::F64);
            let x = solve(&a, &v).unwrap();
            assert_eq!(x.shape(), [3, n]);
            assert_tensors_close(&a.matmul(&x.unsqueeze(-1)).squeeze(-1), &v, 1e-9, 0.0, "the vectors");
        }
    }

    #[test]
    fn scales_are_no_fault_and_lost_digits_are() {
        let scaled = tensor![[1e-30, 1e-10], [1e10, 4e30]];
        assert!(inverse(&scaled.to(DType::F64)).is_ok());
        let rows = Tensor::from_slice(&[1.0, 1.0, 1e-200, 2e-200], [2, 2]);
        let y = inverse(&rows).unwrap().to_vec::<f64>();
        assert!((y[0] - 2.0).abs() < 1e-12 && (y[1] / -1e200 - 1.0).abs() < 1e-12, "{y:?}");
        let said = |a: Tensor| inverse(&a).unwrap_err().message().to_string();
        assert!(said(tensor![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]).contains("is singular"));
        assert!(said(tensor![[0.0]]).starts_with("inverse: the matrix is singular"));
        let batch = Tensor::stack(&[&Tensor::eye(2), &Tensor::zeros([2, 2])], 0).expand([3, 2, 2, 2]);
        assert!(said(batch).starts_with("inverse: matrix [0, 1] of the batch [3, 2] is singular"));
        assert_eq!(said(tensor![[f64::NAN]]), "inverse: the matrix holds NaN or infinity");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let said = |f: &dyn Fn() -> Result<Tensor>| catch(f).unwrap_err().message().to_string();
        let a = Tensor::eye(2);
        assert_eq!(
            said(&|| inverse(&Tensor::ones([2, 3]))),
            "inverse: square matrices are needed, these are 2 × 3: [2, 3]"
        );
        assert_eq!(
            said(&|| inverse(&tensor![1.0])),
            "inverse: matrices [.., m, n] of floats are needed, this is [1] of f32"
        );
        assert_eq!(
            said(&|| solve(&a, &Tensor::ones([3, 1]))),
            "solve: matrices of side 2 and right sides [3, 1] do not fit"
        );
        let b = Tensor::ones([3, 2, 1]);
        assert_eq!(
            said(&|| solve(&a.expand([2, 2, 2]), &b)),
            "solve: the batches [2] and [3] do not broadcast"
        );
        let e = solve_triangular(&tensor![[0.0]], &tensor![[1.0]], Triangle::Upper).unwrap_err();
        assert!(e.message().starts_with("solve_triangular: the matrix is singular"), "{e}");
        assert_close!(
            solve_triangular(&tensor![[f64::NAN]], &tensor![[1.0]], Triangle::UnitUpper).unwrap(),
            [[1.0]]
        );
    }
}

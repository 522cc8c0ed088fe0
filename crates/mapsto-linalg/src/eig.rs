//! Eigenvalues and eigenvectors of square matrices that need not be symmetric: complex numbers, as pairs.

use crate::batch::{
    Fault, Matrices, Matrix, attempt, batched, eye, finite, has_room, is_unused, parts, rows, shape_of, side,
};
use crate::eigh::most_steps;
use crate::samples::{SQUARE, each, spread};
use crate::solve::{Solve, cubic};
use mapsto_tensor::check::floats;
use mapsto_tensor::error::named;
use mapsto_tensor::graph::{At, Cost, Keep, Op, Outline, Ran, Vjp, apply};
use mapsto_tensor::kind::{OpKind, Samples, Takes};
use mapsto_tensor::{Result, Tensor, keep};
use nalgebra::{Complex, DMatrix, Schur};
use std::ops::RangeInclusive;

pub(crate) const KINDS: [OpKind; 2] = [
    OpKind::new("eig", "Eigenvalues and eigenvectors of each square matrix.", Takes::Floats, of_eig)
        .built(|_| Ok(Box::new(Eig { is_whole: true }))),
    OpKind::new("eigvals", "Eigenvalues of each square matrix.", Takes::Floats, of_eigvals)
        .built(|_| Ok(Box::new(Eig { is_whole: false }))),
];

/// Eigenvalues `w` and eigenvectors, the columns of `V`, of each square matrix: `A V = V diag(w)`. Both are complex: their last axis is the
/// pair of real and imaginary part, as in `mapsto_fft`.
///
/// **Order and phase**: eigenvalues stand by their real parts, equal ones by their imaginary parts. Eigenvectors have length 1, and the first
/// of the largest numbers of each is real and positive. PyTorch leaves both open.
///
/// * Shape: `[.., n, n] → ([.., n, 2], [.., n, n, 2])`, floats only.
/// * Gradient: `dA = Re(V⁻ᴴ N Vᴴ)` with `dw` on the diagonal of `N` and beside it `Vᴴ dV / conj(wⱼ − wᵢ)`, of `dV` less what the length and the
///   phase hold. Of equal eigenvalues there is no derivative of eigenvectors: it is infinite or NaN, unless none was used.
/// ```
/// # use mapsto_tensor::prelude::*;
/// let (w, v) = mapsto_linalg::eig(&tensor![[0.0, -1.0], [1.0, 0.0]])?;           // a quarter turn
/// assert_close!(w, [[0.0, -1.0], [0.0, 1.0]]);                                   // −i and i
/// assert_close!(v.select(-2, 0), [[0.70711, 0.0], [0.0, 0.70711]]);              // of −i: (1, i) / √2
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// When a matrix holds NaN or infinity.
/// # Panics
/// When the matrices are not square. The derivative panics where a matrix has too few eigenvectors. Source: Boeddeker, Hanebrink, Drude,
/// Heymann and Haeb-Umbach, *On the computation of complex-valued gradients with application to statistically optimum beamforming* (2017), 4.6.
#[track_caller]
pub fn eig(a: &Tensor) -> Result<(Tensor, Tensor)> {
    let n = side("eig", a);
    has_room("eig", a.rank() + 1);
    let [re, im, vr, vi] = parts(&attempt(Eig { is_whole: true }, &[a])?, layout(n));
    Ok((Tensor::stack(&[re.squeeze(-2), im.squeeze(-2)], -1), Tensor::stack(&[vr, vi], -1)))
}

/// The eigenvalues of each square matrix, as pairs of real and imaginary part, in the order of [`eig`].
///
/// * Shape: `[.., n, n] → [.., n, 2]`, floats only.   * Gradient: `dA = Re(V⁻ᴴ diag(dw) Vᴴ)`.
/// ```
/// # use mapsto_tensor::prelude::*;
/// assert_close!(mapsto_linalg::eigvals(&tensor![[2.0, 1.0], [0.0, 1.0]])?, [[1.0, 0.0], [2.0, 0.0]]);
/// # Ok::<(), Error>(())
/// ```
/// # Errors
/// As [`eig`].
/// # Panics
/// As [`eig`].
#[track_caller]
pub fn eigvals(a: &Tensor) -> Result<Tensor> {
    let n = side("eigvals", a);
    let [re, im] = parts(&attempt(Eig { is_whole: false }, &[a])?, [(1, n); 2]);
    Ok(Tensor::stack(&[re.squeeze(-2), im.squeeze(-2)], -1))
}

/// Real and imaginary parts of the eigenvalues, then of the eigenvectors.
fn layout(n: usize) -> [(usize, usize); 4] {
    [(1, n), (1, n), (n, n), (n, n)]
}

type Whole = Complex<f64>;

/// Eigenvalues and eigenvectors by Schur's triangular form, of which vectors are found by substitution.
fn decomposed(a: &Matrix) -> Result<(Vec<Whole>, DMatrix<Whole>), Fault> {
    finite(a)?;
    let n = a.nrows();
    // In units of the largest number, so that no square of a difference is 0 or infinite.
    let unit = if n > 0 && a.amax() > 0.0 { a.amax() } else { 1.0 };
    let wide = a.map(|v| Whole::new(v / unit, 0.0));
    if n == 0 {
        return Ok((Vec::new(), wide));
    }
    let (q, t) = Schur::try_new(wide.clone(), f64::EPSILON, most_steps(n)).ok_or(Fault::Endless)?.unpack();
    let size = t.iter().fold(0.0, |most: f64, v| most.max(size_of(*v)));
    let mut w: Vec<Whole> = t.diagonal().iter().copied().collect();
    let mut v = DMatrix::from_element(n, n, Whole::new(0.0, 0.0));
    for j in 0..n {
        let mut y = vec![Whole::new(0.0, 0.0); n];
        y[j] = Whole::new(1.0, 0.0);
        for i in (0..j).rev() {
            let sum: Whole = (i + 1..=j).map(|k| t[(i, k)] * y[k]).sum();
            let gap = t[(i, i)] - w[j];
            // Of equal values, a vector that there is not is the one before, but for rounding.
            let least = f64::EPSILON * size.max(1e-3);
            y[i] = -sum / if size_of(gap) < least { Whole::new(least, 0.0) } else { gap };
            let most = size_of(y[i]);
            if most > 1e50 {
                y[i..=j].iter_mut().for_each(|y| *y /= most);
            }
        }
        let column = &q * DMatrix::from_column_slice(n, 1, &y);
        v.set_column(j, &column.column(0));
        turned(v.column_mut(j).as_mut_slice());
    }
    paired(&mut w, &mut v, 10.0 * n as f64 * f64::EPSILON * size);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| w[i].re.total_cmp(&w[j].re).then(w[i].im.total_cmp(&w[j].im)));
    let (w, v): (Vec<Whole>, _) = (order.iter().map(|i| w[*i]).collect(), v.select_columns(&order));
    let left = wide * &v - DMatrix::from_fn(n, n, |i, j| v[(i, j)] * w[j]);
    let exact = left.iter().all(|d| size_of(*d) <= 1e-10 * n as f64 * size);
    if exact { Ok((w.iter().map(|w| w * unit).collect(), v)) } else { Err(Fault::Endless) }
}

fn size_of(z: Whole) -> f64 {
    z.re.hypot(z.im)
}

/// A vector of length 1, without what is 0 but for rounding, of which the first of the largest numbers is real and positive.
fn turned(v: &mut [Whole]) {
    let length = v.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt();
    let most = v.iter().fold(0.0, |most: f64, v| most.max(size_of(*v))) * (1.0 - 1e-6);
    let Some(k) = v.iter().position(|v| size_of(*v) >= most) else { return };
    let by = v[k].conj() / size_of(v[k]) / length;
    for v in v.iter_mut() {
        *v = if size_of(*v) < 4.0 * f64::EPSILON * most { Whole::new(0.0, 0.0) } else { *v * by };
    }
    v[k].im = 0.0;
}

/// Those of a real matrix are real, or pairs of conjugates: what rounding made of that is taken back.
fn paired(w: &mut [Whole], v: &mut DMatrix<Whole>, rounding: f64) {
    let n = w.len();
    for j in 0..n {
        if w[j].im.abs() <= rounding {
            w[j].im = 0.0;
            if v.column(j).iter().all(|v| v.im.abs() < 1e-8) {
                v.column_mut(j).iter_mut().for_each(|v| v.im = 0.0);
            }
        }
    }
    let mut free: Vec<usize> = (0..n).filter(|&j| w[j].im < 0.0).collect();
    for j in (0..n).filter(|&j| w[j].im > 0.0).collect::<Vec<_>>() {
        let far = |k: &usize| size_of(w[*k] - w[j].conj());
        let Some(place) = (0..free.len()).min_by(|a, b| far(&free[*a]).total_cmp(&far(&free[*b]))) else {
            return;
        };
        let k = free.swap_remove(place);
        w[k] = w[j].conj();
        for i in 0..n {
            v[(i, k)] = v[(i, j)].conj();
        }
    }
}

struct Eig {
    is_whole: bool,
}
impl Matrices for Eig {
    fn compute(&self, xs: &[&Tensor]) -> Result<Tensor> {
        let n = side(self.name(), xs[0]);
        let numbers = if self.is_whole { 2 * n + 2 * n * n } else { 2 * n };
        batched(self.name(), xs, &shape_of(xs[0], &[numbers]), &|m| {
            let (w, v) = decomposed(&m[0])?;
            let mut y: Vec<f64> = w.iter().map(|w| w.re).chain(w.iter().map(|w| w.im)).collect();
            if self.is_whole {
                y.extend(rows(&v.map(|v| v.re)));
                y.extend(rows(&v.map(|v| v.im)));
            }
            Ok(y)
        })
    }
}
impl Op for Eig {
    fn name(&self) -> &'static str {
        if self.is_whole { "eig" } else { "eigvals" }
    }
    fn takes(&self) -> RangeInclusive<usize> {
        1..=1
    }
    fn keep(&self) -> Keep {
        if self.is_whole { Keep::OUTPUT } else { Keep::INPUTS }
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        self.ran(xs)
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let n = at.shape(0)[at.shape(0).len() - 1];
        // Eigenvalues alone: the vectors are computed where they are needed, and are the operation's that can be differentiated.
        let whole = if self.is_whole { at.y() } else { apply(Eig { is_whole: true }, &[at.x()]) };
        let [wr, wi, vr, vi] = parts(&whole, layout(n));
        let v = Parts { re: vr, im: vi };
        let one = eye(n, &v.re);
        let [gr, gi] = parts(&g.slice(-1, ..2 * n), [(1, n); 2]);
        let mut inner = Parts { re: gr * &one, im: gi * &one };
        if self.is_whole {
            let [_, _, gvr, gvi] = parts(g, layout(n));
            if !(is_unused(&gvr) && is_unused(&gvi)) {
                let moved = v.turned().times(&held(&v, &Parts { re: gvr, im: gvi }));
                // [i, j]: wⱼ − wᵢ, and 1 on the diagonal, which is left out.
                let (dr, di) = (&wr - wr.t() + &one, &wi - wi.t());
                let below = (1.0 - &one) / (dr.square() + di.square());
                inner.re += (&moved.re * &dr - &moved.im * &di) * &below;
                inner.im += (&moved.re * &di + &moved.im * &dr) * &below;
            }
        }
        let right = inner.times(&v.turned());
        named(self.name(), || v.turned().solve(&right).re).into()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cubic(xs, y)
    }
}

/// The gradient of eigenvectors less what goes along their length and their phase, which do not move.
fn held(v: &Parts, g: &Parts) -> Parts {
    let along = |x: &Tensor| x.sum(keep(-2));
    let length = along(&(&v.re * &g.re + &v.im * &g.im));
    let phase = along(&(&v.re * &g.im - &v.im * &g.re));
    let size = v.re.detach().square() + v.im.detach().square();
    let n = size.shape()[size.rank() - 1];
    let largest = size
        .ge(size.max(keep(-2)) * (1.0 - 2e-6))
        .to(size.dtype())
        .argmax(-2)
        .one_hot(n)
        .to(size.dtype())
        .t();
    let real = along(&(&v.re * &largest));
    Parts { re: &g.re - &v.re * &length, im: &g.im - &v.im * length - largest * (phase / real) }
}

/// A complex matrix as two.
struct Parts {
    re: Tensor,
    im: Tensor,
}

impl Parts {
    fn times(&self, b: &Parts) -> Parts {
        Parts {
            re: self.re.matmul(&b.re) - self.im.matmul(&b.im),
            im: self.re.matmul(&b.im) + self.im.matmul(&b.re),
        }
    }

    /// The conjugate transpose.
    fn turned(&self) -> Parts {
        Parts { re: self.re.t(), im: -self.im.t() }
    }

    /// The solution `x` of `A x = b`, by the real matrix `[re, −im; im, re]`.
    #[track_caller]
    fn solve(&self, b: &Parts) -> Parts {
        let row = |a: &Tensor, b: &Tensor| Tensor::cat(&[a, b], -1);
        let a = Tensor::cat(&[row(&self.re, &-&self.im), row(&self.im, &self.re)], -2);
        let n = self.re.shape()[self.re.rank() - 1];
        let x = apply(Solve, &[&a, &Tensor::cat(&[&b.re, &b.im], -2)]);
        Parts { re: x.slice(-2, ..n), im: x.slice(-2, n..) }
    }
}

/// Matrices whose eigenvalues are pairs of conjugates, far from each other.
fn turning(s: &mut Samples, shape: &[usize]) -> Tensor {
    let x = s.draw(shape, &floats(-0.3..0.3));
    let n = shape[shape.len() - 1];
    let place = |k: usize| match (k / n, k % n) {
        (i, j) if i == j => 2.0 + 2.5 * (i / 2) as f64,
        (i, j) if i / 2 == j / 2 => 1.5 * (i as f64 - j as f64),
        _ => 0.0,
    };
    &x + Tensor::from_vec((0..n * n).map(place).collect::<Vec<f64>>(), [n, n]).to(x.dtype())
}

fn of_eig(s: &mut Samples) {
    each(s, &SQUARE, spread, |x| apply(Eig { is_whole: true }, &[&x[0]]));
    each(s, &SQUARE, turning, |x| apply(Eig { is_whole: true }, &[&x[0]]));
}

fn of_eigvals(s: &mut Samples) {
    each(s, &SQUARE, spread, |x| apply(Eig { is_whole: false }, &[&x[0]]));
    each(s, &SQUARE, turning, |x| apply(Eig { is_whole: false }, &[&x[0]]));
}

#[cfg(test)]
mod tests {
    use crate::*;
    use mapsto_tensor::check::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn vectors_give_the_matrix_back_whatever_its_values() {
        seed(15);
        for n in [1, 2, 3, 10, 40] {
            let x = Tensor::randn([n, n]).to(DType::F64);
            let one = Tensor::eye(n).to(DType::F64);
            for a in [
                x.clone(),
                &x - x.t(),
                &x + x.t(),
                one.clone(),
                &x * 0.0,
                Tensor::ones_like(&x),
                x.tril(0),
                x.roll(1, 0),
            ] {
                let (w, v) = eig(&a).unwrap();
                let [wr, wi] = [0, 1].map(|i| w.select(-1, i).unsqueeze(0));
                let [vr, vi] = [0, 1].map(|i| v.select(-1, i));
                let size = a.abs().max(..).item() * n as f64 + 1.0;
                assert_tensors_close(
                    &a.matmul(&vr),
                    &(&vr * &wr - &vi * &wi),
                    1e-10 * size,
                    0.0,
                    "the real part",
                );
                assert_tensors_close(
                    &a.matmul(&vi),
                    &(&vr * &wi + &vi * &wr),
                    1e-10 * size,
                    0.0,
                    "the imaginary part",
                );
                let length = (vr.square() + vi.square()).sum(0);
                assert_tensors_close(&length, &Tensor::ones([n]).to(DType::F64), 1e-10, 0.0, "length 1");
                assert_tensors_close(&eigvals(&a).unwrap(), &w, 0.0, 0.0, "the values alone");
                // A trace is the sum of the values, which are real or conjugates of each other.
                let sum = w.sum(0).to_vec::<f64>();
                assert!(
                    (sum[0] - a.trace().item()).abs() < 1e-10 * size && sum[1].abs() < 1e-12 * size,
                    "{sum:?}"
                );
            }
        }
    }

    #[test]
    fn what_has_no_derivative_says_so() {
        let a = tensor![[1.0, 1.0], [0.0, 1.0]].to(DType::F64).leaf();
        let e = catch(|| eigvals(&a).unwrap().sum(..).backward()).unwrap_err();
        assert!(e.message().contains("is singular"), "{e}");
        // As many equal values with a single vector, of which no number is left over or infinite.
        let jordan = Tensor::eye(30).to(DType::F64) + Tensor::eye(30).to(DType::F64).roll(1, 1).triu(1);
        let v = eig(&jordan).unwrap().1;
        assert_tensors_close(
            &v.square().sum([0, 2]),
            &Tensor::ones([30]).to(DType::F64),
            1e-10,
            0.0,
            "length 1",
        );
        let e = eig(&tensor![[f64::NAN]]).unwrap_err();
        assert_eq!(e.message(), "eig: the matrix holds NaN or infinity");
    }
}

//! Batches of matrices: reading them in f64, going from one to the next, and telling which one had a fault.

use mapsto_tensor::graph::{Op, Ran, try_apply};
use mapsto_tensor::{DType, Device, Error, ErrorKind, MAX_RANK, Result, Shape, Tensor, error, fail};
use nalgebra::DMatrix;

/// A matrix in the type that all of this crate computes in.
pub(crate) type Matrix = DMatrix<f64>;

/// An operation on matrices that data can spoil.
pub(crate) trait Matrices: Op {
    /// The result, or the fault of a matrix.
    fn compute(&self, xs: &[&Tensor]) -> Result<Tensor>;

    /// The same where a fault is a mistake of the program.
    #[track_caller]
    fn ran(&self, xs: &[&Tensor]) -> Ran {
        self.compute(xs).unwrap_or_else(|e| error::raise(e)).into()
    }
}

/// Runs and records an operation, unless a matrix has a fault.
#[track_caller]
pub(crate) fn attempt<O: Matrices>(op: O, xs: &[&Tensor]) -> Result<Tensor> {
    let mut fault = None;
    let tried = try_apply(op, xs, |op| op.compute(xs).map_err(|e| fault = Some(e)).ok().map(Ran::from));
    tried.map_err(|_| fault.expect("an operation that gives nothing has said why"))
}

/// What a matrix can lack.
pub(crate) enum Fault {
    Singular,
    NotPositive(usize),
    Lopsided(usize, usize, f64, f64),
    NotFinite,
    Endless,
}

impl Fault {
    fn told(self, op: &str, i: usize, batch: &[usize]) -> Error {
        let mut at = vec![0; batch.len()];
        let mut left = i;
        for (at, n) in at.iter_mut().zip(batch).rev() {
            (*at, left) = (left % n, left / n);
        }
        let which = if batch.is_empty() {
            "the matrix".into()
        } else {
            format!("matrix {at:?} of the batch {batch:?}")
        };
        let (kind, what, help) = match self {
            Fault::Singular => (
                ErrorKind::Data,
                "is singular, or so close to it that no digit would be right".to_string(),
                "`linalg::lstsq` and `linalg::pinv` take such matrices; a small multiple of the identity added makes it regular",
            ),
            Fault::NotPositive(k) => (
                ErrorKind::Data,
                format!("is not positive definite: its leading minor of size {} is not positive", k + 1),
                "a small multiple of the identity added may make it so",
            ),
            Fault::Lopsided(i, j, a, b) => (
                ErrorKind::Data,
                format!("is not symmetric: {a} stands at [{i}, {j}] and {b} at [{j}, {i}]"),
                "`(&a + a.t()) * 0.5` is symmetric",
            ),
            Fault::NotFinite => (
                ErrorKind::NonFinite,
                "holds NaN or infinity".to_string(),
                "look for it with `x.is_finite()` where the matrix is made",
            ),
            Fault::Endless => (
                ErrorKind::Data,
                "was not decomposed: the iteration did not reach full precision".to_string(),
                "numbers of less different sizes may help",
            ),
        };
        Error::new(kind, format!("{op}: {which} {what}")).help(help)
    }
}

/// The sizes of the matrices in the last two axes.
#[track_caller]
pub(crate) fn sizes(op: &str, x: &Tensor) -> (usize, usize) {
    match x.shape() {
        [.., m, n] if x.dtype().is_float() => (*m, *n),
        shape => fail!(op, "matrices [.., m, n] of floats are needed, this is {shape:?} of {}", x.dtype();
                       help = "a vector becomes a matrix by `unsqueeze`, integers become floats by `.to(DType::F32)`"),
    }
}

/// The side of the square matrices in the last two axes.
#[track_caller]
pub(crate) fn side(op: &str, x: &Tensor) -> usize {
    let (m, n) = sizes(op, x);
    if m != n {
        fail!(op, "square matrices are needed, these are {m} × {n}: {:?}", x.shape(); help = "`linalg::lstsq`, `qr`, `svd` and `pinv` take any matrix");
    }
    n
}

/// The axes before those of the matrices.
pub(crate) fn batch_of(x: &Tensor) -> &[usize] {
    &x.shape()[..x.rank() - 2]
}

/// The axes of the batch, followed by others.
pub(crate) fn shape_of(x: &Tensor, after: &[usize]) -> Vec<usize> {
    [batch_of(x), after].concat()
}

/// Requires two inputs of an operation to be of one batch and dtype.
#[track_caller]
pub(crate) fn alike(op: &str, a: &Tensor, b: &Tensor) {
    let _ = sizes(op, b);
    if batch_of(a) != batch_of(b) || a.dtype() != b.dtype() {
        fail!(op, "the batches differ: {:?} of {} and {:?} of {}", a.shape(), a.dtype(), b.shape(), b.dtype();
              help = "axes before the last two must be equal, or 1 where they repeat, and the dtype must be one");
    }
}

/// Both with the same axes before those of the matrices, as these broadcast.
#[track_caller]
pub(crate) fn together(op: &str, a: &Tensor, b: &Tensor) -> (Tensor, Tensor) {
    let _ = (sizes(op, a), sizes(op, b));
    let rank = a.rank().max(b.rank());
    let size = |x: &Tensor, i: usize| if i + x.rank() < rank { 1 } else { x.shape()[i + x.rank() - rank] };
    let mut wanted = Vec::with_capacity(rank);
    for i in 0..rank - 2 {
        let (m, n) = (size(a, i), size(b, i));
        if m != n && m != 1 && n != 1 {
            fail!(op, "the batches {:?} and {:?} do not broadcast", batch_of(a), batch_of(b));
        }
        wanted.push(if m == 1 { n } else { m });
    }
    let over = |x: &Tensor| {
        let shape = [&wanted[..], &x.shape()[x.rank() - 2..]].concat();
        if shape == x.shape() { x.clone() } else { x.expand(&shape[..]) }
    };
    (over(a), over(b))
}

/// From the matrices of one place of the batch to the numbers of the result there, in rows.
pub(crate) type Each<'a> = dyn Fn(&[Matrix]) -> Result<Vec<f64>, Fault> + 'a;

/// What `each` makes of the matrices of each place of the batch, one after the other. It is told them in f64 and answers the numbers of
/// the result in rows.
pub(crate) fn batched(op: &str, xs: &[&Tensor], shape: &[usize], each: &Each<'_>) -> Result<Tensor> {
    let (device, dtype, shape) = (xs[0].device(), xs[0].dtype(), Shape::new(shape));
    if !device.backend().has_numbers() || shape.count() == 0 {
        return Ok(device.scope(|| Tensor::full_of(shape, 0.0, dtype)));
    }
    let batch = batch_of(xs[0]);
    let read = |x: &&Tensor| (x.to_device(Device::cpu()).to(DType::F64).to_vec::<f64>(), sizes(op, x));
    let inputs: Vec<(Vec<f64>, (usize, usize))> = xs.iter().map(read).collect();
    let mut values = Vec::with_capacity(shape.count());
    for i in 0..batch.iter().product() {
        let matrix = |(v, (m, n)): &(Vec<f64>, (usize, usize))| {
            Matrix::from_row_slice(*m, *n, &v[i * m * n..(i + 1) * m * n])
        };
        let here: Vec<Matrix> = inputs.iter().map(matrix).collect();
        values.extend(each(&here).map_err(|fault| fault.told(op, i, batch))?);
    }
    Ok(Device::cpu().scope(|| Tensor::from_vec(values, shape)).to(dtype).to_device(device))
}

/// The numbers of a matrix in rows.
pub(crate) fn rows(x: &Matrix) -> Vec<f64> {
    x.transpose().as_slice().to_vec()
}

/// Refuses NaN and infinities, on which iterations need not end.
pub(crate) fn finite(x: &Matrix) -> Result<(), Fault> {
    if x.iter().all(|v| v.is_finite()) { Ok(()) } else { Err(Fault::NotFinite) }
}

/// The symmetric part of a matrix that is symmetric but for rounding.
pub(crate) fn symmetric(x: &Matrix) -> Result<Matrix, Fault> {
    finite(x)?;
    let most = 1e-3 * x.amax();
    for i in 0..x.nrows() {
        for j in 0..i {
            if (x[(i, j)] - x[(j, i)]).abs() > most {
                return Err(Fault::Lopsided(i, j, x[(i, j)], x[(j, i)]));
            }
        }
    }
    Ok((x + x.transpose()) * 0.5)
}

/// Views of results that lie one after the other in the last axis.
pub(crate) fn parts<const N: usize>(packed: &Tensor, sizes: [(usize, usize); N]) -> [Tensor; N] {
    let before = packed.shape()[..packed.rank() - 1].to_vec();
    let mut from = 0;
    sizes.map(|(m, n)| {
        let part = packed.slice(-1, from..from + m * n);
        from += m * n;
        part.reshape(&[&before[..], &[m, n]].concat()[..])
    })
}

/// The identity matrix as a tensor like another.
pub(crate) fn eye(n: usize, like: &Tensor) -> Tensor {
    like.device().scope(|| Tensor::eye(n)).to(like.dtype())
}

/// Whether a part of a gradient is nothing but zeros, and will stay so: the result that it belongs to was not used.
pub(crate) fn is_unused(g: &Tensor) -> bool {
    !g.is_recorded() && g.device().backend().has_numbers() && g.eq(0.0).all(..).item() == 1.0
}

/// A result in which as many numbers as there are in a matrix take the place of its two axes: one axis less must be enough.
#[track_caller]
pub(crate) fn has_room(op: &str, rank: usize) {
    if rank > MAX_RANK {
        fail!(op, "the result would have {rank} axes, the most is {MAX_RANK}"; help = "`flatten` joins axes of the batch");
    }
}

//! Diagonals and triangles of matrices.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::{Axis, Shape};
use crate::error::named;
use crate::{DType, Tensor, fail};

impl Tensor {
    /// The diagonal of the matrices in two axes, `offset` places right of the main one (left, if negative), as a new last axis.
    ///
    /// * Shape: `[a, n, n] → [a, n]` for axes 1 and 2, any number; a copy, unlike in PyTorch.   * Gradient: to the elements of the diagonal.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 2.0], [3.0, 4.0]];
    /// assert_close!(x.diagonal(0, 0, 1), [1.0, 4.0]);
    /// assert_close!(x.diagonal(1, 0, 1), [2.0]);
    /// ```
    /// # Panics
    /// When there is no such axis, or both are one.
    #[track_caller]
    pub fn diagonal(&self, offset: isize, a: impl Into<Axis>, b: impl Into<Axis>) -> Tensor {
        let (a, b) = (a.into().of("diagonal", self.shape()), b.into().of("diagonal", self.shape()));
        if a == b {
            fail!("diagonal", "axis {a} is named twice");
        }
        named("diagonal", || {
            let order: Vec<usize> = (0..self.rank()).filter(|i| *i != a && *i != b).chain([a, b]).collect();
            let x = self.permute(order);
            let (m, n) = (self.shape()[a], self.shape()[b]);
            // Beyond the matrix nothing is left, however far.
            let (row, column) = (offset.min(0).unsigned_abs().min(m), offset.max(0).unsigned_abs().min(n));
            let count = m.saturating_sub(row).min(n.saturating_sub(column));
            let flat: Shape = x.shape()[..x.rank() - 2].iter().copied().chain([m * n]).collect();
            let flat = x.reshape(flat);
            let at = x.device().scope(|| Tensor::arange(0..count)) * (n as i64 + 1) + (row * n + column) as i64;
            flat.index_select(-1, &at)
        })
    }

    /// The sum of the main diagonal of a matrix.
    ///
    /// * Shape: `[m, n] → []`, any number; integers sum to i64.   * Gradient: `dx = dy` on the diagonal, else 0.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![[1.0, 2.0], [3.0, 4.0]].trace().item(), 5.0);
    /// ```
    /// # Panics
    /// When there are not two axes.
    #[track_caller]
    pub fn trace(&self) -> Tensor {
        if self.rank() != 2 {
            fail!("trace", "a matrix is needed, the shape is {:?}", self.shape(); help = "`x.diagonal(0, -2, -1).sum(-1)` takes the matrices of a batch");
        }
        named("trace", || self.diagonal(0, 0, 1).sum(..))
    }

    /// The square matrix with this vector on its diagonal, `offset` places right of the main one; of a matrix its diagonal.
    ///
    /// * Shape: `[n] → [n + k, n + k]` for `k = |offset|`, `[m, n] → [min(m, n)]`; any number.   * Gradient: the diagonal of `dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0].diag(0), [[1.0, 0.0], [0.0, 2.0]]);
    /// assert_close!(tensor![[1.0, 2.0], [3.0, 4.0]].diag(0), [1.0, 4.0]);
    /// ```
    /// # Panics
    /// When there are neither one nor two axes.
    #[track_caller]
    pub fn diag(&self, offset: isize) -> Tensor {
        if self.rank() == 2 {
            return named("diag", || self.diagonal(offset, 0, 1));
        }
        if self.rank() != 1 || self.dtype() == DType::Bool {
            fail!("diag", "a vector or a matrix of numbers is needed, this is {:?} of {}", self.shape(), self.dtype());
        }
        named("diag", || {
            let n = self.len();
            // Each element followed by n zeros: in rows of n they stand one place further each time.
            let rows = self.reshape([n, 1]).pad(&[(0, 0), (0, n)], 0).reshape([-1]).slice(0, ..n * n).reshape([n, n]);
            let (row, column) = (offset.min(0).unsigned_abs(), offset.max(0).unsigned_abs());
            rows.pad(&[(row, column), (column, row)], 0)
        })
    }

    /// The lower triangle of the matrices in the last two axes, up to the diagonal `k` places right of the main one; the rest is 0.
    ///
    /// * Shape: `[.., m, n] → [.., m, n]`, every dtype.   * Gradient: that triangle of `dy`.   * ONNX: `Trilu`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[1.0, 2.0], [3.0, 4.0]].tril(0), [[1.0, 0.0], [3.0, 4.0]]);
    /// ```
    /// # Panics
    /// When there are less than two axes.
    #[track_caller]
    pub fn tril(&self, k: i64) -> Tensor {
        triangle(self, "tril", |place| place.le(k))
    }

    /// The upper triangle of the matrices in the last two axes, up to the diagonal `k` places right of the main one; the rest is 0.
    ///
    /// * Shape: `[.., m, n] → [.., m, n]`, every dtype.   * Gradient: that triangle of `dy`.   * ONNX: `Trilu`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[1.0, 2.0], [3.0, 4.0]].triu(0), [[1.0, 2.0], [0.0, 4.0]]);
    /// ```
    /// # Panics
    /// When there are less than two axes.
    #[track_caller]
    pub fn triu(&self, k: i64) -> Tensor {
        triangle(self, "triu", |place| place.ge(k))
    }
}

/// The elements of matrices whose place, their column less their row, is one that is kept; 0 elsewhere.
#[track_caller]
fn triangle(x: &Tensor, op: &str, keeps: impl Fn(Tensor) -> Tensor) -> Tensor {
    let [.., m, n] = x.shape() else { fail!(op, "at least two axes are needed, the shape is {:?}", x.shape()) };
    named(op, || {
        let count = |n: usize| x.device().scope(|| Tensor::arange(0..n));
        keeps(count(*n) - count(*m).unsqueeze(1)).choose(x, 0)
    })
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("diagonal", "The diagonal of the matrices in two axes.", Takes::Numbers, of_diagonal).made_of("permute, reshape and index_select"),
    OpKind::new("trace", "The sum of the main diagonal of a matrix.", Takes::Numbers, of_trace).made_of("diagonal and sum"),
    OpKind::new("diag", "The square matrix with a vector on its diagonal.", Takes::Numbers, of_diag).made_of("pad and reshape"),
    OpKind::new("tril", "The lower triangle of matrices.", Takes::All, of_tril).made_of("comparisons and choose"),
    OpKind::new("triu", "The upper triangle of matrices.", Takes::All, of_triu).made_of("comparisons and choose"),
];

fn of_diagonal(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].diagonal(1, 0, 1));
    s.of(&[(&[4, 2, 3], &d)], |x| x[0].diagonal(-1, 0, -1));
}

fn of_trace(s: &mut Samples) {
    s.of(&[(&[3, 5], &floats(-2.0..2.0))], |x| x[0].trace());
}

fn of_diag(s: &mut Samples) {
    s.of(&[(&[3], &floats(-2.0..2.0))], |x| x[0].diag(0));
    s.of(&[(&[3], &floats(-2.0..2.0))], |x| x[0].diag(-2));
}

fn of_tril(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].tril(1));
    s.of(&[(&[2, 4, 3], &d)], |x| x[0].tril(-1));
}

fn of_triu(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].triu(1));
    s.of(&[(&[2, 4, 3], &d)], |x| x[0].triu(-1));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn diagonals_and_triangles() {
        check(|x| x.diagonal(1, 0, 1)).shapes([&[4, 5]]).formula(|[x]| Numbers::from_fn(&[4], |at| x.at(&[at[0], at[0] + 1]))).on(floats(-2.0..2.0));
        check(|x| x.diagonal(-1, 2, 0)).shapes([&[3, 2, 4]]).formula(|[x]| Numbers::from_fn(&[2, 3], |at| x.at(&[at[1], at[0], at[1] + 1]))).on(floats(-2.0..2.0));
        check(|x| x.trace()).shapes([&[4, 3]]).on(floats(-2.0..2.0));
        for offset in [-2isize, 0, 1] {
            check(move |x| x.diag(offset)).shapes([&[3]])
                .formula(move |[x]| Numbers::from_fn(&[3 + offset.unsigned_abs(); 2], |at| {
                    let (row, column) = (at[0] as isize, at[1] as isize);
                    if column - row == offset { x.at(&[(row.min(column)) as usize]) } else { 0.0 }
                }))
                .on(floats(-2.0..2.0));
        }
        for k in [-1i64, 0, 2] {
            let part = move |x: &Numbers, lower: bool| Numbers::from_fn(&[3, 4], |at| {
                let place = at[1] as i64 - at[0] as i64;
                if (lower && place <= k) || (!lower && place >= k) { x.at(at) } else { 0.0 }
            });
            check(move |x| x.tril(k)).shapes([&[3, 4]]).formula(move |[x]| part(x, true)).on(floats(-2.0..2.0));
            check(move |x| x.triu(k)).shapes([&[3, 4]]).formula(move |[x]| part(x, false)).on(floats(-2.0..2.0));
        }
        assert_eq!(tensor![[true, true], [true, true]].tril(0).to_vec::<bool>(), [true, false, true, true]);
        assert!(Tensor::full([2, 2], f64::NAN).triu(2).eq(0.0).all(..).item() == 1.0);
    }
}

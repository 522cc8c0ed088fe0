//! The places of triangles, and matrices of diagonals.

use crate::check::floats;
use crate::device::Device;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::{Tensor, fail};

impl Tensor {
    /// The rows and the columns (i64) of the places in the lower triangle of a matrix, up to the diagonal `k` places right of the main one.
    ///
    /// * Shape: `[2, count]`; row 0 holds the rows.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::tril_indices(2, 2, 0).to_vec::<i64>(), [0, 1, 1, 0, 0, 1]);
    /// ```
    #[track_caller]
    pub fn tril_indices(rows: usize, columns: usize, k: i64) -> Tensor {
        places("tril_indices", rows, columns, |i, j| j as i64 - i as i64 <= k)
    }

    /// The rows and the columns (i64) of the places in the upper triangle of a matrix, from the diagonal `k` places right of the main one on.
    ///
    /// * Shape: `[2, count]`; row 0 holds the rows.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::triu_indices(2, 2, 0).to_vec::<i64>(), [0, 0, 1, 0, 1, 1]);
    /// ```
    #[track_caller]
    pub fn triu_indices(rows: usize, columns: usize, k: i64) -> Tensor {
        places("triu_indices", rows, columns, |i, j| j as i64 - i as i64 >= k)
    }

    /// Matrices with the elements of the last axis on their diagonal, zeros beside them.
    ///
    /// * Shape: `[.., n] → [.., n, n]`, any number.   * Gradient: the diagonals of `dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[1.0, 2.0]].diag_embed(), [[[1.0, 0.0], [0.0, 2.0]]]);
    /// ```
    /// # Panics
    /// When there are no axes.
    #[track_caller]
    pub fn diag_embed(&self) -> Tensor {
        if self.rank() == 0 {
            fail!("diag_embed", "at least one axis is needed, the shape is []");
        }
        named("diag_embed", || {
            let n = self.shape()[self.rank() - 1];
            let count = self.device().scope(|| Tensor::arange(0..n));
            count.unsqueeze(1).eq(&count).choose(self.unsqueeze(-1), 0)
        })
    }
}

#[track_caller]
fn places(op: &str, rows: usize, columns: usize, holds: impl Fn(usize, usize) -> bool) -> Tensor {
    let most = crate::shape::Shape::new(&[2, rows, columns]).fit(op);
    if !Device::current().backend().has_numbers() {
        fail!(op, "how many places there are depends on numbers, which this device has not");
    }
    let (mut first, mut second) = (crate::memory::room_for(most.count()), Vec::new());
    for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))).filter(|(i, j)| holds(*i, *j)) {
        first.push(i as i64);
        second.push(j as i64);
    }
    let count = first.len();
    first.extend(second);
    Tensor::from_vec(first, [2, count])
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("diag_embed", "Matrices with elements on their diagonal.", Takes::Numbers, samples).made_of("choose"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3], &d)], |x| x[0].diag_embed());
    s.of(&[(&[2, 3], &d)], |x| x[0].diag_embed());
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn triangles() {
        for (rows, columns, k) in [(3, 4, 1), (4, 2, -1), (0, 3, 0), (3, 3, 9)] {
            let x = Tensor::ones([rows, columns]);
            for (found, part) in [(Tensor::tril_indices(rows, columns, k), x.tril(k)), (Tensor::triu_indices(rows, columns, k), x.triu(k))] {
                assert_eq!(found.t().contiguous().to_vec::<i64>(), part.nonzero().to_vec::<i64>());
            }
        }
        check(|x| x.diag_embed()).shapes([&[2, 3]])
            .formula(|[x]| Numbers::from_fn(&[2, 3, 3], |at| if at[1] == at[2] { x.at(&at[..2]) } else { 0.0 }))
            .on(floats(-2.0..2.0));
    }
}

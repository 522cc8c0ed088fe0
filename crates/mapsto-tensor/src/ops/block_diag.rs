//! Matrices along a diagonal.

use crate::check::floats;
use crate::elementwise::same_dtype;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::{Tensor, fail};
use std::borrow::Borrow;

impl Tensor {
    /// The matrices along a diagonal, zeros beside them; a list is a row, and a number a matrix of one.
    ///
    /// * Shape: `[2, 3], [1, 2] → [3, 5]`, any number.   * Gradient: each block of `dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = Tensor::block_diag(&[tensor![[1.0, 2.0]], tensor![[3.0], [4.0]]]);
    /// assert_close!(y, [[1.0, 2.0, 0.0], [0.0, 0.0, 3.0], [0.0, 0.0, 4.0]]);
    /// ```
    /// # Panics
    /// When there is no matrix, one has more than two axes, or the dtypes differ.
    #[track_caller]
    pub fn block_diag<T: Borrow<Tensor>>(blocks: &[T]) -> Tensor {
        let blocks: Vec<&Tensor> = blocks.iter().map(Borrow::borrow).collect();
        let Some(first) = blocks.first() else { fail!("block_diag", "no matrix is given") };
        for block in &blocks {
            same_dtype("block_diag", first, block);
            if block.rank() > 2 {
                fail!("block_diag", "matrices are needed, the shape of one is {:?}", block.shape());
            }
        }
        named("block_diag", || {
            let blocks: Vec<Tensor> = blocks.iter().map(|x| x.atleast_2d()).collect();
            let width: usize = blocks.iter().map(|x| x.shape()[1]).fold(0, usize::saturating_add);
            let mut left = 0;
            let rows: Vec<Tensor> = blocks
                .iter()
                .map(|x| {
                    let n = x.shape()[1];
                    let row = x.pad(&[(0, 0), (left, width - left - n)], 0);
                    left += n;
                    row
                })
                .collect();
            Tensor::cat(&rows, 0)
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("block_diag", "Matrices along a diagonal.", Takes::Numbers, samples).made_of("pad and cat"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3], &d), (&[1, 2], &d)], |x| Tensor::block_diag(x));
    s.of(&[(&[], &d), (&[3], &d), (&[0, 2], &d)], |x| Tensor::block_diag(x));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn block_diag() {
        check2(|a, b| Tensor::block_diag(&[a, b])).shapes([&[2, 3], &[2, 2]])
            .formula(|[a, b]| Numbers::from_fn(&[4, 5], |at| match (at[0] < 2, at[1] < 3) {
                (true, true) => a.at(at),
                (false, false) => b.at(&[at[0] - 2, at[1] - 3]),
                _ => 0.0,
            }))
            .on(floats(-2.0..2.0), floats(-2.0..2.0));
        assert_eq!(Tensor::block_diag(&[tensor![2], tensor![3]]).to_vec::<i64>(), [2, 0, 0, 3]);
        let e = catch(|| Tensor::block_diag(&[Tensor::zeros([1, 1, 1])])).unwrap_err();
        assert_eq!(e.message(), "block_diag: matrices are needed, the shape of one is [1, 1, 1]");
    }
}

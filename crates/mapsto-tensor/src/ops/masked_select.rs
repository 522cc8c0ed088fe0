//! Elements and places where something holds: how many there are depends on the values.

use crate::kind::OpKind;
use crate::shape::broadcast;
use crate::error::named;
use crate::{DType, Tensor, fail};

impl Tensor {
    /// The elements where a mask holds, as a list in row-major order.
    ///
    /// * Shape: `[..], [..] (bool) → [n]`, broadcast, any number.   * Gradient: each `dy` to where its element came from.
    /// * ONNX: `Compress`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, -2.0], [3.0, -4.0]];
    /// assert_close!(x.masked_select(&x.gt(0.0)), [1.0, 3.0]);
    /// ```
    /// # Panics
    /// When the mask is not bool, or the shapes do not broadcast.
    #[track_caller]
    pub fn masked_select(&self, mask: &Tensor) -> Tensor {
        if mask.dtype() != DType::Bool {
            fail!("masked_select", "the mask is {}, not bool", mask.dtype(); help = "compare it, e.g. `mask.ne(0)`");
        }
        named("masked_select", || {
            let shape = broadcast("masked_select", self.shape_of(), mask.shape_of());
            let holds = mask.expand(shape).to_vec::<bool>();
            let at: Vec<i64> = (0..).zip(holds).filter(|(_, holds)| *holds).map(|(i, _)| i).collect();
            let count = at.len();
            let at = self.device().scope(|| Tensor::from_vec(at, [count]));
            self.expand(shape).reshape([-1]).index_select(0, &at)
        })
    }

    /// The places of the elements that are not 0, a row (i64) for each, in row-major order.
    ///
    /// * Shape: `[..] → [n, rank]` (i64), every dtype.   * ONNX: `NonZero (transposed)`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![[1, 0], [2, 3]].nonzero().to_vec::<i64>(), [0, 0, 1, 0, 1, 1]);
    /// ```
    #[track_caller]
    pub fn nonzero(&self) -> Tensor {
        let holds = if self.dtype() == DType::Bool { self.clone() } else { self.ne(0) };
        let (shape, rank) = (self.shape(), self.rank());
        let holds = holds.to_vec::<bool>();
        let count = holds.iter().filter(|holds| **holds).count();
        let mut at = crate::memory::room_for(count.saturating_mul(rank));
        for (mut i, _) in holds.into_iter().enumerate().filter(|(_, holds)| *holds) {
            let start = at.len();
            at.resize(start + rank, 0);
            for (axis, n) in shape.iter().enumerate().rev() {
                at[start + axis] = (i % n) as i64;
                i /= n;
            }
        }
        self.device().scope(|| Tensor::from_vec(at, [count, rank]))
    }
}

pub(super) const KINDS: &[OpKind] = &[];

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn where_something_holds() {
        let (x, yes) = (floats(-2.0..2.0).draw(&[3, 4], 1), tensor![true, false, true, false]);
        let y = x.leaf();
        assert_eq!(y.masked_select(&yes).to_vec::<f64>(), x.index_select(1, &tensor![0, 2]).to_vec::<f64>());
        let dx = y.masked_select(&yes).square().sum(..).backward();
        assert_close!(dx.of(&y), yes.choose(&x * 2.0, 0.0));
        assert_eq!(x.masked_select(&x.gt(9.0)).shape(), [0]);
        assert_eq!(tensor![0.0, f64::NAN].nonzero().to_vec::<i64>(), [1]);
        assert_eq!((Tensor::scalar(2.0).nonzero().shape(), Tensor::scalar(0.0).nonzero().shape()), (&[1, 0][..], &[0, 0][..]));
        let e = catch(|| tensor![1.0].masked_select(&tensor![1.0])).unwrap_err();
        assert!(e.message().contains("not bool"), "{e}");
    }
}

//! The different elements of a tensor.

use crate::kind::OpKind;
use crate::error::named;
use crate::{DType, Tensor, fail};

impl Tensor {
    /// The different elements, sorted; for each element of this tensor the position of its like among them; and how often each is there (both i64).
    ///
    /// * Shape: `[..] → ([k], [..], [k])`, any number; each NaN is an element of its own.   * Gradient: to the first of the elements that are equal.
    /// * ONNX: `Unique`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, inverse, counts) = tensor![3, 1, 3, 2].unique();
    /// assert_eq!(y.to_vec::<i64>(), [1, 2, 3]);
    /// assert_eq!(inverse.to_vec::<i64>(), [2, 0, 2, 1]);
    /// assert_eq!(counts.to_vec::<i64>(), [1, 1, 2]);
    /// ```
    /// # Panics
    /// When it is bool.
    #[track_caller]
    pub fn unique(&self) -> (Tensor, Tensor, Tensor) {
        if self.dtype() == DType::Bool {
            fail!("unique", "numbers are needed, this is bool"; help = "convert it with `.to(DType::I64)`");
        }
        named("unique", || {
            let n = self.len();
            let (sorted, at) = self.reshape([n]).sort(0);
            let new = sorted.detach().slice(0, n.min(1)..).ne(sorted.detach().slice(0, ..n.max(1) - 1)).to_vec::<bool>();
            let (mut starts, mut inverse, mut counts) = (Vec::new(), vec![0i64; n], Vec::<i64>::new());
            for (i, from) in at.to_vec::<i64>().into_iter().enumerate() {
                if i == 0 || new[i - 1] {
                    starts.push(i as i64);
                    counts.push(0);
                }
                inverse[from as usize] = counts.len() as i64 - 1;
                *counts.last_mut().expect("it begins with one") += 1;
            }
            let list = |v: Vec<i64>, shape: &[usize]| self.device().scope(|| Tensor::from_vec(v, shape));
            let count = starts.len();
            (sorted.index_select(0, &list(starts, &[count])), list(inverse, self.shape()), list(counts, &[count]))
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[];

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn unique() {
        let x = ints(0..6).draw(&[7, 5], 3);
        let (y, inverse, counts) = x.unique();
        assert_eq!(y.index_select(0, &inverse.reshape([-1])).to_vec::<i64>(), x.to_vec::<i64>());
        assert!(y.diff(1, 0).gt(0).all(..).item() == 1.0 && counts.sum(..).item_i64() == 35);
        for (i, v) in y.to_vec::<i64>().into_iter().enumerate() {
            assert_eq!(x.eq(v).count_nonzero(..).item_i64(), counts.to_vec::<i64>()[i]);
        }
        assert_eq!(tensor![f64::NAN, 1.0, f64::NAN].unique().0.shape(), [3]);
        assert_eq!(Tensor::zeros([0, 2]).unique().1.shape(), [0, 2]);
        let x = tensor![2.0, 1.0, 2.0].leaf();
        assert_close!((x.unique().0 * tensor![1.0, 5.0]).sum(..).backward().of(&x), [5.0, 1.0, 0.0]);
    }
}

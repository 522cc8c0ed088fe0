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
            let (sorted, at) = self.reshape([self.len()]).sort(0);
            let (starts, runs, counts) = runs(&sorted);
            let mut inverse = vec![0i64; runs.len()];
            at.to_vec::<i64>().into_iter().zip(runs).for_each(|(from, run)| inverse[from as usize] = run);
            found(self, &sorted, starts, inverse, counts)
        })
    }

    /// The elements without those that are equal to the one before, in row-major order; for each element of this tensor the position of its
    /// like among them; and how many equal ones stood there (both i64).
    ///
    /// * Shape: `[..] → ([k], [..], [k])`, any number; each NaN is an element of its own.   * Gradient: to the first of the elements that are equal.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, inverse, counts) = tensor![3, 3, 1, 3].unique_consecutive();
    /// assert_eq!(y.to_vec::<i64>(), [3, 1, 3]);
    /// assert_eq!(inverse.to_vec::<i64>(), [0, 0, 1, 2]);
    /// assert_eq!(counts.to_vec::<i64>(), [2, 1, 1]);
    /// ```
    /// # Panics
    /// When it is bool.
    #[track_caller]
    pub fn unique_consecutive(&self) -> (Tensor, Tensor, Tensor) {
        if self.dtype() == DType::Bool {
            fail!("unique_consecutive", "numbers are needed, this is bool"; help = "convert it with `.to(DType::I64)`");
        }
        named("unique_consecutive", || {
            let list = self.reshape([self.len()]);
            let (starts, runs, counts) = runs(&list);
            found(self, &list, starts, runs, counts)
        })
    }
}

/// Where each run of equal elements of a list begins, in which run each element stands, and how long each is.
#[track_caller]
fn runs(list: &Tensor) -> (Vec<i64>, Vec<i64>, Vec<i64>) {
    let n = list.len();
    let new = list.detach().slice(0, n.min(1)..).ne(list.detach().slice(0, ..n.max(1) - 1)).to_vec::<bool>();
    let (mut starts, mut runs, mut counts) = (Vec::new(), Vec::with_capacity(n), Vec::<i64>::new());
    for i in 0..n {
        if i == 0 || new[i - 1] {
            starts.push(i as i64);
            counts.push(0);
        }
        runs.push(counts.len() as i64 - 1);
        *counts.last_mut().expect("it begins with one") += 1;
    }
    (starts, runs, counts)
}

/// The elements at the starts, and both lists as tensors.
#[track_caller]
fn found(x: &Tensor, list: &Tensor, starts: Vec<i64>, inverse: Vec<i64>, counts: Vec<i64>) -> (Tensor, Tensor, Tensor) {
    let of = |v: Vec<i64>, shape: &[usize]| x.device().scope(|| Tensor::from_vec(v, shape));
    let count = starts.len();
    (list.index_select(0, &of(starts, &[count])), of(inverse, x.shape()), of(counts, &[count]))
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
        let x = ints(0..2).draw(&[6, 5], 4);
        let (y, inverse, counts) = x.unique_consecutive();
        assert_eq!(y.index_select(0, &inverse.reshape([-1])).to_vec::<i64>(), x.to_vec::<i64>());
        assert!(y.diff(1, 0).ne(0).all(..).item() == 1.0 && counts.sum(..).item_i64() == 30);
        assert_eq!(Tensor::zeros([0]).unique_consecutive().0.shape(), [0]);
        let x = tensor![2.0, 2.0, 1.0, 2.0].leaf();
        assert_close!((x.unique_consecutive().0 * tensor![1.0, 5.0, 7.0]).sum(..).backward().of(&x), [1.0, 0.0, 5.0, 7.0]);
        let x = tensor![2.0, 1.0, 2.0].leaf();
        assert_close!((x.unique().0 * tensor![1.0, 5.0]).sum(..).backward().of(&x), [5.0, 1.0, 0.0]);
    }
}

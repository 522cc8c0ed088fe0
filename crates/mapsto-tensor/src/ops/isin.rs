//! Which elements are among others, and elements by their place in row-major order.

use crate::check::{floats, ints};
use crate::elementwise::same_dtype;
use crate::error::named;
use crate::indices::positions;
use crate::kind::{OpKind, Samples, Takes};
use crate::{DType, Tensor, fail};

impl Tensor {
    /// Whether each element is equal to one of others; NaN is equal to none.
    ///
    /// * Shape: `[..], [..] → [..]` (bool), any number.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1, 2, 3].isin(&tensor![3, 1]).to_vec::<bool>(), [true, false, true]);
    /// ```
    /// # Panics
    /// When the dtypes differ, or are bool.
    #[track_caller]
    pub fn isin(&self, others: &Tensor) -> Tensor {
        same_dtype("isin", self, others);
        if self.dtype() == DType::Bool {
            fail!("isin", "numbers are needed, these are bool"; help = "convert them with `.to(DType::I64)`");
        }
        named("isin", || {
            let list = others.detach().reshape([others.len()]);
            if list.is_empty() {
                return self.ne(self).and(&self.eq(self));
            }
            let list = list.sort(0).0;
            let at = list.searchsorted(&self.detach(), super::Side::Left).minimum(list.len() as i64 - 1);
            list.index_select(0, &at.reshape([at.len()])).reshape(self.shape()).eq(self.detach())
        })
    }

    /// The elements at places that are counted in row-major order.
    ///
    /// * Shape: `[..], [k] → [k]`, in the shape of the index; any number.   * Gradient: each `dy` to where its element came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[1.0, 2.0], [3.0, 4.0]].take(&tensor![3, 0]), [4.0, 1.0]);
    /// ```
    /// # Panics
    /// When an index is not within the elements.
    #[track_caller]
    pub fn take(&self, index: &Tensor) -> Tensor {
        let index = positions("take", index, self.len());
        named("take", || self.reshape([self.len()]).index_select(0, &index.reshape([index.len()])).reshape(index.shape()))
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("isin", "Whether each element is equal to one of others.", Takes::Numbers, of_isin).made_of("sort, searchsorted and eq"),
    OpKind::new("take", "The elements at places in row-major order.", Takes::Numbers, of_take).made_of("reshape and index_select"),
];

fn of_isin(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d), (&[4], &d)], |x| x[0].isin(&x[1]));
    s.of(&[(&[3], &d), (&[0], &d)], |x| x[0].isin(&x[1]));
}

fn of_take(s: &mut Samples) {
    s.of(&[(&[3, 5], &floats(-2.0..2.0)), (&[2, 2], &ints(0..15))], |x| x[0].take(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn among_others_and_by_place() {
        let (x, others) = (ints(0..9).draw(&[4, 5], 1), ints(0..9).draw(&[3], 2));
        let want: Vec<bool> = x.to_vec::<i64>().iter().map(|v| others.to_vec::<i64>().contains(v)).collect();
        assert_eq!(x.isin(&others).to_vec::<bool>(), want);
        assert_eq!(tensor![f64::NAN, 9.0, 1.0].isin(&tensor![f64::NAN, 1.0]).to_vec::<bool>(), [false, false, true]);
        assert_eq!(tensor![1.0].isin(&Tensor::zeros([0])).to_vec::<bool>(), [false]);
        check2(|x, i| x.take(i)).shapes([&[3, 4], &[2, 3]])
            .formula(|[x, i]| Numbers::from_fn(&[2, 3], |at| x.values[i.at(at) as usize]))
            .on(floats(-2.0..2.0), ints(0..12));
        let e = catch(|| tensor![1.0].take(&tensor![1])).unwrap_err();
        assert_eq!(e.message(), "take: the index 1 at position 0 is not within 0..1");
    }
}

//! All ways to take one element of each list, or several of one list.

use crate::elementwise::same_dtype;
use crate::error::named;
use crate::kind::OpKind;
use crate::shape::Shape;
use crate::{Tensor, fail};
use std::borrow::Borrow;

impl Tensor {
    /// Every way to take one element of each list, a row for each, the last element changing first.
    ///
    /// * Shape: `[m], [n] → [m · n, 2]`, and `[n] → [n]` of one list; any number.   * Gradient: the sum over the copies.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = Tensor::cartesian_prod(&[tensor![1, 2], tensor![5, 6]]);
    /// assert_eq!(y.to_vec::<i64>(), [1, 5, 1, 6, 2, 5, 2, 6]);
    /// ```
    /// # Panics
    /// When there is no list, one is none, or the dtypes differ.
    #[track_caller]
    pub fn cartesian_prod<T: Borrow<Tensor>>(lists: &[T]) -> Tensor {
        let lists: Vec<&Tensor> = lists.iter().map(Borrow::borrow).collect();
        let Some(first) = lists.first() else { fail!("cartesian_prod", "no list is given") };
        for list in &lists {
            if list.rank() != 1 {
                fail!("cartesian_prod", "lists are needed, the shape of one is {:?}", list.shape());
            }
            same_dtype("cartesian_prod", first, list);
        }
        if lists.len() == 1 {
            return (*first).clone();
        }
        named("cartesian_prod", || {
            let columns: Vec<Tensor> = Tensor::meshgrid(&lists).iter().map(|x| x.reshape([x.len()])).collect();
            Tensor::stack(&columns, 1)
        })
    }

    /// Every way to take `r` elements of a list in their order, each once, a row for each: Python's `itertools.combinations`.
    ///
    /// * Shape: `[n] → [n! / (r! (n − r)!), r]`, any number.   * Gradient: the sum over the copies.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1, 2, 3].combinations(2).to_vec::<i64>(), [1, 2, 1, 3, 2, 3]);
    /// ```
    /// # Panics
    /// When this is no list.
    #[track_caller]
    pub fn combinations(&self, r: usize) -> Tensor {
        self.taken("combinations", r, 1)
    }

    /// Every way to take `r` elements of a list in their order, each as often as one likes, a row for each.
    ///
    /// * Shape: `[n] → [(n + r − 1)! / (r! (n − 1)!), r]`, any number.   * Gradient: the sum over the copies.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1, 2].combinations_with_replacement(2).to_vec::<i64>(), [1, 1, 1, 2, 2, 2]);
    /// ```
    /// # Panics
    /// When this is no list.
    #[track_caller]
    pub fn combinations_with_replacement(&self, r: usize) -> Tensor {
        self.taken("combinations_with_replacement", r, 0)
    }

    /// Rows of `r` elements whose positions grow by at least `step`.
    #[track_caller]
    fn taken(&self, op: &str, r: usize, step: usize) -> Tensor {
        if self.rank() != 1 {
            fail!(op, "a list is needed, the shape is {:?}", self.shape());
        }
        let n = self.len();
        // As many ways as there are sets of r among these.
        let among = if step == 1 { n } else { (n + r).saturating_sub(1) };
        let mut count = usize::from(r <= among);
        for i in 0..if count == 0 { 0 } else { r.min(among - r) } {
            count = match count.checked_mul(among - i) {
                Some(product) => product / (i + 1),
                None => usize::MAX,
            };
        }
        let shape = Shape::new(&[count, r]).fit(op);
        named(op, || {
            let mut at = crate::memory::room_for(shape.count());
            let mut taken: Vec<usize> = (0..r).map(|k| k * step).collect();
            for _ in 0..count {
                at.extend(taken.iter().map(|&i| i as i64));
                // The last one that may move on takes those behind it along.
                let most = |k: usize| n - 1 - (r - 1 - k) * step;
                if let Some(k) = (0..r).rev().find(|&k| taken[k] < most(k)) {
                    let first = taken[k] + 1;
                    (k..r).for_each(|j| taken[j] = first + (j - k) * step);
                }
            }
            let at = self.device().scope(|| Tensor::from_vec(at, [shape.count()]));
            self.index_select(0, &at).reshape(shape)
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[];

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn ways() {
        check2(|a, b| Tensor::cartesian_prod(&[a, b])).shapes([&[2], &[3]])
            .formula(|[a, b]| Numbers::from_fn(&[6, 2], |at| if at[1] == 0 { a.values[at[0] / 3] } else { b.values[at[0] % 3] }))
            .on(floats(-2.0..2.0), floats(-2.0..2.0));
        check(|x| x.combinations(2)).shapes([&[4]])
            .formula(|[x]| Numbers::from_fn(&[6, 2], |at| x.values[[[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]][at[0]][at[1]]]))
            .on(floats(-2.0..2.0));
        // Values of torch.combinations.
        assert_eq!(tensor![1, 2, 3].combinations_with_replacement(2).to_vec::<i64>(), [1, 1, 1, 2, 1, 3, 2, 2, 2, 3, 3, 3]);
        assert_eq!(tensor![1, 2, 3].combinations(3).to_vec::<i64>(), [1, 2, 3]);
        assert_eq!(Tensor::arange(0..6).combinations(4).shape(), [15, 4]);
        assert_eq!(tensor![1, 2].combinations(3).shape(), [0, 3]);
        assert_eq!(tensor![1, 2].combinations(0).shape(), [1, 0]);
        assert_eq!(Tensor::zeros([0]).combinations_with_replacement(2).shape(), [0, 2]);
        assert!(catch(|| Tensor::arange(0..1000).combinations(500)).is_err());
    }
}

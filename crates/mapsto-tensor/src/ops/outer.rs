//! Products of each element of one tensor and each of another.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::MAX_RANK;
use crate::error::named;
use crate::{Tensor, fail};

impl Tensor {
    /// The product of each element of this list and each of another: `yᵢⱼ = aᵢ bⱼ`.
    ///
    /// * Shape: `[m], [n] → [m, n]`, any number.   * Gradient: `da = dy b`, `db = aᵀ dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0].outer(&tensor![3.0, 4.0]), [[3.0, 4.0], [6.0, 8.0]]);
    /// ```
    /// # Panics
    /// When one is no list, or the dtypes differ.
    #[track_caller]
    pub fn outer(&self, other: &Tensor) -> Tensor {
        if self.rank() != 1 || other.rank() != 1 {
            fail!("outer", "two lists are needed, the shapes are {:?} and {:?}", self.shape(), other.shape());
        }
        named("outer", || self.unsqueeze(1) * other)
    }

    /// The Kronecker product: each element of this times the whole other tensor, in its place.
    ///
    /// * Shape: `[a, b], [c, d] → [a c, b d]`, any number, up to three axes.   * Gradient: that of the products.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![[1.0, 2.0]].kron(&tensor![[1.0], [10.0]]);
    /// assert_close!(y, [[1.0, 2.0], [10.0, 20.0]]);
    /// ```
    /// # Panics
    /// When there are more than three axes, or the dtypes differ.
    #[track_caller]
    pub fn kron(&self, other: &Tensor) -> Tensor {
        let rank = self.rank().max(other.rank());
        if 2 * rank > MAX_RANK {
            fail!("kron", "{:?} and {:?} have more than {} axes", self.shape(), other.shape(), MAX_RANK / 2);
        }
        named("kron", || {
            // [a, 1, b, 1] · [1, c, 1, d]
            let spread = |x: &Tensor, first: bool| {
                let sizes = vec![1; rank - x.rank()].into_iter().chain(x.shape().iter().copied());
                x.reshape(sizes.flat_map(|n| if first { [n, 1] } else { [1, n] }).collect::<Vec<_>>())
            };
            let y = spread(self, true) * spread(other, false);
            let sizes: Vec<usize> = y.shape().chunks(2).map(|pair| pair[0] * pair[1]).collect();
            y.reshape(sizes)
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("outer", "The product of each element of one list and each of another.", Takes::Numbers, of_outer).made_of("reshape and mul"),
    OpKind::new("kron", "The Kronecker product.", Takes::Numbers, of_kron).made_of("reshape and mul"),
];

fn of_outer(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3], &d), (&[4], &d)], |x| x[0].outer(&x[1]));
}

fn of_kron(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3], &d), (&[3, 2], &d)], |x| x[0].kron(&x[1]));
    s.of(&[(&[3], &d), (&[2, 2], &d)], |x| x[0].kron(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;

    #[test]
    fn products() {
        let d = || floats(-2.0..2.0);
        check2(|a, b| a.outer(b)).shapes([&[3], &[4]]).formula(|[a, b]| Numbers::from_fn(&[3, 4], |at| a.at(&at[..1]) * b.at(&at[1..]))).on(d(), d());
        check2(|a, b| a.kron(b)).shapes([&[2, 3], &[3, 2]])
            .formula(|[a, b]| Numbers::from_fn(&[6, 6], |at| a.at(&[at[0] / 3, at[1] / 2]) * b.at(&[at[0] % 3, at[1] % 2])))
            .on(d(), d());
    }
}

//! How alike vectors are: by their angle, and by their distance.

use crate::autocast::full;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::{Axis, broadcast};
use crate::error::named;
use crate::{Tensor, fail};

impl Tensor {
    /// The cosine of the angle between vectors along an axis: `x · y / (max(|x|, eps) · max(|y|, eps))`.
    ///
    /// * Shape: `[a, n], [a, n] → [a]` along the last axis, broadcast, floats only. PyTorch takes `eps` 1e-8.   * Gradient: that of the quotient.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![[1.0, 0.0], [1.0, 1.0]].cosine_similarity(&tensor![[0.0, 2.0], [3.0, 3.0]], -1, 1e-8);
    /// assert_close!(y, [0.0, 1.0]);
    /// ```
    /// # Panics
    /// When there is no such axis, the shapes do not broadcast or the dtypes differ.
    #[track_caller]
    pub fn cosine_similarity(&self, other: &Tensor, axis: impl Into<Axis>, eps: f64) -> Tensor {
        let axis = axis.into();
        named("cosine_similarity", || {
            let shape = broadcast("cosine_similarity", self.shape_of(), other.shape_of());
            let (a, b) = (self.expand(shape), other.expand(shape));
            if shape.is_empty() {
                axis.of_nothing("cosine_similarity", &shape);
                return a.reshape([1usize]).cosine_similarity(&b.reshape([1usize]), 0, eps);
            }
            let axis = axis.of("cosine_similarity", &shape);
            (a.normalize(2.0, axis, eps) * b.normalize(2.0, axis, eps)).sum(axis)
        })
    }

    /// The `p`-norm of the difference of each row of this and each row of another matrix.
    ///
    /// * Shape: `[.., m, d], [.., n, d] → [.., m, n]`, floats only; the differences take `m · n · d` numbers of memory.   * Gradient: that of the [`norm`](Tensor::norm), 0 between equal rows.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let y = tensor![[0.0, 0.0], [3.0, 4.0]].cdist(&tensor![[0.0, 0.0]], 2.0);
    /// assert_close!(y, [[0.0], [5.0]]);
    /// ```
    /// # Panics
    /// When the last sizes differ, there are less than two axes, `p` is below 0 or NaN, or the dtypes differ.
    #[track_caller]
    pub fn cdist(&self, other: &Tensor, p: f64) -> Tensor {
        if let Some([Some(a), Some(b)]) = full([Some(self), Some(other)]) {
            return a.cdist(&b, p);
        }
        let (a, b) = (self.shape(), other.shape());
        if a.len() < 2 || b.len() < 2 || a[a.len() - 1] != b[b.len() - 1] {
            fail!("cdist", "rows of one length are needed, the shapes are {a:?} and {b:?}");
        }
        if p.is_nan() || p < 0.0 {
            fail!("cdist", "`p` must be at least 0, got {p}");
        }
        named("cdist", || {
            let apart = self.unsqueeze(-2) - other.unsqueeze(-3);
            // Rows of nothing are 0 apart, whatever the norm: of infinite order it has no largest difference to find.
            if apart.shape()[apart.rank() - 1] == 0 { apart.sum(-1) } else { apart.norm(p, -1) }
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("cosine_similarity", "The cosine of the angle between vectors along an axis.", Takes::Floats, of_cosine_similarity).made_of("normalize, mul and sum"),
    OpKind::new("cdist", "The distances between the rows of two matrices.", Takes::Floats, of_cdist).made_of("sub and norm"),
];

fn of_cosine_similarity(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d), (&[3, 5], &d)], |x| x[0].cosine_similarity(&x[1], -1, 1e-8));
    s.of(&[(&[4, 3], &d), (&[4, 1], &d)], |x| x[0].cosine_similarity(&x[1], 0, 1e-8));
}

fn of_cdist(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 4], &d), (&[2, 4], &d)], |x| x[0].cdist(&x[1], 2.0));
    s.of(&[(&[2, 3, 4], &d), (&[5, 4], &d)], |x| x[0].cdist(&x[1], 1.0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn alike() {
        let d = || floats(-2.0..2.0);
        check2(|a, b| a.cosine_similarity(b, -1, 1e-8)).shapes([&[3, 5], &[3, 5]]).on(d(), d());
        check2(|a, b| a.cdist(b, 2.0)).shapes([&[3, 2], &[4, 2]])
            .formula(|[a, b]| Numbers::from_fn(&[3, 4], |at| {
                (0..2).map(|k| (a.at(&[at[0], k]) - b.at(&[at[1], k])).powi(2)).sum::<f64>().sqrt()
            }))
            .on(d(), d());
        // Values of torch.nn.functional.cosine_similarity.
        let y = tensor![1.0, 2.0, 3.0].cosine_similarity(&tensor![3.0, -1.0, 0.5], 0, 1e-8);
        assert_close!(y, 0.208_679);
        for p in [0.0, 0.5, 1.0, 2.0, f64::INFINITY] {
            assert_close!(Tensor::zeros([2, 0]).cdist(&Tensor::zeros([3, 0]), p), Tensor::zeros([2, 3]));
            assert_eq!(Tensor::zeros([0, 4]).cdist(&Tensor::zeros([3, 4]), p).shape(), [0, 3]);
        }
        let x = tensor![[1.0, 2.0]].leaf();
        assert_close!(x.cdist(&x.detach(), 2.0).sum(..).backward().of(&x), [[0.0, 0.0]]);
    }
}

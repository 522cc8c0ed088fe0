//! Windows that slide along an axis.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::{Axis, MAX_RANK};
use crate::error::named;
use crate::{Tensor, fail};

impl Tensor {
    /// The windows of `size` elements along an axis, one every `step` elements, as a new last axis.
    ///
    /// * Shape: `[a, n] → [a, (n − size) / step + 1, size]` along the last axis, any number; a copy. Of images, [`window`](Tensor::window).   * Gradient: each `dy` added to where its element came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![1.0, 2.0, 3.0, 4.0];
    /// assert_close!(x.unfold(0, 2, 1), [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]);
    /// ```
    /// # Panics
    /// When a window is larger than the axis, `step` is 0, or there is no such axis.
    #[track_caller]
    pub fn unfold(&self, axis: impl Into<Axis>, size: usize, step: usize) -> Tensor {
        let axis = axis.into().of("unfold", self.shape());
        let n = self.shape()[axis];
        if step == 0 || size > n {
            fail!("unfold", "windows of {size} every {step} along axis {axis} of {:?}", self.shape(); help = "`size` may be {n} at most, and `step` must be at least 1");
        }
        if self.rank() == MAX_RANK {
            fail!("unfold", "{:?} has {MAX_RANK} axes, the most there are", self.shape());
        }
        let count = (n - size) / step + 1;
        let all = count.saturating_mul(size);
        self.shape_of().with(axis, all).fit("unfold");
        named("unfold", || {
            let count_to = |n: usize| self.device().scope(|| Tensor::arange(0..n));
            let at = (count_to(count) * step as i64).unsqueeze(1) + count_to(size);
            let picked = self.index_select(axis, &at.reshape([all]));
            let mut sizes = self.shape().to_vec();
            sizes[axis] = count;
            sizes.insert(axis + 1, size);
            picked.reshape(sizes).movedim(axis + 1, -1)
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("unfold", "The windows that slide along an axis, as a new last axis.", Takes::Numbers, samples).made_of("index_select and reshape"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].unfold(1, 2, 1));
    s.of(&[(&[6, 2], &d)], |x| x[0].unfold(0, 3, 2));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn unfold() {
        check(|x| x.unfold(0, 3, 2)).shapes([&[8, 2]]).formula(|[x]| Numbers::from_fn(&[3, 2, 3], |at| x.at(&[2 * at[0] + at[2], at[1]]))).on(floats(-2.0..2.0));
        assert_eq!(Tensor::zeros([2, 3]).unfold(1, 0, 1).shape(), [2, 4, 0]);
        let e = catch(|| tensor![1.0, 2.0].unfold(0, 3, 1)).unwrap_err();
        assert_eq!(e.message(), "unfold: windows of 3 every 1 along axis 0 of [2]");
    }
}

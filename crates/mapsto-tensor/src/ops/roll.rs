//! Elements moved round an axis, and matrices turned by quarter turns.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::Axis;
use crate::error::named;
use crate::{Tensor, fail};

impl Tensor {
    /// The elements moved `shift` places along an axis; those that leave at one end come back at the other.
    ///
    /// * Shape: `[..] → [..]`, every dtype.   * Gradient: `dy` moved back.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.0, 2.0, 3.0].roll(1, 0), [3.0, 1.0, 2.0]);
    /// ```
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn roll(&self, shift: i64, axis: impl Into<Axis>) -> Tensor {
        let axis = axis.into();
        if axis.of_nothing("roll", self.shape()) {
            return self.clone();
        }
        let axis = axis.of("roll", self.shape());
        named("roll", || match self.shape()[axis] {
            0 => self.clone(),
            n => {
                let cut = n - shift.rem_euclid(n as i64) as usize;
                Tensor::cat(&[self.slice(axis, cut..), self.slice(axis, ..cut)], axis)
            }
        })
    }

    /// Turned by `k` quarter turns in the plane of two axes, from the first to the second.
    ///
    /// * Shape: `[m, n] → [n, m]` for odd `k`, every dtype; a view.   * Gradient: `dy` turned back.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[1.0, 2.0], [3.0, 4.0]].rot90(1, 0, 1), [[2.0, 4.0], [1.0, 3.0]]);
    /// ```
    /// # Panics
    /// When there is no such axis, or both are one.
    #[track_caller]
    pub fn rot90(&self, k: i64, a: impl Into<Axis>, b: impl Into<Axis>) -> Tensor {
        let (a, b) = (a.into().of("rot90", self.shape()), b.into().of("rot90", self.shape()));
        if a == b {
            fail!("rot90", "axis {a} is named twice");
        }
        match k.rem_euclid(4) {
            0 => self.clone(),
            1 => self.flip(b).swap(a, b),
            2 => self.flip(a).flip(b),
            _ => self.flip(a).swap(a, b),
        }
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("roll", "The elements moved round an axis.", Takes::All, of_roll).made_of("slice and cat"),
    OpKind::new("rot90", "Turned by quarter turns in the plane of two axes.", Takes::All, of_rot90).made_of("flip and permute"),
];

fn of_roll(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].roll(2, -1));
    s.of(&[(&[3, 5], &d)], |x| x[0].roll(-7, 0));
    s.of(&[(&[0, 3], &d)], |x| x[0].roll(1, 0));
}

fn of_rot90(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d)], |x| x[0].rot90(1, 0, 1));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].rot90(-1, 2, 0));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn round_and_round() {
        check(|x| x.roll(2, 1)).shapes([&[3, 5]]).formula(|[x]| Numbers::from_fn(&[3, 5], |at| x.at(&[at[0], (at[1] + 3) % 5]))).on(floats(-2.0..2.0));
        for k in -1..4 {
            check(move |x| x.rot90(k, 0, 1)).shapes([&[2, 3]]).on(floats(-2.0..2.0));
        }
        // Values of torch.rot90.
        let x = Tensor::arange(0..6).reshape([2, 3]);
        let read = |k: i64| x.rot90(k, 0, 1).to_vec::<i64>();
        assert_eq!([read(1), read(2), read(3), read(4)], [vec![2, 5, 1, 4, 0, 3], vec![5, 4, 3, 2, 1, 0], vec![3, 0, 4, 1, 5, 2], vec![0, 1, 2, 3, 4, 5]]);
    }
}

//! A border made of the tensor itself: mirrored, of its outermost elements, or of its other side.

use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::shape::{sum, too_many};
use crate::{Tensor, fail};

/// What a border is made of: [`Tensor::pad_with`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Border {
    /// One value.
    Constant(f64),
    /// The tensor mirrored at its outermost elements, which are not repeated.
    Reflect,
    /// Its outermost elements.
    Replicate,
    /// The tensor continued from its other side.
    Circular,
}

impl Border {
    /// PyTorch's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Border::Constant(_) => "constant",
            Border::Reflect => "reflect",
            Border::Replicate => "replicate",
            Border::Circular => "circular",
        }
    }

    /// Why an axis of `size` cannot have so many more on one side, if so.
    pub fn misfit(self, size: usize, more: usize) -> Option<String> {
        let most = match self {
            Border::Constant(_) => usize::MAX,
            Border::Replicate if size > 0 => usize::MAX,
            Border::Reflect => size.saturating_sub(1),
            _ => size,
        };
        (more > most).then(|| format!("{more} rows or columns cannot be made of {size}: at most {most}"))
    }

    /// What lies before and behind an axis: parts of it, which are few, so that the whole is a copy of neighbours.
    fn edges(self, x: &Tensor, axis: usize, (before, after): (usize, usize)) -> [Tensor; 2] {
        let (n, before, after) = (x.shape()[axis] as isize, before as isize, after as isize);
        match self {
            Border::Reflect => {
                [x.slice(axis, 1..before + 1).flip(axis), x.slice(axis, n - 1 - after..n - 1).flip(axis)]
            }
            Border::Circular => [x.slice(axis, n - before..n), x.slice(axis, 0..after)],
            Border::Constant(_) | Border::Replicate => {
                let many = |from: isize, count: isize| x.slice(axis, from..from + 1).expand(&x.shape_of().with(axis, count as usize)[..]);
                [many(0, before), many(n - 1, after)]
            }
        }
    }
}

impl Tensor {
    /// [`pad`](Tensor::pad) with any border: one pair of numbers of elements an axis, before and after it.
    ///
    /// * Shape: `[a, b] → [a + 1 + 2, b]` for `&[(1, 2), (0, 0)]`; any number.   * Gradient: each `dy` to where its element came from.
    /// * ONNX: `Pad`.   * PyTorch: `F.pad(mode=..)`, whose pairs begin with the last axis.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![1.0, 2.0, 3.0];
    /// assert_close!(x.pad_with(&[(2, 1)], Border::Reflect), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    /// assert_close!(x.pad_with(&[(2, 1)], Border::Replicate), [1.0, 1.0, 1.0, 2.0, 3.0, 3.0]);
    /// assert_close!(x.pad_with(&[(2, 1)], Border::Circular), [2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
    /// ```
    /// # Panics
    /// When there is not one pair an axis, the dtype cannot hold the value, or an axis has too few elements for its border.
    #[track_caller]
    pub fn pad_with(&self, around: &[(usize, usize)], border: Border) -> Tensor {
        if let Border::Constant(value) = border {
            return self.pad(around, value);
        }
        if around.len() != self.rank() {
            fail!("pad", "{} pairs for {:?}, which has {} axes", around.len(), self.shape(), self.rank());
        }
        for (&size, &(before, after)) in self.shape().iter().zip(around) {
            if let Some(misfit) = border.misfit(size, before.max(after)) {
                fail!("pad", "{misfit}");
            }
        }
        let mut shape = *self.shape_of();
        for (size, &(before, after)) in shape.iter_mut().zip(around) {
            let Some(wide) = sum([*size, before, after]) else { too_many("pad", &[*size, before, after]) };
            *size = wide;
        }
        shape.fit("pad");
        named("pad", || {
            around.iter().enumerate().filter(|(_, pair)| **pair != (0, 0)).fold(self.clone(), |x, (axis, &(before, after))| {
                let [front, back] = border.edges(&x, axis, (before, after));
                Tensor::cat(&[front, x, back], axis)
            })
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("pad_with", "A border made of the tensor itself: mirrored, of its outermost elements, or of its other side.", Takes::Numbers, samples).made_of("cat, slice and flip"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3], &d)], |x| x[0].pad_with(&[(1, 0), (2, 1)], Border::Reflect));
    s.of(&[(&[5, 1], &d)], |x| x[0].pad_with(&[(0, 3), (2, 2)], Border::Replicate));
    s.of(&[(&[2, 1, 3], &d)], |x| x[0].pad_with(&[(0, 0), (1, 0), (2, 3)], Border::Circular));
    s.of(&[(&[0, 2], &d)], |x| x[0].pad_with(&[(0, 0), (1, 1)], Border::Reflect));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn pad_with() {
        let d = || floats(-2.0..2.0);
        check(|x| x.pad_with(&[(0, 0), (2, 3)], Border::Reflect)).shapes([&[2, 4]])
            .formula(|[x]| Numbers::from_fn(&[2, 9], |at| x.at(&[at[0], [2, 1, 0, 1, 2, 3, 2, 1, 0][at[1]]])))
            .on(d());
        check(|x| x.pad_with(&[(0, 0), (2, 3)], Border::Circular)).shapes([&[2, 3]])
            .formula(|[x]| Numbers::from_fn(&[2, 8], |at| x.at(&[at[0], (at[1] + 1) % 3])))
            .on(d());
        check(|x| x.pad_with(&[(1, 0), (2, 3)], Border::Replicate)).shapes([&[2, 3]])
            .formula(|[x]| Numbers::from_fn(&[3, 8], |at| x.at(&[at[0].saturating_sub(1), at[1].saturating_sub(2).min(2)])))
            .on(d());
        assert_close!(tensor![1.0].pad_with(&[(1, 0)], Border::Constant(7.0)), [7.0, 1.0]);
        let error = |border| catch(|| Tensor::zeros([2]).pad_with(&[(3, 0)], border)).unwrap_err().message().to_string();
        assert_eq!(error(Border::Reflect), "pad: 3 rows or columns cannot be made of 2: at most 1");
        assert_eq!(error(Border::Circular), "pad: 3 rows or columns cannot be made of 2: at most 2");
        let e = catch(|| Tensor::zeros([0]).pad_with(&[(1, 0)], Border::Replicate)).unwrap_err();
        assert_eq!(e.message(), "pad: 1 rows or columns cannot be made of 0: at most 0");
    }
}

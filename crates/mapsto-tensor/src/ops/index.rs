//! Several axes narrowed at once: `x.index((.., 1..3, 0))`.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::{Tensor, fail};
use super::{Place, Span};

impl Tensor {
    /// A view of a part, picked by a tuple with a range or a position for each axis from the first on: a range keeps
    /// its axis, a position drops it, `..` takes all; negative numbers count from the back, axes not named stay whole.
    ///
    /// * Shape: `[4, 5, 6] → [4, 2]` for `(.., 1..3, 0)`, any number.   * Gradient: zeros around the gradient.
    /// * ONNX: `Slice`, `Squeeze`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    /// assert_close!(x.index((.., 1..)), [[2.0, 3.0], [5.0, 6.0]]);
    /// assert_close!(x.index((-1, 0..2)), [4.0, 5.0]);
    /// assert_eq!(x.index((1, 2)).item(), 6.0);
    /// ```
    /// # Panics
    /// When more axes are named than there are, or one does not reach that far.
    #[track_caller]
    pub fn index(&self, picks: impl Picks) -> Tensor {
        let picks = picks.list();
        if picks.len() > self.rank() {
            fail!("index", "{} axes are named, {:?} has {}", picks.len(), self.shape(), self.rank());
        }
        let (mut y, mut axis) = (self.clone(), 0);
        for (pick, of) in picks.into_iter().zip(0..) {
            match pick {
                // What has been picked before has taken axes away: mistakes are told of the tensor as it was.
                Pick::Position(i) => {
                    self.check_position("index", of, i);
                    y = y.select(axis, i);
                }
                Pick::Range(range) => {
                    if range != Span::from(..) {
                        self.check_range("index", of, range);
                        y = y.slice(axis, range);
                    }
                    axis += 1;
                }
            }
        }
        y
    }
}

/// What is taken of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// One position; the axis vanishes.
    Position(Place),
    /// The positions between two ends.
    Range(Span),
}

/// A tuple of up to six ranges and positions.
pub trait Picks {
    /// What is taken of each axis from the first on.
    fn list(self) -> Vec<Pick>;
}

macro_rules! picks {
    ($($($t:ident)+;)*) => {$(
        impl<$($t: Into<Pick>),+> Picks for ($($t,)+) {
            #[allow(non_snake_case)] // a tuple's types name its values
            fn list(self) -> Vec<Pick> {
                let ($($t,)+) = self;
                vec![$($t.into()),+]
            }
        }
    )*};
}
picks! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}

impl<S: Into<Span>> From<S> for Pick {
    fn from(s: S) -> Pick {
        Pick::Range(s.into())
    }
}

macro_rules! pick_from {
    ($($t:ident)*) => {$(
        impl From<$t> for Pick {
            fn from(i: $t) -> Pick {
                Pick::Position(i.into())
            }
        }
    )*};
}
pick_from!(i32 i64 isize usize);

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("index", "A view of a part, picked by a tuple with a range or a position for each axis from the first on: a range keeps its axis, a position drops it, `..` takes all.", Takes::All, samples).made_of("slice and reshape"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[5, 3], &d)], |x| x[0].index((1..4, -1)));
    s.of(&[(&[2, 3, 4], &d)], |x| x[0].index((.., 0..0, 2)));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn index() {
        check(|x| x.index((.., 1..3, -1))).shapes([&[2, 4, 3]]).on(floats(-2.0..2.0));
        check(|x| x.index((0, ..=1))).shapes([&[2, 4, 3]]).on(floats(-2.0..2.0));
        let x = Tensor::arange(0..24).reshape([2, 3, 4]);
        let (i, n) = (1usize, 2usize);
        assert_eq!(x.index((i, 0..n, -2..)).to_vec::<i64>(), [14, 15, 18, 19]);
        assert_eq!(x.index((.., 0, 3)).to_vec::<i64>(), [3, 15]);
        let e = catch(|| x.index((0, 0, 0, 0))).unwrap_err();
        assert_eq!(e.message(), "index: 4 axes are named, [2, 3, 4] has 3");
    }
}

//! What the numbers of a recorded result mean, told by the operations that made them: a loss that takes scores can refuse
//! probabilities, which would train badly without a word.

use super::{LeafKind, Node, Origin};
use crate::Tensor;
use std::cell::Cell;

/// What the numbers of a result mean, as far as its operation knows: [`Op::meaning`](super::Op::meaning).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Meaning {
    /// Any number, such as the result of an affine map with a free weight.
    Scores,
    /// Numbers with a least value at 0 or little below, such as those of a rectifier.
    Rectified,
    /// Numbers from −1 to 1.
    Bounded,
    /// Each a probability of its own, from 0 to 1.
    Probabilities,
    /// Probabilities that add up to 1.
    Distribution,
    /// Logarithms of probabilities that are each of its own.
    LogProbabilities,
    /// Logarithms of probabilities that add up to 1.
    LogDistribution,
    /// The same number whatever the inputs are, such as the softmax of one score.
    Constant,
}

/// What is known of the inputs of an operation that is asked for its [`Meaning`].
pub struct Meant<'a> {
    node: &'a Node,
    depth: u32,
    /// What the first input has answered, and the operation that it comes from.
    first: Cell<Option<(Meaning, &'static str)>>,
}

/// Further back nothing is asked: a chain of views is short, and one without end must not overflow the stack.
const DEEPEST: u32 = 32;

impl Meant<'_> {
    /// What input `i` means. A parameter is any number; a tensor that nothing has made means nothing in particular.
    pub fn of(&self, i: usize) -> Option<Meaning> {
        let origin = self.node.kept().as_ref()?.inputs.get(i)?.origin().clone();
        let found = match &origin {
            Origin::Made(_) if self.depth == DEEPEST => None,
            Origin::Made(node) => ask(node, self.depth + 1),
            Origin::Leaf(_, LeafKind::Parameter) => Some((Meaning::Scores, "parameter")),
            _ => None,
        };
        if i == 0 {
            self.first.set(found);
        }
        found.map(|(meaning, _)| meaning)
    }

    /// The size of an axis of the result.
    pub fn size(&self, axis: usize) -> usize {
        self.node.shape.get(axis).copied().unwrap_or(1)
    }
}

fn ask(node: &Node, depth: u32) -> Option<(Meaning, &'static str)> {
    let meant = Meant { node, depth, first: Cell::new(None) };
    let meaning = node.op.meaning(&meant)?;
    // What passes through a view is still the work of the operation before it.
    let by = meant.first.get().filter(|(first, _)| *first == meaning).map_or(node.op.name(), |(_, by)| by);
    Some((meaning, by))
}

impl Tensor {
    /// What the numbers mean, and the operation that made them so; none where that is not known, nothing was recorded, or the
    /// tensor is a leaf.
    ///
    /// ```
    /// use mapsto_tensor::graph::Meaning;
    /// use mapsto_tensor::prelude::*;
    /// let scores = Tensor::ones([2, 3]).leaf();
    /// let shares = scores.softmax(-1).reshape([3, 2]);
    /// assert_eq!(shares.meaning(), Some((Meaning::Distribution, "softmax")));
    /// assert_eq!((&shares * 2.0).meaning(), None);
    /// ```
    pub fn meaning(&self) -> Option<(Meaning, &'static str)> {
        match &self.0.origin {
            Origin::Made(node) => ask(node, 0),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Meaning::*;
    use crate::prelude::*;

    /// What every operation that says something says, on its own and through every kind of view.
    #[test]
    fn views_hand_on_what_they_show() {
        let x = Tensor::rand([2, 3]).leaf();
        let w = record(|| tensor![[1.0, 2.0, 3.0], [0.5, 0.5, 0.5]]).leaf();
        let made = [
            (x.softmax(-1), Distribution),
            (x.log_softmax(-1), LogDistribution),
            (x.softmax(-1).log(), LogDistribution),
            (x.log_softmax(-1).exp(), Distribution),
            (x.sigmoid(), Probabilities),
            (x.sigmoid().log(), LogProbabilities),
            (x.sigmoid().clamp(1e-7, 1.0), Probabilities),
            (x.clamp(0.0, 1.0), Probabilities),
            (x.tanh(), Bounded),
            (x.relu(), Rectified),
            (x.slice(1, ..1).softmax(1), Constant),
        ];
        for (y, meaning) in made {
            let views = [
                y.clone(),
                y.reshape([-1]),
                y.t(),
                y.unsqueeze(0).squeeze(0),
                y.slice(0, 1..),
                y.flip(0),
                y.unsqueeze(0).expand([4, y.shape()[0], y.shape()[1]]),
                y.t().contiguous(),
                y.to(DType::F64),
                y.index_select(0, &tensor![1]),
            ];
            for view in views {
                assert_eq!(view.meaning().map(|(m, _)| m), Some(meaning));
            }
            assert_eq!((&y + 1.0).meaning(), None);
            assert_eq!(y.mean(-1).meaning(), None);
            assert_eq!(y.detach().meaning(), None);
        }
        // A weight that somebody has made of others may be bounded: only a parameter is free.
        assert_eq!(x.linear(&w, None).meaning(), None);
        assert_eq!(x.meaning(), None);
    }

    #[test]
    fn a_long_chain_of_views_is_given_up() {
        let mut y = Tensor::ones([4]).leaf().sigmoid();
        for i in 0..100_000 {
            y = y.reshape(if i % 2 == 0 { [2, 2].to_vec() } else { [4].to_vec() });
        }
        assert_eq!(y.meaning(), None);
    }
}

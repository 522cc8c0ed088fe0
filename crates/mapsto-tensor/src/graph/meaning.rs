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
    /// Numbers with a least value at 0 or little below, such as those of a rectifier: at [`Meaning::LEAST_RECTIFIED`] or above.
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

impl Meaning {
    /// No rectified number is below this: the least value of `selu` is −1.76, and that of most is 0.
    pub const LEAST_RECTIFIED: f64 = -2.0;
}

/// What is known of the inputs of an operation that is asked for its [`Meaning`].
pub struct Meant<'a> {
    node: &'a Node,
    depth: u32,
    /// How many more nodes may be asked.
    left: &'a Cell<u32>,
    /// What the first input has answered, and the operation that it comes from.
    first: Cell<Option<(Meaning, &'static str)>>,
}

/// Further back nothing is asked: a chain of views is short, and one without end must not overflow the stack.
const DEEPEST: u32 = 32;
/// Nor more than this: operations that ask several inputs, each of which comes from the same one, would ask it again and again.
const MOST: u32 = 256;

impl Meant<'_> {
    /// What input `i` means. A parameter is any number; a tensor that nothing has made means nothing in particular.
    pub fn of(&self, i: usize) -> Option<Meaning> {
        let origin = self.node.kept().as_ref()?.inputs.get(i)?.origin().clone();
        let found = match &origin {
            Origin::Made(_) if self.depth == DEEPEST => None,
            Origin::Made(node) => ask(node, self.depth + 1, self.left),
            Origin::Leaf(_, LeafKind::Parameter) => Some((Meaning::Scores, "parameter")),
            _ => None,
        };
        if i == 0 || self.is_number(0) {
            self.first.set(found);
        }
        found.map(|(meaning, _)| meaning)
    }

    /// What all inputs mean, where that is the same.
    pub fn of_all(&self) -> Option<Meaning> {
        let first = self.of(0)?;
        (1..self.inputs()).all(|i| self.of(i) == Some(first)).then_some(first)
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> usize {
        self.node.kept().as_ref().map_or(0, |kept| kept.inputs.len())
    }

    /// Of input `i`, the axis along which it adds up to 1, where that is known.
    pub fn sums_along(&self, i: usize) -> Option<usize> {
        let origin = self.node.kept().as_ref()?.inputs.get(i)?.origin().clone();
        match &origin {
            Origin::Made(node) if self.depth < DEEPEST => {
                let left = self.left.get().checked_sub(1)?;
                self.left.set(left);
                node.op.sums_along(&Meant {
                    node,
                    depth: self.depth + 1,
                    left: self.left,
                    first: Cell::new(None),
                })
            }
            _ => None,
        }
    }

    /// Whether input `i` is one number that is no result: what is written beside a tensor.
    pub fn is_number(&self, i: usize) -> bool {
        let kept = self.node.kept();
        let Some(input) = kept.as_ref().and_then(|kept| kept.inputs.get(i)) else { return false };
        input.origin().is_constant() && input.shape(self.node).is_empty() && !self.node.shape.is_empty()
    }

    /// That number, where the operation keeps it.
    pub fn number(&self, i: usize) -> Option<f64> {
        if !self.is_number(i) {
            return None;
        }
        let kept = self.node.kept();
        let value = kept.as_ref()?.inputs.get(i)?.value()?;
        // Asking another device would wait for all that it has been told to do.
        (value.dtype().is_float() && value.device().backend().is_host()).then(|| value.item())
    }

    /// What input `i` means, where that is still so of its product with a number: shares times something up to 1 are no
    /// larger than shares, and 1 changes nothing.
    pub fn times(&self, i: usize, factor: f64) -> Option<Meaning> {
        use Meaning::*;
        match self.of(i)? {
            meant if factor == 1.0 => Some(meant),
            Distribution | Probabilities if factor > 0.0 && factor <= 1.0 => Some(Probabilities),
            _ => None,
        }
    }

    /// What input `i` means, where that is still so of its sum with a number: a softmax over scores takes any shift out, so
    /// shifted probabilities are no better scores than probabilities.
    pub fn shifted(&self, i: usize) -> Option<Meaning> {
        use Meaning::*;
        self.of(i).filter(|m| {
            matches!(m, Distribution | Probabilities | LogDistribution | LogProbabilities | Constant)
        })
    }

    /// The size of an axis of the result.
    pub fn size(&self, axis: usize) -> usize {
        self.node.shape.get(axis).copied().unwrap_or(1)
    }
}

fn ask(node: &Node, depth: u32, left: &Cell<u32>) -> Option<(Meaning, &'static str)> {
    left.set(left.get().checked_sub(1)?);
    let meant = Meant { node, depth, left, first: Cell::new(None) };
    let meaning = node.op.meaning(&meant)?;
    // What passes through a view is still the work of the operation before it.
    let by = meant.first.get().filter(|(first, _)| *first == meaning).map_or(node.op.ends_in(), |(_, by)| by);
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
    /// assert_eq!((&shares * 1.0 + 1e-9).meaning(), shares.meaning());
    /// assert_eq!((&shares * 2.0).meaning(), None);
    /// ```
    pub fn meaning(&self) -> Option<(Meaning, &'static str)> {
        match &self.0.origin {
            Origin::Made(node) => ask(node, 0, &Cell::new(MOST)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Meaning;
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
            let index = Tensor::zeros([1, y.shape()[1]]).to(DType::I64);
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
                // What moves elements about.
                y.gather(0, &index),
                y.sort(0).0,
                y.topk(1, 0).0,
                Tensor::stack(&[&y, &y], 0),
                Tensor::stack(&[&y, &y], -1),
                Tensor::cat(&[y.unsqueeze(0), y.unsqueeze(0), y.unsqueeze(0)], 0),
                tensor![[true], [false]].choose(&y, &y),
                // What changes nothing, and what is put in front of a logarithm.
                &y * 1.0,
                1.0 * &y,
                &y / 1.0,
                &y * 1.0 / 1.0,
            ];
            for view in views {
                assert_eq!(view.meaning().map(|(m, _)| m), Some(meaning));
            }
            let shares = matches!(
                meaning,
                Distribution | Probabilities | LogDistribution | LogProbabilities | Constant
            );
            for shifted in [&y + 1e-9, 1e-9 + &y, &y - 1e-9, &y + 1.0] {
                assert_eq!(shifted.meaning().map(|(m, _)| m), Some(meaning).filter(|_| shares));
            }
            // What is another one's number is no number to write beside it.
            assert_eq!((&y + &tensor![1.0, 2.0, 3.0].slice(0, ..y.shape()[1] as isize)).meaning(), None);
            assert_eq!((&y * 2.0).meaning(), None);
            assert_eq!((&y * -1.0).meaning(), None);
            assert_eq!((1.0 - &y).meaning(), None);
            assert_eq!((1.0 / &y).meaning(), None);
            assert_eq!(y.mean(-1).meaning(), None);
            assert_eq!(y.detach().meaning(), None);
        }
        for shares in [x.softmax(-1), x.sigmoid()] {
            let limited = [
                shares.clamp(1e-7, 1.0),
                shares.clamp(1e-7, f64::INFINITY),
                shares.maximum(1e-9),
                shares.minimum(0.999),
            ];
            for y in limited {
                assert!(matches!(y.meaning(), Some((Distribution | Probabilities, _))), "{:?}", y.meaning());
            }
            assert_eq!((&shares * 0.5).meaning().map(|(m, _)| m), Some(Probabilities));
            assert_eq!(shares.maximum(2.0).meaning(), None);
        }
        // A weight that somebody has made of others may be bounded: only a parameter is free.
        assert_eq!(x.linear(&w, None).meaning(), None);
        assert_eq!(x.meaning(), None);
    }

    /// What an activation says of its numbers is true of those of a wide range.
    #[test]
    fn activations_keep_to_what_they_say() {
        let x = Tensor::linspace(-60.0, 60.0, 961).leaf();
        let said = [
            (x.relu(), Some(Rectified)),
            (x.gelu(), Some(Rectified)),
            (x.gelu_tanh(), Some(Rectified)),
            (x.silu(), Some(Rectified)),
            (x.softplus(), Some(Rectified)),
            (x.relu6(), Some(Rectified)),
            (x.hardswish(), Some(Rectified)),
            (x.mish(), Some(Rectified)),
            (x.selu(), Some(Rectified)),
            (x.elu(1.0), Some(Rectified)),
            (x.elu(5.0), None),
            (x.celu(2.0), Some(Rectified)),
            (x.celu(5.0), None),
            (x.celu(-1.0), None),
            (x.tanh(), Some(Bounded)),
            (x.softsign(), Some(Bounded)),
            (x.hardtanh(-1.0, 1.0), Some(Bounded)),
            (x.hardtanh(0.0, 1.0), Some(Probabilities)),
            (x.hardtanh(0.0, 6.0), Some(Rectified)),
            (x.hardtanh(-5.0, 5.0), None),
            (x.sigmoid(), Some(Probabilities)),
            (x.hardsigmoid(), Some(Probabilities)),
            (x.log_sigmoid(), Some(LogProbabilities)),
            (x.leaky_relu(0.1), Some(Scores)),
            (x.softshrink(0.5), Some(Scores)),
            (x.hardshrink(0.5), Some(Scores)),
            (x.tanhshrink(), Some(Scores)),
        ];
        for (y, meaning) in said {
            let (least, most) = (y.min(..).item(), y.max(..).item());
            assert_eq!(y.meaning().map(|(m, _)| m), meaning, "from {least} to {most}");
            let holds = match meaning {
                Some(Rectified) => least >= Meaning::LEAST_RECTIFIED,
                Some(Bounded) => least >= -1.0 && most <= 1.0,
                Some(Probabilities) => least >= 0.0 && most <= 1.0,
                Some(LogProbabilities) => most <= 0.0,
                Some(Scores) => least < -5.0 && most > 5.0,
                _ => least < Meaning::LEAST_RECTIFIED,
            };
            assert!(holds, "{meaning:?} from {least} to {most}");
        }
    }

    /// Joined along another axis than the one they add up along, rows of shares are rows of shares; along it they are not.
    #[test]
    fn parts_that_are_joined_mean_what_all_of_them_mean() {
        let x = Tensor::rand([2, 3]).leaf();
        for axis in 0..2 {
            for (y, meaning) in [(x.softmax(axis), Distribution), (x.log_softmax(axis), LogDistribution)] {
                for y in [y.clone(), &y * 1.0, &y + 1e-9, y.softmax(axis).log().exp()] {
                    let Some((own, _)) = y.meaning() else { panic!("{y:?}") };
                    assert!(own == meaning || own == Distribution);
                    let joined = |along: usize| Tensor::cat(&[&y, &y], along).meaning().map(|(m, _)| m);
                    assert_eq!(joined(1 - axis), Some(own));
                    assert_eq!(joined(axis), None);
                }
                // Behind a view the axis is not known, and nothing is said.
                assert_eq!(Tensor::cat(&[y.t(), y.t()], axis).meaning(), None);
            }
        }
        for (y, meaning) in [(x.sigmoid(), Probabilities), (x.tanh(), Bounded), (x.relu(), Rectified)] {
            assert_eq!(Tensor::cat(&[&y, &y], 1).meaning().map(|(m, _)| m), Some(meaning));
        }
        assert_eq!(Tensor::cat(&[x.sigmoid(), x.tanh()], 1).meaning(), None);
        assert_eq!(Tensor::cat(&[x.sigmoid(), Tensor::ones([2, 1])], 1).meaning(), None);
    }

    #[test]
    fn a_long_chain_of_views_is_given_up() {
        let mut y = Tensor::ones([4]).leaf().sigmoid();
        for i in 0..100_000 {
            y = y.reshape(if i % 2 == 0 { [2, 2].to_vec() } else { [4].to_vec() });
        }
        assert_eq!(y.meaning(), None);
        // Nor is one asked over and over that meets itself again and again.
        let mut y = Tensor::ones([4]).leaf().sigmoid();
        for _ in 0..30 {
            y = y.gt(0.5).choose(&y, &y);
        }
        assert_eq!(y.meaning(), None);
    }
}

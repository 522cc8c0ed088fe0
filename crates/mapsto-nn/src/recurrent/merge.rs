//! What becomes of the outputs of both directions of a recurrent layer.

use mapsto_tensor::Tensor;

/// What becomes of the outputs of both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Merge {
    /// They stand side by side, forwards first.
    #[default]
    Concat,
    /// They are added.
    Sum,
    /// They are multiplied.
    Mul,
    /// Their mean.
    Ave,
}

impl Merge {
    pub(super) const WORDS: [(&'static str, Merge); 4] =
        [("concat", Merge::Concat), ("sum", Merge::Sum), ("mul", Merge::Mul), ("ave", Merge::Ave)];

    pub(super) fn word(self) -> &'static str {
        Merge::WORDS.iter().find(|(_, merge)| *merge == self).map_or("", |(word, _)| word)
    }

    /// How many times as wide as a state the outputs of so many directions are.
    pub(super) fn times(self, directions: usize) -> usize {
        if self == Merge::Concat { directions } else { 1 }
    }

    pub(super) fn of(self, outputs: &[&Tensor]) -> Tensor {
        match (self, outputs) {
            (_, [one]) => (*one).clone(),
            (Merge::Sum, [a, b]) => *a + *b,
            (Merge::Mul, [a, b]) => *a * *b,
            (Merge::Ave, [a, b]) => (*a + *b) * 0.5,
            _ => Tensor::cat(outputs, -1),
        }
    }
}

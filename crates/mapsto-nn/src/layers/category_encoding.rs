//! Ids as vectors that are not learned: one-hot, several-hot, or counted.

use super::LayerKind;
use crate::{Layer, Module, budget};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::{DType, Tensor, fail};

/// Of ids `0..count`: a vector with a 1 at its place for each, or one for all ids of a sample.
///
/// * Shape: `[..] → [.., count]` one-hot; `[n, k] → [n, count]` [`multi_hot`](CategoryEncoding::multi_hot) and [`counts`](CategoryEncoding::counts).
/// * PyTorch: `F.one_hot`; Keras: `CategoryEncoding`; ONNX: `OneHot`.
/// ```
/// use mapsto_nn::prelude::*;
/// let ids = tensor![[0, 2, 2]];
/// assert_close!(CategoryEncoding::new(3).multi_hot().forward(&ids), [[1.0, 0.0, 1.0]]);
/// assert_close!(CategoryEncoding::new(3).counts().forward(&ids), [[1.0, 0.0, 2.0]]);
/// assert_close!(CategoryEncoding::new(2).forward(&tensor![1]), [[0.0, 1.0]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct CategoryEncoding {
    count: usize,
    #[module(skip)]
    mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    OneHot,
    MultiHot,
    Count,
}

impl Mode {
    const WORDS: [(&'static str, Mode); 3] =
        [("one_hot", Mode::OneHot), ("multi_hot", Mode::MultiHot), ("count", Mode::Count)];

    fn word(self) -> &'static str {
        Mode::WORDS.iter().find(|(_, mode)| *mode == self).map_or("", |(word, _)| word)
    }
}

impl CategoryEncoding {
    /// A vector with a single 1 for each id below `count`.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn new(count: usize) -> CategoryEncoding {
        CategoryEncoding { count: at_least_1("category_encoding", "count", count), mode: Mode::OneHot }
    }

    /// The same with one vector for all ids of a sample, which has a 1 at the place of each.
    #[must_use]
    pub fn multi_hot(self) -> CategoryEncoding {
        CategoryEncoding { mode: Mode::MultiHot, ..self }
    }

    /// The same with one vector for all ids of a sample, which counts each.
    #[must_use]
    pub fn counts(self) -> CategoryEncoding {
        CategoryEncoding { mode: Mode::Count, ..self }
    }
}

impl Layer for CategoryEncoding {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if self.mode != Mode::OneHot && x.rank() < 2 {
            fail!("category_encoding", "[n, ids] was expected, found {:?}", x.shape());
        }
        let each = x.one_hot(self.count).to(DType::F32);
        match self.mode {
            Mode::OneHot => each,
            Mode::MultiHot => each.max(-2),
            Mode::Count => each.sum(-2),
        }
    }

    fn describe(&self) -> String {
        format!("CategoryEncoding({}, {})", self.count, self.mode.word())
    }

    fn input_dtype(&self) -> DType {
        DType::I64
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.count).with_option("mode", self.mode.word()))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "category_encoding",
    "A vector with a 1 at the place of each of the given number of ids.",
    |args, input| {
        let count: usize = args.main()?;
        let word: String = args.get_or("mode", Mode::OneHot.word().to_string())?;
        let Some((_, mode)) = Mode::WORDS.into_iter().find(|(known, _)| *known == word) else {
            let message = format!("`mode` must be \"one_hot\", \"multi_hot\" or \"count\", got \"{word}\"");
            return Err(args.error("mode", message));
        };
        if count == 0 {
            return Err(args.error("", "the number of ids must be at least 1, got 0"));
        }
        if mode != Mode::OneHot && input.is_empty() {
            return Err(args.misfit("", "a sample should be [ids], it has no axes"));
        }
        if mode != Mode::OneHot && input.contains(&0) {
            return Err(args.misfit("", "a sample has no ids"));
        }
        if mode == Mode::OneHot && input.len() + 2 > mapsto_tensor::MAX_RANK {
            return Err(args.misfit("", format!("ids {input:?} leave no axis for their vectors")));
        }
        budget::output(args, &[input, &[count]].concat())?;
        budget::pass(args.name(), &[input, &[count]].concat())?;
        Ok(Box::new(CategoryEncoding { count, mode }))
    },
)
.options(&[
    ("", "the number of ids"),
    ("mode", "`\"one_hot\"` gives a vector for each id, `\"multi_hot\"` one for all of a sample, `\"count\"` counts them"),
])
.example(|| Entry::new("category_encoding").with_value(5_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn category_encoding() {
        check_layer(|| CategoryEncoding::new(3)).gives([2, 4], [2, 4, 3]);
        check_layer(|| CategoryEncoding::new(30).counts()).gives([2, 4], [2, 30]);
        check_entry::<dyn Layer>(
            &Entry::new("category_encoding").with_value(4_usize).with_option("mode", "count"),
            &[3],
        );
        let e = catch(|| CategoryEncoding::new(3).forward(&tensor![3])).unwrap_err();
        assert!(e.message().contains('3'), "{e}");
        let entry = Entry::new("category_encoding").with_value(4_usize).with_option("mode", "tf_idf");
        let e = ModelSpec::new([4], [entry]).build().err().unwrap().to_string();
        assert!(e.contains("`mode` must be \"one_hot\", \"multi_hot\" or \"count\""), "{e}");
    }
}

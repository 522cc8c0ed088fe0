//! Bags of ids: the mean, the sum or the maximum of the learned vectors of several ids.

use super::{LayerKind, drawn_by};
use crate::init::{Init, Normal};
use crate::{Layer, Module, Param};
use mapsto_spec::Entry;
use mapsto_tensor::{DType, Tensor, fail};

/// What becomes of the vectors of a bag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bag {
    Mean,
    Sum,
    Max,
}

const MODES: [(&str, Bag); 3] = [("mean", Bag::Mean), ("sum", Bag::Sum), ("max", Bag::Max)];

/// The mean of the rows of a table for the ids of each bag: `y[n, :] = mean over l of w[x[n, l], :]`, or their sum or maximum.
///
/// * Shape: `[n, ids] → [n, size]`; ids are integers in `0..count`.
/// * Parameters: `weight` `[count, size]`, standard normal.
/// * PyTorch: `EmbeddingBag(mode=..)` of bags of one length; Keras has none.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut table = EmbeddingBag::new(3, 2);
/// table.weight.set(&tensor![[0.0, 1.0], [2.0, 3.0], [4.0, 7.0]])?;
/// assert_close!(table.forward(&tensor![[2, 0], [1, 1]]), [[2.0, 4.0], [2.0, 3.0]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct EmbeddingBag {
    /// The table, `[count, size]`.
    pub weight: Param,
    #[module(skip)]
    bag: Bag,
    /// How the weight was drawn, where it was in a way of its own.
    #[module(skip)]
    drawn: Option<Box<Entry>>,
}

impl EmbeddingBag {
    /// Means of vectors of `size` for the ids `0..count`.
    pub fn new(count: usize, size: usize) -> EmbeddingBag {
        EmbeddingBag {
            weight: Param::new(Normal::new(1.0).tensor(&[count, size])),
            bag: Bag::Mean,
            drawn: None,
        }
    }

    /// The same of sums.
    #[must_use]
    pub fn sum(self) -> EmbeddingBag {
        EmbeddingBag { bag: Bag::Sum, ..self }
    }

    /// The same of maxima.
    #[must_use]
    pub fn max(self) -> EmbeddingBag {
        EmbeddingBag { bag: Bag::Max, ..self }
    }

    /// The same with its table drawn by another initialiser.
    #[must_use]
    pub fn init(self, init: impl Init) -> EmbeddingBag {
        let drawn = init.entry().map(Box::new);
        EmbeddingBag { weight: Param::new(init.tensor(self.weight.shape())), drawn, ..self }
    }

    fn mode(&self) -> &'static str {
        MODES.iter().find(|(_, bag)| *bag == self.bag).map_or("", |(word, _)| word)
    }
}

impl Layer for EmbeddingBag {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if x.rank() != 2 || x.shape()[1] == 0 {
            fail!("embedding_bag", "bags [n, ids] were expected, found {:?}", x.shape());
        }
        let vectors = x.embedding(&self.weight); // [n, ids, size]
        match self.bag {
            Bag::Mean => vectors.mean(1),
            Bag::Sum => vectors.sum(1),
            Bag::Max => vectors.max(1),
        }
    }

    fn describe(&self) -> String {
        let [count, size] = self.weight.dims();
        format!("EmbeddingBag({count} × {size}, {})", self.mode())
    }

    fn input_dtype(&self) -> DType {
        DType::I64
    }

    fn entry(&self) -> Option<Entry> {
        let [count, size] = self.weight.dims();
        let entry = Entry::new(KIND.name).with_value(count).with_option("size", size);
        Some(drawn_by(entry.with_option("mode", self.mode()), &self.drawn))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "embedding_bag",
    "The mean, the sum or the maximum of learned vectors of ids, of the given number of ids.",
    |args, input| {
        let (count, size): (usize, usize) = (args.main()?, args.required("size")?);
        let mode: String = args.get_or("mode", "mean".to_string())?;
        if count == 0 {
            return Err(args.error("", "a table needs at least one row"));
        }
        let &[ids] = input else {
            let e = args.misfit("", format!("the input should be [ids], it is {input:?}"));
            return Err(e.help("it reads bags of ids; `linear` takes them as rows of numbers"));
        };
        if ids == 0 {
            return Err(args.misfit("", "a bag needs at least one id"));
        }
        crate::budget::weight(args, &[count, size])?;
        crate::budget::output(args, &[ids, size])?;
        let Some((_, bag)) = MODES.iter().find(|(word, _)| *word == mode) else {
            return Err(args.error("mode", format!("`mode` is mean, sum or max, got \"{mode}\"")));
        };
        let layer = EmbeddingBag { bag: *bag, ..EmbeddingBag::new(count, size) };
        Ok(Box::new(match super::init_option(args)? {
            Some(init) => layer.init(init),
            None => layer,
        }))
    },
)
.options(&[
    ("", "the number of ids"),
    ("size", "the size of a vector"),
    ("mode", "what becomes of the vectors: `\"mean\"`, `\"sum\"` or `\"max\"`"),
    ("init", "how its weights are drawn, instead of the layer's own way"),
])
.example(|| Entry::new("embedding_bag").with_value(5_usize).with_option("size", 2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn embedding_bag() {
        check_layer(|| EmbeddingBag::new(5, 3)).gives([2, 4], [2, 3]);
        check_layer(|| EmbeddingBag::new(5, 3).sum()).gives([2, 4], [2, 3]);
        let bag = EmbeddingBag::new(5, 3).max();
        let grads = train(|| bag.forward(&tensor![[0, 1], [1, 2]]).sum(..)).backward();
        assert_eq!(grads.of(&bag.weight).sum(..).item(), 6.0);
        let entry = Entry::new("embedding_bag").with_value(5_usize).with_option("size", 2_usize);
        for mode in ["mean", "sum", "max"] {
            check_entry::<dyn Layer>(&entry.clone().with_option("mode", mode), &[4]);
        }
    }
}

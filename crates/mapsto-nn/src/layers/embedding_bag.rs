//! Bags of ids: the mean, the sum or the maximum of the learned vectors of several ids.

use super::{LayerKind, drawn_by};
use crate::init::{Init, Normal};
use crate::module::{Item, ItemMut, Path, Segment};
use crate::table::Rows;
use crate::{Layer, Module, Param};
use mapsto_spec::{Bounds, Entry};
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
#[derive(Clone, Debug)]
pub struct EmbeddingBag {
    /// The table, `[count, size]`.
    pub weight: Param,
    bag: Bag,
    /// The id that stands for nothing.
    padding: Option<usize>,
    /// How its rows are used.
    rows: Rows,
    /// How the weight was drawn, where it was in a way of its own.
    drawn: Option<Box<Entry>>,
}

// By hand, because rows that were used are shortened before anybody may write.
impl Module for EmbeddingBag {
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
        path.enter(Segment::Name("weight"), |path| self.weight.visit(path, f));
    }
    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
        self.rows.write(&mut self.weight);
        path.enter(Segment::Name("weight"), |path| self.weight.visit_mut(path, f));
    }
    fn boxed_clone(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(self.clone()))
    }
}

impl EmbeddingBag {
    /// Means of vectors of `size` for the ids `0..count`.
    pub fn new(count: usize, size: usize) -> EmbeddingBag {
        EmbeddingBag {
            weight: Param::new(Normal::new(1.0).tensor(&[count, size])),
            bag: Bag::Mean,
            padding: None,
            rows: Rows::plain(),
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

    /// The same, where this id fills bags that hold less: it counts for nothing, in means too, and its row is not trained. A bag of it
    /// alone gives 0. PyTorch: `padding_idx`.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let mut table = EmbeddingBag::new(3, 1).padding(0);
    /// table.weight.set(&tensor![[9.0], [2.0], [4.0]])?;
    /// assert_close!(table.forward(&tensor![[1, 2], [2, 0], [0, 0]]), [[3.0], [4.0], [0.0]]);
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    /// # Panics
    /// When there is no such id.
    #[track_caller]
    #[must_use]
    pub fn padding(self, id: usize) -> EmbeddingBag {
        let count = self.weight.shape()[0];
        if id >= count {
            fail!("embedding_bag", "the padding {id} is not within 0..{count}");
        }
        EmbeddingBag { padding: Some(id), ..self }
    }

    /// The same whose rows are brought to this length when they are used and are longer: PyTorch's `max_norm`, which Keras has as the
    /// constraint `MaxNorm`.
    ///
    /// A row's gradient is that of the shortened row, which is written to the table before an optimizer's next step (at every visit that
    /// may write, frozen tables included), so that a training gives PyTorch's numbers. Who reads `weight` between a forward pass and
    /// that step sees it as it was. What is used in inference alone is shortened in the result and stays in the table.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let mut table = EmbeddingBag::new(2, 2).sum().max_norm(1.0);
    /// table.weight.set(&tensor![[3.0, 4.0], [0.3, 0.4]])?;
    /// let y = table.forward(&tensor![[0], [1]]);
    /// assert!((&y - tensor![[0.6, 0.8], [0.3, 0.4]]).abs().max(..).item() < 1e-6);
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn max_norm(mut self, max_norm: f64) -> EmbeddingBag {
        self.rows.max_norm = Some(Bounds::ABOVE_0.check("embedding_bag", "max_norm", max_norm));
        self
    }

    /// The same that measures rows for [`max_norm`](EmbeddingBag::max_norm) by another `p`-norm than 2.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn norm_type(mut self, p: f64) -> EmbeddingBag {
        self.rows.norm_type = Bounds::ABOVE_0.check("embedding_bag", "norm_type", p);
        self
    }

    /// The same where the gradient of each row is divided by how often its id stands in the batch, as in PyTorch.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let table = EmbeddingBag::new(2, 1).sum().scale_grad_by_freq();
    /// let grads = train(|| table.forward(&tensor![[1, 1, 1, 0]]).sum(..)).backward();
    /// assert_close!(grads.of(&table.weight), [[1.0], [1.0]]);
    /// ```
    #[must_use]
    pub fn scale_grad_by_freq(mut self) -> EmbeddingBag {
        self.rows.by_frequency = true;
        self
    }

    /// The sums of vectors, each times a weight of its own: `y[n, :] = Σ over l of weights[n, l] w[x[n, l], :]`. PyTorch:
    /// `per_sample_weights`.
    ///
    /// * Shape: `[n, ids], [n, ids] → [n, size]`.
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let mut table = EmbeddingBag::new(2, 1).sum();
    /// table.weight.set(&tensor![[2.0], [4.0]])?;
    /// assert_close!(table.weighted(&tensor![[0, 1]], &tensor![[3.0, 0.5]]), [[8.0]]);
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    /// # Panics
    /// When the bags are not summed, or the shapes differ.
    #[track_caller]
    pub fn weighted(&self, x: &Tensor, weights: &Tensor) -> Tensor {
        if self.bag != Bag::Sum {
            fail!("embedding_bag", "weights are for sums, and these bags give a {}", self.mode(); help = "make it `.sum()`");
        }
        if x.shape() != weights.shape() {
            fail!("embedding_bag", "ids {:?} and weights {:?} differ in shape", x.shape(), weights.shape());
        }
        let weights = self.kept(x).map_or(weights.clone(), |kept| weights * kept.to(weights.dtype()));
        (self.vectors(x) * weights.unsqueeze(-1)).sum(1)
    }

    /// True where an id is no padding, where there is any.
    fn kept(&self, x: &Tensor) -> Option<Tensor> {
        self.padding.map(|id| x.ne(id as i64))
    }

    /// `[n, ids, size]`.
    #[track_caller]
    fn vectors(&self, x: &Tensor) -> Tensor {
        if x.rank() != 2 || x.shape()[1] == 0 {
            fail!("embedding_bag", "bags [n, ids] were expected, found {:?}", x.shape());
        }
        if self.rows.by_frequency && self.bag == Bag::Max {
            fail!("embedding_bag", "a maximum has the gradient of one id, which is divided by no frequency";
                  help = "leave `scale_grad_by_freq()` out, or take means or sums");
        }
        self.rows.of(x, &self.weight)
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
        let vectors = self.vectors(x);
        let Some(kept) = self.kept(x) else {
            return match self.bag {
                Bag::Mean => vectors.mean(1),
                Bag::Sum => vectors.sum(1),
                Bag::Max => vectors.max(1),
            };
        };
        let (hidden, count) =
            (kept.not().unsqueeze(-1).expand(vectors.shape()), kept.to(vectors.dtype()).sum(1));
        let sum = |vectors: Tensor| vectors.masked_fill(&hidden, 0.0).sum(1);
        match self.bag {
            Bag::Mean => sum(vectors) / count.maximum(1.0).unsqueeze(-1),
            Bag::Sum => sum(vectors),
            Bag::Max => {
                let most = vectors.masked_fill(&hidden, f64::NEG_INFINITY).max(1);
                let none = count.eq(0.0).unsqueeze(-1).expand(most.shape());
                most.masked_fill(&none, 0.0)
            }
        }
    }

    fn describe(&self) -> String {
        let [count, size] = self.weight.dims();
        format!("EmbeddingBag({count} × {size}, {}{})", self.mode(), self.rows.words())
    }

    fn input_dtype(&self) -> DType {
        DType::I64
    }

    fn entry(&self) -> Option<Entry> {
        let [count, size] = self.weight.dims();
        let entry = Entry::new(KIND.name).with_value(count).with_option("size", size);
        let entry = entry.with_option("mode", self.mode());
        let entry = self.padding.iter().fold(entry, |entry, id| entry.with_option("padding", *id));
        Some(drawn_by(self.rows.said(entry), &self.drawn))
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
        let padding = args.optional::<usize>("padding")?;
        if let Some(id) = padding.filter(|&id| id >= count) {
            return Err(args.error("padding", format!("the padding {id} is not within 0..{count}")));
        }
        let rows = Rows::read(args)?;
        if rows.by_frequency && *bag == Bag::Max {
            let message = "`scale_grad_by_freq` is for means and sums: a maximum has the gradient of one id";
            return Err(args.error("scale_grad_by_freq", message));
        }
        let layer = EmbeddingBag { bag: *bag, padding, rows, ..EmbeddingBag::new(count, size) };
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
    ("padding", "the id that stands for nothing and counts for nothing"),
    ("max_norm", "the length to which rows are brought that are longer when they are used"),
    ("norm_type", "the `p` of the norm that measures the length for `max_norm`"),
    (
        "scale_grad_by_freq",
        "whether the gradient of a row is divided by how often its id stands in the batch",
    ),
    ("init", "how its weights are drawn, instead of the layer's own way"),
])
.example(|| Entry::new("embedding_bag").with_value(5_usize).with_option("size", 2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn padding_counts_for_nothing() {
        let padded = || EmbeddingBag::new(4, 2).padding(1);
        let (bags, short) = (tensor![[0, 1, 3], [1, 1, 1]], tensor![[0, 3]]);
        for table in [padded(), padded().sum(), padded().max()] {
            let y = train(|| table.forward(&bags));
            assert_close!(y.slice(0, ..1), table.forward(&short));
            assert_eq!(y.select(0, 1).to_vec::<f32>(), [0.0, 0.0]);
            let grads = y.sum(..).backward();
            assert_eq!(grads.of(&table.weight).select(0, 1).to_vec::<f32>(), [0.0, 0.0]);
            assert!(grads.of(&table.weight).is_finite());
        }
        let (table, weights) = (padded().sum(), tensor![[0.5, 7.0, 2.0], [1.0, 1.0, 1.0]]);
        let y = table.weighted(&bags, &weights);
        assert_close!(y.slice(0, ..1), table.weighted(&short, &tensor![[0.5, 2.0]]));
        let message = |f: &dyn Fn() -> Tensor| catch(f).unwrap_err().message().to_string();
        assert!(message(&|| padded().weighted(&bags, &weights)).contains("weights are for sums"));
        assert!(message(&|| table.weighted(&short, &weights)).contains("differ in shape"));
        assert!(catch(|| EmbeddingBag::new(4, 2).padding(4)).is_err());
    }

    #[test]
    fn embedding_bag() {
        check_layer(|| EmbeddingBag::new(5, 3)).gives([2, 4], [2, 3]);
        check_layer(|| EmbeddingBag::new(5, 3).sum()).gives([2, 4], [2, 3]);
        let bag = EmbeddingBag::new(5, 3).max();
        let grads = train(|| bag.forward(&tensor![[0, 1], [1, 2]]).sum(..)).backward();
        assert_eq!(grads.of(&bag.weight).sum(..).item(), 6.0);
        let e = catch(|| train(|| bag.scale_grad_by_freq().forward(&tensor![[0, 1]]))).unwrap_err();
        assert!(e.message().contains("a maximum has the gradient of one id"), "{e}");
        let entry = Entry::new("embedding_bag").with_value(5_usize).with_option("size", 2_usize);
        for mode in ["mean", "sum", "max"] {
            let entry = entry.clone().with_option("mode", mode);
            check_entry::<dyn Layer>(&entry, &[4]);
            check_entry::<dyn Layer>(&entry.with_option("padding", 3_usize), &[4]);
        }
    }
}

//! The embedding: a learned vector for each id.

use super::{LayerKind, drawn_by};
use crate::init::{Init, Normal};
use crate::module::{Item, ItemMut, Path, Segment};
use crate::table::Rows;
use crate::{AtLengths, Layer, Module, Param};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{DType, Tensor, fail};

/// The row of a table for each id: `y[.., :] = w[x[..], :]`.
///
/// * Shape: `[..] → [.., size]`; ids are integers in `0..count`.
/// * Parameters: `weight` `[count, size]`, standard normal.
/// * PyTorch: `Embedding`; Keras: `Embedding`; ONNX: `Gather`.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut table = Embedding::new(3, 2);
/// table.weight.set(&tensor![[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])?;
/// assert_close!(table.forward(&tensor![2, 0]), [[4.0, 5.0], [0.0, 1.0]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Embedding {
    /// The table, `[count, size]`.
    pub weight: Param,
    /// The id that stands for nothing.
    padding: Option<usize>,
    /// How its rows are used.
    rows: Rows,
    /// How the weight was drawn, where it was in a way of its own.
    drawn: Option<Box<Entry>>,
}

// By hand, because rows that were used are shortened before anybody may write.
impl Module for Embedding {
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

impl Embedding {
    /// Vectors of `size` for the ids `0..count`.
    pub fn new(count: usize, size: usize) -> Embedding {
        Embedding {
            weight: Param::new(Normal::new(1.0).tensor(&[count, size])),
            padding: None,
            rows: Rows::plain(),
            drawn: None,
        }
    }

    /// The same with its table drawn by another initialiser.
    #[must_use]
    pub fn init(self, init: impl Init) -> Embedding {
        let drawn = init.entry().map(Box::new);
        Embedding { weight: Param::new(init.tensor(self.weight.shape())), drawn, ..self }
    }

    /// The same with zeros for this id, which stands for nothing: its row counts for nothing and is not trained.
    ///
    /// PyTorch: `padding_idx`, whose row begins with zeros; Keras: `mask_zero=True`.
    ///
    /// # Panics
    /// When there is no such id.
    #[track_caller]
    #[must_use]
    pub fn padding(self, id: usize) -> Embedding {
        let count = self.weight.shape()[0];
        if id >= count {
            fail!("embedding", "the padding {id} is not within 0..{count}");
        }
        Embedding { padding: Some(id), ..self }
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
    /// let mut table = Embedding::new(2, 2).max_norm(1.0);
    /// table.weight.set(&tensor![[3.0, 4.0], [0.3, 0.4]])?;
    /// let y = table.forward(&tensor![0, 1]);
    /// assert!((&y - tensor![[0.6, 0.8], [0.3, 0.4]]).abs().max(..).item() < 1e-6);
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn max_norm(mut self, max_norm: f64) -> Embedding {
        self.rows.max_norm = Some(Bounds::ABOVE_0.check("embedding", "max_norm", max_norm));
        self
    }

    /// The same that measures rows for [`max_norm`](Embedding::max_norm) by another `p`-norm than 2.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn norm_type(mut self, p: f64) -> Embedding {
        self.rows.norm_type = Bounds::ABOVE_0.check("embedding", "norm_type", p);
        self
    }

    /// The same where the gradient of each row is divided by how often its id stands in the batch, as in PyTorch.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let table = Embedding::new(2, 1).scale_grad_by_freq();
    /// let grads = train(|| table.forward(&tensor![[1, 1, 1, 0]]).sum(..)).backward();
    /// assert_close!(grads.of(&table.weight), [[1.0], [1.0]]);
    /// ```
    #[must_use]
    pub fn scale_grad_by_freq(mut self) -> Embedding {
        self.rows.by_frequency = true;
        self
    }
}

impl Layer for Embedding {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.rows.of(x, &self.weight);
        match self.padding {
            Some(id) => y * x.ne(id as i64).unsqueeze(-1).to(self.weight.dtype()),
            None => y,
        }
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn describe(&self) -> String {
        let [count, size] = self.weight.dims();
        format!("Embedding({count} × {size}{})", self.rows.words())
    }

    fn input_dtype(&self) -> DType {
        DType::I64
    }

    fn entry(&self) -> Option<Entry> {
        let [count, size] = self.weight.dims();
        let entry = Entry::new(KIND.name).with_value(count).with_option("size", size);
        let entry = self.padding.iter().fold(entry, |entry, id| entry.with_option("padding", *id));
        Some(drawn_by(self.rows.said(entry), &self.drawn))
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("embedding", "A learned vector for each of the given number of ids.", |args, input| {
        let (count, size): (usize, usize) = (args.main()?, args.required("size")?);
        if count == 0 {
            return Err(args.error("", "a table needs at least one row"));
        }
        crate::budget::weight(args, &[count, size])?;
        crate::budget::output(args, &[input.iter().product(), size])?;
        let layer = match args.optional::<usize>("padding")? {
            Some(id) if id >= count => {
                return Err(args.error("padding", format!("the padding {id} is not within 0..{count}")));
            }
            padding => Embedding { padding, rows: Rows::read(args)?, ..Embedding::new(count, size) },
        };
        Ok(Box::new(match super::init_option(args)? {
            Some(init) => layer.init(init),
            None => layer,
        }))
    })
    .options(&[
        ("", "the number of ids"),
        ("size", "the size of a vector"),
        ("padding", "the id that stands for nothing: zeros, which are not trained"),
        ("max_norm", "the length to which rows are brought that are longer when they are used"),
        ("norm_type", "the `p` of the norm that measures the length for `max_norm`"),
        (
            "scale_grad_by_freq",
            "whether the gradient of a row is divided by how often its id stands in the batch",
        ),
        ("init", "how its weights are drawn, instead of the layer's own way"),
    ])
    .example(|| Entry::new("embedding").with_value(5_usize).with_option("size", 2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn embedding() {
        check_layer(|| Embedding::new(5, 3)).gives([2, 4], [2, 4, 3]);
        let table = Embedding::new(4, 2);
        let grads = train(|| table.forward(&tensor![1, 1, 3]).sum(..)).backward();
        assert_close!(grads.of(&table.weight), [[0.0, 0.0], [2.0, 2.0], [0.0, 0.0], [1.0, 1.0]]);
        check_layer(|| Embedding::new(5, 3).padding(2)).gives([2, 4], [2, 4, 3]);
        let table = Embedding::new(4, 2).padding(1);
        let y = train(|| table.forward(&tensor![1, 1, 3]));
        assert_eq!(y.slice(0, ..2).to_vec::<f32>(), [0.0; 4]);
        let grads = y.sum(..).backward();
        assert_close!(grads.of(&table.weight), [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]);
        let entry = Entry::new("embedding").with_value(5_usize).with_option("size", 2_usize);
        check_entry::<dyn Layer>(&entry.clone().with_option("padding", 4_usize), &[4]);
        let e = ModelSpec::new([4], [entry.with_option("padding", 5_usize)]).build().err().unwrap();
        assert!(e.message().contains("the padding 5 is not within 0..5"), "{e}");
    }

    #[test]
    fn rows_that_are_too_long_are_shortened_in_the_table_by_the_next_step() {
        let rows = tensor![[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]];
        let fresh = || {
            let mut table = Embedding::new(3, 2).max_norm(1.0);
            table.weight.set(&rows).unwrap();
            table
        };
        let near = |a: Tensor, b: Tensor| assert!((a - b).abs().max(..).item() < 1e-6);
        let mut table = fresh();
        let _ = table.forward(&tensor![0, 1]);
        table.convert(DType::F32);
        assert_close!(*table.weight, rows.clone());
        let grads = train(|| table.forward(&tensor![0, 1, 0]).sum(..)).backward();
        assert_close!(grads.of(&table.weight), [[2.0, 2.0], [1.0, 1.0], [0.0, 0.0]]);
        let mut copy = table.clone();
        Sgd::new(0.1).step(&mut table, grads);
        near(table.weight.detach(), tensor![[0.4, 0.6], [0.2, 0.3], [6.0, 8.0]]);
        // A copy knows what is to be written, and so does a frozen table.
        copy.convert(DType::F64);
        near(copy.weight.to(DType::F32), tensor![[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]]);
        let mut frozen = fresh();
        frozen.freeze("weight").unwrap();
        let _ = train(|| frozen.forward(&tensor![2]));
        frozen.convert(DType::F32);
        near(frozen.weight.detach(), tensor![[3.0, 4.0], [0.3, 0.4], [0.6, 0.8]]);
        // Of half precision, whose squares leave their range.
        let mut half = fresh();
        half.weight.set(&(rows * 100.0)).unwrap();
        half.convert(DType::F16);
        near(half.forward(&tensor![2]).to(DType::F32) * 1e-3, tensor![[6e-4, 8e-4]]);
        let entry = |norm: bool| {
            let entry = Entry::new("embedding").with_value(5_usize).with_option("size", 2_usize);
            if norm { entry.with_option("max_norm", 2.0) } else { entry }.with_option("norm_type", 1.5)
        };
        check_entry::<dyn Layer>(&entry(true).with_option("scale_grad_by_freq", true), &[4]);
        let e = ModelSpec::new([4], [entry(false)]).build().err().unwrap();
        assert!(e.to_string().contains("add `max_norm = 1.0`"), "{e}");
    }
}

//! The embedding: a learned vector for each id.

use super::{LayerKind, drawn_by};
use crate::init::{Init, Normal};
use crate::{Layer, Module, Param};
use mapsto_spec::Entry;
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
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Embedding {
    /// The table, `[count, size]`.
    pub weight: Param,
    /// The id that stands for nothing.
    #[module(skip)]
    padding: Option<usize>,
    /// How the weight was drawn, where it was in a way of its own.
    #[module(skip)]
    drawn: Option<Box<Entry>>,
}

impl Embedding {
    /// Vectors of `size` for the ids `0..count`.
    pub fn new(count: usize, size: usize) -> Embedding {
        Embedding { weight: Param::new(Normal::new(1.0).tensor(&[count, size])), padding: None, drawn: None }
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
}

impl Layer for Embedding {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = x.embedding(&self.weight);
        match self.padding {
            Some(id) => y * x.ne(id as i64).unsqueeze(-1).to(self.weight.dtype()),
            None => y,
        }
    }

    fn describe(&self) -> String {
        let [count, size] = self.weight.dims();
        format!("Embedding({count} × {size})")
    }

    fn input_dtype(&self) -> DType {
        DType::I64
    }

    fn entry(&self) -> Option<Entry> {
        let [count, size] = self.weight.dims();
        let entry = Entry::new(KIND.name).with_value(count).with_option("size", size);
        let entry = self.padding.iter().fold(entry, |entry, id| entry.with_option("padding", *id));
        Some(drawn_by(entry, &self.drawn))
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
            padding => Embedding { padding, ..Embedding::new(count, size) },
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
}

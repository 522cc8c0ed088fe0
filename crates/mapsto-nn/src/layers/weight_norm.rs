//! Weight norm: a layer's weight as a length and a direction, each of which learns by itself.

use super::LayerKind;
use crate::{Layer, Module, Param, Weighted, budget};
use mapsto_spec::{Args, Entry};
use mapsto_tensor::{DType, Result, Tensor, fail, keep};
use std::borrow::Cow;

/// A layer with the weight `w = g · v / ‖v‖`, the norm taken of each output's weights: `g` learns how long they are and `v` where they
/// point. Before training that is the weight that the layer was made with.
///
/// * Shape: as the layer.
/// * Parameters: those of the layer under `layer`, where `layer.weight` is `v`; `g`, of size 1 along every axis of the weight but one,
///   the norms of the first weights.
/// * PyTorch: `torch.nn.utils.parametrizations.weight_norm(layer, dim=0)`, whose `original0` is `g` and whose `original1` is `v`.
///
/// Source: Salimans, Kingma (2016), Weight normalization, arXiv:1602.07868, equation 2.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = Linear::new(2, 1).no_bias().init(mapsto_nn::init::Ones);
/// let mut normed = WeightNorm::new(layer);
/// normed.g.set(&tensor![[10.0]])?;
/// normed.layer.weight.set(&tensor![[3.0, 4.0]])?;
/// assert_close!(normed.forward(&tensor![[1.0, 1.0]]), [[14.0]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct WeightNorm<L> {
    /// The layer, whose weight is the direction `v`.
    pub layer: L,
    /// The length.
    pub g: Param,
    #[module(skip)]
    dim: usize,
}

impl<L: Layer> WeightNorm<L> {
    /// The layer with the norm of each part of its weight along the first axis as a parameter of its own.
    ///
    /// # Panics
    /// When the layer is none of one weight.
    #[track_caller]
    pub fn new(layer: L) -> WeightNorm<L> {
        let g = Param::new(lengths(&weighted("weight_norm", &layer).weight().detach(), 0));
        WeightNorm { layer, g, dim: 0 }
    }

    /// The same with the norms of the parts along another axis of the weight.
    ///
    /// # Panics
    /// When the weight has no such axis.
    #[track_caller]
    #[must_use]
    pub fn dim(self, dim: usize) -> WeightNorm<L> {
        let weight = weighted("weight_norm", &self.layer).weight().detach();
        if dim >= weight.rank() {
            fail!("weight_norm", "the weight {:?} has no axis {dim}", weight.shape());
        }
        WeightNorm { g: Param::new(lengths(&weight, dim)), dim, layer: self.layer }
    }

    /// The weight that the layer works with.
    pub fn weight(&self) -> Tensor {
        let v: &Tensor = weighted("weight_norm", &self.layer).weight();
        v * (&*self.g / lengths(v, self.dim))
    }
}

/// The norms of the parts of a weight along an axis, which keep their places.
fn lengths(v: &Tensor, dim: usize) -> Tensor {
    let others: Vec<usize> = (0..v.rank()).filter(|&axis| axis != dim).collect();
    v.norm(2.0, keep(&others[..]))
}

/// What a wrapper of a weight needs of a layer.
#[track_caller]
pub(super) fn weighted<'a>(op: &str, layer: &'a dyn Layer) -> &'a dyn Weighted {
    layer.weighted().unwrap_or_else(|| {
        fail!(op, "`{}` is no layer of one weight", layer.describe(); help = "wrap a `Linear` or a convolution, or implement `Layer::weighted`")
    })
}

/// The layer of an entry that wraps one, which must have one weight.
pub(super) fn read_weighted(args: &mut Args, input: &[usize]) -> Result<Box<dyn Layer>> {
    let entry: Entry = args.main()?;
    let name = entry.name.clone();
    let (layer, rendered) = budget::nested(|| {
        budget::layer()?;
        mapsto_spec::filled::<dyn Layer>(&entry, input)
    })?;
    if layer.weighted().is_none() {
        let e = args.misfit("", format!("`{name}` is no layer of one weight"));
        return Err(e.help("it wraps `linear` or a convolution"));
    }
    args.record_main(rendered);
    Ok(layer)
}

impl<L: Layer + 'static> Layer for WeightNorm<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        weighted("weight_norm", &self.layer).forward_by(x, &self.weight())
    }

    fn name(&self) -> Cow<'static, str> {
        "WeightNorm".into()
    }

    fn describe(&self) -> String {
        let dim = if self.dim == 0 { String::new() } else { format!(", dim {}", self.dim) };
        format!("WeightNorm({}{dim})", self.layer.describe())
    }

    fn input_dtype(&self) -> DType {
        self.layer.input_dtype()
    }

    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        let layer = self.layer.clone_layer()?;
        Some(Box::new(WeightNorm { layer, g: self.g.clone(), dim: self.dim }))
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.layer.entry()?).with_option("dim", self.dim))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "weight_norm",
    "The given layer with its weight as a length and a direction, each of which learns.",
    |args, input| {
        let layer = read_weighted(args, input)?;
        let dim: usize = args.get_or("dim", 0)?;
        let weight = layer.weighted().map(|w| w.weight().shape().to_vec()).unwrap_or_default();
        let Some(&parts) = weight.get(dim) else {
            return Err(args.misfit("dim", format!("the weight {weight:?} has no axis {dim}")));
        };
        budget::weight(args, &[parts])?;
        Ok(Box::new(WeightNorm::new(layer).dim(dim)))
    },
)
.options(&[("", "the layer"), ("dim", "the axis of the weight whose parts have a length each")])
.example(|| Entry::new("weight_norm").with_value(Entry::new("linear").with_value(2_usize)));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn weight_norm() {
        check_layer(|| WeightNorm::new(Linear::new(3, 2))).gives([4, 3], [4, 2]);
        check_layer(|| WeightNorm::new(Conv2d::new(2, 2, [2, 3]).padding(1)).dim(1))
            .gives([1, 2, 3, 3], [1, 2, 4, 3]);
        check_layer(|| WeightNorm::new(ConvTranspose1d::new(2, 2, 2).no_bias())).gives([1, 2, 3], [1, 2, 4]);
    }

    #[test]
    fn it_begins_as_the_layer_itself() {
        let layer = Conv1d::new(3, 4, 2);
        let normed = WeightNorm::new(layer.clone());
        assert_eq!(normed.g.shape(), [4, 1, 1]);
        assert_eq!(normed.describe(), "WeightNorm(Conv1d(3 → 4, 2))");
        let x = Tensor::randn([2, 3, 5]);
        assert_close!(normed.forward(&x), layer.forward(&x));
        let e = catch(|| WeightNorm::new(Flatten::new())).unwrap_err();
        assert_eq!(e.message(), "weight_norm: `Flatten` is no layer of one weight");
        let e = catch(|| WeightNorm::new(Linear::new(2, 2)).dim(2)).unwrap_err();
        assert_eq!(e.message(), "weight_norm: the weight [2, 2] has no axis 2");
    }

    #[test]
    fn a_file_names_it_around_a_layer() {
        let conv = Entry::new("conv2d").with_value(3_usize).with_option("kernel", 2_usize);
        check_entry::<dyn Layer>(
            &Entry::new("weight_norm").with_value(conv).with_option("dim", 1_usize),
            &[2, 6, 6],
        );
        let error = |e: Entry| ModelSpec::new([4], [e]).build().err().unwrap().to_string();
        assert!(
            error(Entry::new("weight_norm").with_value("relu")).contains("`relu` is no layer of one weight")
        );
        let linear = Entry::new("linear").with_value(2_usize);
        let wrong = Entry::new("weight_norm").with_value(linear).with_option("dim", 2_usize);
        assert!(error(wrong).contains("the weight [2, 4] has no axis 2"));
    }
}

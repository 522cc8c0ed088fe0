//! Layer normalisation: each sample is brought to mean 0 and variance 1 over its own features.

use super::LayerKind;
use crate::norms::{affine_of, affine_said, last_axes, shown, sizes};
use crate::{AtLengths, Layer, Module, Param};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Shape, Tensor};

/// `y = (x − mean) / √(var + eps) · w + b`, mean and variance taken over the last axis of each sample, or over the last axes.
///
/// * Shape: `[.., size] → [.., size]`; `size` may be several numbers.
/// * Parameters: `weight` `[size]`, ones; `bias` `[size]`, zeros; none after [`no_affine`](LayerNorm::no_affine).
/// * PyTorch: `LayerNorm`; Keras: `LayerNormalization`; ONNX: `LayerNormalization`.
///
/// Source: Ba, Kiros, Hinton (2016), Layer normalization, arXiv:1607.06450.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = LayerNorm::new(2).forward(&tensor![[1.0, 3.0], [0.0, 10.0]]);
/// assert_close!(y, [[-1.0, 1.0], [-1.0, 1.0]]);
/// let y = LayerNorm::new([2, 1]).forward(&tensor![[[1.0], [3.0]]]);
/// assert_close!(y, [[[-1.0], [1.0]]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct LayerNorm {
    /// The scale, `[size]`.
    pub weight: Option<Param>,
    /// The shift, `[size]`.
    pub bias: Option<Param>,
    #[module(skip)]
    size: Shape,
    eps: f64,
}

impl LayerNorm {
    /// Normalises a last axis of this size, or last axes of these sizes, which PyTorch calls `normalized_shape`; eps is 10⁻⁵.
    ///
    /// # Panics
    /// When there is no axis.
    #[track_caller]
    pub fn new(size: impl Into<Shape>) -> LayerNorm {
        let size = sizes("layer_norm", size.into());
        LayerNorm {
            weight: Some(Param::new(Tensor::ones(&size[..]))),
            bias: Some(Param::new(Tensor::zeros(&size[..]))),
            size,
            eps: 1e-5,
        }
    }

    /// How many numbers are normalised together.
    pub fn size(&self) -> usize {
        self.size.iter().product()
    }

    /// The same without scale and shift. In files `affine = false`; PyTorch: `elementwise_affine=False`.
    #[must_use]
    pub fn no_affine(self) -> LayerNorm {
        LayerNorm { weight: None, bias: None, ..self }
    }

    /// The same without a shift.
    #[must_use]
    pub fn no_bias(self) -> LayerNorm {
        LayerNorm { bias: None, ..self }
    }

    /// The same with another number added to the variance.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(self, eps: f64) -> LayerNorm {
        LayerNorm { eps: Bounds::ABOVE_0.check("layer_norm", "eps", eps), ..self }
    }
}

impl Layer for LayerNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        match &self.weight {
            Some(weight) => x.layer_norm(weight, self.bias.as_deref(), self.eps),
            None => {
                let ones = x.device().scope(|| Tensor::full_of(&self.size[..], 1.0, x.dtype()));
                x.layer_norm(&ones, None, self.eps)
            }
        }
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        if self.size.len() == 1 { AtLengths::each(self, x) } else { Err(self.describe()) }
    }

    fn describe(&self) -> String {
        let affine = match (&self.weight, &self.bias) {
            (None, _) => ", no affine",
            (_, None) => ", no bias",
            _ => "",
        };
        format!("LayerNorm({}{affine})", shown(&self.size))
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_option("eps", self.eps).with_option("axes", self.size.len());
        Some(affine_said(entry, &self.weight, &self.bias))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "layer_norm",
    "Brings each sample to mean 0 and variance 1 over its last axis or axes.",
    |args, input| {
        let eps = Bounds::ABOVE_0.option(args, "eps", 1e-5)?;
        let size = last_axes(args, input)?;
        let [affine, bias] = affine_of(args, true)?;
        if affine {
            crate::budget::weight(args, &[&[1 + usize::from(bias)], size].concat())?;
        }
        let layer = LayerNorm::new(size).eps(eps);
        Ok(Box::new(match (affine, bias) {
            (false, _) => layer.no_affine(),
            (_, false) => layer.no_bias(),
            _ => layer,
        }))
    },
)
.options(&[
    ("eps", "what is added to a variance or a size before it is divided by"),
    ("axes", "how many last axes are normalised together"),
    ("affine", "whether it has a scale and a bias"),
    ("bias", "whether it has a bias"),
]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn layer_norm() {
        check_layer(|| LayerNorm::new(5)).gives([3, 5], [3, 5]);
        check_layer(|| LayerNorm::new(5).no_bias()).gives([3, 5], [3, 5]);
        check_layer(|| LayerNorm::new(4).eps(1e-3)).gives([2, 3, 4], [2, 3, 4]);
        check_layer(|| LayerNorm::new([3, 4])).gives([2, 3, 4], [2, 3, 4]);
        check_layer(|| LayerNorm::new([2, 1, 4]).no_affine()).gives([2, 2, 1, 4], [2, 2, 1, 4]);
        let e = catch(|| LayerNorm::new(())).unwrap_err();
        assert_eq!(e.message(), "layer_norm: at least one axis must be normalised, and there is none");
        for entry in ["layer_norm", "rms_norm"] {
            let entry = Entry::new(entry).with_option("axes", 2_usize);
            check_entry::<dyn Layer>(&entry, &[2, 3, 4]);
            check_entry::<dyn Layer>(&entry.clone().with_option("affine", false), &[3, 4]);
            let e = ModelSpec::new([4], [entry]).build().err().unwrap();
            assert!(e.message().contains("2 axes are to be normalised, and the input is [4]"), "{e}");
        }
    }
}

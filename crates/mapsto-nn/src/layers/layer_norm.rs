//! Layer normalisation: each sample is brought to mean 0 and variance 1 over its own features.

use super::{LayerKind, features};
use crate::{Layer, Module, Param};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// `y = (x − mean) / √(var + eps) · w + b`, mean and variance taken over the last axis of each sample.
///
/// * Shape: `[.., size] → [.., size]`.
/// * Parameters: `weight` `[size]`, ones; `bias` `[size]`, zeros.
/// * PyTorch: `LayerNorm`; Keras: `LayerNormalization`; ONNX: `LayerNormalization`.
///
/// Source: Ba, Kiros, Hinton (2016), Layer normalization, arXiv:1607.06450.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = LayerNorm::new(2).forward(&tensor![[1.0, 3.0], [0.0, 10.0]]);
/// assert_close!(y, [[-1.0, 1.0], [-1.0, 1.0]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct LayerNorm {
    /// The scale, `[size]`.
    pub weight: Param,
    /// The shift, `[size]`.
    pub bias: Option<Param>,
    eps: f64,
}

impl LayerNorm {
    /// Normalises a last axis of this size; eps is 10⁻⁵.
    pub fn new(size: usize) -> LayerNorm {
        LayerNorm {
            weight: Param::new(Tensor::ones([size])),
            bias: Some(Param::new(Tensor::zeros([size]))),
            eps: 1e-5,
        }
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
        x.layer_norm(&self.weight, self.bias.as_deref(), self.eps)
    }

    fn describe(&self) -> String {
        let bias = if self.bias.is_some() { "" } else { ", no bias" };
        format!("LayerNorm({}{bias})", self.weight.len())
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_option("eps", self.eps).with_option("bias", self.bias.is_some()))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "layer_norm",
    "Brings each sample to mean 0 and variance 1 over its last axis.",
    |args, input| {
        let eps = Bounds::ABOVE_0.option(args, "eps", 1e-5)?;
        let (features, bias) = (features(args, input)?, args.get_or("bias", true)?);
        crate::budget::weight(args, &[1 + usize::from(bias), features])?;
        let layer = LayerNorm::new(features).eps(eps);
        Ok(Box::new(if bias { layer } else { layer.no_bias() }))
    },
)
.options(&[
    ("eps", "what is added to a variance or a size before it is divided by"),
    ("bias", "whether it has a bias"),
]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn layer_norm() {
        check_layer(|| LayerNorm::new(5)).gives([3, 5], [3, 5]);
        check_layer(|| LayerNorm::new(5).no_bias()).gives([3, 5], [3, 5]);
        check_layer(|| LayerNorm::new(4).eps(1e-3)).gives([2, 3, 4], [2, 3, 4]);
    }
}

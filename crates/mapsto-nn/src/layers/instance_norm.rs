//! Instance normalisation: each channel of each sample is brought to mean 0 and variance 1 over its places.

use super::group_norm::{by_channel, normalised};
use super::{LayerKind, channels};
use crate::{Layer, Module, Param, budget};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail};

/// `y = (x − mean) / √(var + eps) · w + b`, mean and variance taken over the places of each channel of each sample; without scale and shift
/// unless it is [`affine`](InstanceNorm::affine).
///
/// * Shape: `[n, channels, ..] → [n, channels, ..]`, of at least two places.
/// * Parameters: none, or `weight` `[channels]`, ones, and `bias` `[channels]`, zeros.
/// * PyTorch: `InstanceNorm1d`, `InstanceNorm2d` and `InstanceNorm3d`, without running statistics; Keras:
///   `GroupNormalization(groups=-1)`; ONNX: `InstanceNormalization`.
///
/// Source: Ulyanov, Vedaldi, Lempitsky (2016), Instance normalization, arXiv:1607.08022.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = InstanceNorm::new(2).forward(&tensor![[[1.0, 3.0], [0.0, 10.0]]]);
/// assert_close!(y, [[[-1.0, 1.0], [-1.0, 1.0]]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct InstanceNorm {
    /// The scale, `[channels]`.
    pub weight: Option<Param>,
    /// The shift, `[channels]`.
    pub bias: Option<Param>,
    #[module(skip)]
    channels: usize,
    eps: f64,
}

impl InstanceNorm {
    /// Normalises this many channels; eps is 10⁻⁵.
    pub fn new(channels: usize) -> InstanceNorm {
        InstanceNorm { weight: None, bias: None, channels, eps: 1e-5 }
    }

    /// The same with a scale and a shift of each channel.
    #[must_use]
    pub fn affine(self) -> InstanceNorm {
        let (weight, bias) = (Tensor::ones([self.channels]), Tensor::zeros([self.channels]));
        InstanceNorm { weight: Some(Param::new(weight)), bias: Some(Param::new(bias)), ..self }
    }

    /// The same with another number added to the variance.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(self, eps: f64) -> InstanceNorm {
        InstanceNorm { eps: Bounds::ABOVE_0.check("instance_norm", "eps", eps), ..self }
    }
}

impl Layer for InstanceNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = normalised("instance_norm", x, self.channels, self.channels.max(1), self.eps);
        if !x.is_empty() && x.shape()[2..].iter().product::<usize>() < 2 {
            fail!("instance_norm", "one place a channel has no variance: {:?}", x.shape());
        }
        let y = self.weight.as_ref().map_or(y.clone(), |w| y * by_channel(w, x));
        self.bias.as_ref().map_or(y.clone(), |b| y + by_channel(b, x))
    }

    fn describe(&self) -> String {
        format!("InstanceNorm({}{})", self.channels, if self.weight.is_some() { ", affine" } else { "" })
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_option("affine", self.weight.is_some());
        Some(entry.with_option("eps", self.eps))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "instance_norm",
    "Brings each channel of each sample to mean 0 and variance 1 over its places.",
    |args, input| {
        let affine = args.get_or("affine", false)?;
        let eps = Bounds::ABOVE_0.option(args, "eps", 1e-5)?;
        let channels = channels(args, input)?;
        if input[1..].iter().product::<usize>() < 2 {
            let message = format!("one place a channel has no variance: the input is {input:?}");
            return Err(args.misfit("", message));
        }
        if affine {
            budget::weight(args, &[2, channels])?;
        }
        let layer = InstanceNorm::new(channels).eps(eps);
        Ok(Box::new(if affine { layer.affine() } else { layer }))
    },
)
.options(&[
    ("affine", "whether each channel has a scale and a shift"),
    ("eps", "what is added to a variance or a size before it is divided by"),
]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn instance_norm() {
        check_layer(|| InstanceNorm::new(3)).gives([2, 3, 4], [2, 3, 4]);
        check_layer(|| InstanceNorm::new(2).affine().eps(1e-3)).gives([2, 2, 3, 2], [2, 2, 3, 2]);
        let e = catch(|| InstanceNorm::new(2).forward(&Tensor::ones([2, 2, 1]))).unwrap_err();
        assert_eq!(e.message(), "instance_norm: one place a channel has no variance: [2, 2, 1]");
    }
}

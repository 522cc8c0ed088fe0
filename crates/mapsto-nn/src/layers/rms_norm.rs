//! Root-mean-square normalisation: each sample is brought to a mean square of 1, its mean left as it is.

use super::{LayerKind, features};
use crate::{Layer, Module, Param};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::autocast::full;
use mapsto_tensor::{DType, Tensor, fail, keep};

/// `y = x / √(mean x² + eps) · w`, the mean taken over the last axis of each sample.
///
/// * Shape: `[.., size] → [.., size]`.
/// * Parameters: `weight` `[size]`, ones.
/// * PyTorch: `RMSNorm(size, eps=1e-6)`; Keras: `RMSNormalization`; ONNX: `RMSNormalization`.
///
/// Source: Zhang, Sennrich (2019), Root mean square layer normalization, arXiv:1910.07467, equation 4.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = RmsNorm::new(2).forward(&tensor![[1.0, 7.0], [-3.0, 3.0]]);
/// assert_close!(y, [[0.2, 1.4], [-1.0, 1.0]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct RmsNorm {
    /// The scale, `[size]`.
    pub weight: Param,
    eps: f64,
}

impl RmsNorm {
    /// Normalises a last axis of this size; eps is 10⁻⁶.
    pub fn new(size: usize) -> RmsNorm {
        RmsNorm { weight: Param::new(Tensor::ones([size])), eps: 1e-6 }
    }

    /// The same with another number added to the mean square.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(self, eps: f64) -> RmsNorm {
        RmsNorm { eps: Bounds::ABOVE_0.check("rms_norm", "eps", eps), ..self }
    }
}

impl Layer for RmsNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let size = self.weight.len();
        if x.shape().last() != Some(&size) {
            fail!("rms_norm", "[.., {size}] was expected, found {:?}", x.shape());
        }
        if let Some([Some(x)]) = full([Some(x)]) {
            return self.forward(&x);
        }
        // Of 16 bits in f32: squares leave their range before the numbers do.
        let wide = if half(x) { x.to(DType::F32) } else { x.clone() };
        let y = &wide / (wide.square().mean(keep(-1)) + self.eps).sqrt();
        y.to(x.dtype()) * &*self.weight
    }

    fn describe(&self) -> String {
        format!("RmsNorm({})", self.weight.len())
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_option("eps", self.eps))
    }
}

fn half(x: &Tensor) -> bool {
    matches!(x.dtype(), DType::F16 | DType::BF16)
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "rms_norm",
    "Brings each sample to a mean square of 1 over its last axis.",
    |args, input| {
        let eps = Bounds::ABOVE_0.option(args, "eps", 1e-6)?;
        let features = features(args, input)?;
        crate::budget::weight(args, &[features])?;
        Ok(Box::new(RmsNorm::new(features).eps(eps)))
    },
)
.options(&[("eps", "what is added to a variance or a size before it is divided by")]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn rms_norm() {
        check_layer(|| RmsNorm::new(5)).gives([3, 5], [3, 5]);
        check_layer(|| RmsNorm::new(4).eps(1e-3)).gives([2, 3, 4], [2, 3, 4]);
        let e = catch(|| RmsNorm::new(4).forward(&Tensor::ones([2, 3]))).unwrap_err();
        assert_eq!(e.message(), "rms_norm: [.., 4] was expected, found [2, 3]");
        let mut norm = RmsNorm::new(2);
        norm.convert(DType::F16);
        let y = norm.forward(&tensor![[3e4, 3e4]].to(DType::F16));
        assert_eq!(y.to_vec::<f32>(), [1.0, 1.0]);
    }
}

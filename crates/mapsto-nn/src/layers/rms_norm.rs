//! Root-mean-square normalisation: each sample is brought to a mean square of 1, its mean left as it is.

use super::LayerKind;
use crate::norms::{last_axes, shown, sizes};
use crate::{AtLengths, Layer, Module, Param};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::autocast::full;
use mapsto_tensor::{DType, Shape, Tensor, fail, keep};

/// `y = x / √(mean x² + eps) · w`, the mean taken over the last axis of each sample, or over the last axes.
///
/// * Shape: `[.., size] → [.., size]`; `size` may be several numbers.
/// * Parameters: `weight` `[size]`, ones; none after [`no_affine`](RmsNorm::no_affine).
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
    pub weight: Option<Param>,
    #[module(skip)]
    size: Shape,
    eps: f64,
}

impl RmsNorm {
    /// Normalises a last axis of this size, or last axes of these sizes, which PyTorch calls `normalized_shape`; eps is 10⁻⁶.
    ///
    /// # Panics
    /// When there is no axis.
    #[track_caller]
    pub fn new(size: impl Into<Shape>) -> RmsNorm {
        let size = sizes("rms_norm", size.into());
        RmsNorm { weight: Some(Param::new(Tensor::ones(&size[..]))), size, eps: 1e-6 }
    }

    /// The same without a scale. In files `affine = false`; PyTorch: `elementwise_affine=False`.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let norm = RmsNorm::new([2, 1]).no_affine();
    /// assert_close!(norm.forward(&tensor![[[1.0], [7.0]]]), [[[0.2], [1.4]]]);
    /// ```
    #[must_use]
    pub fn no_affine(self) -> RmsNorm {
        RmsNorm { weight: None, ..self }
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
        if !x.shape().ends_with(&self.size) {
            let size: Vec<String> = self.size.iter().map(usize::to_string).collect();
            fail!("rms_norm", "[.., {}] was expected, found {:?}", size.join(", "), x.shape());
        }
        if let Some([Some(x)]) = full([Some(x)]) {
            return self.forward(&x);
        }
        // Of 16 bits in f32: squares leave their range before the numbers do.
        let wide = if half(x) { x.to(DType::F32) } else { x.clone() };
        let axes: Vec<usize> = (x.rank() - self.size.len()..x.rank()).collect();
        let y = &wide / (wide.square().mean(keep(&axes[..])) + self.eps).sqrt();
        let y = y.to(x.dtype());
        self.weight.as_ref().map_or(y.clone(), |w| y * &**w)
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        if self.size.len() == 1 { AtLengths::each(self, x) } else { Err(self.describe()) }
    }

    fn describe(&self) -> String {
        let affine = if self.weight.is_some() { "" } else { ", no affine" };
        format!("RmsNorm({}{affine})", shown(&self.size))
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_option("eps", self.eps).with_option("axes", self.size.len());
        Some(entry.with_option("affine", self.weight.is_some()))
    }
}

fn half(x: &Tensor) -> bool {
    matches!(x.dtype(), DType::F16 | DType::BF16)
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "rms_norm",
    "Brings each sample to a mean square of 1 over its last axis or axes.",
    |args, input| {
        let eps = Bounds::ABOVE_0.option(args, "eps", 1e-6)?;
        let (size, affine) = (last_axes(args, input)?, args.get_or("affine", true)?);
        if affine {
            crate::budget::weight(args, size)?;
        }
        let layer = RmsNorm::new(size).eps(eps);
        Ok(Box::new(if affine { layer } else { layer.no_affine() }))
    },
)
.options(&[
    ("eps", "what is added to a variance or a size before it is divided by"),
    ("axes", "how many last axes are normalised together"),
    ("affine", "whether it has a scale"),
]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn rms_norm() {
        check_layer(|| RmsNorm::new(5)).gives([3, 5], [3, 5]);
        check_layer(|| RmsNorm::new(4).eps(1e-3)).gives([2, 3, 4], [2, 3, 4]);
        check_layer(|| RmsNorm::new([3, 4])).gives([2, 3, 4], [2, 3, 4]);
        check_layer(|| RmsNorm::new(4).no_affine()).gives([2, 4], [2, 4]);
        let e = catch(|| RmsNorm::new([2, 4]).forward(&Tensor::ones([3, 4]))).unwrap_err();
        assert_eq!(e.message(), "rms_norm: [.., 2, 4] was expected, found [3, 4]");
        let e = catch(|| RmsNorm::new(4).forward(&Tensor::ones([2, 3]))).unwrap_err();
        assert_eq!(e.message(), "rms_norm: [.., 4] was expected, found [2, 3]");
        let mut norm = RmsNorm::new(2);
        norm.convert(DType::F16);
        let y = norm.forward(&tensor![[3e4, 3e4]].to(DType::F16));
        assert_eq!(y.to_vec::<f32>(), [1.0, 1.0]);
    }
}

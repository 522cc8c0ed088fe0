//! Sinusoidal positions: waves of many lengths tell each step where it stands, without anything to learn.

use super::LayerKind;
use crate::{AtLengths, Layer, Module};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{DType, Tensor, fail};

/// `y[.., p, 2i] = x + sin(p / base^(2i/d))`, `y[.., p, 2i + 1] = x + cos(p / base^(2i/d))` for features of size `d`.
///
/// * Shape: `[.., t, d] → [.., t, d]`, for sequences of any length.
/// * Keras: `keras_hub.layers.SinePositionEncoding`, which is what is added; PyTorch has it in a tutorial.
///
/// Source: Vaswani et al. (2017), Attention is all you need, arXiv:1706.03762, §3.5.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = SinusoidalEmbedding::new().forward(&Tensor::zeros([2, 4]));
/// assert_close!(y, [[0.0, 1.0, 0.0, 1.0], [1f64.sin(), 1f64.cos(), 0.01f64.sin(), 0.01f64.cos()]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
#[module(crate = crate)]
pub struct SinusoidalEmbedding {
    base: f64,
}

impl Default for SinusoidalEmbedding {
    fn default() -> SinusoidalEmbedding {
        SinusoidalEmbedding::new()
    }
}

impl SinusoidalEmbedding {
    /// With the base 10,000.
    pub fn new() -> SinusoidalEmbedding {
        SinusoidalEmbedding { base: 10_000.0 }
    }

    /// The same with another base, the length of the longest wave in turns of 2π.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn base(self, base: f64) -> SinusoidalEmbedding {
        SinusoidalEmbedding { base: Bounds::ABOVE_0.check("sinusoidal_embedding", "base", base) }
    }

    /// What is added to steps of size `d` the first of which stands at the place `from`: `[t, d]`, in f64.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// assert_close!(SinusoidalEmbedding::new().waves(3, 1, 2), [[3f64.sin(), 3f64.cos()]]);
    /// ```
    pub fn waves(&self, from: usize, t: usize, d: usize) -> Tensor {
        let pairs = d.div_ceil(2);
        let places = Tensor::arange(from as i64..(from + t) as i64).to(DType::F64).unsqueeze(1);
        let lengths = (Tensor::arange(0..pairs as i64).to(DType::F64)
            * (-2.0 / d.max(1) as f64 * self.base.ln()))
        .exp();
        let angles = places * lengths; // [t, pairs]
        let waves = Tensor::stack(&[angles.sin(), angles.cos()], -1).reshape([t, 2 * pairs]);
        waves.slice(1, ..d as isize)
    }
}

impl Layer for SinusoidalEmbedding {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let &[.., t, d] = x.shape() else {
            fail!("sinusoidal_embedding", "steps [.., t, d] were expected, found {:?}", x.shape());
        };
        x + x.device().scope(|| self.waves(0, t, d)).to(x.dtype())
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_option("base", self.base))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "sinusoidal_embedding",
    "Adds waves of many lengths to each step, telling where it stands.",
    |args, input| {
        let base = Bounds::ABOVE_0.option(args, "base", 10_000.0)?;
        super::steps(args, input)?;
        Ok(Box::new(SinusoidalEmbedding { base }))
    },
)
.options(&[("base", "the length of the longest wave in turns of 2π")]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn sinusoidal_embedding() {
        check_layer(SinusoidalEmbedding::new).gives([2, 3, 4], [2, 3, 4]);
        check_layer(|| SinusoidalEmbedding::new().base(100.0)).gives([3, 5], [3, 5]);
        let e = catch(|| SinusoidalEmbedding::new().forward(&Tensor::ones([3]))).unwrap_err();
        assert_eq!(e.message(), "sinusoidal_embedding: steps [.., t, d] were expected, found [3]");
    }
}

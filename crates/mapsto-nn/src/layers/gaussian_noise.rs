//! Noise on inputs while training, so that no single digit of them is relied upon.

use super::LayerKind;
use crate::{AtLengths, Layer, Module};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::random::{self, Distribution, Stream};
use mapsto_tensor::{Tensor, is_training};

/// In training, adds to each element a normal number of standard deviation `std`; otherwise the identity.
///
/// * Shape: `[..] → [..]`.
/// * PyTorch has none; Keras: `GaussianNoise`.
///
/// Source: Bishop (1995), Training with noise is equivalent to Tikhonov regularization.
/// ```
/// use mapsto_nn::prelude::*;
/// let (noise, x) = (GaussianNoise::new(0.5), Tensor::zeros([100, 100]));
/// assert_eq!(noise.forward(&x).abs().max(..).item(), 0.0);
/// assert!((train(|| noise.forward(&x)).std(..).item() - 0.5).abs() < 0.02);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct GaussianNoise {
    std: f64,
}

impl GaussianNoise {
    /// Of this standard deviation.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    pub fn new(std: f64) -> GaussianNoise {
        GaussianNoise { std: Bounds::AT_LEAST_0.check("gaussian_noise", "std", std) }
    }
}

impl Layer for GaussianNoise {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if !is_training() || self.std == 0.0 {
            return x.clone();
        }
        // Of the stream that dropout draws from: both belong to a training step.
        let draw = random::next(Stream::Dropout);
        let normal = Distribution::Normal(0.0, self.std);
        x + x.device().scope(|| Tensor::random(draw, normal, x.shape(), x.dtype()))
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn describe(&self) -> String {
        format!("GaussianNoise({})", self.std)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.std))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "gaussian_noise",
    "Adds normal numbers of the given standard deviation while training.",
    |args, _| Ok(Box::new(GaussianNoise::new(Bounds::AT_LEAST_0.main(args, "std", 0.1)?))),
)
.options(&[("", "the standard deviation of the noise")]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn gaussian_noise() {
        check_layer(|| GaussianNoise::new(0.3)).gives([4, 5], [4, 5]);
    }
}

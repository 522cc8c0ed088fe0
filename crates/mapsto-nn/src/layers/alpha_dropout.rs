//! Alpha dropout: dropout that keeps mean and variance, for networks of `selu`.

use super::LayerKind;
use crate::{AtLengths, Layer, Module};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, is_training};

/// In training, sets each element to `α = −1.7581`, the least value of `selu`, with probability `p`, and maps all by a line after which a mean
/// of 0 and a variance of 1 are what they were; otherwise the identity.
///
/// * Shape: `[..] → [..]`.
/// * PyTorch: `AlphaDropout`; Keras: `AlphaDropout`.
///
/// Source: Klambauer, Unterthiner, Mayr, Hochreiter (2017), Self-normalizing neural networks, arXiv:1706.02515, section 3.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = train(|| AlphaDropout::new(0.2).forward(&Tensor::randn([100, 100])));
/// assert!(y.mean(..).item().abs() < 0.05 && (y.std(..).item() - 1.0).abs() < 0.05);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct AlphaDropout {
    p: f64,
}

impl AlphaDropout {
    /// Drops each element with probability `p`.
    ///
    /// # Panics
    /// When `p` is not in 0..1.
    #[track_caller]
    pub fn new(p: f64) -> AlphaDropout {
        AlphaDropout { p: Bounds::SHARE.check("alpha_dropout", "p", p) }
    }
}

/// The least value of `selu`: `−scale · alpha`.
const LEAST: f64 = -1.758_099_340_847_376_6;

/// `x` with as many draws as the shape says, which broadcasts to that of `x`.
#[track_caller]
pub(super) fn dropped(x: &Tensor, shape: &[usize], p: f64) -> Tensor {
    if !is_training() || p == 0.0 {
        return x.clone();
    }
    let kept = x.device().scope(|| Tensor::full_of(shape, 1.0, x.dtype())).dropout(p).gt(0.0);
    let a = ((1.0 - p) * (1.0 + p * LEAST * LEAST)).sqrt().recip();
    kept.choose(x, LEAST) * a - a * p * LEAST
}

impl Layer for AlphaDropout {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        dropped(x, x.shape(), self.p)
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn describe(&self) -> String {
        format!("AlphaDropout({})", self.p)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.p))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "alpha_dropout",
    "Forgets each element with the given probability while training, and keeps mean and variance.",
    |args, _| Ok(Box::new(AlphaDropout::new(Bounds::SHARE.main(args, "p", 0.5)?))),
)
.options(&[("", "the probability to forget, while training")]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn alpha_dropout() {
        check_layer(|| AlphaDropout::new(0.3)).gives([4, 5], [4, 5]);
    }
}

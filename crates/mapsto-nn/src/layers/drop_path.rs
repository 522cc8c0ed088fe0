//! Stochastic depth: the way through a block is left out at random, sample by sample, while training.

use super::LayerKind;
use super::channel_dropout::dropped;
use crate::{Layer, Module};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// In training, sets whole samples to 0 with probability `p` and divides the others by `1 − p`; otherwise the identity. At the end of the
/// body of a residual block it leaves the block out.
///
/// * Shape: `[n, ..] → [n, ..]`.
/// * PyTorch: `StochasticDepth(p, "row")` of torchvision; Keras has none.
///
/// Source: Huang, Sun, Liu, Sedra, Weinberger (2016), Deep networks with stochastic depth, arXiv:1603.09382, sample by sample.
/// ```
/// use mapsto_nn::prelude::*;
/// let block = Residual::new(seq![Linear::new(3, 3), DropPath::new(0.5)]);
/// let (x, y) = (Tensor::ones([50, 3]), train(|| block.forward(&Tensor::ones([50, 3]))));
/// assert!((y - x).abs().sum(-1).to_vec::<f32>().iter().any(|&d| d == 0.0));
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct DropPath {
    p: f64,
}

impl DropPath {
    /// Drops each sample with probability `p`.
    ///
    /// # Panics
    /// When `p` is not in 0..1.
    #[track_caller]
    pub fn new(p: f64) -> DropPath {
        DropPath { p: Bounds::SHARE.check("drop_path", "p", p) }
    }
}

impl Layer for DropPath {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        dropped("drop_path", x, 1, self.p)
    }

    fn describe(&self) -> String {
        format!("DropPath({})", self.p)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.p))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "drop_path",
    "Forgets whole samples with the given probability while training, at the end of a residual block.",
    |args, _| Ok(Box::new(DropPath::new(Bounds::SHARE.main(args, "p", 0.1)?))),
)
.options(&[("", "the probability to forget, while training")]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn drop_path() {
        check_layer(|| DropPath::new(0.5)).gives([6, 2], [6, 2]);
        let x = Tensor::ones([1000, 2]);
        let y = train(|| DropPath::new(0.25).forward(&x));
        assert!(y.select(1, 0).eq(y.select(1, 1)).all(..).item() == 1.0);
        assert!((y.mean(..).item() - 1.0).abs() < 0.1);
    }
}

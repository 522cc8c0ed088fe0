//! Dropout by noise: elements are multiplied by numbers around 1, whose spread is that of dropout.

use super::LayerKind;
use crate::{AtLengths, Layer, Module};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::random::{self, Distribution, Stream};
use mapsto_tensor::{Tensor, is_training};

/// In training, multiplies each element by a normal number of mean 1 and variance `p / (1 − p)`, as large as that of dropout with
/// probability `p`; otherwise the identity.
///
/// * Shape: `[..] → [..]`.
/// * PyTorch has none; Keras: `GaussianDropout`.
///
/// Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov (2014), Dropout, JMLR 15, section 10.
/// ```
/// use mapsto_nn::prelude::*;
/// let (drop, x) = (GaussianDropout::new(0.2), Tensor::full([100, 100], 3.0));
/// assert_close!(drop.forward(&x), x);
/// let y = train(|| drop.forward(&x));
/// assert!((y.mean(..).item() - 3.0).abs() < 0.1 && (y.std(..).item() - 1.5).abs() < 0.1);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct GaussianDropout {
    p: f64,
}

impl GaussianDropout {
    /// With the spread of dropout of this probability.
    ///
    /// # Panics
    /// When it is not in 0..1.
    #[track_caller]
    pub fn new(p: f64) -> GaussianDropout {
        GaussianDropout { p: Bounds::SHARE.check("gaussian_dropout", "p", p) }
    }
}

impl Layer for GaussianDropout {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if !is_training() || self.p == 0.0 {
            return x.clone();
        }
        let draw = random::next(Stream::Dropout);
        let around_1 = Distribution::Normal(1.0, (self.p / (1.0 - self.p)).sqrt());
        x * x.device().scope(|| Tensor::random(draw, around_1, x.shape(), x.dtype()))
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn describe(&self) -> String {
        format!("GaussianDropout({})", self.p)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.p))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "gaussian_dropout",
    "Multiplies by normal numbers around 1 while training, with the spread of dropout of the given probability.",
    |args, _| Ok(Box::new(GaussianDropout::new(Bounds::SHARE.main(args, "p", 0.5)?))),
)
.options(&[("", "the probability of the dropout whose spread it has")]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn gaussian_dropout() {
        check_layer(|| GaussianDropout::new(0.3)).gives([4, 5], [4, 5]);
        seed(3);
        let factors = train(|| GaussianDropout::new(0.5).forward(&Tensor::ones([20_000])));
        assert!((factors.mean(..).item() - 1.0).abs() < 0.03 && (factors.std(..).item() - 1.0).abs() < 0.03);
    }
}

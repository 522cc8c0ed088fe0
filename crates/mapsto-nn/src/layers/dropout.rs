//! Dropout: a layer that forgets at random while training, so that no feature is relied upon alone.

use super::LayerKind;
use crate::{AtLengths, Layer, Module};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;

/// In training, sets each element to 0 with probability `p` and divides the others by `1 − p`; otherwise the identity.
///
/// * Shape: `[..] → [..]`.
/// * PyTorch: `Dropout`; Keras: `Dropout`; ONNX: `Dropout`.
///
/// Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov (2014), Dropout, JMLR 15; in the inverted form.
/// ```
/// use mapsto_nn::prelude::*;
/// let (drop, x) = (Dropout::new(0.5), Tensor::ones([1000]));
/// assert_eq!(drop.forward(&x).sum(..).item(), 1000.0);
/// let y = train(|| drop.forward(&x));
/// assert!(y.to_vec::<f32>().iter().all(|&y| y == 0.0 || y == 2.0));
/// assert!((y.mean(..).item() - 1.0).abs() < 0.2);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// Drops each element with probability `p`.
    ///
    /// # Panics
    /// When `p` is not in 0..1.
    #[track_caller]
    pub fn new(p: f64) -> Dropout {
        Dropout { p: Bounds::SHARE.check("dropout", "p", p) }
    }
}

impl Layer for Dropout {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.dropout(self.p)
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn describe(&self) -> String {
        format!("Dropout({})", self.p)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.p))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "dropout",
    "Forgets each element with the given probability while training.",
    |args, _| Ok(Box::new(Dropout::new(Bounds::SHARE.main(args, "p", 0.5)?))),
)
.options(&[("", "the probability to forget, while training")]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn dropout() {
        check_layer(|| Dropout::new(0.3)).gives([4, 5], [4, 5]);
        assert!(
            catch(|| Dropout::new(1.0))
                .unwrap_err()
                .message()
                .contains("p must be at least 0 and below 1, got 1")
        );
    }

    #[test]
    fn the_gradient_has_the_same_holes() {
        let x = Tensor::ones([64]).leaf();
        let y = train(|| Dropout::new(0.5).forward(&x));
        let grads = y.sum(..).backward();
        assert_eq!(grads.of(&x).to_vec::<f32>(), y.to_vec::<f32>());
    }
}

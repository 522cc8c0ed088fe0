//! Channels become places: how a network of small images gives a large one.

use super::{LayerKind, image};
use crate::{Layer, Module};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::{Tensor, fail};

/// `y[n, c, h·r + i, w·r + j] = x[n, c·r² + i·r + j, h, w]` with the factor `r`.
///
/// * Shape: `[n, c·r², h, w] → [n, c, h·r, w·r]`.
/// * PyTorch: `PixelShuffle(r)`; Keras has none; ONNX: `DepthToSpace`.
///
/// Source: Shi et al. (2016), Real-time single image and video super-resolution, arXiv:1609.05158, equation 4.
/// ```
/// use mapsto_nn::prelude::*;
/// let x = tensor![[1.0, 2.0, 3.0, 4.0]].reshape([1, 4, 1, 1]);
/// assert_close!(PixelShuffle::new(2).forward(&x).squeeze(0), [[[1.0, 2.0], [3.0, 4.0]]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct PixelShuffle {
    #[module(skip)]
    factor: usize,
}

impl PixelShuffle {
    /// Sides that are `factor` times as long, of `factor²` channels each.
    ///
    /// # Panics
    /// When `factor` is 0.
    #[track_caller]
    pub fn new(factor: usize) -> PixelShuffle {
        PixelShuffle { factor: at_least_1("pixel_shuffle", "factor", factor) }
    }
}

impl Layer for PixelShuffle {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if x.rank() != 4 {
            fail!("pixel_shuffle", "[n, c, h, w] was expected, found {:?}", x.shape());
        }
        x.pixel_shuffle(self.factor)
    }

    fn describe(&self) -> String {
        format!("PixelShuffle({})", self.factor)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.factor))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "pixel_shuffle",
    "Sides the given number of times as long, of as many channels fewer.",
    |args, input| {
        let factor: usize = args.main()?;
        let [channels, ..] = image(args, input)?;
        let parts = factor.saturating_mul(factor);
        if parts == 0 || !channels.is_multiple_of(parts) {
            let message = format!("{channels} channels cannot be divided into {parts} for each place");
            return Err(args.misfit("", message));
        }
        Ok(Box::new(PixelShuffle { factor }))
    },
)
.options(&[("", "how many times as long each side becomes")])
.example(|| Entry::new("pixel_shuffle").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn pixel_shuffle() {
        check_layer(|| PixelShuffle::new(2)).gives([1, 8, 2, 3], [1, 2, 4, 6]);
        let e = catch(|| PixelShuffle::new(2).forward(&Tensor::ones([1, 6, 2, 2]))).unwrap_err();
        assert!(e.message().contains("[.., a multiple of 4, h, w] was expected"), "{e}");
    }
}

//! Places become channels: how a network sees a large image as a small one without losing any number.

use super::{LayerKind, image};
use crate::{Layer, Module};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::{Tensor, fail};

/// `y[n, c·r² + i·r + j, h, w] = x[n, c, h·r + i, w·r + j]` with the factor `r`: the opposite of `PixelShuffle`.
///
/// * Shape: `[n, c, h·r, w·r] → [n, c·r², h, w]`.
/// * PyTorch: `PixelUnshuffle(r)`; Keras has none.
/// ```
/// use mapsto_nn::prelude::*;
/// let x = tensor![[[[1.0, 2.0], [3.0, 4.0]]]];
/// assert_close!(PixelUnshuffle::new(2).forward(&x).flatten(0), [1.0, 2.0, 3.0, 4.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct PixelUnshuffle {
    #[module(skip)]
    factor: usize,
}

impl PixelUnshuffle {
    /// Sides that are `factor` times as short, of `factor²` times as many channels.
    ///
    /// # Panics
    /// When `factor` is 0.
    #[track_caller]
    pub fn new(factor: usize) -> PixelUnshuffle {
        PixelUnshuffle { factor: at_least_1("pixel_unshuffle", "factor", factor) }
    }
}

impl Layer for PixelUnshuffle {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if x.rank() != 4 {
            fail!("pixel_unshuffle", "[n, c, h, w] was expected, found {:?}", x.shape());
        }
        x.pixel_unshuffle(self.factor)
    }

    fn describe(&self) -> String {
        format!("PixelUnshuffle({})", self.factor)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.factor))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "pixel_unshuffle",
    "Sides the given number of times as short, of as many channels more.",
    |args, input| {
        let factor: usize = args.main()?;
        let [_, h, w] = image(args, input)?;
        if factor == 0 || !h.is_multiple_of(factor) || !w.is_multiple_of(factor) {
            return Err(args.misfit("", format!("sides of {h} and {w} cannot be divided by {factor}")));
        }
        Ok(Box::new(PixelUnshuffle { factor }))
    },
)
.options(&[("", "how many times as short each side becomes")])
.example(|| Entry::new("pixel_unshuffle").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn pixel_unshuffle() {
        check_layer(|| PixelUnshuffle::new(2)).gives([1, 2, 4, 6], [1, 8, 2, 3]);
        let e = catch(|| PixelUnshuffle::new(2).forward(&Tensor::ones([1, 6, 3, 2]))).unwrap_err();
        assert!(e.message().contains("a multiple of 2, a multiple of 2] was expected"), "{e}");
    }
}

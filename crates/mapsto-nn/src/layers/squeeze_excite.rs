//! Squeeze and excitation: each channel of an image is weighted by what all channels show on the whole.

use super::{LayerKind, Linear, image};
use crate::{Layer, Module, budget};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::{Tensor, fail};

/// `y = x · σ(W₂ relu(W₁ m + b₁) + b₂)`, where `m` are the means of the channels over all places.
///
/// * Shape: `[n, channels, ..] → [n, channels, ..]`.
/// * Parameters: `fc1` `[hidden, channels]` and `fc2` `[channels, hidden]`, as those of [`Linear`](super::Linear).
/// * PyTorch: `SqueezeExcitation(channels, hidden)` of torchvision, whose weights have two axes of 1 more; Keras has none.
///
/// Source: Hu, Shen, Sun (2018), Squeeze-and-excitation networks, arXiv:1709.01507, equations 2 to 4.
/// ```
/// use mapsto_nn::prelude::*;
/// let block = SqueezeExcite::new(8, 2);
/// let x = Tensor::ones([1, 8, 3, 3]);
/// let y = block.forward(&x);
/// assert!(y.min(..).item() > 0.0 && y.max(..).item() < 1.0);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct SqueezeExcite {
    /// From the means of the channels.
    pub fc1: Linear,
    /// To the weights of the channels.
    pub fc2: Linear,
}

impl SqueezeExcite {
    /// For this many channels, by so many hidden numbers.
    ///
    /// # Panics
    /// When `hidden` is 0.
    #[track_caller]
    pub fn new(channels: usize, hidden: usize) -> SqueezeExcite {
        let hidden = at_least_1("squeeze_excite", "hidden", hidden);
        SqueezeExcite { fc1: Linear::new(channels, hidden), fc2: Linear::new(hidden, channels) }
    }
}

impl Layer for SqueezeExcite {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let channels = self.fc1.weight.shape()[1];
        if x.rank() < 2 || x.shape()[1] != channels {
            fail!("squeeze_excite", "[n, {channels}, ..] was expected, found {:?}", x.shape());
        }
        let (n, places) = (x.shape()[0], x.shape()[2..].iter().product::<usize>());
        let means = x.reshape([n, channels, places]).mean(-1);
        let weights = self.fc2.forward(&self.fc1.forward(&means).relu()).sigmoid();
        x * weights.reshape([&[n, channels][..], &vec![1; x.rank() - 2]].concat())
    }

    fn describe(&self) -> String {
        let [hidden, channels] = self.fc1.weight.dims();
        format!("SqueezeExcite({channels}, {hidden} hidden)")
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.fc1.weight.shape()[0]))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "squeeze_excite",
    "Weights each channel by what all show on the whole, through the given number of hidden numbers.",
    |args, input| {
        let hidden: usize = args.main()?;
        let [channels, ..] = image(args, input)?;
        if hidden == 0 {
            return Err(args.error("", "the hidden numbers must be at least 1, got 0"));
        }
        for shape in [[hidden, channels], [channels, hidden], [1, hidden], [1, channels]] {
            budget::weight(args, &shape)?;
        }
        Ok(Box::new(SqueezeExcite::new(channels, hidden)))
    },
)
.options(&[("", "the hidden numbers, usually a sixteenth of the channels")])
.example(|| Entry::new("squeeze_excite").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn squeeze_excite() {
        check_layer(|| SqueezeExcite::new(3, 2)).gives([2, 3, 2, 2], [2, 3, 2, 2]);
        let e = catch(|| SqueezeExcite::new(3, 2).forward(&Tensor::ones([2, 4, 2, 2]))).unwrap_err();
        assert_eq!(e.message(), "squeeze_excite: [n, 3, ..] was expected, found [2, 4, 2, 2]");
    }
}

//! Dropout of whole channels: neighbours of an image are alike, so that one of them tells what another forgot.

use super::{LayerKind, channels};
use crate::{Layer, Module};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail, is_training};

/// In training, sets each channel of each sample to 0 with probability `p` and divides the others by `1 − p`; otherwise the identity.
///
/// * Shape: `[n, channels, ..] → [n, channels, ..]`.
/// * PyTorch: `Dropout1d`, `Dropout2d` and `Dropout3d`; Keras: `SpatialDropout1D`, `SpatialDropout2D` and `SpatialDropout3D`.
///
/// Source: Tompson, Goroshin, Jain, LeCun, Bregler (2015), Efficient object localization using convolutional networks,
/// arXiv:1411.4280, section 3.2.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = train(|| ChannelDropout::new(0.5).forward(&Tensor::ones([4, 8, 3, 3])));
/// let sums = y.sum(-1).sum(-1).to_vec::<f32>();
/// assert!(sums.iter().all(|&s| s == 0.0 || s == 18.0));
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct ChannelDropout {
    p: f64,
}

impl ChannelDropout {
    /// Drops each channel with probability `p`.
    ///
    /// # Panics
    /// When `p` is not in 0..1.
    #[track_caller]
    pub fn new(p: f64) -> ChannelDropout {
        ChannelDropout { p: Bounds::SHARE.check("channel_dropout", "p", p) }
    }
}

/// `x` with everything that shares the first `axes` positions dropped together, in training.
#[track_caller]
pub(super) fn dropped(name: &str, x: &Tensor, axes: usize, p: f64) -> Tensor {
    if x.rank() < axes {
        fail!(name, "an input of at least {axes} axes was expected, found {:?}", x.shape());
    }
    if !is_training() || p == 0.0 {
        return x.clone();
    }
    let shape = [&x.shape()[..axes], &vec![1; x.rank() - axes]].concat();
    x * x.device().scope(|| Tensor::full_of(shape, 1.0, x.dtype())).dropout(p)
}

impl Layer for ChannelDropout {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        dropped("channel_dropout", x, 2, self.p)
    }

    fn describe(&self) -> String {
        format!("ChannelDropout({})", self.p)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.p))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "channel_dropout",
    "Forgets each channel with the given probability while training.",
    |args, input| {
        let p = Bounds::SHARE.main(args, "p", 0.5)?;
        channels(args, input)?;
        Ok(Box::new(ChannelDropout::new(p)))
    },
)
.options(&[("", "the probability to forget, while training")]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn channel_dropout() {
        check_layer(|| ChannelDropout::new(0.3)).gives([2, 3, 2, 2], [2, 3, 2, 2]);
        let e = catch(|| ChannelDropout::new(0.3).forward(&Tensor::ones([3]))).unwrap_err();
        assert!(e.message().contains("at least 2 axes was expected, found [3]"), "{e}");
    }
}

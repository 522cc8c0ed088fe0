//! Channels in groups, dealt out like cards, so that the next convolution in groups sees all of them.

use super::{LayerKind, channels};
use crate::{Layer, Module};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::Tensor;

/// `y[n, i·groups + g] = x[n, g·(c / groups) + i]`.
///
/// * Shape: `[n, c, ..] → [n, c, ..]`.
/// * PyTorch: `ChannelShuffle(groups)`; Keras has none.
///
/// Source: Zhang et al. (2018), ShuffleNet, arXiv:1707.01083, section 3.1.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_close!(ChannelShuffle::new(2).forward(&tensor![[1.0, 2.0, 3.0, 4.0]]), [[1.0, 3.0, 2.0, 4.0]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct ChannelShuffle {
    #[module(skip)]
    groups: usize,
}

impl ChannelShuffle {
    /// Of this many groups.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn new(groups: usize) -> ChannelShuffle {
        ChannelShuffle { groups: at_least_1("channel_shuffle", "groups", groups) }
    }
}

impl Layer for ChannelShuffle {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.channel_shuffle(self.groups)
    }

    fn describe(&self) -> String {
        format!("ChannelShuffle({} groups)", self.groups)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.groups))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "channel_shuffle",
    "The channels of the given number of groups, dealt out in turn.",
    |args, input| {
        let groups: usize = args.main()?;
        let channels = channels(args, input)?;
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(
                args.misfit("", format!("{channels} channels cannot be divided into {groups} groups"))
            );
        }
        Ok(Box::new(ChannelShuffle { groups }))
    },
)
.options(&[("", "the number of groups")])
.example(|| Entry::new("channel_shuffle").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn channel_shuffle() {
        check_layer(|| ChannelShuffle::new(3)).gives([2, 6, 2, 3], [2, 6, 2, 3]);
        check_layer(|| ChannelShuffle::new(2)).gives([2, 4], [2, 4]);
        let e = catch(|| ChannelShuffle::new(2).forward(&Tensor::ones([1, 3, 2, 2]))).unwrap_err();
        assert_eq!(e.message(), "channel_shuffle: [n, a multiple of 2, ..] was expected, found [1, 3, 2, 2]");
    }
}

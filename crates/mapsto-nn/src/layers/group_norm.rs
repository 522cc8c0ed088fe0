//! Group normalisation: each sample is brought to mean 0 and variance 1 within groups of its channels.

use super::{LayerKind, channels};
use crate::{Layer, Module, Param, budget};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail};

/// `y = (x − mean) / √(var + eps) · w + b`, mean and variance taken over the channels of a group and all their places, of each sample;
/// `w` and `b` are each channel's.
///
/// * Shape: `[n, channels, ..] → [n, channels, ..]`.
/// * Parameters: `weight` `[channels]`, ones; `bias` `[channels]`, zeros.
/// * PyTorch: `GroupNorm(groups, channels)`; Keras: `GroupNormalization`; ONNX: `GroupNormalization`. With one group it is a layer norm of whole images, with as many
///   as there are channels an [`InstanceNorm`](super::InstanceNorm).
///
/// Source: Wu, He (2018), Group normalization, arXiv:1803.08494, equation 7.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = GroupNorm::new(2, 4).forward(&tensor![[1.0, 3.0, 0.0, 10.0]]);
/// assert_close!(y, [[-1.0, 1.0, -1.0, 1.0]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct GroupNorm {
    /// The scale, `[channels]`.
    pub weight: Param,
    /// The shift, `[channels]`.
    pub bias: Param,
    #[module(skip)]
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    /// Normalises this many channels in so many groups; eps is 10⁻⁵.
    ///
    /// # Panics
    /// When the channels cannot be divided into that many groups.
    #[track_caller]
    pub fn new(groups: usize, channels: usize) -> GroupNorm {
        if groups == 0 || !channels.is_multiple_of(groups) {
            fail!("group_norm", "{channels} channels cannot be divided into {groups} groups");
        }
        let (weight, bias) = (Param::new(Tensor::ones([channels])), Param::new(Tensor::zeros([channels])));
        GroupNorm { weight, bias, groups, eps: 1e-5 }
    }

    /// The same with another number added to the variance.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(self, eps: f64) -> GroupNorm {
        GroupNorm { eps: Bounds::ABOVE_0.check("group_norm", "eps", eps), ..self }
    }
}

/// Channels `[n, channels, ..]` normalised in groups, before scale and shift.
#[track_caller]
pub(super) fn normalised(name: &str, x: &Tensor, channels: usize, groups: usize, eps: f64) -> Tensor {
    if x.rank() < 2 || x.shape()[1] != channels {
        fail!(name, "[n, {channels}, ..] was expected, found {:?}", x.shape());
    }
    if x.is_empty() {
        return x.clone();
    }
    // As rows of a group, for which there is a kernel.
    let group = x.len() / x.shape()[0] / groups;
    let ones = x.device().scope(|| Tensor::full_of([group], 1.0, x.dtype()));
    x.reshape([x.shape()[0], groups, group]).layer_norm(&ones, None, eps).reshape(x.shape())
}

/// A number of each channel beside `[n, channels, ..]`.
pub(super) fn by_channel(p: &Tensor, x: &Tensor) -> Tensor {
    p.reshape([&[p.len()][..], &vec![1; x.rank() - 2]].concat())
}

impl Layer for GroupNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = normalised("group_norm", x, self.weight.len(), self.groups, self.eps);
        y * by_channel(&self.weight, x) + by_channel(&self.bias, x)
    }

    fn describe(&self) -> String {
        format!("GroupNorm({}, {} groups)", self.weight.len(), self.groups)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.groups).with_option("eps", self.eps))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "group_norm",
    "Brings each sample to mean 0 and variance 1 within each of the given number of groups of channels.",
    |args, input| {
        let groups: usize = args.main()?;
        let eps = Bounds::ABOVE_0.option(args, "eps", 1e-5)?;
        let channels = channels(args, input)?;
        if groups == 0 || !channels.is_multiple_of(groups) {
            let message = format!("{channels} channels cannot be divided into {groups} groups");
            return Err(args.misfit("", message));
        }
        budget::weight(args, &[2, channels])?;
        Ok(Box::new(GroupNorm::new(groups, channels).eps(eps)))
    },
)
.options(&[
    ("", "the number of groups"),
    ("eps", "what is added to a variance or a size before it is divided by"),
])
.example(|| Entry::new("group_norm").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn group_norm() {
        check_layer(|| GroupNorm::new(2, 4)).gives([2, 4, 3, 2], [2, 4, 3, 2]);
        check_layer(|| GroupNorm::new(1, 4).eps(1e-3)).gives([3, 4], [3, 4]);
        let e = catch(|| GroupNorm::new(3, 4)).unwrap_err();
        assert_eq!(e.message(), "group_norm: 4 channels cannot be divided into 3 groups");
        let e = catch(|| GroupNorm::new(2, 4).forward(&Tensor::ones([2, 3]))).unwrap_err();
        assert_eq!(e.message(), "group_norm: [n, 4, ..] was expected, found [2, 3]");
    }
}

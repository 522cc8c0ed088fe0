//! Group normalisation: each sample is brought to mean 0 and variance 1 within groups of its channels.

use super::{LayerKind, channels};
use crate::norms::{affine_of, affine_said, normalised, scaled};
use crate::{Layer, Module, Param, budget};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail};

/// `y = (x − mean) / √(var + eps) · w + b`, mean and variance taken over the channels of a group and all their places, of each sample;
/// `w` and `b` are each channel's.
///
/// * Shape: `[n, channels, ..] → [n, channels, ..]`.
/// * Parameters: `weight` `[channels]`, ones; `bias` `[channels]`, zeros; none after [`no_affine`](GroupNorm::no_affine).
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
    pub weight: Option<Param>,
    /// The shift, `[channels]`.
    pub bias: Option<Param>,
    #[module(skip)]
    channels: usize,
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
        let weight = Some(Param::new(Tensor::ones([channels])));
        let bias = Some(Param::new(Tensor::zeros([channels])));
        GroupNorm { weight, bias, channels, groups, eps: 1e-5 }
    }

    /// The same without scale and shift. In files, and in PyTorch, `affine = false`.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let norm = GroupNorm::new(1, 2).no_affine();
    /// assert_eq!(norm.parameter_count(), 0);
    /// assert_close!(norm.forward(&tensor![[3.0, 7.0]]), [[-1.0, 1.0]]);
    /// ```
    #[must_use]
    pub fn no_affine(self) -> GroupNorm {
        GroupNorm { weight: None, bias: None, ..self }
    }

    /// The same without a shift. In files `bias = false`.
    #[must_use]
    pub fn no_bias(self) -> GroupNorm {
        GroupNorm { bias: None, ..self }
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

impl Layer for GroupNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = normalised("group_norm", x, self.channels, self.groups, self.eps);
        scaled(y, &self.weight, &self.bias)
    }

    fn describe(&self) -> String {
        let affine = match (&self.weight, &self.bias) {
            (None, _) => ", no affine",
            (_, None) => ", no bias",
            _ => "",
        };
        format!("GroupNorm({}, {} groups{affine})", self.channels, self.groups)
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(self.groups).with_option("eps", self.eps);
        Some(affine_said(entry, &self.weight, &self.bias))
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
        let [affine, bias] = affine_of(args, true)?;
        if affine {
            budget::weight(args, &[1 + usize::from(bias), channels])?;
        }
        let layer = GroupNorm::new(groups, channels).eps(eps);
        Ok(Box::new(match (affine, bias) {
            (false, _) => layer.no_affine(),
            (_, false) => layer.no_bias(),
            _ => layer,
        }))
    },
)
.options(&[
    ("", "the number of groups"),
    ("eps", "what is added to a variance or a size before it is divided by"),
    ("affine", "whether each channel has a scale and a shift"),
    ("bias", "whether each channel has a shift beside its scale"),
])
.example(|| Entry::new("group_norm").with_value(2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn group_norm() {
        check_layer(|| GroupNorm::new(2, 4)).gives([2, 4, 3, 2], [2, 4, 3, 2]);
        check_layer(|| GroupNorm::new(1, 4).eps(1e-3)).gives([3, 4], [3, 4]);
        check_layer(|| GroupNorm::new(2, 4).no_affine()).gives([2, 4, 3], [2, 4, 3]);
        check_layer(|| GroupNorm::new(2, 4).no_bias()).gives([2, 4, 3], [2, 4, 3]);
        for option in ["affine", "bias"] {
            let entry = Entry::new("group_norm").with_value(2_usize).with_option(option, false);
            check_entry::<dyn Layer>(&entry, &[4, 3]);
        }
        let entry = Entry::new("group_norm").with_value(2_usize).with_option("affine", false);
        let e = ModelSpec::new([4, 3], [entry.with_option("bias", true)]).build().err().unwrap();
        assert!(e.message().contains("there is no shift without a scale"), "{e}");
        let e = catch(|| GroupNorm::new(3, 4)).unwrap_err();
        assert_eq!(e.message(), "group_norm: 4 channels cannot be divided into 3 groups");
        let e = catch(|| GroupNorm::new(2, 4).forward(&Tensor::ones([2, 3]))).unwrap_err();
        assert_eq!(e.message(), "group_norm: [n, 4, ..] was expected, found [2, 3]");
    }
}

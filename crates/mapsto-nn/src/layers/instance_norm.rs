//! Instance normalisation: each channel of each sample is brought to mean 0 and variance 1 over its places.

use super::{LayerKind, channels};
use crate::norms::{affine_of, affine_said, momentum_of, move_towards, normalised, scale_and_shift, scaled};
use crate::{Layer, Module, Param, State, budget};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail, is_recomputing, is_training};

/// `y = (x − mean) / √(var + eps) · w + b`, mean and variance taken over the places of each channel of each sample; without scale and shift
/// unless it is [`affine`](InstanceNorm::affine).
///
/// With [`running_stats`](InstanceNorm::running_stats), inference uses running ones instead, which move in training by `momentum`
/// towards the mean over the batch of each sample's (the variance the unbiased one).
///
/// * Shape: `[n, channels, ..] → [n, channels, ..]`, of at least two places.
/// * Parameters: none, or `weight` `[channels]`, ones, and `bias` `[channels]`, zeros.
/// * States: none, or `running_mean` `[channels]`, zeros, and `running_var` `[channels]`, ones.
/// * PyTorch: `InstanceNorm1d`, `InstanceNorm2d` and `InstanceNorm3d`; Keras:
///   `GroupNormalization(groups=-1)`; ONNX: `InstanceNormalization`.
///
/// Source: Ulyanov, Vedaldi, Lempitsky (2016), Instance normalization, arXiv:1607.08022.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = InstanceNorm::new(2).forward(&tensor![[[1.0, 3.0], [0.0, 10.0]]]);
/// assert_close!(y, [[[-1.0, 1.0], [-1.0, 1.0]]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct InstanceNorm {
    /// The scale, `[channels]`.
    pub weight: Option<Param>,
    /// The shift, `[channels]`.
    pub bias: Option<Param>,
    /// The running mean, `[channels]`.
    pub running_mean: Option<State>,
    /// The running variance, `[channels]`.
    pub running_var: Option<State>,
    #[module(skip)]
    channels: usize,
    momentum: f64,
    eps: f64,
}

impl InstanceNorm {
    /// Normalises this many channels; eps is 10⁻⁵.
    pub fn new(channels: usize) -> InstanceNorm {
        let (running_mean, running_var) = (None, None);
        InstanceNorm {
            weight: None,
            bias: None,
            running_mean,
            running_var,
            channels,
            momentum: 0.1,
            eps: 1e-5,
        }
    }

    /// The same with a scale and a shift of each channel.
    #[must_use]
    pub fn affine(self) -> InstanceNorm {
        let (weight, bias) = (Tensor::ones([self.channels]), Tensor::zeros([self.channels]));
        InstanceNorm { weight: Some(Param::new(weight)), bias: Some(Param::new(bias)), ..self }
    }

    /// The same without a shift. In files `bias = false`.
    #[must_use]
    pub fn no_bias(self) -> InstanceNorm {
        InstanceNorm { bias: None, ..self }
    }

    /// The same with running statistics, which inference uses; they move by 0.1 of the way. In files, and in PyTorch,
    /// `track_running_stats = true`.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let norm = InstanceNorm::new(1).running_stats().momentum(0.5);
    /// let x = tensor![[[1.0, 3.0]], [[5.0, 9.0]]];
    /// assert_close!(train(|| norm.forward(&x)), [[[-1.0, 1.0]], [[-1.0, 1.0]]]);
    /// assert_close!(norm.running_mean.as_ref().unwrap().get(), [2.25]);
    /// assert_close!(norm.running_var.as_ref().unwrap().get(), [3.0]);
    /// ```
    #[must_use]
    pub fn running_stats(self) -> InstanceNorm {
        let (mean, var) = (Tensor::zeros([self.channels]), Tensor::ones([self.channels]));
        InstanceNorm {
            running_mean: Some(State::running(mean)),
            running_var: Some(State::running(var)),
            ..self
        }
    }

    /// The same with running statistics that move by another share of the way.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    #[must_use]
    pub fn momentum(self, momentum: f64) -> InstanceNorm {
        InstanceNorm { momentum: Bounds::UP_TO_1.check("instance_norm", "momentum", momentum), ..self }
    }

    /// The running mean and variance, where there are any.
    fn running(&self) -> Option<(&State, &State)> {
        self.running_mean.as_ref().zip(self.running_var.as_ref())
    }

    /// The same with another number added to the variance.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(self, eps: f64) -> InstanceNorm {
        InstanceNorm { eps: Bounds::ABOVE_0.check("instance_norm", "eps", eps), ..self }
    }
}

impl Layer for InstanceNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if let (false, Some((mean, var))) = (is_training(), self.running()) {
            if x.rank() < 2 || x.shape()[1] != self.channels {
                fail!("instance_norm", "[n, {}, ..] was expected, found {:?}", self.channels, x.shape());
            }
            let [w, b] = scale_and_shift(x, self.channels, &self.weight, &self.bias);
            return x.batch_norm_with(&mean.get(), &var.get(), &w, &b, self.eps);
        }
        let y = normalised("instance_norm", x, self.channels, self.channels.max(1), self.eps);
        if !x.is_empty() && x.shape()[2..].iter().product::<usize>() < 2 {
            fail!("instance_norm", "one place a channel has no variance: {:?}", x.shape());
        }
        if let (Some((mean, var)), false, false) = (self.running(), is_recomputing(), x.is_empty()) {
            let places = x.detach().to(mean.get().dtype()).reshape([
                x.shape()[0],
                self.channels,
                x.shape()[2..].iter().product(),
            ]);
            move_towards(mean, &places.mean(2).mean(0), self.momentum);
            move_towards(var, &places.var_with(2, 1).mean(0), self.momentum);
        }
        scaled(y, &self.weight, &self.bias)
    }

    fn describe(&self) -> String {
        let affine = match (&self.weight, &self.bias) {
            (None, _) => "",
            (_, None) => ", affine, no bias",
            _ => ", affine",
        };
        let running = if self.running_mean.is_some() { ", running stats" } else { "" };
        format!("InstanceNorm({}{affine}{running})", self.channels)
    }

    fn entry(&self) -> Option<Entry> {
        let (tracked, entry) = (self.running_mean.is_some(), Entry::new(KIND.name));
        let entry = affine_said(entry, &self.weight, &self.bias).with_option("track_running_stats", tracked);
        let entry = if tracked { entry.with_option("momentum", self.momentum) } else { entry };
        Some(entry.with_option("eps", self.eps))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "instance_norm",
    "Brings each channel of each sample to mean 0 and variance 1 over its places.",
    |args, input| {
        let [affine, bias] = affine_of(args, false)?;
        let tracked = args.get_or("track_running_stats", false)?;
        let momentum = momentum_of(args, (!tracked).then_some("`track_running_stats = false`"))?;
        let eps = Bounds::ABOVE_0.option(args, "eps", 1e-5)?;
        let channels = channels(args, input)?;
        if input[1..].iter().product::<usize>() < 2 {
            let message = format!("one place a channel has no variance: the input is {input:?}");
            return Err(args.misfit("", message));
        }
        let vectors = usize::from(affine) + usize::from(bias) + 2 * usize::from(tracked);
        if vectors > 0 {
            budget::weight(args, &[vectors, channels])?;
        }
        let layer = InstanceNorm::new(channels).eps(eps).momentum(momentum);
        let layer = match (affine, bias) {
            (false, _) => layer,
            (_, false) => layer.affine().no_bias(),
            _ => layer.affine(),
        };
        Ok(Box::new(if tracked { layer.running_stats() } else { layer }))
    },
)
.options(&[
    ("affine", "whether each channel has a scale and a shift"),
    ("bias", "whether each channel has a shift beside its scale"),
    ("track_running_stats", "whether inference uses running statistics, and not those of each sample"),
    ("momentum", "the share of each batch in the running statistics"),
    ("eps", "what is added to a variance or a size before it is divided by"),
]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn instance_norm() {
        check_layer(|| InstanceNorm::new(3)).gives([2, 3, 4], [2, 3, 4]);
        check_layer(|| InstanceNorm::new(2).affine().eps(1e-3)).gives([2, 2, 3, 2], [2, 2, 3, 2]);
        check_layer(|| InstanceNorm::new(2).affine().no_bias()).gives([2, 2, 3], [2, 2, 3]);
        check_layer(|| InstanceNorm::new(2).affine().running_stats()).gives([2, 2, 3], [2, 2, 3]);
        let entry = || Entry::new("instance_norm");
        let tracked = || entry().with_option("track_running_stats", true);
        check_entry::<dyn Layer>(&tracked().with_option("momentum", 0.25), &[2, 3]);
        check_entry::<dyn Layer>(&entry().with_option("affine", true).with_option("bias", false), &[2, 3]);
        let e = ModelSpec::new([2, 3], [entry().with_option("momentum", 0.5)]).build().err().unwrap();
        assert!(e.to_string().contains("means nothing with `track_running_stats = false`"), "{e}");
        let e = catch(|| InstanceNorm::new(2).running_stats().forward(&Tensor::ones([2, 3, 4]))).unwrap_err();
        assert_eq!(e.message(), "instance_norm: [n, 2, ..] was expected, found [2, 3, 4]");
        let e = catch(|| InstanceNorm::new(2).forward(&Tensor::ones([2, 2, 1]))).unwrap_err();
        assert_eq!(e.message(), "instance_norm: one place a channel has no variance: [2, 2, 1]");
    }
}

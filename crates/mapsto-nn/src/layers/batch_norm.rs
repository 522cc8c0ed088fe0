//! Batch normalisation: each channel is brought to mean 0 and variance 1 over the batch.

#[cfg(test)]
mod tests;

use super::LayerKind;
use crate::norms::{affine_of, affine_said, momentum_of, move_towards, scale_and_shift};
use crate::{ByChannel, Layer, Line, Module, Param, State, Then};
use mapsto_spec::{Args, Bounds, Entry};
use mapsto_tensor::{DType, Device, Result, Tensor, fail, is_recomputing, is_recording, is_training};

/// `y = (x − mean) / √(var + eps) · w + b` per channel, for inputs with up to `D` axes after the channels.
///
/// In training, mean and variance are those of the batch, and the running ones move towards them by `momentum`:
/// `running ← (1 − momentum) · running + momentum · batch` (the running variance towards the unbiased one). In inference
/// the running ones are used, so a sample's result does not depend on the others. Without running statistics
/// ([`no_running_stats`](BatchNorm::no_running_stats)) those of the batch are used in inference too.
///
/// * Shape: `[n, channels, ..] → [n, channels, ..]`.
/// * Parameters: `weight` `[channels]`, ones; `bias` `[channels]`, zeros; none after [`no_affine`](BatchNorm::no_affine).
/// * States: `running_mean` `[channels]`, zeros; `running_var` `[channels]`, ones; after [`cumulative`](BatchNorm::cumulative)
///   `num_batches_tracked`, a whole number, 0.
///
/// PyTorch: `BatchNorm1d`, `BatchNorm2d`, `BatchNorm3d`; Keras: `BatchNormalization`, whose momentum is one minus this one; ONNX: `BatchNormalization`.
///
/// Source: Ioffe, Szegedy (2015), Batch normalization, arXiv:1502.03167, algorithms 1 and 2.
/// ```
/// use mapsto_nn::prelude::*;
/// let norm = BatchNorm1d::new(1);
/// let x = tensor![[1.0], [3.0]];
/// assert_close!(train(|| norm.forward(&x)), [[-1.0], [1.0]]);
/// assert_close!(norm.running_mean.unwrap().get(), [0.2]);
/// assert_close!(norm.running_var.unwrap().get(), [1.1]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct BatchNorm<const D: usize> {
    /// The scale, `[channels]`.
    pub weight: Option<Param>,
    /// The shift, `[channels]`.
    pub bias: Option<Param>,
    /// The running mean, `[channels]`.
    pub running_mean: Option<State>,
    /// The running variance, `[channels]`.
    pub running_var: Option<State>,
    /// How many batches a plain average has seen.
    pub num_batches_tracked: Option<State>,
    #[module(skip)]
    channels: usize,
    momentum: f64,
    eps: f64,
}

/// Batch normalisation of `[n, channels]` or `[n, channels, length]`.
pub type BatchNorm1d = BatchNorm<1>;
/// Batch normalisation of `[n, channels, height, width]`.
pub type BatchNorm2d = BatchNorm<2>;
/// Batch normalisation of `[n, channels, depth, height, width]`.
pub type BatchNorm3d = BatchNorm<3>;

impl<const D: usize> BatchNorm<D> {
    /// Normalises this many channels; momentum is 0.1 and eps 10⁻⁵.
    pub fn new(channels: usize) -> Self {
        BatchNorm {
            weight: Some(Param::new(Tensor::ones([channels]))),
            bias: Some(Param::new(Tensor::zeros([channels]))),
            running_mean: Some(State::running(Tensor::zeros([channels]))),
            running_var: Some(State::running(Tensor::ones([channels]))),
            num_batches_tracked: None,
            channels,
            momentum: 0.1,
            eps: 1e-5,
        }
    }

    /// The same without scale and shift. In files `affine = false`.
    #[must_use]
    pub fn no_affine(self) -> Self {
        BatchNorm { weight: None, bias: None, ..self }
    }

    /// The same without a shift. In files `bias = false`.
    #[must_use]
    pub fn no_bias(self) -> Self {
        BatchNorm { bias: None, ..self }
    }

    /// The same without running statistics: the batch is normalised by its own in inference too, so a sample's result depends on
    /// the others. In files, and in PyTorch, `track_running_stats = false`.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let norm = BatchNorm1d::new(1).no_running_stats();
    /// assert_close!(norm.forward(&tensor![[1.0], [3.0]]), [[-1.0], [1.0]]);
    /// ```
    #[must_use]
    pub fn no_running_stats(self) -> Self {
        BatchNorm { running_mean: None, running_var: None, num_batches_tracked: None, ..self }
    }

    /// The same whose running statistics are the plain average of those of all batches, instead of moving by the momentum.
    /// PyTorch: `momentum=None`.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let norm = BatchNorm1d::new(1).cumulative();
    /// train(|| norm.forward(&tensor![[1.0], [3.0]]));
    /// train(|| norm.forward(&tensor![[5.0], [7.0]]));
    /// assert_close!(norm.running_mean.unwrap().get(), [4.0]);
    /// ```
    /// # Panics
    /// When it has no running statistics.
    #[track_caller]
    #[must_use]
    pub fn cumulative(self) -> Self {
        if self.running_mean.is_none() {
            fail!("batch_norm", "an average over batches is of running statistics, and there are none";
                  help = "leave `no_running_stats()` out");
        }
        BatchNorm { num_batches_tracked: Some(State::new(Tensor::from_vec(vec![0i64], []))), ..self }
    }

    /// The same with running statistics that move by another share of the way.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        BatchNorm { momentum: Bounds::UP_TO_1.check("batch_norm", "momentum", momentum), ..self }
    }

    /// The same with another number added to the variance.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        BatchNorm { eps: Bounds::ABOVE_0.check("batch_norm", "eps", eps), ..self }
    }

    /// The running mean and variance, where inference uses them.
    fn given(&self) -> Option<(Tensor, Tensor)> {
        if is_training() {
            return None;
        }
        self.running_mean.as_ref().zip(self.running_var.as_ref()).map(|(mean, var)| (mean.get(), var.get()))
    }

    #[track_caller]
    fn check(&self, x: &Tensor) {
        let (name, channels) = (format!("batch_norm{D}d"), self.channels);
        let axes_fit = x.rank() == D + 2 || (D == 1 && x.rank() == 2);
        if !axes_fit {
            let expected = match D {
                1 => "[n, channels] or [n, channels, length]",
                2 => "[n, channels, height, width]",
                _ => "[n, channels, depth, height, width]",
            };
            fail!(name, "{expected} was expected, found {:?}", x.shape());
        }
        if x.shape()[1] != channels {
            fail!(name, "{channels} channels were expected, {:?} has {}", x.shape(), x.shape()[1]);
        }
        // Where only sizes are computed, one sample stands for any number.
        let of_batch = is_training() || self.running_mean.is_none() && x.device() != Device::shape();
        if of_batch && x.is_empty() {
            fail!(name, "an empty batch has no statistics: {:?}", x.shape());
        }
        if of_batch && x.len() / channels.max(1) < 2 {
            fail!(name, "one value a channel has no variance: {:?}", x.shape();
                  help = "{}", if is_training() { "train with a batch of at least 2; `drop_last` leaves out an incomplete batch" }
                               else { "without running statistics, inference needs a batch of at least 2" });
        }
    }

    /// Moves the running statistics towards those of a batch of `count` values a channel.
    fn move_running(&self, mean: &Tensor, var: &Tensor, count: usize) {
        let (Some(running_mean), Some(running_var)) = (&self.running_mean, &self.running_var) else { return };
        let share = match &self.num_batches_tracked {
            Some(seen) => {
                seen.set(seen.get() + 1);
                1.0 / seen.get().to(DType::F64).item()
            }
            None => self.momentum,
        };
        move_towards(running_mean, mean, share);
        move_towards(running_var, &(var.detach() * (count as f64 / (count - 1) as f64)), share);
    }
}

impl<const D: usize> ByChannel for BatchNorm<D> {
    /// None in training; while something is recorded, as the norm has a derivative of its own; in half precision, where a pass of
    /// its own rounds its input; on another device than the CPU, where nothing is known of the rounding; and without scale and
    /// shift, which alone say the dtype of the input.
    fn line(&self) -> Option<Line> {
        let (weight, bias) = (self.weight.as_ref()?, self.bias.as_ref()?);
        let dtype = weight.dtype();
        if is_recording() || !matches!(dtype, DType::F32 | DType::F64) {
            return None;
        }
        let (mean, var) = self.given()?;
        // Statistics that do not fit are for the pass of its own to refuse.
        let fits = |x: &Tensor| x.dtype() == dtype && x.shape() == weight.shape();
        if ![&mean, &var, bias].into_iter().all(fits) || !mean.device().backend().is_host() {
            return None;
        }
        let scale = 1.0 / (var + self.eps).sqrt() * &**weight;
        Some(Line { mean, scale, shift: bias.detach() })
    }
}

impl<const D: usize> Layer for BatchNorm<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.check(x);
        let [w, b] = scale_and_shift(x, self.channels, &self.weight, &self.bias);
        if let Some((mean, var)) = self.given() {
            return x.batch_norm_with(&mean, &var, &w, &b, self.eps);
        }
        let (y, mean, var) = x.batch_norm(&w, &b, self.eps);
        if is_training() && !is_recomputing() {
            self.move_running(&mean, &var, x.len() / w.len());
        }
        y
    }

    fn as_then(&self) -> Option<Then<'_>> {
        // Of images alone, since only their layers have a kernel that takes it.
        (D == 2 && !is_training() && self.weight.is_some() && self.running_mean.is_some())
            .then_some(Then::Norm(self))
    }

    fn name(&self) -> std::borrow::Cow<'static, str> {
        format!("BatchNorm{D}d").into()
    }

    fn describe(&self) -> String {
        let mut text = format!("BatchNorm{D}d({}", self.channels);
        for (is, words) in [
            (self.weight.is_none(), ", no affine"),
            (self.weight.is_some() && self.bias.is_none(), ", no bias"),
            (self.running_mean.is_none(), ", no running stats"),
            (self.num_batches_tracked.is_some(), ", cumulative"),
        ] {
            text += if is { words } else { "" };
        }
        text + ")"
    }

    fn entry(&self) -> Option<Entry> {
        let kind = match D {
            1 => KIND_1D,
            2 => KIND_2D,
            _ => KIND_3D,
        };
        let (tracked, cumulative) = (self.running_mean.is_some(), self.num_batches_tracked.is_some());
        let entry = Entry::new(kind.name).with_option("eps", self.eps);
        let entry = affine_said(entry, &self.weight, &self.bias);
        let entry = entry.with_option("track_running_stats", tracked).with_option("cumulative", cumulative);
        Some(if tracked && !cumulative { entry.with_option("momentum", self.momentum) } else { entry })
    }
}

/// What an entry says, but for the channels.
struct Settings {
    momentum: f64,
    eps: f64,
    affine: bool,
    bias: bool,
    tracked: bool,
    cumulative: bool,
}

impl Settings {
    fn of(args: &mut Args) -> Result<Settings> {
        let eps = Bounds::ABOVE_0.option(args, "eps", 1e-5)?;
        let [affine, bias] = affine_of(args, true)?;
        let tracked = args.get_or("track_running_stats", true)?;
        let cumulative = args.get_or("cumulative", false)?;
        if cumulative && !tracked {
            let message =
                "`cumulative` is an average of running statistics, and `track_running_stats = false`";
            return Err(args.error("cumulative", message).help("leave one of them out"));
        }
        let none = match (tracked, cumulative) {
            (false, _) => Some("`track_running_stats = false`"),
            (_, true) => Some("`cumulative` statistics"),
            _ => None,
        };
        let momentum = momentum_of(args, none)?;
        Ok(Settings { momentum, eps, affine, bias, tracked, cumulative })
    }

    /// The layer, if that many channels are within what a file may ask for.
    fn layer<const D: usize>(self, args: &Args, channels: usize) -> Result<Box<dyn Layer>> {
        let vectors = usize::from(self.affine) + usize::from(self.bias) + 2 * usize::from(self.tracked);
        if vectors > 0 {
            crate::budget::weight(args, &[vectors, channels])?;
        }
        let mut layer = BatchNorm::<D>::new(channels).momentum(self.momentum).eps(self.eps);
        if !self.bias {
            layer = if self.affine { layer.no_bias() } else { layer.no_affine() };
        }
        if !self.tracked {
            layer = layer.no_running_stats();
        }
        Ok(Box::new(if self.cumulative { layer.cumulative() } else { layer }))
    }
}

const OPTIONS: &[(&str, &str)] = &[
    ("momentum", "the share of each batch in the running statistics"),
    ("eps", "what is added to a variance or a size before it is divided by"),
    ("affine", "whether each channel has a scale and a shift"),
    ("bias", "whether each channel has a shift beside its scale"),
    ("track_running_stats", "whether inference uses running statistics, and not those of its batch"),
    (
        "cumulative",
        "whether the running statistics are the plain average of all batches, instead of moving by `momentum`",
    ),
];

pub(super) const KIND_1D: LayerKind = LayerKind::new(
    "batch_norm1d",
    "Brings each feature to mean 0 and variance 1 over the batch.",
    |args, input| {
        let settings = Settings::of(args)?;
        match input {
            [channels] | [channels, _] => settings.layer::<1>(args, *channels),
            _ => Err(args
                .misfit("", format!("the input should be [features] or [channels, length], it is {input:?}"))
                .help("for images there is `batch_norm2d`")),
        }
    },
)
.options(OPTIONS);

pub(super) const KIND_2D: LayerKind = LayerKind::new(
    "batch_norm2d",
    "Brings each channel to mean 0 and variance 1 over the batch and the image.",
    |args, input| {
        let settings = Settings::of(args)?;
        let [channels, ..] = super::image(args, input)?;
        settings.layer::<2>(args, channels)
    },
)
.options(OPTIONS);

pub(super) const KIND_3D: LayerKind = LayerKind::new(
    "batch_norm3d",
    "Brings each channel to mean 0 and variance 1 over the batch and the volume.",
    |args, input| {
        let settings = Settings::of(args)?;
        let [channels, ..] = super::volume(args, input)?;
        settings.layer::<3>(args, channels)
    },
)
.options(OPTIONS);

//! Batch normalisation: each channel is brought to mean 0 and variance 1 over the batch.

use super::LayerKind;
use crate::module::share_of;
use crate::{ByChannel, Layer, Line, Module, Param, State, Then};
use mapsto_spec::{Args, Bounds, Entry};
use mapsto_tensor::{DType, Result, Tensor, fail, is_recomputing, is_recording, is_training};

/// `y = (x − mean) / √(var + eps) · w + b` per channel, for inputs with up to `D` axes after the channels.
///
/// In training, mean and variance are those of the batch, and the running ones move towards them by `momentum`:
/// `running ← (1 − momentum) · running + momentum · batch` (the running variance towards the unbiased one). In inference
/// the running ones are used, so a sample's result does not depend on the others.
///
/// * Shape: `[n, channels, ..] → [n, channels, ..]`.
/// * Parameters: `weight` `[channels]`, ones; `bias` `[channels]`, zeros.
/// * States: `running_mean` `[channels]`, zeros; `running_var` `[channels]`, ones.
///
/// PyTorch: `BatchNorm1d`, `BatchNorm2d`, `BatchNorm3d`; Keras: `BatchNormalization`, whose momentum is one minus this one; ONNX: `BatchNormalization`.
///
/// Source: Ioffe, Szegedy (2015), Batch normalization, arXiv:1502.03167, algorithms 1 and 2.
/// ```
/// use mapsto_nn::prelude::*;
/// let norm = BatchNorm1d::new(1);
/// let x = tensor![[1.0], [3.0]];
/// assert_close!(train(|| norm.forward(&x)), [[-1.0], [1.0]]);
/// assert_close!(norm.running_mean.get(), [0.2]);
/// assert_close!(norm.running_var.get(), [1.1]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct BatchNorm<const D: usize> {
    /// The scale, `[channels]`.
    pub weight: Param,
    /// The shift, `[channels]`.
    pub bias: Param,
    /// The running mean, `[channels]`.
    pub running_mean: State,
    /// The running variance, `[channels]`.
    pub running_var: State,
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
            weight: Param::new(Tensor::ones([channels])),
            bias: Param::new(Tensor::zeros([channels])),
            running_mean: State::running(Tensor::zeros([channels])),
            running_var: State::running(Tensor::ones([channels])),
            momentum: 0.1,
            eps: 1e-5,
        }
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

    #[track_caller]
    fn check(&self, x: &Tensor) {
        let (name, channels) = (format!("batch_norm{D}d"), self.weight.len());
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
        if is_training() && x.is_empty() {
            fail!(name, "an empty batch has no statistics: {:?}", x.shape());
        }
        if is_training() && x.len() / channels.max(1) < 2 {
            fail!(name, "one value a channel has no variance: {:?}", x.shape();
                  help = "train with a batch of at least 2; `drop_last` leaves out an incomplete batch");
        }
    }

    fn move_running(&self, mean: &Tensor, var: &Tensor, count: usize) {
        let step = |state: &State, new: Tensor| {
            let (old, share) = (state.get(), share_of(state, self.momentum));
            let new = new.detach().to(old.dtype());
            // Whatever there was before, even if it was no number.
            state.set(if share == 1.0 { new } else { old * (1.0 - share) + new * share });
        };
        step(&self.running_mean, mean.clone());
        step(&self.running_var, var.detach() * (count as f64 / (count - 1) as f64));
    }
}

impl<const D: usize> ByChannel for BatchNorm<D> {
    /// None in training; while something is recorded, as the norm has a derivative of its own; in half precision, where a pass of
    /// its own rounds its input; and on another device than the CPU, where nothing is known of the rounding.
    fn line(&self) -> Option<Line> {
        let dtype = self.weight.dtype();
        if is_training() || is_recording() || !matches!(dtype, DType::F32 | DType::F64) {
            return None;
        }
        let (mean, var) = (self.running_mean.get(), self.running_var.get());
        // Statistics that do not fit are for the pass of its own to refuse.
        let fits = |x: &Tensor| x.dtype() == dtype && x.shape() == self.weight.shape();
        if ![&mean, &var, &self.bias].into_iter().all(fits) || !mean.device().backend().is_host() {
            return None;
        }
        let scale = 1.0 / (var + self.eps).sqrt() * &*self.weight;
        Some(Line { mean, scale, shift: self.bias.detach() })
    }
}

impl<const D: usize> Layer for BatchNorm<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.check(x);
        let (w, b) = (&self.weight, &self.bias);
        if !is_training() {
            let (mean, var) = (self.running_mean.get(), self.running_var.get());
            return x.batch_norm_with(&mean, &var, w, b, self.eps);
        }
        let (y, mean, var) = x.batch_norm(w, b, self.eps);
        if !is_recomputing() {
            self.move_running(&mean, &var, x.len() / w.len());
        }
        y
    }

    fn as_then(&self) -> Option<Then<'_>> {
        // Of images alone, since only their layers have a kernel that takes it.
        (D == 2 && !is_training()).then_some(Then::Norm(self))
    }

    fn name(&self) -> std::borrow::Cow<'static, str> {
        format!("BatchNorm{D}d").into()
    }

    fn describe(&self) -> String {
        format!("BatchNorm{D}d({})", self.weight.len())
    }

    fn entry(&self) -> Option<Entry> {
        let kind = match D {
            1 => KIND_1D,
            2 => KIND_2D,
            _ => KIND_3D,
        };
        Some(Entry::new(kind.name).with_option("momentum", self.momentum).with_option("eps", self.eps))
    }
}

/// The momentum and the eps of an entry.
fn settings(args: &mut Args) -> Result<(f64, f64)> {
    Ok((Bounds::UP_TO_1.option(args, "momentum", 0.1)?, Bounds::ABOVE_0.option(args, "eps", 1e-5)?))
}

pub(super) const KIND_1D: LayerKind = LayerKind::new(
    "batch_norm1d",
    "Brings each feature to mean 0 and variance 1 over the batch.",
    |args, input| {
        let (momentum, eps) = settings(args)?;
        match input {
            [channels] | [channels, _] => {
                crate::budget::weight(args, &[4, *channels])?;
                Ok(Box::new(BatchNorm1d::new(*channels).momentum(momentum).eps(eps)))
            }
            _ => Err(args
                .misfit("", format!("the input should be [features] or [channels, length], it is {input:?}"))
                .help("for images there is `batch_norm2d`")),
        }
    },
)
.options(&[
    ("momentum", "the share of each batch in the running statistics"),
    ("eps", "what is added to a variance or a size before it is divided by"),
]);

pub(super) const KIND_2D: LayerKind = LayerKind::new(
    "batch_norm2d",
    "Brings each channel to mean 0 and variance 1 over the batch and the image.",
    |args, input| {
        let (momentum, eps) = settings(args)?;
        let [channels, ..] = super::image(args, input)?;
        crate::budget::weight(args, &[4, channels])?;
        Ok(Box::new(BatchNorm2d::new(channels).momentum(momentum).eps(eps)))
    },
)
.options(&[
    ("momentum", "the share of each batch in the running statistics"),
    ("eps", "what is added to a variance or a size before it is divided by"),
]);

pub(super) const KIND_3D: LayerKind = LayerKind::new(
    "batch_norm3d",
    "Brings each channel to mean 0 and variance 1 over the batch and the volume.",
    |args, input| {
        let (momentum, eps) = settings(args)?;
        let [channels, ..] = super::volume(args, input)?;
        crate::budget::weight(args, &[4, channels])?;
        Ok(Box::new(BatchNorm3d::new(channels).momentum(momentum).eps(eps)))
    },
)
.options(&[
    ("momentum", "the share of each batch in the running statistics"),
    ("eps", "what is added to a variance or a size before it is divided by"),
]);

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn batch_norm() {
        check_layer(|| BatchNorm1d::new(3)).gives([4, 3], [4, 3]);
        check_layer(|| BatchNorm1d::new(3)).gives([2, 3, 5], [2, 3, 5]);
        check_layer(|| BatchNorm3d::new(2)).gives([2, 2, 1, 2, 2], [2, 2, 1, 2, 2]);
        check_layer(|| BatchNorm2d::new(2).eps(1e-3)).gives([2, 2, 3, 4], [2, 2, 3, 4]);
    }

    #[test]
    fn statistics_that_do_not_fit_are_refused_after_a_convolution_too() {
        let x = Tensor::ones([1, 3, 4, 4]);
        for value in [Tensor::ones([1]), Tensor::ones([5]), Tensor::ones([4, 1])] {
            for is_mean in [true, false] {
                let norm = BatchNorm2d::new(4);
                if is_mean { &norm.running_mean } else { &norm.running_var }.set(value.clone());
                let alone = catch(|| norm.forward(&Tensor::ones([1, 4, 2, 2]))).unwrap_err();
                let net = seq![Conv2d::new(3, 4, 3), norm];
                let error = catch(|| net.forward(&x)).unwrap_err();
                assert_eq!(error.message(), alone.message());
                assert!(error.to_string().contains("layer 1: BatchNorm2d(4)"), "{error}");
            }
        }
        let norm = BatchNorm2d::new(4);
        norm.running_var.set(Tensor::ones([4]).to(DType::F64));
        let alone = norm.forward(&Conv2d::new(3, 4, 3).forward(&x)).shape().to_vec();
        assert_eq!(seq![Conv2d::new(3, 4, 3), norm].forward(&x).shape(), alone);
    }

    #[test]
    fn running_statistics_follow_the_batches_in_training_only() {
        let norm = BatchNorm2d::new(2).momentum(0.5);
        let x = Tensor::randn([8, 2, 3, 3]) * 3.0 + 1.0;
        let _ = norm.forward(&x);
        assert_eq!(norm.running_mean.get().to_vec::<f32>(), [0.0, 0.0]);
        let _ = train(|| norm.forward(&x));
        let rows = x.permute([1, 0, 2, 3]).reshape([2, 72]);
        assert_close!(norm.running_mean.get(), rows.mean(1) * 0.5);
        assert_close!(norm.running_var.get(), rows.var_with(1, 1) * 0.5 + 0.5);
        // After many batches, inference and training agree up to the unbiased variance.
        (0..60).for_each(|_| drop(train(|| norm.forward(&x))));
        let (y, z) = (norm.forward(&x), train(|| norm.forward(&x)));
        assert!((y - z).abs().max(..).item() < 0.05);
    }

    #[test]
    fn running_statistics_of_half_precision_reach_the_batchs() {
        for (dtype, momentum, steps) in
            [(DType::BF16, 0.1, 200), (DType::F16, 0.1, 200), (DType::BF16, 0.01, 2000)]
        {
            let mut norm = BatchNorm1d::new(1).momentum(momentum);
            norm.convert(dtype);
            let x = tensor![[9.0], [11.0]].to(dtype);
            (0..steps).for_each(|_| drop(train(|| norm.forward(&x))));
            assert_close!(norm.running_mean.get(), [10.0]);
            assert!(norm.forward(&tensor![[10.0]].to(dtype)).item().abs() < 1e-4);
        }
        let mut norm = BatchNorm1d::new(1).momentum(1.0);
        norm.convert(DType::F16);
        let _ = train(|| norm.forward(&tensor![[-300.0], [300.0]].to(DType::F16)));
        let y = norm.forward(&tensor![[300.0]].to(DType::F16)).item();
        assert!((y - 0.5f64.sqrt()).abs() < 1e-3, "{y}");
    }

    #[test]
    fn wrong_inputs_are_named() {
        let message = |x: Tensor| {
            catch(|| train(|| BatchNorm2d::new(3).forward(&x))).unwrap_err().message().to_string()
        };
        assert_eq!(
            message(Tensor::ones([2, 3])),
            "batch_norm2d: [n, channels, height, width] was expected, found [2, 3]"
        );
        assert_eq!(
            message(Tensor::ones([2, 4, 1, 1])),
            "batch_norm2d: 3 channels were expected, [2, 4, 1, 1] has 4"
        );
        assert_eq!(
            message(Tensor::ones([1, 3, 1, 1])),
            "batch_norm2d: one value a channel has no variance: [1, 3, 1, 1]"
        );
    }
}

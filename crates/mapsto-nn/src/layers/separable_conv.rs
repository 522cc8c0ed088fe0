//! Separable convolutions: each channel is convolved alone, and then channels are mixed at each place.

use super::{Conv, DepthwiseConv, LayerKind};
use crate::convolution::{self, PaddingMode, by, read_moves};
use crate::{Layer, Module, Then, budget};
use mapsto_spec::{Args, Entry, at_least_1, count_option};
use mapsto_tensor::ops::{Padding, PerAxis};
use mapsto_tensor::{Result, Tensor};
use std::borrow::Cow;

/// Separable convolution over `D` axes: a [`DepthwiseConv`] without bias, and a [`Conv`] of kernel 1 that mixes its results.
///
/// * Shape: `[n, inputs, h, w] → [n, outputs, h', w']`, as [`Conv`].
/// * Parameters: `depthwise.weight` `[m·inputs, 1, kh, kw]`, `pointwise.weight` `[outputs, m·inputs, 1, 1]` and `pointwise.bias`
///   `[outputs]`, drawn as those of [`Conv`], with `m` results of each channel between the two.
/// * Keras: `SeparableConv1D` and `SeparableConv2D`, whose channels come last.
///
/// Source: Chollet (2017), Xception: deep learning with depthwise separable convolutions, arXiv:1610.02357.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = SeparableConv2d::new(8, 16, 3).padding(Padding::Same);
/// assert_eq!(layer.forward(&Tensor::ones([2, 8, 6, 6])).shape(), [2, 16, 6, 6]);
/// assert_eq!(layer.parameter_count(), 8 * 9 + 16 * 8 + 16);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct SeparableConv<const D: usize> {
    /// The convolution of each channel.
    pub depthwise: DepthwiseConv<D>,
    /// The mixture of channels at each place.
    pub pointwise: Conv<D>,
}

/// Separable convolution of sequences, `[n, inputs, length] → [n, outputs, length']`.
pub type SeparableConv1d = SeparableConv<1>;
/// Separable convolution of images, `[n, inputs, h, w] → [n, outputs, h', w']`.
pub type SeparableConv2d = SeparableConv<2>;

impl<const D: usize> SeparableConv<D> {
    /// From `inputs` to `outputs` channels.
    ///
    /// # Panics
    /// When a size of the kernel is 0, or there is no input channel.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<PerAxis<D>>) -> SeparableConv<D> {
        let kernel = convolution::positive(Self::op(), "kernel", kernel.into().0);
        let depthwise = DepthwiseConv::new(at_least_1(Self::op(), "inputs", inputs), kernel).no_bias();
        SeparableConv { depthwise, pointwise: Conv::new(inputs, outputs, 1) }
    }

    fn op() -> &'static str {
        ["separable_conv1d", "separable_conv2d"][D - 1]
    }

    /// The same with so many results of each channel between the two convolutions; weights are drawn anew.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn depth_multiplier(self, multiplier: usize) -> SeparableConv<D> {
        let depthwise =
            self.depthwise.depth_multiplier(at_least_1(Self::op(), "depth_multiplier", multiplier));
        let pointwise = Conv::new(depthwise.conv().outputs(), self.pointwise.outputs(), 1);
        let pointwise = if self.pointwise.bias.is_some() { pointwise } else { pointwise.no_bias() };
        SeparableConv { depthwise, pointwise }
    }

    /// The same with steps of this size between windows.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis<D>>) -> SeparableConv<D> {
        let stride = convolution::positive(Self::op(), "stride", stride.into().0);
        SeparableConv { depthwise: self.depthwise.stride(stride), ..self }
    }

    /// The same with this many zeros around the input, or with [`Padding::Same`].
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding<D>>) -> SeparableConv<D> {
        SeparableConv { depthwise: self.depthwise.padding(padding), ..self }
    }

    /// The same with something else than zeros where it pads.
    #[must_use]
    pub fn padding_mode(self, mode: PaddingMode) -> SeparableConv<D> {
        SeparableConv { depthwise: self.depthwise.padding_mode(mode), ..self }
    }

    /// The same with this distance between the points of a window.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn dilation(self, dilation: impl Into<PerAxis<D>>) -> SeparableConv<D> {
        let dilation = convolution::positive(Self::op(), "dilation", dilation.into().0);
        SeparableConv { depthwise: self.depthwise.dilation(dilation), ..self }
    }

    /// The same without a bias.
    #[must_use]
    pub fn no_bias(self) -> SeparableConv<D> {
        SeparableConv { pointwise: self.pointwise.no_bias(), ..self }
    }
}

impl<const D: usize> Layer for SeparableConv<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_then(x, &[]).0
    }

    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        self.pointwise.forward_then(&self.depthwise.forward(x), then)
    }

    fn name(&self) -> Cow<'static, str> {
        format!("SeparableConv{D}d").into()
    }

    fn describe(&self) -> String {
        let conv = self.depthwise.conv();
        let (settings, words) = convolution::settings(conv.options(), conv.mode());
        let (inputs, outputs, kernel) = (conv.inputs(), self.pointwise.outputs(), by(conv.kernel()));
        let start = format!("SeparableConv{D}d({inputs} → {outputs}, {kernel}");
        convolution::described(start, &settings, &words, 1, self.pointwise.bias.is_some())
    }

    fn entry(&self) -> Option<Entry> {
        let conv = self.depthwise.conv();
        let o = conv.options();
        let entry = Entry::new(Self::op())
            .with_value(self.pointwise.outputs())
            .with_option("kernel", conv.kernel())
            .with_option("stride", o.stride)
            .with_option("padding", o.padding)
            .with_option("dilation", o.dilation)
            .with_option("depth_multiplier", conv.outputs() / conv.inputs().max(1))
            .with_option("bias", self.pointwise.bias.is_some())
            .with_option("padding_mode", conv.mode().name());
        Some(entry)
    }
}

fn build<const D: usize>(args: &mut Args, input: &[usize]) -> Result<Box<dyn Layer>> {
    let outputs: usize = args.main()?;
    let (kernel, options) = read_moves::<D>(args)?;
    let multiplier: usize = count_option(args, "depth_multiplier", 1)?;
    let (channels, places) = convolution::places::<D>(args, input)?;
    let bias = args.get_or("bias", true)?;
    let mode = convolution::read_mode(args, &places, &kernel, &options)?;
    let out = convolution::read_out(args, input, &kernel, &options)?;
    let between = channels.saturating_mul(multiplier);
    convolution::afford(args, &[&[between, 1][..], &kernel].concat(), between, false, &out)?;
    convolution::afford(args, &[outputs, between], outputs, bias, &out)?;
    // The first weights are drawn for one result of each channel, so those count as well.
    budget::output(args, &[outputs, between])?;
    let layer =
        SeparableConv::new(channels, outputs, kernel).depth_multiplier(multiplier).stride(options.stride);
    let layer = layer.padding(options.padding).dilation(options.dilation).padding_mode(mode);
    Ok(Box::new(if bias { layer } else { layer.no_bias() }))
}

const OPTIONS: [(&str, &str); 8] = [
    ("", "the number of output channels"),
    ("kernel", "the sizes of the window"),
    ("stride", "how far the window moves"),
    ("padding", "zeros around the input, or `\"same\"` for as many as keep its sizes"),
    ("dilation", "the distance of the window's places"),
    ("depth_multiplier", "how many results of each channel there are between the two convolutions"),
    ("bias", "whether it has a bias"),
    (
        "padding_mode",
        "what is around the input: `\"zeros\"`, `\"reflect\"`, `\"replicate\"` or `\"circular\"`",
    ),
];

pub(super) const KIND_1D: LayerKind = LayerKind::new(
    "separable_conv1d",
    "One-dimensional convolution of each channel alone, whose results are mixed to the given number of channels.",
    build::<1>,
)
.options(&OPTIONS)
.example(|| Entry::new("separable_conv1d").with_value(2_usize).with_option("kernel", 2_usize));

pub(super) const KIND_2D: LayerKind = LayerKind::new(
    "separable_conv2d",
    "Two-dimensional convolution of each channel alone, whose results are mixed to the given number of channels.",
    build::<2>,
)
.options(&OPTIONS)
.example(|| Entry::new("separable_conv2d").with_value(2_usize).with_option("kernel", 2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn separable_conv() {
        check_layer(|| SeparableConv1d::new(2, 3, 2).padding(1)).gives([2, 2, 4], [2, 3, 5]);
        check_layer(|| SeparableConv2d::new(2, 3, [2, 3]).depth_multiplier(2).stride([1, 2]).no_bias())
            .gives([1, 2, 3, 5], [1, 3, 2, 2]);
        let layer = SeparableConv2d::new(2, 4, 3).padding(Padding::Same).no_bias();
        assert_eq!(layer.describe(), "SeparableConv2d(2 → 4, 3×3, padding same, no bias)");
        let e = catch(|| SeparableConv2d::new(2, 4, [3, 0])).unwrap_err();
        assert_eq!(e.message(), "separable_conv2d: kernel must be at least 1, got 0");
    }
}

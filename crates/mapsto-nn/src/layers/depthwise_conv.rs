//! Depthwise convolutions: each channel is convolved alone, with windows of its own.

use super::{Conv, LayerKind, init_option};
use crate::convolution::{self, PaddingMode, by, read_moves};
use crate::init::Init;
use crate::{Item, ItemMut, Layer, Module, Path, Then, Weighted};
use mapsto_spec::{Args, Entry, at_least_1, count_option};
use mapsto_tensor::ops::{Padding, PerAxis};
use mapsto_tensor::{Result, Tensor};
use std::borrow::Cow;

/// Depthwise convolution over `D` axes: a [`Conv`] with as many groups as channels,
/// `y[n, c·m + r, i, j] = b[c·m + r] + Σ w[c·m + r, 0, u, v] · x[n, c, i·s + u·d − p, j·s + v·d − p]` with `m` results of each channel.
///
/// * Shape: `[n, channels, h, w] → [n, m·channels, h', w']`, as [`Conv`].
/// * Parameters: `weight` `[m·channels, 1, kh, kw]` and `bias` `[m·channels]`, both uniform in ±1/√(kh·kw).
/// * Keras: `DepthwiseConv1D` and `DepthwiseConv2D`, whose channels come last; PyTorch: `Conv2d(.., groups=channels)`.
///
/// Source: Sifre (2014), Rigid-motion scattering for image classification, chapter 6.2.
/// ```
/// use mapsto_nn::prelude::*;
/// let sums = DepthwiseConv1d::new(2, 2).no_bias().init(mapsto_nn::init::Ones);
/// assert_close!(sums.forward(&tensor![[[1.0, 2.0, 4.0], [0.0, 1.0, 5.0]]]), [[[3.0, 6.0], [1.0, 6.0]]]);
/// assert_eq!(DepthwiseConv2d::new(3, 3).depth_multiplier(2).forward(&Tensor::ones([1, 3, 5, 5])).shape(), [1, 6, 3, 3]);
/// ```
#[derive(Clone, Debug)]
pub struct DepthwiseConv<const D: usize> {
    conv: Conv<D>,
}

/// Depthwise convolution of sequences, `[n, channels, length] → [n, m·channels, length']`.
pub type DepthwiseConv1d = DepthwiseConv<1>;
/// Depthwise convolution of images, `[n, channels, h, w] → [n, m·channels, h', w']`.
pub type DepthwiseConv2d = DepthwiseConv<2>;

impl<const D: usize> DepthwiseConv<D> {
    /// A convolution of each of these channels, with one result of each.
    ///
    /// # Panics
    /// When a size of the kernel is 0, or there is no channel.
    #[track_caller]
    pub fn new(channels: usize, kernel: impl Into<PerAxis<D>>) -> DepthwiseConv<D> {
        let kernel = convolution::positive(Self::op(), "kernel", kernel.into().0);
        DepthwiseConv::made(at_least_1(Self::op(), "channels", channels), 1, kernel)
    }

    fn made(channels: usize, multiplier: usize, kernel: [usize; D]) -> DepthwiseConv<D> {
        DepthwiseConv { conv: Conv::apart(channels, multiplier, kernel) }
    }

    fn op() -> &'static str {
        ["depthwise_conv1d", "depthwise_conv2d"][D - 1]
    }

    /// The same with so many results of each channel; weights are drawn anew.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn depth_multiplier(self, multiplier: usize) -> DepthwiseConv<D> {
        let multiplier = at_least_1(Self::op(), "depth_multiplier", multiplier);
        let new = Conv::apart(self.conv.inputs(), multiplier, self.conv.kernel());
        DepthwiseConv { conv: self.conv.with_weights_of(new) }
    }

    /// The same with steps of this size between windows.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis<D>>) -> DepthwiseConv<D> {
        let stride = convolution::positive(Self::op(), "stride", stride.into().0);
        DepthwiseConv { conv: self.conv.stride(stride) }
    }

    /// The same with this many zeros around the input, or with [`Padding::Same`].
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding<D>>) -> DepthwiseConv<D> {
        DepthwiseConv { conv: self.conv.padding(padding) }
    }

    /// The same with something else than zeros where it pads.
    #[must_use]
    pub fn padding_mode(self, mode: PaddingMode) -> DepthwiseConv<D> {
        DepthwiseConv { conv: self.conv.padding_mode(mode) }
    }

    /// The same with this distance between the points of a window.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn dilation(self, dilation: impl Into<PerAxis<D>>) -> DepthwiseConv<D> {
        let dilation = convolution::positive(Self::op(), "dilation", dilation.into().0);
        DepthwiseConv { conv: self.conv.dilation(dilation) }
    }

    /// The same without a bias.
    #[must_use]
    pub fn no_bias(self) -> DepthwiseConv<D> {
        DepthwiseConv { conv: self.conv.no_bias() }
    }

    /// The same with its weight drawn by another initialiser and its bias zero.
    #[must_use]
    pub fn init(self, init: impl Init) -> DepthwiseConv<D> {
        DepthwiseConv { conv: self.conv.init(init) }
    }

    /// The convolution that it is, in groups.
    pub fn conv(&self) -> &Conv<D> {
        &self.conv
    }

    fn multiplier(&self) -> usize {
        self.conv.outputs() / self.conv.inputs().max(1)
    }
}

impl<const D: usize> Module for DepthwiseConv<D> {
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
        self.conv.visit(path, f);
    }
    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
        self.conv.visit_mut(path, f);
    }
}

impl<const D: usize> Layer for DepthwiseConv<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.conv.forward(x)
    }

    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        self.conv.forward_then(x, then)
    }

    fn name(&self) -> Cow<'static, str> {
        format!("DepthwiseConv{D}d").into()
    }

    fn describe(&self) -> String {
        let (settings, words) = convolution::settings(self.conv.options(), self.conv.mode());
        let (channels, outputs, kernel) = (self.conv.inputs(), self.conv.outputs(), by(self.conv.kernel()));
        let start = format!("DepthwiseConv{D}d({channels} → {outputs}, {kernel}");
        convolution::described(start, &settings, &words, 1, self.conv.bias.is_some())
    }

    fn entry(&self) -> Option<Entry> {
        let o = self.conv.options();
        let entry = Entry::new(Self::op())
            .with_option("kernel", self.conv.kernel())
            .with_option("stride", o.stride)
            .with_option("padding", o.padding)
            .with_option("dilation", o.dilation)
            .with_option("depth_multiplier", self.multiplier())
            .with_option("bias", self.conv.bias.is_some())
            .with_option("padding_mode", self.conv.mode().name());
        Some(self.conv.with_init(entry))
    }

    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(self.clone()))
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        self.conv.weighted()
    }
}

fn build<const D: usize>(args: &mut Args, input: &[usize]) -> Result<Box<dyn Layer>> {
    let (kernel, options) = read_moves::<D>(args)?;
    let multiplier: usize = count_option(args, "depth_multiplier", 1)?;
    let (channels, places) = convolution::places::<D>(args, input)?;
    let bias = args.get_or("bias", true)?;
    let mode = convolution::read_mode(args, &places, &kernel, &options)?;
    let init = init_option(args)?;
    let out = convolution::read_out(args, input, &kernel, &options)?;
    let outputs = channels.saturating_mul(multiplier);
    convolution::afford(args, &[&[outputs, 1][..], &kernel].concat(), outputs, bias, &out)?;
    let layer = DepthwiseConv::made(channels, multiplier, kernel).stride(options.stride);
    let layer = layer.padding(options.padding).dilation(options.dilation).padding_mode(mode);
    let layer = if bias { layer } else { layer.no_bias() };
    Ok(Box::new(match init {
        Some(init) => layer.init(init),
        None => layer,
    }))
}

const OPTIONS: [(&str, &str); 8] = [
    ("kernel", "the sizes of the window"),
    ("stride", "how far the window moves"),
    ("padding", "zeros around the input, or `\"same\"` for as many as keep its sizes"),
    ("dilation", "the distance of the window's places"),
    ("depth_multiplier", "how many results there are of each channel"),
    ("bias", "whether it has a bias"),
    (
        "padding_mode",
        "what is around the input: `\"zeros\"`, `\"reflect\"`, `\"replicate\"` or `\"circular\"`",
    ),
    ("init", "how its weights are drawn, instead of the layer's own way"),
];

pub(super) const KIND_1D: LayerKind =
    LayerKind::new("depthwise_conv1d", "One-dimensional convolution of each channel alone.", build::<1>)
        .options(&OPTIONS)
        .example(|| Entry::new("depthwise_conv1d").with_option("kernel", 2_usize));

pub(super) const KIND_2D: LayerKind =
    LayerKind::new("depthwise_conv2d", "Two-dimensional convolution of each channel alone.", build::<2>)
        .options(&OPTIONS)
        .example(|| Entry::new("depthwise_conv2d").with_option("kernel", 2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn depthwise_conv() {
        check_layer(|| DepthwiseConv1d::new(3, 2).stride(2)).gives([2, 3, 5], [2, 3, 2]);
        check_layer(|| DepthwiseConv2d::new(2, [3, 2]).padding([1, 0]).depth_multiplier(2).no_bias())
            .gives([1, 2, 3, 4], [1, 4, 3, 3]);
        check_layer(|| DepthwiseConv2d::new(1, 3).padding(Padding::Same).padding_mode(PaddingMode::Circular))
            .gives([1, 1, 3, 4], [1, 1, 3, 4]);
        let layer = DepthwiseConv2d::new(3, 3).depth_multiplier(2).dilation(2);
        assert_eq!(layer.describe(), "DepthwiseConv2d(3 → 6, 3×3, dilation 2)");
        let e = catch(|| DepthwiseConv1d::new(3, 3).depth_multiplier(0)).unwrap_err();
        assert_eq!(e.message(), "depthwise_conv1d: depth_multiplier must be at least 1, got 0");
    }
}

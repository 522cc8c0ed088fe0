//! Transposed convolutions of sequences, images and volumes: every number is spread over a window of something larger.

use super::{LayerKind, drawn_by, init_option};
use crate::convolution::{self, by};
use crate::init::Init;
use crate::{Layer, Module, Param, Weighted, budget};
use mapsto_spec::{Args, Entry};
use mapsto_tensor::ops::{ConvTransposeOptions, PerAxis};
use mapsto_tensor::{Result, Tensor};
use std::borrow::Cow;

/// The transpose of a [`Conv`](super::Conv) over `D` axes as a matrix, and so its gradient at the input:
/// `y[n, o, i·s + u·d − p, j·s + v·d − p]` is the sum of all `w[c, o, u, v] · x[n, c, i, j]` that fall on it, and `b[o]`, here for
/// two.
///
/// * Shape: `[n, inputs, h, w] → [n, outputs, h', w']` with `h' = (h − 1)s − 2p + d(k − 1) + 1 + output_padding`; one axis or three
///   likewise.
/// * Parameters: `weight` `[inputs, outputs/groups, kh, kw]` and `bias` `[outputs]`, both uniform in ±1/√fan with
///   `fan = outputs/groups · kh · kw`.
/// * PyTorch: `ConvTranspose1d`, `ConvTranspose2d` and `ConvTranspose3d`; Keras: `Conv1DTranspose`, `Conv2DTranspose` and
///   `Conv3DTranspose`, whose channels come last.
///
/// Source: Dumoulin, Visin (2016), A guide to convolution arithmetic for deep learning, arXiv:1603.07285, chapter 4.
/// ```
/// use mapsto_nn::prelude::*;
/// let spread = ConvTranspose2d::new(1, 1, [1, 2]).stride(2).no_bias().init(mapsto_nn::init::Ones);
/// assert_close!(spread.forward(&tensor![[[[1.0, 3.0]]]]).flatten(0), [1.0, 1.0, 3.0, 3.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct ConvTranspose<const D: usize> {
    /// The weight, `[inputs, outputs / groups, kernel..]`.
    pub weight: Param,
    /// The bias, `[outputs]`.
    pub bias: Option<Param>,
    #[module(skip)]
    options: ConvTransposeOptions<D>,
    /// How the weight was drawn, where it was in a way of its own.
    #[module(skip)]
    drawn: Option<Box<Entry>>,
}

/// Transposed convolution of sequences, `[n, inputs, length] → [n, outputs, length']`.
pub type ConvTranspose1d = ConvTranspose<1>;
/// Transposed convolution of images, `[n, inputs, h, w] → [n, outputs, h', w']`.
pub type ConvTranspose2d = ConvTranspose<2>;
/// Transposed convolution of volumes, `[n, inputs, d, h, w] → [n, outputs, d', h', w']`.
pub type ConvTranspose3d = ConvTranspose<3>;

impl<const D: usize> ConvTranspose<D> {
    /// From `inputs` to `outputs` channels with a kernel of the same size along each axis (`3`) or of others (`[3, 5]`).
    ///
    /// # Panics
    /// When a size of the kernel is 0.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<PerAxis<D>>) -> ConvTranspose<D> {
        let kernel = convolution::positive(Self::op(), "kernel", kernel.into().0);
        ConvTranspose::drawn(inputs, outputs, kernel, ConvTransposeOptions::default())
    }

    fn drawn(inputs: usize, inner: usize, kernel: [usize; D], options: ConvTransposeOptions<D>) -> Self {
        let shape = [&[inputs, inner][..], &kernel].concat();
        let (weight, bias) = convolution::drawn(&shape, inner.saturating_mul(options.groups));
        ConvTranspose { weight, bias, options, drawn: None }
    }

    fn op() -> &'static str {
        convolution::name(D, true)
    }

    /// The same with steps of this size between windows.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(mut self, stride: impl Into<PerAxis<D>>) -> ConvTranspose<D> {
        self.options.stride = convolution::positive(Self::op(), "stride", stride.into().0);
        self
    }

    /// The same with so many places of the result left out on each side.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<PerAxis<D>>) -> ConvTranspose<D> {
        self.options.padding = padding.into().0;
        self
    }

    /// The same with this distance between the points of a window.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<PerAxis<D>>) -> ConvTranspose<D> {
        self.options.dilation = convolution::positive(Self::op(), "dilation", dilation.into().0);
        self
    }

    /// The same with so many places more at the end of each axis, fewer than the stride or the dilation: which of the sizes that a
    /// convolution makes of both is meant.
    #[must_use]
    pub fn output_padding(mut self, more: impl Into<PerAxis<D>>) -> ConvTranspose<D> {
        self.options.output_padding = more.into().0;
        self
    }

    /// The same in groups of channels that do not see each other; weights are drawn anew.
    ///
    /// # Panics
    /// When the channels cannot be divided into that many groups.
    #[track_caller]
    #[must_use]
    pub fn groups(self, groups: usize) -> ConvTranspose<D> {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        convolution::divided(Self::op(), inputs, outputs, groups);
        let options = ConvTransposeOptions { groups, ..self.options };
        let new = ConvTranspose::drawn(inputs, outputs / groups, self.kernel(), options);
        ConvTranspose { bias: self.bias.and(new.bias), ..new }
    }

    /// The same without a bias.
    #[must_use]
    pub fn no_bias(self) -> ConvTranspose<D> {
        ConvTranspose { bias: None, ..self }
    }

    /// The same with its weight drawn by another initialiser and its bias zero.
    #[must_use]
    pub fn init(self, init: impl Init) -> ConvTranspose<D> {
        let (weight, bias, drawn) = convolution::redrawn(&self.weight, &self.bias, &init);
        ConvTranspose { weight, bias, drawn, ..self }
    }

    /// The number of input channels.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[0]
    }

    /// The number of output channels.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[1].saturating_mul(self.options.groups)
    }

    /// The sizes of the window.
    pub fn kernel(&self) -> [usize; D] {
        std::array::from_fn(|d| self.weight.shape()[2 + d])
    }
}

impl<const D: usize> Weighted for ConvTranspose<D> {
    fn weight(&self) -> &Param {
        &self.weight
    }
    fn output_axis(&self) -> usize {
        1
    }
    #[track_caller]
    fn forward_by(&self, x: &Tensor, weight: &Tensor) -> Tensor {
        self.options.convolve(x, weight, self.bias.as_deref())
    }
}

impl<const D: usize> Layer for ConvTranspose<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_by(x, &self.weight)
    }

    fn name(&self) -> Cow<'static, str> {
        format!("ConvTranspose{D}d").into()
    }

    fn describe(&self) -> String {
        let o = &self.options;
        let (inputs, outputs) = (self.inputs(), self.outputs());
        let start = format!("ConvTranspose{D}d({inputs} → {outputs}, {}", by(self.kernel()));
        let settings = [
            ("stride", o.stride, 1),
            ("padding", o.padding, 0),
            ("dilation", o.dilation, 1),
            ("output padding", o.output_padding, 0),
        ];
        convolution::described(start, &settings, "", o.groups, self.bias.is_some())
    }

    fn entry(&self) -> Option<Entry> {
        let o = &self.options;
        let entry = Entry::new(Self::op())
            .with_value(self.outputs())
            .with_option("kernel", self.kernel())
            .with_option("stride", o.stride)
            .with_option("padding", o.padding)
            .with_option("dilation", o.dilation)
            .with_option("output_padding", o.output_padding)
            .with_option("groups", o.groups)
            .with_option("bias", self.bias.is_some());
        Some(drawn_by(entry, &self.drawn))
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        Some(self)
    }
}

fn build<const D: usize>(args: &mut Args, input: &[usize]) -> Result<Box<dyn Layer>> {
    let outputs: usize = args.main()?;
    let kernel: [usize; D] = args.required("kernel")?;
    let stride: [usize; D] = args.get_or("stride", [1; D])?;
    let padding: [usize; D] = args.get_or("padding", [0; D])?;
    let dilation: [usize; D] = args.get_or("dilation", [1; D])?;
    let output_padding: [usize; D] = args.get_or("output_padding", [0; D])?;
    let (channels, places) = convolution::places::<D>(args, input)?;
    let groups = convolution::read_groups(args, channels, outputs)?;
    let bias = args.get_or("bias", true)?;
    let init = init_option(args)?;
    convolution::all_positive(args, &[("kernel", &kernel), ("stride", &stride), ("dilation", &dilation)])?;
    let options = ConvTransposeOptions { stride, padding, output_padding, dilation, groups };
    let out = options.out(kernel, places).map_err(|wrong| args.misfit("", wrong))?;
    let weight = [&[channels, outputs / groups][..], &kernel].concat();
    convolution::afford(args, &weight, outputs, bias, &out)?;
    budget::output(args, &[&[outputs][..], &kernel, &places].concat())?;
    if D == 3 {
        budget::output(args, &[&[outputs, kernel[0], places[0]][..], &out[1..]].concat())?;
    }
    let layer = ConvTranspose::drawn(channels, outputs / groups, kernel, options);
    let layer = if bias { layer } else { layer.no_bias() };
    Ok(Box::new(match init {
        Some(init) => layer.init(init),
        None => layer,
    }))
}

const OPTIONS: [(&str, &str); 9] = [
    ("", "the number of output channels"),
    ("kernel", "the sizes of the window"),
    ("stride", "how far the window moves"),
    ("padding", "places of the result that are left out on each side"),
    ("dilation", "the distance of the window's places"),
    ("output_padding", "places more at the end of each axis"),
    ("groups", "into how many parts the channels are divided, each on its own"),
    ("bias", "whether it has a bias"),
    ("init", "how its weights are drawn, instead of the layer's own way"),
];

pub(super) const KIND_1D: LayerKind = LayerKind::new(
    "conv_transpose1d",
    "Transposed convolution with the given number of output channels, which makes sequences longer.",
    build::<1>,
)
.options(&OPTIONS)
.example(|| Entry::new("conv_transpose1d").with_value(2_usize).with_option("kernel", 2_usize));

pub(super) const KIND_2D: LayerKind = LayerKind::new(
    "conv_transpose2d",
    "Transposed convolution with the given number of output channels, which makes images larger.",
    build::<2>,
)
.options(&OPTIONS)
.example(|| Entry::new("conv_transpose2d").with_value(2_usize).with_option("kernel", 2_usize));

pub(super) const KIND_3D: LayerKind = LayerKind::new(
    "conv_transpose3d",
    "Transposed convolution with the given number of output channels, which makes volumes larger.",
    build::<3>,
)
.options(&OPTIONS)
.example(|| Entry::new("conv_transpose3d").with_value(2_usize).with_option("kernel", 2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn conv_transpose() {
        check_layer(|| ConvTranspose2d::new(2, 3, 3).stride(2).padding(1).output_padding(1))
            .gives([2, 2, 2, 3], [2, 3, 4, 6]);
        check_layer(|| ConvTranspose2d::new(4, 2, [2, 1]).dilation(2).groups(2).no_bias())
            .gives([1, 4, 2, 2], [1, 2, 4, 2]);
        check_layer(|| ConvTranspose1d::new(2, 2, 3).stride(2).output_padding(1)).gives([2, 2, 3], [2, 2, 8]);
        check_layer(|| ConvTranspose3d::new(2, 2, [2, 1, 2]).stride([1, 2, 1]).groups(2))
            .gives([1, 2, 2, 2, 1], [1, 2, 3, 3, 2]);
    }

    #[test]
    fn what_does_not_fit_is_told_in_the_layers_own_name() {
        let layer = ConvTranspose2d::new(4, 2, 3).stride([2, 1]).padding([1, 0]).groups(2).no_bias();
        assert_eq!(
            layer.describe(),
            "ConvTranspose2d(4 → 2, 3×3, stride 2×1, padding 1×0, 2 groups, no bias)"
        );
        let e = catch(|| layer.forward(&Tensor::ones([1, 3, 2, 2]))).unwrap_err();
        assert!(e.message().starts_with("conv_transpose2d: "), "{e}");
        let e = catch(|| ConvTranspose2d::new(1, 1, 1).padding(3).forward(&Tensor::ones([1, 1, 2, 2])))
            .unwrap_err();
        assert!(e.message().contains("nothing is left of the image [2, 2] without 3 on each side"), "{e}");
        let e = catch(|| ConvTranspose1d::new(4, 6, 3).groups(4)).unwrap_err();
        assert_eq!(e.message(), "conv_transpose1d: 4 and 6 channels cannot be divided into 4 groups");
        let e = catch(|| ConvTranspose3d::new(1, 1, [2, 0, 1])).unwrap_err();
        assert!(e.message().starts_with("conv_transpose3d: "), "{e}");
        let entry = mapsto_spec::Entry::new("conv_transpose3d").with_value(1_usize);
        let entry = entry.with_option("kernel", 2_usize).with_option("output_padding", 1_usize);
        let e = ModelSpec::new([1, 2, 2, 2], [entry]).build().err().unwrap();
        assert!(
            e.message().contains("`output_padding` 1 is not less than the stride, 1, or the dilation, 1"),
            "{e}"
        );
    }
}

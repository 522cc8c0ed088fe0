//! Convolutions of sequences, images and volumes: the same small window of weights at every place.

use super::{LayerKind, drawn_by, init_option};
use crate::convolution::{self, PaddingMode, by, read_moves};
use crate::init::Init;
use crate::{Layer, Line, Module, Param, Then, Weighted, budget};
use mapsto_spec::{Args, Entry};
use mapsto_tensor::ops::{Conv2dOptions, Conv2dThen, ConvOptions, Padding, PerAxis};
use mapsto_tensor::{DType, Result, Tensor, autocast_dtype, is_recording};
use std::borrow::Cow;

/// Convolution over `D` axes (as everywhere in this field, a cross-correlation):
/// `y[n, o, i, j] = b[o] + Σ w[o, c, u, v] · x[n, c, i·s + u·d − p, j·s + v·d − p]`, here for two.
///
/// * Shape: `[n, inputs, h, w] → [n, outputs, h', w']` with `h' = (h + 2p − d(k − 1) − 1)/s + 1`, rounded down; one axis or three
///   likewise.
/// * Parameters: `weight` `[outputs, inputs/groups, kh, kw]` and `bias` `[outputs]`, both uniform in ±1/√fan_in where
///   `fan_in = inputs/groups · kh · kw`.
/// * PyTorch: `Conv1d`, `Conv2d` and `Conv3d`; Keras: `Conv1D`, `Conv2D` and `Conv3D`, whose channels come last.
/// ```
/// use mapsto_nn::prelude::*;
/// let conv = Conv2d::new(1, 32, 3).stride(2).padding(1);
/// assert_eq!(conv.forward(&Tensor::zeros([8, 1, 28, 28])).shape(), [8, 32, 14, 14]);
/// let sum = Conv2d::new(1, 1, 2).no_bias().init(mapsto_nn::init::Ones);
/// assert_close!(sum.forward(&tensor![[[[1.0, 2.0], [3.0, 4.0]]]]).flatten(0), [10.0]);
/// let sum = Conv1d::new(1, 1, 2).no_bias().init(mapsto_nn::init::Ones);
/// assert_close!(sum.forward(&tensor![[[1.0, 2.0, 4.0]]]), [[[3.0, 6.0]]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Conv<const D: usize> {
    /// The weight, `[outputs, inputs / groups, kernel..]`.
    pub weight: Param,
    /// The bias, `[outputs]`.
    pub bias: Option<Param>,
    #[module(skip)]
    options: ConvOptions<D>,
    #[module(skip)]
    mode: PaddingMode,
    /// How the weight was drawn, where it was in a way of its own.
    #[module(skip)]
    drawn: Option<Box<Entry>>,
}

/// Convolution of sequences, `[n, inputs, length] → [n, outputs, length']`.
pub type Conv1d = Conv<1>;
/// Convolution of images, `[n, inputs, h, w] → [n, outputs, h', w']`.
pub type Conv2d = Conv<2>;
/// Convolution of volumes, `[n, inputs, d, h, w] → [n, outputs, d', h', w']`.
pub type Conv3d = Conv<3>;

impl<const D: usize> Conv<D> {
    /// A convolution from `inputs` to `outputs` channels with a kernel of the same size along each axis (`3`) or of others
    /// (`[3, 5]`).
    ///
    /// # Panics
    /// When a size of the kernel is 0.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<PerAxis<D>>) -> Conv<D> {
        let kernel = convolution::positive(Self::op(), "kernel", kernel.into().0);
        Conv::drawn(outputs, inputs, kernel, ConvOptions::default())
    }

    fn drawn(outputs: usize, inner: usize, kernel: [usize; D], options: ConvOptions<D>) -> Conv<D> {
        let shape = [&[outputs, inner][..], &kernel].concat();
        let (weight, bias) = convolution::drawn(&shape, outputs);
        Conv { weight, bias, options, mode: PaddingMode::Zeros, drawn: None }
    }

    fn op() -> &'static str {
        convolution::name(D, false)
    }

    /// The same with steps of this size between windows.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(mut self, stride: impl Into<PerAxis<D>>) -> Conv<D> {
        self.options.stride = convolution::positive(Self::op(), "stride", stride.into().0);
        self
    }

    /// The same with this many zeros around the input, or with [`Padding::Same`], as many as keep its sizes.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding<D>>) -> Conv<D> {
        self.options.padding = padding.into();
        self
    }

    /// The same with something else than zeros where it pads.
    #[must_use]
    pub fn padding_mode(self, mode: PaddingMode) -> Conv<D> {
        Conv { mode, ..self }
    }

    /// The same with this distance between the points of a window.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<PerAxis<D>>) -> Conv<D> {
        self.options.dilation = convolution::positive(Self::op(), "dilation", dilation.into().0);
        self
    }

    /// The same in groups of channels that do not see each other; weights are drawn anew, for their fan-in changes.
    ///
    /// # Panics
    /// When the channels cannot be divided into that many groups.
    #[track_caller]
    #[must_use]
    pub fn groups(self, groups: usize) -> Conv<D> {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        convolution::divided(Self::op(), inputs, outputs, groups);
        let options = ConvOptions { groups, ..self.options };
        let new = Conv::drawn(outputs, inputs / groups, self.kernel(), options);
        self.with_weights_of(new)
    }

    /// The same without a bias.
    #[must_use]
    pub fn no_bias(self) -> Conv<D> {
        Conv { bias: None, ..self }
    }

    /// The same with its weight drawn by another initialiser and its bias zero.
    #[must_use]
    pub fn init(self, init: impl Init) -> Conv<D> {
        let (weight, bias, drawn) = convolution::redrawn(&self.weight, &self.bias, &init);
        Conv { weight, bias, drawn, ..self }
    }

    /// The number of input channels.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[1].saturating_mul(self.options.groups)
    }

    /// The number of output channels.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[0]
    }

    /// The sizes of the window.
    pub fn kernel(&self) -> [usize; D] {
        std::array::from_fn(|d| self.weight.shape()[2 + d])
    }

    /// Each of these channels with so many results of its own.
    pub(super) fn apart(channels: usize, multiplier: usize, kernel: [usize; D]) -> Conv<D> {
        let options = ConvOptions { groups: channels, ..ConvOptions::default() };
        Conv::drawn(channels.saturating_mul(multiplier), 1, kernel, options)
    }

    /// The same with fresh weights of another one, which differs in its channels.
    pub(super) fn with_weights_of(self, new: Conv<D>) -> Conv<D> {
        let options = ConvOptions { groups: new.options.groups, ..self.options };
        Conv { weight: new.weight, bias: self.bias.and(new.bias), options, drawn: None, ..self }
    }

    pub(super) fn options(&self) -> &ConvOptions<D> {
        &self.options
    }

    pub(super) fn mode(&self) -> PaddingMode {
        self.mode
    }

    /// The entry of a layer that is this one, with the way in which its weight was drawn.
    pub(super) fn with_init(&self, entry: Entry) -> Entry {
        drawn_by(entry, &self.drawn)
    }

    #[track_caller]
    fn bordered(&self, x: &Tensor) -> (Tensor, ConvOptions<D>) {
        convolution::bordered(self.mode, x, &self.kernel(), self.options)
    }

    /// The shape of the output for an input that fits.
    fn output(&self, x: &Tensor) -> Option<Vec<usize>> {
        let sizes = <[usize; D]>::try_from(x.shape().get(2..)?).ok()?;
        let out = self.options.out(self.kernel(), sizes)?;
        Some([&[x.shape()[0], self.outputs()][..], &out].concat())
    }
}

/// The options of a convolution that is known to be one of images.
fn of_images<const D: usize>(options: &ConvOptions<D>) -> Conv2dOptions {
    let two = |sizes: [usize; D]| [sizes[0], sizes[1]];
    let padding = match options.padding {
        Padding::Each(each) => Padding::Each(two(each)),
        Padding::Same => Padding::Same,
    };
    ConvOptions {
        stride: two(options.stride),
        padding,
        dilation: two(options.dilation),
        groups: options.groups,
    }
}

impl<const D: usize> Weighted for Conv<D> {
    fn weight(&self) -> &Param {
        &self.weight
    }
    #[track_caller]
    fn forward_by(&self, x: &Tensor, weight: &Tensor) -> Tensor {
        let (x, options) = self.bordered(x);
        options.convolve(&x, weight, self.bias.as_deref())
    }
}

impl<const D: usize> Layer for Conv<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_by(x, &self.weight)
    }

    /// A norm, a sum and a ReLU, as many of them as follow in this order, after a convolution of images. A norm and a sum run in a pass
    /// of their own while something is recorded, since the convolution has no kernel for their derivatives, and in half precision, where
    /// that pass rounds its input.
    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        if D != 2 {
            return (self.forward(x), 0);
        }
        let mut follows = self.bias.as_deref().map_or(Conv2dThen::new(), |b| Conv2dThen::new().bias(b));
        let (mut taken, mut line) = (0, None);
        let exact = !is_recording()
            && matches!(x.dtype(), DType::F32 | DType::F64)
            && autocast_dtype().is_none()
            && x.device().backend().is_host();
        if let (true, Some(Then::Norm(norm))) = (exact, then.first()) {
            let fits = |t: &Tensor| t.shape() == [self.outputs()] && t.dtype() == x.dtype();
            line = norm.line().filter(|l| [&l.mean, &l.scale, &l.shift].into_iter().all(fits));
        }
        if let Some(Line { mean, scale, shift }) = &line {
            (follows, taken) = (follows.norm(mean, scale, shift), 1);
        }
        let next = |taken: usize| then.get(taken);
        if let (true, Some(Then::Plus(around))) = (exact, next(taken))
            && around.dtype() == x.dtype()
            && self.output(x).is_some_and(|shape| around.shape() == shape)
        {
            (follows, taken) = (follows.plus(around), taken + 1);
        }
        if next(taken).is_some_and(Then::is_relu) {
            (follows, taken) = (follows.relu(), taken + 1);
        }
        let (x, options) = self.bordered(x);
        (x.conv2d_then(&self.weight, of_images(&options), follows), taken)
    }

    fn name(&self) -> Cow<'static, str> {
        format!("Conv{D}d").into()
    }

    fn describe(&self) -> String {
        let (settings, words) = convolution::settings(&self.options, self.mode);
        let start = format!("Conv{D}d({} → {}, {}", self.inputs(), self.outputs(), by(self.kernel()));
        convolution::described(start, &settings, &words, self.options.groups, self.bias.is_some())
    }

    fn entry(&self) -> Option<Entry> {
        let o = &self.options;
        let entry = Entry::new(Self::op())
            .with_value(self.outputs())
            .with_option("kernel", self.kernel())
            .with_option("stride", o.stride)
            .with_option("padding", o.padding)
            .with_option("dilation", o.dilation)
            .with_option("groups", o.groups)
            .with_option("bias", self.bias.is_some())
            .with_option("padding_mode", self.mode.name());
        Some(drawn_by(entry, &self.drawn))
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        Some(self)
    }
}

fn build<const D: usize>(args: &mut Args, input: &[usize]) -> Result<Box<dyn Layer>> {
    let outputs: usize = args.main()?;
    let (kernel, options) = read_moves::<D>(args)?;
    let (channels, places) = convolution::places::<D>(args, input)?;
    let groups = convolution::read_groups(args, channels, outputs)?;
    let bias = args.get_or("bias", true)?;
    let mode = convolution::read_mode(args, &places, &kernel, &options)?;
    let init = init_option(args)?;
    let out = convolution::read_out(args, input, &kernel, &options)?;
    let weight = [&[outputs, channels / groups][..], &kernel].concat();
    convolution::afford(args, &weight, outputs, bias, &out)?;
    if D == 3 {
        // The windows over depth, written side by side.
        budget::output(args, &[&[channels, kernel[0], out[0]][..], &places[1..]].concat())?;
    }
    let layer = Conv::drawn(outputs, channels / groups, kernel, ConvOptions { groups, ..options });
    let layer = if bias { layer } else { layer.no_bias() }.padding_mode(mode);
    Ok(Box::new(match init {
        Some(init) => layer.init(init),
        None => layer,
    }))
}

pub(super) const KIND_1D: LayerKind = LayerKind::new(
    "conv1d",
    "One-dimensional convolution with the given number of output channels.",
    build::<1>,
)
.options(&convolution::OPTIONS)
.example(|| Entry::new("conv1d").with_value(2_usize).with_option("kernel", 2_usize));

pub(super) const KIND_2D: LayerKind = LayerKind::new(
    "conv2d",
    "Two-dimensional convolution with the given number of output channels.",
    build::<2>,
)
.options(&convolution::OPTIONS)
.example(|| Entry::new("conv2d").with_value(2_usize).with_option("kernel", 2_usize));

pub(super) const KIND_3D: LayerKind = LayerKind::new(
    "conv3d",
    "Three-dimensional convolution with the given number of output channels.",
    build::<3>,
)
.options(&convolution::OPTIONS)
.example(|| Entry::new("conv3d").with_value(2_usize).with_option("kernel", 2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, Json, check_entry};

    #[test]
    fn conv1d() {
        check_layer(|| Conv1d::new(2, 3, 3).padding(1)).gives([2, 2, 5], [2, 3, 5]);
        check_layer(|| Conv1d::new(2, 4, 2).stride(2).dilation(2).groups(2).no_bias())
            .gives([1, 2, 7], [1, 4, 3]);
        let conv = Conv1d::new(4, 8, 3).groups(2).stride(2).no_bias();
        assert_eq!(conv.describe(), "Conv1d(4 → 8, 3, stride 2, 2 groups, no bias)");
        let e = catch(|| conv.forward(&Tensor::ones([1, 5, 4]))).unwrap_err();
        assert!(e.message().starts_with("conv1d: channels differ: x [1, 5, 4]"), "{e}");
    }

    #[test]
    fn conv2d() {
        check_layer(|| Conv2d::new(2, 3, 3).padding(1)).gives([2, 2, 5, 4], [2, 3, 5, 4]);
        check_layer(|| Conv2d::new(2, 4, [3, 2]).stride(2).groups(2)).gives([1, 2, 7, 6], [1, 4, 3, 3]);
        check_layer(|| Conv2d::new(1, 2, 2).dilation(2).no_bias()).gives([2, 1, 5, 5], [2, 2, 3, 3]);
    }

    #[test]
    fn conv3d() {
        check_layer(|| Conv3d::new(2, 2, [2, 1, 3]).padding([1, 0, 1]))
            .gives([1, 2, 2, 2, 3], [1, 2, 3, 2, 3]);
        check_layer(|| Conv3d::new(2, 4, 2).stride([2, 1, 1]).groups(2).no_bias())
            .gives([2, 2, 3, 2, 3], [2, 4, 1, 1, 2]);
        let e = catch(|| Conv3d::new(1, 1, 2).stride([1, 0, 1])).unwrap_err();
        assert!(e.message().starts_with("conv3d: "), "{e}");
        let e = catch(|| Conv3d::new(1, 1, 2).forward(&Tensor::ones([1, 1, 4, 4]))).unwrap_err();
        assert!(e.message().starts_with("conv3d: the input must be [n, c, d, h, w]"), "{e}");
    }

    #[test]
    fn borders() {
        let same = Padding::Same;
        check_layer(move || Conv1d::new(1, 2, 4).padding(same)).gives([2, 1, 5], [2, 2, 5]);
        check_layer(move || {
            Conv2d::new(1, 1, [2, 3])
                .padding(Padding::Same)
                .dilation([1, 2])
                .padding_mode(PaddingMode::Reflect)
        })
        .gives([1, 1, 3, 4], [1, 1, 3, 4]);
        check_layer(|| Conv3d::new(1, 1, 3).padding([1, 0, 2]).padding_mode(PaddingMode::Circular))
            .gives([1, 1, 2, 3, 2], [1, 1, 2, 1, 4]);
        check_layer(|| Conv1d::new(1, 1, 3).padding(4).padding_mode(PaddingMode::Replicate))
            .gives([1, 1, 2], [1, 1, 8]);
        let conv = Conv1d::new(1, 1, 3).padding(3).padding_mode(PaddingMode::Reflect);
        assert_eq!(conv.describe(), "Conv1d(1 → 1, 3, padding 3, reflect)");
        let e = catch(|| conv.forward(&Tensor::ones([1, 1, 3]))).unwrap_err();
        assert_eq!(
            e.message(),
            "conv1d: a side of 3 has no 3 places for a padding of mode \"reflect\", but 2: the input is [1, 1, 3]"
        );
        let e = catch(|| {
            Conv2d::new(1, 1, 3).padding(Padding::Same).stride(2).forward(&Tensor::ones([1, 1, 5, 5]))
        });
        assert!(e.unwrap_err().message().starts_with("conv2d: the padding that keeps sizes the same needs"));
        for (padding, mode) in [("same", "reflect"), ("same", "zeros"), ("valid", "circular")] {
            let entry = entry(2, 3).with_option("padding_mode", mode);
            let layer = ModelSpec::new([1, 6, 6], [entry.clone().with_option("padding", padding)]);
            let size = if padding == "same" { 6 } else { 4 };
            assert_eq!(layer.shapes().unwrap(), [[2, size, size]]);
            if padding == "same" {
                check_entry::<dyn Layer>(&entry.with_option("padding", padding), &[1, 6, 6]);
            }
        }
    }

    #[test]
    fn groups_keep_channels_apart_and_description_says_so() {
        let conv = Conv2d::new(4, 8, 3).groups(2).stride([1, 2]).no_bias();
        assert_eq!(conv.weight.shape(), [8, 2, 3, 3]);
        assert_eq!(conv.describe(), "Conv2d(4 → 8, 3×3, stride 1×2, 2 groups, no bias)");
        let error = catch(|| Conv2d::new(4, 8, 3).groups(3)).unwrap_err();
        assert_eq!(error.message(), "conv2d: 4 and 8 channels cannot be divided into 3 groups");
        let error = catch(|| Conv3d::new(4, 8, 3).groups(3)).unwrap_err();
        assert_eq!(error.message(), "conv3d: 4 and 8 channels cannot be divided into 3 groups");
    }

    fn entry(outputs: usize, kernel: usize) -> Entry {
        Entry::new("conv2d").with_value(outputs).with_option("kernel", kernel)
    }

    #[test]
    fn a_cnn_is_built_from_a_file() {
        let conv = |n: usize| entry(n, 3).with_option("padding", 1_usize);
        let linear = |n: usize| Entry::new("linear").with_value(n);
        let pool = || Entry::new("max_pool2d").with_value(2_usize);
        let relu = || Entry::new("relu");
        let layers = vec![
            conv(32),
            relu(),
            pool(),
            conv(64),
            relu(),
            pool(),
            Entry::new("flatten"),
            linear(128),
            relu(),
            Entry::new("dropout").with_value(0.5),
            linear(10),
        ];
        let spec = ModelSpec::new([1, 28, 28], layers);
        let shapes = spec.shapes().unwrap();
        assert_eq!(
            (&shapes[2][..], &shapes[6][..], &shapes[10][..]),
            (&[32, 14, 14][..], &[3136][..], &[10][..])
        );
        assert_eq!(spec.parameter_count().unwrap(), 320 + 18496 + 3136 * 128 + 128 + 1290);
        assert_eq!(
            spec.rendered().unwrap().layers[0].to_string(),
            "{ conv2d = 32, kernel = 3, stride = 1, padding = 1, dilation = 1, groups = 1, bias = true, \
             padding_mode = \"zeros\" }"
        );
        let again = ModelSpec::from_json(&Json::parse(&spec.to_json().to_string()).unwrap()).unwrap();
        assert_eq!(again, spec);
    }

    #[test]
    fn what_a_file_cannot_mean_is_explained() {
        let error = |e: Entry| ModelSpec::new([1, 4, 4], [e]).build().expect_err("an error").to_string();
        assert!(error(entry(4, 9)).contains("a window of 9 does not fit the padded image [1, 4, 4] of 4"));
        assert!(
            error(entry(4, 3).with_option("groups", 3_usize)).contains("cannot be divided into 3 groups")
        );
        assert!(error(entry(1 << 40, 3)).contains("is too large"));
        assert!(error(entry(1, 3).with_option("padding", 1_usize << 40)).contains("is too large"));
        let same = entry(1, 3).with_option("padding", "same");
        assert!(
            error(same.clone().with_option("stride", 2_usize))
                .contains("`padding = \"same\"` needs a stride of 1")
        );
        assert!(error(same.with_option("padding_mode", "mirror")).contains("one of zeros, reflect"));
        let wide = entry(1, 3).with_option("padding", 5_usize).with_option("padding_mode", "circular");
        assert!(error(wide).contains("a side of 4 has no 5 places for a padding of mode \"circular\""));
        assert!(
            error(entry(1, 3).with_option("padding", "full"))
                .contains("a whole number, a pair of them, or `\"same\"`")
        );
        let volume = Entry::new("conv3d").with_value(1_usize).with_option("kernel", 2_usize);
        assert!(
            error(volume).contains("the input should be [channels, depth, height, width], it is [1, 4, 4]")
        );
    }
}

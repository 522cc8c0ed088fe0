//! The two-dimensional convolution: the same small window of weights at every place of an image.

use super::{LayerKind, drawn_by, image, init_option};
use crate::budget;
use crate::init::{Init, Uniform, fans};
use crate::{Layer, Line, Module, Param, Then};
use mapsto_spec::{Entry, at_least_1};
use mapsto_tensor::ops::{Conv2dOptions, Conv2dThen, Size2};
use mapsto_tensor::{DType, Tensor, autocast_dtype, is_recording};

/// Two-dimensional convolution (as everywhere in this field, a cross-correlation):
/// `y[n, o, i, j] = b[o] + Σ w[o, c, u, v] · x[n, c, i·s + u·d − p, j·s + v·d − p]`.
///
/// * Shape: `[n, inputs, h, w] → [n, outputs, h', w']` with `h' = (h + 2p − d(k − 1) − 1)/s + 1`, rounded down.
/// * Parameters: `weight` `[outputs, inputs/groups, kh, kw]` and `bias` `[outputs]`, both uniform in ±1/√fan_in where
///   `fan_in = inputs/groups · kh · kw`.
/// ```
/// use mapsto_nn::prelude::*;
/// let conv = Conv2d::new(1, 32, 3).stride(2).padding(1);
/// assert_eq!(conv.forward(&Tensor::zeros([8, 1, 28, 28])).shape(), [8, 32, 14, 14]);
/// let sum = Conv2d::new(1, 1, 2).no_bias().init(mapsto_nn::init::Ones);
/// assert_close!(sum.forward(&tensor![[[[1.0, 2.0], [3.0, 4.0]]]]).flatten(0), [10.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Conv2d {
    /// The weight, `[outputs, inputs / groups, kh, kw]`.
    pub weight: Param,
    /// The bias, `[outputs]`.
    pub bias: Option<Param>,
    #[module(skip)]
    options: Conv2dOptions,
    /// How the weight was drawn, where it was in a way of its own.
    #[module(skip)]
    drawn: Option<Box<Entry>>,
}

impl Conv2d {
    /// A convolution from `inputs` to `outputs` channels with a square kernel (`3`) or another (`[3, 5]`).
    ///
    /// # Panics
    /// When a side of the kernel is 0.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<Size2>) -> Conv2d {
        let [kh, kw] = kernel.into().0.map(|n| at_least_1("conv2d", "kernel", n));
        Conv2d::drawn([outputs, inputs, kh, kw], Conv2dOptions::default())
    }

    fn drawn(shape: [usize; 4], options: Conv2dOptions) -> Conv2d {
        let init = Uniform::symmetric(1.0 / (fans(&shape).0.max(1) as f64).sqrt());
        Conv2d {
            weight: Param::new(init.tensor(&shape)),
            bias: Some(Param::new(init.tensor(&shape[..1]))),
            options,
            drawn: None,
        }
    }

    /// The same with steps of this size between windows.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Size2>) -> Conv2d {
        self.options.stride = stride.into().0.map(|n| at_least_1("conv2d", "stride", n));
        self
    }

    /// The same with this many zeros around the image.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Size2>) -> Conv2d {
        self.options.padding = padding.into().0;
        self
    }

    /// The same with this distance between the points of a window.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Size2>) -> Conv2d {
        self.options.dilation = dilation.into().0.map(|n| at_least_1("conv2d", "dilation", n));
        self
    }

    /// The same in groups of channels that do not see each other; weights are drawn anew, for their fan-in changes.
    ///
    /// # Panics
    /// When the channels cannot be divided into that many groups.
    #[track_caller]
    #[must_use]
    pub fn groups(self, groups: usize) -> Conv2d {
        let (inputs, [outputs, _, kh, kw]) = (self.inputs(), self.weight.dims());
        if groups == 0 || !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            mapsto_tensor::fail!(
                "conv2d",
                "{inputs} and {outputs} channels cannot be divided into {groups} groups"
            );
        }
        let new = Conv2d::drawn([outputs, inputs / groups, kh, kw], Conv2dOptions { groups, ..self.options });
        if self.bias.is_some() { new } else { new.no_bias() }
    }

    /// The same without a bias.
    #[must_use]
    pub fn no_bias(self) -> Conv2d {
        Conv2d { bias: None, ..self }
    }

    /// The same with its weight drawn by another initialiser and its bias zero.
    #[must_use]
    pub fn init(self, init: impl Init) -> Conv2d {
        let bias = self.bias.as_ref().map(|b| Param::new(Tensor::zeros(b.shape())));
        let drawn = init.entry().map(Box::new);
        Conv2d { weight: Param::new(init.tensor(self.weight.shape())), bias, drawn, ..self }
    }

    fn biased(&self) -> Conv2dThen<'_> {
        self.bias.as_deref().map_or(Conv2dThen::new(), |b| Conv2dThen::new().bias(b))
    }

    /// The shape of the output for an input that fits.
    fn output(&self, x: &Tensor) -> Option<[usize; 4]> {
        let (o, [_, _, kh, kw]) = (&self.options, self.weight.dims());
        let &[n, _, h, w] = x.shape() else { return None };
        let along = |axis: usize, size: usize, k: usize| {
            let reach = o.dilation[axis].checked_mul(k - 1)?.checked_add(1)?;
            let size = o.padding[axis].checked_mul(2)?.checked_add(size)?;
            Some(size.checked_sub(reach)? / o.stride[axis] + 1)
        };
        Some([n, self.outputs(), along(0, h, kh)?, along(1, w, kw)?])
    }

    /// The number of input channels.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[1].saturating_mul(self.options.groups)
    }

    /// The number of output channels.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[0]
    }
}

impl Layer for Conv2d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.conv2d_then(&self.weight, self.options, self.biased())
    }

    /// A norm, a sum and a ReLU, as many of them as follow in this order. A norm and a sum run in a pass of their own while something is
    /// recorded, since the convolution has no kernel for their derivatives, and in half precision and under `autocast`,
    /// where that pass rounds its input.
    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        let (mut follows, mut taken, mut line) = (self.biased(), 0, None);
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
        (x.conv2d_then(&self.weight, self.options, follows), taken)
    }

    fn describe(&self) -> String {
        let (o, [_, _, kh, kw]) = (&self.options, self.weight.dims());
        let mut text = format!("Conv2d({} → {}, {}", self.inputs(), self.outputs(), by([kh, kw]));
        for (name, value, default) in
            [("stride", o.stride, 1), ("padding", o.padding, 0), ("dilation", o.dilation, 1)]
        {
            if value[0] == value[1] && value[0] != default {
                text += &format!(", {name} {}", value[0]);
            } else if value != [default; 2] {
                text += &format!(", {name} {}", by(value));
            }
        }
        if o.groups != 1 {
            text += &format!(", {} groups", o.groups);
        }
        text + if self.bias.is_some() { ")" } else { ", no bias)" }
    }

    fn entry(&self) -> Option<Entry> {
        let (o, [_, _, kh, kw]) = (&self.options, self.weight.dims());
        let entry = Entry::new(KIND.name)
            .with_value(self.outputs())
            .with_option("kernel", [kh, kw])
            .with_option("stride", o.stride)
            .with_option("padding", o.padding)
            .with_option("dilation", o.dilation)
            .with_option("groups", o.groups)
            .with_option("bias", self.bias.is_some());
        Some(drawn_by(entry, &self.drawn))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "conv2d",
    "Two-dimensional convolution with the given number of output channels.",
    |args, input| {
        let outputs: usize = args.main()?;
        let kernel: [usize; 2] = args.required("kernel")?;
        let stride: [usize; 2] = args.get_or("stride", [1, 1])?;
        let padding: [usize; 2] = args.get_or("padding", [0, 0])?;
        let dilation: [usize; 2] = args.get_or("dilation", [1, 1])?;
        let groups: usize = args.get_or("groups", 1)?;
        let bias = args.get_or("bias", true)?;
        let init = init_option(args)?;
        let [channels, h, w] = image(args, input)?;
        if groups == 0 || !channels.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            let message = format!("{channels} and {outputs} channels cannot be divided into {groups} groups");
            return Err(args.misfit("groups", message));
        }
        for (name, value) in [("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
            if value.contains(&0) {
                return Err(args.error(name, format!("`{name}` must be at least 1, got 0")));
            }
        }
        let mut out = [0; 2];
        for axis in 0..2 {
            let size = padding[axis].saturating_mul(2).saturating_add([h, w][axis]);
            let reach = dilation[axis].saturating_mul(kernel[axis] - 1).saturating_add(1);
            if reach > size {
                let message =
                    format!("a window of {reach} does not fit the padded image {input:?} of {size}");
                return Err(args.misfit("kernel", message));
            }
            out[axis] = (size - reach) / stride[axis] + 1;
        }
        budget::weight(args, &[outputs, channels / groups, kernel[0], kernel[1]])?;
        if bias {
            budget::weight(args, &[outputs])?;
        }
        budget::output(args, &[outputs, out[0], out[1]])?;
        let mut layer = Conv2d::new(channels / groups, outputs, kernel);
        layer.options = Conv2dOptions { stride, padding, dilation, groups };
        let layer = if bias { layer } else { layer.no_bias() };
        Ok(Box::new(match init {
            Some(init) => layer.init(init),
            None => layer,
        }))
    },
)
.options(&[
    ("", "the number of output channels"),
    ("kernel", "the height and width of the window"),
    ("stride", "how far the window moves"),
    ("padding", "rows and columns of zeros around the image"),
    ("dilation", "the distance of the window's rows and columns"),
    ("groups", "into how many parts the channels are divided, each on its own"),
    ("bias", "whether it has a bias"),
    ("init", "how its weights are drawn, instead of the layer's own way"),
])
.example(|| Entry::new("conv2d").with_value(2_usize).with_option("kernel", 2_usize));

/// A pair of sizes as it is spoken: `3×3`.
pub(crate) fn by(pair: [usize; 2]) -> String {
    format!("{}×{}", pair[0], pair[1])
}

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, Json};

    #[test]
    fn conv2d() {
        check_layer(|| Conv2d::new(2, 3, 3).padding(1)).gives([2, 2, 5, 4], [2, 3, 5, 4]);
        check_layer(|| Conv2d::new(2, 4, [3, 2]).stride(2).groups(2)).gives([1, 2, 7, 6], [1, 4, 3, 3]);
        check_layer(|| Conv2d::new(1, 2, 2).dilation(2).no_bias()).gives([2, 1, 5, 5], [2, 2, 3, 3]);
    }

    #[test]
    fn groups_keep_channels_apart_and_description_says_so() {
        let conv = Conv2d::new(4, 8, 3).groups(2).stride([1, 2]).no_bias();
        assert_eq!(conv.weight.shape(), [8, 2, 3, 3]);
        assert_eq!(conv.describe(), "Conv2d(4 → 8, 3×3, stride 1×2, 2 groups, no bias)");
        let error = catch(|| Conv2d::new(4, 8, 3).groups(3)).unwrap_err();
        assert_eq!(error.message(), "conv2d: 4 and 8 channels cannot be divided into 3 groups");
    }

    fn entry(outputs: usize, kernel: usize) -> Entry {
        Entry::new("conv2d").with_value(outputs).with_option("kernel", kernel)
    }

    #[test]
    fn the_spec_of_the_first_example_builds_with_the_right_shapes() {
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
            "{ conv2d = 32, kernel = 3, stride = 1, padding = 1, dilation = 1, groups = 1, bias = true }"
        );
        let again = ModelSpec::from_json(&Json::parse(&spec.to_json().to_string()).unwrap()).unwrap();
        assert_eq!(again, spec);
    }

    #[test]
    fn a_window_that_does_not_fit_is_explained() {
        let error = |e: Entry| ModelSpec::new([1, 4, 4], [e]).build().expect_err("an error").to_string();
        assert!(error(entry(4, 9)).contains("a window of 9 does not fit the padded image [1, 4, 4] of 4"));
        assert!(
            error(entry(4, 3).with_option("groups", 3_usize)).contains("cannot be divided into 3 groups")
        );
        assert!(error(entry(1 << 40, 3)).contains("is too large"));
        assert!(error(entry(1, 3).with_option("padding", 1_usize << 40)).contains("is too large"));
    }
}

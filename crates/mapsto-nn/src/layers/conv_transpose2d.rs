//! The transposed convolution: every number of an image is spread over a window of a larger one.

use super::{LayerKind, by, drawn_by, image, init_option};
use crate::init::{Init, Uniform, fans};
use crate::{Layer, Module, Param, budget};
use mapsto_spec::{Entry, at_least_1, count_option};
use mapsto_tensor::autocast::low;
use mapsto_tensor::ops::{Size2, Window};
use mapsto_tensor::{Tensor, fail};

/// The transpose of a [`Conv2d`](super::Conv2d) as a matrix, and so its gradient at the input:
/// `y[n, o, i·s + u·d − p, j·s + v·d − p]` is the sum of all `w[c, o, u, v] · x[n, c, i, j]` that fall on it, and `b[o]`.
///
/// * Shape: `[n, inputs, h, w] → [n, outputs, h', w']` with `h' = (h − 1)s − 2p + d(k − 1) + 1 + output_padding`.
/// * Parameters: `weight` `[inputs, outputs/groups, kh, kw]` and `bias` `[outputs]`, both uniform in ±1/√fan with
///   `fan = outputs/groups · kh · kw`.
/// * PyTorch: `ConvTranspose2d`; Keras: `Conv2DTranspose`, whose channels come last.
///
/// Source: Dumoulin, Visin (2016), A guide to convolution arithmetic for deep learning, arXiv:1603.07285, chapter 4.
/// ```
/// use mapsto_nn::prelude::*;
/// let spread = ConvTranspose2d::new(1, 1, [1, 2]).stride(2).no_bias().init(mapsto_nn::init::Ones);
/// assert_close!(spread.forward(&tensor![[[[1.0, 3.0]]]]).flatten(0), [1.0, 1.0, 3.0, 3.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct ConvTranspose2d {
    /// The weight, `[inputs, outputs / groups, kh, kw]`.
    pub weight: Param,
    /// The bias, `[outputs]`.
    pub bias: Option<Param>,
    #[module(skip)]
    window: Window,
    #[module(skip)]
    more: [usize; 2],
    #[module(skip)]
    groups: usize,
    /// How the weight was drawn, where it was in a way of its own.
    #[module(skip)]
    drawn: Option<Box<Entry>>,
}

impl ConvTranspose2d {
    /// From `inputs` to `outputs` channels with a square kernel (`3`) or another (`[3, 5]`).
    ///
    /// # Panics
    /// When a side of the kernel is 0.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<Size2>) -> ConvTranspose2d {
        let [kh, kw] = kernel.into().0.map(|n| at_least_1("conv_transpose2d", "kernel", n));
        ConvTranspose2d::drawn([inputs, outputs, kh, kw], 1)
    }

    fn drawn(shape: [usize; 4], groups: usize) -> ConvTranspose2d {
        let init = Uniform::symmetric(1.0 / (fans(&shape).0.max(1) as f64).sqrt());
        ConvTranspose2d {
            weight: Param::new(init.tensor(&shape)),
            bias: Some(Param::new(init.tensor(&[shape[1].saturating_mul(groups)]))),
            window: Window::new([shape[2], shape[3]]),
            more: [0, 0],
            groups,
            drawn: None,
        }
    }

    /// The same with steps of this size between windows.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Size2>) -> ConvTranspose2d {
        self.window.stride = stride.into().0.map(|n| at_least_1("conv_transpose2d", "stride", n));
        self
    }

    /// The same with so many rows and columns of the result left out on each side.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Size2>) -> ConvTranspose2d {
        self.window.padding = padding.into().0;
        self
    }

    /// The same with this distance between the points of a window.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Size2>) -> ConvTranspose2d {
        self.window.dilation = dilation.into().0.map(|n| at_least_1("conv_transpose2d", "dilation", n));
        self
    }

    /// The same with so many rows more at the bottom and columns at the right, fewer than the stride: which of the sizes that a convolution
    /// makes of both is meant.
    #[must_use]
    pub fn output_padding(self, more: impl Into<Size2>) -> ConvTranspose2d {
        ConvTranspose2d { more: more.into().0, ..self }
    }

    /// The same in groups of channels that do not see each other; weights are drawn anew.
    ///
    /// # Panics
    /// When the channels cannot be divided into that many groups.
    #[track_caller]
    #[must_use]
    pub fn groups(self, groups: usize) -> ConvTranspose2d {
        let [inputs, inner, kh, kw] = self.weight.dims();
        let outputs = inner * self.groups;
        if groups == 0 || !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            fail!(
                "conv_transpose2d",
                "{inputs} and {outputs} channels cannot be divided into {groups} groups"
            );
        }
        let new = ConvTranspose2d::drawn([inputs, outputs / groups, kh, kw], groups);
        ConvTranspose2d { weight: new.weight, bias: self.bias.and(new.bias), groups, ..self }
    }

    /// The same without a bias.
    #[must_use]
    pub fn no_bias(self) -> ConvTranspose2d {
        ConvTranspose2d { bias: None, ..self }
    }

    /// The same with its weight drawn by another initialiser and its bias zero.
    #[must_use]
    pub fn init(self, init: impl Init) -> ConvTranspose2d {
        let bias = self.bias.as_ref().map(|b| Param::new(Tensor::zeros(b.shape())));
        let drawn = init.entry().map(Box::new);
        ConvTranspose2d { weight: Param::new(init.tensor(self.weight.shape())), bias, drawn, ..self }
    }

    /// The number of output channels.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[1].saturating_mul(self.groups)
    }

    /// The sides of the result for an image of these, or what is wrong.
    fn sides(&self, image: [usize; 2]) -> Result<[usize; 2], String> {
        let Window { kernel, stride, padding, dilation } = self.window;
        let mut sides = [0; 2];
        for a in 0..2 {
            if image[a] == 0 {
                return Err(format!("an image of {image:?} has nothing to spread"));
            }
            if self.more[a] >= stride[a] {
                let (more, step) = (self.more[a], stride[a]);
                return Err(format!("`output_padding` {more} is not less than the stride, {step}"));
            }
            let reach = dilation[a].saturating_mul(kernel[a] - 1).saturating_add(1 + self.more[a]);
            let whole = (image[a] - 1).saturating_mul(stride[a]).saturating_add(reach);
            let left = whole.checked_sub(padding[a].saturating_mul(2)).filter(|&left| left > 0);
            sides[a] = left.ok_or_else(|| {
                format!("nothing is left of an image of {image:?} without {} on each side", padding[a])
            })?;
        }
        Ok(sides)
    }
}

impl Layer for ConvTranspose2d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let [inputs, inner, kh, kw] = self.weight.dims();
        if x.rank() != 4 || x.shape()[1] != inputs {
            fail!("conv_transpose2d", "[n, {inputs}, h, w] was expected, found {:?}", x.shape());
        }
        let ([n, _, h, w], groups, outputs) = (x.dims(), self.groups, self.outputs());
        let sides = self.sides([h, w]).unwrap_or_else(|wrong| fail!("conv_transpose2d", "{wrong}"));
        let (mut x, mut weight, mut bias) =
            (x.clone(), (*self.weight).clone(), self.bias.as_deref().cloned());
        if let Some([Some(low_x), Some(low_weight), low_bias]) = low([Some(&x), Some(&weight), bias.as_ref()])
        {
            (x, weight, bias) = (low_x, low_weight, low_bias);
        }
        let columns = weight.reshape([groups, inputs / groups, inner * kh * kw]).swap(1, 2);
        let columns = columns.matmul(&x.reshape([n, groups, inputs / groups, h * w])); // [n, groups, inner·kh·kw, h·w]
        let y = columns.reshape([n, outputs * kh * kw, h * w]).window_transpose(self.window, sides);
        bias.map_or(y.clone(), |b| y + b.reshape([outputs, 1, 1]))
    }

    fn describe(&self) -> String {
        let [inputs, _, kh, kw] = self.weight.dims();
        let mut text = format!("ConvTranspose2d({inputs} → {}, {}", self.outputs(), by([kh, kw]));
        let Window { stride, padding, dilation, .. } = self.window;
        let settings = [("stride", stride, 1), ("padding", padding, 0), ("dilation", dilation, 1)];
        for (name, value, usual) in settings.into_iter().chain([("output padding", self.more, 0)]) {
            if value != [usual; 2] {
                text += &format!(", {name} {}", by(value));
            }
        }
        if self.groups != 1 {
            text += &format!(", {} groups", self.groups);
        }
        text + if self.bias.is_some() { ")" } else { ", no bias)" }
    }

    fn entry(&self) -> Option<Entry> {
        let Window { kernel, stride, padding, dilation } = self.window;
        let entry = Entry::new(KIND.name)
            .with_value(self.outputs())
            .with_option("kernel", kernel)
            .with_option("stride", stride)
            .with_option("padding", padding)
            .with_option("dilation", dilation)
            .with_option("output_padding", self.more)
            .with_option("groups", self.groups)
            .with_option("bias", self.bias.is_some());
        Some(drawn_by(entry, &self.drawn))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "conv_transpose2d",
    "Transposed convolution with the given number of output channels, which makes images larger.",
    |args, input| {
        let outputs: usize = args.main()?;
        let kernel: [usize; 2] = args.required("kernel")?;
        let stride: [usize; 2] = args.get_or("stride", [1, 1])?;
        let padding: [usize; 2] = args.get_or("padding", [0, 0])?;
        let dilation: [usize; 2] = args.get_or("dilation", [1, 1])?;
        let more: [usize; 2] = args.get_or("output_padding", [0, 0])?;
        let groups: usize = count_option(args, "groups", 1)?;
        let bias = args.get_or("bias", true)?;
        let init = init_option(args)?;
        let [channels, h, w] = image(args, input)?;
        if !channels.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            let message = format!("{channels} and {outputs} channels cannot be divided into {groups} groups");
            return Err(args.misfit("groups", message));
        }
        for (name, value) in [("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
            if value.contains(&0) {
                return Err(args.error(name, format!("`{name}` must be at least 1, got 0")));
            }
        }
        let window = Window { kernel, stride, padding, dilation };
        let none = ConvTranspose2d { window, more, ..ConvTranspose2d::drawn([0, 0, 1, 1], 1) };
        let [high, wide] = none.sides([h, w]).map_err(|wrong| args.misfit("", wrong))?;
        budget::weight(args, &[channels, outputs / groups, kernel[0], kernel[1]])?;
        if bias {
            budget::weight(args, &[outputs])?;
        }
        budget::output(args, &[outputs, high, wide])?;
        budget::output(args, &[outputs, kernel[0], kernel[1], h, w])?;
        let layer = ConvTranspose2d::drawn([channels, outputs / groups, kernel[0], kernel[1]], groups);
        let layer = ConvTranspose2d { window, more, ..layer };
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
    ("padding", "rows and columns of the result that are left out on each side"),
    ("dilation", "the distance of the window's rows and columns"),
    ("output_padding", "rows and columns more at the bottom and at the right"),
    ("groups", "into how many parts the channels are divided, each on its own"),
    ("bias", "whether it has a bias"),
    ("init", "how its weights are drawn, instead of the layer's own way"),
])
.example(|| Entry::new("conv_transpose2d").with_value(2_usize).with_option("kernel", 2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn conv_transpose2d() {
        check_layer(|| ConvTranspose2d::new(2, 3, 3).stride(2).padding(1).output_padding(1))
            .gives([2, 2, 2, 3], [2, 3, 4, 6]);
        check_layer(|| ConvTranspose2d::new(4, 2, [2, 1]).dilation(2).groups(2).no_bias())
            .gives([1, 4, 2, 2], [1, 2, 4, 2]);
    }

    /// `⟨conv(x), y⟩ = ⟨x, convᵀ(y)⟩` for the same weight.
    #[test]
    fn it_is_the_transpose_of_a_convolution() {
        let mut conv = Conv2d::new(2, 4, 3).stride([2, 1]).padding([1, 0]).groups(2).no_bias();
        let mut back = ConvTranspose2d::new(4, 2, 3).stride([2, 1]).padding([1, 0]).groups(2).no_bias();
        let weight = Tensor::randn([4, 1, 3, 3]);
        conv.weight.set(&weight).unwrap();
        back.weight.set(&weight).unwrap();
        let (x, y) = (Tensor::randn([3, 2, 5, 6]), Tensor::randn([3, 4, 3, 4]));
        let (one, other) = ((conv.forward(&x) * &y).sum(..).item(), (back.forward(&y) * &x).sum(..).item());
        assert!((one - other).abs() < 1e-3, "{one} {other}");
        let e = catch(|| back.forward(&Tensor::ones([1, 3, 2, 2]))).unwrap_err();
        assert_eq!(e.message(), "conv_transpose2d: [n, 4, h, w] was expected, found [1, 3, 2, 2]");
        let e = catch(|| ConvTranspose2d::new(1, 1, 1).padding(3).forward(&Tensor::ones([1, 1, 2, 2])))
            .unwrap_err();
        assert!(e.message().contains("nothing is left of an image of [2, 2] without 3 on each side"), "{e}");
    }
}

//! The one-dimensional convolution: the same small window of weights at every place of a sequence of channels.

use super::{LayerKind, drawn_by, init_option, sequence_of_channels};
use crate::init::{Init, Uniform, fans};
use crate::{Layer, Module, Param, budget};
use mapsto_spec::{Entry, at_least_1, count_option};
use mapsto_tensor::ops::Conv2dOptions;
use mapsto_tensor::{Tensor, fail};

/// One-dimensional convolution, `y[n, o, i] = b[o] + Σ w[o, c, u] · x[n, c, i·s + u·d − p]`, as that of images of one row.
///
/// * Shape: `[n, inputs, length] → [n, outputs, length']` with `length' = (length + 2p − d(k − 1) − 1)/s + 1`, rounded down.
/// * Parameters: `weight` `[outputs, inputs/groups, k]` and `bias` `[outputs]`, both uniform in ±1/√fan_in.
/// * PyTorch: `Conv1d`; Keras: `Conv1D`, whose channels come last; ONNX: `Conv`.
/// ```
/// use mapsto_nn::prelude::*;
/// let sum = Conv1d::new(1, 1, 2).no_bias().init(mapsto_nn::init::Ones);
/// assert_close!(sum.forward(&tensor![[[1.0, 2.0, 4.0]]]), [[[3.0, 6.0]]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Conv1d {
    /// The weight, `[outputs, inputs / groups, k]`.
    pub weight: Param,
    /// The bias, `[outputs]`.
    pub bias: Option<Param>,
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    padding: usize,
    #[module(skip)]
    dilation: usize,
    #[module(skip)]
    groups: usize,
    /// How the weight was drawn, where it was in a way of its own.
    #[module(skip)]
    drawn: Option<Box<Entry>>,
}

impl Conv1d {
    /// A convolution from `inputs` to `outputs` channels with windows of `kernel` places.
    ///
    /// # Panics
    /// When the kernel is 0.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: usize) -> Conv1d {
        let shape = [outputs, inputs, at_least_1("conv1d", "kernel", kernel)];
        let init = Uniform::symmetric(1.0 / (fans(&shape).0.max(1) as f64).sqrt());
        Conv1d {
            weight: Param::new(init.tensor(&shape)),
            bias: Some(Param::new(init.tensor(&shape[..1]))),
            stride: 1,
            padding: 0,
            dilation: 1,
            groups: 1,
            drawn: None,
        }
    }

    /// The same with steps of this size between windows.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(self, stride: usize) -> Conv1d {
        Conv1d { stride: at_least_1("conv1d", "stride", stride), ..self }
    }

    /// The same with this many zeros at both ends.
    #[must_use]
    pub fn padding(self, padding: usize) -> Conv1d {
        Conv1d { padding, ..self }
    }

    /// The same with this distance between the places of a window.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn dilation(self, dilation: usize) -> Conv1d {
        Conv1d { dilation: at_least_1("conv1d", "dilation", dilation), ..self }
    }

    /// The same in groups of channels that do not see each other; weights are drawn anew, for their fan-in changes.
    ///
    /// # Panics
    /// When the channels cannot be divided into that many groups.
    #[track_caller]
    #[must_use]
    pub fn groups(self, groups: usize) -> Conv1d {
        let [outputs, inner, kernel] = self.weight.dims();
        let inputs = inner * self.groups;
        if groups == 0 || !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            fail!("conv1d", "{inputs} and {outputs} channels cannot be divided into {groups} groups");
        }
        let Conv1d { weight, bias, .. } = Conv1d::new(inputs / groups, outputs, kernel);
        Conv1d { weight, bias: self.bias.and(bias), groups, ..self }
    }

    /// The same without a bias.
    #[must_use]
    pub fn no_bias(self) -> Conv1d {
        Conv1d { bias: None, ..self }
    }

    /// The same with its weight drawn by another initialiser and its bias zero.
    #[must_use]
    pub fn init(self, init: impl Init) -> Conv1d {
        let bias = self.bias.as_ref().map(|b| Param::new(Tensor::zeros(b.shape())));
        let drawn = init.entry().map(Box::new);
        Conv1d { weight: Param::new(init.tensor(self.weight.shape())), bias, drawn, ..self }
    }
}

impl Layer for Conv1d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let inputs = self.weight.shape()[1] * self.groups;
        if x.rank() != 3 || x.shape()[1] != inputs {
            fail!("conv1d", "[n, {inputs}, length] was expected, found {:?}", x.shape();
                  help = "the channels come before the places; `x.swap(1, 2)` puts them there");
        }
        let options = Conv2dOptions::new().stride([1, self.stride]).padding([0, self.padding]);
        let options = options.dilation([1, self.dilation]).groups(self.groups);
        x.unsqueeze(2).conv2d(&self.weight.unsqueeze(2), self.bias.as_deref(), options).squeeze(2)
    }

    fn describe(&self) -> String {
        let [outputs, inner, kernel] = self.weight.dims();
        let mut text = format!("Conv1d({} → {outputs}, {kernel}", inner * self.groups);
        for (name, value, usual) in
            [("stride", self.stride, 1), ("padding", self.padding, 0), ("dilation", self.dilation, 1)]
        {
            if value != usual {
                text += &format!(", {name} {value}");
            }
        }
        if self.groups != 1 {
            text += &format!(", {} groups", self.groups);
        }
        text + if self.bias.is_some() { ")" } else { ", no bias)" }
    }

    fn entry(&self) -> Option<Entry> {
        let [outputs, _, kernel] = self.weight.dims();
        let entry = Entry::new(KIND.name)
            .with_value(outputs)
            .with_option("kernel", kernel)
            .with_option("stride", self.stride)
            .with_option("padding", self.padding)
            .with_option("dilation", self.dilation)
            .with_option("groups", self.groups)
            .with_option("bias", self.bias.is_some());
        Some(drawn_by(entry, &self.drawn))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "conv1d",
    "One-dimensional convolution with the given number of output channels.",
    |args, input| {
        let outputs: usize = args.main()?;
        let kernel: usize = args.required("kernel")?;
        let stride: usize = count_option(args, "stride", 1)?;
        let padding: usize = args.get_or("padding", 0)?;
        let dilation: usize = count_option(args, "dilation", 1)?;
        let groups: usize = args.get_or("groups", 1)?;
        let bias = args.get_or("bias", true)?;
        let init = init_option(args)?;
        let [channels, length] = sequence_of_channels(args, input)?;
        if groups == 0 || !channels.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            let message = format!("{channels} and {outputs} channels cannot be divided into {groups} groups");
            return Err(args.misfit("groups", message));
        }
        if kernel == 0 {
            return Err(args.error("kernel", "`kernel` must be at least 1, got 0"));
        }
        let size = padding.saturating_mul(2).saturating_add(length);
        let reach = dilation.saturating_mul(kernel - 1).saturating_add(1);
        if reach > size {
            let message = format!("a window of {reach} does not fit the padded sequence {input:?} of {size}");
            return Err(args.misfit("kernel", message));
        }
        budget::weight(args, &[outputs, channels / groups, kernel])?;
        if bias {
            budget::weight(args, &[outputs])?;
        }
        budget::output(args, &[outputs, (size - reach) / stride + 1])?;
        let layer =
            Conv1d { stride, padding, dilation, groups, ..Conv1d::new(channels / groups, outputs, kernel) };
        let layer = if bias { layer } else { layer.no_bias() };
        Ok(Box::new(match init {
            Some(init) => layer.init(init),
            None => layer,
        }))
    },
)
.options(&[
    ("", "the number of output channels"),
    ("kernel", "the places of the window"),
    ("stride", "how far the window moves"),
    ("padding", "zeros at both ends"),
    ("dilation", "the distance of the window's places"),
    ("groups", "into how many parts the channels are divided, each on its own"),
    ("bias", "whether it has a bias"),
    ("init", "how its weights are drawn, instead of the layer's own way"),
])
.example(|| Entry::new("conv1d").with_value(2_usize).with_option("kernel", 2_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn conv1d() {
        check_layer(|| Conv1d::new(2, 3, 3).padding(1)).gives([2, 2, 5], [2, 3, 5]);
        check_layer(|| Conv1d::new(2, 4, 2).stride(2).dilation(2).groups(2).no_bias())
            .gives([1, 2, 7], [1, 4, 3]);
        let conv = Conv1d::new(4, 8, 3).groups(2).stride(2).no_bias();
        assert_eq!(conv.describe(), "Conv1d(4 → 8, 3, stride 2, 2 groups, no bias)");
        let e = catch(|| conv.forward(&Tensor::ones([1, 5, 4]))).unwrap_err();
        assert_eq!(e.message(), "conv1d: [n, 4, length] was expected, found [1, 5, 4]");
    }
}

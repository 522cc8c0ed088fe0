//! The LSTM of films: its state is an image, and convolutions take the place of its matrix products.

use super::LayerKind;
use crate::convolution;
use crate::init::{Init, Orthogonal, XavierUniform};
use crate::{Layer, Module, Param, budget};
use mapsto_spec::{Args, Entry};
use mapsto_tensor::ops::{ConvOptions, Padding, PerAxis};
use mapsto_tensor::{Result, Tensor, fail};

/// At each step `c ← σ(f) c + σ(i) tanh(g)`, `h ← σ(o) tanh(c)`, with `i, f, g, o` the parts of `W_ih ∗ x + W_hh ∗ h + b`, `∗` being convolution.
///
/// * Shape: `[b, t, inputs, h, w] → [b, t, outputs, h', w']`, or `[b, outputs, h', w']` with [`last`](ConvLstm::last); one axis of places or three
///   likewise. The convolution of the input may pad and stride, that of the state keeps its size.
/// * Parameters: `weight_ih` `[4·outputs, inputs, kernel..]`, Xavier uniform; `weight_hh` `[4·outputs, outputs, kernel..]`, orthogonal;
///   `bias` `[4·outputs]`, 0 but 1 for the forget gate. The order is that of an [`Lstm`](crate::Lstm)'s gates.
/// * PyTorch has none; Keras: `ConvLSTM1D`, `ConvLSTM2D`, `ConvLSTM3D`, whose channels come last and whose order of gates is the same.
///
/// Source: Shi et al. (2015), Convolutional LSTM network, arXiv:1506.04214, equation 3, without the products with the cell.
/// ```
/// use mapsto_nn::prelude::*;
/// let net = seq![ConvLstm2d::new(1, 4, 3).padding(1).last(), GlobalAvgPool::new(), Linear::new(4, 2)];
/// assert_eq!(net.forward(&Tensor::zeros([2, 5, 1, 8, 8])).shape(), [2, 2]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct ConvLstm<const D: usize> {
    /// The weight of the input, `[4·outputs, inputs, kernel..]`.
    pub weight_ih: Param,
    /// The weight of the state, `[4·outputs, outputs, kernel..]`.
    pub weight_hh: Param,
    /// The bias, `[4·outputs]`.
    pub bias: Option<Param>,
    #[module(skip)]
    options: ConvOptions<D>,
    last: bool,
}

/// Of sequences of sequences, `[b, t, inputs, length]`.
pub type ConvLstm1d = ConvLstm<1>;
/// Of films, `[b, t, inputs, h, w]`.
pub type ConvLstm2d = ConvLstm<2>;
/// Of sequences of volumes, `[b, t, inputs, d, h, w]`.
pub type ConvLstm3d = ConvLstm<3>;

const NAMES: [&str; 4] = ["", "conv_lstm1d", "conv_lstm2d", "conv_lstm3d"];

impl<const D: usize> ConvLstm<D> {
    /// From `inputs` to `outputs` channels, with a kernel of the same size along each axis (`3`) or of others (`[3, 5]`).
    ///
    /// # Panics
    /// When a size of the kernel is 0.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<PerAxis<D>>) -> ConvLstm<D> {
        let kernel = convolution::positive(NAMES[D], "kernel", kernel.into().0);
        let rows = outputs.saturating_mul(4);
        let shape = |inner: usize| [&[rows, inner][..], &kernel].concat();
        let forget = [0.0, 1.0, 0.0, 0.0].map(|b| Tensor::full([outputs], b));
        ConvLstm {
            weight_ih: Param::new(XavierUniform::new().tensor(&shape(inputs))),
            weight_hh: Param::new(Orthogonal::new().tensor(&shape(outputs))),
            bias: Some(Param::new(Tensor::cat(&forget, 0))),
            options: ConvOptions::default(),
            last: false,
        }
    }

    /// The same with steps of this size between windows of the input.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn stride(mut self, stride: impl Into<PerAxis<D>>) -> ConvLstm<D> {
        self.options.stride = convolution::positive(NAMES[D], "stride", stride.into().0);
        self
    }

    /// The same with this many zeros around the input, or with [`Padding::Same`], as many as keep its sizes.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding<D>>) -> ConvLstm<D> {
        self.options.padding = padding.into();
        self
    }

    /// The same with this distance between the points of a window of the input.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<PerAxis<D>>) -> ConvLstm<D> {
        self.options.dilation = convolution::positive(NAMES[D], "dilation", dilation.into().0);
        self
    }

    /// The same giving the state of the last step alone. Keras: `return_sequences=False`.
    #[must_use]
    pub fn last(self) -> ConvLstm<D> {
        ConvLstm { last: true, ..self }
    }

    /// The same without a bias.
    #[must_use]
    pub fn no_bias(self) -> ConvLstm<D> {
        ConvLstm { bias: None, ..self }
    }

    fn outputs(&self) -> usize {
        self.weight_hh.shape()[1]
    }

    fn kernel(&self) -> [usize; D] {
        std::array::from_fn(|d| self.weight_ih.shape()[2 + d])
    }

    /// The states of all steps, `[b, t, outputs, ..]`, and the last `[h, c]`, from a given one (zeros without).
    ///
    /// # Panics
    /// When `x` has other channels or axes, has no step, or the state has another shape.
    #[track_caller]
    pub fn with_state(&self, x: &Tensor, state: Option<&[Tensor; 2]>) -> (Tensor, [Tensor; 2]) {
        let (name, inputs) = (NAMES[D], self.weight_ih.shape()[1]);
        if x.rank() != D + 3 || x.shape()[2] != inputs || x.shape()[1] == 0 {
            fail!(name, "[batch, steps, {inputs}, ..] of {} axes was expected, found {:?}", D + 3, x.shape();
                  help = "the channels come before the places");
        }
        let (b, t) = (x.shape()[0], x.shape()[1]);
        // All steps of the input in one convolution.
        let images = x.reshape(&[&[b * t], &x.shape()[2..]].concat()[..]);
        let parts = self.options.convolve(&images, &self.weight_ih, self.bias.as_deref());
        let parts = parts.reshape(&[&[b, t], &parts.shape()[1..]].concat()[..]);
        let shape: Vec<usize> = [&[b, self.outputs()], &parts.shape()[3..]].concat();
        let [mut h, mut c] = match state {
            Some(state) => state.clone(),
            None => {
                let zero = || x.device().scope(|| Tensor::full_of(&shape[..], 0.0, x.dtype()));
                [zero(), zero()]
            }
        };
        if h.shape() != shape || c.shape() != shape {
            fail!(name, "a state of {shape:?} was expected, found {:?} and {:?}", h.shape(), c.shape());
        }
        let same = ConvOptions::<D>::default().padding(Padding::Same);
        let mut all = Vec::with_capacity(t);
        for step in 0..t {
            let from_state = same.convolve(&h, &self.weight_hh, None);
            let [i, f, g, o] = (parts.select(1, step as isize) + from_state).chunk(1);
            c = f.sigmoid() * c + i.sigmoid() * g.tanh();
            h = o.sigmoid() * c.tanh();
            all.push(h.clone());
        }
        (Tensor::stack(&all, 1), [h, c])
    }
}

impl<const D: usize> Layer for ConvLstm<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let (y, [h, _]) = self.with_state(x, None);
        if self.last { h } else { y }
    }

    fn describe(&self) -> String {
        let (inputs, outputs) = (self.weight_ih.shape()[1], self.outputs());
        format!("ConvLstm{D}d({inputs} → {outputs}, {})", convolution::by(self.kernel()))
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(NAMES[D]).with_value(self.outputs()).with_option("kernel", self.kernel());
        let entry = entry
            .with_option("stride", self.options.stride)
            .with_option("padding", self.options.padding)
            .with_option("dilation", self.options.dilation);
        Some(entry.with_option("last", self.last).with_option("bias", self.bias.is_some()))
    }
}

const fn kind<const D: usize>(doc: &'static str, example: fn() -> Entry) -> LayerKind {
    LayerKind::new(["", "conv_lstm1d", "conv_lstm2d", "conv_lstm3d"][D], doc, build::<D>)
        .options(&[
            ("", "the number of output channels"),
            ("kernel", "the size of the window along each axis"),
            ("stride", "how far the window moves over the input"),
            ("padding", "zeros around the input, or `\"same\"`"),
            ("dilation", "the distance between the points of a window of the input"),
            ("last", "whether only the last step is given on"),
            ("bias", "whether it has a bias"),
        ])
        .example(example)
}

pub(super) const KIND_1D: LayerKind =
    kind::<1>("Long short-term memory of sequences of sequences, with convolutions.", || {
        Entry::new("conv_lstm1d").with_value(2_usize).with_option("kernel", 3_usize)
    });
pub(super) const KIND_2D: LayerKind =
    kind::<2>("Long short-term memory of films, with convolutions.", || {
        Entry::new("conv_lstm2d").with_value(2_usize).with_option("kernel", 2_usize)
    });
pub(super) const KIND_3D: LayerKind =
    kind::<3>("Long short-term memory of sequences of volumes, with convolutions.", || {
        Entry::new("conv_lstm3d").with_value(2_usize).with_option("kernel", 1_usize)
    });

fn build<const D: usize>(args: &mut Args, input: &[usize]) -> Result<Box<dyn Layer>> {
    let outputs: usize = args.main()?;
    let (kernel, options) = convolution::read_moves::<D>(args)?;
    let last = args.get_or("last", false)?;
    let bias = args.get_or("bias", true)?;
    if outputs == 0 {
        return Err(args.error("", "the number of channels must be at least 1, got 0"));
    }
    let Some((&steps, rest)) = input.split_first() else {
        return Err(args.misfit("", "the input should be [steps, channels, ..], it has no axes"));
    };
    if rest.len() != D + 1 {
        let e = args.misfit(
            "",
            format!("the input should be [steps, channels, ..] of {} axes, it is {input:?}", D + 2),
        );
        return Err(e.help("a film is [steps, channels, height, width]; rows of numbers, such as those of a table, are no films: `linear` takes them"));
    }
    let (inputs, sizes) = convolution::places::<D>(args, rest)?;
    let Some(out) = options.out(kernel, sizes).filter(|out| !out.contains(&0)) else {
        return Err(args.misfit("kernel", format!("a window of {kernel:?} does not fit {rest:?}")));
    };
    for inner in [inputs, outputs] {
        budget::weight(args, &[&[4, outputs, inner][..], &kernel].concat())?;
    }
    budget::output(args, &[&[steps, 4, outputs][..], &out].concat())?;
    budget::pass(args.name(), &[&[steps, outputs.max(inputs)][..], &out, &kernel].concat())?;
    let layer = ConvLstm::<D>::new(inputs, outputs, kernel);
    let layer = ConvLstm { options, last, ..layer };
    Ok(Box::new(if bias { layer } else { layer.no_bias() }))
}

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn conv_lstm() {
        check_layer(|| ConvLstm2d::new(2, 2, [2, 3]).padding(1)).gives([2, 3, 2, 3, 4], [2, 3, 2, 4, 4]);
        check_layer(|| ConvLstm1d::new(2, 3, 3).stride(2).no_bias()).gives([2, 2, 2, 7], [2, 2, 3, 3]);
        check_layer(|| ConvLstm3d::new(1, 1, 2).last()).gives([1, 2, 1, 2, 3, 2], [1, 1, 1, 2, 1]);
        let e = catch(|| ConvLstm2d::new(2, 2, 3).forward(&Tensor::ones([2, 3, 1, 4, 4]))).unwrap_err();
        assert_eq!(
            e.message(),
            "conv_lstm2d: [batch, steps, 2, ..] of 5 axes was expected, found [2, 3, 1, 4, 4]"
        );
    }

    #[test]
    fn a_kernel_of_one_is_an_lstm_at_each_place() {
        let layer = ConvLstm1d::new(3, 2, 1);
        let mut lstm = LstmCell::new(3, 2);
        let state = [
            ("weight_ih".to_string(), layer.weight_ih.squeeze(2)),
            ("weight_hh".to_string(), layer.weight_hh.squeeze(2)),
            ("bias_ih".to_string(), (**layer.bias.as_ref().unwrap()).clone()),
            ("bias_hh".to_string(), Tensor::zeros([8])),
        ];
        lstm.load_state_dict(state, &Exceptions::none()).unwrap();
        let x = Tensor::randn([2, 4, 3, 5]);
        let y = layer.forward(&x);
        let mut state = None;
        for t in 0..4 {
            let now = lstm.step(&x.select(1, t).select(-1, 3), state.as_ref());
            assert_close!(y.select(1, t).select(-1, 3), now[0]);
            state = Some(now);
        }
        // A state carries on.
        let (_, half) = layer.with_state(&x.slice(1, ..2), None);
        assert_close!(layer.with_state(&x.slice(1, 2..), Some(&half)).0, y.slice(1, 2..));
    }

    #[test]
    fn files_have_all_settings() {
        let entry = Entry::new("conv_lstm2d").with_value(3_usize).with_option("kernel", vec![3_usize, 2]);
        let entry = entry.with_option("stride", 2_usize).with_option("padding", vec![1_usize, 0]);
        check_entry::<dyn Layer>(&entry.with_option("last", true).with_option("bias", false), &[3, 2, 6, 6]);
        let plain = Entry::new("conv_lstm2d").with_value(3_usize).with_option("kernel", 3_usize);
        let e = ModelSpec::new([2, 6, 6], [plain]).build().err().unwrap().to_string();
        assert!(e.contains("should be [steps, channels, ..] of 4 axes, it is [2, 6, 6]"), "{e}");
        let plain = Entry::new("conv_lstm2d").with_value(3_usize).with_option("kernel", 3_usize);
        let e = ModelSpec::new([2, 1, 6, 2], [plain]).build().err().unwrap().to_string();
        assert!(e.contains("a window of [3, 3] does not fit [1, 6, 2]"), "{e}");
    }
}

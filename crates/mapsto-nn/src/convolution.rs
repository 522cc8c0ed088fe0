//! What layers of convolution share, of any number of dimensions and transposed or not: first weights, what is refused, how they
//! describe themselves, and how they are read from a file.

use crate::init::{Init, Uniform, fans};
use crate::layers::Pad2d;
use crate::{Param, budget};
use mapsto_spec::{Args, Entry, at_least_1, count_option};
use mapsto_tensor::ops::{ConvOptions, Padding};
use mapsto_tensor::{Result, Tensor, fail};

/// What a convolution finds around its input, as far as its padding reaches.
///
/// ```
/// use mapsto_nn::prelude::*;
/// let sum = |mode| Conv1d::new(1, 1, 3).padding(1).padding_mode(mode).no_bias().init(mapsto_nn::init::Ones);
/// let x = tensor![[[1.0, 2.0, 4.0]]];
/// assert_close!(sum(PaddingMode::Zeros).forward(&x), [[[3.0, 7.0, 6.0]]]);
/// assert_close!(sum(PaddingMode::Reflect).forward(&x), [[[5.0, 7.0, 8.0]]]);
/// assert_close!(sum(PaddingMode::Replicate).forward(&x), [[[4.0, 7.0, 10.0]]]);
/// assert_close!(sum(PaddingMode::Circular).forward(&x), [[[7.0, 7.0, 7.0]]]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaddingMode {
    /// Zeros.
    #[default]
    Zeros,
    /// The input mirrored at its outermost places, which are not repeated.
    Reflect,
    /// The outermost places again and again.
    Replicate,
    /// The input continued from its other side.
    Circular,
}

impl PaddingMode {
    const ALL: [PaddingMode; 4] =
        [PaddingMode::Zeros, PaddingMode::Reflect, PaddingMode::Replicate, PaddingMode::Circular];

    /// As model files and PyTorch name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            PaddingMode::Zeros => "zeros",
            PaddingMode::Reflect => "reflect",
            PaddingMode::Replicate => "replicate",
            PaddingMode::Circular => "circular",
        }
    }

    fn read(args: &mut Args) -> Result<PaddingMode> {
        let name: String = args.get_or("padding_mode", PaddingMode::Zeros.name().to_string())?;
        PaddingMode::ALL.into_iter().find(|mode| mode.name() == name).ok_or_else(|| {
            let message =
                format!("`padding_mode` is one of zeros, reflect, replicate and circular, got \"{name}\"");
            args.error("padding_mode", message)
        })
    }

    /// What is wrong with so many places before and after sides of these sizes.
    fn misfit(self, sizes: &[usize], around: &[(usize, usize)]) -> Option<String> {
        for (&size, &(before, after)) in sizes.iter().zip(around) {
            let (wanted, most) = match self {
                PaddingMode::Zeros => continue,
                PaddingMode::Reflect => (before.max(after), size.saturating_sub(1)),
                PaddingMode::Replicate => (before.max(after), if size > 0 { usize::MAX } else { 0 }),
                PaddingMode::Circular => (before.max(after), size),
            };
            if wanted > most {
                let mode = self.name();
                return Some(format!(
                    "a side of {size} has no {wanted} places for a padding of mode \"{mode}\", but {most}"
                ));
            }
        }
        None
    }

    /// `x` with so many places around its axes after the first two.
    #[track_caller]
    fn around(self, op: &str, x: &Tensor, around: &[(usize, usize)]) -> Tensor {
        if let Some(misfit) = self.misfit(&x.shape()[2..], around) {
            fail!(op, "{misfit}: the input is {:?}", x.shape());
        }
        let pad = |x: &Tensor, rows: (usize, usize), columns: (usize, usize)| {
            let pad = Pad2d::new([rows.0, rows.1, columns.0, columns.1]);
            let pad = match self {
                PaddingMode::Zeros => pad,
                PaddingMode::Reflect => pad.reflect(),
                PaddingMode::Replicate => pad.replicate(),
                PaddingMode::Circular => pad.circular(),
            };
            crate::Layer::forward(&pad, x)
        };
        match (around, x.shape()) {
            (&[columns], _) => pad(&x.unsqueeze(2), (0, 0), columns).squeeze(2),
            (&[rows, columns], _) => pad(x, rows, columns),
            (&[planes, rows, columns], &[n, c, d, h, w]) => {
                let longer = pad(&x.reshape([n, c, d, h * w]), planes, (0, 0));
                let d = longer.shape()[2];
                let y = pad(&longer.reshape([n * c, d, h, w]), rows, columns);
                let [_, _, h, w] = y.dims();
                y.reshape([n, c, d, h, w])
            }
            _ => x.clone(),
        }
    }
}

/// The input and the options of a convolution whose border is no zeros: it is put around the input before.
#[track_caller]
pub(crate) fn bordered<const D: usize>(
    mode: PaddingMode,
    x: &Tensor,
    kernel: &[usize; D],
    options: ConvOptions<D>,
) -> (Tensor, ConvOptions<D>) {
    // What has another rank, or a stride that `same` does not allow, is for the operation to refuse.
    let refused = options.padding == Padding::Same && options.stride != [1; D];
    if mode == PaddingMode::Zeros || x.rank() != D + 2 || refused {
        return (x.clone(), options);
    }
    (mode.around(name(D, false), x, &beside(kernel, &options)), options.padding(0))
}

/// The places before and after the input along each axis.
fn beside<const D: usize>(kernel: &[usize; D], options: &ConvOptions<D>) -> [(usize, usize); D] {
    let (each, more) = options.around(kernel);
    std::array::from_fn(|d| (each[d], each[d].saturating_add(more[d])))
}

/// The operation's name, which is that of the layer in files too.
pub(crate) fn name(dimensions: usize, transposed: bool) -> &'static str {
    let all = [["conv1d", "conv2d", "conv3d"], ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]];
    all[usize::from(transposed)][dimensions - 1]
}

/// A weight and a bias as PyTorch draws them: uniform in ±1/√fan_in.
pub(crate) fn drawn(shape: &[usize], outputs: usize) -> (Param, Option<Param>) {
    let init = Uniform::symmetric(1.0 / (fans(shape).0.max(1) as f64).sqrt());
    (Param::new(init.tensor(shape)), Some(Param::new(init.tensor(&[outputs]))))
}

/// What an initialiser makes of a layer's weight, bias and entry.
pub(crate) fn redrawn(
    weight: &Param,
    bias: &Option<Param>,
    init: &dyn Init,
) -> (Param, Option<Param>, Option<Box<Entry>>) {
    let bias = bias.as_ref().map(|b| Param::new(Tensor::zeros(b.shape())));
    (Param::new(init.tensor(weight.shape())), bias, init.entry().map(Box::new))
}

/// Sizes, none of which is 0.
#[track_caller]
pub(crate) fn positive<const D: usize>(op: &str, what: &str, sizes: [usize; D]) -> [usize; D] {
    for size in sizes {
        at_least_1(op, what, size);
    }
    sizes
}

/// That channels can be divided into groups.
#[track_caller]
pub(crate) fn divided(op: &str, inputs: usize, outputs: usize, groups: usize) {
    if let Some(misfit) = undivided(inputs, outputs, groups) {
        fail!(op, "{misfit}");
    }
}

fn undivided(inputs: usize, outputs: usize, groups: usize) -> Option<String> {
    let divides = groups > 0 && inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups);
    (!divides).then(|| format!("{inputs} and {outputs} channels cannot be divided into {groups} groups"))
}

/// Sizes as they are spoken: `3×3`.
pub(crate) fn by<const D: usize>(sizes: [usize; D]) -> String {
    sizes.map(|n| n.to_string()).join("×")
}

/// A setting's name, its value along each axis, and its usual value along all of them.
pub(crate) type Setting<const D: usize> = (&'static str, [usize; D], usize);

/// A layer in words: `Conv2d(1 → 8, 3×3, stride 2)`. A setting that has its usual value along each axis is left out.
pub(crate) fn described<const D: usize>(
    start: String,
    settings: &[Setting<D>],
    words: &str,
    groups: usize,
    has_bias: bool,
) -> String {
    let mut text = start;
    for &(name, value, usual) in settings {
        if value == [value[0]; D] && value[0] != usual {
            text += &format!(", {name} {}", value[0]);
        } else if value != [usual; D] {
            text += &format!(", {name} {}", by(value));
        }
    }
    text += words;
    if groups != 1 {
        text += &format!(", {groups} groups");
    }
    text + if has_bias { ")" } else { ", no bias)" }
}

/// The settings of a convolution, for [`described`], and the words for a padding that is no number.
pub(crate) fn settings<const D: usize>(
    options: &ConvOptions<D>,
    mode: PaddingMode,
) -> (Vec<Setting<D>>, String) {
    let mut settings = vec![("stride", options.stride, 1)];
    let mut words = String::new();
    match options.padding {
        Padding::Each(each) => settings.push(("padding", each, 0)),
        Padding::Same => words += ", padding same",
    }
    settings.push(("dilation", options.dilation, 1));
    if mode != PaddingMode::Zeros {
        words += &format!(", {}", mode.name());
    }
    (settings, words)
}

/// The channels and the sizes of an input that must have `D` axes of places.
pub(crate) fn places<const D: usize>(args: &Args, input: &[usize]) -> Result<(usize, [usize; D])> {
    let channels = match D {
        1 => crate::layers::sequence_of_channels(args, input)?[0],
        2 => crate::layers::image(args, input)?[0],
        _ => crate::layers::volume(args, input)?[0],
    };
    Ok((channels, std::array::from_fn(|d| input[1 + d])))
}

/// The kernel of an entry, and how it moves.
pub(crate) fn read_moves<const D: usize>(args: &mut Args) -> Result<([usize; D], ConvOptions<D>)> {
    let kernel: [usize; D] = args.required("kernel")?;
    let stride: [usize; D] = args.get_or("stride", [1; D])?;
    let padding: Padding<D> = args.get_or("padding", Padding::Each([0; D]))?;
    args.record("padding", padding); // a word may stand for numbers
    let dilation: [usize; D] = args.get_or("dilation", [1; D])?;
    all_positive(args, &[("kernel", &kernel), ("stride", &stride), ("dilation", &dilation)])?;
    if padding == Padding::Same && stride != [1; D] {
        return Err(args
            .error("padding", "`padding = \"same\"` needs a stride of 1")
            .help("give the padding as numbers"));
    }
    Ok((kernel, ConvOptions { stride, padding, dilation, groups: 1 }))
}

/// That none of these sizes is 0.
pub(crate) fn all_positive(args: &Args, sizes: &[(&str, &[usize])]) -> Result<()> {
    match sizes.iter().find(|(_, value)| value.contains(&0)) {
        Some((name, _)) => Err(args.error(name, format!("`{name}` must be at least 1, got 0"))),
        None => Ok(()),
    }
}

/// The border of an entry, where it fits inputs of these sizes.
pub(crate) fn read_mode<const D: usize>(
    args: &mut Args,
    places: &[usize; D],
    kernel: &[usize; D],
    options: &ConvOptions<D>,
) -> Result<PaddingMode> {
    let mode = PaddingMode::read(args)?;
    match mode.misfit(places, &beside(kernel, options)) {
        Some(misfit) => Err(args.misfit("padding", misfit)),
        None => Ok(mode),
    }
}

/// The groups of an entry, which divide these channels.
pub(crate) fn read_groups(args: &mut Args, inputs: usize, outputs: usize) -> Result<usize> {
    let groups: usize = count_option(args, "groups", 1)?;
    match undivided(inputs, outputs, groups) {
        Some(misfit) => Err(args.misfit("groups", misfit)),
        None => Ok(groups),
    }
}

/// The sizes that a kernel makes of an input.
pub(crate) fn read_out<const D: usize>(
    args: &Args,
    input: &[usize],
    kernel: &[usize; D],
    options: &ConvOptions<D>,
) -> Result<[usize; D]> {
    let (each, more) = options.around(kernel);
    let mut out = [0; D];
    for d in 0..D {
        let size = each[d].saturating_mul(2).saturating_add(more[d]).saturating_add(input[1 + d]);
        let reach = options.dilation[d].saturating_mul(kernel[d] - 1).saturating_add(1);
        if reach > size {
            let whole = ["sequence", "image", "volume"][D - 1];
            let message = format!("a window of {reach} does not fit the padded {whole} {input:?} of {size}");
            return Err(args.misfit("kernel", message));
        }
        out[d] = (size - reach) / options.stride[d] + 1;
    }
    Ok(out)
}

/// Takes the weight and the bias of a convolution out of the budget, and refuses a result that is too large.
pub(crate) fn afford(args: &Args, weight: &[usize], outputs: usize, bias: bool, out: &[usize]) -> Result<()> {
    budget::weight(args, weight)?;
    if bias {
        budget::weight(args, &[outputs])?;
    }
    budget::output(args, &[&[outputs][..], out].concat())
}

/// The option of an entry with its sentence, for all kinds of convolutions.
pub(crate) const OPTIONS: [(&str, &str); 9] = [
    ("", "the number of output channels"),
    ("kernel", "the sizes of the window"),
    ("stride", "how far the window moves"),
    ("padding", "zeros around the input, or `\"same\"` for as many as keep its sizes"),
    ("dilation", "the distance of the window's places"),
    ("groups", "into how many parts the channels are divided, each on its own"),
    ("bias", "whether it has a bias"),
    (
        "padding_mode",
        "what is around the input: `\"zeros\"`, `\"reflect\"`, `\"replicate\"` or `\"circular\"`",
    ),
    ("init", "how its weights are drawn, instead of the layer's own way"),
];

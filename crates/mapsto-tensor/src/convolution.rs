//! What convolutions of one, two and three dimensions share: their options, their sizes, and the checks of their inputs.

use crate::autocast::low;
use crate::backend::PerAxis;
use crate::elementwise::same_dtype;
use crate::shape::{Shape, product};
use crate::{Tensor, fail};

/// The zeros around the input of a convolution.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// assert_eq!(Conv2dOptions::new().padding(1).padding, Padding::Each([1, 1]));
/// let (x, w) = (tensor![[[1.0, 2.0, 4.0]]], tensor![[[1.0, 1.0]]]);
/// let y = x.conv1d(&w, None, Conv1dOptions::new().padding(Padding::Same));
/// assert_close!(y, [[[3.0, 6.0, 4.0]]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding<const D: usize> {
    /// So many on both sides along each axis; none is PyTorch's `"valid"`.
    Each([usize; D]),
    /// As many as make the result as large as the input, at a stride of 1: PyTorch's `"same"`. Where their number is odd, the one
    /// more lies after the input.
    Same,
}

impl<const D: usize> From<usize> for Padding<D> {
    fn from(n: usize) -> Padding<D> {
        Padding::Each([n; D])
    }
}
impl<const D: usize> From<[usize; D]> for Padding<D> {
    fn from(n: [usize; D]) -> Padding<D> {
        Padding::Each(n)
    }
}

/// How the kernel of a convolution of `D` dimensions moves.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let options = Conv2dOptions::new().stride(2).padding([1, 0]);
/// assert_eq!((options.stride, options.padding), ([2, 2], Padding::Each([1, 0])));
/// assert_eq!((options.dilation, options.groups), ([1, 1], 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions<const D: usize> {
    /// Places from one output to the next, along each axis.
    pub stride: [usize; D],
    /// Zeros around the input.
    pub padding: Padding<D>,
    /// Places from one point of the kernel to the next.
    pub dilation: [usize; D],
    /// Parts into which the channels are split, each convolved alone.
    pub groups: usize,
}

/// How the kernel of [`Tensor::conv1d`] moves.
pub type Conv1dOptions = ConvOptions<1>;
/// How the kernel of [`Tensor::conv2d`] moves.
pub type Conv2dOptions = ConvOptions<2>;
/// How the kernel of [`Tensor::conv3d`] moves.
pub type Conv3dOptions = ConvOptions<3>;

impl<const D: usize> Default for ConvOptions<D> {
    fn default() -> ConvOptions<D> {
        ConvOptions { stride: [1; D], padding: Padding::Each([0; D]), dilation: [1; D], groups: 1 }
    }
}

impl<const D: usize> ConvOptions<D> {
    /// Stride 1, no padding, a dense kernel, one group.
    pub fn new() -> ConvOptions<D> {
        ConvOptions::default()
    }
    /// With another distance between outputs.
    pub fn stride(self, stride: impl Into<PerAxis<D>>) -> ConvOptions<D> {
        ConvOptions { stride: stride.into().0, ..self }
    }
    /// With zeros around the input: a number, one an axis, or [`Padding::Same`].
    pub fn padding(self, padding: impl Into<Padding<D>>) -> ConvOptions<D> {
        ConvOptions { padding: padding.into(), ..self }
    }
    /// With another distance between the points of the kernel.
    pub fn dilation(self, dilation: impl Into<PerAxis<D>>) -> ConvOptions<D> {
        ConvOptions { dilation: dilation.into().0, ..self }
    }
    /// With the channels split into groups.
    pub fn groups(self, groups: usize) -> ConvOptions<D> {
        ConvOptions { groups, ..self }
    }

    /// The sizes of the result for a kernel on inputs of these sizes: `(size + 2·padding − dilation·(kernel − 1) − 1) / stride + 1`
    /// along each axis, or the sizes themselves for [`Padding::Same`]. None where no kernel fits, a size of the kernel, the stride or
    /// the dilation is 0, or a number is past counting.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// assert_eq!(Conv2dOptions::new().stride(2).padding(1).out([3, 3], [28, 28]), Some([14, 14]));
    /// assert_eq!(Conv1dOptions::new().out([5], [4]), None);
    /// ```
    pub fn out(&self, kernel: [usize; D], sizes: [usize; D]) -> Option<[usize; D]> {
        let (each, more) = self.around(&kernel);
        let (mut out, mut rooms) = ([0; D], [0; D]);
        for d in 0..D {
            if kernel[d] == 0 || self.stride[d] == 0 || self.dilation[d] == 0 {
                return None;
            }
            let reach = (kernel[d] - 1).checked_mul(self.dilation[d])?.checked_add(1)?;
            rooms[d] = sizes[d].checked_add(each[d].checked_mul(2)?)?.checked_add(more[d])?;
            out[d] = rooms[d].checked_sub(reach)? / self.stride[d] + 1;
        }
        (product(&kernel).is_some() && product(&rooms).is_some()).then_some(out)
    }

    /// The zeros on both sides, and how many more there are after the input.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// assert_eq!(Conv1dOptions::new().padding(Padding::Same).dilation(3).around(&[4]), ([4], [1]));
    /// ```
    pub fn around(&self, kernel: &[usize; D]) -> ([usize; D], [usize; D]) {
        match self.padding {
            Padding::Each(each) => (each, [0; D]),
            Padding::Same => {
                let all: [usize; D] =
                    std::array::from_fn(|d| kernel[d].saturating_sub(1).saturating_mul(self.dilation[d]));
                (all.map(|n| n / 2), all.map(|n| n % 2))
            }
        }
    }

    /// The convolution of as many dimensions as these options have: what [`Tensor::conv1d`], [`Tensor::conv2d`] and
    /// [`Tensor::conv3d`] call, for code that is written for all of them.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// let (x, w) = (tensor![[[1.0, 2.0, 4.0]]], tensor![[[1.0, 1.0]]]);
    /// assert_close!(Conv1dOptions::new().convolve(&x, &w, None), [[[3.0, 6.0]]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn convolve(self, x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Tensor {
        if let Some([Some(x), Some(w), b]) = low([Some(x), Some(w), b]) {
            return self.convolve(&x, &w, b.as_ref());
        }
        let (x, moves) = self.placed(x, w, b);
        match D {
            1 => crate::ops::conv1d_of(&x, w, b, &moves.of(0)),
            2 => crate::ops::conv2d_of(&x, w, b, moves.of(0)),
            _ => crate::ops::conv3d_of(&x, w, b, &moves.of(0)),
        }
    }

    /// The input and the moves of the kernel over it, all of which fit: what `same` needs on one side alone has been added.
    #[track_caller]
    pub(crate) fn placed(&self, x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> (Tensor, Moves<D>) {
        let axes = Named::of(D, false);
        check(&axes, x, w, b, self.groups);
        let kernel: [usize; D] = std::array::from_fn(|d| w.shape()[2 + d]);
        let sizes: [usize; D] = std::array::from_fn(|d| x.shape()[2 + d]);
        if self.padding == Padding::Same && self.stride != [1; D] {
            same_has_no_stride(axes.op, &self.stride);
        }
        if self.stride.contains(&0) || self.dilation.contains(&0) {
            let (stride, dilation) = (&self.stride, &self.dilation);
            fail!(axes.op, "the stride {stride:?} and the dilation {dilation:?} must be at least 1");
        }
        let Some(out) = self.out(kernel, sizes) else {
            let padding = match &self.padding {
                Padding::Each(each) => format!("{each:?}"),
                Padding::Same => "same".into(),
            };
            let (stride, dilation, whole) = (&self.stride, &self.dilation, axes.whole);
            fail!(axes.op, "the kernel {kernel:?} does not fit the {whole} {sizes:?} (stride {stride:?}, padding {padding}, dilation {dilation:?})";
                  help = "a smaller kernel or more padding is needed; no size may be 0 but that of the padding");
        };
        countable(axes.op, x.shape()[0], w.shape()[0], &out);
        let (padding, more) = self.around(&kernel);
        let mut x = x.clone();
        if more != [0; D] {
            let around: Vec<(usize, usize)> = [0, 0].into_iter().chain(more).map(|more| (0, more)).collect();
            x = x.pad(&around, 0.0);
        }
        (x, Moves { stride: self.stride, padding, dilation: self.dilation, groups: self.groups })
    }
}

/// That a result `[n, channels, out..]` has no more elements than can be counted.
#[track_caller]
fn countable(op: &str, n: usize, channels: usize, out: &[usize]) {
    let mut all = [n, channels, 1, 1, 1];
    all[2..2 + out.len()].copy_from_slice(out);
    Shape::new(&all[..2 + out.len()]).fit(op);
}

#[cold]
#[track_caller]
fn same_has_no_stride(op: &str, stride: &[usize]) -> ! {
    fail!(op, "the padding that keeps sizes the same needs a stride of 1, it is {stride:?}"; help = "give the padding as numbers")
}

/// How a kernel moves, its padding in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moves<const D: usize> {
    pub(crate) stride: [usize; D],
    pub(crate) padding: [usize; D],
    pub(crate) dilation: [usize; D],
    pub(crate) groups: usize,
}

impl<const D: usize> Moves<D> {
    /// Those along `E` axes, from an axis on.
    pub(crate) fn of<const E: usize>(&self, first: usize) -> Moves<E> {
        let part = |all: [usize; D]| std::array::from_fn(|d| all[first + d]);
        let (stride, padding, dilation) = (part(self.stride), part(self.padding), part(self.dilation));
        Moves { stride, padding, dilation, groups: self.groups }
    }
}

/// How the kernel of a transposed convolution of `D` dimensions moves over the result.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let options = ConvTranspose2dOptions::new().stride(2).output_padding([1, 0]);
/// assert_eq!((options.stride, options.padding, options.output_padding), ([2, 2], [0, 0], [1, 0]));
/// assert_eq!((options.dilation, options.groups), ([1, 1], 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTransposeOptions<const D: usize> {
    /// Places of the result from where one input falls to where the next one does.
    pub stride: [usize; D],
    /// Places that are left out on both sides of the result.
    pub padding: [usize; D],
    /// Places more at the end of the result: which of the sizes that a convolution makes of both is meant.
    pub output_padding: [usize; D],
    /// Places from one point of the kernel to the next.
    pub dilation: [usize; D],
    /// Parts into which the channels are split, each convolved alone.
    pub groups: usize,
}

/// How the kernel of [`Tensor::conv_transpose1d`] moves.
pub type ConvTranspose1dOptions = ConvTransposeOptions<1>;
/// How the kernel of [`Tensor::conv_transpose2d`] moves.
pub type ConvTranspose2dOptions = ConvTransposeOptions<2>;
/// How the kernel of [`Tensor::conv_transpose3d`] moves.
pub type ConvTranspose3dOptions = ConvTransposeOptions<3>;

impl<const D: usize> Default for ConvTransposeOptions<D> {
    fn default() -> ConvTransposeOptions<D> {
        ConvTransposeOptions {
            stride: [1; D],
            padding: [0; D],
            output_padding: [0; D],
            dilation: [1; D],
            groups: 1,
        }
    }
}

impl<const D: usize> ConvTransposeOptions<D> {
    /// Stride 1, nothing left out or added, a dense kernel, one group.
    pub fn new() -> ConvTransposeOptions<D> {
        ConvTransposeOptions::default()
    }
    /// With another distance between what inputs fall on.
    pub fn stride(self, stride: impl Into<PerAxis<D>>) -> ConvTransposeOptions<D> {
        ConvTransposeOptions { stride: stride.into().0, ..self }
    }
    /// With so many places left out on both sides.
    pub fn padding(self, padding: impl Into<PerAxis<D>>) -> ConvTransposeOptions<D> {
        ConvTransposeOptions { padding: padding.into().0, ..self }
    }
    /// With so many places more at the end, fewer than the stride or the dilation.
    pub fn output_padding(self, more: impl Into<PerAxis<D>>) -> ConvTransposeOptions<D> {
        ConvTransposeOptions { output_padding: more.into().0, ..self }
    }
    /// With another distance between the points of the kernel.
    pub fn dilation(self, dilation: impl Into<PerAxis<D>>) -> ConvTransposeOptions<D> {
        ConvTransposeOptions { dilation: dilation.into().0, ..self }
    }
    /// With the channels split into groups.
    pub fn groups(self, groups: usize) -> ConvTransposeOptions<D> {
        ConvTransposeOptions { groups, ..self }
    }

    /// The sizes of the result for a kernel on inputs of these sizes,
    /// `(size − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1` along each axis.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// assert_eq!(ConvTranspose2dOptions::new().stride(2).out([2, 2], [14, 14]), Ok([28, 28]));
    /// assert!(ConvTranspose1dOptions::new().padding(2).out([1], [4]).unwrap_err().contains("nothing is left"));
    /// ```
    /// # Errors
    /// Says what is wrong where nothing is left, or a size of the kernel, the stride or the dilation is 0.
    pub fn out(&self, kernel: [usize; D], sizes: [usize; D]) -> Result<[usize; D], String> {
        let whole = Named::of(D, true).whole;
        let mut out = [0; D];
        for d in 0..D {
            let (step, apart, more) = (self.stride[d], self.dilation[d], self.output_padding[d]);
            if sizes[d] == 0 {
                return Err(format!("the {whole} {sizes:?} has nothing to spread"));
            }
            if kernel[d] == 0 || step == 0 || apart == 0 {
                return Err(format!(
                    "a size is 0: kernel {kernel:?}, stride {:?}, dilation {:?}",
                    self.stride, self.dilation
                ));
            }
            if more >= step.max(apart) {
                return Err(format!(
                    "`output_padding` {more} is not less than the stride, {step}, or the dilation, {apart}"
                ));
            }
            let reach = apart.saturating_mul(kernel[d] - 1).saturating_add(1 + more);
            let all = (sizes[d] - 1).saturating_mul(step).saturating_add(reach);
            let left = all.checked_sub(self.padding[d].saturating_mul(2)).filter(|&left| left > 0);
            out[d] = left.ok_or_else(|| {
                format!("nothing is left of the {whole} {sizes:?} without {} on each side", self.padding[d])
            })?;
        }
        Ok(out)
    }

    /// The transposed convolution of as many dimensions as these options have, for code that is written for all of them.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// let (x, w) = (tensor![[[1.0, 3.0]]], tensor![[[1.0, 2.0]]]);
    /// assert_close!(ConvTranspose1dOptions::new().stride(2).convolve(&x, &w, None), [[[1.0, 2.0, 3.0, 6.0]]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn convolve(self, x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Tensor {
        if let Some([Some(x), Some(w), b]) = low([Some(x), Some(w), b]) {
            return self.convolve(&x, &w, b.as_ref());
        }
        let axes = Named::of(D, true);
        check(&axes, x, w, b, self.groups);
        let kernel: [usize; D] = std::array::from_fn(|d| w.shape()[2 + d]);
        let sizes: [usize; D] = std::array::from_fn(|d| x.shape()[2 + d]);
        let out = self.out(kernel, sizes).unwrap_or_else(|wrong| fail!(axes.op, "{wrong}"));
        let outputs = w.shape()[1].saturating_mul(self.groups);
        countable(axes.op, x.shape()[0], outputs, &out);
        let ConvTransposeOptions { stride, padding, dilation, groups, .. } = self;
        let moves = Moves { stride, padding, dilation, groups };
        // Kernels stand at so many places more where the result is longer by a stride or more; zeros stand there.
        let more: [usize; D] = std::array::from_fn(|d| self.output_padding[d] / stride[d]);
        // 16 bits are rounded once, after all sums.
        let (dtype, short) = (x.dtype(), x.dtype().size() < crate::DType::F32.size());
        let inner = |t: &Tensor| if short { t.to(crate::DType::F32) } else { t.clone() };
        let (mut x, w) = (inner(x), inner(w));
        if more != [0; D] {
            let around: Vec<(usize, usize)> = [0, 0].into_iter().chain(more).map(|more| (0, more)).collect();
            x = x.pad(&around, 0.0);
        }
        let part = |first: usize| std::array::from_fn(|d| out[first + d]);
        let y = match D {
            1 => crate::ops::conv_transpose1d_of(&x, &w, &moves.of(0), out[0]),
            2 => crate::ops::conv_transpose2d_of(&x, &w, moves.of(0), part(0)),
            _ => crate::ops::conv_transpose3d_of(&x, &w, &moves.of(0), std::array::from_fn(|d| out[d])),
        };
        let y = match b {
            Some(b) => y + inner(b).reshape([&[outputs][..], &[1; D]].concat()),
            None => y,
        };
        if short { y.to(dtype) } else { y }
    }
}

/// What messages about a convolution call things.
struct Named {
    op: &'static str,
    /// What is convolved, and its axes.
    whole: &'static str,
    axes: &'static str,
    kernel: &'static str,
    transposed: bool,
}

impl Named {
    fn of(dimensions: usize, transposed: bool) -> Named {
        let (ops, whole, axes, kernel) = match dimensions {
            1 => (["conv1d", "conv_transpose1d"], "sequence", "[n, c, length]", "k"),
            2 => (["conv2d", "conv_transpose2d"], "image", "[n, c, h, w]", "kh, kw"),
            3 => (["conv3d", "conv_transpose3d"], "volume", "[n, c, d, h, w]", "kd, kh, kw"),
            _ => fail!("conv", "a convolution has 1, 2 or 3 dimensions, not {dimensions}"),
        };
        Named { op: ops[usize::from(transposed)], whole, axes, kernel, transposed }
    }

    /// The shape of the weight: with groups, of which there may be one, and without.
    fn weight(&self, groups: usize) -> String {
        let kernel = self.kernel;
        match (self.transposed, groups > 1) {
            (false, false) => format!("[out, in, {kernel}]"),
            (false, true) => format!("[out, in / groups, {kernel}]"),
            (true, false) => format!("[in, out, {kernel}]"),
            (true, true) => format!("[in, out / groups, {kernel}]"),
        }
    }
}

/// That dtypes, ranks, channels and the bias fit each other.
#[track_caller]
fn check(named: &Named, x: &Tensor, w: &Tensor, b: Option<&Tensor>, groups: usize) {
    let op = named.op;
    same_dtype(op, x, w);
    if !x.dtype().is_float() {
        fail!(op, "floats are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    let (xs, ws) = (x.shape(), w.shape());
    let (whole, rank) = (named.whole, named.axes.split(',').count());
    if xs.len() != rank {
        let help = match xs.len() + 1 == rank {
            true if rank == 4 => {
                "one image needs a batch of 1: `x.unsqueeze(0)`; grey images need a channel: `x.unsqueeze(1)`"
                    .into()
            }
            true => format!(
                "one {whole} needs a batch of 1: `x.unsqueeze(0)`; {whole}s without channels need one: `x.unsqueeze(1)`"
            ),
            false => format!("`reshape` gives it {} axes", ["three", "four", "five"][rank - 3]),
        };
        fail!(op, "the input must be {}, it is {xs:?}", named.axes; help = "{help}");
    }
    if ws.len() != rank {
        fail!(op, "the weight must be {}, it is {ws:?}", named.weight(2));
    }
    let c = xs[1];
    let (split, what) = if named.transposed { (c, "inputs") } else { (ws[0], "outputs") };
    if groups == 0 || !split.is_multiple_of(groups) {
        fail!(op, "{split} {what} cannot be split into {groups} groups"; help = "the groups must divide both inputs and outputs");
    }
    // A group has at least one output, unless there are none; a product that overflows is not a number of channels.
    let (takes, outputs) = match named.transposed {
        true => (ws[0], ws[1].saturating_mul(groups)),
        false => (ws[1].saturating_mul(groups), ws[0]),
    };
    if c != takes {
        let help = if xs[rank - 1] == takes {
            let last = ["[0, 2, 1]", "[0, 3, 1, 2]", "[0, 4, 1, 2, 3]"][rank - 3];
            format!("the channels look last; try `x.permute({last})`")
        } else {
            format!("the weight is {}", named.weight(groups))
        };
        fail!(op, "channels differ: x {xs:?} and w {ws:?}      {c} ≠ {takes}"; help = "{help}");
    }
    if let Some(b) = b {
        same_dtype(op, x, b);
        if b.shape() != [outputs] {
            fail!(op, "the bias {:?} does not fit the weight {ws:?}, which has {outputs} outputs", b.shape(); help = "the bias must be [{outputs}]");
        }
    }
}

//! Two-dimensional convolution.

use crate::autocast::low;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{conv_shape, in_class, slice, with_float};
use crate::backend::{Size2, Window};
use crate::elementwise::same_dtype;
use crate::graph::{At, Cost, Fast, Fused, Meaning, Meant, Outline, Say, Vjp, boxed, fused, times};
use crate::ops::relu::Step;
use crate::shape::Shape;
use crate::slope::times_slope;
use crate::{Tensor, fail, is_recording};
use mapsto_kernels::conv::{ConvShape, Ending, Norm, Packed, conv2d, conv2d_data, conv2d_packed, conv2d_weight};
use mapsto_kernels::gemm::Activation;
use smallvec::SmallVec;

/// How the kernel of [`Tensor::conv2d`] moves.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let options = Conv2dOptions::new().stride(2).padding([1, 0]);
/// assert_eq!((options.stride, options.padding, options.dilation, options.groups), ([2, 2], [1, 0], [1, 1], 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dOptions {
    /// Rows and columns from one output to the next.
    pub stride: [usize; 2],
    /// Rows and columns of zeros added on each side of the image.
    pub padding: [usize; 2],
    /// Rows and columns from one point of the kernel to the next.
    pub dilation: [usize; 2],
    /// Parts into which the channels are split, each convolved alone.
    pub groups: usize,
}

impl Default for Conv2dOptions {
    fn default() -> Conv2dOptions {
        Conv2dOptions { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }
    }
}

impl Conv2dOptions {
    /// Stride 1, no padding, a dense kernel, one group.
    pub fn new() -> Conv2dOptions {
        Conv2dOptions::default()
    }
    /// With another distance between outputs.
    pub fn stride(self, stride: impl Into<Size2>) -> Conv2dOptions {
        Conv2dOptions { stride: stride.into().0, ..self }
    }
    /// With zeros around the image.
    pub fn padding(self, padding: impl Into<Size2>) -> Conv2dOptions {
        Conv2dOptions { padding: padding.into().0, ..self }
    }
    /// With another distance between the points of the kernel.
    pub fn dilation(self, dilation: impl Into<Size2>) -> Conv2dOptions {
        Conv2dOptions { dilation: dilation.into().0, ..self }
    }
    /// With the channels split into groups.
    pub fn groups(self, groups: usize) -> Conv2dOptions {
        Conv2dOptions { groups, ..self }
    }
}

/// What follows a convolution in the same pass: [`Tensor::conv2d_then`].
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let bias = tensor![1.0];
/// let then = Conv2dThen::new().bias(&bias).relu();
/// assert_close!(tensor![[[[-3.0]]]].conv2d_then(&tensor![[[[1.0]]]], Conv2dOptions::new(), then).flatten(0), [0.0]);
/// ```
#[derive(Clone, Copy, Default)]
pub struct Conv2dThen<'a> {
    bias: Option<&'a Tensor>,
    norm: Option<[&'a Tensor; 3]>,
    add: Option<&'a Tensor>,
    relu: bool,
}

impl<'a> Conv2dThen<'a> {
    /// Nothing.
    pub fn new() -> Conv2dThen<'a> {
        Conv2dThen::default()
    }
    /// A number added to each output channel, first of all.
    pub fn bias(self, bias: &'a Tensor) -> Conv2dThen<'a> {
        Conv2dThen { bias: Some(bias), ..self }
    }
    /// `(y − mean) · scale + shift` with three numbers for each output channel, next: a batch norm with given statistics.
    pub fn norm(self, mean: &'a Tensor, scale: &'a Tensor, shift: &'a Tensor) -> Conv2dThen<'a> {
        Conv2dThen { norm: Some([mean, scale, shift]), ..self }
    }
    /// A tensor of the result's shape, added next.
    pub fn plus(self, add: &'a Tensor) -> Conv2dThen<'a> {
        Conv2dThen { add: Some(add), ..self }
    }
    /// `max(0, x)`, last of all.
    pub fn relu(self) -> Conv2dThen<'a> {
        Conv2dThen { relu: true, ..self }
    }

    /// Its bias is checked with the weight.
    #[track_caller]
    fn check(&self, x: &Tensor, w: &Tensor, options: &Conv2dOptions) {
        let ([n, _, h, width], [o, ..]) = (x.dims(), w.dims::<4>());
        let [oh, ow] = window(options, w).out([h, width]).expect("checked before");
        let [mean, scale, shift] = self.norm.map_or([None; 3], |norm| norm.map(Some));
        for (what, t, shape) in [
            ("mean", mean, &[o][..]),
            ("scale", scale, &[o]),
            ("shift", shift, &[o]),
            ("tensor to add", self.add, &[n, o, oh, ow]),
        ] {
            let Some(t) = t else { continue };
            same_dtype("conv2d", x, t);
            if t.shape() != shape {
                fail!("conv2d", "the {what} {:?} does not fit the result {:?}", t.shape(), [n, o, oh, ow]; help = "it must be {shape:?}");
            }
        }
    }
}

impl Tensor {
    /// The convolution (in the field's sense: cross-correlation, the kernel is not flipped)
    /// `y[n, o, p, q] = b[o] + Σ w[o, c, i, j] x[n, c, p·s + i·d − pad, q·s + j·d − pad]`, zeros around the image.
    ///
    /// * Shape: `[n, c, h, w], [o, c/groups, kh, kw], [o] → [n, o, oh, ow]` with
    ///   `oh = (h + 2·padding − dilation·(kh − 1) − 1) / stride + 1`.
    /// * Gradient: `dx`, a convolution of `dy`; `dw = Σ dy x`; `db = Σ dy`.   * ONNX: `Conv`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = Tensor::arange(0..9).to(DType::F32).reshape([1, 1, 3, 3]);
    /// let edge = tensor![[[[1.0, -1.0]]]];
    /// let y = x.conv2d(&edge, Some(&tensor![10.0]), Conv2dOptions::default());
    /// assert_close!(y.squeeze(0).squeeze(0), [[9.0, 9.0], [9.0, 9.0], [9.0, 9.0]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn conv2d(&self, w: &Tensor, b: Option<&Tensor>, options: Conv2dOptions) -> Tensor {
        if let Some([Some(x), Some(w), b]) = low([Some(self), Some(w), b]) {
            return x.conv2d(&w, b.as_ref(), options);
        }
        check_shapes(self, w, b, &options);
        let then = b.map_or(Conv2dThen::new(), |b| Conv2dThen::new().bias(b));
        convolve(self, w, options, then)
    }

    /// A convolution and what follows it, in one pass: `relu((conv(x, w) + bias − mean) · scale + shift + add)`, of which
    /// [`Conv2dThen`] says how much is there. That is a bias, a batch norm with given statistics, the way around a residual block,
    /// and a ReLU. The bits are those of the steps one by one.
    ///
    /// * Shape: as [`conv2d`](Tensor::conv2d); `bias`, `mean`, `scale` and `shift` are `[o]`, `add` is the result's shape.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, w) = (tensor![[[[1.0, -1.0]]]], tensor![[[[3.0]]]]);
    /// let (mean, scale, shift) = (tensor![1.0], tensor![2.0], tensor![3.0]);
    /// let then = Conv2dThen::new().norm(&mean, &scale, &shift).relu();
    /// assert_close!(x.conv2d_then(&w, Conv2dOptions::new(), then).flatten(0), [7.0, 0.0]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn conv2d_then(&self, w: &Tensor, options: Conv2dOptions, then: Conv2dThen<'_>) -> Tensor {
        let [mean, scale, shift] = then.norm.map_or([None; 3], |norm| norm.map(Some));
        if let Some([Some(x), Some(w), bias, mean, scale, shift, add]) =
            low([Some(self), Some(w), then.bias, mean, scale, shift, then.add])
        {
            let norm = match (&mean, &scale, &shift) {
                (Some(mean), Some(scale), Some(shift)) => Some([mean, scale, shift]),
                _ => None,
            };
            let then = Conv2dThen { bias: bias.as_ref(), norm, add: add.as_ref(), ..then };
            return x.conv2d_then(&w, options, then);
        }
        check_shapes(self, w, then.bias, &options);
        then.check(self, w, &options);
        convolve(self, w, options, then)
    }
}

#[track_caller]
fn convolve(x: &Tensor, w: &Tensor, options: Conv2dOptions, then: Conv2dThen<'_>) -> Tensor {
    let mut xs: SmallVec<[&Tensor; 7]> = SmallVec::from_slice(&[x, w]);
    xs.extend(then.bias);
    xs.extend(then.norm.into_iter().flatten());
    xs.extend(then.add);
    let follows = Follows {
        bias: then.bias.is_some(),
        norm: then.norm.is_some(),
        add: then.add.is_some(),
        relu: then.relu,
    };
    // While parameters are recorded they are about to change.
    fused(Conv2d { options, follows, remember: !is_recording() }, &xs)
}

#[track_caller]
fn check_shapes(x: &Tensor, w: &Tensor, b: Option<&Tensor>, options: &Conv2dOptions) {
    const OP: &str = "conv2d";
    same_dtype(OP, x, w);
    if !x.dtype().is_float() {
        fail!(OP, "floats are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    let (xs, ws, groups) = (x.shape(), w.shape(), options.groups);
    if xs.len() != 4 {
        let help = match xs.len() {
            3 => "one image needs a batch of 1: `x.unsqueeze(0)`; grey images need a channel: `x.unsqueeze(1)`",
            _ => "`reshape` gives it four axes",
        };
        fail!(OP, "the input must be [n, c, h, w], it is {xs:?}"; help = "{help}");
    }
    if ws.len() != 4 {
        fail!(OP, "the weight must be [out, in / groups, kh, kw], it is {ws:?}");
    }
    let c = xs[1];
    if groups == 0 || !ws[0].is_multiple_of(groups) {
        fail!(OP, "{} outputs cannot be split into {groups} groups", ws[0]; help = "the groups must divide both inputs and outputs");
    }
    // A group has at least one output, unless there are none; a product that overflows is not a number of channels.
    let takes = ws[1].saturating_mul(groups);
    if c != takes {
        let help = if xs[3] == takes {
            "the channels look last; try `x.permute([0, 3, 1, 2])`"
        } else if groups > 1 {
            "the weight is [out, in / groups, kh, kw]"
        } else {
            "the weight is [out, in, kh, kw]"
        };
        fail!(OP, "channels differ: x {xs:?} and w {ws:?}      {c} ≠ {takes}"; help = "{help}");
    }
    if let Some([oh, ow]) = window(options, w).out([xs[2], xs[3]]) {
        Shape::new(&[xs[0], ws[0], oh, ow]).fit(OP);
    } else {
        let Conv2dOptions { stride, padding, dilation, .. } = options;
        fail!(OP, "the kernel {:?} does not fit the image {:?} (stride {stride:?}, padding {padding:?}, dilation {dilation:?})", &ws[2..], &xs[2..];
              help = "a smaller kernel or more padding is needed; no size may be 0 but that of the padding");
    }
    if let Some(b) = b {
        same_dtype(OP, x, b);
        if b.shape() != [ws[0]] {
            fail!(OP, "the bias {:?} does not fit the weight {ws:?}, which has {} outputs", b.shape(), ws[0]; help = "the bias must be [{}]", ws[0]);
        }
    }
}

fn window(options: &Conv2dOptions, w: &Tensor) -> Window {
    let Conv2dOptions { stride, padding, dilation, .. } = *options;
    Window { kernel: [w.shape()[2], w.shape()[3]], stride, padding, dilation }
}

/// What follows the sums, by what there is: the inputs after x and w are the bias, the mean, the scale and the shift of a norm, and
/// what is added, in this order.
#[derive(Clone, Copy, Default)]
struct Follows {
    bias: bool,
    norm: bool,
    add: bool,
    relu: bool,
}

impl Follows {
    /// The bias, the norm's mean, scale and shift, and what is added.
    fn of<'a, X>(&self, xs: &'a [X]) -> [Option<&'a X>; 5] {
        let mut rest = xs[2..].iter();
        let there = [self.bias, self.norm, self.norm, self.norm, self.add];
        there.map(|there| if there { rest.next() } else { None })
    }
}

struct Conv2d {
    options: Conv2dOptions,
    follows: Follows,
    /// Whether the weights are worth packing for the next time.
    remember: bool,
}
impl Conv2d {
    fn shape(&self, x: &Tensor, w: &Tensor) -> ConvShape {
        ConvShape { c_out: w.shape()[0], groups: self.options.groups, ..conv_shape(x.shape(), &window(&self.options, w)) }
    }
}
impl Fused for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=7
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        let filter = xs[1].count() / xs[1].shape[0].max(1) as u64;
        let after = (xs.len() as u64 - 2) + u64::from(self.follows.relu);
        Cost::products(xs, y, times(&[y.count(), filter])).plus(times(&[y.count(), after]))
    }
    fn attrs(&self, say: Say<'_>) {
        say("stride", self.options.stride.into());
        say("padding", self.options.padding.into());
        say("dilation", self.options.dilation.into());
        say("groups", self.options.groups.into());
        say("bias", self.follows.bias.into());
        say("norm", self.follows.norm.into());
        say("add", self.follows.add.into());
        say("relu", self.follows.relu.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let ([n, _, h, w], [o, c, kh, kw], groups) = (xs[0].dims(), xs[1].dims(), self.options.groups);
        let window = window(&self.options, xs[1]);
        let [oh, ow] = window.out([h, w]).expect("checked by `conv2d`");
        let cols = xs[0].window(window).reshape([n, groups, c * kh * kw, oh * ow]);
        let mut y = xs[1].reshape([groups, o / groups, c * kh * kw]).matmul(&cols).reshape([n, o, oh, ow]);
        let [bias, mean, scale, shift, add] = self.follows.of(xs);
        let each = |t: &Tensor| t.reshape([o, 1, 1]);
        if let Some(bias) = bias {
            y += each(bias);
        }
        if let (Some(mean), Some(scale), Some(shift)) = (mean, scale, shift) {
            y = (y - each(mean)) * each(scale) + each(shift);
        }
        if let Some(add) = add {
            y += *add;
        }
        if self.follows.relu { y.relu() } else { y }
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let s = self.shape(xs[0], xs[1]);
        if s.c_out == 0 {
            return None; // the definition gives a result without elements
        }
        let inputs: SmallVec<[Tensor; 7]> = xs.iter().map(|x| in_class(x)).collect();
        let [oh, ow] = s.out();
        let y = with_float!(inputs[0].dtype(), T => Tensor::filled_by([s.n, s.c_out, oh, ow], |y: &mut [T]| {
            let (x, w) = (slice::<T>(&inputs[0]), slice::<T>(&inputs[1]));
            let [bias, mean, scale, shift, add] = self.follows.of(&inputs).map(|t| t.map(slice::<T>));
            let norm = match (mean, scale, shift) {
                (Some(mean), Some(scale), Some(shift)) => Some(Norm { mean, scale, shift }),
                _ => None,
            };
            let activation = if self.follows.relu { Activation::Relu } else { Activation::None };
            let ending = Ending { bias, norm, add, activation };
            let whole = inputs[1].layout().offset() == 0 && size_of_val(w) == inputs[1].storage().bytes();
            if self.remember && whole {
                let packed = inputs[1].storage().derived(|p: &Packed<T>| p.fits(&s), || Packed::new(&s, w));
                conv2d_packed(&s, x, w, &packed, &ending, y)
            } else {
                conv2d(&s, x, w, &ending, y)
            }
        }));
        Some(y.to(xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        if self.follows.norm || self.follows.add {
            return None; // a network in use is seldom differentiated
        }
        let s = self.shape(at.a(), at.b());
        let relu = if self.follows.relu { times_slope(Step, g, &at.y().detach()) } else { g.clone() };
        let g = in_class(&relu);
        let dx = at.wants(0).then(|| {
            let w = in_class(at.b());
            with_float!(g.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| conv2d_data(&s, slice(&g), slice(&w), dx)))
        });
        let dw = at.wants(1).then(|| {
            let x = in_class(at.a());
            with_float!(g.dtype(), T => Tensor::filled_by(at.shape(1), |dw: &mut [T]| conv2d_weight(&s, slice(&x), slice(&g), dw)))
        });
        let mut grads = vec![dx, dw];
        if self.follows.bias {
            // First over each image's plane, then over the batch: summing both at once would copy to gather the axes.
            let [n, o, oh, ow] = g.dims();
            grads.push(at.wants(2).then(|| g.reshape([n, o, oh * ow]).sum(-1).sum(0)));
        }
        Some(grads.into())
    }
    fn keeps_output(&self) -> bool {
        self.follows.relu
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        if self.follows.relu {
            return Some(Meaning::Rectified);
        }
        xs.of(1).filter(|weight| *weight == Meaning::Scores)
    }
    fn ends_in(&self) -> &'static str {
        if self.follows.relu { "relu" } else { self.name() }
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("conv2d", "The convolution (in the field's sense: cross-correlation, the kernel is not flipped) `y[n, o, p, q] = b[o] + Σ w[o, c, i, j] x[n, c, p·s + i·d − pad, q·s + j·d − pad]`, zeros around the image.", Takes::Floats, samples).built(|a| Ok(boxed(Conv2d {
            options: Conv2dOptions {
                stride: a.need("stride")?,
                padding: a.need("padding")?,
                dilation: a.need("dilation")?,
                groups: a.need("groups")?,
            },
            follows: Follows {
                bias: a.need("bias")?,
                norm: a.need("norm")?,
                add: a.need("add")?,
                relu: a.need("relu")?,
            },
            remember: false,
        }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 5, 4], &d), (&[4, 3, 3, 2], &d), (&[4], &d)], |x| {
        x[0].conv2d(&x[1], Some(&x[2]), Conv2dOptions::new())
    });
    s.of(&[(&[1, 4, 6, 5], &d), (&[6, 2, 3, 3], &d)], |x| {
        x[0].conv2d(&x[1], None, Conv2dOptions::new().stride([2, 1]).padding([1, 2]).dilation([1, 2]).groups(2))
    });
    s.of(&[(&[2, 3, 4, 4], &d), (&[5, 3, 1, 1], &d)], |x| x[0].conv2d(&x[1], None, Conv2dOptions::new()));
    s.of(&[(&[0, 2, 4, 4], &d), (&[3, 2, 3, 3], &d)], |x| x[0].conv2d(&x[1], None, Conv2dOptions::new()));
    let each: (&[usize], _) = (&[2], &d);
    s.of(&[(&[1, 2, 3, 3], &d), (&[2, 2, 2, 2], &d), each, each, each, each, (&[1, 2, 2, 2], &d)], |x| {
        let then = Conv2dThen::new().bias(&x[2]).norm(&x[3], &x[4], &x[5]).plus(&x[6]);
        x[0].conv2d_then(&x[1], Conv2dOptions::new(), then)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    /// Small inputs give small results, to as many digits.
    #[test]
    fn small_numbers_keep_their_digits() {
        let (x, w) = (floats(-2.0..2.0).draw(&[1, 2, 5, 4], 1), floats(-2.0..2.0).draw(&[3, 2, 3, 2], 2));
        let of = |x: &Tensor| x.conv2d(&w, None, Conv2dOptions::new());
        assert_close!(of(&(&x * 1e-6)) * 1e6, of(&x));
    }

    #[test]
    fn conv2d() {
        let d = || floats(-2.0..2.0);
        let options = Conv2dOptions::new();
        let odd = options.stride([2, 1]).padding([1, 2]).dilation([1, 2]);
        check3(move |x, w, b| x.conv2d(w, Some(b), options))
            .shapes([&[2, 2, 5, 4], &[3, 2, 3, 2], &[3]])
            .tolerance(4.0)
            .on(d(), d(), d());
        check2(move |x, w| x.conv2d(w, None, odd)).shapes([&[2, 2, 5, 4], &[3, 2, 3, 2]]).tolerance(4.0).on(d(), d());
        check2(move |x, w| x.conv2d(w, None, options.groups(2)))
            .shapes([&[1, 4, 3, 3], &[6, 2, 2, 2]])
            .tolerance(4.0)
            .on(d(), d());
        check2(move |x, w| x.conv2d(w, None, options)).shapes([&[0, 1, 3, 3], &[2, 1, 2, 2]]).on(d(), d());
        for options in [options.padding(1), odd, options.stride(2), options.stride(3).padding(1)] {
            check_fused(|| biased(options), &[(&[3, 4, 9, 8], d()), (&[6, 4, 3, 3], d()), (&[6], d())]);
        }
        // In Winograd's points, whose errors grow with the terms.
        let (small, same) = (|| floats(-0.5..0.5), options.padding(1));
        check_fused(
            || biased(same),
            &[(&[3, 16, 10, 9], small()), (&[20, 16, 3, 3], small()), (&[20], small())],
        );
        let options = options.groups(4).padding(1);
        let plain = move || Conv2d { follows: Follows::default(), ..biased(options) };
        check_fused(plain, &[(&[2, 4, 7, 6], d()), (&[8, 1, 3, 3], d())]);
    }

    fn biased(options: Conv2dOptions) -> Conv2d {
        Conv2d { options, follows: Follows { bias: true, ..Follows::default() }, remember: false }
    }

    #[test]
    fn what_follows_in_the_same_pass_is_what_follows() {
        let d = || floats(-0.5..0.5);
        let options = Conv2dOptions::new().padding(1);
        for (shape, outputs) in [([2, 3, 6, 5], 4), ([3, 16, 10, 9], 20)] {
            let (w, add) = ([outputs, shape[1], 3, 3], [shape[0], outputs, shape[2], shape[3]]);
            let relu = move || Conv2d { follows: Follows { bias: true, relu: true, ..Follows::default() }, ..biased(options) };
            check_fused(relu, &[(&shape, d()), (&w, d()), (&[outputs], d())]);
            let all = move || Conv2d { follows: Follows { bias: true, norm: true, add: true, relu: true }, ..biased(options) };
            let outputs = [outputs];
            let each = || (&outputs[..], d());
            let [bias, mean, scale, shift] = [each(), each(), each(), each()];
            check_fused(all, &[(&shape, d()), (&w, d()), bias, mean, scale, shift, (&add, d())]);
        }
        let (x, w) = (Tensor::ones([1, 2, 3, 3]), Tensor::ones([4, 2, 3, 3]));
        let error = catch(|| x.conv2d_then(&w, options, Conv2dThen::new().plus(&Tensor::ones([4])))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "conv2d: the tensor to add [4] does not fit the result [1, 4, 3, 3]\nhelp: it must be [1, 4, 3, 3]"
        );
    }

    #[test]
    fn packed_weights_are_remembered_until_the_weights_change() {
        let (x, mut w) = (Tensor::randn([1, 16, 12, 12]), Tensor::randn([16, 16, 3, 3]));
        let y = |w: &Tensor| x.conv2d(w, None, Conv2dOptions::new());
        let fresh = |w: &Tensor| record(|| y(w));
        let bits = |t: Tensor| t.to_vec::<f32>();
        let shared = w.clone();
        let first = bits(y(&w));
        assert_eq!((&first, &first), (&bits(y(&w)), &bits(fresh(&w))));
        // A copy is written while another holds the old values; then the only owner writes in place.
        for value in [1.0, 2.0] {
            w.as_mut_slice::<f32>().fill(value);
            assert_eq!(bits(y(&w)), bits(fresh(&w)));
        }
        assert_eq!(bits(y(&shared)), first);
        let half = x.conv2d(&w.slice(0, ..8), None, Conv2dOptions::new());
        assert_eq!(bits(half), bits(record(|| x.conv2d(&w.slice(0, ..8), None, Conv2dOptions::new()))));
    }

    #[test]
    fn a_mistake_names_both_shapes_and_the_fix() {
        let error = |x: &[usize], w: &[usize], b: Option<usize>, o: Conv2dOptions| {
            let b = b.map(Tensor::zeros);
            catch(|| Tensor::zeros(x).conv2d(&Tensor::zeros(w), b.as_ref(), o)).unwrap_err().to_string()
        };
        let plain = Conv2dOptions::new();
        assert_eq!(
            error(&[8, 32, 32, 3], &[16, 3, 5, 5], None, plain),
            "conv2d: channels differ: x [8, 32, 32, 3] and w [16, 3, 5, 5]      32 ≠ 3\nhelp: the channels look last; try `x.permute([0, 3, 1, 2])`"
        );
        assert_eq!(
            error(&[1, 28, 28], &[16, 1, 3, 3], None, plain),
            "conv2d: the input must be [n, c, h, w], it is [1, 28, 28]\nhelp: one image needs a batch of 1: `x.unsqueeze(0)`; grey images need a channel: `x.unsqueeze(1)`"
        );
        assert_eq!(
            error(&[1, 1, 2, 2], &[4, 1, 3, 3], None, plain),
            "conv2d: the kernel [3, 3] does not fit the image [2, 2] (stride [1, 1], padding [0, 0], dilation [1, 1])\nhelp: a smaller kernel or more padding is needed; no size may be 0 but that of the padding"
        );
        assert_eq!(
            error(&[1, 1, 4, 4], &[4, 1, 3, 3], Some(1), plain),
            "conv2d: the bias [1] does not fit the weight [4, 1, 3, 3], which has 4 outputs\nhelp: the bias must be [4]"
        );
        assert_eq!(
            error(&[1, 4, 4, 4], &[3, 2, 3, 3], None, plain.groups(2)),
            "conv2d: 3 outputs cannot be split into 2 groups\nhelp: the groups must divide both inputs and outputs"
        );
    }
}

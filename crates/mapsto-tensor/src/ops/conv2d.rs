//! Two-dimensional convolution.

use crate::backend::cpu::{conv_shape, in_class, slice, with_float};
use crate::backend::{Size2, Window};
use crate::elementwise::same_dtype;
use crate::graph::{At, Fast, Fused, Vjp, fused};
use crate::{Tensor, fail};
use mapsto_kernels::conv::{ConvShape, conv2d, conv2d_data, conv2d_weight};
use mapsto_kernels::gemm::Activation;

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
        check_shapes(self, w, b, &options);
        let op = Conv2d { options };
        match b {
            Some(b) => fused(op, &[self, w, b]),
            None => fused(op, &[self, w]),
        }
    }
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
    let (c, takes) = (xs[1], ws[1] * groups);
    if groups == 0 || !ws[0].is_multiple_of(groups) {
        fail!(OP, "{} outputs cannot be split into {groups} groups", ws[0]; help = "the groups must divide both inputs and outputs");
    }
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
    if window(options, w).out([xs[2], xs[3]]).is_none() {
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

struct Conv2d {
    options: Conv2dOptions,
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
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let ([n, _, h, w], [o, c, kh, kw], groups) = (xs[0].dims(), xs[1].dims(), self.options.groups);
        let window = window(&self.options, xs[1]);
        let [oh, ow] = window.out([h, w]).expect("checked by `conv2d`");
        let cols = xs[0].window(window).reshape([n, groups, c * kh * kw, oh * ow]);
        let y = xs[1].reshape([groups, o / groups, c * kh * kw]).matmul(&cols).reshape([n, o, oh, ow]);
        match xs.get(2) {
            Some(b) => y + b.reshape([o, 1, 1]),
            None => y,
        }
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let s = self.shape(xs[0], xs[1]);
        let (x, w, b) = (in_class(xs[0]), in_class(xs[1]), xs.get(2).map(|b| in_class(b)));
        let [oh, ow] = s.out();
        let y = with_float!(x.dtype(), T => Tensor::filled_by([s.n, s.c_out, oh, ow], |y: &mut [T]| {
            conv2d(&s, slice(&x), slice(&w), b.as_ref().map(slice), Activation::None, y)
        }));
        Some(y.to(xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let s = self.shape(at.a(), at.b());
        let g = in_class(g);
        let dx = at.wants(0).then(|| {
            let w = in_class(at.b());
            with_float!(g.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| conv2d_data(&s, slice(&g), slice(&w), dx)))
        });
        let dw = at.wants(1).then(|| {
            let x = in_class(at.a());
            with_float!(g.dtype(), T => Tensor::filled_by(at.shape(1), |dw: &mut [T]| conv2d_weight(&s, slice(&x), slice(&g), dw)))
        });
        let mut grads = vec![dx, dw];
        if at.inputs() == 3 {
            // First over each image's plane, then over the batch: summing both at once would copy to gather the axes.
            let [n, o, oh, ow] = g.dims();
            grads.push(at.wants(2).then(|| g.reshape([n, o, oh * ow]).sum(-1).sum(0)));
        }
        Some(grads.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

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
            check_fused(|| Conv2d { options }, &[(&[3, 4, 9, 8], d()), (&[6, 4, 3, 3], d()), (&[6], d())]);
        }
        // In Winograd's points, whose errors grow with the terms.
        let (small, same) = (|| floats(-0.5..0.5), options.padding(1));
        check_fused(
            || Conv2d { options: same },
            &[(&[3, 16, 10, 9], small()), (&[20, 16, 3, 3], small()), (&[20], small())],
        );
        let options = options.groups(4).padding(1);
        check_fused(|| Conv2d { options }, &[(&[2, 4, 7, 6], d()), (&[8, 1, 3, 3], d())]);
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

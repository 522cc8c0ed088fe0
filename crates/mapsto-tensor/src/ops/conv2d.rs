//! Two-dimensional convolution.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{conv_shape, in_class, slice, with_float};
use crate::backend::Window;
use crate::convolution::Moves;
use crate::graph::{At, Cost, Fast, Fused, Meaning, Meant, Outline, Say, Vjp, boxed, fused, times};
use crate::ops::conv2d_then::{Conv2dThen, Follows};
use crate::ops::relu::Step;
use crate::slope::times_slope;
use crate::{Device, Tensor, is_recording};
pub use crate::convolution::{Conv2dOptions, ConvOptions, Padding};
use mapsto_kernels::conv::{ConvShape, Ending, Norm, Packed, conv2d, conv2d_data, conv2d_packed, conv2d_weight};
use mapsto_kernels::gemm::Activation;
use mapsto_kernels::threads::for_chunks;
use smallvec::SmallVec;

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
        options.convolve(self, w, b)
    }
}

#[track_caller]
pub(crate) fn conv2d_of(x: &Tensor, w: &Tensor, b: Option<&Tensor>, moves: Moves<2>) -> Tensor {
    following(x, w, moves, b.map_or(Conv2dThen::new(), |b| Conv2dThen::new().bias(b)))
}

/// The convolution of inputs that have been checked, and what follows it.
#[track_caller]
pub(super) fn following(x: &Tensor, w: &Tensor, moves: Moves<2>, then: Conv2dThen<'_>) -> Tensor {
    let mut xs: SmallVec<[&Tensor; 7]> = SmallVec::from_slice(&[x, w]);
    xs.extend(then.inputs());
    // While parameters are recorded they are about to change.
    fused(Conv2d { moves, follows: then.follows(), remember: !is_recording() }, &xs)
}

fn window(moves: &Moves<2>, w: &Tensor) -> Window {
    let Moves { stride, padding, dilation, .. } = *moves;
    Window { kernel: [w.shape()[2], w.shape()[3]], stride, padding, dilation }
}

pub(super) struct Conv2d {
    pub(super) moves: Moves<2>,
    pub(super) follows: Follows,
    /// Whether the weights are worth packing for the next time.
    pub(super) remember: bool,
}
impl Conv2d {
    fn shape(&self, x: &Tensor, w: &Tensor) -> ConvShape {
        ConvShape { c_out: w.shape()[0], groups: self.moves.groups, ..conv_shape(x.shape(), &window(&self.moves, w)) }
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
        say("stride", self.moves.stride.into());
        say("padding", self.moves.padding.into());
        say("dilation", self.moves.dilation.into());
        say("groups", self.moves.groups.into());
        say("bias", self.follows.bias.into());
        say("norm", self.follows.norm.into());
        say("add", self.follows.add.into());
        say("relu", self.follows.relu.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let ([n, _, h, w], [o, c, kh, kw], groups) = (xs[0].dims(), xs[1].dims(), self.moves.groups);
        let window = window(&self.moves, xs[1]);
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
    /// The kernel's own for each image alone, images shared out among threads.
    fn vjp_each(&self, at: &At<'_>, g: &Tensor, n: usize) -> Vjp {
        let batch = at.shape(0)[0];
        if self.follows.norm || self.follows.add || g.device() != Device::cpu() || n == 0 || !batch.is_multiple_of(n) {
            return vec![None; at.inputs()].into();
        }
        let relu = if self.follows.relu { times_slope(Step, g, &at.y().detach()) } else { g.clone() };
        let g = in_class(&relu);
        let s = ConvShape { n: batch / n, ..self.shape(at.a(), at.b()) };
        let dw = || {
            let (x, w) = (in_class(at.a()), at.b().len());
            with_float!(g.dtype(), T => Tensor::filled_by([n, w], |dw: &mut [T]| {
                let (x, g) = (slice::<T>(&x), slice::<T>(&g));
                let (of_x, of_g) = (x.len() / n, g.len() / n);
                for_chunks(dw, w.max(1), g.len().saturating_mul(w / s.c_out.max(1)), |i, dw| {
                    conv2d_weight(&s, &x[i * of_x..][..of_x], &g[i * of_g..][..of_g], dw)
                })
            }))
        };
        let mut grads = vec![None, at.wants(1).then(dw)];
        if self.follows.bias {
            let [_, o, oh, ow] = g.dims();
            grads.push(at.wants(2).then(|| g.reshape([n, batch / n, o, oh * ow]).sum(-1).sum(1)));
        }
        grads.into()
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
            moves: Moves {
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

/// With a bias, by its attributes alone.
#[cfg(test)]
pub(super) fn biased(options: Conv2dOptions) -> Conv2d {
    let Conv2dOptions { stride, padding: Padding::Each(padding), dilation, groups } = options else { panic!("{options:?}") };
    let moves = Moves { stride, padding, dilation, groups };
    Conv2d { moves, follows: Follows { bias: true, ..Follows::default() }, remember: false }
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

//! The transposed convolution of images: every number is spread over a window of a larger image.

use crate::Tensor;
use crate::backend::Window;
use crate::backend::cpu::{conv_shape, in_class, slice, with_float};
use crate::check::floats;
use crate::convolution::Moves;
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused, times};
use crate::kind::{OpKind, Samples, Takes};
pub use crate::convolution::{ConvTranspose2dOptions, ConvTransposeOptions};
use mapsto_kernels::conv::{ConvShape, Ending, conv2d, conv2d_data, conv2d_weight};

impl Tensor {
    /// The transpose of [`conv2d`](Tensor::conv2d) as a matrix, and so its gradient at the input:
    /// `y[n, o, p·s + i·d − pad, q·s + j·d − pad]` is the sum of all `w[c, o, i, j] x[n, c, p, q]` that fall on it, and `b[o]`.
    ///
    /// * Shape: `[n, c, h, w], [c, o/groups, kh, kw], [o] → [n, o, oh, ow]` with
    ///   `oh = (h − 1)·stride − 2·padding + dilation·(kh − 1) + output_padding + 1`.
    /// * Gradient: `dx`, the convolution of `dy`; `dw = Σ x dy`; `db = Σ dy`.   * ONNX: `ConvTranspose`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, w) = (tensor![[[[1.0, 3.0]]]], tensor![[[[1.0, 2.0]]]]);
    /// let y = x.conv_transpose2d(&w, None, ConvTranspose2dOptions::new().stride(2));
    /// assert_close!(y.flatten(0), [1.0, 2.0, 3.0, 6.0]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn conv_transpose2d(&self, w: &Tensor, b: Option<&Tensor>, options: ConvTranspose2dOptions) -> Tensor {
        options.convolve(self, w, b)
    }
}

/// Images of `image` points, whose convolution would have the sizes of `x`.
#[track_caller]
pub(crate) fn conv_transpose2d_of(x: &Tensor, w: &Tensor, moves: Moves<2>, image: [usize; 2]) -> Tensor {
    fused(ConvTranspose2d { moves, image }, &[x, w])
}

struct ConvTranspose2d {
    moves: Moves<2>,
    image: [usize; 2],
}
impl ConvTranspose2d {
    fn window(&self, w: &[usize]) -> Window {
        let Moves { stride, padding, dilation, .. } = self.moves;
        Window { kernel: [w[2], w[3]], stride, padding, dilation }
    }

    /// The sizes of the convolution of which this is the transpose: from the result to the input.
    fn shape(&self, x: &[usize], w: &[usize]) -> ConvShape {
        let y = [x[0], w[1] * self.moves.groups, self.image[0], self.image[1]];
        ConvShape { c_out: w[0], groups: self.moves.groups, ..conv_shape(&y, &self.window(w)) }
    }
}
impl Fused for ConvTranspose2d {
    fn name(&self) -> &'static str {
        "conv_transpose2d"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=2
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        let filter = xs[1].count() / xs[1].shape[0].max(1) as u64;
        Cost::products(xs, y, times(&[xs[0].count(), filter]))
    }
    fn attrs(&self, say: Say<'_>) {
        say("stride", self.moves.stride.into());
        say("padding", self.moves.padding.into());
        say("dilation", self.moves.dilation.into());
        say("groups", self.moves.groups.into());
        say("image", self.image.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let ([n, inputs, h, w], [_, inner, kh, kw], groups) = (xs[0].dims(), xs[1].dims(), self.moves.groups);
        let columns = xs[1].reshape([groups, inputs / groups, inner * kh * kw]).swap(1, 2);
        let columns = columns.matmul(&xs[0].reshape([n, groups, inputs / groups, h * w])); // [n, groups, inner·kh·kw, h·w]
        let columns = columns.reshape([n, groups * inner * kh * kw, h * w]);
        columns.window_transpose(self.window(xs[1].shape()), self.image)
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        if xs[1].is_empty() {
            return None; // the definition gives zeros
        }
        let s = self.shape(xs[0].shape(), xs[1].shape());
        let (x, w) = (in_class(xs[0]), in_class(xs[1]));
        let y = [s.n, s.c_in, s.h, s.w];
        let y = with_float!(x.dtype(), T => Tensor::filled_by(y, |y: &mut [T]| conv2d_data(&s, slice(&x), slice(&w), y)));
        Some(y.to(xs[0].dtype()).into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        if at.b().is_empty() {
            return None;
        }
        let (s, g) = (self.shape(at.shape(0), at.shape(1)), in_class(g));
        let dx = at.wants(0).then(|| {
            let w = in_class(at.b());
            with_float!(g.dtype(), T => Tensor::filled_by(at.shape(0), |dx: &mut [T]| {
                conv2d(&s, slice(&g), slice(&w), &Ending::none(), dx)
            }))
        });
        let dw = at.wants(1).then(|| {
            let x = in_class(at.a());
            with_float!(g.dtype(), T => Tensor::filled_by(at.shape(1), |dw: &mut [T]| conv2d_weight(&s, slice(&g), slice(&x), dw)))
        });
        Some(vec![dx, dw].into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("conv_transpose2d", "The transpose of `conv2d` as a matrix: `y[n, o, p·s + i·d − pad, q·s + j·d − pad]` is the sum of all `w[c, o, i, j] x[n, c, p, q]` that fall on it, and `b[o]`.", Takes::Floats, samples).built(|a| {
        let (stride, padding, dilation, groups) = (a.need("stride")?, a.need("padding")?, a.need("dilation")?, a.need("groups")?);
        Ok(boxed(ConvTranspose2d { moves: Moves { stride, padding, dilation, groups }, image: a.need("image")? }))
    }),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 3, 2], &d), (&[3, 2, 3, 2], &d), (&[2], &d)], |x| {
        x[0].conv_transpose2d(&x[1], Some(&x[2]), ConvTranspose2dOptions::new().stride([2, 1]).padding([1, 0]))
    });
    s.of(&[(&[1, 4, 2, 3], &d), (&[4, 3, 2, 2], &d)], |x| {
        x[0].conv_transpose2d(&x[1], None, ConvTranspose2dOptions::new().stride(2).output_padding([1, 0]).dilation([1, 2]).groups(2))
    });
    s.of(&[(&[2, 3, 4, 4], &d), (&[3, 5, 1, 1], &d)], |x| x[0].conv_transpose2d(&x[1], None, ConvTranspose2dOptions::new()));
    s.of(&[(&[0, 2, 2, 2], &d), (&[2, 3, 2, 2], &d)], |x| x[0].conv_transpose2d(&x[1], None, ConvTranspose2dOptions::new()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn conv_transpose2d() {
        let d = || floats(-2.0..2.0);
        let options = ConvTranspose2dOptions::new();
        check3(move |x, w, b| x.conv_transpose2d(w, Some(b), options.stride([2, 1])))
            .shapes([&[2, 2, 2, 3], &[2, 3, 3, 2], &[3]])
            .formula(|[x, w, b]| {
                Numbers::from_fn(&[2, 3, 5, 4], |at| {
                    let falls = |k: usize| {
                        let (c, p, q, i, j) = (k / 36, k / 18 % 2, k / 6 % 3, k / 2 % 3, k % 2);
                        let here = 2 * p + i == at[2] && q + j == at[3];
                        if here { w.at(&[c, at[1], i, j]) * x.at(&[at[0], c, p, q]) } else { 0.0 }
                    };
                    b.at(&[at[1]]) + (0..72).map(falls).sum::<f64>()
                })
            })
            .tolerance(4.0)
            .on(d(), d(), d());
        for options in [
            options.stride(2).padding([1, 0]).output_padding([1, 0]),
            options.dilation([2, 3]).output_padding([1, 2]),
            options.groups(2).padding(1),
        ] {
            check2(move |x, w| x.conv_transpose2d(w, None, options))
                .shapes([&[2, 2, 3, 2], &[2, 2, 3, 3]])
                .tolerance(4.0)
                .on(d(), d());
        }
        for (options, x, w) in [
            (options.padding(1), [3, 4, 9, 8], [4, 6, 3, 3]),
            (options.stride(2).padding(1).output_padding(1), [2, 16, 7, 6], [16, 8, 4, 4]),
            (options.stride(2), [2, 16, 8, 8], [16, 8, 2, 2]),
            (options.stride([3, 2]).groups(4), [2, 8, 4, 5], [8, 1, 3, 2]),
        ] {
            let ConvTransposeOptions { stride, padding, dilation, groups, .. } = options;
            let image = options.out([w[2], w[3]], [x[2], x[3]]).unwrap();
            let op = move || ConvTranspose2d { moves: Moves { stride, padding, dilation, groups }, image };
            check_fused(op, &[(&x, d()), (&w, d())]);
        }
    }

    /// `⟨conv(x), y⟩ = ⟨x, convᵀ(y)⟩` for the same weight.
    #[test]
    fn it_is_the_transpose_of_a_convolution() {
        let w = Tensor::randn([4, 1, 3, 3]).to(DType::F64);
        let (x, y) = (Tensor::randn([3, 2, 5, 6]).to(DType::F64), Tensor::randn([3, 4, 3, 4]).to(DType::F64));
        let there = x.conv2d(&w, None, Conv2dOptions::new().stride([2, 1]).padding([1, 0]).groups(2));
        let back = y.conv_transpose2d(&w, None, ConvTranspose2dOptions::new().stride([2, 1]).padding([1, 0]).groups(2));
        let (one, other) = ((there * &y).sum(..).item(), (back * &x).sum(..).item());
        assert!((one - other).abs() < 1e-10, "{one} {other}");
    }

    #[test]
    fn a_mistake_names_both_shapes_and_the_fix() {
        let error = |x: &[usize], w: &[usize], options: ConvTranspose2dOptions| {
            catch(|| Tensor::zeros(x).conv_transpose2d(&Tensor::zeros(w), None, options)).unwrap_err().to_string()
        };
        let plain = ConvTranspose2dOptions::new();
        assert_eq!(
            error(&[1, 3, 2, 2], &[4, 3, 1, 1], plain),
            "conv_transpose2d: channels differ: x [1, 3, 2, 2] and w [4, 3, 1, 1]      3 ≠ 4\nhelp: the weight is [in, out, kh, kw]"
        );
        assert_eq!(
            error(&[1, 3, 2, 2], &[3, 1, 1, 1], plain.groups(2)),
            "conv_transpose2d: 3 inputs cannot be split into 2 groups\nhelp: the groups must divide both inputs and outputs"
        );
        assert_eq!(
            error(&[1, 1, 2, 2], &[1, 1, 3, 3], plain.output_padding([0, 1])),
            "conv_transpose2d: `output_padding` 1 is not less than the stride, 1, or the dilation, 1"
        );
        assert_eq!(
            error(&[1, 1, 2, 2], &[1, 1, 1, 1], plain.padding(3)),
            "conv_transpose2d: nothing is left of the image [2, 2] without 3 on each side"
        );
    }
}

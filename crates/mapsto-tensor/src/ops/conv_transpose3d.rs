//! The transposed convolution of volumes: one of images whose channels hold the taps over depth, and the sums along depth.

use super::conv3d::{depth_first, over_depth};
use crate::Tensor;
use crate::check::floats;
use crate::convolution::Moves;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
pub use crate::convolution::ConvTranspose3dOptions;

impl Tensor {
    /// The transpose of [`conv3d`](Tensor::conv3d) as a matrix: `y[n, o, p·s + i·d − pad, q·s + j·d − pad, r·s + k·d − pad]` is the sum of
    /// all `w[c, o, i, j, k] x[n, c, p, q, r]` that fall on it, and `b[o]`.
    ///
    /// * Shape: `[n, c, d, h, w], [c, o/groups, kd, kh, kw], [o] → [n, o, od, oh, ow]` with
    ///   `od = (d − 1)·stride − 2·padding + dilation·(kd − 1) + output_padding + 1`, and so along the others.
    /// * Gradient: `dx`, the convolution of `dy`; `dw = Σ x dy`; `db = Σ dy`.   * ONNX: `ConvTranspose`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, w) = (tensor![1.0, 3.0].reshape([1, 1, 2, 1, 1]), tensor![1.0, 2.0].reshape([1, 1, 2, 1, 1]));
    /// assert_close!(x.conv_transpose3d(&w, None, ConvTranspose3dOptions::new()).flatten(0), [1.0, 5.0, 6.0]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn conv_transpose3d(&self, w: &Tensor, b: Option<&Tensor>, options: ConvTranspose3dOptions) -> Tensor {
        options.convolve(self, w, b)
    }
}

#[track_caller]
pub(crate) fn conv_transpose3d_of(x: &Tensor, w: &Tensor, moves: &Moves<3>, volume: [usize; 3]) -> Tensor {
    let ([n, c, d, high, wide], [_, inner, kd, kh, kw]) = (x.dims(), w.dims());
    let ([od, oh, ow], outputs) = (volume, inner * moves.groups);
    named("conv_transpose3d", || {
        let planes = depth_first(x).reshape([n * d, c, high, wide]);
        let taps = super::conv_transpose2d_of(&planes, &w.reshape([c, inner * kd, kh, kw]), moves.of(1), [oh, ow]);
        let taps = depth_first(&taps.reshape([n, d, outputs * kd, oh * ow])).reshape([n, outputs * kd, d * oh * ow]);
        taps.window_transpose(over_depth(kd, moves), [od, oh * ow]).reshape([n, outputs, od, oh, ow])
    })
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("conv_transpose3d", "The transpose of `conv3d` as a matrix: `y[n, o, p·s + i·d − pad, q·s + j·d − pad, r·s + k·d − pad]` is the sum of all `w[c, o, i, j, k] x[n, c, p, q, r]` that fall on it, and `b[o]`.", Takes::Floats, samples).made_of("conv_transpose2d and window_transpose over depth"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 2, 2, 2, 2], &d), (&[2, 3, 2, 2, 2], &d), (&[3], &d)], |x| {
        x[0].conv_transpose3d(&x[1], Some(&x[2]), ConvTranspose3dOptions::new().stride([2, 1, 1]).output_padding([1, 0, 0]))
    });
    s.of(&[(&[1, 4, 2, 2, 1], &d), (&[4, 1, 2, 1, 3], &d)], |x| {
        x[0].conv_transpose3d(&x[1], None, ConvTranspose3dOptions::new().padding([1, 0, 0]).dilation([2, 1, 1]).groups(2))
    });
    s.of(&[(&[0, 1, 2, 2, 2], &d), (&[1, 2, 2, 2, 2], &d)], |x| {
        x[0].conv_transpose3d(&x[1], None, ConvTranspose3dOptions::new())
    });
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn conv_transpose3d() {
        let d = || floats(-2.0..2.0);
        let options = ConvTranspose3dOptions::new();
        check3(move |x, w, b| x.conv_transpose3d(w, Some(b), options.stride([2, 1, 1])))
            .shapes([&[2, 2, 2, 1, 2], &[2, 2, 3, 1, 2], &[2]])
            .formula(|[x, w, b]| {
                Numbers::from_fn(&[2, 2, 5, 1, 3], |at| {
                    let falls = |k: usize| {
                        let (c, p, q, i, j) = (k / 24, k / 12 % 2, k / 6 % 2, k / 2 % 3, k % 2);
                        let here = 2 * p + i == at[2] && q + j == at[4];
                        if here { w.at(&[c, at[1], i, 0, j]) * x.at(&[at[0], c, p, 0, q]) } else { 0.0 }
                    };
                    b.at(&[at[1]]) + (0..48).map(falls).sum::<f64>()
                })
            })
            .tolerance(4.0)
            .on(d(), d(), d());
        for options in [
            options.stride([2, 1, 2]).padding([1, 0, 1]).output_padding([1, 0, 0]),
            options.dilation([3, 1, 1]).output_padding([2, 0, 0]),
            options.groups(2),
        ] {
            check2(move |x, w| x.conv_transpose3d(w, None, options))
                .shapes([&[1, 2, 2, 3, 2], &[2, 2, 2, 2, 3]])
                .tolerance(4.0)
                .on(d(), d());
        }
    }

    /// `⟨conv(x), y⟩ = ⟨x, convᵀ(y)⟩` for the same weight, in 16 bits too.
    #[test]
    fn it_is_the_transpose_of_a_convolution() {
        let w = Tensor::randn([4, 1, 2, 3, 1]).to(DType::F64);
        let (x, y) = (Tensor::randn([2, 2, 5, 4, 3]).to(DType::F64), Tensor::randn([2, 4, 3, 4, 3]).to(DType::F64));
        let there = x.conv3d(&w, None, Conv3dOptions::new().stride([2, 1, 1]).padding([1, 1, 0]).groups(2));
        let options = ConvTranspose3dOptions::new().stride([2, 1, 1]).padding([1, 1, 0]).output_padding([1, 0, 0]).groups(2);
        let back = y.conv_transpose3d(&w, None, options);
        let (one, other) = ((there * &y).sum(..).item(), (&back * &x).sum(..).item());
        assert!((one - other).abs() < 1e-10, "{one} {other}");
        let half = |t: &Tensor| t.to(DType::BF16);
        let once = half(&y).to(DType::F32).conv_transpose3d(&half(&w).to(DType::F32), None, options).to(DType::BF16);
        assert_eq!(half(&y).conv_transpose3d(&half(&w), None, options).to_vec::<f32>(), once.to_vec::<f32>());
    }
}

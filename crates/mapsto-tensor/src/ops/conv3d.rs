//! Three-dimensional convolution: one of two dimensions, in which the taps over depth are channels.

use crate::Tensor;
use crate::backend::Window;
use crate::check::floats;
use crate::convolution::Moves;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
pub use crate::convolution::Conv3dOptions;

impl Tensor {
    /// The convolution of volumes (cross-correlation, as everywhere in this field):
    /// `y[n, o, p, q, r] = b[o] + Σ w[o, c, i, j, k] x[n, c, p·s + i·d − pad, q·s + j·d − pad, r·s + k·d − pad]`, zeros around the
    /// volume.
    ///
    /// * Shape: `[n, c, d, h, w], [o, c/groups, kd, kh, kw], [o] → [n, o, od, oh, ow]` with
    ///   `od = (d + 2·padding − dilation·(kd − 1) − 1) / stride + 1`, and so along the others.
    /// * Gradient: that of [`conv2d`](Tensor::conv2d) on the windows over depth, whose taps are channels.   * ONNX: `Conv`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = Tensor::arange(0..8).to(DType::F32).reshape([1, 1, 2, 2, 2]);
    /// let y = x.conv3d(&Tensor::ones([1, 1, 2, 2, 1]), None, Conv3dOptions::new());
    /// assert_close!(y.flatten(0), [12.0, 16.0]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn conv3d(&self, w: &Tensor, b: Option<&Tensor>, options: Conv3dOptions) -> Tensor {
        options.convolve(self, w, b)
    }
}

/// The windows over depth of planes that are taken as rows of numbers.
pub(super) fn over_depth(kernel: usize, moves: &Moves<3>) -> Window {
    let Moves { stride, padding, dilation, .. } = moves;
    Window::new([kernel, 1]).stride([stride[0], 1]).padding([padding[0], 0]).dilation([dilation[0], 1])
}

/// What belongs to each place along depth, `[n, c, d, ..] → [n·d, c, ..]`, or back again, with `n` and `d` as the batch's sizes.
pub(super) fn depth_first(x: &Tensor) -> Tensor {
    x.swap(1, 2)
}

#[track_caller]
pub(crate) fn conv3d_of(x: &Tensor, w: &Tensor, b: Option<&Tensor>, moves: &Moves<3>) -> Tensor {
    let ([n, c, d, high, wide], [o, inner, kd, kh, kw]) = (x.dims(), w.dims());
    named("conv3d", || {
        // A volume without planes or without places in them is nothing but its padding, of which `window` would have no rows.
        if high * wide == 0 {
            let [along, rows, columns] = moves.padding.map(|p| (p, p));
            let whole = x.pad(&[(0, 0), (0, 0), along, rows, columns], 0.0);
            return conv3d_of(&whole, w, b, &Moves { padding: [0; 3], ..*moves });
        }
        let window = over_depth(kd, moves);
        let [od, _] = window.out([d, high * wide]).expect("checked before");
        let taps = match (kd, window.stride, window.padding) {
            (1, [1, 1], [0, 0]) => x.reshape([n, c, d, high, wide]),
            _ => x.reshape([n, c, d, high * wide]).window(window).reshape([n, c * kd, od, high, wide]),
        };
        let planes = depth_first(&taps).reshape([n * od, c * kd, high, wide]);
        let y = super::conv2d_of(&planes, &w.reshape([o, inner * kd, kh, kw]), b, moves.of(1));
        let [_, _, oh, ow] = y.dims();
        depth_first(&y.reshape([n, od, o, oh, ow]))
    })
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("conv3d", "The convolution of volumes, `y[n, o, p, q, r] = b[o] + Σ w[o, c, i, j, k] x[n, c, p·s + i·d − pad, q·s + j·d − pad, r·s + k·d − pad]`, zeros around the volume.", Takes::Floats, samples).made_of("window over depth and conv2d"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 2, 3, 3, 2], &d), (&[3, 2, 2, 2, 2], &d), (&[3], &d)], |x| {
        x[0].conv3d(&x[1], Some(&x[2]), Conv3dOptions::new())
    });
    s.of(&[(&[1, 2, 4, 3, 3], &d), (&[4, 1, 2, 1, 3], &d)], |x| {
        x[0].conv3d(&x[1], None, Conv3dOptions::new().stride([2, 1, 1]).padding([1, 0, 1]).dilation([2, 1, 1]).groups(2))
    });
    s.of(&[(&[2, 1, 2, 2, 3], &d), (&[2, 1, 1, 1, 1], &d)], |x| x[0].conv3d(&x[1], None, Conv3dOptions::new()));
    s.of(&[(&[0, 1, 2, 2, 2], &d), (&[2, 1, 2, 2, 2], &d)], |x| x[0].conv3d(&x[1], None, Conv3dOptions::new()));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn conv3d() {
        let d = || floats(-2.0..2.0);
        let options = Conv3dOptions::new();
        check3(move |x, w, b| x.conv3d(w, Some(b), options))
            .shapes([&[2, 2, 3, 2, 3], &[2, 2, 2, 1, 2], &[2]])
            .formula(|[x, w, b]| {
                Numbers::from_fn(&[2, 2, 2, 2, 2], |at| {
                    let term = |k: usize| {
                        let (c, i, j) = (k / 4, k / 2 % 2, k % 2);
                        w.at(&[at[1], c, i, 0, j]) * x.at(&[at[0], c, at[2] + i, at[3], at[4] + j])
                    };
                    b.at(&[at[1]]) + (0..8).map(term).sum::<f64>()
                })
            })
            .tolerance(4.0)
            .on(d(), d(), d());
        for options in [
            options.stride([2, 1, 2]).padding([1, 0, 2]),
            options.dilation([1, 2, 1]).padding(Padding::Same),
            options.padding(1).groups(2),
        ] {
            check2(move |x, w| x.conv3d(w, None, options))
                .shapes([&[1, 2, 3, 3, 3], &[2, 2 / options.groups, 2, 2, 3]])
                .tolerance(4.0)
                .on(d(), d());
        }
    }

    /// Axes that are not there: a kernel of one plane convolves each plane, and a volume of one plane is an image.
    #[test]
    fn planes_are_images() {
        let (x, w) = (Tensor::randn([2, 3, 4, 5, 6]), Tensor::randn([4, 3, 1, 3, 3]));
        let y = x.conv3d(&w, None, Conv3dOptions::new().padding([0, 1, 1]));
        let plane = x.select(2, 1).conv2d(&w.squeeze(2), None, Conv2dOptions::new().padding(1));
        assert_close!(y.select(2, 1), plane);
        let half = x.to(DType::BF16).conv3d(&w.to(DType::BF16), None, Conv3dOptions::new());
        assert_eq!((half.dtype(), half.shape()), (DType::BF16, &[2, 4, 4, 3, 4][..]));
    }

    #[test]
    fn a_mistake_is_told_in_the_name_of_the_convolution_of_volumes() {
        let error = |x: &[usize], w: &[usize], options: Conv3dOptions| {
            catch(|| Tensor::zeros(x).conv3d(&Tensor::zeros(w), None, options)).unwrap_err().to_string()
        };
        let plain = Conv3dOptions::new();
        assert_eq!(
            error(&[1, 2, 4, 4], &[4, 2, 3, 3, 3], plain),
            "conv3d: the input must be [n, c, d, h, w], it is [1, 2, 4, 4]\nhelp: one volume needs a batch of 1: `x.unsqueeze(0)`; volumes without channels need one: `x.unsqueeze(1)`"
        );
        assert_eq!(
            error(&[1, 2, 4, 4, 4], &[4, 2, 3, 3], plain),
            "conv3d: the weight must be [out, in / groups, kd, kh, kw], it is [4, 2, 3, 3]"
        );
        assert!(error(&[1, 1, 2, 4, 4], &[4, 1, 3, 3, 3], plain).starts_with("conv3d: the kernel [3, 3, 3] does not fit the volume [2, 4, 4]"));
    }
}

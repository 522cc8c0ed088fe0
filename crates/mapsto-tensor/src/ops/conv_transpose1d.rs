//! The transposed convolution of sequences: that of images of one row.

use super::conv1d::along_rows;
use crate::Tensor;
use crate::check::floats;
use crate::convolution::Moves;
use crate::kind::{OpKind, Samples, Takes};
pub use crate::convolution::ConvTranspose1dOptions;

impl Tensor {
    /// The transpose of [`conv1d`](Tensor::conv1d) as a matrix: `y[n, o, p·s + i·d − pad]` is the sum of all `w[c, o, i] x[n, c, p]` that
    /// fall on it, and `b[o]`.
    ///
    /// * Shape: `[n, c, length], [c, o/groups, k], [o] → [n, o, length']` with
    ///   `length' = (length − 1)·stride − 2·padding + dilation·(k − 1) + output_padding + 1`.
    /// * Gradient: `dx`, the convolution of `dy`; `dw = Σ x dy`; `db = Σ dy`.   * ONNX: `ConvTranspose`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, w) = (tensor![[[1.0, 3.0]]], tensor![[[1.0, 2.0, 1.0]]]);
    /// assert_close!(x.conv_transpose1d(&w, None, ConvTranspose1dOptions::new().stride(2)), [[[1.0, 2.0, 4.0, 6.0, 3.0]]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn conv_transpose1d(&self, w: &Tensor, b: Option<&Tensor>, options: ConvTranspose1dOptions) -> Tensor {
        options.convolve(self, w, b)
    }
}

#[track_caller]
pub(crate) fn conv_transpose1d_of(x: &Tensor, w: &Tensor, moves: &Moves<1>, length: usize) -> Tensor {
    super::conv_transpose2d_of(&x.unsqueeze(2), &w.unsqueeze(2), along_rows(moves), [1, length]).squeeze(2)
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("conv_transpose1d", "The transpose of `conv1d` as a matrix: `y[n, o, p·s + i·d − pad]` is the sum of all `w[c, o, i] x[n, c, p]` that fall on it, and `b[o]`.", Takes::Floats, samples).made_of("conv_transpose2d on images of one row"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 4], &d), (&[3, 2, 3], &d), (&[2], &d)], |x| {
        x[0].conv_transpose1d(&x[1], Some(&x[2]), ConvTranspose1dOptions::new().stride(2).padding(1).output_padding(1))
    });
    s.of(&[(&[1, 4, 3], &d), (&[4, 1, 2], &d)], |x| {
        x[0].conv_transpose1d(&x[1], None, ConvTranspose1dOptions::new().dilation(3).groups(2))
    });
    s.of(&[(&[0, 1, 3], &d), (&[1, 1, 2], &d)], |x| x[0].conv_transpose1d(&x[1], None, ConvTranspose1dOptions::new()));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn conv_transpose1d() {
        let d = || floats(-2.0..2.0);
        let options = ConvTranspose1dOptions::new();
        check3(move |x, w, b| x.conv_transpose1d(w, Some(b), options.stride(2)))
            .shapes([&[2, 2, 3], &[2, 3, 3], &[3]])
            .formula(|[x, w, b]| {
                Numbers::from_fn(&[2, 3, 7], |at| {
                    let falls = |k: usize| {
                        let (c, p, i) = (k / 9, k / 3 % 3, k % 3);
                        if 2 * p + i == at[2] { w.at(&[c, at[1], i]) * x.at(&[at[0], c, p]) } else { 0.0 }
                    };
                    b.at(&[at[1]]) + (0..18).map(falls).sum::<f64>()
                })
            })
            .tolerance(4.0)
            .on(d(), d(), d());
        // The last one is longer by more than a stride.
        for options in [options.stride(3).padding(1).output_padding(2), options.stride(2).dilation(4).output_padding(3), options.groups(2)] {
            check2(move |x, w| x.conv_transpose1d(w, None, options))
                .shapes([&[2, 2, 3], &[2, 2, 3]])
                .tolerance(4.0)
                .on(d(), d());
        }
        let e = catch(|| Tensor::ones([1, 1, 1]).conv_transpose1d(&Tensor::ones([1, 1, 2]), None, options.padding(1))).unwrap_err();
        assert_eq!(e.message(), "conv_transpose1d: nothing is left of the sequence [1] without 1 on each side");
    }
}

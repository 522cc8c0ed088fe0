//! One-dimensional convolution: that of images of one row.

use crate::check::floats;
use crate::convolution::Moves;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
pub use crate::convolution::Conv1dOptions;

impl Tensor {
    /// The convolution of sequences (cross-correlation, as everywhere in this field):
    /// `y[n, o, p] = b[o] + Σ w[o, c, i] x[n, c, p·s + i·d − pad]`, zeros at both ends.
    ///
    /// * Shape: `[n, c, length], [o, c/groups, k], [o] → [n, o, length']` with
    ///   `length' = (length + 2·padding − dilation·(k − 1) − 1) / stride + 1`.
    /// * Gradient: that of [`conv2d`](Tensor::conv2d) on images of one row.   * ONNX: `Conv`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, w) = (tensor![[[1.0, 2.0, 4.0]]], tensor![[[1.0, -1.0]]]);
    /// assert_close!(x.conv1d(&w, Some(&tensor![10.0]), Conv1dOptions::new()), [[[9.0, 8.0]]]);
    /// assert_eq!(x.conv1d(&w, None, Conv1dOptions::new().padding(1).stride(3)).shape(), [1, 1, 2]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn conv1d(&self, w: &Tensor, b: Option<&Tensor>, options: Conv1dOptions) -> Tensor {
        options.convolve(self, w, b)
    }
}

/// Moves along columns, of which rows have one place.
pub(super) fn along_rows(moves: &Moves<1>) -> Moves<2> {
    let (stride, dilation) = ([1, moves.stride[0]], [1, moves.dilation[0]]);
    Moves { stride, padding: [0, moves.padding[0]], dilation, groups: moves.groups }
}

#[track_caller]
pub(crate) fn conv1d_of(x: &Tensor, w: &Tensor, b: Option<&Tensor>, moves: &Moves<1>) -> Tensor {
    super::conv2d_of(&x.unsqueeze(2), &w.unsqueeze(2), b, along_rows(moves)).squeeze(2)
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("conv1d", "The convolution of sequences, `y[n, o, p] = b[o] + Σ w[o, c, i] x[n, c, p·s + i·d − pad]`, zeros at both ends.", Takes::Floats, samples).made_of("conv2d on images of one row"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3, 5], &d), (&[4, 3, 2], &d), (&[4], &d)], |x| x[0].conv1d(&x[1], Some(&x[2]), Conv1dOptions::new()));
    s.of(&[(&[1, 4, 6], &d), (&[6, 2, 3], &d)], |x| {
        x[0].conv1d(&x[1], None, Conv1dOptions::new().stride(2).padding(2).dilation(2).groups(2))
    });
    s.of(&[(&[2, 1, 4], &d), (&[1, 1, 2], &d)], |x| {
        x[0].conv1d(&x[1], None, Conv1dOptions::new().padding(super::Padding::Same))
    });
    s.of(&[(&[0, 2, 4], &d), (&[3, 2, 3], &d)], |x| x[0].conv1d(&x[1], None, Conv1dOptions::new()));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn conv1d() {
        let d = || floats(-2.0..2.0);
        let options = Conv1dOptions::new();
        check3(move |x, w, b| x.conv1d(w, Some(b), options))
            .shapes([&[2, 2, 5], &[3, 2, 2], &[3]])
            .formula(|[x, w, b]| {
                Numbers::from_fn(&[2, 3, 4], |at| {
                    let term = |k: usize| w.at(&[at[1], k / 2, k % 2]) * x.at(&[at[0], k / 2, at[2] + k % 2]);
                    b.at(&[at[1]]) + (0..4).map(term).sum::<f64>()
                })
            })
            .tolerance(4.0)
            .on(d(), d(), d());
        for options in [options.stride(2).padding(1), options.dilation(3).padding(Padding::Same), options.padding(4).groups(2)] {
            check2(move |x, w| x.conv1d(w, None, options))
                .shapes([&[2, 2, 7], &[4, 2 / options.groups, 4]])
                .tolerance(4.0)
                .on(d(), d());
        }
    }

    #[test]
    fn a_mistake_is_told_in_the_name_of_the_convolution_of_sequences() {
        let error = |x: &[usize], w: &[usize], options: Conv1dOptions| {
            catch(|| Tensor::zeros(x).conv1d(&Tensor::zeros(w), None, options)).unwrap_err().to_string()
        };
        let plain = Conv1dOptions::new();
        assert_eq!(
            error(&[8, 32, 3], &[16, 3, 5], plain),
            "conv1d: channels differ: x [8, 32, 3] and w [16, 3, 5]      32 ≠ 3\nhelp: the channels look last; try `x.permute([0, 2, 1])`"
        );
        assert_eq!(
            error(&[1, 28], &[16, 1, 3], plain),
            "conv1d: the input must be [n, c, length], it is [1, 28]\nhelp: one sequence needs a batch of 1: `x.unsqueeze(0)`; sequences without channels need one: `x.unsqueeze(1)`"
        );
        assert_eq!(
            error(&[1, 1, 2], &[4, 1, 3], plain),
            "conv1d: the kernel [3] does not fit the sequence [2] (stride [1], padding [0], dilation [1])\nhelp: a smaller kernel or more padding is needed; no size may be 0 but that of the padding"
        );
        assert_eq!(
            error(&[1, 1, 4], &[4, 1, 3], plain.padding(Padding::Same).stride(2)),
            "conv1d: the padding that keeps sizes the same needs a stride of 1, it is [2]\nhelp: give the padding as numbers"
        );
    }
}

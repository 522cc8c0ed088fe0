//! What follows a convolution before its results are stored: a bias, a norm with given statistics, a sum, a ReLU.
//!
//! Each step rounds its result as a pass of its own would, on every instruction set, so that what runs together has the bits of
//! what runs one by one.

use crate::gemm::{Activation, Gemm};
use crate::threads::for_chunks;

/// `activation((y + bias[c] − mean[c]) · scale[c] + shift[c] + add)`: all that is there of a bias, a batch norm in inference, the
/// way around a residual block, and a ReLU.
///
/// ```
/// use mapsto_kernels::{conv::Ending, gemm::Activation};
/// let relu = Ending { activation: Activation::Relu, ..Ending::bias(&[1.0f32, -1.0]) };
/// assert_eq!(relu.bias, Some(&[1.0, -1.0][..]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a, T> {
    /// Added first, for each output channel.
    pub bias: Option<&'a [T]>,
    /// A norm with given statistics, next.
    pub norm: Option<Norm<'a, T>>,
    /// Added next: of the output's shape.
    pub add: Option<&'a [T]>,
    /// Applied last.
    pub activation: Activation,
}

/// `(y − mean[c]) · scale[c] + shift[c]`: the arithmetic of [`batch_norm_apply`](crate::norm::batch_norm_apply).
///
/// ```
/// use mapsto_kernels::conv::{Ending, Norm};
/// let norm = Norm { mean: &[1.0f32], scale: &[2.0], shift: &[0.5] };
/// assert!(Ending { norm: Some(norm), ..Ending::none() }.bias.is_none());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a, T> {
    /// Subtracted first, for each output channel.
    pub mean: &'a [T],
    /// The factor of each output channel.
    pub scale: &'a [T],
    /// Added last, for each output channel.
    pub shift: &'a [T],
}

impl<'a, T> Ending<'a, T> {
    /// Nothing follows.
    pub fn none() -> Ending<'a, T> {
        Ending { bias: None, norm: None, add: None, activation: Activation::None }
    }

    /// A bias for each output channel.
    pub fn bias(bias: &'a [T]) -> Ending<'a, T> {
        Ending { bias: Some(bias), ..Ending::none() }
    }

    pub(crate) fn check(&self, channels: usize, y: usize) {
        let norm = |part: fn(&Norm<'a, T>) -> &'a [T]| self.norm.as_ref().map(part);
        for (what, per_channel) in [
            ("bias", self.bias),
            ("mean", norm(|n| n.mean)),
            ("scale", norm(|n| n.scale)),
            ("shift", norm(|n| n.shift)),
        ] {
            assert!(
                per_channel.is_none_or(|p| p.len() == channels),
                "conv2d: a {what} must have {channels} elements"
            );
        }
        assert!(self.add.is_none_or(|a| a.len() == y), "conv2d: what is added must have {y} elements");
    }

    pub(crate) fn is_none(&self) -> bool {
        self.bias.is_none() && self.norm.is_none() && self.add.is_none() && !self.relu()
    }

    pub(crate) fn relu(&self) -> bool {
        self.activation == Activation::Relu
    }
}

impl<T: Gemm> Ending<'_, T> {
    /// The ending as a pass of its own over `y`, planes of `size` of `channels` in turn.
    pub(crate) fn pass(&self, y: &mut [T], channels: usize, size: usize) {
        let cost = y.len();
        for_chunks(y, size, cost, |plane, y| self.plane(plane, channels, y));
    }

    /// The ending of one plane, the `plane`-th of all images.
    pub(crate) fn plane(&self, plane: usize, channels: usize, y: &mut [T]) {
        let c = plane % channels;
        if let Some(bias) = self.bias {
            y.iter_mut().for_each(|y| *y += bias[c]);
        }
        if let Some(norm) = self.norm {
            let (mean, scale, shift) = (norm.mean[c], norm.scale[c], norm.shift[c]);
            y.iter_mut().for_each(|y| *y = (*y - mean) * scale);
            y.iter_mut().for_each(|y| *y += shift);
        }
        if let Some(add) = self.add {
            let size = y.len();
            y.iter_mut().zip(&add[plane * size..]).for_each(|(y, &x)| *y += x);
        }
        if self.relu() {
            y.iter_mut().for_each(|y| *y = if *y <= T::default() { T::default() } else { *y });
        }
    }
}

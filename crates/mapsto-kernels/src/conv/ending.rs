//! What follows a convolution before its results are stored: a scale and a shift for each channel, a sum, a ReLU.

use crate::gemm::{Activation, Gemm};
use crate::threads::for_chunks;

/// `activation(y · scale[c] + shift[c] + add)`: all that is there of a bias, a batch norm in inference, the way around a
/// residual block, and a ReLU.
///
/// ```
/// use mapsto_kernels::{conv::Ending, gemm::Activation};
/// let relu = Ending { activation: Activation::Relu, ..Ending::bias(&[1.0f32, -1.0]) };
/// assert_eq!(relu.shift, Some(&[1.0, -1.0][..]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a, T> {
    /// A factor for each output channel.
    pub scale: Option<&'a [T]>,
    /// Added after it, for each output channel.
    pub shift: Option<&'a [T]>,
    /// Added next: of the output's shape.
    pub add: Option<&'a [T]>,
    /// Applied last.
    pub activation: Activation,
}

impl<'a, T> Ending<'a, T> {
    /// Nothing follows.
    pub fn none() -> Ending<'a, T> {
        Ending { scale: None, shift: None, add: None, activation: Activation::None }
    }

    /// A bias for each output channel.
    pub fn bias(bias: &'a [T]) -> Ending<'a, T> {
        Ending { shift: Some(bias), ..Ending::none() }
    }

    pub(crate) fn check(&self, channels: usize, y: usize) {
        for (what, per_channel) in [("scale", self.scale), ("shift", self.shift)] {
            assert!(
                per_channel.is_none_or(|p| p.len() == channels),
                "conv2d: a {what} must have {channels} elements"
            );
        }
        assert!(self.add.is_none_or(|a| a.len() == y), "conv2d: what is added must have {y} elements");
    }

    pub(crate) fn relu(&self) -> bool {
        self.activation == Activation::Relu
    }
}

impl<T: Gemm> Ending<'_, T> {
    /// The ending as a pass of its own over `y`, planes of `size` of `channels` in turn.
    pub(crate) fn pass(&self, y: &mut [T], channels: usize, size: usize) {
        let cost = y.len();
        for_chunks(y, size, cost, |plane, y| {
            let c = plane % channels;
            if let Some(scale) = self.scale {
                y.iter_mut().for_each(|y| *y = *y * scale[c]);
            }
            if let Some(shift) = self.shift {
                y.iter_mut().for_each(|y| *y += shift[c]);
            }
            if let Some(add) = self.add {
                y.iter_mut().zip(&add[plane * size..]).for_each(|(y, &x)| *y += x);
            }
            if self.relu() {
                y.iter_mut().for_each(|y| *y = if *y < T::default() { T::default() } else { *y });
            }
        });
    }
}

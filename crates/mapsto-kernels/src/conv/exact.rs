//! The one way for f64, where digits count more than time: the definition's sums.

use super::fastest::Way;
use super::{ConvShape, Ending, Packed, direct};

pub use direct::{data, weights};

/// Always the direct one.
pub fn way(_: &ConvShape) -> Way {
    Way::Direct
}

/// Nothing to keep.
pub fn pack(s: &ConvShape, _: &[f64]) -> Packed<f64> {
    Packed::none(s)
}

/// [`conv2d_packed`](super::conv2d_packed) with lengths checked.
pub fn forward(s: &ConvShape, x: &[f64], w: &[f64], _: &Packed<f64>, ending: &Ending<f64>, y: &mut [f64]) {
    direct::forward(s, x, w, ending, y)
}

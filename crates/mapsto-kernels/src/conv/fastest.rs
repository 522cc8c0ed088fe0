//! The choice of a way for f32: Winograd's where it is the faster, else the direct one.

use super::{ConvShape, direct, winograd};
use crate::gemm::Activation;

/// [`conv2d`](super::conv2d) with lengths checked.
pub fn forward(
    s: &ConvShape,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    activation: Activation,
    y: &mut [f32],
) {
    if winograd::pays(s) {
        winograd::forward(s, x, w, bias, activation, y)
    } else {
        direct::forward(s, x, w, bias, activation, y)
    }
}

/// [`conv2d_data`](super::conv2d_data) with lengths checked.
pub fn data(s: &ConvShape, g: &[f32], w: &[f32], dx: &mut [f32]) {
    if winograd::pays(s) { winograd::data(s, g, w, dx) } else { direct::data(s, g, w, dx) }
}

/// [`conv2d_weight`](super::conv2d_weight) with lengths checked.
pub fn weights(s: &ConvShape, x: &[f32], g: &[f32], dw: &mut [f32]) {
    if winograd::pays(s) { winograd::gradient(s, x, g, dw) } else { direct::weights(s, x, g, dw) }
}

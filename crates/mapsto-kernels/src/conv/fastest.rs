//! The choice of a way for f32, by the shape alone.

use super::{ConvShape, Ending, Packed, broadcast, direct, winograd};

/// The ways of a forward pass in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `winograd.rs`.
    Winograd,
    /// `broadcast.rs`.
    Broadcast,
    /// `direct.rs`, which keeps nothing.
    Direct,
}

/// The fastest way for a shape, by measurement.
pub fn way(s: &ConvShape) -> Way {
    if winograd::pays(s) {
        Way::Winograd
    } else if broadcast::pays(s) {
        Way::Broadcast
    } else {
        Way::Direct
    }
}

/// The weights in the form that a shape's way wants.
pub fn pack(s: &ConvShape, w: &[f32]) -> Packed<f32> {
    let data = match way(s) {
        Way::Winograd => Some(winograd::pack(s, w)),
        Way::Broadcast => Some(broadcast::pack(s, w)),
        Way::Direct => None,
    };
    Packed::made(s, data)
}

/// [`conv2d_packed`](super::conv2d_packed) with lengths checked.
pub fn forward(
    s: &ConvShape,
    x: &[f32],
    w: &[f32],
    packed: &Packed<f32>,
    ending: &Ending<f32>,
    y: &mut [f32],
) {
    match (packed.way, &packed.data) {
        (Way::Winograd, Some(taps)) => winograd::forward(s, x, taps, ending, y),
        (Way::Broadcast, Some(weights)) => broadcast::forward(s, x, weights, ending, y),
        _ => direct::forward(s, x, w, ending, y),
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

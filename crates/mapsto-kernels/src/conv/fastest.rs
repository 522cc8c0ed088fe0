//! The choice of a way for f32, by the shape alone.

use super::{ConvShape, Ending, Packed, batch, broadcast, depthwise, direct, winograd};

/// The ways of a forward pass in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `depthwise.rs`, which keeps nothing.
    Depthwise,
    /// `winograd.rs`.
    Winograd,
    /// `batch.rs`, which keeps nothing.
    Batch,
    /// `broadcast.rs`.
    Broadcast,
    /// `direct.rs`, which keeps nothing.
    Direct,
}

/// The fastest way for a shape, by measurement.
pub fn way(s: &ConvShape) -> Way {
    let [oh, ow] = s.out();
    if depthwise::covers(s) {
        Way::Depthwise
    } else if winograd::pays(s) {
        Way::Winograd
    } else if oh * ow <= 4 && s.c_in.min(s.c_out) >= FEW && batch::covers(s) {
        Way::Batch
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
        Way::Depthwise | Way::Batch | Way::Direct => None,
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
        (Way::Depthwise, _) => depthwise::forward(s, x, w, ending, y),
        (Way::Winograd, Some(taps)) => winograd::forward(s, x, taps, ending, y),
        (Way::Batch, _) => batch::forward(s, x, w, ending, y),
        (Way::Broadcast, Some(weights)) => broadcast::forward(s, x, weights, ending, y),
        _ => direct::forward(s, x, w, ending, y),
    }
}

/// Channels from which products over the whole batch pay.
const FEW: usize = if cfg!(miri) { 4 } else { 32 };

/// Whether a gradient is faster as one product over the whole batch. Winograd's way must transform the weights, or their
/// gradient, for at least `outputs` outputs of all images; the direct one has few taps in each phase of a stride, and fills no
/// register with a small image. On two cores, 8 images, gradients of data and weights together: 3 × 3 taps of stride 2,
/// 256 → 512 channels of 4 × 4, 18.8 → 1.5 ms; of 14 × 14, 28 → 11 ms; stride 1, 512 channels of 2 × 2, 23.5 → 3.1 ms.
fn batch_pays(s: &ConvShape, outputs: usize, pointwise: usize) -> bool {
    let each = s.out()[0] * s.out()[1];
    let few = if winograd::pays(s) {
        s.n * each <= outputs
    } else if s.stride != [1, 1] {
        each <= 256
    } else {
        each <= if s.kernel == [1, 1] { pointwise } else { 16 }
    };
    few && s.c_in.min(s.c_out) >= FEW && batch::covers(s)
}

/// [`conv2d_data`](super::conv2d_data) with lengths checked.
pub fn data(s: &ConvShape, g: &[f32], w: &[f32], dx: &mut [f32]) {
    if depthwise::covers(s) {
        depthwise::data(s, g, w, dx)
    } else if batch_pays(s, 256, 64) {
        batch::data(s, g, w, dx)
    } else if winograd::pays(s) {
        winograd::data(s, g, w, dx)
    } else {
        direct::data(s, g, w, dx)
    }
}

/// [`conv2d_weight`](super::conv2d_weight) with lengths checked.
pub fn weights(s: &ConvShape, x: &[f32], g: &[f32], dw: &mut [f32]) {
    if depthwise::covers(s) {
        depthwise::weights(s, x, g, dw)
    } else if batch_pays(s, 400, 256) {
        batch::weights(s, x, g, dw)
    } else if winograd::pays(s) {
        winograd::gradient(s, x, g, dw)
    } else {
        direct::weights(s, x, g, dw)
    }
}

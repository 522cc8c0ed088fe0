//! What the first layer looks for, as pictures.

use super::pictures::{Tile, extent, sheet};
use super::{ACCENT, WRONG, between};
use mapsto_tensor::{DType, Result, Tensor};
use plotters::prelude::*;

/// Draws the filters of a first layer: a convolution's weight `[out, c, kh, kw]`, or a linear layer's `[out, in]` on
/// pictures of shape `input` (`[c, h, w]`). Nothing is drawn of weights that look at no picture.
///
/// Filters on three channels are drawn in colour, others by sign: blue for positive, red for negative, white for zero, on
/// one scale for all. At most 64 are drawn.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::plots::filters;
/// assert!(filters(&Tensor::randn([8, 1, 3, 3]), &[1, 28, 28]).unwrap().unwrap().contains("8 filters of 3 × 3"));
/// assert!(filters(&Tensor::randn([8, 4]), &[4]).unwrap().is_none());
/// ```
///
/// # Errors
/// Only if the drawing library fails.
pub fn filters(weight: &Tensor, input: &[usize]) -> Result<Option<String>> {
    let (channels, h, w) = match (weight.shape(), input) {
        (&[_, c, h, w], _) => (c, h, w),
        (&[_, inputs], &[c, h, w]) if inputs == c * h * w => (c, h, w),
        _ => return Ok(None),
    };
    if h * w < 2 || weight.is_empty() {
        return Ok(None);
    }
    let values = weight.to(DType::F64).to_vec::<f64>();
    let all = values.len() / (channels * h * w);
    let drawn = values.chunks_exact(channels * h * w).take(64);
    let (low, high) = extent(&values);
    let most = low.abs().max(high.abs());
    let tiles: Vec<Tile> = drawn
        .map(|filter| if channels == 3 { in_color(filter, h, w) } else { by_sign(filter, h, w, most) })
        .collect();
    let below = match all {
        n if n > tiles.len() => format!("the first {} of {n} filters of {h} × {w}", tiles.len()),
        n => format!("{n} filters of {h} × {w}"),
    };
    sheet("first layer", &below, &tiles, |_| ("", "")).map(Some)
}

fn in_color(filter: &[f64], h: usize, w: usize) -> Tile {
    Tile::grey_or_color(&Tensor::from_slice(filter, [3, h, w]))
}

/// The mean over the channels.
fn by_sign(filter: &[f64], h: usize, w: usize, most: f64) -> Tile {
    let channels = filter.len() / (h * w);
    let mean = |i: usize| (0..channels).map(|c| filter[c * h * w + i]).sum::<f64>() / channels as f64;
    let color = |i: usize| {
        let t = mean(i) / most.max(1e-300);
        // The square root lets the many small weights be seen beside the few large ones.
        if t < 0.0 { between(WHITE, WRONG, (-t).sqrt()) } else { between(WHITE, ACCENT, t.sqrt()) }
    };
    Tile { width: w, colors: (0..h * w).map(color).collect() }
}

#[test]
fn linear_layers_on_pictures_and_color() {
    let on_pictures = filters(&Tensor::ones([100, 12]), &[3, 2, 2]).unwrap().unwrap();
    assert!(on_pictures.contains("the first 64 of 100 filters of 2 × 2"));
    assert!(filters(&Tensor::zeros([2, 5, 3, 3]), &[]).unwrap().is_some());
    assert!(filters(&Tensor::zeros([2, 5, 1, 1]), &[]).unwrap().is_none());
}

//! A small picture as an element of the page: one PNG, which the browser enlarges without blurring it.

use mapsto::training::{data_uri, png};
use mapsto::{DType, Tensor};

use super::html::text;

/// The longest side in pixels; larger pictures are thinned out.
pub const MOST: usize = 128;

/// A picture `[h, w]` or `[c, h, w]`, of which three channels are colours and of any other number the first is shown. `range` are the
/// numbers of black and white, where they are known; else they are the least and the greatest.
pub fn element(x: &Tensor, range: Option<[f64; 2]>, called: &str) -> Option<String> {
    let (channels, h, w) = match *x.shape() {
        [h, w] => (1, h, w),
        [c, h, w] => (if c == 3 { 3 } else { 1 }, h, w),
        _ => return None,
    };
    if channels * h * w == 0 {
        return None;
    }
    let values = x.to(DType::F64).to_vec::<f64>();
    let values = &values[..channels * h * w];
    let [low, high] = range.unwrap_or_else(|| extent(values));
    let shade = |v: f64| {
        let t = (v - low) / (high - low);
        if t.is_finite() { (255.0 * t.clamp(0.0, 1.0)).round() as u8 } else { 0 }
    };
    let stride = h.max(w).div_ceil(MOST).max(1);
    let (rows, columns) = (h.div_ceil(stride), w.div_ceil(stride));
    let mut pixels = Vec::with_capacity(rows * columns * channels);
    for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
        pixels.extend((0..channels).map(|c| shade(values[(c * h + i * stride) * w + j * stride])));
    }
    Some(image(columns, rows, &pixels, called))
}

/// Pixels as an element.
pub fn image(width: usize, height: usize, pixels: &[u8], called: &str) -> String {
    format!(
        "<img width=\"{width}\" height=\"{height}\" alt=\"{}\" src=\"{}\">",
        text(called),
        data_uri(&png(width, height, pixels))
    )
}

fn extent(values: &[f64]) -> [f64; 2] {
    let finite = values.iter().filter(|v| v.is_finite());
    finite.fold([f64::INFINITY, f64::NEG_INFINITY], |[l, h], v| [l.min(*v), h.max(*v)])
}

//! What the first layer looks for, where it looks at pictures.

use mapsto::nn::ModuleExt;
use mapsto::{DType, Result};

use super::thumbnail::{element, image};
use super::{Facts, Section};

const MOST: usize = 64;
const WHITE: [f64; 3] = [250.0, 250.0, 250.0];
const MORE: [f64; 3] = [20.0, 99.0, 196.0];
const LESS: [f64; 3] = [203.0, 64.0, 42.0];

/// The section.
pub fn section(facts: &Facts<'_>) -> Result<Option<Section>> {
    let Some((_, weight)) = facts.experiment.model.parameters().into_iter().next() else { return Ok(None) };
    let (channels, h, w) = match (weight.shape(), facts.picture()) {
        (&[_, c, h, w], Some(_)) => (c, h, w),
        (&[_, inputs], Some([c, h, w])) if inputs == c * h * w => (c, h, w),
        _ => return Ok(None),
    };
    if h * w < 2 || weight.is_empty() || h.max(w) > 64 {
        return Ok(None);
    }
    let values = weight.to(DType::F64).to_vec::<f64>();
    let all = values.len() / (channels * h * w);
    let most = values.iter().filter(|v| v.is_finite()).fold(0.0_f64, |m, v| m.max(v.abs()));
    let one = |(i, filter): (usize, &[f64])| {
        let called = format!("filter {i}");
        if channels == 3 {
            return element(&mapsto::Tensor::from_slice(filter, [3, h, w]), None, &called)
                .unwrap_or_default();
        }
        let mean = |at: usize| (0..channels).map(|c| filter[c * h * w + at]).sum::<f64>() / channels as f64;
        let pixels: Vec<u8> = (0..h * w).flat_map(|at| shade(mean(at) / most.max(1e-300))).collect();
        image(w, h, &pixels, &called)
    };
    let shown: Vec<String> = values.chunks_exact(channels * h * w).take(MOST).enumerate().map(one).collect();
    let (how, which) = (
        if channels == 3 {
            "in their colours"
        } else {
            "blue for what speaks for it, red for what speaks against it"
        },
        if all > shown.len() {
            format!("The first {} of {all} filters", shown.len())
        } else {
            format!("{all} filters")
        },
    );
    let list: String = shown.iter().map(|img| format!("<li>{img}</li>\n")).collect();
    let html = format!("<p>{which} of {h} × {w}, {how}.</p>\n<ul class=\"filters\">\n{list}</ul>\n");
    Ok(Some(Section { id: "filters", title: "What the first layer looks for", html }))
}

/// The colour of a weight from −1 to 1. Its root lets the many small weights be seen beside the few large ones.
fn shade(t: f64) -> [u8; 3] {
    let (to, t) = if t < 0.0 { (LESS, (-t).sqrt()) } else { (MORE, t.sqrt()) };
    let t = if t.is_finite() { t.min(1.0) } else { 0.0 };
    std::array::from_fn(|i| (WHITE[i] + (to[i] - WHITE[i]) * t).round() as u8)
}

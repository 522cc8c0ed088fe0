//! Colours of a picture: brightness, contrast, saturation, hue.

use super::{Picture, blend};

/// The luminance of a pixel by the weights of ITU-R BT.601, as torchvision and Pillow have it.
fn luminance(r: f32, g: f32, b: f32) -> f32 {
    0.2989 * r + 0.587 * g + 0.114 * b
}

/// All pixels times `factor`.
pub(crate) fn brightness(picture: &mut Picture, factor: f64) {
    picture.pixels.iter_mut().for_each(|x| *x = blend(*x, 0.0, factor as f32));
}

/// Moves all pixels away from the mean luminance by `factor`; towards it below 1.
pub(crate) fn contrast(picture: &mut Picture, factor: f64) {
    let mean = match picture.rgb() {
        Some([r, g, b]) => {
            let pixels = r.iter().zip(&*g).zip(&*b);
            pixels.map(|((r, g), b)| f64::from(luminance(*r, *g, *b))).sum::<f64>() / r.len() as f64
        }
        None => picture.pixels.iter().map(|x| f64::from(*x)).sum::<f64>() / picture.pixels.len() as f64,
    };
    picture.pixels.iter_mut().for_each(|x| *x = blend(*x, mean as f32, factor as f32));
}

/// Moves each pixel away from its gray by `factor`; pictures without colour stay as they are.
pub(crate) fn saturation(picture: &mut Picture, factor: f64) {
    let Some([r, g, b]) = picture.rgb() else { return };
    for ((r, g), b) in r.iter_mut().zip(g).zip(b) {
        let gray = luminance(*r, *g, *b);
        [r, g, b].into_iter().for_each(|x| *x = blend(*x, gray, factor as f32));
    }
}

/// Each pixel as its gray, in all channels.
pub(crate) fn grayscale(picture: &mut Picture) {
    let Some([r, g, b]) = picture.rgb() else { return };
    for ((r, g), b) in r.iter_mut().zip(g).zip(b) {
        let gray = luminance(*r, *g, *b);
        [r, g, b].into_iter().for_each(|x| *x = gray);
    }
}

/// Turns the colours by `turns` of the circle of hues; pictures without colour stay as they are.
pub(crate) fn hue(picture: &mut Picture, turns: f64) {
    let Some([r, g, b]) = picture.rgb() else { return };
    for ((r, g), b) in r.iter_mut().zip(g).zip(b) {
        let [h, s, v] = hsv([*r, *g, *b]);
        [*r, *g, *b] = rgb([(h + turns as f32).rem_euclid(1.0), s, v]);
    }
}

/// Hue, saturation and value, each in 0 ..= 1.
fn hsv([r, g, b]: [f32; 3]) -> [f32; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let range = most - least;
    if range == 0.0 {
        return [0.0, 0.0, most];
    }
    let [rc, gc, bc] = [r, g, b].map(|c| (most - c) / range);
    let h = match most {
        _ if most == r => bc - gc,
        _ if most == g => 2.0 + rc - bc,
        _ => 4.0 + gc - rc,
    };
    [(h / 6.0 + 1.0) % 1.0, range / most, most]
}

fn rgb([h, s, v]: [f32; 3]) -> [f32; 3] {
    let sector = (h * 6.0).floor();
    let f = h * 6.0 - sector;
    let p = (v * (1.0 - s)).clamp(0.0, 1.0);
    let q = (v * (1.0 - s * f)).clamp(0.0, 1.0);
    let t = (v * (1.0 - s * (1.0 - f))).clamp(0.0, 1.0);
    match sector as i32 % 6 {
        0 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}

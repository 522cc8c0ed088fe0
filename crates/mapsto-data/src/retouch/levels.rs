//! Levels of a picture: which numbers its pixels have, channel by channel, wherever they lie.

use super::Picture;

/// Stretches each channel to 0 ..= 1; one that is all alike stays as it is.
pub(crate) fn autocontrast(picture: &mut Picture) {
    for plane in picture.planes() {
        let (least, most) =
            plane.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)));
        if most > least {
            let scale = 1.0 / (most - least);
            plane.iter_mut().for_each(|x| *x = ((*x - least) * scale).clamp(0.0, 1.0));
        }
    }
}

/// The nearest of 256 levels.
fn level(x: f32) -> usize {
    (x * 255.0).round().clamp(0.0, 255.0) as usize
}

/// Spreads the 256 levels of each channel so that all of them become about equally frequent.
pub(crate) fn equalize(picture: &mut Picture) {
    for plane in picture.planes() {
        let mut counts = [0_usize; 256];
        plane.iter().for_each(|&x| counts[level(x)] += 1);
        let last = counts.iter().rev().find(|&&n| n > 0).copied().unwrap_or(0);
        let step = (plane.len() - last) / 255;
        if step == 0 {
            continue;
        }
        let mut below = 0;
        let levels = counts.map(|n| {
            let at = ((below + step / 2) / step).min(255);
            below += n;
            at as f32 / 255.0
        });
        plane.iter_mut().for_each(|x| *x = levels[level(*x)]);
    }
}

/// Keeps the highest `bits` of the eight of each number.
pub(crate) fn posterize(picture: &mut Picture, bits: u32) {
    let mask = !0_usize << (8 - bits.min(8));
    picture.pixels.iter_mut().for_each(|x| *x = (level(*x) & mask) as f32 / 255.0);
}

/// Inverts what is at least `threshold`.
pub(crate) fn solarize(picture: &mut Picture, threshold: f64) {
    for x in picture.pixels.iter_mut().filter(|x| **x >= threshold as f32) {
        *x = 1.0 - *x;
    }
}

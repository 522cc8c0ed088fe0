//! Where the pixels of a picture lie: shifted, sheared, turned; and what neighbours make of each other: blurred, sharpened.

use super::{Picture, blend};

/// Pixel `(x, y)` becomes the nearest to `m · (x, y, 1)`, counted from the middle of the picture to the middles of pixels; what comes
/// from outside is 0.
fn nearest(picture: &mut Picture, m: [f64; 6]) {
    let [h, w] = picture.size;
    let (cx, cy) = ((w as f64 - 1.0) / 2.0, (h as f64 - 1.0) / 2.0);
    let mut from = Vec::with_capacity(h * w);
    for plane in picture.planes() {
        from.clear();
        from.extend_from_slice(plane);
        for (row, out) in plane.chunks_exact_mut(w).enumerate() {
            let y = row as f64 - cy;
            for (column, out) in out.iter_mut().enumerate() {
                let x = column as f64 - cx;
                let at = m[0] * x + m[1] * y + m[2] + cx;
                let down = m[3] * x + m[4] * y + m[5] + cy;
                let (at, down) = (at.round_ties_even(), down.round_ties_even());
                let is_inside = at >= 0.0 && down >= 0.0 && at < w as f64 && down < h as f64;
                *out = if is_inside { from[down as usize * w + at as usize] } else { 0.0 };
            }
        }
    }
}

/// Moves each row to the left by `slope` of its distance from the upper edge.
pub(crate) fn shear_x(picture: &mut Picture, slope: f64) {
    let half = picture.size[0] as f64 / 2.0;
    nearest(picture, [1.0, slope, slope * half, 0.0, 1.0, 0.0]);
}

/// Moves each column up by `slope` of its distance from the left edge.
pub(crate) fn shear_y(picture: &mut Picture, slope: f64) {
    let half = picture.size[1] as f64 / 2.0;
    nearest(picture, [1.0, 0.0, 0.0, slope, 1.0, slope * half]);
}

/// Moves the picture by `[right, down]` pixels.
pub(crate) fn translate(picture: &mut Picture, [right, down]: [i64; 2]) {
    nearest(picture, [1.0, 0.0, -right as f64, 0.0, 1.0, -down as f64]);
}

/// Turns the picture about its middle, counter-clockwise as it is shown.
pub(crate) fn rotate(picture: &mut Picture, degrees: f64) {
    let (sin, cos) = degrees.to_radians().sin_cos();
    nearest(picture, [cos, -sin, 0.0, sin, cos, 0.0]);
}

/// Moves each pixel away from a smoothed one by `factor`; the pixels of the edges stay.
pub(crate) fn sharpness(picture: &mut Picture, factor: f64) {
    let [h, w] = picture.size;
    if h <= 2 || w <= 2 {
        return;
    }
    for plane in picture.planes() {
        let from = plane.to_vec();
        for y in 1..h - 1 {
            for x in 1..w - 1 {
                let at = y * w + x;
                // Ones around a five, as Pillow's SMOOTH.
                let around: f32 = [at - w, at, at + w].iter().flat_map(|&row| &from[row - 1..=row + 1]).sum();
                plane[at] = blend(from[at], (around + 4.0 * from[at]) / 13.0, factor as f32);
            }
        }
        // What is outside of 0 ..= 1 at the edges comes inside as everything else does.
        plane.iter_mut().for_each(|x| *x = x.clamp(0.0, 1.0));
    }
}

/// Smooths by a Gaussian window of `kernel` pixels, an odd number, with standard deviation `sigma`; the picture goes on mirrored beyond
/// its edges.
pub(crate) fn blur(picture: &mut Picture, kernel: usize, sigma: f64) {
    let [h, w] = picture.size;
    let half = kernel / 2;
    let bell: Vec<f64> =
        (0..kernel).map(|i| (-0.5 * ((i as f64 - half as f64) / sigma).powi(2)).exp()).collect();
    let sum: f64 = bell.iter().sum();
    let weights: Vec<f32> = bell.iter().map(|v| (v / sum) as f32).collect();
    // Mirrored as often as a window that is larger than the picture asks for.
    let mirrored = |i: usize, n: usize| {
        let period = (2 * (n as isize - 1)).max(1);
        let at = (i as isize - half as isize).rem_euclid(period);
        at.min(period - at).min(n as isize - 1) as usize
    };
    let taps = |n: usize| -> Vec<usize> { (0..n + 2 * half).map(|i| mirrored(i, n)).collect() };
    let (across, down) = (taps(w), taps(h));
    let mut narrow = vec![0.0; h * w];
    for plane in picture.planes() {
        for (from, to) in plane.chunks_exact(w).zip(narrow.chunks_exact_mut(w)) {
            for (x, out) in to.iter_mut().enumerate() {
                *out = weights.iter().zip(&across[x..]).map(|(a, &at)| a * from[at]).sum();
            }
        }
        for (y, out) in plane.chunks_exact_mut(w).enumerate() {
            out.fill(0.0);
            for (a, &row) in weights.iter().zip(&down[y..]) {
                out.iter_mut().zip(&narrow[row * w..]).for_each(|(out, x)| *out += a * x);
            }
        }
    }
}

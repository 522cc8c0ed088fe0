//! Pixels as numbers in 0 ..= 1, from whatever a decoder gives: 8 or 16 bits, gray or in colour, with transparency or without.

use super::Color;
use image::DynamicImage;

/// The pixels of a picture, channel beside channel.
pub(super) enum Pixels {
    /// 8 bits a channel, without transparency.
    Bytes(usize, Vec<u8>),
    /// 16 bits a channel, without transparency.
    Words(usize, Vec<u16>),
    /// Whatever had transparency, on white.
    Floats(usize, Vec<f32>),
}

/// `v / 255`, rounded as the division is.
const LEVELS: [f32; 256] = {
    let mut levels = [0.0; 256];
    let mut v = 0;
    while v < 256 {
        levels[v] = v as f32 / 255.0;
        v += 1;
    }
    levels
};

/// The pixels of a decoded picture.
pub(super) fn of(image: DynamicImage, color: Color) -> Pixels {
    let gray = color == Color::Gray;
    let is_wide = image.color().bytes_per_pixel() / image.color().channel_count() > 1;
    match (image.color().has_alpha(), is_wide) {
        (false, false) if gray => Pixels::Bytes(1, image.into_luma8().into_raw()),
        (false, false) => Pixels::Bytes(3, image.into_rgb8().into_raw()),
        (false, true) if gray => Pixels::Words(1, image.into_luma16().into_raw()),
        (false, true) => Pixels::Words(3, image.into_rgb16().into_raw()),
        (true, false) => on_white(&image.into_rgba8().into_raw(), gray, |v| f32::from(v) / 255.0),
        (true, true) => on_white(&image.into_rgba16().into_raw(), gray, |v| f32::from(v) / 65535.0),
    }
}

/// `y = α x + 1 − α`, and the luminance of it where gray is asked for.
fn on_white<T: Copy>(rgba: &[T], gray: bool, number: impl Fn(T) -> f32) -> Pixels {
    let pixels = rgba.chunks_exact(4).map(|pixel| {
        let alpha = number(pixel[3]);
        [0, 1, 2].map(|c| match alpha {
            1.0 => number(pixel[c]),
            alpha => alpha * number(pixel[c]) + (1.0 - alpha),
        })
    });
    match gray {
        // The weights of ITU-R BT.709, by which the decoders' crate makes gray of what has no transparency.
        true => Pixels::Floats(
            1,
            pixels.map(|[r, g, b]| (0.2126 * r + 0.7152 * g + 0.0722 * b).min(1.0)).collect(),
        ),
        false => Pixels::Floats(3, pixels.flatten().collect()),
    }
}

impl Pixels {
    pub(super) fn channels(&self) -> usize {
        match self {
            Pixels::Bytes(n, _) | Pixels::Words(n, _) | Pixels::Floats(n, _) => *n,
        }
    }

    /// Number `i`.
    pub(super) fn at(&self, i: usize) -> f32 {
        match self {
            Pixels::Bytes(_, of) => f32::from(of[i]) / 255.0,
            Pixels::Words(_, of) => f32::from(of[i]) / 65535.0,
            Pixels::Floats(_, of) => of[i],
        }
    }

    /// All channels, one plane after the other.
    pub(super) fn planes(&self, to: &mut [f32]) {
        let each = to.len() / self.channels();
        if let Pixels::Bytes(3, from) = self {
            // The most frequent kind in one pass rather than three, and without divisions.
            let (r, rest) = to.split_at_mut(each);
            let (g, b) = rest.split_at_mut(each);
            for (((pixel, r), g), b) in from.as_chunks::<3>().0.iter().zip(r).zip(g).zip(b) {
                [*r, *g, *b] = pixel.map(|v| LEVELS[usize::from(v)]);
            }
            return;
        }
        to.chunks_exact_mut(each).enumerate().for_each(|(c, plane)| self.plane(c, plane));
    }

    /// Channel `c` of all pixels.
    fn plane(&self, c: usize, to: &mut [f32]) {
        fn each<T: Copy>(n: usize, c: usize, from: &[T], to: &mut [f32], number: impl Fn(T) -> f32) {
            for (pixel, out) in from.chunks_exact(n).zip(to) {
                *out = number(pixel[c]);
            }
        }
        match self {
            Pixels::Bytes(n, from) => each(*n, c, from, to, |v| f32::from(v) / 255.0),
            Pixels::Words(n, from) => each(*n, c, from, to, |v| f32::from(v) / 65535.0),
            Pixels::Floats(n, from) => each(*n, c, from, to, |v| v),
        }
    }
}

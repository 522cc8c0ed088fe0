//! What transforms do to a single picture whose numbers are in 0 ..= 1: colours, levels, and where pixels lie.
//!
//! Formulas are those of torchvision, to whose numbers `golden.rs` holds them; transforms draw what is random about them.

pub(crate) mod augment;
mod color;
#[cfg(test)]
mod golden;
mod levels;
mod space;

pub(crate) use color::{brightness, contrast, grayscale, hue, saturation};
pub(crate) use levels::{autocontrast, equalize, posterize, solarize};
pub(crate) use space::{blur, rotate, sharpness, shear_x, shear_y, translate};

use crate::planes::image_size;
use crate::preprocess::floats;
use crate::transforms::SampleKey;
use mapsto_tensor::random::Keyed;
use mapsto_tensor::{Tensor, fail};

/// One picture under change: `channels` planes of `size`, one after the other.
pub(crate) struct Picture<'a> {
    pub(crate) pixels: &'a mut [f32],
    pub(crate) channels: usize,
    pub(crate) size: [usize; 2],
}

impl Picture<'_> {
    /// Its planes.
    pub(crate) fn planes(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let each = self.size[0] * self.size[1];
        self.pixels.chunks_exact_mut(each.max(1))
    }

    /// Red, green and blue, where these are the channels.
    pub(crate) fn rgb(&mut self) -> Option<[&mut [f32]; 3]> {
        if self.channels != 3 {
            return None;
        }
        let each = self.size[0] * self.size[1];
        let (r, rest) = self.pixels.split_at_mut(each);
        let (g, b) = rest.split_at_mut(each);
        Some([r, g, b])
    }
}

/// A batch of pictures, `[n, .., h, w]`, each changed in its place; `change` gets the random numbers of its key.
///
/// Numbers must be those of pictures, in 0 ..= 1; what other transforms have moved a little beyond is let through.
#[track_caller]
pub(crate) fn each_picture(
    name: &str,
    x: Tensor,
    keys: &[SampleKey],
    change: impl Fn(&mut Keyed, &mut Picture),
) -> Tensor {
    let size = image_size(name, &x);
    let channels = x.shape()[1..x.rank() - 2].iter().product();
    let mut x = floats(x);
    if x.is_empty() {
        return x;
    }
    let each = channels * size[0] * size[1];
    for (pixels, key) in x.as_mut_slice::<f32>().chunks_exact_mut(each).zip(keys) {
        check_numbers(name, pixels);
        change(&mut key.random(), &mut Picture { pixels, channels, size });
    }
    x
}

/// Refuses what is no picture: 0 to 255, or standardized columns.
#[track_caller]
fn check_numbers(name: &str, pixels: &[f32]) {
    if let Some(wrong) = pixels.iter().find(|v| !(-1.0..=2.0).contains(*v)) {
        fail!(name, "a picture's numbers are in 0 ..= 1, and there is {wrong}";
            help = "divide pixels by 255 first; preprocessing such as `normalize` comes after the transforms by itself");
    }
}

/// `r x + (1 − r) y`, kept within 0 ..= 1.
fn blend(x: f32, y: f32, r: f32) -> f32 {
    (r * x + (1.0 - r) * y).clamp(0.0, 1.0)
}

//! The changes that `rand_augment` and `trivial_augment` choose from, and how far each goes at which magnitude.

use super::*;
use mapsto_tensor::random::Keyed;

/// How far changes go at the largest magnitude; at magnitude 0 most of them change nothing.
pub(crate) struct Reach {
    pub(crate) shear: f64,
    /// Pixels that a picture of `[height, width]` is moved by.
    pub(crate) translate: fn([usize; 2]) -> [f64; 2],
    pub(crate) degrees: f64,
    pub(crate) color: f64,
    /// Bits that are taken away.
    pub(crate) bits: f64,
}

/// A change: the picture, how far from 0 to 1, and whether the other way.
type Change = fn(&mut Picture, &Reach, f64, f64);

/// The changes, in torchvision's order, of which the first is none. A sign, 1 or −1, stands before what goes either way.
pub(crate) const CHANGES: [Change; 14] = [
    |_, _, _, _| {},
    |picture, reach, m, sign| shear_x(picture, sign * m * reach.shear),
    |picture, reach, m, sign| shear_y(picture, sign * m * reach.shear),
    |picture, reach, m, sign| {
        let [_, most] = (reach.translate)(picture.size);
        translate(picture, [(sign * m * most) as i64, 0]);
    },
    |picture, reach, m, sign| {
        let [most, _] = (reach.translate)(picture.size);
        translate(picture, [0, (sign * m * most) as i64]);
    },
    |picture, reach, m, sign| rotate(picture, sign * m * reach.degrees),
    |picture, reach, m, sign| brightness(picture, 1.0 + sign * m * reach.color),
    |picture, reach, m, sign| saturation(picture, 1.0 + sign * m * reach.color),
    |picture, reach, m, sign| contrast(picture, 1.0 + sign * m * reach.color),
    |picture, reach, m, sign| sharpness(picture, 1.0 + sign * m * reach.color),
    |picture, reach, m, _| posterize(picture, 8 - (m * reach.bits).round_ties_even() as u32),
    |picture, _, m, _| solarize(picture, 1.0 - m),
    |picture, _, _, _| autocontrast(picture),
    |picture, _, _, _| equalize(picture),
];

/// One of the changes, drawn evenly, as far as `magnitude` says.
pub(crate) fn change(
    picture: &mut Picture,
    reach: &Reach,
    magnitude: impl Fn(&mut Keyed) -> f64,
    random: &mut Keyed,
) {
    let change = CHANGES[random.below(CHANGES.len())];
    let m = magnitude(random);
    let sign = if random.bernoulli(0.5) { -1.0 } else { 1.0 };
    change(picture, reach, m, sign);
}

//! Near copies: pictures that look alike though their numbers differ, saved again, scaled, or lighter, in two parts of the data.

use std::collections::{HashMap, HashSet};

use mapsto::Result;

use super::duplicates::read;
use super::seen::{Part, Seen};
use super::{Preflight, Verdict};
use crate::experiment::Experiment;

/// The side of a thumbnail.
const SIDE: usize = 8;
/// Thumbnails that correlate at least so well look alike; JPEG at quality 50 and halving the size stay above 0.999.
const ALIKE: f32 = 0.998;
/// And so must the pixels themselves; the most alike of two strangers among 70,000 handwritten ones reach 0.992.
const PIXELS: f64 = 0.993;
/// So many pairs are looked at pixel by pixel.
const MOST_COMPARED: usize = 500;
/// A deviation below which a picture has nothing that could be compared.
const BLANK: f32 = 0.01;

/// A small gray version of a picture with the mean 0 and the length 1, so that light and contrast do not count.
pub struct Thumbnail([f32; SIDE * SIDE]);

impl Thumbnail {
    /// That of a picture `[channels, h, w]`; none of a blank one, or one that is too small.
    pub fn of(pixels: &[f32], [channels, h, w]: [usize; 3]) -> Option<Thumbnail> {
        if h < SIDE || w < SIDE {
            return None;
        }
        let mut sums = [0.0_f32; SIDE * SIDE];
        let borders = |n: usize| -> Vec<usize> { (0..=SIDE).map(|i| i * n / SIDE).collect() };
        let (rows, columns) = (borders(h), borders(w));
        for plane in pixels.chunks_exact(h * w).take(channels) {
            for (sums, rows) in sums.chunks_exact_mut(SIDE).zip(rows.windows(2)) {
                for row in plane[rows[0] * w..rows[1] * w].chunks_exact(w) {
                    for (sum, at) in sums.iter_mut().zip(columns.windows(2)) {
                        *sum += row[at[0]..at[1]].iter().sum::<f32>();
                    }
                }
            }
        }
        for (i, sum) in sums.iter_mut().enumerate() {
            let high = rows[i / SIDE + 1] - rows[i / SIDE];
            let wide = columns[i % SIDE + 1] - columns[i % SIDE];
            *sum /= (high * wide * channels) as f32;
        }
        let n = sums.len() as f32;
        let mean = sums.iter().sum::<f32>() / n;
        let length = sums.iter().map(|v| (v - mean).powi(2)).sum::<f32>().sqrt();
        if !length.is_finite() || length < BLANK * n.sqrt() {
            return None;
        }
        Some(Thumbnail(sums.map(|v| (v - mean) / length)))
    }

    fn correlation(&self, other: &Thumbnail) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
    }

    /// Sixteen numbers of about 0 ± 1: the means of its quarters' quarters, mixed with each other by a rotation, a Hadamard transform
    /// after changes of sign, so that each of them tells something even where most pictures have an empty rim.
    fn coarse(&self) -> [f32; 16] {
        const SIGNS: u16 = 0b0110_1000_1110_0010;
        let mut v: [f32; 16] = std::array::from_fn(|i| {
            let at = i / 4 * 2 * SIDE + i % 4 * 2;
            // The length of all is 1, and this rotation's matrix has entries of ±1/4; so one number is about 1.
            let sum = self.0[at] + self.0[at + 1] + self.0[at + SIDE] + self.0[at + SIDE + 1];
            if SIGNS >> i & 1 == 1 { -sum * 0.5 } else { sum * 0.5 }
        });
        for half in [1, 2, 4, 8] {
            for i in (0..16).filter(|i| i & half == 0) {
                (v[i], v[i + half]) = (v[i] + v[i + half], v[i] - v[i + half]);
            }
        }
        v
    }
}

/// Steps that coarse numbers are rounded to; those of near copies differ by a few hundredths.
const STEP: f32 = 0.3;
/// Which of them make a key, table by table: near copies have the same key in at least one, all but surely.
const TABLES: [[usize; 6]; 6] = [
    [0, 3, 5, 10, 12, 15],
    [1, 2, 6, 9, 13, 14],
    [4, 7, 8, 11, 5, 10],
    [0, 6, 9, 15, 2, 13],
    [3, 5, 12, 10, 1, 14],
    [1, 4, 6, 9, 11, 14],
];

/// The key of a thumbnail in a table; each table has borders of its own.
fn key(coarse: &[f32; 16], table: usize) -> u64 {
    let shift = table as f32 * STEP / TABLES.len() as f32;
    TABLES[table]
        .iter()
        .fold(0, |key, &at| (key << 8) | u64::from(((coarse[at] + shift) / STEP).floor() as i8 as u8))
}

/// How far coarse numbers of two thumbnails that look alike can lie apart, squared and summed: thumbnails themselves lie apart by
/// `2 (1 − r)` for a correlation of `r`, and a sum of four of their numbers, doubled, by at most sixteen times that.
const APART: f32 = 16.0 * 2.0 * (1.0 - ALIKE) * 1.001;

/// Whether they may look alike: most that share a key do not, which the first few numbers tell.
fn may_be_alike(a: &[f32; 16], b: &[f32; 16]) -> bool {
    let mut apart = 0.0;
    for (a, b) in a.iter().zip(b) {
        apart += (a - b) * (a - b);
        if apart > APART {
            return false;
        }
    }
    true
}

/// More look alike by their key than can be compared: a key of what most pictures share, such as an empty rim.
const MOST_ALIKE: usize = 400;

/// Pairs of samples, the first of `a` and the second of `b`, that look alike; equal ones are left out.
pub fn pairs(a: &Part, b: &Part) -> Vec<(usize, usize)> {
    let is_same = std::ptr::eq(a, b);
    let coarse = |part: &Part| -> Vec<Option<[f32; 16]>> {
        part.thumbnails.iter().map(|thumbnail| thumbnail.as_ref().map(Thumbnail::coarse)).collect()
    };
    let (first, second) = (coarse(a), coarse(b));
    let mut found = Vec::new();
    let mut told = HashSet::new();
    for table in 0..TABLES.len() {
        let mut places: HashMap<u64, Vec<u32>> = HashMap::with_capacity(first.len());
        for (i, coarse) in first.iter().enumerate() {
            if let Some(coarse) = coarse {
                places.entry(key(coarse, table)).or_default().push(i as u32);
            }
        }
        for (j, coarse) in second.iter().enumerate() {
            let Some(coarse) = coarse else { continue };
            let Some(there) = places.get(&key(coarse, table)) else { continue };
            let Some(one) = &b.thumbnails[j] else { continue };
            for &i in there.iter().take(MOST_ALIKE) {
                let i = i as usize;
                if (is_same && i >= j) || !first[i].as_ref().is_some_and(|other| may_be_alike(other, coarse))
                {
                    continue;
                }
                if a.marks[i] == b.marks[j] || told.contains(&(i, j)) {
                    continue;
                }
                if a.thumbnails[i].as_ref().is_some_and(|other| other.correlation(one) >= ALIKE) {
                    told.insert((i, j));
                    found.push((i, j));
                }
            }
        }
    }
    found.sort_by_key(|&(i, j)| (j, i));
    found
}

/// The pairs that look alike pixel by pixel too; of very many, those beyond the first are left out.
pub fn looked_at(
    experiment: &Experiment,
    a: &Part,
    b: &Part,
    mut pairs: Vec<(usize, usize)>,
) -> Result<Vec<(usize, usize)>> {
    pairs.truncate(MOST_COMPARED);
    let mut kept = Vec::new();
    for pairs in pairs.chunks(50) {
        let (left, right): (Vec<usize>, Vec<usize>) = pairs.iter().copied().unzip();
        let (x, y) = (read(experiment, a, &left)?, read(experiment, b, &right)?);
        if x.shape() != y.shape() {
            continue;
        }
        let centred = |x: &mapsto::Tensor| x - x.mean(1).unsqueeze(1);
        let (x, y) = (centred(&x), centred(&y));
        let lengths = x.square().sum(1).sqrt() * y.square().sum(1).sqrt();
        let alike = ((&x * &y).sum(1) / lengths.clamp(1e-12, f64::INFINITY)).to_vec::<f32>();
        kept.extend(pairs.iter().zip(alike).filter(|(_, v)| f64::from(*v) >= PIXELS).map(|(pair, _)| *pair));
    }
    Ok(kept)
}

/// Adds what was found between the parts of the data; whether there was anything.
pub fn between(experiment: &Experiment, seen: &Seen, found: &mut Preflight) -> Result<()> {
    for (at, part) in seen.parts.iter().enumerate() {
        for earlier in &seen.parts[..at] {
            let pairs = looked_at(experiment, earlier, part, pairs(earlier, part))?;
            let held_out: HashSet<usize> = pairs.iter().map(|(_, j)| *j).collect();
            let Some(&(first, second)) = pairs.first() else { continue };
            let share = held_out.len() as f64 / part.marks.len() as f64;
            let text = format!(
                "{} of {} {} samples {} almost as one of the {} samples, as {} {second} and {} {first}",
                held_out.len(),
                part.marks.len(),
                part.name,
                if held_out.len() == 1 { "looks" } else { "look" },
                earlier.name,
                part.name,
                earlier.name,
            );
            let verdict = if share > 0.01 { Verdict::Warning } else { Verdict::Look };
            let help = match share > 0.01 {
                true => "the score will be better than on new data: keep pictures of one scene in one part",
                false => "a few of them change the score little; leave them out to be sure",
            };
            found.say("duplicates", verdict, text, Some(help.into()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto::data::{Color, encode_png, parse_image};
    use mapsto::random::Keyed;
    use mapsto::{DType, Tensor};

    /// A picture of a few soft spots.
    fn picture(seed: u64, side: usize) -> Vec<f32> {
        let mut random = Keyed::new(&[seed]);
        let spots: Vec<[f64; 4]> = (0..6)
            .map(|_| {
                [
                    random.uniform(0.0, 1.0),
                    random.uniform(0.0, 1.0),
                    random.uniform(0.05, 0.3),
                    random.uniform(0.2, 1.0),
                ]
            })
            .collect();
        (0..side * side)
            .map(|i| {
                let (y, x) = ((i / side) as f64 / side as f64, (i % side) as f64 / side as f64);
                let spot =
                    |[a, b, r, v]: &[f64; 4]| v * (-((y - a).powi(2) + (x - b).powi(2)) / (r * r)).exp();
                spots.iter().map(spot).sum::<f64>().min(1.0) as f32
            })
            .collect()
    }

    fn part(name: &'static str, pictures: &[Vec<f32>], side: usize) -> Part {
        let thumbnails = pictures.iter().map(|p| Thumbnail::of(p, [1, side, side])).collect();
        let marks = pictures.iter().map(|p| u64::from((p.iter().sum::<f32>() * 1e4) as u32)).collect();
        Part { name, marks, targets: Vec::new(), is_classes: true, len: pictures.len(), thumbnails }
    }

    #[test]
    fn pictures_that_were_changed_a_little_are_found_and_others_are_not() {
        let side = 32;
        let originals: Vec<Vec<f32>> = (0..300).map(|i| picture(i, side)).collect();
        let mut random = Keyed::new(&[1]);
        // Every third one again: darker, noisier, in eight bits.
        let again: Vec<Vec<f32>> = (0..300)
            .map(|i| match i % 3 {
                0 => {
                    let noisy =
                        originals[i as usize].iter().map(|v| 0.1 + 0.7 * v + 0.01 * random.normal() as f32);
                    let x = Tensor::from_vec(noisy.collect(), [1, side, side]);
                    parse_image(&encode_png(&x).unwrap(), Color::Gray).unwrap().to(DType::F32).to_vec::<f32>()
                }
                _ => picture(i + 10_000, side),
            })
            .collect();
        let found = pairs(&part("training", &originals, side), &part("test", &again, side));
        let right = found.iter().filter(|(i, j)| i == j && i % 3 == 0).count();
        assert!(right >= 97, "{right} of 100 found");
        assert!(found.len() <= right + 3, "{found:?}");
        let all = part("training", &originals, side);
        assert!(pairs(&all, &all).len() <= 3);
    }

    #[test]
    fn what_looks_alike_is_never_told_apart_by_coarse_numbers() {
        let mut random = Keyed::new(&[3]);
        let mut alike = 0;
        for i in 0..200 {
            let original = picture(i, 24);
            let noise = random.uniform(0.0, 0.05);
            let changed: Vec<f32> = original.iter().map(|v| v + (noise * random.normal()) as f32).collect();
            let of = |pixels: &[f32]| Thumbnail::of(pixels, [1, 24, 24]).unwrap();
            let (a, b) = (of(&original), of(&changed));
            if a.correlation(&b) >= ALIKE {
                alike += 1;
                assert!(may_be_alike(&a.coarse(), &b.coarse()), "{i}: {}", a.correlation(&b));
            }
            assert!(!may_be_alike(&a.coarse(), &of(&picture(i + 1000, 24)).coarse()), "{i}");
        }
        assert!(alike > 20, "{alike}");
    }

    #[test]
    fn blank_and_tiny_pictures_look_like_nothing() {
        assert!(Thumbnail::of(&[0.5; 100], [1, 10, 10]).is_none());
        assert!(Thumbnail::of(&[0.5; 16], [1, 4, 4]).is_none());
        let x: Vec<f32> = (0..3 * 9 * 11).map(|i| (i % 7) as f32).collect();
        let thumbnail = Thumbnail::of(&x, [3, 9, 11]).unwrap();
        assert!((thumbnail.correlation(&thumbnail) - 1.0).abs() < 1e-5);
    }
}

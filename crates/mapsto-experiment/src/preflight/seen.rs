//! Samples read once for all checks: marks of every sample by which copies are found, targets, and the inputs of some.

use mapsto::data::{Loader, Sample};
use mapsto::{DType, Result, Tensor};

use super::near::Thumbnail;
use crate::experiment::Experiment;
use crate::inputs::prepared;

/// So many numbers are read at most: a set of 70,000 pictures of 28 × 28 is read whole.
const MOST_NUMBERS: usize = 100_000_000;
/// So many samples of a part are read at most where each is a file, which takes longer than all else.
const MOST_FILES: usize = 1000;
/// So many numbers are read at a time.
const AT_ONCE: usize = 1 << 20;
/// Samples to learn a baseline from, and to judge it on.
const LEARN: usize = 10_000;
const JUDGE: usize = 2_000;

/// What the checks look at.
pub struct Seen {
    /// Every part of the data that there is: `training` first, then `validation` and `test`.
    pub parts: Vec<Part>,
    /// Some samples to learn from, as the model takes them, spread over all of them.
    pub learn: Batch,
    /// Some that are held out: validation samples, or else every fifth of those to learn from.
    pub judge: Batch,
    /// What the latter are, in words.
    pub judged_on: &'static str,
}

/// One part of the data.
pub struct Part {
    /// What it is for.
    pub name: &'static str,
    /// A mark of each sample that was read, from the first on: equal inputs have equal marks.
    pub marks: Vec<u64>,
    /// The targets of these samples, one after the other: class ids, or values.
    pub targets: Vec<f64>,
    /// Whether a target is a class id.
    pub is_classes: bool,
    /// How many samples it has.
    pub len: usize,
    /// How the pictures look, where samples are pictures.
    pub thumbnails: Vec<Option<Thumbnail>>,
}

impl Part {
    /// Whether every sample was read.
    pub fn is_whole(&self) -> bool {
        self.marks.len() == self.len
    }

    /// The target of a sample.
    pub fn target(&self, i: usize) -> &[f64] {
        let each = self.targets.len() / self.marks.len().max(1);
        &self.targets[i * each..(i + 1) * each]
    }
}

/// Inputs as the model takes them, and targets.
pub struct Batch {
    /// `[n, ..]`.
    pub x: Tensor,
    /// The same before any preprocessing: the cells of a table, with a code for each word.
    pub cells: Tensor,
    /// `[n]`, or `[n, k]`.
    pub y: Tensor,
}

impl Batch {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.x.shape()[0]
    }

    /// The inputs as rows, `[n, d]` in f32; none where they are ids.
    pub fn rows(&self) -> Option<Tensor> {
        self.x.dtype().is_float().then(|| self.x.to(DType::F32).reshape([self.len() as i64, -1]))
    }
}

impl Seen {
    /// Reads them.
    pub fn of(experiment: &Experiment) -> Result<Seen> {
        let (train, validation) = (&experiment.train, experiment.validation.as_ref());
        let parts =
            [("training", Some(train)), ("validation", validation), ("test", experiment.test.as_ref())];
        let parts = parts.into_iter().filter_map(|(name, loader)| Some((name, loader?)));
        let parts = parts.map(|(name, loader)| part(name, loader)).collect::<Result<Vec<Part>>>()?;
        let n = train.dataset().len();
        if let Some(validation) = validation {
            let m = validation.dataset().len();
            let learn = read(experiment, train, &spread(n, most(train, LEARN)))?;
            let judge = read(experiment, validation, &spread(m, most(validation, JUDGE)))?;
            return Ok(Seen { parts, learn, judge, judged_on: "validation samples" });
        }
        // Spread over all, since the order of the samples may follow their classes.
        let all = spread(n, most(train, LEARN + JUDGE));
        let pick = |held_out: bool| {
            let places = all.iter().enumerate().filter(|(i, _)| (i % 5 == 4) == held_out || all.len() < 5);
            places.map(|(_, &at)| at).collect::<Vec<usize>>()
        };
        let (learn, judge) = (read(experiment, train, &pick(false))?, read(experiment, train, &pick(true))?);
        Ok(Seen { parts, learn, judge, judged_on: "training samples that were left out of it" })
    }

    /// The samples to learn from.
    pub fn training(&self) -> &Part {
        &self.parts[0]
    }
}

/// At most `most` places of `n`, as far apart as they can be.
fn spread(n: usize, most: usize) -> Vec<usize> {
    let k = most.min(n);
    (0..k).map(|i| i * n / k).collect()
}

/// How many samples may be read where `wanted` are enough.
fn most(loader: &Loader, wanted: usize) -> usize {
    if is_files(loader) { wanted.min(MOST_FILES) } else { wanted }
}

/// Whether each sample is a file of its own, which is part of its name then.
fn is_files(loader: &Loader) -> bool {
    !loader.dataset().is_empty() && loader.dataset().name(0).ends_with(')')
}

/// Samples as they are before any preprocessing; the cells of tables with all their digits.
pub fn raw(loader: &Loader, places: &[usize]) -> Result<Sample> {
    match loader.dataset().exact_batch(places)? {
        Some(samples) => Ok(samples),
        None => loader.dataset().batch(places),
    }
}

fn read(experiment: &Experiment, loader: &Loader, places: &[usize]) -> Result<Batch> {
    let Sample { x, y } = raw(loader, places)?;
    let y = if y.dtype() == DType::F64 { y.to(DType::F32) } else { y };
    Ok(Batch { x: prepared(experiment.train.preprocessing(), x.clone())?, cells: x, y })
}

fn part(name: &'static str, loader: &Loader) -> Result<Part> {
    let len = loader.dataset().len();
    let mut part =
        Part { name, marks: Vec::new(), targets: Vec::new(), is_classes: false, len, thumbnails: Vec::new() };
    if len == 0 {
        return Ok(part);
    }
    let first = raw(loader, &[0])?;
    part.is_classes = !first.y.dtype().is_float() && first.y.len() == 1;
    let numbers = first.x.len().max(1);
    let n = most(loader, (MOST_NUMBERS / numbers).clamp(1, len));
    let step = (AT_ONCE / numbers).max(1);
    for start in (0..n).step_by(step) {
        let places: Vec<usize> = (start..n.min(start + step)).collect();
        let Sample { x, y } = raw(loader, &places)?;
        let each = x.len() / places.len();
        match x.dtype() {
            DType::F32 => {
                let numbers = x.to_vec::<f32>();
                marked(&numbers, each, |v| v.to_bits().into(), &mut part.marks);
                if let &[_, c @ 1..=4, h, w] = x.shape() {
                    let pictures = numbers.chunks(each.max(1));
                    part.thumbnails.extend(pictures.map(|picture| Thumbnail::of(picture, [c, h, w])));
                }
            }
            _ => marked(&x.to(DType::F64).to_vec::<f64>(), each, |v| v.to_bits(), &mut part.marks),
        }
        part.targets.extend(y.to(DType::F64).to_vec::<f64>());
    }
    Ok(part)
}

/// A mark of each row: a hash of its numbers, of which a multiplication and a rotation for each are enough, since what looks
/// equal is compared number by number before it is said.
fn marked<T: Copy>(numbers: &[T], each: usize, bits: impl Fn(T) -> u64, marks: &mut Vec<u64>) {
    for row in numbers.chunks(each.max(1)) {
        let mark = row.iter().fold(0x9e37_79b9_7f4a_7c15_u64, |mark, &v| {
            (mark.rotate_left(23) ^ bits(v)).wrapping_mul(0xd6e8_feb8_6659_fd93)
        });
        marks.push(mark ^ (mark >> 32));
    }
}

#[test]
fn places_are_spread_and_equal_rows_have_equal_marks() {
    assert_eq!(spread(10, 3), [0, 3, 6]);
    assert_eq!(spread(2, 5), [0, 1]);
    let mut marks = Vec::new();
    marked(&[1.0f32, 2.0, 2.0, 1.0, 1.0, 2.0], 2, |v| v.to_bits().into(), &mut marks);
    assert_eq!(marks[0], marks[2]);
    assert_ne!(marks[0], marks[1]);
}

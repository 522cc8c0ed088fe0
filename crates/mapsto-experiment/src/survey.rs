//! `Survey`: what the data of a training file is: how many samples of which class, how far numbers reach, which samples stand twice.

use std::collections::HashMap;

use mapsto::data::{Preprocess, Sample};
use mapsto::random::Keyed;
use mapsto::spec::Json;
use mapsto::{DType, Result, Tensor};

use crate::experiment::Experiment;
use crate::plain::plain;
use crate::preflight::seen::{Part, Seen};
use crate::preflight::{Finding, Preflight, balance, duplicates, near};
use crate::tabular::Understood;

/// What the data is.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// The kind of set: `images`, `csv`, ..
    pub set: String,
    /// The shape of one input, before preprocessing and without transforms.
    pub shape: Vec<usize>,
    /// The names of the classes; none where targets are numbers.
    pub classes: Vec<String>,
    /// Training, validation and test samples, as far as there are any.
    pub parts: Vec<PartSurvey>,
    /// How far inputs reach: of all of them, and of each channel of pictures.
    pub ranges: Vec<Range>,
    /// How many training samples the ranges were taken from.
    pub ranges_of: usize,
    /// What was understood of the columns of a table.
    pub columns: Vec<Understood>,
    /// What was found about balance and copies.
    pub findings: Vec<Finding>,
    /// Training samples that look almost as another one, or whose rounded rows are alike: pairs of places, and how many there are.
    pub near: Vec<(usize, usize)>,
}

/// One part of the data.
#[derive(Clone, Debug, PartialEq)]
pub struct PartSurvey {
    /// `training`, `validation` or `test`.
    pub name: &'static str,
    /// How many samples it has.
    pub samples: usize,
    /// How many were read for the counts.
    pub read: usize,
    /// How many of those each class has; none where targets are numbers.
    pub counts: Vec<usize>,
    /// How far targets reach, where they are numbers.
    pub targets: Vec<Range>,
}

/// How far numbers reach.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// What they are.
    pub name: String,
    /// The least.
    pub least: f64,
    /// The largest.
    pub most: f64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
}

impl Range {
    fn of(name: impl Into<String>, numbers: impl Iterator<Item = f64> + Clone) -> Option<Range> {
        let kept = || numbers.clone().filter(|v| !v.is_nan());
        let n = kept().count();
        if n == 0 {
            return None;
        }
        let mean = kept().sum::<f64>() / n as f64;
        let deviation = (kept().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
        let (least, most) = kept().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        Some(Range { name: name.into(), least, most, mean, deviation })
    }

    fn to_json(&self) -> Json {
        Json::Object(vec![
            ("name".into(), Json::Str(self.name.clone())),
            ("min".into(), Json::Float(self.least)),
            ("max".into(), Json::Float(self.most)),
            ("mean".into(), Json::Float(self.mean)),
            ("std".into(), Json::Float(self.deviation)),
        ])
    }
}

impl Experiment {
    /// Looks at the data, and at nothing else: the model is left alone, and nothing is written.
    ///
    /// ```
    /// use mapsto_experiment::Config;
    /// let file = "[data]\nset = 'csv'\npath = '../../data/iris/iris.csv'\nclass = 'species'\nstandardize = true\n\
    ///             [model]\nlayers = [{ linear = 16 }, 'tanh', { linear = 3 }]\n\
    ///             [train]\nloss = 'cross_entropy'\noptimizer = { adam = 1e-2 }\n";
    /// let survey = Config::parse(file, &[])?.prepare(|_| ())?.survey()?;
    /// assert_eq!((survey.parts[0].samples, &survey.parts[0].counts[..]), (108, &[36, 36, 36][..]));
    /// assert_eq!(survey.ranges[0].name, "sepal_length");
    /// # Ok::<(), mapsto::Error>(())
    /// ```
    ///
    /// # Errors
    /// A sample that is damaged.
    pub fn survey(&self) -> Result<Survey> {
        let seen = Seen::of(self)?;
        let mut found = Preflight::default();
        balance::check(self, &seen, &mut found)?;
        duplicates::check(self, &seen, &mut found)?;
        let train = seen.training();
        let cells = &seen.learn.cells;
        let near = match train.thumbnails.is_empty() {
            true if cells.rank() == 2 => alike_when_rounded(cells),
            true => Vec::new(),
            false => near::looked_at(self, train, train, near::pairs(train, train))?,
        };
        Ok(Survey {
            set: self.config.data.set.name.clone(),
            shape: cells.shape()[1..].to_vec(),
            classes: self.info.classes.clone(),
            parts: seen.parts.iter().map(|part| self.part(part)).collect(),
            ranges: self.ranges(cells),
            ranges_of: seen.learn.len(),
            columns: self.understood.clone(),
            findings: found.findings,
            near,
        })
    }

    fn part(&self, part: &Part) -> PartSurvey {
        let mut counts = vec![0; if part.is_classes { self.info.classes.len() } else { 0 }];
        if part.is_classes {
            for &id in &part.targets {
                let id = id as usize;
                counts.resize(counts.len().max(id + 1), 0);
                counts[id] += 1;
            }
        }
        let read = part.marks.len();
        let each = part.targets.len() / read.max(1);
        let name =
            |i: usize| self.info.targets.get(i).map_or_else(|| format!("target {i}"), |name| plain(name));
        let of = |i: usize| Range::of(name(i), part.targets.iter().skip(i).step_by(each.max(1)).copied());
        let targets = if part.is_classes { Vec::new() } else { (0..each.min(64)).filter_map(of).collect() };
        PartSurvey { name: part.name, samples: part.len, read, counts, targets }
    }

    /// Of tables each column of numbers; of pictures each channel; of all else all numbers together.
    fn ranges(&self, cells: &Tensor) -> Vec<Range> {
        let numbers = cells.to(DType::F64).to_vec::<f64>();
        match *cells.shape() {
            [_, columns] if columns == self.info.features.len() => {
                let is_number = |i: usize| {
                    self.understood
                        .get(i)
                        .is_none_or(|u| ["number", "date", "boolean"].contains(&u.kind.as_str()))
                };
                let of = |i: usize| {
                    Range::of(plain(&self.info.features[i]), numbers.iter().skip(i).step_by(columns).copied())
                };
                (0..columns).filter(|&i| is_number(i)).filter_map(of).collect()
            }
            [_, channels @ 2..=4, h, w] => {
                let names: &[&str] = if channels == 3 { &["red", "green", "blue"] } else { &[] };
                let name =
                    |c: usize| names.get(c).map_or_else(|| format!("channel {c}"), |name| name.to_string());
                let of = |c: usize| {
                    let planes = numbers.chunks(h * w).skip(c).step_by(channels);
                    Range::of(name(c), planes.flatten().copied())
                };
                (0..channels).filter_map(of).collect()
            }
            _ => Range::of("inputs", numbers.iter().copied()).into_iter().collect(),
        }
    }

    /// Whether samples are pictures: gray or in colour, with more than one pixel.
    pub fn has_pictures(&self) -> Result<bool> {
        let x = self.samples(&[0])?.x;
        Ok(matches!(*x.shape(), [_, 1 | 3, h, w] if h > 1 && w > 1))
    }

    /// The first pictures of the first batch of the training, and what the transforms make of them there; before preprocessing.
    ///
    /// # Errors
    /// A sample that is damaged; inputs that a transform does not take.
    pub fn augmented(&self, most: usize) -> Result<(Tensor, Tensor)> {
        let loader = self.train.clone().preprocess(Preprocess::new());
        let Some(batch) = loader.epoch(0).next().transpose()? else {
            return Ok((Tensor::zeros([0]), Tensor::zeros([0])));
        };
        let n = most.min(batch.indices.len());
        let Sample { x, .. } = self.samples(&batch.indices[..n])?;
        Ok((x, batch.x.slice(0, ..n as i64)))
    }

    /// Some training pictures of each class, drawn with the seed; of at most `classes` classes.
    ///
    /// # Errors
    /// A sample that is damaged.
    pub fn examples(&self, classes: usize, each: usize) -> Result<Vec<(String, Tensor)>> {
        let set = self.train.dataset();
        let mut left = vec![each; self.info.classes.len().min(classes)];
        let mut places: Vec<Vec<usize>> = vec![Vec::new(); left.len()];
        // A folder's pictures are decoded for their labels, so the search ends where all were found, or after some.
        const MOST: usize = 4000;
        let order = Keyed::new(&[self.config.train.seed, 0x65_78]).permutation(set.len());
        for some in order.chunks(32).take(MOST / 32) {
            let y = self.samples(some)?.y;
            if y.dtype().is_float() || y.rank() != 1 {
                return Ok(Vec::new());
            }
            for (&at, id) in some.iter().zip(y.to(DType::I64).to_vec::<i64>()) {
                if let Some(left) = left.get_mut(id as usize).filter(|left| **left > 0) {
                    *left -= 1;
                    places[id as usize].push(at);
                }
            }
            if left.iter().all(|&n| n == 0) {
                break;
            }
        }
        let named = self.info.classes.iter().zip(places).filter(|(_, places)| !places.is_empty());
        named.map(|(name, places)| Ok((name.clone(), self.samples(&places)?.x))).collect()
    }
}

/// Pairs of rows that are equal once each number is rounded to a tenth of its column's deviation, and were not equal before.
fn alike_when_rounded(cells: &Tensor) -> Vec<(usize, usize)> {
    let columns = cells.shape()[1];
    let numbers = cells.to(DType::F64).to_vec::<f64>();
    let steps: Vec<f64> = (0..columns)
        .map(|i| {
            Range::of("", numbers.iter().skip(i).step_by(columns).copied())
                .map_or(0.0, |r| r.deviation / 10.0)
        })
        .collect();
    let mut first: HashMap<Vec<i64>, usize> = HashMap::new();
    let mut found = Vec::new();
    for (i, row) in numbers.chunks_exact(columns.max(1)).enumerate() {
        let rounded = row.iter().zip(&steps).map(|(v, step)| match step {
            _ if v.is_nan() => i64::MIN,
            0.0 => 0,
            step => (v / step).round() as i64,
        });
        match first.entry(rounded.collect()) {
            std::collections::hash_map::Entry::Vacant(free) => _ = free.insert(i),
            std::collections::hash_map::Entry::Occupied(there) => {
                let other = &numbers[there.get() * columns..][..columns];
                if other.iter().zip(row).any(|(a, b)| a != b && !(a.is_nan() && b.is_nan())) {
                    found.push((*there.get(), i));
                }
            }
        }
    }
    found
}

impl Survey {
    /// All of it, for other programs.
    pub fn to_json(&self) -> Json {
        let text = |text: &str| Json::Str(text.to_string());
        let count = |n: usize| Json::Int(n as i64);
        let ranges = |ranges: &[Range]| Json::List(ranges.iter().map(Range::to_json).collect());
        let part = |part: &PartSurvey| {
            Json::Object(vec![
                ("name".into(), text(part.name)),
                ("samples".into(), count(part.samples)),
                ("read".into(), count(part.read)),
                ("counts".into(), Json::List(part.counts.iter().map(|&n| count(n)).collect())),
                ("targets".into(), ranges(&part.targets)),
            ])
        };
        let column = |u: &Understood| {
            Json::Object(vec![
                ("column".into(), text(&u.column)),
                ("type".into(), text(&u.kind)),
                ("distinct".into(), count(u.distinct)),
                ("missing".into(), count(u.missing)),
                ("used_as".into(), text(&u.used_as)),
            ])
        };
        let near = |&(a, b): &(usize, usize)| Json::List(vec![count(a), count(b)]);
        Json::Object(vec![
            ("set".into(), text(&self.set)),
            ("shape".into(), Json::from(self.shape.clone())),
            ("classes".into(), Json::List(self.classes.iter().map(|name| text(name)).collect())),
            ("parts".into(), Json::List(self.parts.iter().map(part).collect())),
            ("ranges".into(), ranges(&self.ranges)),
            ("ranges_of".into(), count(self.ranges_of)),
            ("columns".into(), Json::List(self.columns.iter().map(column).collect())),
            ("findings".into(), Json::List(self.findings.iter().map(Finding::to_json).collect())),
            ("near".into(), count(self.near.len())),
            ("near_pairs".into(), Json::List(self.near.iter().take(100).map(near).collect())),
        ])
    }
}

#[test]
fn rows_that_differ_by_little_are_alike_and_equal_ones_are_not_told_again() {
    let rows: Vec<f64> = (0..20).flat_map(|i| [i as f64, (i * 7 % 11) as f64]).collect();
    let more = [3.001, 10.0, 5.0, 2.0];
    let cells = Tensor::from_vec(rows.into_iter().chain(more).collect::<Vec<f64>>(), [22, 2]);
    assert_eq!(alike_when_rounded(&cells), [(3, 20)]);
}

//! What the training rows say of a column.

use super::Columns;
use super::part::{Fill, Part};
use super::words::Words;
use crate::column::code;
use crate::{Column, ColumnKind, DateOrder, date};
use std::collections::HashMap;

/// Words that come less often share a place: a model learns nothing of them, and something of what is rare.
const RARE: usize = 3;

/// The cells of a column in the training rows.
pub(super) struct Seen {
    kind: ColumnKind,
    values: Vec<f64>,
    counts: HashMap<u64, usize>,
    missing: usize,
}

impl Seen {
    pub(super) fn new(kind: ColumnKind) -> Seen {
        Seen { kind, values: Vec::new(), counts: HashMap::new(), missing: 0 }
    }

    pub(super) fn add(&mut self, value: f64) {
        if value.is_nan() {
            self.missing += 1;
        } else if self.kind == ColumnKind::Category {
            *self.counts.entry(value.to_bits()).or_default() += 1;
        } else {
            self.values.push(value);
        }
    }

    pub(super) fn learn(mut self, column: &Column, how: &Columns) -> Part {
        let name = column.name.clone();
        let is_told = self.missing > 0;
        self.values.sort_unstable_by(f64::total_cmp);
        let median = median(&self.values);
        match self.kind {
            ColumnKind::Category => self.category(name, &column.words, how.one_hot),
            ColumnKind::Boolean => {
                let value = f64::from(u8::from(median >= 0.5));
                Part::Number { name, kind: self.kind, mean: 0.0, std: 1.0, fill: Fill { value, is_told } }
            }
            ColumnKind::Number => {
                let [mean, std] = moments(&self.values);
                let value = if how.fills_by_mean { mean } else { median };
                let [mean, std] = if how.is_standardized { [mean, std] } else { [0.0, 1.0] };
                Part::Number { name, kind: self.kind, mean, std, fill: Fill { value, is_told } }
            }
            ColumnKind::Date(order) => self.date(name, order, Fill { value: median, is_told }),
        }
    }

    fn date(&self, name: String, order: DateOrder, fill: Fill) -> Part {
        let years: Vec<f64> = self.values.iter().map(|&value| date::parts(value)[0]).collect();
        let [mean, std] = moments(&years);
        let has_time = self.values.iter().any(|&value| date::parts(value)[3] != 0.0);
        Part::Date { name, order, mean, std, has_time, fill }
    }

    fn category(&self, name: String, words: &[String], one_hot: usize) -> Part {
        let count = |word: &&String| self.counts.get(&code(word).to_bits()).copied().unwrap_or(0);
        let known: Vec<String> = words.iter().filter(|word| count(word) >= RARE).cloned().collect();
        let rare = words.iter().filter(|word| (1..RARE).contains(&count(word))).cloned().collect();
        let is_id = known.len() > one_hot;
        Part::Category { name, words: Words::new(known, rare, self.missing > 0), is_id }
    }
}

/// The median of sorted values; 0 of none.
fn median(values: &[f64]) -> f64 {
    let (n, half) = (values.len(), values.len() / 2);
    match n {
        0 => 0.0,
        n if n % 2 == 1 => values[half],
        _ => values[half - 1] + (values[half] - values[half - 1]) / 2.0,
    }
}

/// Mean and population deviation in two passes; the deviation is 1 where values do not vary.
///
/// Values are taken as parts of the largest one, so that squares have a place in `f64`.
fn moments(values: &[f64]) -> [f64; 2] {
    let n = values.len().max(1) as f64;
    let most = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
    let unit = if most > 1e140 { most } else { 1.0 };
    let first = values.first().map_or(0.0, |v| v / unit);
    let mean = first + values.iter().map(|v| v / unit - first).sum::<f64>() / n;
    let variance = values.iter().map(|v| (v / unit - mean).powi(2)).sum::<f64>() / n;
    let std = variance.sqrt() * unit;
    [mean * unit, if (std as f32) > 0.0 { std } else { 1.0 }]
}

//! What was learnt of one column, and the inputs that it makes of a cell.

use super::words::Words;
use super::{flag, number};
use crate::{Column, ColumnKind, DateOrder, date};
use mapsto_spec::{Args, Entry, FromValue, Value};
use mapsto_tensor::Result;
use std::f64::consts::TAU;

/// One column of a table, and what becomes of it.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// A number, or yes and no.
    Number { name: String, kind: ColumnKind, mean: f64, std: f64, fill: Fill },
    /// A date: `mean` and `std` are those of its year.
    Date { name: String, order: DateOrder, mean: f64, std: f64, has_time: bool, fill: Fill },
    /// Text.
    Category { name: String, words: Words, is_id: bool },
}

/// What a missing cell becomes, and whether a further column tells of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill {
    pub(super) value: f64,
    pub(super) is_told: bool,
}

impl Part {
    pub(super) fn name(&self) -> &str {
        match self {
            Part::Number { name, .. } | Part::Date { name, .. } | Part::Category { name, .. } => name,
        }
    }

    /// The columns that it makes.
    pub(super) fn width(&self) -> usize {
        match self {
            Part::Number { fill, .. } => 1 + usize::from(fill.is_told),
            Part::Date { has_time, fill, .. } => 5 + 2 * usize::from(*has_time) + usize::from(fill.is_told),
            Part::Category { is_id: true, .. } => 1,
            Part::Category { words, .. } => words.places(),
        }
    }

    /// Whether it makes an id for a layer that embeds it.
    pub(super) fn is_id(&self) -> bool {
        matches!(self, Part::Category { is_id: true, .. })
    }

    /// The number of ids.
    pub(super) fn places(&self) -> usize {
        match self {
            Part::Category { words, .. } => words.places(),
            _ => 0,
        }
    }

    /// Whether a cell is a word that training did not know.
    pub(super) fn is_unseen(&self, value: f64) -> bool {
        matches!(self, Part::Category { words, .. } if !words.knows(value))
    }

    /// Whether cells were missing in training.
    pub(super) fn knows_missing(&self) -> bool {
        match self {
            Part::Number { fill, .. } | Part::Date { fill, .. } => fill.is_told,
            Part::Category { words, .. } => words.has_missing(),
        }
    }

    /// Writes what a cell becomes, which is NaN where it is missing.
    pub(super) fn write(&self, value: f64, out: &mut [f64]) {
        match self {
            Part::Number { mean, std, fill, .. } => {
                out[0] = (fill.of(value) - mean) / std;
                fill.tell(value, out);
            }
            Part::Date { mean, std, has_time, fill, .. } => {
                let [year, month, weekday, hours] = date::parts(fill.of(value));
                out[0] = (year - mean) / std;
                let cycles = [month / 12.0, weekday / 7.0, hours / 24.0];
                let shown = if *has_time { 3 } else { 2 };
                for (i, turn) in cycles[..shown].iter().enumerate() {
                    (out[1 + 2 * i], out[2 + 2 * i]) = (turn * TAU).sin_cos();
                }
                fill.tell(value, out);
            }
            Part::Category { words, is_id: true, .. } => out[0] = words.place(value) as f64,
            Part::Category { words, .. } => out[words.place(value)] = 1.0,
        }
    }

    /// The column as it was understood, for reading another table.
    pub(super) fn column(&self) -> Column {
        let (kind, words) = match self {
            Part::Number { kind, .. } => (*kind, Vec::new()),
            Part::Date { order, .. } => (ColumnKind::Date(*order), Vec::new()),
            Part::Category { words, .. } => (ColumnKind::Category, words.list().to_vec()),
        };
        let distinct = words.len();
        Column { name: self.name().to_string(), kind, words, distinct, missing: 0 }
    }

    /// What becomes of it, in words.
    pub(super) fn used_as(&self) -> String {
        let told = |fill: &Fill| if fill.is_told { ", whether missing" } else { "" };
        match self {
            Part::Number { kind: ColumnKind::Boolean, fill, .. } => format!("0 and 1{}", told(fill)),
            Part::Number { mean, std, fill, .. } if (*mean, *std) == (0.0, 1.0) => {
                format!("a number as it is{}", told(fill))
            }
            Part::Number { fill, .. } => format!("a standardized number{}", told(fill)),
            Part::Date { has_time, fill, .. } => {
                let time = if *has_time { ", time of day" } else { "" };
                format!("year, month, day of the week{time}{}", told(fill))
            }
            Part::Category { words, is_id: true, .. } => {
                format!("an embedding of {} words and others", words.known())
            }
            Part::Category { words, .. } => format!("one of {} words or another", words.known()),
        }
    }

    /// What a model file says.
    pub(super) fn entry(&self) -> Entry {
        let filled = |entry: Entry, fill: &Fill| {
            entry.with_option("fill", fill.value).with_option("missing", fill.is_told)
        };
        match self {
            Part::Number { name, kind, mean, std, fill } => {
                let kind = if *kind == ColumnKind::Boolean { "boolean" } else { "number" };
                let entry = Entry::new(kind).with_value(name.as_str());
                filled(entry.with_option("mean", *mean).with_option("std", *std), fill)
            }
            Part::Date { name, order, mean, std, has_time, fill } => {
                let entry = Entry::new("date").with_value(name.as_str()).with_option("order", order.word());
                let entry = entry.with_option("mean", *mean).with_option("std", *std);
                filled(entry.with_option("time", *has_time), fill)
            }
            Part::Category { name, words, is_id } => {
                let entry = Entry::new("category").with_value(name.as_str());
                words.write(entry).with_option("id", *is_id)
            }
        }
    }

    /// Reads what [`entry`](Part::entry) writes.
    pub(super) fn read(args: &Args, entry: &Entry) -> Result<Part> {
        let Some(name) = entry.value.as_ref().and_then(String::from_value) else {
            return Err(args.error("", format!("`{}` needs the name of a column", entry.name)));
        };
        let fill = || -> Result<Fill> {
            Ok(Fill { value: number(args, entry, "fill")?, is_told: flag(entry, "missing") })
        };
        let scale = || -> Result<[f64; 2]> {
            let (mean, std) = (number(args, entry, "mean")?, number(args, entry, "std")?);
            match std > 0.0 {
                true => Ok([mean, std]),
                false => Err(args.error("", format!("`std` of column `{name}` must be above 0, got {std}"))),
            }
        };
        match entry.name.as_str() {
            kind @ ("number" | "boolean") => {
                let kind = if kind == "boolean" { ColumnKind::Boolean } else { ColumnKind::Number };
                let [mean, std] = scale()?;
                Ok(Part::Number { name, kind, mean, std, fill: fill()? })
            }
            "date" => {
                let order = match entry.option("order") {
                    Some(Value::Str(word)) => DateOrder::named(word),
                    _ => None,
                };
                let order = order.ok_or_else(|| {
                    args.error("", format!("`order` of column `{name}` is not one of ymd, dmy, mdy"))
                })?;
                let [mean, std] = scale()?;
                Ok(Part::Date { name, order, mean, std, has_time: flag(entry, "time"), fill: fill()? })
            }
            "category" => {
                let words =
                    Words::read(entry).map_err(|what| args.error("", format!("column `{name}`: {what}")))?;
                Ok(Part::Category { name, words, is_id: flag(entry, "id") })
            }
            other => Err(args.error("", format!("`{other}` is not one of number, boolean, date, category"))),
        }
    }
}

impl Fill {
    fn of(&self, value: f64) -> f64 {
        if value.is_nan() { self.value } else { value }
    }

    fn tell(&self, value: f64, out: &mut [f64]) {
        if let (true, Some(last)) = (self.is_told, out.last_mut()) {
            *last = f64::from(u8::from(value.is_nan()));
        }
    }
}

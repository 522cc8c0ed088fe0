//! `Column`: what was understood of a column of a table, and the number that stands for each of its cells.

use crate::{DateOrder, date};
use std::fmt;

/// A column of a table as it was understood.
///
/// ```
/// use mapsto_data::prelude::*;
/// let csv = "age,job,day,left\n31,smith,2024-02-29,yes\n,baker,2024-03-01,no\n44,smith,2024-03-02,no\n";
/// let chosen = Table::parse(csv, "t.csv")?.features(["age", "job", "day", "left"])?.understood()?;
/// let kinds: Vec<String> = chosen.understanding().iter().map(|c| c.kind.to_string()).collect();
/// assert_eq!(kinds, ["number", "text", "date", "boolean"]);
/// assert_eq!((chosen.understanding()[0].missing, chosen.understanding()[1].words.len()), (1, 2));
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its cells are.
    pub kind: ColumnKind,
    /// The different words of a column of text, sorted.
    pub words: Vec<String>,
    /// How many different values there are, as far as they were counted: [`Column::MOST_COUNTED`].
    pub distinct: usize,
    /// How many cells hold nothing.
    pub missing: usize,
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Numbers.
    Number,
    /// Yes or no, in one of the usual words.
    Boolean,
    /// Dates, with or without a time.
    Date(DateOrder),
    /// Words that name kinds.
    Category,
}

impl Column {
    /// Different values are counted up to this.
    pub const MOST_COUNTED: usize = 10_000;

    /// The cell that a number of this column stands for, as a reader knows it: a word, a date, yes or no, or the number; `missing` for one
    /// that held nothing.
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// let csv = "age,job,day,left\n31,smith,2024-02-29,yes\n,baker,2024-03-01 12:30,no\n";
    /// let columns = Table::parse(csv, "t.csv")?.features(["age", "job", "day", "left"])?.understood()?.understanding().to_vec();
    /// assert_eq!([columns[0].cell(31.0), columns[0].cell(f64::NAN), columns[1].cell(0.5)], ["31", "missing", "another word"]);
    /// assert_eq!([columns[2].cell(86_400.0), columns[3].cell(1.0)], ["1970-01-02", "yes"]);
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    #[must_use]
    pub fn cell(&self, value: f64) -> String {
        // A set may have rounded the number to f32.
        let near = value as f32;
        match self.kind {
            _ if value.is_nan() => "missing".to_string(),
            ColumnKind::Boolean => if value == 0.0 { "no" } else { "yes" }.to_string(),
            ColumnKind::Date(_) => date::in_words(value),
            ColumnKind::Category => {
                let meant =
                    self.words.iter().find(|word| code(word) == value || f64::from(code(word) as f32) == value);
                meant.map_or("another word".to_string(), String::clone)
            }
            ColumnKind::Number if f64::from(near) == value => near.to_string(),
            ColumnKind::Number => value.to_string(),
        }
    }
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ColumnKind::Number => "number",
            ColumnKind::Boolean => "boolean",
            ColumnKind::Date(_) => "date",
            ColumnKind::Category => "text",
        })
    }
}

/// The number that stands for a word: the same in every table, so that words of training and of later tables need no list to
/// agree. It is a whole number below 2⁵², made of the letters.
///
/// Source of the mixing: FNV-1a, and the finalizer of MurmurHash3.
pub(crate) fn code(word: &str) -> f64 {
    let mut hash = word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    ((hash ^ (hash >> 33)) >> 12) as f64
}

/// 1 and 0 for the usual words for yes and no.
pub(crate) fn truth(cell: &str) -> Option<f64> {
    let is = |words: [&str; 5]| words.iter().any(|word| cell.eq_ignore_ascii_case(word));
    match cell.len() {
        1..=5 if is(["true", "yes", "t", "y", "on"]) => Some(1.0),
        1..=5 if is(["false", "no", "f", "n", "off"]) => Some(0.0),
        _ => None,
    }
}

#[test]
fn words_of_large_lists_have_codes_of_their_own() {
    let codes: std::collections::HashSet<u64> =
        (0..200_000).map(|i| code(&format!("word {i}")) as u64).collect();
    assert_eq!(codes.len(), 200_000);
    assert!(codes.iter().all(|&c| c < 1 << 52));
    assert_eq!((truth("Yes"), truth("F"), truth("maybe"), truth("")), (Some(1.0), Some(0.0), None, None));
}

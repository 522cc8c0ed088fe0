//! Looks at every cell of some columns, in threads, and says what they hold: numbers, words, dates, yes and no.

use crate::column::{code, truth};
use crate::delimited::cells::as_text;
use crate::delimited::shortened;
use crate::sets::table::Table;
use crate::{Column, ColumnKind, DateOrder};
use mapsto_kernels::threads::parallel;
use mapsto_tensor::{Error, ErrorKind, Result};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError};

/// Rows that one thread looks at in one go. It is the same for any number of threads, as the result must be.
pub(crate) const BLOCK: usize = 8192;

/// Blocks that are looked at before the others: most columns of numbers have shown their many values by then.
const FIRST: usize = 4;

/// Hashes the bits of a number by one product: the usual hash guards against names that are made to collide, and takes longer
/// than reading the number does.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, bits: u64) {
        // Numbers of few digits differ in their upper bits alone, and a table is sought by the lower ones.
        let product = u128::from(self.0 ^ bits ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

/// What some cells of a column hold.
#[derive(Default)]
struct Seen {
    numbers: usize,
    missing: usize,
    /// Each word with how often it comes, while there are few.
    words: HashMap<String, usize>,
    has_more_words: bool,
    /// The bits of numbers, while there are few.
    values: HashSet<u64, BuildHasherDefault<Mixed>>,
    /// Whether so many numbers are known that no more are counted.
    has_many: bool,
    /// The first row with a word, and with a number that is infinite or has too many digits.
    word: Option<usize>,
    wrong: Option<usize>,
}

impl Seen {
    fn add(&mut self, table: &Table, row: usize, cell: &str) {
        if table.how.is_missing(cell) {
            self.missing += 1;
            return;
        }
        match table.how.number(cell) {
            Some(value) => {
                self.numbers += 1;
                if table.exact(value, cell).is_err() {
                    self.wrong.get_or_insert(row);
                }
                self.see(value);
            }
            None => {
                self.word.get_or_insert(row);
                self.count(cell, 1);
            }
        }
    }

    fn see(&mut self, value: f64) {
        if !self.has_many && self.values.len() < Column::MOST_COUNTED {
            self.values.insert(value.to_bits());
        }
    }

    fn count(&mut self, word: &str, times: usize) {
        if let Some(n) = self.words.get_mut(word) {
            *n += times;
        } else if self.words.len() < Column::MOST_COUNTED {
            self.words.insert(word.to_string(), times);
        } else {
            self.has_more_words = true;
        }
    }

    fn merge(&mut self, next: Seen) {
        self.numbers += next.numbers;
        self.missing += next.missing;
        self.has_more_words |= next.has_more_words;
        let mut words: Vec<(String, usize)> = next.words.into_iter().collect();
        words.sort_unstable(); // which words are kept of too many must not depend on chance
        words.into_iter().for_each(|(word, times)| self.count(&word, times));
        if self.values.len() < Column::MOST_COUNTED {
            self.values.extend(next.values);
        }
        self.word = self.word.or(next.word);
        self.wrong = self.wrong.or(next.wrong);
    }

    /// The different values, counted no further than [`Column::MOST_COUNTED`].
    fn distinct(&self) -> usize {
        (self.values.len() + self.words.len()).min(Column::MOST_COUNTED)
    }
}

/// What was found in a column.
pub(crate) enum Found {
    /// A column to learn from.
    Column(Column),
    /// Nothing, or nothing but names of single rows; and in words why.
    Nothing(String),
    /// A column that can be read in two ways.
    Unclear(Error),
    /// A column of numbers with a cell that is none; the error of that cell.
    Wrong(Error),
}

/// Looks at columns of a table; those called in `texts` hold words, even where these are numbers.
pub(crate) fn look(table: &Table, columns: &[usize], texts: &[usize]) -> Vec<Found> {
    let rows = table.len();
    let blocks: Vec<Mutex<Vec<Seen>>> = (0..rows.div_ceil(BLOCK)).map(|_| Mutex::default()).collect();
    let mut places = vec![None; table.columns().len()];
    columns.iter().enumerate().for_each(|(i, &column)| places[column] = Some(i));
    let mut all: Vec<Seen> = columns.iter().map(|_| Seen::default()).collect();
    let is_text: Vec<bool> = columns.iter().map(|column| texts.contains(column)).collect();
    let first = FIRST.min(blocks.len());
    // The same blocks come first for any number of threads, so that the same numbers are counted.
    for part in [0..first, first..blocks.len()] {
        let many: Vec<bool> = all.iter().map(|seen| seen.values.len() >= Column::MOST_COUNTED).collect();
        let begin = part.start;
        parallel(part.len(), rows.saturating_mul(200 * columns.len()), |block| {
            let block = begin + block;
            let new = |&has_many: &bool| Seen { has_many, ..Seen::default() };
            let mut seen: Vec<Seen> = many.iter().map(new).collect();
            for row in block * BLOCK..(block * BLOCK + BLOCK).min(rows) {
                let mut cells = table.text.row(row);
                for place in &places {
                    let Some(place) = *place else {
                        cells.skip_one();
                        continue;
                    };
                    let Some(cell) = cells.bytes() else { break };
                    if !is_text[place]
                        && let Some(value) = table.how.plain(&cell)
                    {
                        seen[place].numbers += 1;
                        seen[place].see(value);
                        continue;
                    }
                    let cell = as_text(cell);
                    let cell = cell.trim();
                    if is_text[place] && !table.how.is_missing(cell) {
                        seen[place].count(cell, 1);
                    } else {
                        seen[place].add(table, row, cell);
                    }
                }
            }
            *blocks[block].lock().unwrap_or_else(PoisonError::into_inner) = seen;
        });
        for block in &blocks[part] {
            let seen = std::mem::take(&mut *block.lock().unwrap_or_else(PoisonError::into_inner));
            all.iter_mut().zip(seen).for_each(|(all, seen)| all.merge(seen));
        }
    }
    let found = |(seen, &column)| understood(table, column, seen, texts.contains(&column));
    all.into_iter().zip(columns).map(found).collect()
}

fn understood(table: &Table, column: usize, seen: Seen, is_text: bool) -> Found {
    let name = table.columns()[column].clone();
    let words: usize = table.len() - seen.numbers - seen.missing;
    let distinct = seen.distinct();
    let of = |kind, words| {
        Found::Column(Column { name: name.clone(), kind, words, distinct, missing: seen.missing })
    };
    if seen.numbers + words == 0 {
        return Found::Nothing(format!("column `{}`, in which every cell is missing", shortened(&name)));
    }
    if let (0, false) = (words, is_text) {
        return match seen.wrong {
            Some(row) => Found::Wrong(
                table.number(row, column).err().unwrap_or_else(|| table.at(row, column, "no number")),
            ),
            None => of(ColumnKind::Number, Vec::new()),
        };
    }
    if seen.numbers == 0 && !is_text {
        if seen.words.keys().all(|word| truth(word).is_some()) {
            return of(ColumnKind::Boolean, Vec::new());
        }
        let fits = |order: &DateOrder| seen.words.keys().all(|word| order.seconds(word).is_some());
        let orders: Vec<DateOrder> = DateOrder::ALL.into_iter().filter(fits).collect();
        match (table.how.dates, &orders[..]) {
            (Some(order), [_, ..]) if orders.contains(&order) => {
                return of(ColumnKind::Date(order), Vec::new());
            }
            (_, [order]) => return of(ColumnKind::Date(*order), Vec::new()),
            (_, [_, _, ..]) => {
                let row = seen.word.unwrap_or(0);
                let what = format!(
                    "`{}` and all other dates of the column can be read in two ways",
                    shortened(&table.text.cell(row, column))
                );
                return Found::Unclear(table.at(row, column, &what).help(
                    "say `dates = \"dmy\"` in [data] where days come first, and `dates = \"mdy\"` where months do",
                ));
            }
            _ => {}
        }
    }
    let with_commas =
        seen.words.iter().filter(|(word, _)| looks_like_a_number(word)).map(|(_, n)| n).sum::<usize>();
    if (seen.numbers + with_commas) * 2 > seen.numbers + words && !is_text {
        let row = seen.word.unwrap_or(0);
        return Found::Wrong(
            table.number(row, column).err().unwrap_or_else(|| table.at(row, column, "no number")),
        );
    }
    let present = seen.numbers + words;
    if seen.has_more_words
        || distinct >= Column::MOST_COUNTED
        || (distinct > 20 && distinct * 2 > present && !is_text)
    {
        let more = if distinct >= Column::MOST_COUNTED { "at least " } else { "" };
        return Found::Nothing(format!(
            "column `{}`: text with {more}{distinct} different values in {present} cells, which name rows and no kinds",
            shortened(&name)
        ));
    }
    // Numbers among the words are words too.
    let mut words: Vec<String> = seen.words.into_keys().collect();
    if seen.numbers > 0 {
        words = all_words(table, column);
    }
    words.sort_unstable();
    let codes: HashSet<u64> = words.iter().map(|word| code(word).to_bits()).collect();
    if codes.len() < words.len() {
        let message = format!("{}: column `{name}`: two of its words cannot be told apart", table.name);
        return Found::Unclear(
            Error::new(ErrorKind::Data, message).help("write one of its words in another way"),
        );
    }
    of(ColumnKind::Category, words)
}

/// Whether a word would be a number if its commas were points, or were not there.
fn looks_like_a_number(word: &str) -> bool {
    word.contains(',')
        && (word.replacen(',', ".", 1).parse::<f64>().is_ok() || word.replace(',', "").parse::<f64>().is_ok())
}

fn all_words(table: &Table, column: usize) -> Vec<String> {
    let cells = (0..table.len()).map(|row| table.text.cell(row, column));
    cells.filter(|cell| !table.how.is_missing(cell)).collect::<HashSet<String>>().into_iter().collect()
}

impl Column {
    /// The number that stands for a cell, which is trimmed: NaN for nothing.
    ///
    /// # Errors
    /// The cell is not of the column's kind.
    pub(crate) fn value(&self, table: &Table, row: usize, column: usize, cell: &str) -> Result<f64> {
        if table.how.is_missing(cell) {
            return Ok(f64::NAN);
        }
        let found = match self.kind {
            ColumnKind::Number => return table.number_of(row, column, cell),
            ColumnKind::Category => return Ok(code(cell)),
            ColumnKind::Boolean => truth(cell),
            ColumnKind::Date(order) => order.seconds(cell),
        };
        found.ok_or_else(|| {
            let what = match self.kind {
                ColumnKind::Date(order) => format!("is no date ({})", order.word()),
                _ => "is neither yes nor no".to_string(),
            };
            let words = format!("`{}` {what}, as the other cells of the column are", shortened(cell));
            table.at(row, column, &words).help("mend the cell, or leave it empty where nothing is known")
        })
    }
}

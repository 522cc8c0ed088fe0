//! `Columns`: makes the inputs of a model of the columns of a table, which may be numbers, text, dates or yes and no.

mod learn;
mod part;
mod words;

use super::{Preprocess, Step, StepKind, batches, data};
use crate::{Column, ColumnKind, Dataset, Reading};
use learn::Seen;
use mapsto_spec::{Args, Bounds, Entry, FromValue, Value};
use mapsto_tensor::{DType, Result, Tensor, fail};
use part::Part;
use std::sync::Arc;

/// Makes the numbers that a model takes of the columns of a table, as learnt from the training rows.
///
/// * A number is standardized, `(x − mean) / std`; a cell that is missing becomes the median (or the mean) of the column, and a
///   further column says 1 for it.
/// * Yes and no are 1 and 0.
/// * A date becomes its year, standardized, and sine and cosine of its month and of its day of the week, and of the time of the day
///   where there are times.
/// * Text of few words becomes a column of 0 and 1 for each word that comes at least three times in training. All other words,
///   also those that come later, share one more column.
/// * Text of more words becomes an id, 0 for all words that are rare or new, for the layer `category_embedding`; the ids are the last
///   columns.
///
/// * Shape: `[n, columns] → [n, width]`; inputs are those of [`Selection::understood`](crate::sets::Selection::understood).
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_data::Columns;
/// let csv = "size,tree,y\n1,oak,1\n3,oak,2\n,oak,3\n2,elm,4\n";
/// let set = Table::parse(csv, "t.csv")?.features(["size", "tree"])?.understood()?.target("y")?;
/// let steps = Preprocess::new().then(Columns::new()).fit(&set)?;
/// let (x, _) = set.batches(4).preprocess(steps).iter().next().unwrap();
/// assert_eq!(x.shape(), [4, 4]); // size, whether it is missing, another tree, oak
/// assert_eq!(x.to_vec::<f32>()[8..], [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Columns {
    one_hot: usize,
    fills_by_mean: bool,
    is_standardized: bool,
    learnt: Option<Learnt>,
}

#[derive(Clone, Debug)]
struct Learnt {
    parts: Vec<Part>,
    reading: Reading,
}

impl Default for Columns {
    fn default() -> Columns {
        Columns { one_hot: Columns::ONE_HOT, fills_by_mean: false, is_standardized: true, learnt: None }
    }
}

impl Columns {
    /// Text of up to so many words becomes a column for each, where nothing is said.
    pub const ONE_HOT: usize = 16;

    /// A step that has yet to learn from a training set ([`Preprocess::fit`]).
    pub fn new() -> Columns {
        Columns::default()
    }

    /// Text of up to so many words becomes a column for each; 16 where nothing is said.
    #[must_use]
    pub fn one_hot(self, most: usize) -> Columns {
        Columns { one_hot: most, ..self }
    }

    /// Fills missing numbers by the mean in place of the median.
    #[must_use]
    pub fn fill_by_mean(self) -> Columns {
        Columns { fills_by_mean: true, ..self }
    }

    /// Leaves numbers as they are.
    #[must_use]
    pub fn not_standardized(self) -> Columns {
        Columns { is_standardized: false, ..self }
    }
}

impl Step for Columns {
    fn name(&self) -> &'static str {
        KIND.name
    }

    #[track_caller]
    fn apply(&self, x: Tensor) -> Tensor {
        let Some(Learnt { parts, .. }) = &self.learnt else {
            fail!("columns", "the columns are not known yet"; help = "use what `fit` returns: `let steps = steps.fit(&train_set)?;`");
        };
        if x.rank() != 2 || x.shape()[1] != parts.len() {
            fail!("columns", "learnt from {} columns, applied to {:?}", parts.len(), x.shape());
        }
        let x = x.to(DType::F64).contiguous();
        let rows = x.as_slice::<f64>().unwrap_or_default();
        let (n, width) = (x.shape()[0], parts.iter().map(Part::width).sum::<usize>());
        let mut y = vec![0.0; n * width];
        for (row, out) in rows.chunks(parts.len().max(1)).zip(y.chunks_mut(width.max(1))) {
            let mut at = 0;
            // Ids last: the layer that reads them finds them there.
            for ids in [false, true] {
                for (part, &value) in parts.iter().zip(row).filter(|(part, _)| part.is_id() == ids) {
                    part.write(value, &mut out[at..at + part.width()]);
                    at += part.width();
                }
            }
        }
        Tensor::from_vec(y, [n, width])
    }

    fn entry(&self) -> Entry {
        let mut entry = Entry::new(KIND.name);
        if let Some(Learnt { parts, reading }) = &self.learnt {
            entry = entry.with_value(parts.iter().map(Part::entry).collect::<Vec<Entry>>());
            entry = self.settings(entry);
            let reading =
                reading.options().into_iter().fold(Entry::new("table"), |e, (k, v)| e.with_option(k, v));
            return entry.with_option("reading", reading);
        }
        self.settings(entry)
    }

    fn fit(&self, set: &dyn Dataset, before: &Preprocess) -> Result<Option<Arc<dyn Step>>> {
        if !before.is_empty() {
            return Err(
                data("the columns of a table come first").help("move `columns` to the front of `preprocess`")
            );
        }
        let info = set.info();
        if set.is_empty() {
            return Err(data("there are no samples to learn from"));
        }
        let columns = match info.columns.is_empty() {
            false => info.columns,
            true => numbers(set, &info.features)?,
        };
        let mut seen: Vec<Seen> = columns.iter().map(|column| Seen::new(column.kind)).collect();
        batches(set, before, |x| {
            let values = x.as_slice::<f64>().unwrap_or_default();
            for row in values.chunks(columns.len().max(1)) {
                seen.iter_mut().zip(row).for_each(|(seen, &value)| seen.add(value));
            }
            Ok(())
        })?;
        let parts = columns.iter().zip(seen).map(|(column, seen)| seen.learn(column, self));
        let learnt = Learnt { parts: parts.collect(), reading: info.reading.unwrap_or_default() };
        Ok(Some(Arc::new(Columns { learnt: Some(learnt), ..self.clone() })))
    }

    fn table(&self) -> Option<(Vec<Column>, Reading)> {
        let Learnt { parts, reading } = self.learnt.as_ref()?;
        Some((parts.iter().map(Part::column).collect(), reading.clone()))
    }

    fn ids(&self) -> Vec<usize> {
        let parts = self.learnt.iter().flat_map(|learnt| &learnt.parts);
        parts.filter(|part| part.is_id()).map(Part::places).collect()
    }

    fn sources(&self) -> Vec<usize> {
        let parts: Vec<&Part> = self.learnt.iter().flat_map(|learnt| &learnt.parts).collect();
        // In the order of `apply`: ids last.
        let order = [false, true].into_iter().flat_map(|ids| (0..parts.len()).map(move |i| (i, ids)));
        order
            .filter(|(i, ids)| parts[*i].is_id() == *ids)
            .flat_map(|(i, _)| vec![i; parts[i].width()])
            .collect()
    }

    fn said(&self) -> Vec<(String, String)> {
        let parts = self.learnt.iter().flat_map(|learnt| &learnt.parts);
        parts.map(|part| (part.name().to_string(), part.used_as())).collect()
    }

    fn unseen(&self, x: &Tensor) -> Vec<(usize, usize)> {
        self.counted(x, Part::is_unseen)
    }

    fn newly_missing(&self, x: &Tensor) -> Vec<(usize, usize)> {
        self.counted(x, |part, value| value.is_nan() && !part.knows_missing())
    }
}

impl Columns {
    /// The columns in which some cells are `what`, and how many are.
    fn counted(&self, x: &Tensor, what: fn(&Part, f64) -> bool) -> Vec<(usize, usize)> {
        let Some(Learnt { parts, .. }) = &self.learnt else { return Vec::new() };
        let x = x.to(DType::F64).contiguous();
        let values = x.as_slice::<f64>().unwrap_or_default();
        let cells = |i: usize| values.iter().skip(i).step_by(parts.len());
        let count = |i: usize| cells(i).filter(|&&v| what(&parts[i], v)).count();
        (0..parts.len()).map(|i| (i, count(i))).filter(|&(_, n)| n > 0).collect()
    }

    fn settings(&self, entry: Entry) -> Entry {
        entry
            .with_option("one_hot", self.one_hot)
            .with_option("missing", if self.fills_by_mean { "mean" } else { "median" })
            .with_option("standardize", self.is_standardized)
    }
}

/// The columns of a set that holds numbers alone.
fn numbers(set: &dyn Dataset, names: &[String]) -> Result<Vec<Column>> {
    let shape = set.batch(&[0])?.x.shape().to_vec();
    let [_, width] = shape[..] else {
        return Err(data(format!("inputs {shape:?} are no rows of a table")));
    };
    let name = |i: usize| names.get(i).cloned().unwrap_or_else(|| format!("column_{}", i + 1));
    let column =
        |i| Column { name: name(i), kind: ColumnKind::Number, words: Vec::new(), distinct: 0, missing: 0 };
    Ok((0..width).map(column).collect())
}

/// What missing numbers become, and whether it is the mean.
const FILLS: [(&str, bool); 2] = [("median", false), ("mean", true)];

fn build(args: &mut Args) -> Result<Box<dyn Step>> {
    let parts = args.main_optional::<Vec<Entry>>()?;
    let one_hot = args.get_or("one_hot", Columns::ONE_HOT)?;
    let missing = args.get_or("missing", "median".to_string())?;
    let is_standardized = args.get_or("standardize", true)?;
    let reading = args.optional::<Entry>("reading")?;
    let Some((_, fills_by_mean)) = FILLS.iter().find(|(word, _)| *word == missing) else {
        return Err(args.error("missing", format!("missing {missing:?} is not one of median, mean")));
    };
    let learnt = match parts {
        None => None,
        Some(parts) => {
            let parts = parts.iter().map(|entry| Part::read(args, entry)).collect::<Result<Vec<Part>>>()?;
            let reading = match &reading {
                Some(entry) => Reading::of(&mut Args::new("reading", entry))?,
                None => Reading::default(),
            };
            Some(Learnt { parts, reading })
        }
    };
    Ok(Box::new(Columns { one_hot, fills_by_mean: *fills_by_mean, is_standardized, learnt }))
}

pub(super) const KIND: StepKind = StepKind::new(
    "columns",
    "Makes inputs of the columns of a table: numbers, text, dates, yes and no, and cells that are missing.",
    |args, ()| build(args),
)
.options(&[
    ("", "what was learnt of each column, where it is known"),
    (
        "one_hot",
        "text of up to so many words becomes a column for each, other text an id for `category_embedding`",
    ),
    ("missing", "what missing numbers become: \"median\" or \"mean\""),
    ("standardize", "whether numbers get mean 0 and standard deviation 1"),
    ("reading", "how the table was read that it learnt from"),
]);

/// A number of an entry of a part.
fn number(args: &Args, entry: &Entry, option: &str) -> Result<f64> {
    let found = entry.option(option).and_then(f64::from_value).filter(|&v| Bounds::FINITE.hold(v));
    found.ok_or_else(|| args.error("", format!("`{}` needs `{option}`: a finite number", entry.name)))
}

/// A value that is `true` or `false`; `false` where it is not there.
fn flag(entry: &Entry, option: &str) -> bool {
    entry.option(option) == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests;

//! `Selection`: a table with its input columns chosen, which becomes a data set when its target is named.

use crate::column::truth;
use crate::delimited::cells::as_text;
use crate::delimited::shortened;
use crate::look::{BLOCK, Found, look};
use crate::sets::table::{Table, quoted};
use crate::{Column, ColumnKind, InMemory, Info, Rounded};
use mapsto_kernels::threads::{for_chunks, parallel};
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

const IN_REACH: &str = "divide the column by a common number, or take `exact_inputs` and standardize them";
const IN_A_FILE: &str = "`standardize = true` in [data] brings it into reach, if it is no mistake";

/// Row and column of the first number in `[rows, columns]` that is finite and not so as an `f32`.
pub(crate) fn first_too_large(values: &Tensor) -> Option<[usize; 2]> {
    let columns = *values.shape().get(1)?;
    // NaN is a cell that is missing.
    let at = values.as_slice::<f64>()?.iter().position(|v| (*v as f32).is_infinite())?;
    Some([at / columns, at % columns])
}

/// A table with its input columns chosen; naming the target makes a dataset of it.
///
/// ```
/// use mapsto_data::prelude::*;
/// let table = Table::parse("a,b,y\n1,2,5\n3,4,6\n", "t.csv")?;
/// let chosen = table.features(["b", "a"])?;
/// assert_eq!(chosen.inputs()?.to_vec::<f32>(), [2.0, 1.0, 4.0, 3.0]);
/// assert_eq!(chosen.target("y")?.y().to_vec::<f32>(), [5.0, 6.0]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Selection {
    pub(crate) table: Table,
    pub(crate) features: Vec<usize>,
    /// What was understood of them, where they need not be numbers.
    pub(crate) kinds: Option<Arc<[Column]>>,
}

impl Selection {
    /// The same with columns that need not be numbers: text, dates, yes and no, and cells that are missing.
    ///
    /// Its inputs are raw: the number of seconds for a date, a number made of its letters for a word, and NaN for a cell that is
    /// missing. The step [`Columns`](crate::Columns) makes inputs of a model of them.
    ///
    /// # Errors
    /// A column that names single rows or is empty; a column of numbers with a cell that is none; dates that can be read in two
    /// ways.
    pub fn understood(&self) -> Result<Selection> {
        let mut kinds = Vec::new();
        for found in look(&self.table, &self.features, &[]) {
            match found {
                Found::Column(column) => kinds.push(column),
                Found::Wrong(e) | Found::Unclear(e) => return Err(e),
                Found::Nothing(what) => {
                    let message = format!("{}: nothing is to be learnt from {what}", self.table.name);
                    return Err(
                        Error::new(ErrorKind::Data, message).help("leave the column out of the features")
                    );
                }
            }
        }
        Ok(Selection { kinds: Some(kinds.into()), ..self.clone() })
    }

    /// The same with what was understood of the columns of another table: that of the training. Words need not be known.
    ///
    /// # Panics
    /// When these are not the columns that were chosen.
    #[track_caller]
    #[must_use]
    pub fn understood_as(&self, columns: &[Column]) -> Selection {
        let names = self.features.iter().map(|&c| &self.table.text.columns[c]);
        if columns.len() != self.features.len() || !columns.iter().map(|c| &c.name).eq(names) {
            mapsto_tensor::fail!("selection", "{} columns are described, and others are chosen", columns.len();
                help = "choose the columns that are described, in their order");
        }
        Selection { kinds: Some(columns.into()), ..self.clone() }
    }

    /// What was understood of the columns; nothing where they are numbers.
    pub fn understanding(&self) -> &[Column] {
        self.kinds.as_deref().unwrap_or_default()
    }

    /// The inputs alone, for prediction: `[rows, features]`.
    ///
    /// # Errors
    /// The first cell that is missing, not a finite number or too large for an `f32`, by row and column.
    pub fn inputs(&self) -> Result<Tensor> {
        let exact = self.exact_inputs()?;
        self.check_reach(&exact, &self.features, IN_REACH)?;
        Ok(exact.to(DType::F32))
    }

    /// The inputs alone in `f64`, as they stand in the file: for [`Preprocess::apply`](crate::Preprocess::apply), which
    /// rounds them afterwards.
    ///
    /// # Errors
    /// As [`inputs`](Selection::inputs).
    pub fn exact_inputs(&self) -> Result<Tensor> {
        match &self.kinds {
            Some(kinds) => self.values(
                &self.features,
                |i| kinds[i].kind == ColumnKind::Number,
                |i, row, cell| kinds[i].value(&self.table, row, self.features[i], cell),
            ),
            None => self.numbers(&self.features),
        }
    }

    /// A set whose target is the value in one column.
    ///
    /// * Shape: `x: [n, features]`, `y: [n, 1]`.
    ///
    /// # Errors
    /// As [`inputs`](Selection::inputs), for the target too; also when the target is one of the features.
    pub fn target(&self, name: &str) -> Result<InMemory> {
        self.targets([name])
    }

    /// A set whose targets are the values in several columns.
    ///
    /// * Shape: `x: [n, features]`, `y: [n, targets]`.
    ///
    /// # Errors
    /// As [`target`](Selection::target).
    pub fn targets<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Result<InMemory> {
        let targets =
            names.into_iter().map(|name| self.target_column(name.as_ref())).collect::<Result<Vec<_>>>()?;
        if targets.is_empty() {
            return Err(Error::new(
                ErrorKind::Data,
                format!("{}: no target column was chosen", self.table.name),
            ));
        }
        let y = self.numbers(&targets)?;
        self.check_reach(&y, &targets, "divide the column by a common number: targets are not standardized")?;
        let set = InMemory::rounded(self.exact_inputs()?, y.to(DType::F32));
        Ok(set.with_info(self.info(&targets, Vec::new())))
    }

    /// A set whose target is the class named in one column. Classes are the labels that occur, sorted: as numbers where
    /// all of them are whole numbers, as text otherwise.
    ///
    /// * Shape: `x: [n, features]`, `y: [n]` (`i64`).
    ///
    /// # Errors
    /// As [`inputs`](Selection::inputs); a label that is missing.
    pub fn class(&self, name: &str) -> Result<InMemory> {
        let column = self.target_column(name)?;
        let (mut known, mut classes) = (HashMap::new(), Vec::new());
        let mut ids = Vec::with_capacity(self.table.len());
        for row in 0..self.table.len() {
            let label = self.table.cell(row, column)?;
            let id = match known.get(&label) {
                Some(&id) => id,
                None => {
                    classes.push(label.clone());
                    known.insert(label, classes.len() - 1);
                    classes.len() - 1
                }
            };
            ids.push(id);
        }
        let mut order: Vec<usize> = (0..classes.len()).collect();
        order.sort_by(|&a, &b| classes[a].cmp(&classes[b]));
        if classes.iter().all(|label| label.parse::<i64>().is_ok()) {
            order.sort_by_key(|&id| classes[id].parse::<i64>().unwrap_or(0));
        }
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, &id)| place[id] = at as i64);
        let y: Vec<i64> = ids.into_iter().map(|id| place[id]).collect();
        self.classified(column, y, order.into_iter().map(|id| classes[id].clone()).collect())
    }

    /// A set whose targets are several answers of yes or no: columns of 0 and 1, or of the usual words.
    ///
    /// * Shape: `x: [n, features]`, `y: [n, names]` of 0 and 1.
    ///
    /// # Errors
    /// As [`inputs`](Selection::inputs); a cell that is neither.
    pub fn labels<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Result<InMemory> {
        let columns =
            names.into_iter().map(|name| self.target_column(name.as_ref())).collect::<Result<Vec<_>>>()?;
        let y = self.values(
            &columns,
            |_| false,
            |i, row, cell| {
                let found = truth(cell).or_else(|| cell.parse().ok()).filter(|&v| v == 0.0 || v == 1.0);
                found.ok_or_else(|| match self.table.cell(row, columns[i]) {
                    Err(e) => e,
                    Ok(cell) => {
                        let what = format!("`{}` is neither yes nor no", shortened(&cell));
                        self.table.at(row, columns[i], &what).help("write 1 and 0, or `true` and `false`")
                    }
                })
            },
        )?;
        let set = InMemory::rounded(self.exact_inputs()?, y.to(DType::F32));
        Ok(set.with_info(self.info(&columns, Vec::new())))
    }

    /// As [`class`](Selection::class), with the classes given: for test and prediction data, whose ids must mean the
    /// same as in training.
    ///
    /// # Errors
    /// As [`class`](Selection::class); also when a label is not one of `classes`, by row.
    pub fn class_of<S: AsRef<str>>(
        &self,
        name: &str,
        classes: impl IntoIterator<Item = S>,
    ) -> Result<InMemory> {
        let column = self.target_column(name)?;
        let classes: Vec<String> = classes.into_iter().map(|class| class.as_ref().to_string()).collect();
        let ids: HashMap<&str, i64> =
            classes.iter().enumerate().map(|(id, class)| (class.as_str(), id as i64)).collect();
        let id = |row: usize| {
            let label = self.table.cell(row, column)?;
            ids.get(label.as_str()).copied().ok_or_else(|| {
                self.table
                    .at(row, column, &format!("`{}` is not one of the known classes", shortened(&label)))
                    .help(format!("the classes are {}", quoted(&classes)))
            })
        };
        let y = (0..self.table.len()).map(id).collect::<Result<Vec<i64>>>()?;
        self.classified(column, y, classes.clone())
    }

    fn classified(&self, column: usize, y: Vec<i64>, classes: Vec<String>) -> Result<InMemory> {
        let n = y.len();
        let set = InMemory::rounded(self.exact_inputs()?, Tensor::from_vec(y, [n]));
        Ok(set.with_info(self.info(&[column], classes)))
    }

    pub(crate) fn numbers(&self, columns: &[usize]) -> Result<Tensor> {
        self.values(
            columns,
            |_| true,
            |i, row, cell| match self.table.how.is_missing(cell) {
                true => self.table.number(row, columns[i]),
                false => self.table.number_of(row, columns[i], cell),
            },
        )
    }

    /// `value(i, row, cell)` of each cell of `columns[i]`, row by row and in threads: `[rows, columns]`. The error is that of
    /// the first row with one. Where the column `holds_numbers`, a number that is written plainly is read here.
    fn values(
        &self,
        columns: &[usize],
        holds_numbers: impl Fn(usize) -> bool,
        value: impl Fn(usize, usize, &str) -> Result<f64> + Sync,
    ) -> Result<Tensor> {
        let (rows, width) = (self.table.len(), columns.len());
        let mut places = vec![None; self.table.text.columns.len()];
        columns.iter().enumerate().for_each(|(i, &column)| places[column] = Some(i));
        let last = columns.iter().max().map_or(0, |&last| last + 1);
        let holds: Vec<bool> = (0..width).map(holds_numbers).collect();
        let mut values = vec![0.0; rows * width];
        let wrong: Mutex<Option<(usize, Error)>> = Mutex::new(None);
        for_chunks(&mut values, (BLOCK * width).max(1), rows.saturating_mul(200 * width), |block, out| {
            for (k, out) in out.chunks_mut(width).enumerate() {
                let row = block * BLOCK + k;
                let mut errors: Vec<Option<Error>> = Vec::new();
                let mut cells = self.table.text.row(row);
                for place in &places[..last] {
                    let Some(place) = *place else {
                        cells.skip_one();
                        continue;
                    };
                    let Some(cell) = cells.bytes() else { break };
                    if holds[place]
                        && let Some(value) = self.table.how.plain(&cell)
                    {
                        out[place] = value;
                        continue;
                    }
                    let cell = as_text(cell);
                    match value(place, row, cell.trim()) {
                        Ok(value) => out[place] = value,
                        Err(e) => {
                            errors.resize(width, None);
                            errors[place] = Some(e);
                        }
                    }
                }
                // Of a row, that of the column that was chosen first.
                if let Some(e) = errors.into_iter().flatten().next() {
                    let mut wrong = wrong.lock().unwrap_or_else(PoisonError::into_inner);
                    if wrong.as_ref().is_none_or(|(first, _)| row < *first) {
                        *wrong = Some((row, e));
                    }
                    return;
                }
            }
        });
        match wrong.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, e)) => Err(e),
            None => Ok(Tensor::from_vec(values, [rows, width])),
        }
    }

    /// Refuses numbers that `f32` cannot hold.
    fn check_reach(&self, values: &Tensor, columns: &[usize], help: &str) -> Result<()> {
        match first_too_large(values) {
            Some([row, i]) => Err(self.table.too_large(row, columns[i], help)),
            None => Ok(()),
        }
    }

    /// The first of these inputs that is too large, if there is one.
    pub(crate) fn too_large(&self, x: &Tensor) -> Option<Error> {
        self.check_reach(x, &self.features, IN_A_FILE).err()
    }

    /// The columns in which values grow together, of numbers `[rows, columns]`.
    pub(crate) fn rounded(&self, columns: &[usize], values: &Tensor) -> Vec<Rounded> {
        let values = values.contiguous();
        let Some(values) = values.as_slice::<f64>() else { return Vec::new() };
        let found: Vec<Mutex<Option<Rounded>>> = columns.iter().map(|_| Mutex::default()).collect();
        parallel(columns.len(), values.len().saturating_mul(50), |i| {
            let is_number = self
                .kinds
                .as_ref()
                .is_none_or(|kinds| kinds.get(i).is_none_or(|column| column.kind == ColumnKind::Number));
            let column = || values.iter().skip(i).step_by(columns.len()).copied().filter(|v| !v.is_nan());
            if !is_number || column().all(|v| f64::from(v as f32) == v) {
                return;
            }
            let rounded = Rounded::of(&self.table.text.columns[columns[i]], &column().collect::<Vec<f64>>());
            *found[i].lock().unwrap_or_else(PoisonError::into_inner) = rounded;
        });
        found.into_iter().filter_map(|f| f.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
    }

    fn target_column(&self, name: &str) -> Result<usize> {
        let column = self.table.column(name)?;
        if self.features.contains(&column) {
            let message = format!("{}: the target `{name}` is also a feature", self.table.name);
            return Err(
                Error::new(ErrorKind::Data, message).help("a model that sees its target learns nothing else")
            );
        }
        Ok(column)
    }

    fn info(&self, targets: &[usize], classes: Vec<String>) -> Info {
        let names = |columns: &[usize]| columns.iter().map(|&c| self.table.text.columns[c].clone()).collect();
        let understood = self.kinds.as_ref();
        Info {
            classes,
            features: names(&self.features),
            targets: names(targets),
            columns: understood.map_or(Vec::new(), |kinds| kinds.to_vec()),
            reading: understood.map(|_| (*self.table.how).clone()),
        }
    }
}

//! `Selection`: a table with its input columns chosen, which becomes a data set when its target is named.

use crate::delimited::shortened;
use crate::sets::table::{Table, quoted};
use crate::{InMemory, Info, Rounded};
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};
use std::collections::{BTreeSet, HashMap};

const IN_REACH: &str = "divide the column by a common number, or take `exact_inputs` and standardize them";
const IN_A_FILE: &str = "`standardize = true` in [data] brings it into reach, if it is no mistake";

/// Row and column of the first number in `[rows, columns]` that is finite and not so as an `f32`.
pub(crate) fn first_too_large(values: &Tensor) -> Option<[usize; 2]> {
    let columns = *values.shape().get(1)?;
    let at = values.as_slice::<f64>()?.iter().position(|v| !(*v as f32).is_finite())?;
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
}

impl Selection {
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
        self.numbers(&self.features)
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
        let labels = self.labels(column)?;
        let mut classes: Vec<&str> = labels.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        if classes.iter().all(|label| label.parse::<i64>().is_ok()) {
            classes.sort_by_key(|label| label.parse::<i64>().unwrap_or(0));
        }
        self.classified(column, &labels, classes.into_iter().map(String::from).collect())
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
        let classes = classes.into_iter().map(|class| class.as_ref().to_string()).collect();
        self.classified(column, &self.labels(column)?, classes)
    }

    fn classified(&self, column: usize, labels: &[&str], classes: Vec<String>) -> Result<InMemory> {
        let ids: HashMap<&str, i64> =
            classes.iter().enumerate().map(|(id, class)| (class.as_str(), id as i64)).collect();
        let id = |(row, label): (usize, &&str)| {
            ids.get(label).copied().ok_or_else(|| {
                self.table
                    .at(row, column, &format!("`{}` is not one of the known classes", shortened(label)))
                    .help(format!("the classes are {}", quoted(&classes)))
            })
        };
        let y = labels.iter().enumerate().map(id).collect::<Result<Vec<i64>>>()?;
        let n = y.len();
        let set = InMemory::rounded(self.exact_inputs()?, Tensor::from_vec(y, [n]));
        Ok(set.with_info(self.info(&[column], classes)))
    }

    fn labels(&self, column: usize) -> Result<Vec<&str>> {
        (0..self.table.len()).map(|row| self.table.cell(row, column)).collect()
    }

    fn numbers(&self, columns: &[usize]) -> Result<Tensor> {
        let mut values = Vec::with_capacity(self.table.len() * columns.len());
        for row in 0..self.table.len() {
            for &column in columns {
                values.push(self.table.number(row, column)?);
            }
        }
        Ok(Tensor::from_vec(values, [self.table.len(), columns.len()]))
    }

    /// Refuses numbers that `f32` cannot hold.
    fn check_reach(&self, values: &Tensor, columns: &[usize], help: &str) -> Result<()> {
        match first_too_large(values) {
            Some([row, i]) => Err(self.table.too_large(row, columns[i], help)),
            None => Ok(()),
        }
    }

    /// The first input that is too large, if there is one.
    pub(crate) fn too_large(&self) -> Option<Error> {
        self.check_reach(&self.exact_inputs().ok()?, &self.features, IN_A_FILE).err()
    }

    /// The columns in which values grow together.
    pub(crate) fn rounded(&self, columns: &[usize]) -> Result<Vec<Rounded>> {
        let mut found = Vec::new();
        for &column in columns {
            let values: Result<Vec<f64>> =
                (0..self.table.len()).map(|row| self.table.number(row, column)).collect();
            found.extend(Rounded::of(&self.table.text.columns[column], &values?));
        }
        Ok(found)
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
        Info { classes, features: names(&self.features), targets: names(targets) }
    }
}

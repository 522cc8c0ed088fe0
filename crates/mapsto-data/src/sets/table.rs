//! `Table`: CSV files with named columns, whose every cell is a number, a class label, or an error that says where.

mod file;

pub(super) use file::KIND;

use crate::Reading;
use crate::delimited::{self, Delimited, in_a_file, in_rust, shortened};
use crate::selection::Selection;
use mapsto_tensor::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// A table of text with named columns, from which features and a target are taken by name.
///
/// ```
/// use mapsto_data::prelude::*;
/// let csv = "width,height,kind\n1.5,2,oak\n3,4,elm\n5,6,oak\n";
/// let set = Table::parse(csv, "trees.csv")?.features(["width", "height"])?.class("kind")?;
/// assert_eq!(set.x().to_vec::<f32>(), [1.5, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// assert_eq!(set.y().to_vec::<i64>(), [1, 0, 1]);
/// assert_eq!(set.info().classes, ["elm", "oak"]);
///
/// let e = Table::parse("a,b\n1,2\n3,\n", "t.csv")?.features(["a"])?.target("b").err().unwrap();
/// assert_eq!(e.to_string().lines().next(), Some("t.csv:3: row 2, column `b`: the value is missing"));
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) name: Arc<str>,
    pub(crate) text: Arc<Delimited>,
    /// How it was read; the delimiter is the one that was found.
    pub(crate) how: Arc<Reading>,
}

/// Below this every whole number has a place of its own in `f64`.
const EXACT: f64 = (1_u64 << 53) as f64;

/// A cell that is a whole number, also with zeros behind a point.
fn whole_number(cell: &str) -> Option<i128> {
    let (whole, rest) = cell.split_once('.').unwrap_or((cell, ""));
    rest.bytes().all(|digit| digit == b'0').then(|| whole.parse().ok())?
}

impl Table {
    /// Reads a comma-separated file whose first line names the columns. A file packed with gzip is unpacked.
    ///
    /// # Errors
    /// When the file cannot be read, and as [`parse`](Table::parse).
    pub fn from_csv(path: impl AsRef<Path>) -> Result<Table> {
        Table::from_delimited(path, b',')
    }

    /// Reads a file separated by another character, such as `b';'` or `b'\t'`.
    ///
    /// # Errors
    /// As [`from_csv`](Table::from_csv).
    ///
    /// # Panics
    /// When it is a quote, an end of a line, or no ASCII character.
    #[track_caller]
    pub fn from_delimited(path: impl AsRef<Path>, delimiter: u8) -> Result<Table> {
        Table::open(path, &Reading::new().delimiter(delimiter))
    }

    /// Reads a file in a way of its own; the delimiter is found by looking where nothing is said of it.
    ///
    /// ```no_run
    /// use mapsto_data::prelude::*;
    /// let how = Reading::new().decimal_comma().encoding(Encoding::Windows1252);
    /// let table = Table::open("prices.csv.gz", &how)?;
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`from_csv`](Table::from_csv).
    pub fn open(path: impl AsRef<Path>, how: &Reading) -> Result<Table> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        Table::read(bytes.into(), &path.display().to_string(), how, in_rust)
    }

    /// Reads comma-separated text; `name` is what errors call it.
    ///
    /// # Errors
    /// When there is no row, a row has more or fewer cells than there are columns, a column's name comes twice or is
    /// missing, another character separates the cells, or the text is not UTF-8.
    pub fn parse(text: impl AsRef<[u8]>, name: &str) -> Result<Table> {
        Table::parse_as(text, name, &Reading::new().delimiter(b','))
    }

    /// Reads text in a way of its own.
    ///
    /// # Errors
    /// As [`parse`](Table::parse).
    pub fn parse_as(text: impl AsRef<[u8]>, name: &str, how: &Reading) -> Result<Table> {
        Table::read(text.as_ref().into(), name, how, in_rust)
    }

    /// As [`open`](Table::open), with messages for who writes a training file.
    pub(crate) fn of_file(path: &str, how: &Reading) -> Result<Table> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        Table::read(bytes.into(), path, how, in_a_file)
    }

    fn read(bytes: Cow<'_, [u8]>, name: &str, how: &Reading, advice: fn(char) -> String) -> Result<Table> {
        let text = delimited::read(bytes, name, how, advice)?;
        let how = Reading { delimiter: Some(text.delimiter), ..how.clone() };
        Ok(Table { name: name.into(), text: text.into(), how: how.into() })
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.text.columns
    }

    /// What [`features_except`](Table::features_except) passes over, one line each: a first column without a name (or
    /// called `Unnamed: 0`), in which pandas and R write the numbers of the rows, and columns with neither name nor cells.
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// let table = Table::parse(",a,y\n0,1.5,3\n1,2.5,5\n", "t.csv")?;
    /// let set = table.features_except(["y"])?.target("y")?;
    /// assert_eq!(set.x().shape(), [2, 1]);
    /// assert_eq!(table.left_out(), ["t.csv: left out: the first column, which has no name: the numbers of the rows"]);
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    pub fn left_out(&self) -> &[String] {
        &self.text.left_out
    }

    /// The number of rows, not counting the names.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.text.len() == 0
    }

    /// Chooses the input columns, in this order.
    ///
    /// # Errors
    /// When there is no such column, or one is chosen twice.
    pub fn features<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Result<Selection> {
        let features =
            names.into_iter().map(|name| self.column(name.as_ref())).collect::<Result<Vec<_>>>()?;
        if features.is_empty() {
            return Err(Error::new(
                ErrorKind::Data,
                format!("{}: no feature columns were chosen", self.name),
            ));
        }
        let mut seen = BTreeSet::new();
        if let Some(&twice) = features.iter().find(|column| !seen.insert(**column)) {
            let name = &self.text.columns[twice];
            return Err(Error::new(
                ErrorKind::Data,
                format!("{}: the feature `{name}` is chosen twice", self.name),
            )
            .help("name it once: a column that comes twice says nothing more"));
        }
        Ok(Selection { table: self.clone(), features, kinds: None })
    }

    /// Chooses every column but these as input: usually all but the target and an identifier. Those of
    /// [`left_out`](Table::left_out) are not features either.
    ///
    /// # Errors
    /// When there is no such column, or none is left.
    pub fn features_except<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Result<Selection> {
        let mut except =
            names.into_iter().map(|name| self.column(name.as_ref())).collect::<Result<BTreeSet<_>>>()?;
        except.extend(&self.text.passed_over);
        self.features(
            (0..self.text.columns.len()).filter(|c| !except.contains(c)).map(|c| &self.text.columns[c]),
        )
    }

    pub(crate) fn column(&self, name: &str) -> Result<usize> {
        self.text.numbers.get(name).copied().ok_or_else(|| {
            let headless = if self.text.seems_headless() { "; write names above the first row" } else { "" };
            Error::new(ErrorKind::Data, format!("{}: there is no column `{name}`", self.name))
                .help(format!("the columns are {}{headless}", quoted(&self.text.columns)))
        })
    }

    /// The number in a cell, with all its digits.
    pub(crate) fn number(&self, row: usize, column: usize) -> Result<f64> {
        self.number_of(row, column, &self.cell(row, column)?)
    }

    /// The number that a cell holds, which is trimmed and not missing.
    pub(crate) fn number_of(&self, row: usize, column: usize, cell: &str) -> Result<f64> {
        let Some(value) = self.how.number(cell) else {
            let has_comma = cell.contains(',') && cell.replacen(',', ".", 1).parse::<f64>().is_ok();
            let help = match has_comma {
                true => {
                    "write decimals with a point, and thousands with nothing between them; `decimal = \",\"` in [data] reads commas as points"
                }
                false => {
                    "leave columns of text out of the features; a column of class labels is chosen with `class`"
                }
            };
            return Err(self.at(row, column, &format!("`{}` is not a number", shortened(cell))).help(help));
        };
        match self.exact(value, cell) {
            Ok(value) => Ok(value),
            Err(what) => {
                let error = self.at(row, column, &format!("`{}` {what}", shortened(cell)));
                Err(match value.is_finite() {
                    false => error,
                    true => error.help(
                        "subtract what all values share, such as a time to count from, or leave the column out of the features",
                    ),
                })
            }
        }
    }

    /// The number that was read of a cell, or what is wrong with it.
    pub(crate) fn exact(&self, value: f64, cell: &str) -> Result<f64, String> {
        if !value.is_finite() {
            return Err("is not a finite number".into());
        }
        // A count of nanoseconds, or an identifier: its neighbours would become the same number.
        if value.abs() >= EXACT && whole_number(cell).is_some_and(|whole| value as i128 != whole) {
            return Err(format!("has more digits than a 64-bit float keeps: it would become {value}"));
        }
        Ok(value)
    }

    /// The error of a number that has no place in 32 bits, with what helps.
    pub(crate) fn too_large(&self, row: usize, column: usize, help: &str) -> Error {
        let cell = self.text.cell(row, column);
        let what = format!("`{}` is too large for the 32 bits that models compute in", shortened(&cell));
        self.at(row, column, &what).help(help)
    }

    /// A cell without the blanks around it; empty cells and the usual words for "unknown" are errors.
    pub(crate) fn cell(&self, row: usize, column: usize) -> Result<String> {
        let cell = self.text.cell(row, column);
        if self.how.is_missing(&cell) {
            let word = if cell.is_empty() { String::new() } else { format!(": `{}`", shortened(&cell)) };
            return Err(self
                .at(row, column, &format!("the value is missing{word}"))
                .help("fill or remove such rows first; nothing is guessed"));
        }
        Ok(cell)
    }

    /// Leaves out the rows in which one of these columns has a cell that is missing.
    pub(crate) fn without_missing(mut self, columns: &[usize]) -> Table {
        let is_whole = |text: &Delimited, row: usize| {
            let cells: Vec<_> = text.row(row).collect();
            columns.iter().all(|&c| cells.get(c).is_some_and(|cell| !self.how.is_missing(cell.trim())))
        };
        let stays: Vec<bool> = (0..self.len()).map(|row| is_whole(&self.text, row)).collect();
        Arc::make_mut(&mut self.text).retain(|row| stays[row]);
        self
    }

    pub(crate) fn at(&self, row: usize, column: usize, what: &str) -> Error {
        let line = self.text.line(row);
        let message =
            format!("row {}, column `{}`: {what}", self.text.number(row), self.text.columns[column]);
        Error::new(ErrorKind::Data, message).at(format!("{}:{line}", self.name))
    }
}

pub(crate) fn quoted(names: &[String]) -> String {
    const MOST: usize = 20;
    let shown: Vec<String> = names.iter().take(MOST).map(|name| format!("`{}`", shortened(name))).collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;
    use mapsto_tensor::DType;
    use mapsto_tensor::random::Keyed;

    const CSV: &str = "id,a,b,kind,price\n1,0.5,-1e3,10,3\n2, 1.5 ,2,9,4.5\n3,2.5,\"3\",10,6\n";

    fn table() -> Table {
        Table::parse(CSV, "t.csv").unwrap()
    }

    fn said<T>(outcome: Result<T>) -> String {
        outcome.err().unwrap().to_string().lines().next().unwrap().to_string()
    }

    #[test]
    fn features_and_targets_are_taken_by_name() {
        let set = table().features(["b", "a"]).unwrap().target("price").unwrap();
        assert_eq!(set.x().to_vec::<f32>(), [-1000.0, 0.5, 2.0, 1.5, 3.0, 2.5]);
        assert_eq!((set.y().shape(), set.y().to_vec::<f32>()), (&[3, 1][..], vec![3.0, 4.5, 6.0]));
        assert_eq!(
            (set.info().features, set.info().targets),
            (vec!["b".into(), "a".into()], vec!["price".into()])
        );
        let rest = table().features_except(["id", "kind", "price"]).unwrap();
        assert_eq!(rest.inputs().unwrap().shape(), [3, 2]);
        assert_eq!(rest.targets(["price", "id"]).unwrap().y().shape(), [3, 2]);
    }

    #[test]
    fn whole_numbers_keep_all_their_digits_or_are_refused() {
        let read = |cell: &str| Table::parse(format!("id,n\n1,{cell}\n"), "t.csv")?.number(0, 1);
        for cell in
            ["9007199254740991", "9007199254740992", "9007199254740994", "-1152921504606846976", "1e300"]
        {
            assert_eq!(read(cell).unwrap(), cell.parse::<f64>().unwrap(), "{cell}");
        }
        for cell in ["9007199254740993", "9007199254740993.0", "1732886262000000001", "-1732886262000000001"]
        {
            assert!(said(read(cell)).contains("more digits than a 64-bit float keeps"), "{cell}");
        }
        // An identifier that is no feature is not read.
        let table = Table::parse("id,n\n1732886262000000001,2\n1732886262000000002,3\n", "t.csv").unwrap();
        assert_eq!(table.features(["n"]).unwrap().inputs().unwrap().to_vec::<f32>(), [2.0, 3.0]);
    }

    #[test]
    fn a_feature_is_chosen_once() {
        assert_eq!(said(table().features(["a", "b", "a"])), "t.csv: the feature `a` is chosen twice");
    }

    #[test]
    fn whole_number_labels_sort_as_numbers() {
        let set = table().features(["a"]).unwrap().class("kind").unwrap();
        assert_eq!(set.info().classes, ["9", "10"]);
        assert_eq!(set.y().to_vec::<i64>(), [1, 0, 1]);
        let set = table().features(["a"]).unwrap().class_of("kind", ["10", "9"]).unwrap();
        assert_eq!(set.y().to_vec::<i64>(), [0, 1, 0]);
    }

    #[test]
    fn what_is_wrong_is_named_by_row_and_column() {
        let features = |csv: &str, names: &[&str]| Table::parse(csv, "t.csv")?.features(names)?.inputs();
        assert_eq!(
            said(features("a,b\n1,2\n3,NaN\n", &["b"])),
            "t.csv:3: row 2, column `b`: the value is missing: `NaN`"
        );
        assert_eq!(
            said(features("a\n\n1\nx1\n", &["a"])),
            "t.csv:4: row 2, column `a`: `x1` is not a number"
        );
        assert_eq!(
            said(features("a\ninf\n", &["a"])),
            "t.csv:2: row 1, column `a`: `inf` is not a finite number"
        );
        assert_eq!(
            said(features("a\n1e39\n", &["a"])),
            "t.csv:2: row 1, column `a`: `1e39` is too large for the 32 bits that models compute in"
        );
        assert_eq!(
            said(features("a\n1e309\n", &["a"])),
            "t.csv:2: row 1, column `a`: `1e309` is not a finite number"
        );
        assert_eq!(
            said(features("a,b\n1\n", &["a"])),
            "t.csv:2: the row has 1 cells, the table has 2 columns"
        );
        assert_eq!(said(features("a,b\n1,2\n", &["c"])), "t.csv: there is no column `c`");
        assert_eq!(said(features("a,a\n1,2\n", &["a"])), "t.csv:1: two columns are called `a`");
        assert_eq!(said(features("a,b\n", &["a"])), "t.csv: no rows");
        assert_eq!(said(features("", &["a"])), "t.csv: no rows");
        assert_eq!(said(features("a\n1\n", &[])), "t.csv: no feature columns were chosen");
        assert_eq!(said(Table::parse(b"a,b\n1,\xff\n", "t.csv")), "t.csv:2: the text is not UTF-8");
        let features = table().features(["a"]).unwrap();
        assert_eq!(said(features.target("a")), "t.csv: the target `a` is also a feature");
        assert_eq!(
            said(features.class_of("kind", ["10"])),
            "t.csv:3: row 2, column `kind`: `9` is not one of the known classes"
        );
        assert_eq!(said(Table::from_csv("no/such.csv")).split(": ").next(), Some("no/such.csv"));
    }

    #[test]
    fn numbers_keep_their_digits_until_they_are_prepared() {
        use crate::{Loader, Normalize, Preprocess, Scale, Standardize};
        let rows: String = (0..64).map(|i| format!("{},{i}\n", 1_700_000_000u64 + i)).collect();
        let table = Table::parse(format!("t,y\n{rows}"), "t.csv").unwrap();
        let chosen = table.features(["t"]).unwrap();
        let set = chosen.target("y").unwrap();
        assert_eq!(set.batch(&[0, 63]).unwrap().x.dtype(), DType::F32);
        // Mean 1700000031.5; (64² − 1) / 12 = 341.25.
        let (mean, std) = (1_700_000_031.5, 341.25f64.sqrt());
        let want: Vec<f32> = (0..64).map(|i| ((f64::from(i) - 31.5) / std) as f32).collect();
        let close =
            |got: Vec<f32>| got.iter().zip(&want).all(|(a, b)| (a - b).abs() <= 1e-6) && got.len() == 64;
        let prepared = |steps: &Preprocess| {
            let all: Vec<usize> = (0..64).collect();
            let part = Loader::new(set.subset(all), 64).preprocess(steps.clone());
            let (x, _) = part.iter().next().unwrap();
            assert_eq!(x.dtype(), DType::F32);
            x.to_vec::<f32>()
        };
        let learnt = Preprocess::new().then(Standardize::new()).fit(&set).unwrap();
        assert!(close(prepared(&learnt)));
        // What a model file keeps is exact too.
        let again = Preprocess::from_entries(&learnt.entries()).unwrap();
        assert_eq!(again.apply(chosen.exact_inputs().unwrap()).to_vec::<f32>(), prepared(&learnt));
        assert!(close(prepared(&Preprocess::new().then(Normalize::new([mean], [std])))));
        assert!(close(prepared(&Preprocess::new().then(Scale::new(1.0 / std).offset(-mean / std)))));
        let chain = Preprocess::new().then(Scale::new(10.0)).then(Standardize::new()).fit(&set).unwrap();
        assert!(close(prepared(&chain)));
        let transformed = Loader::new(set.clone(), 64).transform(Normalize::new([mean], [std]));
        assert!(close(transformed.iter().next().unwrap().0.to_vec::<f32>()));
    }

    #[test]
    fn cells_too_large_for_32_bits_are_standardized_or_refused() {
        use crate::{Preprocess, Standardize};
        for (large, larger) in [("1e39", 1e39_f64), ("1e308", 1e308), ("-1.7e308", -1.7e308)] {
            let csv = format!("a,b,y\n1,{large},3\n2,0,4\n3,{large},5\n4,0,6\n");
            let chosen = Table::parse(&csv, "t.csv").unwrap().features(["a", "b"]).unwrap();
            let what = format!("`{large}` is too large for the 32 bits that models compute in");
            let named = format!("t.csv:2: row 1, column `b`: {what}");
            assert_eq!(said(chosen.inputs()), named);
            let set = chosen.target("y").unwrap();
            assert_eq!(set.batch(&[1]).unwrap().x.to_vec::<f32>(), [2.0, 0.0]);
            let delivered =
                format!("row 3, column `b`: {larger:e} is too large for the 32 bits that models compute in");
            assert_eq!(said(set.batch(&[1, 2])), delivered);
            assert_eq!(said(set.batches(4).epoch(0).next().unwrap()), delivered.replace("row 3", "row 1"));
            assert!(mapsto_tensor::catch(|| set.x()).is_err());
            let steps = Preprocess::new().then(Standardize::new()).fit(&set).unwrap();
            let batch = set.clone().batches(4).preprocess(steps).epoch(0).next().unwrap().unwrap();
            let b: Vec<f32> = batch.x.to_vec::<f32>().chunks(2).map(|row| row[1]).collect();
            let sign = larger.signum() as f32;
            assert_eq!(b, [sign, -sign, sign, -sign], "{large}");
            // A step that does not help is noticed too, and so is a target, which nothing brings into reach.
            let steps = Preprocess::new().then(crate::Scale::new(1.0));
            let e = said(set.batches(4).preprocess(steps).epoch(0).next().unwrap());
            assert!(e.contains("column `b`"), "{e}");
            let target = Table::parse(&csv, "t.csv").unwrap().features(["a"]).unwrap().target("b");
            assert_eq!(said(target), named);
        }
    }

    #[test]
    fn a_column_of_equal_fractions_is_not_blown_up() {
        let csv = format!("a,y\n{}", "0.1,1\n".repeat(1000));
        let set = Table::parse(csv, "t.csv").unwrap().features(["a"]).unwrap().target("y").unwrap();
        let steps = crate::Preprocess::new().then(crate::Standardize::new()).fit(&set).unwrap();
        assert_eq!(steps.entries()[0].to_string(), "{ standardize = true, mean = 0.1, std = 1.0 }");
    }

    #[test]
    fn time_is_in_proportion_to_the_columns() {
        let names: Vec<String> = (0..200_000).map(|i| format!("c{i}")).collect();
        let csv = format!("{}\n{}\n", names.join(","), vec!["1"; names.len()].join(","));
        let start = std::time::Instant::now();
        let table = Table::parse(&csv, "t.csv").unwrap();
        let set = table.features_except(["c7"]).unwrap().target("c7").unwrap();
        assert_eq!(set.x().shape(), [1, names.len() - 1]);
        assert_eq!(table.features(&names).unwrap().inputs().unwrap().len(), names.len());
        // Looking for each name among all others takes minutes.
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }

    #[test]
    fn damaged_text_never_panics() {
        for round in 0..3000 {
            let mut key = Keyed::new(&[round, 2]);
            let mut bytes = CSV.as_bytes().to_vec();
            for _ in 0..=key.below(5) {
                let at = key.below(bytes.len());
                match key.below(3) {
                    0 => bytes[at] = key.below(256) as u8,
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, b"\",\n\r\0"[key.below(5)]),
                }
            }
            let Ok(table) = Table::parse(&bytes, "t.csv") else { continue };
            let Ok(features) = table.features_except(["kind"]) else { continue };
            if let Ok(set) = features.class("kind") {
                assert!(set.x().to_vec::<f32>().iter().all(|v| v.is_finite()));
                assert_eq!(set.len(), table.len());
            }
        }
    }
}

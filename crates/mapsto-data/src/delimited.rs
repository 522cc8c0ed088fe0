//! Text in lines of cells: names in the first line, and what can be known of the columns before their cells are read.

pub(crate) mod cells;
mod delimiter;
mod places;
mod stream;
mod text;

pub use stream::{RowBlock, TableStream};

use crate::Reading;
use cells::{Cells, line_of, row_at, unclosed_quote};
use mapsto_tensor::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// The columns and rows of a table.
///
/// The text is kept as it is, with the place of each row: a cell is cut out when it is asked for, so that a table takes little
/// more memory than its file.
#[derive(Clone, Debug)]
pub(crate) struct Delimited {
    pub(crate) columns: Vec<String>,
    /// The number of each column by its name.
    pub(crate) numbers: HashMap<String, usize>,
    text: Vec<u8>,
    /// Where each row begins.
    starts: Vec<usize>,
    /// What separates the cells, as it was asked for or found.
    pub(crate) delimiter: u8,
    /// Columns that are not features unless they are asked for.
    pub(crate) passed_over: BTreeSet<usize>,
    /// Which these are, and why.
    pub(crate) left_out: Vec<String>,
    is_headless: bool,
    /// Which rows of the file these are, counted from 0, where some were left out.
    pub(crate) kept: Option<Vec<usize>>,
}

impl Delimited {
    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The cells of a row.
    pub(crate) fn row(&self, row: usize) -> Cells<'_> {
        Cells::of(&self.text, self.starts[row], self.delimiter)
    }

    /// A cell without the blanks around it.
    pub(crate) fn cell(&self, row: usize, column: usize) -> String {
        self.row(row).nth(column).unwrap_or_default().trim().to_string()
    }

    /// Which row of the file it is, counted from 1.
    pub(crate) fn number(&self, row: usize) -> usize {
        1 + self.kept.as_ref().map_or(row, |kept| kept[row])
    }

    /// Leaves out rows.
    pub(crate) fn retain(&mut self, stays: impl Fn(usize) -> bool) {
        let kept: Vec<usize> = (0..self.len()).filter(|&row| stays(row)).collect();
        self.starts = kept.iter().map(|&row| self.starts[row]).collect();
        let numbers = kept.into_iter().map(|row| self.kept.as_ref().map_or(row, |kept| kept[row]));
        self.kept = Some(numbers.collect());
    }

    /// The line in which a row begins.
    pub(crate) fn line(&self, row: usize) -> u64 {
        line_of(&self.text, self.starts[row])
    }

    /// Whether the names of the columns are numbers but for at most one, the class, as where a file has no names and its
    /// first row is taken for them. Numbers that count the columns are names: pixels are often called so.
    pub(crate) fn seems_headless(&self) -> bool {
        let numbers: Vec<f64> = self.columns.iter().filter_map(|name| name.parse().ok()).collect();
        let counted = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1.0 && pair[0].fract() == 0.0);
        !self.is_headless && numbers.len() >= 2 && numbers.len() + 1 >= self.columns.len() && !counted
    }

    /// What the cells of a column are.
    fn holds(&self, at: usize) -> Holds {
        let cells = || (0..self.len()).map(|row| self.cell(row, at).parse::<f64>());
        if cells().any(|cell| cell.is_err()) {
            return Holds::Names;
        }
        if cells().flatten().all(|v| v.fract() == 0.0) { Holds::Counts } else { Holds::Numbers }
    }
}

/// What the cells of a column are.
#[derive(PartialEq)]
enum Holds {
    /// Whole numbers, as those that count the rows.
    Counts,
    /// Numbers that are not all whole: they say more than which row it is.
    Numbers,
    /// Words.
    Names,
}

impl Holds {
    fn word(&self) -> &'static str {
        if *self == Holds::Names { "names" } else { "numbers" }
    }
}

/// Reads a table; `advice` says how to choose another delimiter where this one was asked for.
pub(crate) fn read(
    bytes: Cow<'_, [u8]>,
    name: &str,
    how: &Reading,
    advice: fn(char) -> String,
) -> Result<Delimited> {
    let text = text::decode(bytes, name, how.encoding)?;
    let data = |message: String| Error::new(ErrorKind::Data, message);
    if let Err(e) = std::str::from_utf8(&text) {
        let line = line_of(&text, e.valid_up_to());
        return Err(data("the text is not UTF-8".into())
            .at(format!("{name}:{line}"))
            .help("save it as UTF-8, or say `encoding = \"windows-1252\"` (or \"latin1\") in [data] where it is an older file"));
    }
    let delimiter = how.delimiter.unwrap_or_else(|| delimiter::found(&text, how.has_decimal_comma));
    if let Some(at) = unclosed_quote(&text, delimiter) {
        return Err(data(
            "a quote is opened here and never closed: all that follows would be one cell".into(),
        )
        .at(format!("{name}:{}", line_of(&text, at)))
        .help("close it, or write `\"\"` for a quote within a quoted cell"));
    }
    let no_rows = || {
        data(format!("{name}: no rows")).help("the first line names the columns, each further line is a row")
    };
    let first = row_at(&text, 0).ok_or_else(no_rows)?;
    let mut header = Cells::of(&text, first, delimiter);
    let names: Vec<String> = header.by_ref().map(|c| c.trim().to_string()).collect();
    let behind = if how.is_headless { first } else { header.end() };
    let columns = match how.is_headless {
        false => names,
        true => (1..=names.len()).map(|i| format!("column_{i}")).collect(),
    };
    let line = |at: usize| format!("{name}:{}", line_of(&text, at));
    let wrong_delimiter = || {
        let other = delimiter::other(&text, delimiter).filter(|_| columns.len() == 1)?;
        let message =
            format!("by {:?} there is one column only, by {other:?} there are more", char::from(delimiter));
        Some(data(message).at(line(first)).help(advice(other)))
    };
    let starts = places::of_rows(&text, behind, delimiter, columns.len()).map_err(|(start, n)| {
        let message = format!("the row has {n} cells, the table has {} columns", columns.len());
        wrong_delimiter().unwrap_or_else(|| data(message).at(line(start)))
    })?;
    if let Some(e) = wrong_delimiter() {
        return Err(e);
    }
    if starts.is_empty() {
        return Err(no_rows());
    }
    let first = line(first);
    let table = Delimited {
        columns,
        numbers: HashMap::new(),
        text,
        starts,
        delimiter,
        passed_over: BTreeSet::new(),
        left_out: Vec::new(),
        is_headless: how.is_headless,
        kept: None,
    };
    named(table, name, &first)
}

/// Numbers the columns by their names, and finds those that are no features.
fn named(mut table: Delimited, name: &str, first: &str) -> Result<Delimited> {
    let wrong = |message: String| Error::new(ErrorKind::Data, message).at(first);
    let (mut numbers, mut passed_over, mut left_out) = (HashMap::new(), BTreeSet::new(), Vec::new());
    for (at, column) in table.columns.iter().enumerate() {
        let said = match column.as_str() {
            "" if at == 0 && table.holds(at) == Holds::Numbers => {
                return Err(wrong("the first column holds numbers and has no name".into())
                    .help("name it in the first line, or remove it where it only counts the rows"));
            }
            "" if at == 0 => Some(format!(
                "the first column, which has no name: the {} of the rows",
                table.holds(at).word()
            )),
            // Written by pandas where a table was read and written again with its index, once or twice.
            _ if at == passed_over.len() && column.starts_with("Unnamed: 0") => {
                let place = if at == 0 { "the first column".into() } else { format!("column {}", at + 1) };
                Some(format!("{place}, `{column}`: the {} of the rows", table.holds(at).word()))
            }
            "" if (0..table.len()).all(|row| table.cell(row, at).is_empty()) => {
                Some(format!("column {}, which has neither a name nor cells", at + 1))
            }
            "" => {
                return Err(wrong(format!("column {} has no name", at + 1)).help("name it in the first line"));
            }
            _ => None,
        };
        if let Some(said) = said {
            left_out.push(format!("{name}: left out: {said}"));
            passed_over.insert(at);
        }
        if numbers.insert(column.clone(), at).is_some() && !column.is_empty() {
            return Err(wrong(format!("two columns are called `{}`", shortened(column)))
                .help("give each a name of its own in the first line"));
        }
    }
    (table.numbers, table.passed_over, table.left_out) = (numbers, passed_over, left_out);
    Ok(table)
}

/// How a program chooses a delimiter.
pub(crate) fn in_rust(delimiter: char) -> String {
    format!("read it with `Table::from_delimited(path, b{delimiter:?})`")
}

/// How a training file chooses a delimiter.
pub(crate) fn in_a_file(delimiter: char) -> String {
    format!("add `delimiter = \"{}\"` to [data]", delimiter.escape_debug())
}

/// A cell as it may stand in a message: a file with one huge cell must not fill the terminal.
pub(crate) fn shortened(cell: &str) -> String {
    const MOST: usize = 40;
    let mut text: String = cell.chars().take(MOST).flat_map(char::escape_debug).collect();
    if cell.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dataset, Table};

    fn said<T>(outcome: Result<T>) -> String {
        outcome.err().unwrap().to_string().lines().next().unwrap().to_string()
    }

    #[test]
    fn the_numbers_of_the_rows_that_pandas_writes_are_no_feature() {
        let left = |csv: &str| {
            let table = Table::parse(csv, "t.csv").unwrap();
            let chosen = table.features_except(["y"]).unwrap().target("y").unwrap().info().features;
            (chosen, table.left_out().join("; "))
        };
        let first = "t.csv: left out: the first column, which has no name: the numbers of the rows";
        assert_eq!(left(",a,y\n0,1,2\n"), (vec!["a".into()], first.into()));
        assert_eq!(left("\u{feff},a,y\n0,1,2\n"), (vec!["a".into()], first.into()));
        assert_eq!(left("\"\",a,y\n\"r1\",1,2\n"), (vec!["a".into()], first.replace("numbers", "names")));
        let named = "t.csv: left out: the first column, `Unnamed: 0`: the numbers of the rows";
        assert_eq!(left("Unnamed: 0,a,y\n0,1,2\n"), (vec!["a".into()], named.into()));
        let twice = format!("{named}; t.csv: left out: column 2, `Unnamed: 0.1`: the numbers of the rows");
        assert_eq!(left("Unnamed: 0,Unnamed: 0.1,a,y\n0,0,1,2\n"), (vec!["a".into()], twice));
        assert_eq!(
            said(Table::parse(",a,y\n0.5,1,2\n1.5,1,2\n", "t.csv")),
            "t.csv:1: the first column holds numbers and has no name"
        );
        let last = "t.csv: left out: column 3, which has neither a name nor cells";
        assert_eq!(left("a,y,\n1,2,\n3,4, \n"), (vec!["a".into()], last.into()));
        assert_eq!(left("a,y\n1,2\n"), (vec!["a".into()], String::new()));
        assert_eq!(said(Table::parse("a,,y\n1,5,2\n", "t.csv")), "t.csv:1: column 2 has no name");
        let table = Table::parse("Unnamed: 0,y\n7,2\n", "t.csv").unwrap();
        assert_eq!(table.features(["Unnamed: 0"]).unwrap().inputs().unwrap().to_vec::<f32>(), [7.0]);
    }

    #[test]
    fn a_first_line_of_numbers_is_no_line_of_names() {
        for (names, headless) in [
            ("5.1,3.5,setosa", true),
            ("5.1,3.5,1.4", true),
            ("0,1,2,3,label", false),
            ("label,1,2,3", false),
            ("1990,1991", false),
            ("a,5.1", false),
            ("a,b,1.5,2.5", false),
            ("5.1", false),
        ] {
            let row = names.split(',').map(|_| "1").collect::<Vec<_>>().join(",");
            let text = format!("{names}\n{row}\n");
            assert_eq!(
                read(text.as_bytes().into(), "t.csv", &Reading::new().delimiter(b','), in_a_file)
                    .unwrap()
                    .seems_headless(),
                headless,
                "{names}"
            );
        }
        let help = |text: &str| Table::parse(text, "t.csv").unwrap().features(["x"]).unwrap_err().to_string();
        assert!(help("5.1,3.5\n1,2\n").contains("write names above the first row"));
        assert!(!help("a,b\n1,2\n").contains("write names"));
    }

    #[test]
    fn a_wrong_delimiter_is_recognised() {
        let wrong = |text: &str, delimiter| {
            let e = read(text.as_bytes().into(), "t.csv", &Reading::new().delimiter(delimiter), in_a_file)
                .unwrap_err();
            (e.message().to_string(), e.help_text().unwrap_or_default().to_string())
        };
        let by = |a: char, b: char| format!("by {a:?} there is one column only, by {b:?} there are more");
        let add = |c: &str| format!("add `delimiter = \"{c}\"` to [data]");
        assert_eq!(wrong("a;b\n1;2\n", b','), (by(',', ';'), add(";")));
        assert_eq!(wrong("a;b\n1,5;2,5\n", b','), (by(',', ';'), add(";")));
        assert_eq!(wrong("a\tb\n1\t2\n", b','), (by(',', '\t'), add("\\t")));
        assert_eq!(wrong("a,b\n1,2\n", b';'), (by(';', ','), add(",")));
        assert_eq!(wrong("a|b\n1|2\n", b'\t'), (by('\t', '|'), add("|")));
        let e = Table::parse("a;b\n1;2\n", "t.csv").unwrap_err();
        assert_eq!(e.help_text(), Some("read it with `Table::from_delimited(path, b';')`"));
        // A name may hold any character, where the cells do not.
        assert_eq!(Table::parse("price; net\n3\n", "t.csv").unwrap().columns(), ["price; net"]);
        let e = Table::parse("a\n\"1,5\"\n", "t.csv").unwrap().features(["a"]).unwrap().inputs().unwrap_err();
        assert_eq!(
            e.help_text(),
            Some(
                "write decimals with a point, and thousands with nothing between them; `decimal = \",\"` in [data] reads commas as points"
            )
        );
    }
}

/// Whatever ends the lines, and wherever blank ones stand, an error names the line that an editor shows.
#[test]
fn lines_are_counted_as_editors_count_them() {
    let table = |rows: &[&str], end: &str| {
        let text = rows.iter().map(|row| format!("{row}{end}")).collect::<String>();
        (crate::Table::parse(&text, "t.csv"), crate::Table::parse(format!("\u{feff}{text}"), "t.csv"))
    };
    let line = |e: Error| e.to_string().split(':').nth(1).unwrap().split(':').next().unwrap().to_string();
    for end in ["\n", "\r\n", "\r"] {
        for blank in 0..4 {
            for (at, last) in [("cell", "5,x"), ("short", "5"), ("quote", "5,\"x")] {
                for before in [["1,2", "3,4"], ["\"1\",2", "3,\"4\""]] {
                    // Blank lines stand before the line with the names, or before the one that is wrong.
                    for place in [0, 3] {
                        let mut rows = vec!["a,b", before[0], before[1], last];
                        rows.splice(place..place, vec![""; blank]);
                        let (plain, marked) = table(&rows, end);
                        for found in [plain, marked] {
                            let e = found.and_then(|t| t.features(["b"])?.inputs()).unwrap_err();
                            assert_eq!(line(e), (4 + blank).to_string(), "{at} {end:?} {place}");
                        }
                    }
                }
            }
            let mut rows = vec!["a,a", "1,2"];
            rows.splice(0..0, vec![""; blank]);
            assert_eq!(line(table(&rows, end).0.unwrap_err()), (1 + blank).to_string());
        }
    }
    // A line end within a quoted cell counts too.
    for end in ["\n", "\r\n", "\r"] {
        let text = ["a,b", "1,\"2", "\"", "x,4", ""].join(end);
        let e = crate::Table::parse(text, "t.csv").unwrap().features(["a"]).unwrap().inputs().unwrap_err();
        assert_eq!(line(e), "4");
    }
}

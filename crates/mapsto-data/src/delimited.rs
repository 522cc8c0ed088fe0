//! Text in lines of cells: names in the first line, and what can be known of the columns before their cells are read.

use csv::{ReaderBuilder, StringRecord};
use mapsto_tensor::{Error, ErrorKind, Result, catch};
use std::collections::{BTreeSet, HashMap};

/// The columns and rows of a table.
#[derive(Clone, Debug)]
pub(crate) struct Delimited {
    pub(crate) columns: Vec<String>,
    /// The number of each column by its name.
    pub(crate) numbers: HashMap<String, usize>,
    pub(crate) rows: Vec<StringRecord>,
    /// Columns that are not features unless they are asked for.
    pub(crate) passed_over: BTreeSet<usize>,
    /// Which these are, and why.
    pub(crate) left_out: Vec<String>,
}

impl Delimited {
    /// Whether the names of the columns are numbers but for at most one, the class, as where a file has no names and its
    /// first row is taken for them. Numbers that count the columns are names: pixels are often called so.
    pub(crate) fn seems_headless(&self) -> bool {
        let numbers: Vec<f64> = self.columns.iter().filter_map(|name| name.parse().ok()).collect();
        let counted = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1.0 && pair[0].fract() == 0.0);
        numbers.len() >= 2 && numbers.len() + 1 >= self.columns.len() && !counted
    }
}

/// Reads a table; `advice` says how to choose another delimiter where this one was asked for.
pub(crate) fn read(bytes: &[u8], name: &str, delimiter: u8, advice: fn(char) -> String) -> Result<Delimited> {
    // The reader is other people's code: what it panics about is a damaged file.
    if let Some(line) = unclosed_quote(bytes, delimiter) {
        let message = "a quote is opened here and never closed: all that follows would be one cell";
        return Err(Error::new(ErrorKind::Data, message)
            .at(format!("{name}:{line}"))
            .help("close it, or write `\"\"` for a quote within a quoted cell"));
    }
    let (header, rows) = catch(|| records(bytes, delimiter))
        .map_err(|e| Error::new(ErrorKind::Data, format!("{name}: {}", e.message())))?
        .map_err(|e| malformed(name, bytes, delimiter, advice, e))?;
    let wrong = |message: String| Error::new(ErrorKind::Data, message).at(format!("{name}:1"));
    if let Some(e) = wrong_delimiter(name, bytes, delimiter, advice, header.len()) {
        return Err(e);
    }
    if rows.is_empty() {
        return Err(Error::new(ErrorKind::Data, format!("{name}: no rows"))
            .help("the first line names the columns, each further line is a row"));
    }
    let columns: Vec<String> = header.iter().map(|c| c.trim().to_string()).collect();
    let (mut numbers, mut passed_over, mut left_out) = (HashMap::new(), BTreeSet::new(), Vec::new());
    for (at, column) in columns.iter().enumerate() {
        let said = match column.as_str() {
            "" if at == 0 && holds(&rows, at) == Cells::Numbers => {
                return Err(wrong("the first column holds numbers and has no name".into())
                    .help("name it in the first line, or remove it where it only counts the rows"));
            }
            "" if at == 0 => Some(format!(
                "the first column, which has no name: the {} of the rows",
                holds(&rows, at).word()
            )),
            // Written by pandas where a table was read and written again with its index, once or twice.
            _ if at == passed_over.len() && column.starts_with("Unnamed: 0") => {
                let place = if at == 0 { "the first column".into() } else { format!("column {}", at + 1) };
                Some(format!("{place}, `{column}`: the {} of the rows", holds(&rows, at).word()))
            }
            "" if rows.iter().all(|row| row.get(at).is_none_or(|cell| cell.trim().is_empty())) => {
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
    Ok(Delimited { columns, numbers, rows, passed_over, left_out })
}

/// What the cells of a column are.
#[derive(PartialEq)]
enum Cells {
    /// Whole numbers, as those that count the rows.
    Counts,
    /// Numbers that are not all whole: they say more than which row it is.
    Numbers,
    /// Words.
    Names,
}

impl Cells {
    fn word(&self) -> &'static str {
        if *self == Cells::Names { "names" } else { "numbers" }
    }
}

fn holds(rows: &[StringRecord], at: usize) -> Cells {
    let cells = || rows.iter().map(|row| row.get(at).unwrap_or_default().trim().parse::<f64>());
    if cells().any(|cell| cell.is_err()) {
        return Cells::Names;
    }
    if cells().flatten().all(|v| v.fract() == 0.0) { Cells::Counts } else { Cells::Numbers }
}

/// The line in which a quote is opened that nothing closes. The reader takes all that follows for one cell.
fn unclosed_quote(bytes: &[u8], delimiter: u8) -> Option<usize> {
    let (mut line, mut opened, mut starts) = (1, None, true);
    let mut rest = bytes.iter().peekable();
    while let Some(&byte) = rest.next() {
        line += usize::from(byte == b'\n');
        match opened {
            Some(_) if byte == b'"' && rest.peek() == Some(&&b'"') => _ = rest.next(),
            Some(_) if byte == b'"' => opened = None,
            Some(_) => continue,
            None if byte == b'"' && starts => opened = Some(line),
            None => {}
        }
        starts = matches!(byte, b'\n' | b'\r') || byte == delimiter;
    }
    opened
}

/// The first line, and all others.
fn records(bytes: &[u8], delimiter: u8) -> Result<(StringRecord, Vec<StringRecord>), csv::Error> {
    let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(bytes);
    let header = reader.headers()?.clone();
    Ok((header, reader.records().collect::<Result<_, _>>()?))
}

/// The error that names the right delimiter, where this one finds one column only and another finds as many cells in
/// the first row as names in the header.
fn wrong_delimiter(
    name: &str,
    bytes: &[u8],
    delimiter: u8,
    advice: fn(char) -> String,
    columns: usize,
) -> Option<Error> {
    let cells = |delimiter: u8| {
        let mut lines =
            ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(bytes);
        let mut line = || Some(lines.byte_records().next()?.ok()?.len());
        Some((line()?, line()?))
    };
    if columns != 1 {
        return None;
    }
    let fits = |&other: &u8| matches!(cells(other), Some((names, cells)) if names > 1 && names == cells);
    let other = char::from(*b",;\t|".iter().filter(|&&other| other != delimiter).find(|other| fits(other))?);
    let message =
        format!("by {:?} there is one column only, by {other:?} there are more", char::from(delimiter));
    Some(Error::new(ErrorKind::Data, message).at(format!("{name}:1")).help(advice(other)))
}

/// How a program chooses a delimiter.
pub(crate) fn in_rust(delimiter: char) -> String {
    format!("read it with `Table::from_delimited(path, b{delimiter:?})`")
}

/// How a training file chooses a delimiter.
pub(crate) fn in_a_file(delimiter: char) -> String {
    format!("add `delimiter = \"{}\"` to [data]", delimiter.escape_debug())
}

fn malformed(name: &str, bytes: &[u8], delimiter: u8, advice: fn(char) -> String, e: csv::Error) -> Error {
    if let csv::ErrorKind::UnequalLengths { expected_len: 1, .. } = e.kind()
        && let Some(wrong) = wrong_delimiter(name, bytes, delimiter, advice, 1)
    {
        return wrong;
    }
    let at = match e.position() {
        Some(position) => format!("{name}:{}", position.line()),
        None => name.to_string(),
    };
    let message = match e.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the row has {len} cells, the table has {expected_len} columns")
        }
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".to_string(),
        _ => e.to_string(),
    };
    Error::new(ErrorKind::Data, message).at(at)
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
                read(text.as_bytes(), "t.csv", b',', in_a_file).unwrap().seems_headless(),
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
            let e = read(text.as_bytes(), "t.csv", delimiter, in_a_file).unwrap_err();
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
            Some("write decimals with a point, and thousands with nothing between them")
        );
    }
}

#[test]
fn a_quote_that_nothing_closes_is_found_where_it_is_opened() {
    let found = |text: &str| unclosed_quote(text.as_bytes(), b',');
    assert_eq!(found("a,b\n1,\"oops\n2,3\n"), Some(2));
    assert_eq!(found("a,b\n1,\"o\"\"k\"\n2,\"x\ny\"\n"), None);
    assert_eq!(found("a,b\n1,5\" pipe\n"), None); // a quote within a cell is one of its characters
    assert_eq!(found("a\n\"\"\n\"\n"), Some(3));
}

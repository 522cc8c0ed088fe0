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

/// Counts the lines of a text as editors do: one ends with `\n`, `\r\n` or `\r`.
///
/// The reader's own count stops before the second byte of `\r\n`, and before blank lines.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a [u8]) -> Lines<'a> {
        Lines { text, at: 0, line: 1 }
    }

    /// The line of the record that the reader found at this byte, which lies at or behind the last one.
    fn of(&mut self, byte: u64) -> u64 {
        let mut byte = usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
        while matches!(self.text.get(byte), Some(b'\n' | b'\r')) {
            byte += 1;
        }
        while self.at < byte {
            let pair = (self.text[self.at], self.text.get(self.at + 1));
            self.line += u64::from(
                matches!(pair, (b'\n', _)) || matches!(pair, (b'\r', next) if next != Some(&b'\n')),
            );
            self.at += 1;
        }
        self.line
    }
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
    let first = Lines::new(bytes).of(0);
    let wrong = |message: String| Error::new(ErrorKind::Data, message).at(format!("{name}:{first}"));
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
fn unclosed_quote(bytes: &[u8], delimiter: u8) -> Option<u64> {
    let (mut opened, mut starts) = (None, true);
    let mut rest = bytes.iter().enumerate().peekable();
    while let Some((at, &byte)) = rest.next() {
        match opened {
            Some(_) if byte == b'"' && rest.peek().is_some_and(|(_, next)| **next == b'"') => {
                _ = rest.next();
            }
            Some(_) if byte == b'"' => opened = None,
            Some(_) => continue,
            None if byte == b'"' && starts => opened = Some(at),
            None => {}
        }
        starts = matches!(byte, b'\n' | b'\r') || byte == delimiter;
    }
    opened.map(|at| Lines::new(bytes).of(at as u64))
}

/// The first line, and all others, each with the line it stands in.
fn records(bytes: &[u8], delimiter: u8) -> Result<(StringRecord, Vec<StringRecord>), csv::Error> {
    let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(bytes);
    let header = reader.headers()?.clone();
    let mut lines = Lines::new(bytes);
    let placed = |record: Result<StringRecord, csv::Error>| {
        let mut record = record?;
        let placed = record.position().cloned().map(|mut position| {
            let line = lines.of(position.byte());
            _ = position.set_line(line);
            position
        });
        record.set_position(placed);
        Ok::<_, csv::Error>(record)
    };
    Ok((header, reader.records().map(placed).collect::<Result<_, _>>()?))
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
    let line = Lines::new(bytes).of(0);
    Some(Error::new(ErrorKind::Data, message).at(format!("{name}:{line}")).help(advice(other)))
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
        Some(position) => format!("{name}:{}", Lines::new(bytes).of(position.byte())),
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

#[test]
fn a_quote_that_nothing_closes_is_found_where_it_is_opened() {
    let found = |text: &str| unclosed_quote(text.as_bytes(), b',');
    assert_eq!(found("a,b\n1,\"oops\n2,3\n"), Some(2));
    assert_eq!(found("a,b\n1,\"o\"\"k\"\n2,\"x\ny\"\n"), None);
    assert_eq!(found("a,b\n1,5\" pipe\n"), None); // a quote within a cell is one of its characters
    assert_eq!(found("a\n\"\"\n\"\n"), Some(3));
}

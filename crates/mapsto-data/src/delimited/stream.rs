//! `TableStream`: a table read some rows at a time, so that its length takes no memory and a row that is wrong spoils no other.

use super::cells::{Cells, line_of, row_at, unclosed_quote};
use super::delimiter;
use crate::{Encoding, Reading, Table};
use flate2::read::MultiGzDecoder;
use mapsto_spec::Json;
use mapsto_tensor::{Error, ErrorKind, Result};
use std::fmt::Write as _;
use std::io::{Chain, Cursor, Read};
use std::ops::Range;
use std::sync::Arc;

/// So many bytes are read at once, and looked at for the delimiter.
const CHUNK: usize = 1 << 18;

/// No row is longer; a quote that nothing closes would make one of the rest of the table.
const LONGEST: usize = 4 << 20;

/// A table that is read some rows at a time: comma-separated text, also packed with gzip, or a JSON object (or list) a line.
///
/// ```
/// use mapsto_data::{Reading, TableStream};
/// let text = "a,b\n1,2\n3\n5,6\n";
/// let mut stream = TableStream::open(Box::new(text.as_bytes()), "t.csv", &Reading::new(), &["a", "b"])?;
/// let block = stream.next_rows(100)?.unwrap();
/// assert_eq!((block.len(), block.line(2)), (3, 4));
/// let e = block.table().unwrap_err();
/// assert_eq!(e.to_string(), "t.csv:3: the row has 1 cells, the table has 2 columns");
/// assert_eq!(block.part(2..3).table()?.features(["b"])?.inputs()?.to_vec::<f32>(), [6.0]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub struct TableStream {
    input: Box<dyn Read>,
    name: Arc<str>,
    how: Arc<Reading>,
    /// The first line with the names of the columns; nothing where there is none.
    head: Arc<[u8]>,
    columns: Vec<String>,
    /// Whether each line is JSON, whose values are those of the columns.
    is_json: bool,
    buffer: Vec<u8>,
    at: usize,
    /// The line, counted from 1, and the row, counted from 0, at that place.
    line: u64,
    row: usize,
    is_over: bool,
}

/// Some rows of a [`TableStream`], each with its line.
#[derive(Clone, Debug)]
pub struct RowBlock {
    name: Arc<str>,
    how: Arc<Reading>,
    head: Arc<[u8]>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    text: Vec<u8>,
    line: u64,
    number: usize,
    /// Why a line of JSON is no row.
    wrong: Option<Error>,
}

impl TableStream {
    /// Begins to read. Lines of JSON, which begin with a bracket, become rows of `columns`; text has names in its first line.
    ///
    /// # Errors
    /// What cannot be read; a table without a row.
    pub fn open(input: Box<dyn Read>, name: &str, how: &Reading, columns: &[&str]) -> Result<TableStream> {
        let mut stream = TableStream {
            input: unpacked(input).map_err(|e| Error::io(name, e))?,
            name: name.into(),
            how: Arc::new(how.clone()),
            head: [].into(),
            columns: columns.iter().map(|&column| column.to_string()).collect(),
            is_json: false,
            buffer: Vec::new(),
            at: 0,
            line: 1,
            row: 0,
            is_over: false,
        };
        while stream.buffer.len() < CHUNK && stream.fill()? {}
        if stream.buffer.starts_with(b"\xef\xbb\xbf") {
            stream.at = 3;
        }
        stream.is_json = stream.begins_with_json();
        if stream.is_json {
            stream.read_json_head()
        } else {
            stream.read_head()
        }
        Ok(stream)
    }

    /// Whether the first line is an object, or a list; a name in brackets is neither.
    fn begins_with_json(&self) -> bool {
        let text = self.buffer[self.at..].trim_ascii_start();
        let line = text.split(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or_default();
        let is_list = || std::str::from_utf8(line).is_ok_and(|line| Json::parse(line.trim()).is_ok());
        line.starts_with(b"{") || (line.starts_with(b"[") && is_list())
    }

    fn read_json_head(&mut self) {
        let how = Reading {
            delimiter: Some(b','),
            is_headless: false,
            has_decimal_comma: false,
            encoding: Encoding::Utf8,
            ..(*self.how).clone()
        };
        self.how = how.into();
        let names: Vec<String> = self.columns.iter().map(|name| quoted(name)).collect();
        self.head = (names.join(",") + "\n").into_bytes().into();
    }

    fn read_head(&mut self) {
        let first = &self.buffer[self.at..];
        let found = self.how.delimiter.unwrap_or_else(|| delimiter::found(first, self.how.has_decimal_comma));
        self.how = Reading { delimiter: Some(found), ..(*self.how).clone() }.into();
        let Some(start) = row_at(&self.buffer, self.at) else { return };
        let mut cells = Cells::of(&self.buffer, start, found);
        let names: Vec<String> = cells.by_ref().map(|cell| cell.trim().to_string()).collect();
        if self.how.is_headless {
            self.columns = (1..=names.len()).map(|i| format!("column_{i}")).collect();
            return;
        }
        let end = cells.end();
        self.head = [&self.buffer[start..end], b"\n"].concat().into();
        self.line += line_of(&self.buffer[self.at..], end - self.at) - 1;
        (self.columns, self.at) = (names, end);
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// A row of cells without content, by which columns can be looked for where no row is right.
    pub fn blank_row(&self) -> RowBlock {
        let delimiter = String::from(char::from(self.how.delimiter.unwrap_or(b',')));
        let text = vec!["\"\""; self.columns.len()].join(&delimiter).into_bytes();
        let row = Row { text, line: self.line, number: 1, wrong: None };
        let (name, how, head) = (self.name.clone(), self.how.clone(), self.head.clone());
        RowBlock { name, how, head, rows: vec![row] }
    }

    /// The next rows, at most so many; nothing at the end.
    ///
    /// # Errors
    /// The input cannot be read on.
    pub fn next_rows(&mut self, most: usize) -> Result<Option<RowBlock>> {
        let mut rows = Vec::new();
        while rows.len() < most {
            let Some((text, line)) = self.next_row()? else { break };
            let number = self.row + 1;
            self.row = number;
            rows.push(match self.is_json {
                false => Row { text, line, number, wrong: None },
                true => match row_of_json(&text, &self.columns) {
                    Ok(text) => Row { text: text.into_bytes(), line, number, wrong: None },
                    Err(e) => Row { text: Vec::new(), line, number, wrong: Some(e) },
                },
            });
        }
        let (name, how, head) = (self.name.clone(), self.how.clone(), self.head.clone());
        Ok((!rows.is_empty()).then_some(RowBlock { name, how, head, rows }))
    }

    /// The text of the next row, and its line.
    fn next_row(&mut self) -> Result<Option<(Vec<u8>, u64)>> {
        loop {
            if let Some(start) = row_at(&self.buffer, self.at) {
                self.line += line_of(&self.buffer[self.at..], start - self.at) - 1;
                self.at = start;
                break;
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
        let end = loop {
            let rest = &self.buffer[self.at..];
            let line_end = || rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let end = match self.is_json {
                true => line_end().unwrap_or(rest.len()),
                false => self.row_end(),
            };
            if end < rest.len() {
                break end;
            }
            if self.is_over || rest.len() > LONGEST {
                let is_open =
                    !self.is_json && unclosed_quote(rest, self.how.delimiter.unwrap_or(b',')).is_some();
                // The line alone is wrong then, and those below are rows again.
                break if is_open { line_end().unwrap_or(end) } else { end };
            }
            self.fill()?;
        };
        let (text, line) = (self.buffer[self.at..self.at + end].to_vec(), self.line);
        self.line += line_of(&text, text.len()) - 1;
        self.at += end;
        Ok(Some((text, line)))
    }

    /// How long the row is that begins here, as far as it was read.
    fn row_end(&self) -> usize {
        let mut cells = Cells::of(&self.buffer, self.at, self.how.delimiter.unwrap_or(b','));
        _ = cells.count_all();
        cells.end() - self.at
    }

    /// Reads on; whether there was more.
    fn fill(&mut self) -> Result<bool> {
        if self.is_over {
            return Ok(false);
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let before = self.buffer.len();
        self.buffer.resize(before + CHUNK, 0);
        let read = loop {
            match self.input.read(&mut self.buffer[before..]) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(before + read.as_ref().map_or(0, |n| *n));
        let read = read.map_err(|e| Error::io(&*self.name, e))?;
        self.is_over = read == 0;
        Ok(read > 0)
    }
}

impl RowBlock {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The line of a row in its file.
    pub fn line(&self, i: usize) -> u64 {
        self.rows[i].line
    }

    /// The number of a row in its file, counted from 1.
    pub fn number(&self, i: usize) -> usize {
        self.rows[i].number
    }

    /// Some of the rows.
    #[must_use]
    pub fn part(&self, rows: Range<usize>) -> RowBlock {
        RowBlock { rows: self.rows[rows].to_vec(), ..self.clone_head() }
    }

    fn clone_head(&self) -> RowBlock {
        let (name, how, head) = (self.name.clone(), self.how.clone(), self.head.clone());
        RowBlock { name, how, head, rows: Vec::new() }
    }

    /// The rows as a table of their own, whose rows are counted from 1.
    ///
    /// # Errors
    /// As [`Table::parse`]; the error is at the line of the file.
    pub fn table(&self) -> Result<Table> {
        if let Some(e) = self.rows.iter().find_map(|row| row.wrong.clone().map(|e| self.at(row, e))) {
            return Err(e);
        }
        let size = self.head.len() + self.rows.iter().map(|row| row.text.len() + 1).sum::<usize>();
        let mut text = Vec::with_capacity(size);
        text.extend_from_slice(&self.head);
        for row in &self.rows {
            text.extend_from_slice(&row.text);
            text.push(b'\n');
        }
        Table::parse_as(text, &self.name, &self.how).map_err(|e| self.placed(e))
    }

    /// The cells of a column as they are written.
    ///
    /// # Errors
    /// As [`table`](RowBlock::table); there is no such column.
    pub fn texts(&self, column: &str) -> Result<Vec<String>> {
        let table = self.table()?;
        let at = table.column(column)?;
        Ok((0..table.len()).map(|row| table.text.cell(row, at)).collect())
    }

    /// An error about a row of [`table`](RowBlock::table), with the line and the number that the row has in the file.
    pub fn placed(&self, e: Error) -> Error {
        let said = e.message().to_string();
        let head = line_of(&self.head, self.head.len());
        // Blank lines and quoted ends of lines are counted where the rows of the block are one line each.
        let line = e.location().and_then(|at| at.rsplit(':').next()?.parse::<u64>().ok());
        let mut next = head;
        let of_line = |row: &&Row| {
            let first = next;
            next += line_of(&row.text, row.text.len());
            line.is_some_and(|line| (first..next).contains(&line))
        };
        let by_line = self.rows.iter().find(of_line);
        let number = said
            .split_once("row ")
            .and_then(|(_, rest)| rest[..rest.find(|c: char| !c.is_ascii_digit())?].parse::<usize>().ok());
        let by_number = number.and_then(|n| self.rows.get(n.checked_sub(1)?));
        // What is said of no row is said of the only one.
        let only = self.rows.first().filter(|_| self.rows.len() == 1 && line.is_none());
        let Some(row) = by_line.or(by_number).or(only) else { return e };
        self.at(row, e)
    }

    fn at(&self, row: &Row, e: Error) -> Error {
        let said = e.message();
        let said = said.strip_prefix(&format!("{}: ", self.name)).unwrap_or(said);
        let rest =
            said.strip_prefix("row ").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
        let said = rest.map_or(said.to_string(), |rest| format!("row {}{rest}", row.number));
        let placed = Error::new(e.kind(), said).at(format!("{}:{}", self.name, row.line));
        e.help_text().map_or(placed.clone(), |help| placed.help(help))
    }
}

/// The bytes of an input, unpacked where they are gzip.
fn unpacked(mut input: Box<dyn Read>) -> std::io::Result<Box<dyn Read>> {
    let mut first = Vec::new();
    input.by_ref().take(3).read_to_end(&mut first)?;
    let is_packed = first == [0x1f, 0x8b, 8];
    let whole: Chain<Cursor<Vec<u8>>, Box<dyn Read>> = Cursor::new(first).chain(input);
    Ok(if is_packed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

/// A cell between quotes.
fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

/// The row that a line of JSON holds: an object with the names of the columns, or a list of values in their order.
fn row_of_json(line: &[u8], columns: &[String]) -> Result<String> {
    let data = |message: String| Error::new(ErrorKind::Data, message);
    let text = std::str::from_utf8(line).map_err(|_| data("the text is not UTF-8".into()))?;
    let json = Json::parse(text.trim()).map_err(|e| {
        data(format!("the line is no JSON: {}", e.message()))
            .help("write an object or a list in each line, such as {\"a\": 1, \"b\": \"x\"}")
    })?;
    if let Some(list) = json.list()
        && list.len() != columns.len()
    {
        return Err(data(format!("the list has {} values, the model takes {}", list.len(), columns.len())));
    }
    let mut row = String::new();
    for (i, column) in columns.iter().enumerate() {
        let value = match &json {
            Json::List(values) => Some(&values[i]),
            json => json.get(column),
        };
        let cell = match value {
            Some(Json::Null) => String::new(),
            Some(Json::Str(text)) => quoted(text),
            Some(value @ (Json::Int(_) | Json::Float(_) | Json::Bool(_))) => value.to_string(),
            Some(_) => {
                return Err(data(format!("column `{column}`: the value is neither a number nor a text")));
            }
            None => {
                return Err(data(format!("there is no `{column}` in the object"))
                    .help("write null where a value is missing"));
            }
        };
        // A row of one empty cell would be a blank line, which is no row.
        let cell = if columns.len() == 1 && cell.is_empty() { "\"\"".into() } else { cell };
        _ = write!(row, "{}{cell}", if i == 0 { "" } else { "," });
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(text: &'static str) -> TableStream {
        TableStream::open(Box::new(text.as_bytes()), "t.csv", &Reading::new(), &["a", "b"]).unwrap()
    }

    /// The rows, one by one: what `b` holds, or what is wrong.
    fn said(mut stream: TableStream, most: usize) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(block) = stream.next_rows(most).unwrap() {
            for i in 0..block.len() {
                let one = block.part(i..i + 1);
                all.push(match one.texts("b") {
                    Ok(cells) => format!("{}:{} {}", one.line(0), one.number(0), cells[0]),
                    Err(e) => e.to_string().lines().next().unwrap().to_string(),
                });
            }
        }
        all
    }

    #[test]
    fn each_row_has_its_line_and_a_wrong_one_spoils_no_other() {
        let text = "\n\"a\",b\r\n1,x\r\n\r\n2\n\"3\n4\",y\n\"5,z\n6,w\n";
        for most in [1, 2, 100] {
            assert_eq!(
                said(stream(text), most),
                [
                    "3:1 x",
                    "t.csv:5: the row has 1 cells, the table has 2 columns",
                    "6:3 y",
                    "t.csv:8: a quote is opened here and never closed: all that follows would be one cell",
                    "9:5 w",
                ]
            );
        }
    }

    #[test]
    fn a_name_in_brackets_is_no_json() {
        assert_eq!(stream("[a],b\n1,2\n").columns(), ["[a]", "b"]);
    }

    #[test]
    fn lines_of_json_are_rows_too() {
        let text = "{\"a\":1,\"b\":\"x, \\\"y\\\"\"}\n[2,null]\n{\"a\":1}\n[3]\nno\n\n{\"a\":[1],\"b\":2}\n{\"b\":true,\"a\":2,\"c\":[]}\n";
        let said = said(stream(text), 3);
        assert_eq!(said[..3], ["1:1 x, \"y\"", "2:2 ", "t.csv:3: there is no `b` in the object"]);
        assert_eq!(said[3], "t.csv:4: the list has 1 values, the model takes 2");
        assert!(said[4].starts_with("t.csv:5: the line is no JSON: "), "{said:?}");
        assert_eq!(said[5..], ["t.csv:7: column `a`: the value is neither a number nor a text", "8:7 true"]);
    }

    #[test]
    fn a_cell_that_is_no_number_is_named_by_its_line_in_any_block() {
        let mut text = "a;b\n".to_string();
        (0..50_000)
            .for_each(|i| text += &format!("{i};{}\n", if i == 40_000 { "x".into() } else { i.to_string() }));
        let bytes = std::io::Cursor::new(text.into_bytes());
        let mut stream = TableStream::open(Box::new(bytes), "t.csv", &Reading::new(), &[]).unwrap();
        let (mut sum, mut wrong) = (0, Vec::new());
        while let Some(block) = stream.next_rows(4096).unwrap() {
            sum += block.len();
            let found = block.table().and_then(|table| table.features(["b"])?.inputs());
            wrong.extend(found.err().map(|e| block.placed(e).to_string()));
        }
        assert_eq!(sum, 50_000);
        assert_eq!(wrong.len(), 1);
        assert!(
            wrong[0].starts_with("t.csv:40002: row 40001, column `b`: `x` is not a number"),
            "{}",
            wrong[0]
        );
    }
}

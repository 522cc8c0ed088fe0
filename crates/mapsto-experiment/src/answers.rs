//! Answers row by row: tables of any length are read some rows at a time, and a row that is wrong is told beside those that are not.

use std::io::Read;

use mapsto::data::{RowBlock, TableStream};
use mapsto::{Error, ErrorKind, Result, Tensor};

use crate::plain::plain;
use crate::predictor::{Prediction, Predictor};

/// So many rows are answered at once: enough that a pass over the weights is worth it, and little memory.
const ROWS: usize = 4096;

/// What is said of one row of a table.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its number, counted from 1.
    pub row: usize,
    /// The cell that was asked for beside the answer.
    pub id: Option<String>,
    /// What the model says, or what is wrong with the row, with its line.
    pub found: Result<Prediction>,
}

/// What is known of a table once all of it was asked about.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// How many rows it had.
    pub rows: usize,
    /// How many of them were wrong.
    pub wrong: usize,
    /// Words that training never met, and cells that are missing where none was in training: a sentence for each column.
    pub notes: Vec<String>,
}

/// Rows with their inputs and answers, or one row with what is wrong with it.
type Part = (RowBlock, Result<(Tensor, Vec<Prediction>)>);

/// Counts of cells by column.
#[derive(Default)]
struct Counts(Vec<usize>);

impl Counts {
    fn add(&mut self, found: &[(usize, usize)]) {
        for &(column, n) in found {
            if self.0.len() <= column {
                self.0.resize(column + 1, 0);
            }
            self.0[column] += n;
        }
    }

    /// A sentence for each column; `one` and `more` say what the cells are.
    fn said(&self, features: &[String], [one, more]: [&str; 2], rest: &str) -> Vec<String> {
        let said = |(column, &n): (usize, &usize)| {
            let name = features.get(column).map_or(String::new(), |name| plain(name));
            let cells = if n == 1 { format!("1 cell {one}") } else { format!("{n} cells {more}") };
            format!("column `{name}`: {cells} {rest}")
        };
        self.0.iter().enumerate().filter(|(_, n)| **n > 0).map(said).collect()
    }
}

impl Predictor {
    /// Asks about each row of a table, of JSON objects (or lists) in lines, or of numbers in lines where the model takes no named
    /// columns, and hands each answer on; `id` is a column whose cells stand beside the answers. Memory does not grow with the rows.
    ///
    /// # Errors
    /// What cannot be read; a table that lacks a column; what `each` returns. A row that is wrong is an answer, and no error.
    pub fn ask_rows(
        &self,
        input: Box<dyn Read>,
        name: &str,
        id: Option<&str>,
        each: &mut dyn FnMut(Answer) -> Result<()>,
    ) -> Result<Asked> {
        match (self.features().is_empty(), self.input()) {
            (true, [width]) => self.ask_numbers(*width, input, name, id, each),
            (true, _) => {
                let message = format!("{name}: this is a table, and the run was trained on pictures");
                Err(Error::new(ErrorKind::Usage, message).help("give it PNG or JPEG images"))
            }
            (false, _) => self.ask_table(input, name, id, each),
        }
    }

    fn ask_table(
        &self,
        input: Box<dyn Read>,
        name: &str,
        id: Option<&str>,
        each: &mut dyn FnMut(Answer) -> Result<()>,
    ) -> Result<Asked> {
        let mut columns: Vec<&str> = self.features().iter().map(String::as_str).collect();
        columns.extend(id.filter(|id| !self.features().iter().any(|name| name == id)));
        let mut stream = TableStream::open(input, name, &self.reading(), &columns)?;
        let (mut asked, mut unseen, mut missing) = (Asked::default(), Counts::default(), Counts::default());
        while let Some(block) = stream.next_rows(ROWS)? {
            if asked.rows == 0 {
                self.check_columns(&stream, &block, id)?;
            }
            asked.rows += block.len();
            for (block, found) in self.parts(block, name)? {
                let (x, answers) = match found {
                    Ok(found) => found,
                    Err(e) => {
                        asked.wrong += 1;
                        let found = Err(for_asking(e));
                        each(Answer { row: block.number(0), id: None, found })?;
                        continue;
                    }
                };
                let [words, cells] = self.news(&x);
                unseen.add(&words);
                missing.add(&cells);
                let mut ids = id.map(|id| block.texts(id)).transpose()?.unwrap_or_default().into_iter();
                for (i, answer) in answers.into_iter().enumerate() {
                    each(Answer { row: block.number(i), id: ids.next(), found: Ok(answer) })?;
                }
            }
        }
        if asked.rows == 0 {
            return Err(Error::new(ErrorKind::Data, format!("{name}: no rows"))
                .help("the first line names the columns, each further line is a row"));
        }
        asked.notes = unseen.said(
            self.features(),
            ["holds a word", "hold words"],
            "that training never met: taken as any other rare word",
        );
        asked.notes.extend(missing.said(
            self.features(),
            ["is missing", "are missing"],
            "where none was in training: the usual value is taken in its place",
        ));
        Ok(asked)
    }

    /// Finds what is wrong with a table as a whole, and not with its rows.
    fn check_columns(&self, stream: &TableStream, block: &RowBlock, id: Option<&str>) -> Result<()> {
        let first = block.part(0..1).table();
        if let Err(e) = &first
            && e.message().contains("there is one column only")
        {
            return Err(self.separated(e.clone()));
        }
        // A first row that is wrong is no fault of the columns, so others of blank cells stand in for it.
        let blank = stream.blank_row();
        let table = first.or_else(|_| blank.table())?;
        table.features(self.features())?;
        id.map_or(Ok(()), |id| table.features([id]).map(drop))
    }

    /// The answers for the rows of a block, in parts that are right as a whole, or a single row that is wrong.
    ///
    /// # Errors
    /// What is wrong with the model and with no row.
    fn parts(&self, block: RowBlock, name: &str) -> Result<Vec<Part>> {
        let found = block.table().and_then(|table| {
            let x = self.inputs_of(&table, name).map_err(|e| block.placed(e))?;
            let answers = self.predict(x.clone()).map_err(|e| block.placed(e))?;
            Ok((x, answers))
        });
        let half = block.len() / 2;
        match found {
            Err(e) if !matches!(e.kind(), ErrorKind::Data | ErrorKind::NonFinite) => Err(e),
            Err(_) if half > 0 => {
                let mut parts = self.parts(block.part(0..half), name)?;
                parts.extend(self.parts(block.part(half..block.len()), name)?);
                Ok(parts)
            }
            found => Ok(vec![(block, found)]),
        }
    }

    /// Lines of `width` numbers each, with commas, semicolons or blanks between them, or a JSON list a line.
    fn ask_numbers(
        &self,
        width: usize,
        input: Box<dyn Read>,
        name: &str,
        id: Option<&str>,
        each: &mut dyn FnMut(Answer) -> Result<()>,
    ) -> Result<Asked> {
        if let Some(id) = id {
            let message = format!("{name}: there is no column `{id}`: the model takes numbers without names");
            return Err(Error::new(ErrorKind::Usage, message).help("leave `--id` out"));
        }
        let mut asked = Asked::default();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(input)).zip(1_u64..);
        loop {
            let (mut rows, mut values) = (Vec::new(), Vec::new());
            for (line, number) in lines.by_ref() {
                let line = line.map_err(|e| Error::io(name, e))?;
                if line.trim().is_empty() {
                    continue;
                }
                asked.rows += 1;
                match numbers(&line, width) {
                    Ok(found) => {
                        values.extend(found);
                        rows.push(asked.rows);
                    }
                    Err(what) => {
                        asked.wrong += 1;
                        let e = Error::new(ErrorKind::Data, format!("row {}: {what}", asked.rows))
                            .at(format!("{name}:{number}"));
                        each(Answer { row: asked.rows, id: None, found: Err(e) })?;
                    }
                }
                if rows.len() == ROWS {
                    break;
                }
            }
            if rows.is_empty() {
                break;
            }
            let x = Tensor::from_vec(values, [rows.len(), width]);
            for (row, answer) in rows.iter().zip(self.predict(x)?) {
                each(Answer { row: *row, id: None, found: Ok(answer) })?;
            }
        }
        match asked.rows {
            0 => Err(Error::new(ErrorKind::Data, format!("{name}: no rows"))
                .help(format!("write {width} numbers in each line"))),
            _ => Ok(asked),
        }
    }
}

/// An error about a row with a help for who asks, and not for who trains: a training file is none of their business.
fn for_asking(e: Error) -> Error {
    let (said, help) = (e.message(), e.help_text().unwrap_or_default());
    let mended = if said.ends_with("is not a number") && help.starts_with("write decimals with a point") {
        "write decimals with a point, and thousands with nothing between them"
    } else if said.ends_with("is not a number") {
        "the column held numbers alone when the model was trained: mend the cell"
    } else if said.contains("the value is missing") {
        "the model knows no missing cells: fill the cell, or leave out the row"
    } else if said.contains("more digits than a 64-bit float keeps") {
        "is it the column that the model was trained on? such a number is none that a model can tell from its neighbours"
    } else if said.contains("the text is not UTF-8") {
        "save the table in the encoding of the one that the model was trained on"
    } else {
        return e;
    };
    e.help(mended)
}

/// The numbers in a line, or what is wrong with them.
fn numbers(line: &str, width: usize) -> Result<Vec<f64>, String> {
    let inner = line.trim();
    let inner = inner.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(inner);
    let cells =
        inner.split(|c: char| c.is_whitespace() || c == ',' || c == ';').filter(|cell| !cell.is_empty());
    let read = |cell: &str| match cell.parse::<f64>() {
        Ok(v) if (v as f32).is_finite() => Ok(v),
        Ok(_) => Err(format!("`{}` is no finite number of 32 bits", plain(cell))),
        Err(_) => Err(format!("`{}` is not a number", plain(&cell.chars().take(40).collect::<String>()))),
    };
    let values = cells.map(read).collect::<Result<Vec<f64>, String>>()?;
    match values.len() == width {
        true => Ok(values),
        false => Err(format!("the line has {} numbers, the model takes {width}", values.len())),
    }
}

#[test]
fn numbers_are_read_as_people_write_them() {
    for line in ["1 2.5 -3", "1,2.5,-3", "[1, 2.5, -3]", " 1;\t2.5 ; -3e0 "] {
        assert_eq!(numbers(line, 3).unwrap(), [1.0, 2.5, -3.0], "{line}");
    }
    assert_eq!(numbers("1 2", 3).unwrap_err(), "the line has 2 numbers, the model takes 3");
    assert_eq!(numbers("1 x 2", 3).unwrap_err(), "`x` is not a number");
    assert!(numbers("1 1e39 2", 3).unwrap_err().contains("no finite number"));
}

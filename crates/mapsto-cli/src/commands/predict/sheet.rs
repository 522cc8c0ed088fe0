//! `Sheet`: answers as lines to read, or as CSV, JSON or JSON lines.

use std::path::Path;

use mapsto::spec::Json;
use mapsto::training::readable;
use mapsto_experiment::{Prediction, Predictor, plain};

use super::inputs::Input;
use crate::commands::Invocation;

/// So many bytes are gathered before they are written.
const ENOUGH: usize = 1 << 16;

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Format {
    /// Lines to read.
    Table,
    /// Comma-separated, with a first line of names.
    Csv,
    /// A list of objects.
    Json,
    /// An object a line.
    Jsonl,
}

impl Format {
    /// The format that was asked for, or that of the file's ending.
    pub fn of(word: Option<&str>, file: Option<&Path>) -> Format {
        let ending = file.and_then(Path::extension).and_then(|e| e.to_str());
        match word.or(ending) {
            Some("csv") => Format::Csv,
            Some("json") => Format::Json,
            Some("jsonl" | "ndjson") => Format::Jsonl,
            _ => Format::Table,
        }
    }
}

/// An answer, and what it is about.
pub struct Line<'a> {
    /// The file.
    pub file: &'a str,
    /// The row of a table.
    pub row: Option<usize>,
    /// The cell that is kept beside the answer.
    pub id: Option<&'a str>,
    /// What the model says.
    pub answer: &'a Prediction,
}

/// Which of several classes are named.
#[derive(Debug, Clone, Copy)]
enum Named {
    Top(usize),
    All,
}

/// Answers on their way out.
pub struct Sheet<'a> {
    predictor: &'a Predictor,
    format: Format,
    named: Named,
    has_files: bool,
    has_rows: bool,
    has_labels: bool,
    id: Option<&'a str>,
    text: String,
    count: usize,
}

impl<'a> Sheet<'a> {
    /// An empty sheet for what was asked.
    pub fn new(
        predictor: &'a Predictor,
        format: Format,
        inputs: &[Input],
        invocation: &'a Invocation,
    ) -> Sheet<'a> {
        let is_image = |input: &Input| matches!(input, Input::Image(_));
        let top = invocation.matches.get_one::<u32>("top").map(|&k| Named::Top(k as usize));
        let usual = match format {
            Format::Table if !invocation.matches.get_flag("all") => Named::Top(3),
            _ => Named::All,
        };
        Sheet {
            predictor,
            format,
            named: top.unwrap_or(usual),
            has_files: inputs.len() > 1 || inputs.iter().any(is_image),
            has_rows: !inputs.iter().all(is_image),
            has_labels: predictor.has_labels(),
            id: invocation.optional("id"),
            text: String::new(),
            count: 0,
        }
    }

    /// Adds an answer.
    pub fn add(&mut self, line: &Line) {
        let text = match self.format {
            Format::Table => self.readable(line),
            Format::Csv if self.count == 0 => format!("{}\n{}", self.head(line), self.cells(line)),
            Format::Csv => self.cells(line),
            Format::Json if self.count == 0 => format!("[\n{}", self.object(line)),
            Format::Json => format!(",\n{}", self.object(line)),
            Format::Jsonl => self.object(line).to_string(),
        };
        self.text += &text;
        if self.format != Format::Json {
            self.text.push('\n');
        }
        self.count += 1;
    }

    /// Whether enough has been gathered to be written.
    pub fn is_full(&self) -> bool {
        self.text.len() >= ENOUGH
    }

    /// Takes what was gathered.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// The rest, with what ends it.
    pub fn end(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        match (self.format, self.count) {
            (Format::Json, 0) => "[]\n".into(),
            (Format::Json, _) => text + "\n]\n",
            _ => text,
        }
    }

    fn class(&self, class: usize) -> String {
        self.predictor.classes().get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// The name of a label, or of one of several numbers.
    fn target(&self, i: usize) -> String {
        self.predictor.targets().get(i).cloned().unwrap_or_else(|| i.to_string())
    }

    /// The name of what a probability is of.
    fn share(&self, i: usize) -> String {
        if self.has_labels { self.target(i) } else { self.class(i) }
    }

    fn readable(&self, line: &Line) -> String {
        let Line { file, row, id, answer } = line;
        let mut text = plain(file);
        if let Some(row) = row {
            text += &format!(" row {row}");
        }
        if let Some(id) = id {
            text += &format!("  {}", plain(id));
        }
        let Some(shares) = &answer.probabilities else {
            let several = answer.values.len() > 1 && !self.predictor.targets().is_empty();
            let one = |(i, value): (usize, &f64)| match several {
                true => format!("{} {}", plain(&self.target(i)), readable(*value, 6)),
                false => readable(*value, 6),
            };
            let values: Vec<String> = answer.values.iter().enumerate().map(one).collect();
            return format!("{text}  {}", values.join("  "));
        };
        if self.has_labels {
            let given: Vec<String> =
                (0..shares.len()).filter(|&i| shares[i] >= 0.5).map(|i| plain(&self.target(i))).collect();
            let given = if given.is_empty() { "none".to_string() } else { given.join(" + ") };
            text += &format!("  {given}  of");
        }
        let shown = match self.named {
            Named::Top(k) => k,
            Named::All => usize::MAX,
        };
        let ranked = answer.ranked().into_iter().take(shown);
        let shares = ranked.map(|(i, p)| format!("{} {:.1} %", plain(&self.share(i)), 100.0 * p));
        format!("{text}  {}", shares.collect::<Vec<_>>().join("  "))
    }

    /// The names of the columns.
    fn head(&self, line: &Line) -> String {
        let mut names = Vec::new();
        names.extend(self.has_files.then(|| "file".to_string()));
        names.extend(self.has_rows.then(|| "row".to_string()));
        names.extend(self.id.map(str::to_string));
        let n = line.answer.probabilities.as_ref().map_or(line.answer.values.len(), Vec::len);
        match (&line.answer.probabilities, self.named) {
            (None, _) if n == 1 => names.push("prediction".into()),
            (None, _) => names.extend((0..n).map(|i| format!("prediction {}", self.target(i)))),
            (Some(_), Named::Top(k)) => {
                for i in 1..=k.min(n) {
                    let which = if i == 1 { String::new() } else { format!(" {i}") };
                    names.extend([format!("prediction{which}"), format!("probability{which}")]);
                }
            }
            (Some(_), Named::All) => {
                match self.has_labels {
                    true => names.extend((0..n).map(|i| format!("prediction {}", self.target(i)))),
                    false => names.extend(["prediction", "probability"].map(String::from)),
                }
                names.extend((0..n).map(|i| format!("probability {}", self.share(i))));
            }
        }
        names.iter().map(|name| field(name)).collect::<Vec<_>>().join(",")
    }

    fn cells(&self, line: &Line) -> String {
        let Line { file, row, id, answer } = line;
        let mut cells = Vec::new();
        cells.extend(self.has_files.then(|| field(file)));
        cells.extend(self.has_rows.then(|| row.map_or(String::new(), |row| row.to_string())));
        cells.extend(self.id.map(|_| field(id.unwrap_or_default())));
        match (&answer.probabilities, self.named) {
            (None, _) => cells.extend(answer.values.iter().map(|&v| number(v))),
            (Some(_), Named::Top(k)) => {
                for (i, p) in answer.ranked().into_iter().take(k) {
                    cells.extend([field(&self.share(i)), format!("{p:?}")]);
                }
            }
            (Some(shares), Named::All) => {
                match self.has_labels {
                    true => cells.extend(shares.iter().map(|&p| u8::from(p >= 0.5).to_string())),
                    false => {
                        let (best, p) = answer.ranked()[0];
                        cells.extend([field(&self.class(best)), format!("{p:?}")]);
                    }
                }
                cells.extend(shares.iter().map(|p| format!("{p:?}")));
            }
        }
        cells.join(",")
    }

    fn object(&self, line: &Line) -> Json {
        let Line { file, row, id, answer } = line;
        let mut pairs: Vec<(String, Json)> = Vec::new();
        let mut put = |key: &str, value: Json| pairs.push((key.to_string(), value));
        if self.has_files {
            put("file", Json::Str((*file).to_string()));
        }
        if let Some(row) = row {
            put("row", Json::Int(*row as i64));
        }
        if let (Some(name), Some(id)) = (self.id, id) {
            // A column may be called as one of the keys.
            let name = if TAKEN.contains(&name) { format!("id {name}") } else { name.to_string() };
            put(&name, Json::Str((*id).to_string()));
        }
        let float = |v: f64| Json::Float(if f64::from(v as f32) == v { exact(v) } else { v });
        let Some(shares) = &answer.probabilities else {
            match &answer.values[..] {
                [one] => put("prediction", float(*one)),
                all => {
                    let one = |(i, &v): (usize, &f64)| (self.target(i), float(v));
                    put("prediction", Json::Object(all.iter().enumerate().map(one).collect()));
                }
            }
            return Json::Object(pairs);
        };
        let all = || {
            Json::Object(shares.iter().enumerate().map(|(i, &p)| (self.share(i), Json::Float(p))).collect())
        };
        if self.has_labels {
            let given = (0..shares.len()).filter(|&i| shares[i] >= 0.5);
            put("prediction", Json::List(given.map(|i| Json::Str(self.target(i))).collect()));
        } else {
            let (best, p) = answer.ranked()[0];
            put("prediction", Json::Str(self.class(best)));
            put("probability", Json::Float(p));
        }
        match self.named {
            Named::All => put("probabilities", all()),
            Named::Top(k) => {
                let one = |(i, p): (usize, f64)| {
                    let pair = [("name", Json::Str(self.share(i))), ("probability", Json::Float(p))];
                    Json::Object(pair.map(|(key, value)| (key.to_string(), value)).into())
                };
                put("top", Json::List(answer.ranked().into_iter().take(k).map(one).collect()));
            }
        }
        Json::Object(pairs)
    }
}

/// The keys of an answer.
const TAKEN: [&str; 6] = ["file", "row", "prediction", "probability", "probabilities", "top"];

/// The shortest number that is the same in 32 bits, in which models compute.
fn exact(v: f64) -> f64 {
    (v as f32).to_string().parse().unwrap_or(v)
}

fn number(v: f64) -> String {
    if f64::from(v as f32) == v { (v as f32).to_string() } else { v.to_string() }
}

/// A cell of CSV, between quotes where it needs them (RFC 4180).
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    }
}

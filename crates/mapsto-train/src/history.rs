//! The history of a training run: one row an epoch, readable as a table, CSV or JSON lines.

use crate::callbacks::Note;
use crate::{csv, readable};
use mapsto_spec::Json;
use mapsto_tensor::{Error, ErrorKind, Result};
use std::fmt;

/// What one epoch gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Optimizer steps taken since the start of the run.
    pub step: u64,
    /// The learning rate of the epoch's last step.
    pub lr: f64,
    /// Loss and metrics by column name: `loss`, `accuracy`, `val loss`, `val accuracy`.
    pub values: Vec<(String, f64)>,
    /// Seconds the epoch took, validation included.
    pub seconds: f64,
    /// Training samples a second, validation excluded.
    pub samples_per_second: f64,
    /// The share of the training time spent waiting for data, 0 to 1.
    pub waiting: f64,
}

impl Row {
    /// The value of a column, the learning rate (`lr`) among them.
    #[must_use]
    pub fn value(&self, column: &str) -> Option<f64> {
        if column == "lr" {
            return Some(self.lr);
        }
        self.values.iter().find(|(name, _)| name == column).map(|(_, v)| *v)
    }
}

/// What a training run gave, epoch by epoch, and how it ended.
///
/// ```
/// use mapsto_train::{History, Row};
/// let row = |epoch, loss| Row {
///     epoch, step: 10 * epoch as u64, lr: 0.1, values: vec![("loss".into(), loss)],
///     seconds: 1.0, samples_per_second: 100.0, waiting: 0.0,
/// };
/// let history = History { rows: vec![row(1, 0.5), row(2, 0.25), row(3, 0.75)], ..History::default() };
/// assert_eq!(history.last("loss"), Some(0.75));
/// assert_eq!(history.min("loss"), Some((2, 0.25)));
/// assert_eq!(History::from_csv(&history.to_csv()).unwrap(), history);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The epochs that were finished.
    pub rows: Vec<Row>,
    /// Whether the user stopped the run.
    pub interrupted: bool,
    /// Whether a callback ended the run where it was, so that it can be resumed: a limit of time.
    pub halted: bool,
    /// Why the run ended before its last epoch, if it did.
    pub stopped: Option<String>,
    /// What callbacks said while this process trained, such as layers whose units are dead.
    pub notes: Vec<Note>,
}

impl History {
    /// The last value of a column.
    #[must_use]
    pub fn last(&self, column: &str) -> Option<f64> {
        self.rows.last()?.value(column)
    }

    /// Every value of a column with its epoch.
    #[must_use]
    pub fn column(&self, column: &str) -> Vec<(usize, f64)> {
        self.rows.iter().filter_map(|r| Some((r.epoch, r.value(column)?))).collect()
    }

    /// The epoch and value at which a column was smallest; NaN never is.
    #[must_use]
    pub fn min(&self, column: &str) -> Option<(usize, f64)> {
        let finite = self.column(column).into_iter().filter(|(_, v)| !v.is_nan());
        finite.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The epoch and value at which a column was first largest; NaN never is.
    #[must_use]
    pub fn max(&self, column: &str) -> Option<(usize, f64)> {
        let finite = self.column(column).into_iter().filter(|(_, v)| !v.is_nan());
        finite.min_by(|a, b| b.1.total_cmp(&a.1))
    }

    /// The names of the loss and metric columns, in the order of their first appearance.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (name, _) in self.rows.iter().flat_map(|r| &r.values) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// The rows as CSV, with every digit: `epoch,step,lr,…,seconds,samples/s,waiting`.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let columns = self.columns();
        let quoted: Vec<String> = columns.iter().map(|c| csv::field(c)).collect();
        let mut text = ["epoch", "step", "lr"].join(",");
        quoted.iter().for_each(|c| text += &format!(",{c}"));
        text += ",seconds,samples/s,waiting\n";
        for row in &self.rows {
            text += &format!("{},{},{:?}", row.epoch, row.step, row.lr);
            for column in &columns {
                text += &row.value(column).map_or(",".into(), |v| format!(",{v:?}"));
            }
            text += &format!(",{:?},{:?},{:?}\n", row.seconds, row.samples_per_second, row.waiting);
        }
        text
    }

    /// Reads what [`History::to_csv`] wrote (the rows; not how the run ended).
    ///
    /// # Errors
    /// A missing column or a field that is not a number, with its line.
    pub fn from_csv(text: &str) -> Result<History> {
        let mut lines = text.lines();
        let header = csv::fields(lines.next().unwrap_or_default());
        let known = header.len() >= 6
            && header[..3] == ["epoch", "step", "lr"]
            && header[header.len() - 3..] == ["seconds", "samples/s", "waiting"];
        if !known {
            return Err(Error::new(ErrorKind::Data, "metrics.csv: the first line is not a run's header"));
        }
        let rows = lines.enumerate().map(|(i, line)| {
            read_row(&header, line).ok_or_else(|| {
                Error::new(
                    ErrorKind::Data,
                    format!("metrics.csv: line {}: not a row of {} numbers", i + 2, header.len()),
                )
            })
        });
        Ok(History { rows: rows.collect::<Result<_>>()?, ..History::default() })
    }

    /// The rows as one JSON object a line.
    #[must_use]
    pub fn to_jsonl(&self) -> String {
        let line = |row: &Row| {
            let mut pairs = vec![
                ("epoch".to_string(), Json::from(row.epoch)),
                ("step".to_string(), Json::Int(row.step as i64)),
                ("lr".to_string(), Json::Float(row.lr)),
            ];
            pairs.extend(row.values.iter().map(|(name, v)| (name.clone(), Json::Float(*v))));
            pairs.push(("seconds".into(), Json::Float(row.seconds)));
            pairs.push(("samples/s".into(), Json::Float(row.samples_per_second)));
            pairs.push(("waiting".into(), Json::Float(row.waiting)));
            format!("{}\n", Json::Object(pairs))
        };
        self.rows.iter().map(line).collect()
    }
}

fn read_row(header: &[String], line: &str) -> Option<Row> {
    let fields = csv::fields(line);
    let n = header.len();
    if fields.len() != n {
        return None;
    }
    let middle = header.iter().zip(&fields).take(n - 3).skip(3).filter(|(_, f)| !f.is_empty());
    Some(Row {
        epoch: fields[0].parse().ok()?,
        step: fields[1].parse().ok()?,
        lr: fields[2].parse().ok()?,
        values: middle.map(|(h, f)| Some((h.clone(), f.parse().ok()?))).collect::<Option<_>>()?,
        seconds: fields[n - 3].parse().ok()?,
        samples_per_second: fields[n - 2].parse().ok()?,
        waiting: fields[n - 1].parse().ok()?,
    })
}

impl fmt::Display for History {
    /// A table with a row an epoch.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |row: &Row, c: &str| row.value(c).map_or(String::new(), |v| readable(v, 4));
        let columns: Vec<(String, usize)> = self
            .columns()
            .into_iter()
            .map(|c| {
                let widest = self.rows.iter().map(|row| text(row, &c).len()).max().unwrap_or(0);
                let width = c.chars().count().max(8).max(widest);
                (c, width)
            })
            .collect();
        write!(f, "epoch")?;
        columns.iter().try_for_each(|(c, width)| write!(f, "  {c:>width$}"))?;
        for row in &self.rows {
            write!(f, "\n{:>5}", row.epoch)?;
            columns.iter().try_for_each(|(c, width)| write!(f, "  {:>width$}", text(row, c)))?;
        }
        match &self.stopped {
            Some(reason) => write!(f, "\nstopped: {reason}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let row = |epoch: usize, loss: f64, val: f64| Row {
            epoch,
            step: 5 * epoch as u64,
            lr: 1e-3,
            values: vec![("loss".into(), loss), ("val loss".into(), val)],
            seconds: 0.25,
            samples_per_second: 1e5,
            waiting: 0.125,
        };
        History { rows: vec![row(1, 0.1 + 0.2, 0.5), row(2, 1e-7, f64::NAN)], ..History::default() }
    }

    #[test]
    fn csv_keeps_every_digit() {
        let text = history().to_csv();
        assert!(text.starts_with(
            "epoch,step,lr,loss,val loss,seconds,samples/s,waiting\n1,5,0.001,0.30000000000000004,"
        ));
        assert_eq!(History::from_csv(&text).unwrap().rows[0], history().rows[0]);
        assert!(History::from_csv(&text).unwrap().last("val loss").unwrap().is_nan());
        assert!(History::from_csv("a,b\n1,2").is_err());
        assert!(History::from_csv(&text.replace("1e-7", "x")).unwrap_err().to_string().contains("line 3"));
    }

    #[test]
    fn json_lines_and_table() {
        let lines = history().to_jsonl();
        let first = Json::parse(lines.lines().next().unwrap()).unwrap();
        assert_eq!(first.get("val loss"), Some(&Json::Float(0.5)));
        assert!(lines.lines().nth(1).unwrap().contains("\"val loss\":null"), "NaN has no JSON");
        assert_eq!(
            history().to_string(),
            "epoch       loss  val loss\n    1     0.3000    0.5000\n    2  1.0000e-7       NaN"
        );
        assert_eq!(history().min("val loss"), Some((1, 0.5)));
    }
}

//! The samples of a set, divided into those to learn from, to watch the training by, and for the test.

use std::sync::Arc;

use mapsto::data::{Dataset, sets};
use mapsto::{Error, ErrorKind, Result};

use crate::config::{Config, Data, Split};

pub type Samples = Arc<dyn Dataset>;

/// Places of samples: of the test samples in the second file, where the data brings one.
#[derive(Debug, Default)]
pub struct Rows {
    /// Those to learn from.
    pub train: Vec<usize>,
    /// Those to watch the training by.
    pub validation: Vec<usize>,
    /// Those for the test.
    pub test: Vec<usize>,
}

/// Samples for the three purposes.
pub struct Parts {
    pub train: Samples,
    pub validation: Option<Samples>,
    pub test: Option<Samples>,
    pub rows: Rows,
}

/// Divides what was opened as `[data]` says.
pub fn divide(config: &mut Config, opened: sets::Sets) -> Result<Parts> {
    let data = &mut config.data;
    let has_classes = !opened.train.info().classes.is_empty();
    let split = *data.split.get_or_insert(if has_classes { Split::Stratified } else { Split::Random });
    let seed = config.train.seed;
    let part =
        |set: Samples, rows: &mut Vec<usize>, share: f64| -> Result<(Samples, Option<Samples>, Vec<usize>)> {
            if share == 0.0 {
                return Ok((set, None, Vec::new()));
            }
            let shares = [1.0 - share, share];
            let [rest, held_out] = match split {
                Split::Stratified => set.stratified_split(shares, seed)?,
                Split::Random => set.split(shares, seed),
                Split::Ordered => set.ordered_split(shares),
            };
            if rest.is_empty() || held_out.is_empty() {
                let message = format!("{} samples are too few to hold out a share of {share}", set.len());
                return Err(Error::new(ErrorKind::Data, message).help("hold out more, or nothing with 0"));
            }
            let whole = std::mem::take(rows);
            let rows_of = |part: &mapsto::data::Subset| part.indices().iter().map(|&i| whole[i]).collect();
            *rows = rows_of(&rest);
            let held_out_rows = rows_of(&held_out);
            Ok((Arc::new(rest), Some(Arc::new(held_out)), held_out_rows))
        };
    let mut rows: Vec<usize> = (0..opened.train.len()).collect();
    let (train, test, test_rows) = match opened.test {
        Some(_) if data.test.is_some() => {
            let message =
                format!("[data] holds out a test share, and set `{}` brings a test set", data.set.name);
            return Err(Error::new(ErrorKind::Usage, message).help("leave `test` out"));
        }
        Some(test) => {
            let all = (0..test.len()).collect();
            (opened.train, Some(test), all)
        }
        // Whoever brings samples to watch the training by has divided the data; a share of the rest is held out where it is asked for.
        None if opened.validation.is_some() => part(opened.train, &mut rows, *data.test.get_or_insert(0.0))?,
        None => part(opened.train, &mut rows, *data.test.get_or_insert(0.2))?,
    };
    let (train, test, test_rows) = match &config.fold {
        // The samples for the test stay sealed: what the fold holds out stands in their place.
        Some(fold) => {
            let parts = fold.parts(&train, &rows)?;
            rows = parts.rows.train;
            (parts.train, parts.test, parts.rows.test)
        }
        None => (train, test, test_rows),
    };
    let (train, validation, validation_rows) = match opened.validation {
        Some(validation) if data.validation == Data::VALIDATION => {
            let all = (0..validation.len()).collect();
            (train, Some(validation), all)
        }
        Some(_) if data.validation > 0.0 => {
            let message = format!(
                "[data] holds out a share for validation, and set `{}` brings samples for it",
                data.set.name
            );
            return Err(Error::new(ErrorKind::Usage, message).help("leave `validation` out"));
        }
        // Nothing shall watch the training.
        Some(_) => (train, None, Vec::new()),
        None => part(train, &mut rows, data.validation)?,
    };
    let rows = Rows { train: rows, validation: validation_rows, test: test_rows };
    Ok(Parts { train, validation, test, rows })
}

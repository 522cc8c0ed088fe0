//! Tables of columns of any kind: the step that makes inputs of them, and the model and training that a file need not say.

use mapsto::data::{Column, Columns, Dataset, Preprocess};
use mapsto::nn::CategoryEmbedding;
use mapsto::spec::{Entry, Value};
use mapsto::{DType, Error, ErrorKind, Result};

use crate::config::{Config, Train};

/// What was understood of a column of a table, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Understood {
    /// The name of the column.
    pub column: String,
    /// Number, text, date or boolean.
    pub kind: String,
    /// How many different values it has, counted up to [`Column::MOST_COUNTED`].
    pub distinct: usize,
    /// How many of its cells are missing.
    pub missing: usize,
    /// What the model gets of it.
    pub used_as: String,
}

/// Of each column what was understood; none where all columns are numbers that are taken as they are.
pub(crate) fn understood(columns: &[Column], steps: &Preprocess) -> Vec<Understood> {
    let row = |(column, (_, used_as)): (&Column, (String, String))| Understood {
        column: column.name.clone(),
        kind: column.kind.to_string(),
        distinct: column.distinct,
        missing: column.missing,
        used_as,
    };
    columns.iter().zip(steps.said()).map(row).collect()
}

/// The training of a table whose file says no layers, where it says nothing of it either.
pub(crate) struct Defaults {
    pub(crate) loss: &'static str,
    pub(crate) metrics: &'static [&'static str],
}

impl Defaults {
    /// By what the model learns to say: a class, several answers of yes or no, or numbers.
    pub(crate) fn of(has_class: bool, has_labels: bool) -> Defaults {
        match (has_class, has_labels) {
            (true, _) => Defaults { loss: "cross_entropy", metrics: &["accuracy"] },
            (_, true) => Defaults { loss: "bce_with_logits", metrics: &[] },
            _ => Defaults { loss: "mse", metrics: &["rmse"] },
        }
    }

    pub(crate) const EPOCHS: usize = 60;

    pub(crate) fn optimizer() -> Entry {
        Entry::new("adamw").with_value(2e-3).with_option("decay", 0.02)
    }

    pub(crate) fn schedule() -> Entry {
        Entry::new("cosine")
    }

    pub(crate) fn callbacks() -> Vec<Entry> {
        Vec::new()
    }
}

/// Puts the step `columns` in front of the others, where the data has columns that need it.
pub(crate) fn prepare(config: &mut Config, columns: &[Column]) -> Result<()> {
    if columns.is_empty() {
        return Ok(());
    }
    if let Some(step) = config.data.augment.first() {
        let message = format!(
            "`augment` changes numbers at random, and `{}` would change those that stand for words",
            step.name
        );
        let e = Error::new(ErrorKind::Usage, message)
            .help("leave `augment` out: rows of a table are no pictures");
        return Err(step.span.into_iter().fold(e, |e, span| e.with_span(span.into())));
    }
    let takes_ids = config.model.layers.is_empty() || embeds(config);
    let fills_by_mean = config.data.set.option("missing") == Some(&Value::from("mean"));
    let steps = &mut config.data.preprocess;
    if !steps.iter().any(|step| step.name == "columns") {
        steps.insert(0, Entry::new("columns"));
    }
    // The step standardizes numbers itself, and leaves zeros, ones and ids alone.
    steps.retain(|step| step.name != "standardize");
    for step in steps.iter_mut().filter(|step| step.name == "columns") {
        // Said in any case: with the layers that are made below, the file of the run is one of layers of one's own.
        if step.option("one_hot").is_none() {
            let most = if takes_ids { Columns::ONE_HOT } else { Column::MOST_COUNTED };
            *step = step.clone().with_option("one_hot", most);
        }
        if fills_by_mean && step.option("missing").is_none() {
            *step = step.clone().with_option("missing", "mean");
        }
    }
    Ok(())
}

/// Whether the model begins with the layer that reads ids.
fn embeds(config: &Config) -> bool {
    config.model.layers.first().is_some_and(|layer| layer.name == CategoryEmbedding::NAME)
}

/// Writes the layers of a model for a table, where the file says none; refuses ids that no layer reads.
pub(crate) fn complete(config: &mut Config, steps: &Preprocess, train: &dyn Dataset) -> Result<()> {
    let ids = steps.ids();
    if config.model.layers.is_empty() {
        if std::mem::take(&mut config.data.batch_by_rows) {
            config.data.batch = batch(train.len());
        }
        config.model.layers = layers(&config.train, &ids, train)?;
    } else if !ids.is_empty() && !embeds(config) {
        let message = format!(
            "{} columns of text become ids, and the model does not begin with `category_embedding`",
            ids.len()
        );
        return Err(Error::new(ErrorKind::Model, message).help(format!(
            "begin it with {{ category_embedding = {ids:?} }}, or leave `one_hot` out of `columns`"
        )));
    }
    Ok(())
}

/// Samples a step: fewer of a small table, whose epochs would otherwise hold two or three steps, too few to learn from.
fn batch(rows: usize) -> usize {
    if rows < SMALL { 16 } else { 64 }
}

/// Tables with fewer rows are small.
const SMALL: usize = 500;

/// Two or three layers, as wide as the rows can teach.
fn layers(train: &Train, ids: &[usize], set: &dyn Dataset) -> Result<Vec<Entry>> {
    let info = set.info();
    let (width, depth, dropout) = match set.len() {
        0..SMALL => (32_usize, 1, 0.1),
        SMALL..3000 => (64, 2, 0.1),
        _ if info.classes.is_empty() => (256, 3, 0.0),
        _ => (128, 2, 0.2),
    };
    let mut layers = Vec::new();
    if !ids.is_empty() {
        let most = ids.iter().max().copied().unwrap_or(1);
        // Guo and Berkhahn's and fastai's vectors grow with the number of words; one size is that of the largest column.
        let size = (1.6 * (most as f64).powf(0.4)).round().clamp(2.0, 32.0) as usize;
        let counts: Vec<Value> = ids.iter().map(|&n| n.into()).collect();
        layers
            .push(Entry::new("category_embedding").with_value(Value::List(counts)).with_option("size", size));
    }
    for _ in 0..depth {
        layers.push(Entry::new("linear").with_value(width));
        layers.push(Entry::new("silu"));
        if dropout > 0.0 {
            layers.push(Entry::new("dropout").with_value(dropout));
        }
    }
    let outputs = if info.classes.is_empty() { info.targets.len().max(1) } else { info.classes.len() };
    layers.push(Entry::new("linear").with_value(outputs));
    if info.classes.is_empty()
        && ["mse", "mae", "huber", "smooth_l1", "log_cosh"].contains(&train.loss.name.as_str())
    {
        let (std, mean) = moments(set, outputs)?;
        layers.push(Entry::new("rescaling").with_value(std).with_option("offset", mean));
    }
    Ok(layers)
}

/// Deviation and mean of each target.
fn moments(set: &dyn Dataset, width: usize) -> Result<(Vec<f64>, Vec<f64>)> {
    let all: Vec<usize> = (0..set.len()).collect();
    let mut columns = vec![Vec::with_capacity(all.len()); width];
    for some in all.chunks(4096) {
        let values = set.batch(some)?.y.to(DType::F64).to_vec::<f64>();
        values.chunks(width).for_each(|row| columns.iter_mut().zip(row).for_each(|(c, &v)| c.push(v)));
    }
    let n = all.len().max(1) as f64;
    let of = |column: &Vec<f64>| {
        let first = column.first().copied().unwrap_or(0.0);
        let mean = first + column.iter().map(|v| v - first).sum::<f64>() / n;
        let std = (column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        (if std > 0.0 && std.is_finite() { std } else { 1.0 }, if mean.is_finite() { mean } else { 0.0 })
    };
    Ok(columns.iter().map(of).unzip())
}

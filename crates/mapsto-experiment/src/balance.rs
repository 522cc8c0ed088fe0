//! Classes as a training file speaks of them: weights in the loss, by their numbers or their names, and names in metrics.

use mapsto::data::Dataset;
use mapsto::spec::{Entry, Value, build, nearest};
use mapsto::training::metrics::{Average, Metric};
use mapsto::{Error, ErrorKind, Result};

use crate::config::{ClassWeight, Config, Sampling};
use crate::plain::plain;

/// The class of each training sample; nothing where targets are no classes.
pub(crate) fn labels(set: &dyn Dataset) -> Result<Vec<i64>> {
    match set.info().classes.is_empty() {
        true => Ok(Vec::new()),
        false => (0..set.len()).map(|i| set.label(i)).collect(),
    }
}

/// How many training samples each class has.
fn counts(classes: usize, labels: &[i64]) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for &label in labels {
        if let Some(count) = usize::try_from(label).ok().and_then(|label| counts.get_mut(label)) {
            *count += 1;
        }
    }
    counts
}

/// Writes the weights of the classes into the loss, where `class_weight` asks for it, and refuses what has no classes.
///
/// Balanced, a class weighs `samples / (classes · its samples)`, as in scikit-learn; by name those that are not named weigh 1, as there.
///
/// # Errors
/// Targets that are no classes; a loss without weights of classes, or with some already.
pub(crate) fn apply(config: &mut Config, classes: &[String], labels: &[i64]) -> Result<()> {
    let wants = config.train.class_weight.take();
    let asked = [(wants.is_some(), "class_weight"), (config.data.sampler.is_some(), "sampler")];
    if let (true, Some((_, key))) = (classes.is_empty(), asked.iter().find(|(is_there, _)| *is_there)) {
        let message = format!("`{key}` is for classes, and the targets are none");
        return Err(Error::new(ErrorKind::Usage, message).help(format!("leave `{key}` out")));
    }
    let Some(wants) = wants else { return Ok(()) };
    if config.data.sampler == Some(Sampling::Balanced) && wants == ClassWeight::Balanced {
        let message = "`class_weight` and `sampler` would both make up for the same";
        return Err(Error::new(ErrorKind::Usage, message).help("leave one of them out"));
    }
    let loss = &mut config.train.loss;
    if !["cross_entropy", "nll"].contains(&loss.name.as_str()) || loss.option("weights").is_some() {
        let message = format!("`class_weight` gives weights to a loss that has none, and `loss = {loss}`");
        return Err(Error::new(ErrorKind::Usage, message)
            .help("take `loss = \"cross_entropy\"`, or leave `class_weight` out"));
    }
    let weights = match wants {
        ClassWeight::Balanced => {
            let counts = counts(classes.len(), labels);
            let present = counts.iter().filter(|&&n| n > 0).count() as f64;
            let weight = |&n: &usize| if n == 0 { 0.0 } else { labels.len() as f64 / (present * n as f64) };
            counts.iter().map(weight).collect()
        }
        ClassWeight::Each(named) => {
            let mut weights = vec![1.0; classes.len()];
            for (name, weight) in named {
                weights[number_of(classes, &name)?] = weight;
            }
            weights
        }
    };
    *loss = loss.clone().with_option("weights", weights);
    Ok(())
}

/// The number of a class by its name.
///
/// # Errors
/// There is no such class, with those there are.
pub(crate) fn number_of(classes: &[String], name: &str) -> Result<usize> {
    const MOST: usize = 12;
    if let Some(at) = classes.iter().position(|class| class == name) {
        return Ok(at);
    }
    let error = Error::new(ErrorKind::Usage, format!("there is no class `{}`", plain(name)));
    if classes.is_empty() {
        return Err(error.help("the targets are no classes"));
    }
    let near = nearest(name, classes.iter().map(String::as_str));
    let near = near.map_or(String::new(), |near| format!("did you mean \"{}\"? ", plain(near)));
    let shown = classes.iter().take(MOST).map(|class| plain(class)).collect::<Vec<_>>().join(", ");
    let more = if classes.len() > MOST { ", …" } else { "" };
    Err(error.help(format!("{near}the classes are {shown}{more}")))
}

/// Whether a metric names a class by a word: `{ f1 = "spam" }` or `{ f1 = true, class = "spam" }`.
pub(crate) fn names_class(entry: &Entry) -> bool {
    let is_average = |word: &str| Average::from_name(word).is_some();
    entry.option("class").is_some()
        || (matches!(&entry.value, Some(Value::Str(word)) if !is_average(word)) && takes_average(entry))
}

/// Whether the main value of a metric is an average over classes, or one of them.
fn takes_average(entry: &Entry) -> bool {
    let with =
        |value: usize| build::<dyn Metric>(&Entry::new(entry.name.as_str()).with_value(value), &()).is_ok();
    let words = build::<dyn Metric>(&Entry::new(entry.name.as_str()).with_value("macro"), &()).is_ok();
    words && with(0)
}

/// A metric with the number of the class that it names.
///
/// # Errors
/// There is no such class.
pub(crate) fn numbered(entry: &Entry, classes: &[String]) -> Result<Entry> {
    if !names_class(entry) {
        return Ok(entry.clone());
    }
    let placed = |e: Error| entry.span.into_iter().fold(e, |e, span| e.with_span(span.into()));
    let class = match entry.option("class").or(entry.value.as_ref()) {
        Some(Value::Str(name)) => number_of(classes, name).map_err(|e| {
            let help = e.help_text().unwrap_or_default().to_string();
            placed(e.help(format!("{help}; averages over all are \"macro\", \"micro\" and \"weighted\"")))
        })?,
        Some(Value::Int(class)) if *class >= 0 => *class as usize,
        _ => {
            let e = Error::new(
                ErrorKind::Usage,
                format!("the class of `{}` is neither a name nor a number", entry.name),
            );
            return Err(placed(e.help(format!("write {{ {} = \"NAME\" }}", entry.name))));
        }
    };
    let mut entry = entry.clone().with_value(class);
    entry.options.retain(|(name, _)| name != "class");
    Ok(entry)
}

//! Classes of very different numbers: weights in the loss, an order in which all come equally often, and a word where neither is
//! asked for.

use mapsto::data::Dataset;
use mapsto::{Error, ErrorKind, Result};

use crate::config::{Config, Sampling};
use crate::plain::plain;

/// From this ratio of the largest class to the smallest on it is worth a word.
const WORTH_A_WORD: usize = 10;

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
/// A class weighs `samples / (classes · its samples)`, as in scikit-learn.
///
/// # Errors
/// Targets that are no classes; a loss without weights of classes, or with some already.
pub(crate) fn apply(
    config: &mut Config,
    classes: &[String],
    labels: &[i64],
    note: &mut dyn FnMut(&str),
) -> Result<()> {
    let wants = config.train.class_weight.take();
    let asked = [(wants.is_some(), "class_weight"), (config.data.sampler.is_some(), "sampler")];
    if let (true, Some((_, key))) = (classes.is_empty(), asked.iter().find(|(is_there, _)| *is_there)) {
        let message = format!("`{key} = \"balanced\"` is for classes, and the targets are none");
        return Err(Error::new(ErrorKind::Usage, message).help(format!("leave `{key}` out")));
    }
    let counts = counts(classes.len(), labels);
    if wants.is_some() {
        if config.data.sampler == Some(Sampling::Balanced) {
            let message = "`class_weight` and `sampler` would both make up for the same";
            return Err(Error::new(ErrorKind::Usage, message).help("leave one of them out"));
        }
        let loss = &mut config.train.loss;
        if !["cross_entropy", "nll"].contains(&loss.name.as_str()) || loss.option("weights").is_some() {
            let message =
                format!("`class_weight` gives weights to a loss that has none, and `loss = {loss}`");
            return Err(Error::new(ErrorKind::Usage, message)
                .help("take `loss = \"cross_entropy\"`, or leave `class_weight` out"));
        }
        let present = counts.iter().filter(|&&n| n > 0).count() as f64;
        let weight = |&n: &usize| if n == 0 { 0.0 } else { labels.len() as f64 / (present * n as f64) };
        *loss = loss.clone().with_option("weights", counts.iter().map(weight).collect::<Vec<f64>>());
        return Ok(());
    }
    let most = counts.iter().enumerate().max_by_key(|(_, n)| **n);
    let least = counts.iter().enumerate().filter(|(_, n)| **n > 0).min_by_key(|(_, n)| **n);
    let is_left_alone = config.data.sampler.is_none() && config.train.loss.option("weights").is_none();
    if let (Some((a, &most)), Some((b, &least)), true) = (most, least, is_left_alone)
        && most >= least.saturating_mul(WORTH_A_WORD)
    {
        let (a, b) = (plain(&classes[a]), plain(&classes[b]));
        let share = 100.0 * most as f64 / labels.len() as f64;
        note(&format!(
            "the classes differ much in number: {most} samples of {a}, {least} of {b}. Who always says {a} is right in {share:.1} %: \
             look at `f1` and `recall`; `class_weight = \"balanced\"` in [train] makes up for it, or `sampler = \"balanced\"` in [data]"
        ));
    }
    Ok(())
}

//! Several answers of yes or no a sample: how well each is given.

use mapsto::training::Outputs;
use mapsto::{DType, Result};

use super::html::{grouped, table, text};
use super::{Facts, Section};

/// The section.
pub fn section(facts: &Facts<'_>) -> Result<Option<Section>> {
    let Some((found, predictions)) = facts.test else { return Ok(None) };
    let outputs = facts.experiment.outputs();
    let (y, target) = (&predictions.y, &predictions.target);
    let is_each = matches!(outputs, Outputs::Logit | Outputs::Probabilities);
    let width = match y.shape() {
        [_, k] if *k > 1 && is_each && y.shape() == target.shape() && found.confusion.is_none() => *k,
        _ => return Ok(None),
    };
    let at = predictions.threshold.unwrap_or(if outputs == Outputs::Probabilities { 0.5 } else { 0.0 });
    let (y, target) = (y.to(DType::F64).to_vec::<f64>(), target.to(DType::F64).to_vec::<f64>());
    let info = &facts.experiment.info;
    let name = |i: usize| info.targets.get(i).map_or_else(|| facts.class(i), |name| crate::plain(name));
    let count = |i: usize, what: &dyn Fn(bool, bool) -> bool| {
        let rows = y.chunks_exact(width).zip(target.chunks_exact(width));
        rows.filter(|(y, t)| what(y[i] >= at, t[i] >= 0.5)).count() as u64
    };
    let share =
        |a: u64, b: u64| if b == 0 { "–".to_string() } else { format!("{:.3}", a as f64 / b as f64) };
    let row = |i: usize| {
        let right = count(i, &|given, is| given && is);
        let (given, is) = (count(i, &|given, _| given), count(i, &|_, is| is));
        vec![
            text(&name(i)),
            share(right, given),
            share(right, is),
            share(2 * right, given + is),
            grouped(is),
            grouped(given),
        ]
    };
    let rows: Vec<_> = (0..width).map(row).collect();
    let head = [
        ("label", false),
        ("precision", true),
        ("recall", true),
        ("F1", true),
        ("samples with it", true),
        ("given", true),
    ];
    let whole = y.chunks_exact(width).zip(target.chunks_exact(width));
    let whole = whole.filter(|(y, t)| y.iter().zip(*t).all(|(y, t)| (*y >= at) == (*t >= 0.5))).count();
    let html = format!(
        "<p>All {width} answers are right for {:.2} % of the samples.</p>\n{}",
        100.0 * whole as f64 / (y.len() / width).max(1) as f64,
        table("precision, recall and F1 of each label", &head, &rows)
    );
    Ok(Some(Section { id: "labels", title: "Labels", html }))
}

//! The plots of a run: which there are, and what each is drawn from.

use mapsto::nn::{Layer, ModuleExt};
use mapsto::training::{Evaluation, History, Predictions, RunFolder, plots};
use mapsto::{Result, Tensor};
use mapsto_experiment::{Curves, Experiment, plain};

/// Draws the loss and each metric by epoch.
///
/// # Errors
/// A file that cannot be written.
pub fn draw_curves(folder: &RunFolder, history: &History) -> Result<()> {
    for column in history.columns().iter().filter(|column| !column.starts_with("val ")) {
        folder.write_plot(&file_name(column), &plots::curves(history, column)?)?;
    }
    Ok(())
}

/// Draws what the test found: who was taken for whom, and the most confident mistakes where samples are pictures.
///
/// # Errors
/// A damaged sample; a file that cannot be written.
pub fn draw_test(
    folder: &RunFolder,
    experiment: &Experiment,
    found: &Evaluation,
    predictions: &Predictions,
) -> Result<()> {
    // A picture that holds control characters is no XML.
    let classes: &Vec<String> = &experiment.info.classes.iter().map(|name| plain(name)).collect();
    if let Some(confusion) = &found.confusion {
        folder.write_plot("confusion", &plots::confusion(&confusion.clone().named(classes))?)?;
    }
    draw_judged(folder, "", &experiment.curves(predictions)?)?;
    let Some(test) = &experiment.test else { return Ok(()) };
    let is_picture = matches!(experiment.config.model.input.as_deref(), Some([1 | 3, h, w]) if h * w > 1);
    let mistakes = predictions.mistakes(experiment.outputs());
    if is_picture && !mistakes.is_empty() {
        let svg = plots::misclassified(&mistakes, classes, |i| Ok(test.dataset().batch(&[i])?.x.squeeze(0)))?;
        folder.write_plot("misclassified", &svg)?;
    }
    Ok(())
}

/// Draws the curves of a test, as `plots/roc.svg` and so on below a folder; says which were drawn.
///
/// # Errors
/// A file that cannot be written.
pub fn draw_judged(folder: &RunFolder, below: &str, curves: &Curves) -> Result<Vec<String>> {
    fn named<T: Clone>(curves: &[(String, T)]) -> Vec<(String, T)> {
        // A picture that holds control characters is no XML.
        curves.iter().map(|(name, curve)| (plain(name), curve.clone())).collect()
    }
    let mut drawn = Vec::new();
    let mut write = |name: &str, svg: String| -> Result<()> {
        folder.write_plot(&format!("{below}{name}"), &svg)?;
        drawn.push(format!("{below}{name}.svg"));
        Ok(())
    };
    if !curves.roc.is_empty() {
        write("roc", plots::roc(&named(&curves.roc))?)?;
    }
    if !curves.precision_recall.is_empty() {
        write("precision_recall", plots::precision_recall(&named(&curves.precision_recall))?)?;
    }
    if !curves.reliability.is_empty() {
        write("reliability", plots::reliability(&curves.reliability)?)?;
    }
    for (name, off) in &curves.residuals {
        let name = plain(name);
        let file = match curves.residuals.len() {
            1 => "residuals".to_string(),
            _ => format!("residuals-{}", file_name(&name)),
        };
        write(&file, plots::residuals(&name, off)?)?;
    }
    Ok(drawn)
}

/// Draws the filters of the first layer, where they look at pictures.
///
/// # Errors
/// A file that cannot be written.
pub fn draw_filters(folder: &RunFolder, model: &dyn Layer, input: &[usize]) -> Result<()> {
    let first: Option<Tensor> = model.parameters().into_iter().next().map(|(_, weight)| weight);
    if let Some(svg) = first.map(|weight| plots::filters(&weight, input)).transpose()?.flatten() {
        folder.write_plot("filters", &svg)?;
    }
    Ok(())
}

/// A column's name as a file's: `macro f1` is drawn in `macro-f1.svg`.
fn file_name(column: &str) -> String {
    column.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect()
}

//! What a run says of itself before and after: the model and data it starts with, the test it ends with.

use mapsto::data::{Column, Loader};
use mapsto::nn::ModuleExt;
use mapsto::training::diagnosis::{Finding, diagnose};
use mapsto::training::{Evaluation, ModelFile, RunFolder, readable};
use mapsto::{Error, ErrorKind, MatmulPrecision, Operands, Result};
use mapsto_experiment::{
    Confused, Curves, Experiment, Judgement, Preflight, Trained, Understood, Verdict, plain,
};

use crate::output::say;
use crate::pictures;

/// One line on the data, one on the model, and one on matrix products that are not of full precision.
pub fn opening(experiment: &Experiment) -> String {
    let samples = |loader: &Option<Loader>| loader.as_ref().map_or(0, |l| l.dataset().len());
    let config = &experiment.config;
    let mut data = format!(
        "data   {}  {} training samples",
        config.data.set.name,
        grouped(experiment.train.dataset().len())
    );
    for (count, what) in
        [(samples(&experiment.validation), "validation"), (samples(&experiment.test), "test")]
    {
        if count > 0 {
            data += &format!(", {} {what}", grouped(count));
        }
    }
    if !experiment.understood.is_empty() {
        data += &format!("\n{}", columns(&experiment.understood));
    }
    let layers = config.model.layers.len();
    let input = config.model.input.clone().unwrap_or_default();
    let model = format!(
        "model  {layers} layers, {} parameters, input {input:?}, seed {}",
        grouped(experiment.model.parameter_count()),
        config.train.seed
    );
    match products(config.train.matmul_precision) {
        Some(products) => format!("{data}\n{model}\nmatmul {products}"),
        None => format!("{data}\n{model}"),
    }
}

/// What was found before the first step: a line for each check, and what to try where one did not find all well.
///
/// # Errors
/// A damaged sample.
pub fn preflight(experiment: &Experiment, deep: bool) -> Result<()> {
    let found = experiment.preflight()?;
    let deep = deep.then(|| experiment.preflight_deep()).transpose()?;
    findings(found.findings.iter().chain(&deep));
    Ok(())
}

/// A line for each finding, and what to try.
pub fn findings<'a>(found: impl Iterator<Item = &'a mapsto_experiment::Finding>) {
    for mapsto_experiment::Finding { check, verdict, text, help } in found {
        let verdict = match verdict {
            Verdict::Fine => "check ",
            Verdict::Look => "look  ",
            Verdict::Warning => "warn  ",
        };
        say!("{verdict} {check}: {text}");
        if let Some(help) = help {
            say!("       help: {help}");
        }
    }
}

/// What was understood of the columns of a table, and what the model gets of each: a line a column.
pub fn columns(understood: &[Understood]) -> String {
    const MOST: usize = 40;
    let distinct = |n: usize| match n {
        Column::MOST_COUNTED => format!("{}+", grouped(n)),
        n => grouped(n),
    };
    let mut rows = vec![["column", "type", "distinct", "missing", "used as"].map(String::from)];
    rows.extend(understood.iter().take(MOST).map(|u| {
        [plain(&u.column), u.kind.clone(), distinct(u.distinct), grouped(u.missing), u.used_as.clone()]
    }));
    let width = |i: usize| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(width);
    let line = |[a, b, c, d, e]: &[String; 5]| {
        let [wa, wb, wc, wd] = widths;
        format!("       {a:<wa$}  {b:<wb$}  {c:>wc$}  {d:>wd$}  {e}")
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if understood.len() > MOST {
        lines.push(format!("       and {} more columns", understood.len() - MOST));
    }
    lines.join("\n")
}

/// What a precision does to matrix products on this processor, if it asks for anything.
fn products(precision: MatmulPrecision) -> Option<String> {
    let operands = match precision.operands() {
        _ if precision == MatmulPrecision::Highest => return None,
        Operands::Rounded => "operands rounded to bf16 while training, sums in f32",
        Operands::Halved => "operands taken as sums of two bf16 while training, sums in f32",
        Operands::Whole => "nothing is rounded, f32 is faster on this processor",
    };
    Some(format!("{precision}: {operands}"))
}

/// Scores the test set, on which no model has been judged before; writes predictions and plots, and prints the result, which
/// is returned where there is a test set.
///
/// # Errors
/// A damaged sample; a file that cannot be written.
pub fn closing(trained: &Trained) -> Result<Option<Evaluation>> {
    let Trained { experiment, history, .. } = trained;
    let folder = trained.folder();
    if let Some(reason) = &history.stopped {
        say!("stopped early: {reason}");
    }
    if experiment.config.train.dev_run.is_none() {
        for Finding { text, help, .. } in diagnose(history) {
            say!("curves {text}\n       help: {help}");
        }
    }
    pictures::draw_curves(folder, history)?;
    let input = experiment.config.model.input.as_deref().unwrap_or_default();
    pictures::draw_filters(folder, &experiment.model, input)?;
    let found = results(experiment, folder)?;
    let predictions = experiment.predictions()?;
    let test = found.as_ref().zip(predictions.as_ref());
    if let Some((found, predictions)) = test {
        pictures::draw_test(folder, experiment, found, predictions)?;
        experiment.save_predictions(folder, predictions)?;
    }
    experiment.write_report(folder, history, test)?;
    Ok(found)
}

/// Makes a loss that is no number a failure, once all that was found has been said and written.
///
/// # Errors
/// The loss is not finite.
pub fn check_finite(found: Option<&Evaluation>) -> Result<()> {
    match found {
        Some(found) if !found.loss.is_finite() => {
            let message = format!("the loss on the test samples is {}", found.loss);
            Err(Error::new(ErrorKind::NonFinite, message).help(
                "look in the test data for inputs or targets far beyond those that the model was trained on",
            ))
        }
        _ => Ok(()),
    }
}

/// Scores the test set, if there is one, and prints the result.
///
/// # Errors
/// A damaged sample.
pub fn results(experiment: &Experiment, folder: &RunFolder) -> Result<Option<Evaluation>> {
    let Some(test) = &experiment.test else { return Ok(None) };
    let found = experiment.evaluate(test)?;
    let file = folder.best().is_file().then(|| ModelFile::read(folder.best())).transpose()?;
    say!("test   {}", scored(&found, file.as_ref()));
    if let Some(baselines) = Preflight::baselines_of(folder) {
        say!("beside {baselines}");
    }
    Ok(Some(found))
}

/// A line of results, and of which epoch the weights are, where their file says so: `.., best of epoch 12`; also of what they are an average.
pub fn scored(found: &Evaluation, file: Option<&ModelFile>) -> String {
    let epoch = file.and_then(ModelFile::best_epoch).map(|epoch| format!(", best of epoch {epoch}"));
    let average = file.and_then(ModelFile::averaged).map(|average| format!(", weights: {average}"));
    [Some(line(found)), epoch, average].into_iter().flatten().collect()
}

/// `loss 0.0289  accuracy 99.12 %  (10,000 samples in 2.1 s)`.
fn line(found: &Evaluation) -> String {
    let mut text = format!("loss {}", readable(found.loss, 4));
    for (name, value) in &found.metrics {
        text += &format!("  {name} {}", metric(name, *value));
    }
    text + &format!("  ({} samples in {})", grouped(found.samples as usize), duration(found.seconds))
}

/// Shares of samples read best in percent; errors keep the unit of the target.
fn metric(name: &str, value: f64) -> String {
    if name.ends_with("accuracy") { format!("{:.2} %", 100.0 * value) } else { readable(value, 4) }
}

/// Metrics with their intervals, the report of classes, calibration, and the worst samples.
pub fn judged(found: &Judgement) -> String {
    let mut text = String::new();
    let width = found.numbers.iter().map(|n| n.name.chars().count()).max().unwrap_or(0);
    for n in &found.numbers {
        let interval = n.interval.map_or("no interval".to_string(), |i| {
            format!("{} to {}", metric(&n.name, i.low), metric(&n.name, i.high))
        });
        text += &format!("\n{:width$}  {:>9}   {interval}", n.name, metric(&n.name, n.value));
    }
    if !found.numbers.is_empty() {
        let how = if found.stratified { ", which keep the number of each class" } else { "" };
        text += &format!("\n95 % intervals of {} bootstrap draws{how}", found.resamples);
    }
    if let Some(report) = &found.report {
        let classes = report.rows.iter().enumerate();
        let is_meant = |c: usize| found.numbers.iter().any(|n| n.name.ends_with(&format!(" of class {c}")));
        let meant = classes.filter(|(c, _)| is_meant(*c));
        let meant: Vec<String> = meant.map(|(c, row)| format!("class {c} is {}", plain(&row.name))).collect();
        if !meant.is_empty() {
            text += &format!("\n{}", meant.join(", "));
        }
        text += &format!("\n\n{}", report.to_string().trim_end());
    }
    if let Some(report) = &found.labels {
        text += &format!("\n\n{}", report.to_string().trim_end());
    }
    text += &curves(&found.curves);
    if let Some(c) = &found.calibration {
        text += &format!(
            "\n\ncalibration error {}; with logits divided by a temperature of {}, fitted on the validation samples, {}",
            readable(c.before, 4),
            readable(c.temperature, 4),
            readable(c.after, 4)
        );
        let [before, after] = c.log_loss.map(|loss| readable(loss, 4));
        text += &format!("; log loss {before}, and then {after}\n");
        text += match c.is_kept {
            true => "the model file keeps this temperature: `mapsto predict` gives calibrated probabilities",
            false => {
                "`mapsto eval RUN --calibrate` keeps this temperature in the model file, and no answer changes but its probability"
            }
        };
    }
    if !found.worst.is_empty() {
        text += "\n\nworst samples";
        for w in &found.worst {
            let [name, truth, given] = [&w.name, &w.truth, &w.prediction].map(|s| plain(s));
            text += &format!(
                "\n  {name}: {truth}, predicted {given}, {} {}",
                if found.report.is_some() { "loss" } else { "off by" },
                readable(w.loss, 4)
            );
        }
    }
    text
}

/// `12 of left taken for right`.
pub fn confused(found: &Confused) -> String {
    format!("{:>5} of {} taken for {}", found.count, plain(&found.truth), plain(&found.predicted))
}

/// The areas under the curves of classes or labels where there are several, and how far numbers are off.
fn curves(found: &Curves) -> String {
    const MOST: usize = 20;
    let mut text = String::new();
    if found.roc.len() > 1 {
        let width = found.roc.iter().map(|(name, _)| plain(name).chars().count()).max().unwrap_or(0).max(5);
        text += &format!("\n\n{:>width$}  {:>9} {:>17}", "", "roc auc", "average precision");
        for (name, roc) in found.roc.iter().take(MOST) {
            let of = found.precision_recall.iter().find(|(other, _)| other == name);
            let precision = of.map_or(String::new(), |(_, curve)| format!("{:.4}", curve.average_precision));
            text += &format!("\n{:>width$}  {:>9.4} {precision:>17}", plain(name), roc.auc);
        }
        if found.roc.len() > MOST {
            text += &format!("\nand {} more", found.roc.len() - MOST);
        }
    }
    for (name, off) in &found.residuals {
        let [mean, std] = [off.mean, off.std].map(|v| readable(v, 4));
        let [_, low, first, median, third, high, _] = off.quantiles.map(|v| readable(v, 4));
        text += &format!(
            "\n\nresiduals of {} (predicted − true): mean {mean}, deviation {std}, median {median}, half between {first} and {third}, 90 % between {low} and {high}",
            plain(name)
        );
    }
    text
}

/// `1234567` as `1,234,567`.
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds in words of at most two units.
pub fn duration(seconds: f64) -> String {
    // Rounded before it is divided: 179.7 s are three minutes, not two and 60 seconds.
    let (whole, minutes) = (seconds.round(), (seconds / 60.0).round());
    match seconds {
        s if s < 0.0995 => format!("{:.0} ms", 1e3 * s),
        s if s < 119.95 => format!("{s:.1} s"),
        _ if whole < 7200.0 => format!("{:.0} min {:.0} s", (whole / 60.0).floor(), whole % 60.0),
        _ => format!("{:.0} h {:.0} min", (minutes / 60.0).floor(), minutes % 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precision_says_what_it_does_here() {
        assert_eq!(products(MatmulPrecision::Highest), None);
        for precision in [MatmulPrecision::High, MatmulPrecision::Medium, MatmulPrecision::Bf16] {
            let said = products(precision).unwrap();
            assert!(said.starts_with(&format!("{precision}: ")));
            assert_eq!(said.contains("rounded to bf16"), precision.operands() == Operands::Rounded);
            assert_eq!(said.contains("nothing"), precision.operands() == Operands::Whole);
        }
    }

    #[test]
    fn no_duration_has_60_of_a_unit() {
        for tenths in 0..400_000_u32 {
            let said = duration(f64::from(tenths) / 10.0);
            assert!(
                !said.contains(" 60 ") && !said.contains("min 60") && !said.starts_with("120.0"),
                "{tenths}: {said}"
            );
        }
        assert_eq!([179.7, 7199.8, 10_799.0].map(duration), ["3 min 0 s", "2 h 0 min", "3 h 0 min"]);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.012, 2.14, 119.9, 125.0, 7260.0].map(duration),
            ["12 ms", "2.1 s", "119.9 s", "2 min 5 s", "2 h 1 min"]
        );
    }
}

//! What the curves say in words, what was found before the first step, and what to try next.

use mapsto::Result;
use mapsto::spec::Json;
use mapsto::training::History;
use mapsto::training::metrics::{Better, better_of};

use super::html::{counted, number, prose, value};
use super::{Facts, Section};

/// What is to be said, and what to try.
#[derive(Debug, PartialEq)]
pub struct Advice {
    pub title: String,
    pub text: String,
    /// Whether something goes wrong.
    pub is_bad: bool,
}

/// The section.
pub fn section(facts: &Facts<'_>) -> Result<Option<Section>> {
    let mut all = of(facts.history, facts.best);
    if let Some(reason) = &facts.history.stopped {
        all.insert(0, advice(format!("The training ended early: {reason}"), String::new(), false));
    }
    if let Some(pairs) = confused(facts) {
        all.push(pairs);
    }
    all.extend(warnings(facts));
    Ok(render(&all))
}

/// The advice as a section.
pub fn render(all: &[Advice]) -> Option<Section> {
    if all.is_empty() {
        return None;
    }
    let item = |a: &Advice| {
        let rest = if a.text.is_empty() { String::new() } else { format!("<p>{}</p>", prose(&a.text)) };
        format!("<li{}><b>{}</b>{rest}</li>\n", if a.is_bad { " class=\"bad\"" } else { "" }, prose(&a.title))
    };
    let html = format!("<ul class=\"advice\">\n{}</ul>\n", all.iter().map(item).collect::<String>());
    Some(Section { id: "next", title: "What to try next", html })
}

fn advice(title: impl Into<String>, text: impl Into<String>, is_bad: bool) -> Advice {
    Advice { title: title.into(), text: text.into(), is_bad }
}

/// What the curves of loss say.
///
/// A model overfits where the validation loss has risen by a tenth above its least while the training loss went on falling; it still
/// learns where its last tenth of epochs gained more than 2 %; it has a gap where it is much better on what it was trained on.
pub fn of(history: &History, best: Option<usize>) -> Vec<Advice> {
    let (train, val) = (history.column("loss"), history.column("val loss"));
    let judged = if val.is_empty() { &train } else { &val };
    let n = judged.len();
    if let Some((epoch, _)) = judged.iter().chain(&train).find(|(_, v)| !v.is_finite()) {
        return vec![advice(
            format!("The loss is no finite number in epoch {epoch}"),
            "Lower the learning rate, clip gradients with `clip_norm = 1.0` in [train], or standardise the inputs.",
            true,
        )];
    }
    if n < 3 {
        let text = match best.or(history.rows.last().map(|row| row.epoch)) {
            Some(epoch) if n == 2 && judged[1].1 < judged[0].1 => format!(
                "The loss still fell in epoch {epoch}: train for more epochs with `--epochs` and look again."
            ),
            _ => "Train for more epochs with `--epochs` and look again.".to_string(),
        };
        return vec![advice(
            format!("{} are too few for curves to say much", counted(n, "epoch")),
            text,
            false,
        )];
    }
    let (first, last) = (judged[0].1, judged[n - 1].1);
    let (at, least) = judged.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((1, first));
    // Of losses that may be negative, as likelihoods are, a share says nothing: what counts is how far the training came.
    let range = (judged.iter().map(|(_, v)| *v).fold(f64::NEG_INFINITY, f64::max) - least)
        .max(least.abs() * 1e-3)
        .max(1e-12);
    let mut all = Vec::new();
    let train_at = |epoch: usize| train.iter().find(|(e, _)| *e == epoch).map(|(_, v)| *v);
    let falls = train_at(at).zip(train.last()).is_some_and(|(then, now)| now.1 < then - 0.02 * then.abs());
    let rose = last - least;
    let is_over =
        !val.is_empty() && at < judged[n - 1].0 && falls && rose > 0.1 * least.abs().max(0.02 * range);
    if is_over {
        all.push(advice(
            format!("It overfits from epoch {at} on"),
            format!(
                "The validation loss was {} there and is {} now, while the training loss went on falling: the model learns its samples by heart. \
                 More or augmented data help most; then `dropout`, weight decay, a smaller model, or `callbacks = [{{ early_stop = \"val loss\" }}]`, \
                 which saves the epochs after that.",
                number(least),
                number(last)
            ),
            true,
        ));
    }
    let tenth = (n / 10).max(1);
    let before = judged[..n - tenth].iter().map(|(_, v)| *v).fold(f64::INFINITY, f64::min);
    if before - least > 0.02 * before.abs().max(0.05 * range) && at + tenth > judged[n - 1].0 {
        all.push(advice(
            "It was still learning when it ended",
            format!(
                "{} lowered the loss from {} to {}. Train longer with `--epochs {}`, or with a higher learning rate.",
                if tenth == 1 { "The last epoch".to_string() } else { format!("The last {tenth} epochs") },
                number(before),
                number(least),
                2 * n
            ),
            false,
        ));
    }
    if let Some(found) = gap(history, best).filter(|_| !is_over) {
        all.push(found);
    }
    if first - least < 0.02 * first.abs() {
        all.push(advice(
            "It learns next to nothing",
            format!(
                "In {} the loss went from {} to {} only. Try another learning rate, ten times higher and ten times lower; see whether inputs are \
                 standardised; see with `--check deep` whether the model can learn one batch by heart.",
                counted(n, "epoch"),
                number(first),
                number(least)
            ),
            true,
        ));
    }
    let jumps = judged.windows(2).filter(|w| w[1].1 - w[0].1 > 0.15 * range).count();
    if n >= 6 && jumps * 4 > n {
        all.push(advice(
            "The loss jumps up and down",
            "The learning rate is probably too high for the end: lower it, or let it fall with `schedule = \"cosine\"`; where the validation \
             samples are few, hold out more of them.",
            false,
        ));
    }
    if all.is_empty() {
        let text = "The loss fell and levelled off, and training and validation agree. To get further, try a larger model or more data.";
        all.push(advice("The curves look as they should", text, false));
    }
    all
}

/// A model that is much better on what it was trained on.
fn gap(history: &History, best: Option<usize>) -> Option<Advice> {
    let row = history.rows.iter().find(|row| Some(row.epoch) == best).or(history.rows.last())?;
    for (name, train) in &row.values {
        let Some(val) = row.value(&format!("val {name}")) else { continue };
        let is_share = name.ends_with("accuracy") || name.ends_with("f1");
        let is_wide = match better_of(name) {
            Better::Higher if is_share => train - val > 0.05,
            Better::Lower if name != "loss" => val > 1.5 * train && *train > 0.0,
            _ => false,
        };
        if is_wide {
            return Some(advice(
                "There is a gap between training and validation",
                format!(
                    "In epoch {} the {name} is {} on the samples it was trained on and {} on the others. More or augmented data, `dropout` and weight \
                     decay make it smaller.",
                    row.epoch,
                    value(name, *train),
                    value(name, val)
                ),
                false,
            ));
        }
    }
    None
}

/// The classes that are most often taken for one another.
fn confused(facts: &Facts<'_>) -> Option<Advice> {
    let matrix = facts.test?.0.confusion.as_ref()?;
    let mistakes = matrix.mistakes();
    let all: u64 = mistakes.iter().map(|m| m.2).sum();
    let (actual, predicted, n) = *mistakes.first()?;
    (n >= 5 && n * 5 > all && matrix.classes() > 2).then(|| {
        advice(
            format!("{} is most often taken for {}", facts.class(actual), facts.class(predicted)),
            format!("These are {n} of {all} mistakes: look at such samples below, whether their labels are right, and add more of them."),
            false,
        )
    })
}

/// What was found before the first step and is not well.
fn warnings(facts: &Facts<'_>) -> Vec<Advice> {
    let findings = facts.preflight.as_ref().and_then(|found| found.get("findings")).and_then(Json::list);
    let one = |f: &Json| {
        let verdict = f.get("verdict")?.str().filter(|verdict| *verdict == "warning")?;
        let help = f.get("help").and_then(Json::str).unwrap_or_default();
        let title = format!("Before the training, {}: {}", f.get("check")?.str()?, f.get("text")?.str()?);
        Some(advice(title, help, verdict == "warning"))
    };
    findings.into_iter().flatten().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto::training::Row;

    fn history(train: &[f64], val: &[f64]) -> History {
        let row = |(i, (&loss, &val)): (usize, (&f64, &f64))| Row {
            epoch: i + 1,
            step: 0,
            lr: 0.1,
            values: vec![("loss".into(), loss), ("val loss".into(), val)],
            seconds: 1.0,
            samples_per_second: 1.0,
            waiting: 0.0,
        };
        History { rows: train.iter().zip(val).enumerate().map(row).collect(), ..History::default() }
    }

    #[test]
    fn each_kind_of_curve_is_told() {
        let falling: Vec<f64> = (0..20).map(|i| 2.0 * 0.8f64.powi(i)).collect();
        let flat: Vec<f64> = (0..20).map(|i| 0.5 + 1.5 * 0.4f64.powi(i)).collect();
        let turning: Vec<f64> = (0..20).map(|i| 0.5 + 0.004 * f64::from(i - 8).powi(2)).collect();
        let jumping: Vec<f64> = (0..20).map(|i| 0.5 + 0.4 * f64::from(i % 2)).collect();
        let said = |train: &[f64], val: &[f64]| of(&history(train, val), None)[0].title.clone();
        assert_eq!(said(&falling, &turning), "It overfits from epoch 9 on");
        assert_eq!(said(&falling, &falling), "It was still learning when it ended");
        assert_eq!(said(&flat, &flat), "The curves look as they should");
        assert_eq!(said(&[2.3; 8], &[2.3; 8]), "It learns next to nothing");
        assert_eq!(said(&falling[..2], &falling[..2]), "2 epochs are too few for curves to say much");
        assert_eq!(said(&[1.0, f64::NAN, 1.0], &[1.0; 3]), "The loss is no finite number in epoch 2");
        let jumps = of(&history(&flat, &jumping), None);
        assert!(jumps.iter().any(|a| a.title == "The loss jumps up and down"), "{jumps:?}");
    }
}

//! What the curves say in words, what was found before the first step, and what to try next.

use mapsto::Result;
use mapsto::spec::Json;
use mapsto::training::History;
use mapsto::training::diagnosis::{Finding, Pattern, diagnose};
use mapsto::training::metrics::{Better, better_of};

use super::html::{counted, prose, value};
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

/// What the curves say: what [`diagnose`] finds, and besides that the validation jumps, or is far behind in a metric.
pub fn of(history: &History, best: Option<usize>) -> Vec<Advice> {
    let n = history.rows.len();
    let found = diagnose(history);
    let is_over = found.iter().any(|f| matches!(f.pattern, Pattern::Overfitting | Pattern::Divergence));
    let mut all: Vec<Advice> = found.iter().map(curve).collect();
    if n < 3 && all.is_empty() {
        let title = format!("{} are too few for curves to say much", counted(n, "epoch"));
        all.push(advice(
            title.replace("1 epoch are", "1 epoch is"),
            "Train for more epochs with `--epochs` and look again.",
            false,
        ));
    }
    all.extend(gap(history, best).filter(|_| !is_over));
    all.extend(jumps(history).filter(|_| !is_over));
    if all.is_empty() {
        let text = "The loss fell and levelled off, and training and validation agree. To get further, try a larger model or more data.";
        all.push(advice("The curves look as they should", text, false));
    }
    all
}

fn curve(found: &Finding) -> Advice {
    let is_bad = matches!(found.pattern, Pattern::Divergence | Pattern::Overfitting | Pattern::Underfitting);
    advice(sentence(&found.text), sentence(&found.help) + ".", is_bad)
}

/// With a capital letter at its beginning.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A loss that rises in more than a quarter of the epochs, by more than a seventh of all that it went through.
fn jumps(history: &History) -> Option<Advice> {
    let val = history.column("val loss");
    let judged = if val.is_empty() { history.column("loss") } else { val };
    let (least, most) = judged
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), (_, v)| (least.min(*v), most.max(*v)));
    let range = (most - least).max(least.abs() * 1e-3).max(1e-12);
    let jumps = judged.windows(2).filter(|w| w[1].1 - w[0].1 > 0.15 * range).count();
    (judged.len() >= 6 && jumps * 4 > judged.len()).then(|| {
        advice(
            "The loss jumps up and down",
            "The learning rate is probably too high for the end: lower it, or let it fall with `schedule = \"cosine\"`; where the validation \
             samples are few, hold out more of them.",
            false,
        )
    })
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
        Some(advice(title, sentence(help), verdict == "warning"))
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
        let falling: Vec<f64> = (0..20).map(|i| 2.0 - 0.08 * f64::from(i)).collect();
        let fallen: Vec<f64> = (0..8).map(|i| 0.1 + 1.9 * (-f64::from(i) / 2.0).exp()).collect();
        let turning: Vec<f64> = (0..20).map(|i| 0.5 + 0.004 * f64::from(i - 8).powi(2)).collect();
        let jumping: Vec<f64> = fallen.iter().zip([1.5, 0.0].iter().cycle()).map(|(v, up)| v + up).collect();
        let said = |train: &[f64], val: &[f64]| of(&history(train, val), None)[0].title.clone();
        let starts = |train: &[f64], val: &[f64], start: &str| {
            let said = said(train, val);
            assert!(said.starts_with(start), "{said}");
        };
        starts(&falling, &turning, "Overfitting: `val loss` was lowest in epoch 9");
        starts(&falling, &falling, "Not finished: `val loss` still fell");
        starts(&[2.3; 8], &[2.3; 8], "Underfitting: ");
        starts(&[1.0, f64::NAN, 1.0], &[1.0; 3], "Divergence: ");
        assert_eq!(said(&fallen, &fallen), "The curves look as they should");
        assert_eq!(said(&falling[..2], &falling[..2]), "2 epochs are too few for curves to say much");
        assert_eq!(said(&falling[..1], &falling[..1]), "1 epoch is too few for curves to say much");
        let jumps = of(&history(&fallen, &jumping), None);
        assert!(jumps.iter().any(|a| a.title == "The loss jumps up and down"), "{jumps:?}");
    }
}

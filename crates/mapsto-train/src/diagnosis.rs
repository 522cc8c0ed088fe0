//! What the curves of a run say in words: overfitting, underfitting, divergence, a plateau; from the history alone.

use crate::history::History;
use crate::readable;

/// What the shape of the curves means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pattern {
    /// The training loss rose, or stopped being a number.
    Divergence,
    /// The validation loss rose, or stayed far above the training loss, while the training loss fell.
    Overfitting,
    /// The training loss has hardly fallen.
    Underfitting,
    /// Nothing has improved for a long time.
    Plateau,
    /// The run ended while the loss was still falling.
    StillImproving,
}

/// One thing that the curves show, in a sentence, and what to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub pattern: Pattern,
    /// What was seen, with its numbers and epochs.
    pub text: String,
    /// What to try next.
    pub help: String,
}

/// Reads the curves of a run: what `loss` and `val loss` did over the epochs, in the order of their weight.
///
/// Losses are compared with what the training gained, `first − lowest`, so the unit of the loss plays no part. Ends of curves are medians
/// of three epochs where there are at least six, so that one noisy epoch decides nothing. With fewer than three epochs, only a loss that is
/// no number is a finding. An empty list means that nothing stands out.
///
/// | pattern | rule |
/// |---|---|
/// | divergence | the last `loss` is not finite, or it rose from its lowest by more than half of the gain (and 5 %) |
/// | overfitting | `val loss` rose from its lowest by more than 5 % over at least 2 epochs while `loss` fell; or it ends above `loss` by 30 % and by a quarter of the gain |
/// | underfitting | `loss` fell by less than 5 % in the whole run |
/// | plateau | the last half of the run (at least 5 epochs) gave less than 1 % of the gain |
/// | still improving | the last fifth of the run gave more than 10 % of the gain, and `val loss` (or else `loss`) was lowest at the end |
///
/// ```
/// use mapsto_train::diagnosis::{Pattern, diagnose};
/// use mapsto_train::{History, Row};
/// let row = |(i, (loss, val)): (usize, &(f64, f64))| Row {
///     epoch: i + 1, step: i as u64, lr: 0.1, seconds: 1.0, samples_per_second: 1.0, waiting: 0.0,
///     values: vec![("loss".into(), *loss), ("val loss".into(), *val)],
/// };
/// let curve = [(1.0, 1.1), (0.6, 0.8), (0.4, 0.7), (0.2, 0.9), (0.1, 1.2)];
/// let history = History { rows: curve.iter().enumerate().map(row).collect(), ..History::default() };
/// let found = diagnose(&history);
/// assert_eq!(found[0].pattern, Pattern::Overfitting);
/// assert!(found[0].text.starts_with("overfitting: `val loss` was lowest in epoch 3 (0.7000)"));
/// ```
#[must_use]
pub fn diagnose(history: &History) -> Vec<Finding> {
    let train = history.column("loss");
    let Some(train) = Curve::of("loss", &train) else { return Vec::new() };
    let val = history.column("val loss");
    let val = Curve::of("val loss", &val);
    if let Some(found) = not_finite(&train).or_else(|| val.as_ref().and_then(not_finite)) {
        return vec![found];
    }
    if train.values.len() < 3 {
        return Vec::new();
    }
    if let Some(found) = divergence(&train) {
        return vec![found];
    }
    if let Some(found) = underfitting(&train) {
        return vec![found];
    }
    let over = val.as_ref().and_then(|val| overfitting(&train, val, history));
    let is_over = over.is_some();
    let judged = val.as_ref().unwrap_or(&train);
    let stands = (!is_over).then(|| plateau(judged)).flatten();
    let falls = (!is_over && stands.is_none()).then(|| still_improving(judged)).flatten();
    over.into_iter().chain(stands).chain(falls).collect()
}

/// A loss over the epochs.
struct Curve<'a> {
    name: &'static str,
    values: &'a [(usize, f64)],
    /// The epoch and value of the lowest.
    lowest: (usize, f64),
}

impl<'a> Curve<'a> {
    fn of(name: &'static str, values: &'a [(usize, f64)]) -> Option<Curve<'a>> {
        let finite = values.iter().filter(|(_, v)| !v.is_nan());
        let lowest = finite.copied().min_by(|a, b| a.1.total_cmp(&b.1)).or(values.first().copied())?;
        Some(Curve { name, values, lowest })
    }

    fn first(&self) -> f64 {
        self.values[0].1
    }

    /// The value at the end: the median of the last three epochs, where those are at most half of the curve.
    fn end(&self) -> f64 {
        self.median_before(self.values.len())
    }

    /// The median of the three epochs before a place, or the last value before it.
    fn median_before(&self, place: usize) -> f64 {
        let place = place.max(1);
        if self.values.len() < 6 || place < 3 {
            return self.values[place - 1].1;
        }
        let mut last = [0, 1, 2].map(|i| self.values[place - 3 + i].1);
        last.sort_by(f64::total_cmp);
        last[1]
    }

    fn last_epoch(&self) -> usize {
        self.values[self.values.len() - 1].0
    }

    /// What the loss fell by from its first epoch to its lowest.
    fn gain(&self) -> f64 {
        self.first() - self.lowest.1
    }

    fn at(&self, epoch: usize) -> Option<f64> {
        self.values.iter().find(|(e, _)| *e == epoch).map(|(_, v)| *v)
    }
}

fn number(v: f64) -> String {
    readable(v, 4)
}

fn finding(pattern: Pattern, text: String, help: &str) -> Option<Finding> {
    Some(Finding { pattern, text, help: help.into() })
}

fn not_finite(curve: &Curve) -> Option<Finding> {
    let (epoch, value) = *curve.values.iter().find(|(_, v)| !v.is_finite())?;
    let text = format!("divergence: `{}` is {} in epoch {epoch}", curve.name, number(value));
    finding(
        Pattern::Divergence,
        text,
        "lower the learning rate, clip gradients (`clip_norm`), or normalise the inputs",
    )
}

fn divergence(train: &Curve) -> Option<Finding> {
    let rise = train.end() - train.lowest.1;
    let diverged = rise > 0.5 * train.gain() && rise > 0.05 * train.lowest.1.abs();
    let text = format!(
        "divergence: `loss` was lowest in epoch {} ({}) and is {} in epoch {}",
        train.lowest.0,
        number(train.lowest.1),
        number(train.end()),
        train.last_epoch()
    );
    const HELP: &str = "lower the learning rate to a third or a tenth, let it fall with a schedule such as `cosine`, or clip gradients (`clip_norm`)";
    diverged.then(|| finding(Pattern::Divergence, text, HELP)).flatten()
}

fn underfitting(train: &Curve) -> Option<Finding> {
    let fell = train.first() - train.end();
    let is_flat = fell < 0.05 * train.first().abs();
    let text = format!(
        "underfitting: `loss` went from {} to {} in {} epochs, which is hardly a change",
        number(train.first()),
        number(train.end()),
        train.values.len()
    );
    const HELP: &str = "raise the learning rate, take a larger model or less regularisation, and look whether the inputs are normalised; a model that was trained before and goes on well needs nothing";
    is_flat.then(|| finding(Pattern::Underfitting, text, HELP)).flatten()
}

fn overfitting(train: &Curve, val: &Curve, history: &History) -> Option<Finding> {
    let (epoch, lowest) = val.lowest;
    let (end, last) = (val.end(), val.last_epoch());
    const HELP: &str = "what is kept is the best epoch; stop there with `early_stop`, or regularise: `dropout`, weight decay (`adamw`), augmentation, more samples, a smaller model";
    let fell = train.at(epoch).is_some_and(|then| train.end() < then);
    if last >= epoch + 2 && end - lowest > 0.05 * lowest.abs() && fell {
        let later = later_accuracy(history, epoch);
        let text = format!(
            "overfitting: `val loss` was lowest in epoch {epoch} ({}) and rose to {} by epoch {last}, while `loss` fell from {} to {}{later}",
            number(lowest),
            number(end),
            number(train.at(epoch)?),
            number(train.end()),
        );
        return finding(Pattern::Overfitting, text, HELP);
    }
    let gap = end - train.end();
    if gap > 0.3 * train.end().abs() && gap > 0.25 * (train.first() - train.end()) {
        let text = format!(
            "overfitting: `val loss` ends at {}, `loss` at {}: the training samples are known far better than others",
            number(end),
            number(train.end())
        );
        const HELP: &str = "regularise: `dropout`, weight decay (`adamw`), augmentation, more samples, a smaller model; and look whether training and validation samples are of the same kind";
        return finding(Pattern::Overfitting, text, HELP);
    }
    None
}

/// Says of an accuracy that it was best after the loss was: a model that grows too sure of its answers.
fn later_accuracy(history: &History, epoch: usize) -> String {
    match history.max("val accuracy") {
        Some((best, _)) if best > epoch + 1 => {
            format!("; `val accuracy` was best in epoch {best}: the model grew too sure of its answers first")
        }
        _ => String::new(),
    }
}

fn plateau(curve: &Curve) -> Option<Finding> {
    let n = curve.values.len();
    let since = n / 2;
    if n - since < 5 {
        return None;
    }
    let before = curve.values[..since].iter().map(|(_, v)| *v).fold(f64::INFINITY, f64::min);
    let after = curve.values[since..].iter().map(|(_, v)| *v).fold(f64::INFINITY, f64::min);
    let stands = before - after < 0.01 * curve.gain();
    let (epoch, lowest) = curve.values[..since].iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let text = format!(
        "plateau: `{}` has not improved by 1 % of what it gained since epoch {epoch} ({}) of {}",
        curve.name,
        number(lowest),
        curve.last_epoch()
    );
    const HELP: &str = "fewer epochs give the same; for more, lower the learning rate when it stands still (`reduce_on_plateau`) or take a larger model";
    stands.then(|| finding(Pattern::Plateau, text, HELP)).flatten()
}

fn still_improving(curve: &Curve) -> Option<Finding> {
    let n = curve.values.len();
    let since = n - n.div_ceil(5);
    let fell = curve.median_before(since) - curve.end();
    let at_the_end = curve.lowest.0 + 1 >= curve.last_epoch();
    let falls = n >= 5 && at_the_end && fell > 0.1 * curve.gain() && fell > 0.01 * curve.end().abs();
    let text = format!(
        "not finished: `{}` still fell from {} to {} over the last {} of {n} epochs",
        curve.name,
        number(curve.median_before(since)),
        number(curve.end()),
        n - since
    );
    const HELP: &str =
        "train for more epochs (a run goes on with `--resume RUN --epochs N`), or raise the learning rate";
    falls.then(|| finding(Pattern::StillImproving, text, HELP)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Row;

    fn history(columns: &[(&str, &dyn Fn(f64) -> f64)], epochs: usize) -> History {
        let row = |i: usize| Row {
            epoch: i + 1,
            step: i as u64 + 1,
            lr: 0.1,
            values: columns.iter().map(|(name, f)| (name.to_string(), f(i as f64))).collect(),
            seconds: 1.0,
            samples_per_second: 1.0,
            waiting: 0.0,
        };
        History { rows: (0..epochs).map(row).collect(), ..History::default() }
    }

    fn patterns(history: &History) -> Vec<Pattern> {
        let found = diagnose(history);
        for f in &found {
            assert!(!f.help.is_empty() && f.text.contains("loss"), "{f:?}");
        }
        found.into_iter().map(|f| f.pattern).collect()
    }

    /// A curve that falls from 2 to 0.1, and stands there from about epoch 8 on.
    fn falls(t: f64) -> f64 {
        0.1 + 1.9 * (-t / 2.0).exp()
    }

    /// Noise of a size, another value each epoch.
    fn noise(t: f64, size: f64) -> f64 {
        size * (t * 12.9898).sin()
    }

    #[test]
    fn each_pattern_is_found_in_its_curve_and_in_no_other() {
        use Pattern::{Divergence, Overfitting, Plateau, StillImproving, Underfitting};
        let cases: [(&str, History, &[Pattern]); 12] = [
            ("healthy", history(&[("loss", &falls), ("val loss", &|t| falls(t) * 1.1)], 8), &[]),
            ("rising", history(&[("loss", &|t| 1.0 + t)], 5), &[Divergence]),
            ("falls and rises", history(&[("loss", &|t| (t - 4.0).powi(2) + 1.0)], 9), &[Divergence]),
            ("no number", history(&[("loss", &|t| if t > 1.0 { f64::NAN } else { 1.0 })], 3), &[Divergence]),
            (
                "no number in validation",
                history(&[("loss", &falls), ("val loss", &|t| if t > 1.0 { f64::INFINITY } else { 1.0 })], 3),
                &[Divergence],
            ),
            ("flat", history(&[("loss", &|t| 0.693 - 1e-4 * t)], 10), &[Underfitting]),
            (
                "over",
                history(&[("loss", &falls), ("val loss", &|t| 0.5 + 0.02 * (t - 3.0).powi(2))], 12),
                &[Overfitting],
            ),
            (
                "a gap",
                history(&[("loss", &|t| 2.0 * (-t / 2.0).exp()), ("val loss", &|t| 1.0 + (-t).exp())], 8),
                &[Overfitting],
            ),
            ("stands", history(&[("loss", &|t| falls(3.0 * t))], 30), &[Plateau]),
            (
                "stands with noise",
                history(&[("loss", &falls), ("val loss", &|t| falls(3.0 * t) + noise(t, 0.0005))], 40),
                &[Plateau],
            ),
            ("on its way", history(&[("loss", &|t| 2.0 - 0.1 * t)], 10), &[StillImproving]),
            ("a few noisy epochs", history(&[("loss", &|t| falls(t) + noise(t, 0.02))], 8), &[]),
        ];
        for (name, history, wanted) in &cases {
            assert_eq!(&patterns(history), wanted, "{name}: {:?}", diagnose(history));
        }
    }

    #[test]
    fn short_runs_and_runs_without_a_loss_have_no_finding() {
        assert!(diagnose(&History::default()).is_empty());
        assert!(diagnose(&history(&[("accuracy", &|t| t)], 9)).is_empty());
        assert!(diagnose(&history(&[("loss", &|t| 1.0 + t)], 2)).is_empty());
    }

    #[test]
    fn the_unit_and_the_sign_of_the_loss_play_no_part() {
        for (scale, shift) in [(1.0, 0.0), (1e6, 0.0), (1e-6, 0.0), (1.0, -0.02)] {
            let loss = move |t: f64| scale * falls(t) + shift;
            let val = move |t: f64| scale * (0.5 + 0.02 * (t - 3.0).powi(2)) + shift;
            assert_eq!(
                patterns(&history(&[("loss", &loss), ("val loss", &val)], 12)),
                [Pattern::Overfitting]
            );
        }
        // A log-likelihood may be below 0.
        let loss = |t: f64| -3.0 - t;
        assert_eq!(patterns(&history(&[("loss", &loss)], 10)), [Pattern::StillImproving]);
    }

    #[test]
    fn an_accuracy_that_was_best_later_is_told() {
        let h = history(
            &[
                ("loss", &falls),
                ("val loss", &|t| 0.5 + 0.02 * (t - 3.0).powi(2)),
                ("val accuracy", &|t| 0.5 + 0.01 * t),
            ],
            12,
        );
        let found = diagnose(&h);
        assert_eq!(
            found[0].text,
            "overfitting: `val loss` was lowest in epoch 4 (0.5000) and rose to 1.4800 by epoch 12, while `loss` fell from 0.5239 to 0.1128; \
             `val accuracy` was best in epoch 12: the model grew too sure of its answers first"
        );
    }
}

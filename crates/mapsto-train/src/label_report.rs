//! The report of labels: precision, recall, F1 and support of each, as scikit-learn prints them where a sample may have several.

use crate::class_report::ClassRow;
use std::fmt;

/// Precision, recall and F1 of each label with how often it is given, and four averages.
///
/// What is shown is scikit-learn's `classification_report` of labels to the letter, with 0 for 0 / 0.
///
/// ```
/// use mapsto_train::LabelReport;
/// let names = ["red".to_string(), "big".to_string()];
/// let report = LabelReport::of(&[1, 0, 1, 1], &[1, 1, 0, 1], &names); // two samples of two labels: given, and true
/// assert_eq!((report.rows[0].precision, report.rows[1].recall, report.rows[1].support), (0.5, 0.5, 2));
/// assert_eq!(report.averages[0].precision, 2.0 / 3.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LabelReport {
    /// A row for each label.
    pub rows: Vec<ClassRow>,
    /// Over all answers at once, the plain mean of the labels, that weighted by support, and the mean of the samples.
    pub averages: [ClassRow; 4],
}

/// What was right, given and true.
#[derive(Clone, Copy, Default)]
struct Tally {
    right: f64,
    given: f64,
    truth: f64,
}

impl Tally {
    fn of(pairs: impl Iterator<Item = (u8, u8)>) -> Tally {
        pairs.fold(Tally::default(), |t, (given, truth)| Tally {
            right: t.right + f64::from(given & truth),
            given: t.given + f64::from(given),
            truth: t.truth + f64::from(truth),
        })
    }

    /// Precision, recall and F1.
    fn scores(self) -> [f64; 3] {
        let ratio = |a: f64, b: f64| if b == 0.0 { 0.0 } else { a / b };
        let Tally { right, given, truth } = self;
        [ratio(right, given), ratio(right, truth), ratio(2.0 * right, given + truth)]
    }
}

impl LabelReport {
    /// The report of answers of 0 and 1, given and true, sample after sample with all labels of each.
    #[must_use]
    pub fn of(given: &[u8], truth: &[u8], names: &[String]) -> LabelReport {
        let k = names.len().max(1);
        let pairs = || given.iter().copied().zip(truth.iter().copied());
        let of_label: Vec<Tally> = (0..k).map(|i| Tally::of(pairs().skip(i).step_by(k))).collect();
        let row = |name: &str, [precision, recall, f1]: [f64; 3], support: f64| ClassRow {
            name: name.to_string(),
            precision,
            recall,
            f1,
            support: support as u64,
        };
        let rows: Vec<ClassRow> =
            names.iter().zip(&of_label).map(|(name, tally)| row(name, tally.scores(), tally.truth)).collect();
        let mean = |all: &[(Tally, f64)]| {
            let weight: f64 = all.iter().map(|(_, w)| w).sum();
            let sum = |i: usize| all.iter().map(|(tally, w)| w * tally.scores()[i]).sum::<f64>();
            [0, 1, 2].map(|i| if weight == 0.0 { 0.0 } else { sum(i) / weight })
        };
        let plain: Vec<(Tally, f64)> = of_label.iter().map(|&tally| (tally, 1.0)).collect();
        let weighted: Vec<(Tally, f64)> = of_label.iter().map(|&tally| (tally, tally.truth)).collect();
        let samples = given.chunks(k).zip(truth.chunks(k));
        let samples: Vec<(Tally, f64)> =
            samples.map(|(g, t)| (Tally::of(g.iter().copied().zip(t.iter().copied())), 1.0)).collect();
        let all = Tally::of(pairs());
        let averages = [
            row("micro avg", all.scores(), all.truth),
            row("macro avg", mean(&plain), all.truth),
            row("weighted avg", mean(&weighted), all.truth),
            row("samples avg", mean(&samples), all.truth),
        ];
        LabelReport { rows, averages }
    }
}

impl fmt::Display for LabelReport {
    /// The table that scikit-learn prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.rows.iter().map(|row| row.name.chars().count());
        let width = names.chain(["weighted avg".len()]).max().unwrap_or(0);
        let heads = ["precision", "recall", "f1-score", "support"];
        writeln!(f, "{:>width$}  {:>9} {:>9} {:>9} {:>9}\n", "", heads[0], heads[1], heads[2], heads[3])?;
        let line = |f: &mut fmt::Formatter<'_>, r: &ClassRow| {
            let (name, support) = (&r.name, r.support);
            writeln!(f, "{name:>width$}  {:>9.2} {:>9.2} {:>9.2} {support:>9}", r.precision, r.recall, r.f1)
        };
        self.rows.iter().try_for_each(|row| line(f, row))?;
        writeln!(f)?;
        self.averages.iter().try_for_each(|row| line(f, row))
    }
}

//! The report of classes: precision, recall, F1 and support of each, as scikit-learn prints them.

use crate::metrics::{Average, ClassCounts, ConfusionMatrix};
use std::fmt;

/// Precision, recall and F1 of each class with how often it occurs, and their averages.
///
/// What is shown is scikit-learn's `classification_report` to the letter, with 0 for 0 / 0.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::ClassReport;
/// use mapsto_train::metrics::{ConfusionMatrix, Decision};
/// let mut matrix = ConfusionMatrix::new(2).named(&["cat".into(), "dog".into()]);
/// matrix.add(Decision::Argmax, &tensor![[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], &tensor![0, 1, 1]).unwrap();
/// let report = ClassReport::of(&matrix);
/// assert_eq!((report.rows[1].precision, report.rows[1].recall, report.rows[1].support), (1.0, 0.5, 2));
/// assert_eq!(report.to_string().lines().nth(3), Some("         dog       1.00      0.50      0.67         2"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClassReport {
    /// A row for each class.
    pub rows: Vec<ClassRow>,
    /// The share of samples that were given their own class.
    pub accuracy: f64,
    /// The plain means over the classes, and those weighted by support.
    pub averages: [ClassRow; 2],
}

/// A row of a [`ClassReport`].
#[derive(Clone, Debug, PartialEq)]
pub struct ClassRow {
    /// The class, or `macro avg`, `weighted avg`.
    pub name: String,
    /// Of the samples given the class, the share that has it.
    pub precision: f64,
    /// Of the samples of the class, the share that was given it.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// How many samples have the class.
    pub support: u64,
}

impl ClassReport {
    /// The report of a matrix, whose names of classes it takes. Every class counts in the macro average, whether it occurs or not.
    #[must_use]
    pub fn of(matrix: &ConfusionMatrix) -> ClassReport {
        let k = matrix.classes();
        let sum = |cell: &dyn Fn(usize) -> u64| (0..k).map(cell).sum::<u64>();
        let counts = ClassCounts {
            right: (0..k).map(|c| matrix.get(c, c)).collect(),
            predicted: (0..k).map(|p| sum(&|a| matrix.get(a, p))).collect(),
            actual: (0..k).map(|a| sum(&|p| matrix.get(a, p))).collect(),
        };
        let of = |class| {
            [
                counts.average(class, |right, predicted, _| (right, predicted)),
                counts.average(class, |right, _, actual| (right, actual)),
                counts.average(class, |right, predicted, actual| (2.0 * right, predicted + actual)),
            ]
        };
        let row = |name: &str, [precision, recall, f1]: [f64; 3], support| ClassRow {
            name: name.to_string(),
            precision,
            recall,
            f1,
            support,
        };
        let rows: Vec<ClassRow> =
            (0..k).map(|c| row(&matrix.names()[c], of(Average::Class(c)), counts.actual[c])).collect();
        let mean = |f: fn(&ClassRow) -> f64| rows.iter().map(f).sum::<f64>() / k as f64;
        let all = matrix.samples();
        let plain = [mean(|r| r.precision), mean(|r| r.recall), mean(|r| r.f1)];
        let averages = [row("macro avg", plain, all), row("weighted avg", of(Average::Weighted), all)];
        ClassReport { rows, accuracy: matrix.accuracy(), averages }
    }
}

impl fmt::Display for ClassReport {
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
        let samples = self.averages[0].support;
        writeln!(f, "\n{:>width$}  {:>9} {:>9} {:>9.2} {samples:>9}", "accuracy", "", "", self.accuracy)?;
        self.averages.iter().try_for_each(|row| line(f, row))
    }
}

#[test]
fn it_is_what_scikit_learn_prints() {
    use crate::metrics::Decision;
    use mapsto_tensor::prelude::*;
    let names = ["cat", "dog, big", "a long name of a class"].map(String::from);
    let mut matrix = ConfusionMatrix::new(3).named(&names);
    let y = Tensor::eye(3).index_select(0, &tensor![0, 0, 2, 2, 1]);
    matrix.add(Decision::Argmax, &y, &tensor![0, 1, 2, 2, 2]).unwrap();
    // classification_report([0, 1, 2, 2, 2], [0, 0, 2, 2, 1], target_names=[..], zero_division=0) of scikit-learn 1.9.1
    let expected = "                        precision    recall  f1-score   support\n\n                   cat       0.50      1.00      0.67         1\n              dog, big       0.00      0.00      0.00         1\na long name of a class       1.00      0.67      0.80         3\n\n              accuracy                           0.60         5\n             macro avg       0.50      0.56      0.49         5\n          weighted avg       0.70      0.60      0.61         5\n";
    let found = ClassReport::of(&matrix).to_string();
    let bare = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(bare(&found), bare(expected));
}

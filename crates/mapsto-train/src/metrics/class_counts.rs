//! Right answers, predictions and samples of each class: what precision, recall and F1 are made of.

use super::decision::label_columns;
use super::{Counts, Decided, Decision};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// How per-class numbers become one (the names and rules are scikit-learn's).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Average {
    /// The plain mean over the classes that occur, in the targets or in the predictions.
    Macro,
    /// Of all samples together, whatever their class.
    Micro,
    /// The mean weighted by how often each class occurs in the targets.
    Weighted,
    /// One class alone, such as 1 in a two-class problem.
    Class(usize),
}

impl Average {
    /// The name used in files: `macro`, `micro`, `weighted` or the class number.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Average::Macro => "macro".into(),
            Average::Micro => "micro".into(),
            Average::Weighted => "weighted".into(),
            Average::Class(c) => c.to_string(),
        }
    }

    /// The column of a metric with this average: `macro f1`, `f1 of class 2`.
    pub(super) fn title(self, metric: &str) -> String {
        match self {
            Average::Class(c) => format!("{metric} of class {c}"),
            average => format!("{} {metric}", average.name()),
        }
    }

    /// Reads [`Average::name`]'s text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Average> {
        match name {
            "macro" => Some(Average::Macro),
            "micro" => Some(Average::Micro),
            "weighted" => Some(Average::Weighted),
            class => class.parse().ok().map(Average::Class),
        }
    }

    /// Counts a batch for this average of the metric `who`: by classes, or by labels where each column is one.
    pub(super) fn count(self, who: &str, decision: Decision, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let counts = ClassCounts::read(who, decision, y, target)?;
        self.check(who, counts.actual.len())?;
        Ok(counts.into_counts())
    }

    /// Checks that a class of its own is one of so many.
    pub(super) fn check(self, who: &str, classes: usize) -> Result<()> {
        match self {
            Average::Class(class) if class >= classes => Err(Error::new(
                ErrorKind::Model,
                format!("{who}: there is no class {class}: the {classes} classes are 0 to {}", classes - 1),
            )
            .help(format!("choose a class below {classes}, or an average over all of them: \"macro\""))),
            _ => Ok(()),
        }
    }
}

/// Of each class: how many samples were rightly given it, were given it, have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassCounts {
    /// Samples of the class that were given the class (true positives).
    pub right: Vec<u64>,
    /// Samples that were given the class.
    pub predicted: Vec<u64>,
    /// Samples that have the class.
    pub actual: Vec<u64>,
}

impl ClassCounts {
    /// Counts decided samples.
    #[must_use]
    pub fn of(decided: &Decided) -> ClassCounts {
        let zeros = || vec![0; decided.classes];
        let mut counts = ClassCounts { right: zeros(), predicted: zeros(), actual: zeros() };
        for (&p, &a) in decided.predicted.iter().zip(&decided.actual) {
            counts.predicted[p] += 1;
            counts.actual[a] += 1;
            counts.right[a] += u64::from(p == a);
        }
        counts
    }

    /// Counts a batch of outputs: by classes, or with [`Decision::Labels`] by columns, each of which is a question of its own.
    ///
    /// # Errors
    /// As [`Decision::decide`].
    pub fn read(who: &str, decision: Decision, y: &Tensor, target: &Tensor) -> Result<ClassCounts> {
        let decided = decision.decide(who, y, target)?;
        if !matches!(decision, Decision::Labels(_)) {
            return Ok(ClassCounts::of(&decided));
        }
        let labels = label_columns(who, y)?;
        let zeros = || vec![0; labels];
        let mut counts = ClassCounts { right: zeros(), predicted: zeros(), actual: zeros() };
        for (i, (&p, &a)) in decided.predicted.iter().zip(&decided.actual).enumerate() {
            counts.predicted[i % labels] += p as u64;
            counts.actual[i % labels] += a as u64;
            counts.right[i % labels] += (p * a) as u64;
        }
        Ok(counts)
    }

    /// As [`average`](ClassCounts::average), with labels in place of classes where the decision is of labels: then each label
    /// is in the mean, whether it occurs or not.
    pub(super) fn over(
        &self,
        average: Average,
        decision: Decision,
        ratio: impl Fn(f64, f64, f64) -> (f64, f64),
    ) -> f64 {
        let labels = self.actual.len();
        if !matches!(decision, Decision::Labels(_)) || labels == 0 {
            return self.average(average, ratio);
        }
        let of = |right: u64, predicted: u64, actual: u64| {
            let (n, d) = ratio(right as f64, predicted as f64, actual as f64);
            if d == 0.0 { 0.0 } else { n / d }
        };
        let label = |c: usize| of(self.right[c], self.predicted[c], self.actual[c]);
        let positives: u64 = self.actual.iter().sum();
        match average {
            Average::Micro => of(self.right.iter().sum(), self.predicted.iter().sum(), positives),
            Average::Class(c) if c < labels => label(c),
            Average::Class(_) => f64::NAN,
            Average::Weighted if positives == 0 => 0.0,
            Average::Weighted => {
                (0..labels).map(|c| label(c) * self.actual[c] as f64).sum::<f64>() / positives as f64
            }
            Average::Macro => (0..labels).map(label).sum::<f64>() / labels as f64,
        }
    }

    /// Averages `numerator(right, predicted, actual) / denominator(..)` of each class; 0 / 0 counts as 0.
    ///
    /// ```
    /// use mapsto_train::metrics::{Average, ClassCounts};
    /// let c = ClassCounts { right: vec![1, 2], predicted: vec![1, 4], actual: vec![3, 2] };
    /// let precision = c.average(Average::Macro, |right, predicted, _| (right, predicted));
    /// assert_eq!(precision, (1.0 / 1.0 + 2.0 / 4.0) / 2.0);
    /// ```
    #[must_use]
    pub fn average(&self, average: Average, ratio: impl Fn(f64, f64, f64) -> (f64, f64)) -> f64 {
        let of = |right: u64, predicted: u64, actual: u64| {
            let (n, d) = ratio(right as f64, predicted as f64, actual as f64);
            if d == 0.0 { 0.0 } else { n / d }
        };
        let class = |c: usize| of(self.right[c], self.predicted[c], self.actual[c]);
        let samples: u64 = self.actual.iter().sum();
        if samples == 0 {
            return f64::NAN;
        }
        match average {
            Average::Micro => of(self.right.iter().sum(), self.predicted.iter().sum(), samples),
            Average::Class(c) if c < self.actual.len() => class(c),
            Average::Class(_) => f64::NAN,
            Average::Weighted => {
                (0..self.actual.len()).map(|c| class(c) * self.actual[c] as f64).sum::<f64>() / samples as f64
            }
            Average::Macro => {
                let met: Vec<usize> =
                    (0..self.actual.len()).filter(|&c| self.actual[c] + self.predicted[c] > 0).collect();
                met.iter().map(|&c| class(c)).sum::<f64>() / met.len() as f64
            }
        }
    }

    pub(crate) fn into_counts(self) -> Counts {
        // Class by class, so that counts of more classes extend counts of fewer.
        let classes = self.right.iter().zip(&self.predicted).zip(&self.actual);
        Counts::whole(classes.flat_map(|((&r, &p), &a)| [r, p, a]).collect())
    }

    pub(crate) fn from_counts(counts: &Counts) -> ClassCounts {
        let column = |i| counts.whole.iter().skip(i).step_by(3).copied().collect();
        ClassCounts { right: column(0), predicted: column(1), actual: column(2) }
    }
}

#[test]
fn a_class_nobody_has_or_predicts_is_left_out_of_the_macro_mean() {
    let decided = Decided { predicted: vec![0, 0, 1], actual: vec![0, 1, 1], classes: 5 };
    let counts = ClassCounts::of(&decided);
    assert_eq!(counts.average(Average::Macro, |r, _, a| (r, a)), (1.0 + 0.5) / 2.0);
    assert_eq!(ClassCounts::from_counts(&counts.clone().into_counts()), counts);
    assert!(counts.average(Average::Class(9), |r, _, a| (r, a)).is_nan());
}

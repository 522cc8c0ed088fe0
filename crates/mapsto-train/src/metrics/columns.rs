//! Kept scores of several classes or labels, and how a number about one of them becomes a number about all.

use super::scored::labels;
use super::{Average, Counts, Kept, Ranked, Scored};
use mapsto_nn::Outputs;
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// Rows of scores beside what is so: of two classes the score of class 1 and the class, of several classes all scores and the
/// class, of labels all scores and after them 0 or 1 for each.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::Outputs;
/// use mapsto_train::metrics::{Average, Columns};
/// let counts = Columns::count("auc", Outputs::Logits, Average::Macro, &tensor![2.0, -1.0], &tensor![1.0, 0.0]).unwrap();
/// let columns = Columns::of(&counts.kept);
/// assert_eq!((columns.len(), columns.column(1).roc_auc()), (2, 1.0));
/// ```
#[derive(Debug)]
pub struct Columns<'a> {
    rows: Vec<&'a [f64]>,
    width: usize,
    labels: bool,
}

impl<'a> Columns<'a> {
    /// Keeps a batch of scores of classes.
    ///
    /// # Errors
    /// As [`Scored::read`]; a class of its own that is not there.
    pub fn count(
        who: &str,
        outputs: Outputs,
        average: Average,
        y: &Tensor,
        target: &Tensor,
    ) -> Result<Counts> {
        let scored = Scored::read(who, outputs, y, target)?;
        average.check(who, scored.classes)?;
        let mut kept = Kept::default();
        for (i, &class) in scored.actual.iter().enumerate() {
            let mut row = scored.ranking(i);
            if row.len() == 2 {
                row.remove(0);
            }
            row.push(class as f64);
            kept.push(&row);
        }
        Ok(Counts::kept(kept))
    }

    /// Keeps a batch of scores of labels, one a column.
    ///
    /// # Errors
    /// Two shapes that differ, NaN, targets other than 0 and 1; a label of its own that is not there.
    pub fn count_labels(who: &str, average: Average, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let (width, scores, actual) = labels(who, y, target)?;
        average.check(who, width)?;
        let mut kept = Kept::default();
        for (scores, actual) in scores.chunks_exact(width).zip(actual.chunks_exact(width)) {
            let row: Vec<f64> = scores.iter().copied().chain(actual.iter().map(|&t| t as f64)).collect();
            kept.push(&row);
        }
        Ok(Counts::kept(kept))
    }

    /// Reads kept rows of classes.
    #[must_use]
    pub fn of(kept: &'a Kept) -> Columns<'a> {
        let width = kept.width().saturating_sub(1);
        Columns { rows: kept.sorted(), width: if width == 1 { 2 } else { width }, labels: false }
    }

    /// Reads kept rows of labels.
    #[must_use]
    pub fn of_labels(kept: &'a Kept) -> Columns<'a> {
        Columns { rows: kept.sorted(), width: kept.width() / 2, labels: true }
    }

    /// How many classes or labels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.width
    }

    /// Whether there is no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn score(&self, row: &[f64], column: usize) -> f64 {
        match (self.labels, row) {
            (false, [score, _]) if column == 0 => -score,
            (false, [score, _]) => *score,
            _ => row[column],
        }
    }

    fn is(&self, row: &[f64], column: usize) -> bool {
        match self.labels {
            true => row[self.width + column] == 1.0,
            false => row[row.len() - 1] == column as f64,
        }
    }

    /// One class or label against all others.
    #[must_use]
    pub fn column(&self, column: usize) -> Ranked {
        Ranked::of(self.rows.iter().map(|row| (self.score(row, column), self.is(row, column))))
    }

    /// The average over classes or labels of a number about the order of their scores. Of two classes it is that of class 1.
    pub(super) fn average(&self, average: Average, f: fn(&Ranked) -> f64) -> f64 {
        if self.is_empty() {
            return f64::NAN;
        }
        let columns = || (0..self.width).map(|c| self.column(c));
        match average {
            Average::Class(c) if c < self.width => f(&self.column(c)),
            Average::Class(_) => f64::NAN,
            _ if self.width == 2 && !self.labels => f(&self.column(1)),
            Average::Macro => columns().map(|c| f(&c)).sum::<f64>() / self.width as f64,
            Average::Micro => {
                let all = self.rows.iter().flat_map(|row| (0..self.width).map(move |c| (row, c)));
                f(&Ranked::of(all.map(|(row, c)| (self.score(row, c), self.is(row, c)))))
            }
            Average::Weighted => {
                let weighed: Vec<(f64, f64)> = columns().map(|c| (f(&c), c.totals().0 as f64)).collect();
                let weights: f64 = weighed.iter().map(|(_, w)| w).sum();
                if weights == 0.0 { 0.0 } else { weighed.iter().map(|(v, w)| v * w).sum::<f64>() / weights }
            }
        }
    }

    /// The average over pairs of classes of a number, each class of a pair against the other (Hand, Till 2001).
    pub(super) fn pairs(&self, average: Average, f: fn(&Ranked) -> f64) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for a in 0..self.width {
            for b in a + 1..self.width {
                let rows: Vec<&&[f64]> =
                    self.rows.iter().filter(|r| self.is(r, a) || self.is(r, b)).collect();
                let of = |c: usize| f(&Ranked::of(rows.iter().map(|r| (self.score(r, c), self.is(r, c)))));
                let weight = if average == Average::Weighted { rows.len() as f64 } else { 1.0 };
                sum += weight * (of(a) + of(b)) / 2.0;
                weights += weight;
            }
        }
        sum / weights
    }
}

/// Says that pairs of classes have no such average.
pub(super) fn check_pairs(who: &str, average: Average) -> Result<()> {
    match average {
        Average::Macro | Average::Weighted => Ok(()),
        _ => Err(Error::new(
            ErrorKind::Usage,
            format!("{who}: pairs of classes have no {} average", average.name()),
        )
        .help("take \"macro\" or \"weighted\", or leave out `multi_class = \"ovo\"`")),
    }
}

#[test]
fn labels_have_columns_of_their_own() {
    use mapsto_tensor::prelude::*;
    let (y, t) = (tensor![[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], tensor![[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]);
    let counts = Columns::count_labels("auc", Average::Macro, &y, &t).unwrap();
    let columns = Columns::of_labels(&counts.kept);
    assert_eq!((columns.column(0).roc_auc(), columns.column(1).roc_auc()), (1.0, 0.5));
    assert_eq!(columns.average(Average::Weighted, Ranked::roc_auc), (2.0 * 1.0 + 0.5) / 3.0);
    assert!(check_pairs("auc", Average::Micro).is_err());
}

//! The confusion matrix: which class was taken for which.

use super::{Decided, Decision};
use mapsto_tensor::{Result, Tensor};
use std::fmt;

/// How many samples of each class (rows) were given each class (columns).
///
/// Equal to scikit-learn's `confusion_matrix`. Matrices of parts of a set add up to the matrix of the set.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{ConfusionMatrix, Decision};
/// let mut matrix = ConfusionMatrix::new(2);
/// let y = tensor![[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]];
/// matrix.add(Decision::Argmax, &y, &tensor![0, 1, 1]).unwrap();
/// assert_eq!((matrix.get(1, 0), matrix.get(1, 1)), (1, 1)); // one of the two samples of class 1 was taken for 0
/// assert_eq!(matrix.accuracy(), 2.0 / 3.0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    cells: Vec<u64>,
    names: Vec<String>,
}

/// Classes of the largest matrix.
const MOST: usize = 1 << 15;

impl ConfusionMatrix {
    /// An empty matrix of `classes` rows and columns.
    ///
    /// # Panics
    /// When it has more than 2³⁰ cells, which take 8 GiB.
    #[must_use]
    #[track_caller]
    pub fn new(classes: usize) -> ConfusionMatrix {
        if classes > MOST {
            mapsto_tensor::fail!("confusion matrix", "{classes} classes make more than {MOST} × {MOST} cells";
                  help = "count what is right and wrong instead, as `Accuracy` does");
        }
        let names = (0..classes).map(|c| c.to_string()).collect();
        ConfusionMatrix { classes, cells: vec![0; classes * classes], names }
    }

    /// Names the classes; names beyond the number of classes are dropped.
    #[must_use]
    pub fn named(mut self, names: &[String]) -> ConfusionMatrix {
        self.names.iter_mut().zip(names).for_each(|(old, new)| old.clone_from(new));
        self
    }

    /// Adds a batch.
    ///
    /// # Errors
    /// As [`Decision::decide`]; more classes in the outputs than in the matrix.
    pub fn add(&mut self, decision: Decision, y: &Tensor, target: &Tensor) -> Result<()> {
        let decided = decision.decide("confusion matrix", y, target)?;
        if decided.classes != self.classes {
            return Err(mapsto_tensor::Error::new(
                mapsto_tensor::ErrorKind::Model,
                format!("confusion matrix: {} classes, outputs of {}", self.classes, decided.classes),
            ));
        }
        self.add_decided(&decided);
        Ok(())
    }

    pub(crate) fn add_decided(&mut self, decided: &Decided) {
        for (p, a) in decided.predicted.iter().zip(&decided.actual) {
            self.cells[a * self.classes + p] += 1;
        }
    }

    /// Adds another part's matrix.
    ///
    /// # Panics
    /// When it is of another number of classes.
    #[track_caller]
    pub fn merge(&mut self, other: &ConfusionMatrix) {
        if self.classes != other.classes {
            mapsto_tensor::fail!(
                "confusion matrix",
                "{} classes and {} classes do not merge",
                self.classes,
                other.classes
            );
        }
        self.cells.iter_mut().zip(&other.cells).for_each(|(a, b)| *a += b);
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The names of the classes.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many samples of class `actual` were given class `predicted`.
    ///
    /// # Panics
    /// When a class is out of range.
    #[must_use]
    #[track_caller]
    pub fn get(&self, actual: usize, predicted: usize) -> u64 {
        let classes = self.classes;
        if let Some(class) = [actual, predicted].into_iter().find(|&class| class >= classes) {
            mapsto_tensor::fail!("confusion matrix", "there is no class {class} among {classes}";
                  help = "classes are numbered from 0");
        }
        self.cells[actual * self.classes + predicted]
    }

    /// How many samples were counted.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.cells.iter().sum()
    }

    /// The share on the diagonal, NaN of no sample.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        (0..self.classes).map(|c| self.get(c, c)).sum::<u64>() as f64 / self.samples() as f64
    }

    /// The pairs (actual, predicted, samples) of different classes, most frequent first.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(usize, usize, u64)> {
        let k = self.classes;
        let pairs = (0..k * k).map(|i| (i / k, i % k, self.cells[i]));
        let mut pairs: Vec<_> = pairs.filter(|&(a, p, n)| a != p && n > 0).collect();
        pairs.sort_by_key(|mistake| std::cmp::Reverse(mistake.2));
        pairs
    }

    /// The matrix as CSV: a row a true class, a column a predicted one.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let quoted: Vec<String> = self.names.iter().map(|n| crate::csv::field(n)).collect();
        let mut text = format!("actual,{}\n", quoted.join(","));
        for (a, name) in quoted.iter().enumerate() {
            let cells: Vec<String> = (0..self.classes).map(|p| self.get(a, p).to_string()).collect();
            text += &format!("{name},{}\n", cells.join(","));
        }
        text
    }
}

impl fmt::Display for ConfusionMatrix {
    /// A table with a row for each true class.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell_width = self.cells.iter().max().map_or(1, |n| n.to_string().len());
        let width = self.names.iter().map(|n| n.chars().count()).chain([cell_width]).max().unwrap_or(1);
        write!(f, "{:>width$} ", "")?;
        for name in &self.names {
            write!(f, " {name:>width$}")?;
        }
        for (a, name) in self.names.iter().enumerate() {
            write!(f, "\n{name:>width$} ")?;
            for p in 0..self.classes {
                match self.get(a, p) {
                    0 => write!(f, " {:>width$}", "·")?,
                    n => write!(f, " {n:>width$}")?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_are_not_there_are_refused() {
        use mapsto_tensor::catch;
        for (a, p) in [(5, 0), (0, 5), (2, 0), (usize::MAX, 1)] {
            let e = catch(|| ConfusionMatrix::new(2).get(a, p)).unwrap_err();
            assert!(e.message().contains("there is no class"), "{e}");
        }
        assert!(catch(|| ConfusionMatrix::new(1 << 16)).unwrap_err().message().contains("65536 classes"));
    }

    #[test]
    fn prints_as_a_table() {
        let mut m = ConfusionMatrix::new(2).named(&["cat".into(), "dog".into()]);
        m.add_decided(&Decided { predicted: vec![0, 1, 1, 1], actual: vec![0, 1, 0, 1], classes: 2 });
        assert_eq!(m.to_string(), "     cat dog\ncat    1   1\ndog    ·   2");
        assert_eq!(m.to_csv(), "actual,cat,dog\ncat,1,1\ndog,0,2\n");
        assert_eq!(m.mistakes(), [(0, 1, 1)]);
        let mut twice = m.clone();
        twice.merge(&m);
        assert_eq!((twice.samples(), twice.accuracy()), (8, 0.75));
    }
}

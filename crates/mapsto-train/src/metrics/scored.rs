//! From outputs to probabilities: the one place that reads scores for the metrics that look at more than the class.

use super::decision::{class_count, label_columns, mismatch, refuse_nan, true_classes, zero_or_one};
use super::floats;
use mapsto_nn::Outputs;
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// The outputs of some samples beside their classes, ready to be read as probabilities.
///
/// ```
/// use mapsto_nn::Outputs;
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::Scored;
/// let scored = Scored::read("m", Outputs::Logits, &tensor![[0.0, 3f32.ln()]], &tensor![1]).unwrap();
/// assert!((scored.probabilities(0)[1] - 0.75).abs() < 1e-7);
/// assert!((scored.surprise(0) + 0.75f64.ln()).abs() < 1e-7);
/// ```
#[derive(Clone, Debug)]
pub struct Scored {
    /// The class of each sample.
    pub actual: Vec<usize>,
    /// The number of classes; 2 where a sample has one output.
    pub classes: usize,
    /// Numbers a sample: the classes, or 1.
    width: usize,
    values: Vec<f64>,
    outputs: Outputs,
}

impl Scored {
    /// Reads outputs that are logits, probabilities or logarithms of probabilities.
    ///
    /// * Shape: outputs `[.., k]` with class ids `[..]` or probabilities `[.., k]`; or one number a sample, `[n]` or `[.., 1]`, with
    ///   a target of that shape, 0 or 1.
    ///
    /// # Errors
    /// Shapes that do not fit, NaN, classes outside `0..k`, and outputs that are not what they are said to be.
    pub fn read(who: &str, outputs: Outputs, y: &Tensor, target: &Tensor) -> Result<Scored> {
        let single = y.shape() == target.shape() && (y.rank() == 1 || y.shape().last() == Some(&1));
        refuse_nan(who, "output", y)?;
        let scored = if single {
            let actual = floats(target).into_iter().map(|v| zero_or_one(who, v)).collect::<Result<_>>()?;
            Scored { actual, classes: 2, width: 1, values: floats(y), outputs }
        } else {
            if y.shape().last() == Some(&1) || y.rank() < 2 {
                return Err(mismatch(
                    who,
                    y,
                    target,
                    "give both one shape, such as [n, 1], or scores of every class",
                ));
            }
            let classes = class_count(who, y)?;
            let actual = true_classes(who, y.shape(), target)?;
            Scored { actual, classes, width: classes, values: floats(y), outputs }
        };
        scored.check(who)?;
        Ok(scored)
    }

    /// How many samples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.actual.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actual.is_empty()
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.width..(i + 1) * self.width]
    }

    /// The probability of each class for a sample.
    #[must_use]
    pub fn probabilities(&self, i: usize) -> Vec<f64> {
        let row = self.row(i);
        match (self.outputs, row) {
            (Outputs::Probabilities, [p]) => vec![1.0 - p, *p],
            (Outputs::Probabilities, row) => row.to_vec(),
            (Outputs::LogProbabilities, [log]) => vec![-log.exp_m1(), log.exp()],
            (Outputs::LogProbabilities, row) => row.iter().map(|log| log.exp()).collect(),
            (_, [z]) => vec![sigmoid(-z), sigmoid(*z)],
            (_, row) => {
                let total = log_sum_exp(row);
                row.iter().map(|z| (z - total).exp()).collect()
            }
        }
    }

    /// A number for each class that orders samples as its probability does, without the rounding of probabilities near 0 and 1
    /// where there are two classes.
    #[must_use]
    pub fn ranking(&self, i: usize) -> Vec<f64> {
        match (self.outputs, self.row(i)) {
            (Outputs::Logits | Outputs::Logit, [z]) => vec![-z, *z],
            (Outputs::Logits | Outputs::Logit, [a, b]) => vec![a - b, b - a],
            _ => self.probabilities(i),
        }
    }

    /// `−log p` of a sample's own class. Probabilities count as at least 2⁻⁵² and at most 1 − 2⁻⁵², as in scikit-learn; logits need
    /// no limit.
    #[must_use]
    pub fn surprise(&self, i: usize) -> f64 {
        let class = self.actual[i];
        match (self.outputs, self.row(i)) {
            (Outputs::Probabilities, _) => {
                -self.probabilities(i)[class].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
            }
            (Outputs::LogProbabilities, [_]) => -self.probabilities(i)[class].ln(),
            (Outputs::LogProbabilities, row) => -row[class],
            (_, [z]) => softplus(if class == 1 { -z } else { *z }),
            (_, row) => log_sum_exp(row) - row[class],
        }
    }

    /// Refuses what cannot be what it is said to be.
    fn check(&self, who: &str) -> Result<()> {
        let wrong = |i: usize, what: String| {
            Err(Error::new(
                ErrorKind::Data,
                format!("{who}: the outputs of row {i} are no probabilities: {what}"),
            )
            .help(
                "say what they are: `outputs = \"logits\"`, `\"probabilities\"` or `\"log_probabilities\"`",
            ))
        };
        let rows = || (0..self.len()).map(|i| (i, self.row(i)));
        match self.outputs {
            Outputs::Probabilities => {
                for (i, row) in rows() {
                    if let Some(p) = row.iter().find(|p| !(-1e-6..=1.0 + 1e-6).contains(*p)) {
                        return wrong(i, format!("{p} is not between 0 and 1"));
                    }
                    let sum: f64 = row.iter().sum();
                    if row.len() > 1 && (sum - 1.0).abs() > 1e-3 {
                        return wrong(i, format!("they add up to {sum}"));
                    }
                }
            }
            Outputs::LogProbabilities => {
                for (i, row) in rows() {
                    let sum: f64 = row.iter().map(|log| log.exp()).sum();
                    if sum > 1.0 + 1e-3 || (row.len() > 1 && sum < 1.0 - 1e-3) {
                        return wrong(i, format!("their exponentials add up to {sum}"));
                    }
                }
            }
            // A few rows of scores may add up to 1 by chance; many do not.
            _ if self.width > 1 && self.len() >= 4 => {
                let is_one = |row: &[f64]| {
                    row.iter().all(|p| (0.0..=1.0).contains(p))
                        && (row.iter().sum::<f64>() - 1.0).abs() < 1e-4
                };
                if rows().all(|(_, row)| is_one(row)) {
                    let message = format!(
                        "{who}: every row of outputs adds up to 1: they are probabilities, and no logits"
                    );
                    return Err(
                        Error::new(ErrorKind::Data, message).help("write `outputs = \"probabilities\"`")
                    );
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Outputs and targets of several labels a sample, as probabilities or scores `[n · labels]` beside 0 and 1.
pub(super) fn labels(who: &str, y: &Tensor, target: &Tensor) -> Result<(usize, Vec<f64>, Vec<usize>)> {
    if y.shape() != target.shape() {
        return Err(mismatch(
            who,
            y,
            target,
            "several labels a sample take two tensors of one shape [n, labels]",
        ));
    }
    let width = label_columns(who, y)?;
    refuse_nan(who, "output", y)?;
    let actual = floats(target).into_iter().map(|v| zero_or_one(who, v)).collect::<Result<_>>()?;
    Ok((width, floats(y), actual))
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

fn log_sum_exp(row: &[f64]) -> f64 {
    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !most.is_finite() {
        return most;
    }
    most + row.iter().map(|z| (z - most).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn three_ways_to_write_one_probability() {
        let p = tensor![[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]];
        let target = tensor![1, 0];
        for (outputs, y) in [
            (Outputs::Probabilities, p.clone()),
            (Outputs::LogProbabilities, p.log()),
            (Outputs::Logits, p.log() + 3.0),
        ] {
            let scored = Scored::read("m", outputs, &y, &target).unwrap();
            for (i, expected) in [0.5f64, 0.1].into_iter().enumerate() {
                assert!((scored.probabilities(i)[scored.actual[i]] - expected).abs() < 1e-6);
                assert!((scored.surprise(i) + expected.ln()).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn outputs_that_are_something_else_are_refused() {
        let error =
            |outputs, y: Tensor, t: Tensor| Scored::read("m", outputs, &y, &t).unwrap_err().to_string();
        let ids = tensor![0, 1, 0, 1];
        assert!(error(Outputs::Logits, Tensor::full([4, 2], 0.5), ids).contains("adds up to 1"));
        assert!(error(Outputs::Probabilities, tensor![[0.5, 0.9]], tensor![0]).contains("add up to 1.39"));
        assert!(
            error(Outputs::Probabilities, tensor![2.0, 0.5], tensor![1.0, 0.0]).contains("2 is not between")
        );
        assert!(error(Outputs::LogProbabilities, tensor![[1.0, 2.0]], tensor![0]).contains("exponentials"));
        assert!(error(Outputs::Logits, tensor![[1.0]], tensor![0]).contains("shapes differ"));
        assert!(error(Outputs::Logits, tensor![f32::NAN], tensor![1.0]).contains("NaN"));
    }
}

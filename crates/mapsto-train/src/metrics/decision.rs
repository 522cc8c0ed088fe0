//! From scores to classes: the one place that decides which class a row of outputs names, and refuses to guess.

use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor, no_grad};

/// How a model's outputs become classes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Decision {
    /// The class with the largest score along the last axis; the first of equals.
    Argmax,
    /// Two classes from one number: class 1 where it reaches the threshold.
    /// `0.0` for logits (`bce_with_logits`), `0.5` for probabilities (`bce`).
    Threshold(f64),
    /// As a threshold, where each column of the last axis is a label of its own, and a sample may have several or none.
    Labels(f64),
}

/// Predicted and true classes of some samples, and how many classes there are.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The class each sample was given.
    pub predicted: Vec<usize>,
    /// The class each sample has.
    pub actual: Vec<usize>,
    /// The number of classes.
    pub classes: usize,
}

impl Decision {
    /// Reads the predicted and the true class of each sample.
    ///
    /// * Shape: [`Decision::Argmax`] takes scores `[.., k]` and class ids `[..]` (any whole-number type) or
    ///   probabilities `[.., k]`; [`Decision::Threshold`] takes two tensors of one shape, the target 0 or 1.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// use mapsto_train::metrics::Decision;
    /// let y = tensor![[0.1, 0.7, 0.2], [0.9, 0.0, 0.1]];
    /// let decided = Decision::Argmax.decide("accuracy", &y, &tensor![1, 2]).unwrap();
    /// assert_eq!((decided.predicted, decided.actual), (vec![1, 0], vec![1, 2]));
    /// ```
    ///
    /// # Errors
    /// Shapes that do not fit (named, with the metric `who`), class ids outside `0..k`, targets other than 0 and 1.
    pub fn decide(self, who: &str, y: &Tensor, target: &Tensor) -> Result<Decided> {
        match self {
            Decision::Argmax => {
                let classes = class_count(who, y)?;
                refuse_nan(who, "output", y)?;
                let actual = true_classes(who, y.shape(), target)?;
                let best = if y.is_empty() { Vec::new() } else { no_grad(|| y.argmax(-1).to_vec::<i64>()) };
                Ok(Decided { predicted: best.into_iter().map(|c| c as usize).collect(), actual, classes })
            }
            Decision::Threshold(at) | Decision::Labels(at) => {
                if y.shape() != target.shape() {
                    return Err(mismatch(who, y, target, "give both one shape, such as [n, 1]"));
                }
                refuse_nan(who, "output", y)?;
                let predicted = floats(y).into_iter().map(|v| usize::from(v >= at)).collect();
                let actual =
                    floats(target).into_iter().map(|v| zero_or_one(who, v)).collect::<Result<_>>()?;
                Ok(Decided { predicted, actual, classes: 2 })
            }
        }
    }
}

/// How many labels outputs hold, one a column.
pub(super) fn label_columns(who: &str, y: &Tensor) -> Result<usize> {
    match y.shape() {
        [_, .., labels] if *labels > 0 => Ok(*labels),
        shape => {
            Err(Error::new(ErrorKind::Model, format!("{who}: outputs {shape:?} have no columns of labels"))
                .help(
                    "several labels a sample are outputs and targets [n, labels], where targets are 0 and 1",
                ))
        }
    }
}

/// The number of classes that outputs hold scores of.
pub(super) fn class_count(who: &str, y: &Tensor) -> Result<usize> {
    match y.shape() {
        [_, .., classes] if *classes >= 2 => Ok(*classes),
        shape => Err(Error::new(
            ErrorKind::Model,
            format!("{who}: outputs {shape:?} hold no scores of two or more classes on their last axis"),
        )
        .help("for one number per sample choose a threshold: 0.0 for logits, 0.5 for probabilities")),
    }
}

/// The true class of each row of outputs, from ids or from probabilities.
pub(super) fn true_classes(who: &str, outputs: &[usize], target: &Tensor) -> Result<Vec<usize>> {
    let (classes, lead) = (outputs[outputs.len() - 1], &outputs[..outputs.len() - 1]);
    if target.shape() == lead && !target.dtype().is_float() {
        let ids = target.to(DType::I64).to_vec::<i64>();
        return ids.into_iter().enumerate().map(|(row, id)| in_range(who, classes, row, id)).collect();
    }
    if target.shape() == outputs && target.dtype().is_float() {
        refuse_nan(who, "target", target)?;
        return Ok(floats(target).chunks_exact(classes).map(argmax).collect());
    }
    let message = format!("{who}: outputs {outputs:?} and target {:?} do not fit", target.shape());
    Err(Error::new(ErrorKind::Model, message).help(format!(
        "targets are class ids {lead:?} of a whole-number type, or probabilities {outputs:?} of a float type; \
         this one is {}",
        target.dtype()
    )))
}

/// NaN is larger than nothing and smaller than nothing: no class follows from it, least of all the first.
pub(super) fn refuse_nan(who: &str, what: &str, t: &Tensor) -> Result<()> {
    if t.is_finite() {
        return Ok(());
    }
    let Some(i) = floats(t).iter().position(|v| v.is_nan()) else { return Ok(()) };
    let row = i / t.shape().last().copied().unwrap_or(1).max(1);
    Err(Error::new(
        ErrorKind::NonFinite,
        format!("{who}: an {what} of row {row} is NaN, from which no class follows"),
    )
    .help("look at the inputs of that row, and at the weights of the model"))
}

fn in_range(who: &str, classes: usize, row: usize, id: i64) -> Result<usize> {
    usize::try_from(id).ok().filter(|&c| c < classes).ok_or_else(|| {
        let message =
            format!("{who}: target {id} of row {row} is outside the {classes} classes 0..{classes}");
        Error::new(ErrorKind::Data, message).help("check the labels, or the size of the last layer")
    })
}

/// Values as f64, whatever the type.
pub(crate) fn floats(t: &Tensor) -> Vec<f64> {
    t.to(DType::F64).to_vec::<f64>()
}

/// An error that names both shapes.
pub(crate) fn mismatch(who: &str, y: &Tensor, target: &Tensor, help: &str) -> Error {
    Error::new(
        ErrorKind::Model,
        format!("{who}: shapes differ: outputs {:?}, target {:?}", y.shape(), target.shape()),
    )
    .help(help)
}

/// The index of the largest value, the first of equals (as `numpy.argmax`).
pub(crate) fn argmax(row: &[f64]) -> usize {
    let mut best = 0;
    for (i, v) in row.iter().enumerate() {
        if *v > row[best] {
            best = i;
        }
    }
    best
}

pub(super) fn zero_or_one(who: &str, v: f64) -> Result<usize> {
    if v == 0.0 || v == 1.0 {
        return Ok(v as usize);
    }
    Err(Error::new(ErrorKind::Data, format!("{who}: target {v} is neither 0 nor 1"))
        .help("a threshold decides between two classes, 0 and 1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn both_kinds_of_target() {
        let y = tensor![[0.1, 0.7, 0.2], [0.5, 0.5, 0.1]];
        let ids = Decision::Argmax.decide("m", &y, &tensor![1, 2]).unwrap();
        let soft = Decision::Argmax.decide("m", &y, &tensor![[0.2, 0.8, 0.0], [0.0, 0.1, 0.9]]).unwrap();
        assert_eq!(ids, soft);
        assert_eq!(ids.predicted, [1, 0], "the first of equals");
        let two =
            Decision::Threshold(0.0).decide("m", &tensor![[-1.0], [0.0]], &tensor![[1.0], [1.0]]).unwrap();
        assert_eq!((two.predicted, two.actual), (vec![0, 1], vec![1, 1]));
    }

    #[test]
    fn labels_are_decided_one_by_one() {
        let (y, t) = (tensor![[2.0, -1.0], [-1.0, 0.5]], tensor![[1.0, 1.0], [0.0, 1.0]]);
        let decided = Decision::Labels(0.0).decide("m", &y, &t).unwrap();
        assert_eq!((decided.predicted, decided.actual), (vec![1, 0, 0, 1], vec![1, 1, 0, 1]));
        assert!(label_columns("m", &tensor![1.0]).is_err());
    }

    #[test]
    fn refuses_to_guess() {
        let text = |y: Tensor, t: Tensor, d: Decision| d.decide("accuracy", &y, &t).unwrap_err().to_string();
        let y = tensor![[0.1, 0.7], [0.5, 0.5]];
        assert!(
            text(y.clone(), tensor![0, 2], Decision::Argmax)
                .contains("target 2 of row 1 is outside the 2 classes")
        );
        assert!(text(y.clone(), tensor![0.0, 1.0], Decision::Argmax).contains("do not fit"));
        assert!(text(y.clone(), tensor![0, 1, 1], Decision::Argmax).contains("[3]"));
        assert!(text(tensor![[0.1], [0.5]], tensor![0, 1], Decision::Argmax).contains("threshold"));
        assert!(text(tensor![[0.1]], tensor![[0.5]], Decision::Threshold(0.5)).contains("neither 0 nor 1"));
        assert!(text(tensor![[0.1]], tensor![1.0], Decision::Threshold(0.5)).contains("shapes differ"));
    }
}

//! The curve of precision and recall: how many of what is taken for a class are of it, against how many of the class are found.

use super::{steps, thinned};

/// The curve of precision and recall of one class against all others, from the highest threshold on.
///
/// It begins at recall 0 and precision 1, as scikit-learn's `precision_recall_curve` ends. Points between others of the same recall are left out, as
/// with its `drop_intermediate`, and of more than 400 the others are taken evenly; the average precision is that of all points.
///
/// ```
/// use mapsto_train::curves::PrecisionRecall;
/// let curve = PrecisionRecall::of([(0.1, false), (0.4, false), (0.35, true), (0.8, true)]).unwrap();
/// assert_eq!(curve.recall, [0.0, 0.5, 0.5, 1.0, 1.0]);
/// assert_eq!(curve.precision, [1.0, 1.0, 0.5, 2.0 / 3.0, 0.5]);
/// assert!((curve.average_precision - 5.0 / 6.0).abs() < 1e-15);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecall {
    /// The share of the class that is found, 0 to 1.
    pub recall: Vec<f64>,
    /// The share of what is taken for the class that is of it, 0 to 1.
    pub precision: Vec<f64>,
    /// From which score on; infinite at the first point.
    pub thresholds: Vec<f64>,
    /// `Σ (Rᵢ − Rᵢ₋₁) Pᵢ` over all thresholds.
    pub average_precision: f64,
}

impl PrecisionRecall {
    /// The curve of scores with whether each sample is of the class; nothing where none is.
    pub fn of(scored: impl IntoIterator<Item = (f64, bool)>) -> Option<PrecisionRecall> {
        let steps = steps(scored);
        let (so, ..) = *steps.last()?;
        if so == 0 {
            return None;
        }
        let last = steps.len() - 1;
        let moves = |i: &usize| steps[i - 1].0 != steps[*i].0 || steps[*i].0 != steps[i + 1].0;
        let inner = (1..last).filter(moves);
        let places = std::iter::once(0).chain(inner).chain((last > 0).then_some(last)).collect();
        let (mut average_precision, mut before) = (0.0, 0);
        for &(found, taken, _) in &steps {
            average_precision += (found - before) as f64 * (found as f64 / (found + taken) as f64);
            before = found;
        }
        let mut curve = PrecisionRecall {
            recall: vec![0.0],
            precision: vec![1.0],
            thresholds: vec![f64::INFINITY],
            average_precision: average_precision / so as f64,
        };
        for place in thinned(places) {
            let (found, taken, score) = steps[place];
            curve.recall.push(found as f64 / so as f64);
            curve.precision.push(found as f64 / (found + taken) as f64);
            curve.thresholds.push(score);
        }
        Some(curve)
    }
}

#[test]
fn without_the_class_there_is_no_curve() {
    assert_eq!(PrecisionRecall::of([(0.1, false)]), None);
    let all = PrecisionRecall::of([(0.5, true), (0.2, true)]).unwrap();
    assert_eq!((all.average_precision, all.precision), (1.0, vec![1.0, 1.0, 1.0]));
}

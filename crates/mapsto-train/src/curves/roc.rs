//! The ROC curve: how many of a class are found, against how many others are taken for it.

use super::{steps, thinned};

/// The ROC curve of one class against all others: at each threshold the share of the class that is scored at least as high, and the share of
/// the others.
///
/// Points on a straight line between others are left out, as scikit-learn's `roc_curve` does, and of more than 400 the others are taken evenly; the area is that of all points.
///
/// ```
/// use mapsto_train::curves::Roc;
/// let roc = Roc::of([(0.1, false), (0.4, false), (0.35, true), (0.8, true)]).unwrap();
/// assert_eq!((roc.fpr, roc.tpr), (vec![0.0, 0.0, 0.5, 0.5, 1.0], vec![0.0, 0.5, 0.5, 1.0, 1.0]));
/// assert_eq!((roc.auc, roc.thresholds[1]), (0.75, 0.8));
/// ```
///
/// Source: Fawcett 2006, algorithms 1 and 2.
#[derive(Clone, Debug, PartialEq)]
pub struct Roc {
    /// The share of the others that is taken for the class, 0 to 1.
    pub fpr: Vec<f64>,
    /// The share of the class that is found, 0 to 1.
    pub tpr: Vec<f64>,
    /// From which score on; infinite at the first point.
    pub thresholds: Vec<f64>,
    /// The area under the curve.
    pub auc: f64,
}

impl Roc {
    /// The curve of scores with whether each sample is of the class; nothing where all are or none is.
    pub fn of(scored: impl IntoIterator<Item = (f64, bool)>) -> Option<Roc> {
        let steps = steps(scored);
        let (so, not, _) = *steps.last()?;
        if so == 0 || not == 0 {
            return None;
        }
        let before = std::iter::once((0, 0)).chain(steps.iter().map(|s| (s.0, s.1)));
        let area =
            before.zip(&steps).map(|(a, b)| u128::from(b.1 - a.1) * u128::from(a.0 + b.0)).sum::<u128>();
        let bends = |i: &usize| {
            let [(a, b, _), (c, d, _), (e, f, _)] = [steps[i - 1], steps[*i], steps[i + 1]];
            c - a != e - c || d - b != f - d
        };
        let last = steps.len() - 1;
        let inner = (1..last).filter(bends);
        let places = std::iter::once(0).chain(inner).chain((last > 0).then_some(last)).collect();
        let mut roc = Roc {
            fpr: vec![0.0],
            tpr: vec![0.0],
            thresholds: vec![f64::INFINITY],
            auc: area as f64 / (2.0 * so as f64 * not as f64),
        };
        for place in thinned(places) {
            let (found, taken, score) = steps[place];
            roc.tpr.push(found as f64 / so as f64);
            roc.fpr.push(taken as f64 / not as f64);
            roc.thresholds.push(score);
        }
        Some(roc)
    }
}

#[test]
fn one_class_alone_has_no_curve_and_long_ones_are_thinned() {
    assert_eq!(Roc::of([(0.1, true), (0.2, true)]), None);
    assert_eq!(Roc::of([]), None);
    let all = |n: u64| Roc::of((0..n).map(|i| (i as f64, i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63 == 1)));
    let (whole, thin) = (all(100).unwrap(), all(10_000).unwrap());
    assert!(whole.fpr.len() < 102 && thin.fpr.len() == 401);
    assert_eq!((thin.fpr.last(), thin.tpr.last()), (Some(&1.0), Some(&1.0)));
    assert!((thin.auc - 0.5).abs() < 0.02);
}

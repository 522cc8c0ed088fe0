//! The curves of precision and recall as a picture.

use super::unit::{Curve, MOST, Words, unit};
use crate::curves::PrecisionRecall;
use mapsto_tensor::Result;

/// Draws the curve of precision and recall of each class against all others, with its average precision; of more than ten those with the least.
///
/// ```
/// use mapsto_train::{curves::PrecisionRecall, plots};
/// let curve = PrecisionRecall::of([(0.1, false), (0.4, false), (0.35, true), (0.8, true)]).unwrap();
/// assert!(plots::precision_recall(&[("spam".to_string(), curve)]).unwrap().contains("spam: average precision 0.8333"));
/// ```
///
/// # Errors
/// Only if the drawing library fails.
pub fn precision_recall(curves: &[(String, PrecisionRecall)]) -> Result<String> {
    let mut shown: Vec<&(String, PrecisionRecall)> = curves.iter().collect();
    shown.sort_by(|a, b| a.1.average_precision.total_cmp(&b.1.average_precision));
    shown.truncate(MOST);
    let below = match curves {
        [] => "no class has samples".to_string(),
        [(name, curve)] => format!("{name}: average precision {:.4}", curve.average_precision),
        all => {
            let mean = all.iter().map(|(_, curve)| curve.average_precision).sum::<f64>() / all.len() as f64;
            let of = if all.len() > MOST {
                format!(", the lowest {MOST} of {}", all.len())
            } else {
                String::new()
            };
            format!("each against the others, mean average precision {mean:.4}{of}")
        }
    };
    let curve = |(name, curve): &&(String, PrecisionRecall)| Curve {
        name: format!("{name} {:.4}", curve.average_precision),
        points: curve.recall.iter().copied().zip(curve.precision.iter().copied()).collect(),
        marks: Vec::new(),
    };
    let curves: Vec<Curve> = shown.iter().map(curve).collect();
    let words = Words {
        title: "precision and recall",
        below: &below,
        x: "recall: share of the class that is found",
        y: "precision: share of what is taken for it that is right",
        has_diagonal: false,
    };
    unit(&words, &curves)
}

#[test]
fn what_is_drawn_are_the_points() {
    let scored = (0..300_u64).map(|i| ((i * 37 % 101) as f64 + (i % 3) as f64 * 20.0, i % 3 == 1));
    let curve = PrecisionRecall::of(scored).unwrap();
    let lines = super::unit::lines_of(&precision_recall(&[("a".to_string(), curve.clone())]).unwrap());
    assert_eq!(lines.len(), 1, "chance has no diagonal here");
    let points: Vec<_> = curve.recall.iter().copied().zip(curve.precision.iter().copied()).collect();
    super::unit::check_drawn(&lines[0], &points);
    assert!(precision_recall(&[]).unwrap().starts_with("<svg"));
}

//! The reliability diagram as a picture.

use super::unit::{Curve, Words, unit};
use crate::curves::Reliability;
use mapsto_tensor::Result;

/// Draws how often choices of a confidence are right, before and after logits are divided by a temperature, where one is known; the area of a circle is
/// that of the share of samples.
///
/// ```
/// use mapsto_train::{curves::Reliability, plots};
/// let found = Reliability::of([(0.75, true), (0.75, false), (0.95, true)]);
/// assert!(plots::reliability(&[("as it is".to_string(), found)]).unwrap().contains("calibration error 0.1833"));
/// ```
///
/// # Errors
/// Only if the drawing library fails.
pub fn reliability(found: &[(String, Reliability)]) -> Result<String> {
    let errors = found.iter().map(|(name, bins)| match found.len() {
        1 => format!("calibration error {:.4}", bins.ece()),
        _ => format!("{name}: calibration error {:.4}", bins.ece()),
    });
    let below = errors.collect::<Vec<_>>().join(", ");
    let curve = |(name, found): &(String, Reliability)| {
        let all: u64 = found.bins.iter().map(|bin| bin.samples).sum();
        let radius = |samples: u64| 2 + (9.0 * (samples as f64 / all.max(1) as f64).sqrt()).round() as i32;
        Curve {
            name: name.clone(),
            points: found.bins.iter().map(|bin| (bin.confidence, bin.accuracy)).collect(),
            marks: found.bins.iter().map(|bin| radius(bin.samples)).collect(),
        }
    };
    let curves: Vec<Curve> = found.iter().map(curve).collect();
    let words = Words {
        title: "reliability",
        below: &below,
        x: "confidence: the mean probability of the class that was chosen",
        y: "share of these choices that is right",
        has_diagonal: true,
    };
    unit(&words, &curves)
}

#[test]
fn what_is_drawn_are_the_points() {
    let found = Reliability::of((0..500_u64).map(|i| ((i * 37 % 101) as f64 / 100.0, i * 53 % 7 < i % 9)));
    let lines = super::unit::lines_of(&reliability(&[("as it is".to_string(), found.clone())]).unwrap());
    assert_eq!(lines.len(), 2, "the diagonal and the curve");
    super::unit::check_drawn(&lines[0], &[(0.0, 0.0), (1.0, 1.0)]);
    let points: Vec<_> = found.bins.iter().map(|bin| (bin.confidence, bin.accuracy)).collect();
    super::unit::check_drawn(&lines[1], &points);
}

//! The ROC curves as a picture.

use super::unit::{Curve, MOST, Words, unit};
use crate::curves::Roc;
use mapsto_tensor::Result;

/// Draws the ROC curve of each class against all others, with its area; of more than ten those with the least area.
///
/// ```
/// use mapsto_train::{curves::Roc, plots};
/// let roc = Roc::of([(0.1, false), (0.4, false), (0.35, true), (0.8, true)]).unwrap();
/// assert!(plots::roc(&[("spam".to_string(), roc)]).unwrap().contains("spam: area 0.7500"));
/// ```
///
/// # Errors
/// Only if the drawing library fails.
pub fn roc(curves: &[(String, Roc)]) -> Result<String> {
    let mut shown: Vec<&(String, Roc)> = curves.iter().collect();
    shown.sort_by(|a, b| a.1.auc.total_cmp(&b.1.auc));
    shown.truncate(MOST);
    let below = match curves {
        [] => "no class has samples and others beside it".to_string(),
        [(name, roc)] => format!("{name}: area {:.4}", roc.auc),
        all => {
            let mean = all.iter().map(|(_, roc)| roc.auc).sum::<f64>() / all.len() as f64;
            let of = if all.len() > MOST {
                format!(", the lowest {MOST} of {}", all.len())
            } else {
                String::new()
            };
            format!("each against the others, mean area {mean:.4}{of}")
        }
    };
    let curve = |(name, roc): &&(String, Roc)| Curve {
        name: format!("{name} {:.4}", roc.auc),
        points: roc.fpr.iter().copied().zip(roc.tpr.iter().copied()).collect(),
        marks: Vec::new(),
    };
    let curves: Vec<Curve> = shown.iter().map(curve).collect();
    let words = Words {
        title: "ROC",
        below: &below,
        x: "share of the others that is taken for it",
        y: "share of the class that is found",
        has_diagonal: true,
    };
    unit(&words, &curves)
}

#[test]
fn what_is_drawn_are_the_points() {
    let of = |seed: u64| {
        Roc::of((0..300_u64).map(|i| {
            let noise = (i * seed % 101) as f64;
            (noise + (i % 3) as f64 * 20.0, i % 3 == 1)
        }))
        .unwrap()
    };
    let curves = [("a".to_string(), of(37)), ("b".to_string(), of(53))];
    let lines = super::unit::lines_of(&roc(&curves).unwrap());
    assert_eq!(lines.len(), 3, "the diagonal and two curves");
    let mut shown: Vec<&Roc> = curves.iter().map(|(_, roc)| roc).collect();
    shown.sort_by(|a, b| a.auc.total_cmp(&b.auc));
    for (line, roc) in lines[1..].iter().zip(shown) {
        let points: Vec<_> = roc.fpr.iter().copied().zip(roc.tpr.iter().copied()).collect();
        super::unit::check_drawn(line, &points);
    }
    assert!(roc(&[]).unwrap().starts_with("<svg"));
    let many: Vec<_> = (0..30).map(|i| (i.to_string(), of(i + 7))).collect();
    assert!(roc(&many).unwrap().contains("the lowest 10 of 30"));
}

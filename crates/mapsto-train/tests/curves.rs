//! Curves and reports of labels are scikit-learn's, point by point (golden/make_curves.py).

use mapsto_train::LabelReport;
use mapsto_train::curves::{PrecisionRecall, Reliability, Residuals, Roc};
use std::collections::HashMap;

const GOLDEN: &str = include_str!("golden/curves.txt");

/// The blocks of the golden file: a heading, and lists of numbers by name; a line with bars is a table.
fn blocks() -> Vec<(String, HashMap<String, Vec<f64>>, String)> {
    let mut blocks: Vec<(String, HashMap<String, Vec<f64>>, String)> = Vec::new();
    for line in GOLDEN.lines().skip(1) {
        let is_head = ["curve", "reliability", "report"].iter().any(|head| line.starts_with(head));
        if is_head {
            blocks.push((line.to_string(), HashMap::new(), String::new()));
            continue;
        }
        let block = blocks.last_mut().unwrap();
        if line.contains('|') {
            block.2 = line.replace('|', "\n");
            continue;
        }
        let (name, rest) = line.split_once(' ').unwrap();
        block.1.insert(name.to_string(), rest.split(' ').map(|v| v.parse().unwrap()).collect());
    }
    blocks
}

#[track_caller]
fn near(found: &[f64], wanted: &[f64], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}: {found:?} {wanted:?}");
    for (a, b) in found.iter().zip(wanted) {
        assert!(a == b || (a - b).abs() < 1e-14, "{what}: {a} {b}");
    }
}

#[test]
fn curves_have_the_points_of_scikit_learn() {
    let mut count = 0;
    for (_, of, _) in blocks().iter().filter(|(head, ..)| head == "curve") {
        let scored = || of["scores"].iter().copied().zip(of["truth"].iter().map(|&t| t == 1.0));
        let roc = Roc::of(scored()).unwrap();
        near(&roc.fpr, &of["fpr"], "fpr");
        near(&roc.tpr, &of["tpr"], "tpr");
        near(&roc.thresholds, &of["at"], "thresholds");
        near(&[roc.auc], &of["auc"], "auc");
        let curve = PrecisionRecall::of(scored()).unwrap();
        near(&curve.precision, &of["precision"], "precision");
        near(&curve.recall, &of["recall"], "recall");
        near(&curve.thresholds, &of["pr_at"], "thresholds of precision and recall");
        near(&[curve.average_precision], &of["ap"], "average precision");
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn bins_of_confidence_are_those_of_scikit_learn() {
    let all = blocks();
    let (_, of, _) = all.iter().find(|(head, ..)| head == "reliability").unwrap();
    let found = Reliability::of(of["confidence"].iter().copied().zip(of["right"].iter().map(|&r| r == 1.0)));
    near(&found.bins.iter().map(|bin| bin.confidence).collect::<Vec<_>>(), &of["mean"], "confidence");
    near(&found.bins.iter().map(|bin| bin.accuracy).collect::<Vec<_>>(), &of["accuracy"], "accuracy");
}

#[test]
fn reports_of_labels_are_what_scikit_learn_prints() {
    let names = ["big", "red, round", "a label with a long name", "never"].map(String::from);
    let mut count = 0;
    for (head, of, text) in blocks().iter().filter(|(head, ..)| head.starts_with("report")) {
        let k: usize = head.split(' ').nth(1).unwrap().parse().unwrap();
        let whole = |name: &str| of[name].iter().map(|&v| v as u8).collect::<Vec<u8>>();
        let report = LabelReport::of(&whole("given"), &whole("truth"), &names[..k]);
        let bare = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        assert_eq!(bare(&report.to_string()).trim_end(), bare(text).trim_end());
        let rows = report.rows.iter().chain(&report.averages);
        let numbers: Vec<f64> = rows.flat_map(|r| [r.precision, r.recall, r.f1, r.support as f64]).collect();
        near(&numbers, &of["numbers"], "numbers");
        count += 1;
    }
    assert_eq!(count, 2);
}

#[test]
fn quantiles_are_numpys() {
    // numpy.percentile([-3, -1, 0, 1, 2.5, 4], [0, 5, 25, 50, 75, 95, 100])
    let found = Residuals::of(&[0.0; 6], &[4.0, -1.0, 0.0, 2.5, 1.0, -3.0]).unwrap();
    near(&found.quantiles, &[-3.0, -2.5, -0.75, 0.5, 2.125, 3.625, 4.0], "quantiles");
}

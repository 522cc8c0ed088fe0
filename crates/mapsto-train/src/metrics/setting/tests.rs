//! What holds for every metric of the list.

#![cfg(test)]

use super::SCALES;
use crate::Step;
use crate::metrics::*;
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

fn filled(entry: &Entry) -> Result<(Box<dyn Metric>, Entry)> {
    mapsto_spec::filled(entry, &())
}

#[test]
fn every_metric_says_its_entry() {
    mapsto_spec::check_family::<dyn Metric>(&[&()]);
    let check = |entry: Entry| mapsto_spec::check_entry::<dyn Metric>(&entry, &());
    check(Entry::new("accuracy").with_option("threshold", 0.25));
    check(Entry::new("top_k").with_value(3_usize));
    for name in ["precision", "recall", "f1", "specificity", "jaccard"] {
        check(Entry::new(name).with_option("threshold", 0.25).with_option("multilabel", true));
        check(Entry::new(name).with_value(2_usize).with_option("threshold", 0.25));
        check(Entry::new(name).with_value("weighted"));
    }
}

#[test]
fn every_kind_builds_and_names_its_column() {
    let names: Vec<String> = METRICS.iter().map(|k| filled(&k.sample()).unwrap().0.name()).collect();
    for name in ["accuracy", "top-2 accuracy", "macro precision", "macro recall", "macro f1", "mae", "rmse"] {
        assert!(names.iter().any(|n| n == name), "{name}: {names:?}");
    }
    assert!(METRICS.iter().all(|k| !k.doc.is_empty()));
}

/// Every metric of the registry that one class can be chosen in refuses a class that the outputs do not have.
#[test]
fn a_class_that_is_not_there_is_refused() {
    use mapsto_tensor::prelude::*;
    let mut refused = Vec::new();
    for kind in METRICS {
        let of = |class: usize| filled(&Entry::new(kind.name).with_value(class)).map(|(metric, _)| metric);
        let Ok(metric) = of(7) else { continue };
        let (y, target) = (Tensor::eye(3), tensor![0, 1, 2]);
        let below = |help: &str| help.contains("below 3") || help.contains("up to 3");
        if let Ok(counts) = of(2).unwrap().count(&y, &target) {
            assert!(of(2).unwrap().value(&counts).is_finite(), "{}", kind.name);
            let e = metric.count(&y, &target).unwrap_err();
            assert!(e.help_text().is_some_and(below), "{e}");
            refused.push(kind.name);
        }
    }
    let wanted = [
        "top_k",
        "precision",
        "recall",
        "specificity",
        "f1",
        "jaccard",
        "roc_auc",
        "average_precision",
        "recall_at_k",
        "hit_rate",
        "ndcg",
    ];
    assert_eq!(refused, wanted);
}

#[test]
fn a_missing_output_is_an_error_with_those_there_are() {
    let y = Tensor::ones([2]);
    let step = Step::new(Tensor::zeros(())).named("a", &y, &y).named("b", &y, &y);
    let text = |metric: &dyn Metric, step: &Step| metric.read(step).unwrap_err().to_string();
    assert!(text(&Mae::new(), &step).contains("say which with `.of(\"..\")`"));
    assert!(text(&Mae::new().of("c"), &step).contains("no output `c`"));
    assert!(text(&Mae::new(), &Step::new(y.clone())).contains("Step::new(loss).output"));
    assert!(Mae::new().of("b").read(&step).is_ok());
}

#[test]
fn every_metric_that_reads_probabilities_says_what_it_takes_outputs_for() {
    let mut found = Vec::new();
    for kind in METRICS.iter().filter(|kind| kind.options.iter().any(|(name, _)| *name == "outputs")) {
        for (name, outputs) in SCALES {
            let entry = kind.sample().with_option("outputs", name);
            assert_eq!(filled(&entry).unwrap().0.outputs(), Some(outputs), "{entry}");
            mapsto_spec::check_entry::<dyn Metric>(&entry, &());
        }
        assert!(filled(&kind.sample().with_option("outputs", "values")).is_err());
        found.push(kind.name);
    }
    assert_eq!(found, ["log_loss", "brier", "roc_auc", "average_precision", "ece", "perplexity"]);
}

#[test]
fn entries_are_checked() {
    let error = |entry: Entry| filled(&entry).err().unwrap().to_string();
    assert!(error(Entry::new("acuracy")).contains("did you mean `accuracy`"));
    assert!(error(Entry::new("f1").with_value("average")).contains("weighted"));
    assert!(error(Entry::new("top_k").with_value(0_usize)).contains("k must be at least 1, got 0"));
    let (metric, entry) =
        filled(&Entry::new("recall").with_value(1_usize).with_option("threshold", 0.5)).unwrap();
    assert_eq!(metric.name(), "recall of class 1");
    assert_eq!(entry.to_string(), "{ recall = 1, threshold = 0.5 }");
}

/// Every metric of the registry, by scores and by a threshold where it takes one: a NaN anywhere among the outputs is
/// refused, or the number is NaN.
#[test]
fn nan_is_no_right_answer() {
    use mapsto_tensor::prelude::*;
    let (mut checked, nan) = (0, f64::NAN as f32);
    for kind in METRICS {
        let entry = kind.sample();
        let by_threshold = filled(&entry.clone().with_option("threshold", 0.0)).ok();
        for (metric, threshold) in
            [Some((filled(&entry).unwrap(), false)), by_threshold.map(|m| (m, true))].into_iter().flatten()
        {
            let metric = metric.0;
            // What does not take class ids compares numbers.
            let is_error = metric.count(&Tensor::zeros([4, 3]), &tensor![0, 1, 2, 0]).is_err();
            let width = if threshold { 1 } else { 3 };
            let target = match (threshold, is_error) {
                (true, _) => tensor![[1.0], [0.0], [1.0], [0.0]],
                (false, true) => Tensor::from_slice(
                    &[0.0_f32, 3.0, 1.0, 4.0, 2.0, 0.0, 3.0, 1.0, 4.0, 2.0, 0.0, 1.0],
                    [4, 3],
                ),
                (false, false) => tensor![0, 1, 2, 0],
            };
            for place in 0..4 * width {
                let mut y: Vec<f32> = (0..4 * width).map(|i| (i * 7 % 5) as f32).collect();
                let number = |y: &[f32]| {
                    let y = Tensor::from_slice(y, [4, width]);
                    metric.count(&y, &target).map(|counts| metric.value(&counts))
                };
                assert!(number(&y).unwrap().is_finite(), "{}", kind.name);
                y[place] = nan;
                match number(&y) {
                    Ok(value) => assert!(value.is_nan(), "{}: {value} with NaN at {place}", kind.name),
                    Err(e) => assert!(e.message().contains("NaN"), "{e}"),
                }
                checked += 1;
            }
        }
    }
    // Every metric of 12 outputs, and four at least also of 4 by a threshold.
    assert!(checked >= METRICS.len() * 12 + 4 * 4, "{checked}");
}

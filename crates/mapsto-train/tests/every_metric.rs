//! Every metric equals what scikit-learn, torchmetrics and SciPy say to 1e-12, with the same bits for any batches in any order:
//! golden/every_metric.txt holds their answers, golden/make_every_metric.py asks them.

use mapsto_spec::{Entry, Json, build};
use mapsto_tensor::{Tensor, prelude::*};
use mapsto_train::metrics::{Counts, METRICS, Metric};
use std::collections::BTreeMap;

/// One block of the golden file.
struct Case {
    name: String,
    /// Outputs of a sample; 0 where they are a list of numbers.
    width: usize,
    ids: bool,
    y: Vec<f64>,
    t: Vec<f64>,
    metrics: Vec<(f64, Entry)>,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("golden/every_metric.txt").lines().filter(|line| !line.starts_with('#')) {
        let (word, rest) = line.split_once(' ').unwrap();
        let numbers = || rest.split(' ').map(|word| word.parse().unwrap()).collect();
        if word == "case" {
            let words: Vec<&str> = rest.split(' ').collect();
            let (name, width) = (words[0].to_string(), words[1].parse().unwrap());
            let (y, t, metrics) = (Vec::new(), Vec::new(), Vec::new());
            cases.push(Case { name, width, ids: words[2] == "ids", y, t, metrics });
            continue;
        }
        let case = cases.last_mut().unwrap();
        match word {
            "y" => case.y = numbers(),
            "t" => case.t = numbers(),
            _ => {
                let (value, entry) = rest.split_once(' ').unwrap();
                case.metrics.push((value.parse().unwrap(), entry_of(entry)));
            }
        }
    }
    cases
}

fn entry_of(json: &str) -> Entry {
    Entry::from_json(&Json::parse(json).unwrap()).unwrap()
}

impl Case {
    fn samples(&self) -> usize {
        self.y.len() / self.width.max(1)
    }

    /// Outputs and targets of some samples.
    fn batch(&self, rows: &[usize]) -> (Tensor, Tensor) {
        let pick = |all: &[f64], width: usize| -> Vec<f64> {
            rows.iter().flat_map(|&row| all[row * width..(row + 1) * width].to_vec()).collect()
        };
        let width = self.width.max(1);
        let shape = if self.width == 0 { vec![rows.len()] } else { vec![rows.len(), width] };
        let y = Tensor::from_slice(&pick(&self.y, width), &*shape);
        let t = match self.ids {
            true => {
                let ids: Vec<i64> = pick(&self.t, 1).into_iter().map(|id| id as i64).collect();
                Tensor::from_slice(&ids, [rows.len()])
            }
            false => Tensor::from_slice(&pick(&self.t, width), &*shape),
        };
        (y, t)
    }

    fn count(&self, metric: &dyn Metric, rows: &[usize]) -> Counts {
        let (y, t) = self.batch(rows);
        metric.count(&y, &t).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }
}

/// The samples in an order that is not theirs.
fn shuffled(n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|&i| (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    order
}

#[test]
fn every_metric_equals_its_golden_numbers_whatever_the_batches() {
    let mut compared: BTreeMap<&str, usize> = METRICS.iter().map(|kind| (kind.name, 0)).collect();
    for case in cases() {
        let order = shuffled(case.samples());
        for (expected, entry) in &case.metrics {
            let metric = build::<dyn Metric>(entry, &()).unwrap_or_else(|e| panic!("{entry}: {e}"));
            let whole: Vec<usize> = (0..case.samples()).collect();
            let value = metric.value(&case.count(&*metric, &whole));
            let error = (value - expected).abs() / expected.abs().max(1.0);
            assert!(error <= 1e-12, "{} {entry}: {value} for {expected}", case.name);
            for size in [1, 7, 64] {
                for order in [&whole, &order] {
                    let mut counts = Counts::default();
                    order.chunks(size).for_each(|rows| counts.merge(&case.count(&*metric, rows)));
                    let same = metric.value(&counts);
                    assert_eq!(same.to_bits(), value.to_bits(), "{} {entry} in batches of {size}", case.name);
                }
            }
            *compared.get_mut(entry.name.as_str()).unwrap_or_else(|| panic!("{entry} is no metric")) += 1;
        }
    }
    let without: Vec<&&str> = compared.iter().filter(|(_, n)| **n == 0).map(|(name, _)| name).collect();
    assert!(without.is_empty(), "no golden number of {without:?}: add them to golden/make_every_metric.py");
    let all: usize = compared.values().sum();
    println!("{all} numbers of {} metrics compared: {compared:?}", compared.len());
    assert!(all >= 551, "{all}");
}

#[test]
fn threads_that_count_parts_find_the_same_bits() {
    for case in &cases() {
        let order = shuffled(case.samples());
        for (_, entry) in &case.metrics {
            let whole = build::<dyn Metric>(entry, &()).unwrap();
            let value = whole.value(&case.count(&*whole, &order));
            for threads in [2, 5] {
                let size = order.len().div_ceil(threads);
                let parts: Vec<Counts> = std::thread::scope(|scope| {
                    let count = |rows| {
                        scope.spawn(move || case.count(&*build::<dyn Metric>(entry, &()).unwrap(), rows))
                    };
                    let running: Vec<_> = order.chunks(size).map(count).collect();
                    running.into_iter().map(|thread| thread.join().unwrap()).collect()
                });
                let mut all = Counts::default();
                parts.iter().rev().for_each(|part| all.merge(part));
                assert_eq!(whole.value(&all).to_bits(), value.to_bits(), "{} {entry}", case.name);
            }
        }
    }
}

/// One class alone, no positives, constant targets: what scikit-learn says there, or NaN where there is no answer.
#[test]
fn edges_are_as_in_scikit_learn() {
    let of = |entry: &str, y: Tensor, t: Tensor| {
        let metric = build::<dyn Metric>(&entry_of(entry), &()).unwrap();
        metric.count(&y, &t).map(|counts| metric.value(&counts))
    };
    let same = |entry: &str, y: &Tensor, t: &Tensor, expected: f64| {
        let found = of(entry, y.clone(), t.clone()).unwrap_or_else(|e| panic!("{entry}: {e}"));
        assert!(found == expected || (found.is_nan() && expected.is_nan()), "{entry}: {found}");
    };
    let (y, ones, zeros) = (tensor![0.5, 0.7], tensor![1.0, 1.0], tensor![0.0, 0.0]);
    same("{\"roc_auc\": true}", &y, &ones, f64::NAN);
    same("{\"roc_auc\": true}", &y, &zeros, f64::NAN);
    same("{\"average_precision\": true}", &y, &zeros, 0.0);
    same("{\"average_precision\": true}", &y, &ones, 1.0);
    same("{\"mcc\": true, \"threshold\": 0.0}", &y, &ones, 0.0);
    same("{\"balanced_accuracy\": true, \"threshold\": 0.0}", &y, &ones, 1.0);
    same("{\"cohen_kappa\": true, \"threshold\": 0.0}", &y, &ones, f64::NAN);
    same("{\"r2\": true}", &y, &ones, 0.0);
    same("{\"r2\": true}", &ones, &ones, 1.0);
    same("{\"explained_variance\": true}", &y, &ones, 0.0);
    same("{\"pearson\": true}", &y, &ones, f64::NAN);
    same("{\"spearman\": true}", &y, &ones, f64::NAN);
    same("{\"ndcg\": true}", &tensor![[0.5, 0.7]], &tensor![[0.0, 0.0]], 0.0);
    // Of three classes one has no sample: scikit-learn refuses it, and there is no mean.
    let (scores, ids) =
        (tensor![[1.0, 0.5, 0.1], [0.2, 0.3, 0.9], [0.3, 0.9, 0.1], [2.0, 0.0, 0.0]], tensor![0, 1, 1, 0]);
    same("{\"roc_auc\": true}", &scores, &ids, f64::NAN);
    assert!(of("{\"roc_auc\": 1}", scores.clone(), ids.clone()).unwrap().is_finite());
    // Nothing at all is a number about nothing.
    for kind in METRICS {
        let metric = build::<dyn Metric>(&kind.sample(), &()).unwrap();
        assert!(metric.value(&Counts::default()).is_nan(), "{}", kind.name);
    }
}

//! Metrics equal scikit-learn's to 1e-12, and do not depend on the batch size: golden/metrics.txt holds its answers.

use mapsto_spec::{Entry, Value};
use mapsto_tensor::prelude::*;
use mapsto_train::metrics::{ConfusionMatrix, Counts, Decision, Metric};

/// One block of the golden file.
#[derive(Default)]
struct Case {
    name: String,
    n: usize,
    /// Classes; 1 for a threshold, 0 for regression.
    k: usize,
    at: f64,
    y: Vec<f64>,
    t: Vec<f64>,
    metrics: Vec<(String, f64)>,
    confusion: Vec<u64>,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("golden/metrics.txt").lines().filter(|l| !l.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "case" {
            let at = words.get(4).map_or(0.0, |w| w.parse().unwrap());
            let (n, k) = (words[2].parse().unwrap(), words[3].parse().unwrap());
            cases.push(Case { name: words[1].into(), n, k, at, ..Case::default() });
            continue;
        }
        let case = cases.last_mut().unwrap();
        let float_bits = |w: &&str| f64::from_bits(u64::from_str_radix(w, 16).unwrap());
        match words[0] {
            "y" => case.y = words[1..].iter().map(float_bits).collect(),
            "t" if case.k == 0 => case.t = words[1..].iter().map(float_bits).collect(),
            "t" => case.t = words[1..].iter().map(|w| w.parse().unwrap()).collect(),
            "metric" => {
                case.metrics.push((words[1..words.len() - 1].join(" "), python_hex(words[words.len() - 1])));
            }
            _ => case.confusion = words[1..].iter().map(|w| w.parse().unwrap()).collect(),
        }
    }
    cases
}

/// Reads Python's `float.hex`.
fn python_hex(text: &str) -> f64 {
    let (mantissa, exponent) = text.trim_start_matches("0x").split_once('p').unwrap();
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = u64::from_str_radix(&format!("{whole}{part}"), 16).unwrap() as f64;
    digits * 2_f64.powi(exponent.parse::<i32>().unwrap() - 4 * part.len() as i32)
}

impl Case {
    fn batch(&self, rows: std::ops::Range<usize>) -> (Tensor, Tensor) {
        let width = self.k.max(1);
        let y = Tensor::from_slice(&self.y[rows.start * width..rows.end * width], self.shape(rows.len()));
        let t = &self.t[rows.clone()];
        match self.k {
            0 | 1 => (y, Tensor::from_slice(t, [rows.len()])),
            _ => (y, Tensor::from_slice(&t.iter().map(|v| *v as i64).collect::<Vec<_>>(), [rows.len()])),
        }
    }

    fn shape(&self, n: usize) -> Vec<usize> {
        if self.k < 2 { vec![n] } else { vec![n, self.k] }
    }

    fn metric(&self, name: &str) -> Box<dyn Metric> {
        let (kind, main) = name.split_once(' ').map_or((name, None), |(k, m)| (k, Some(m)));
        let mut entry = Entry::new(kind);
        if let Some(main) = main {
            entry = entry.with_value(main.parse().map_or(Value::Str(main.into()), Value::Int));
        }
        if self.k == 1 {
            entry = entry.with_option("threshold", self.at);
        }
        mapsto_spec::build::<dyn Metric>(&entry, &()).unwrap()
    }
}

#[test]
fn equal_to_scikit_learn_at_any_batch_size() {
    let mut compared = 0;
    for case in cases() {
        for (name, expected) in &case.metrics {
            let metric = case.metric(name);
            let mut bits = None;
            for size in [case.n, 1, 7, 64] {
                let mut counts = Counts::default();
                for start in (0..case.n).step_by(size) {
                    let (y, t) = case.batch(start..(start + size).min(case.n));
                    counts.merge(&metric.count(&y, &t).unwrap());
                }
                let value = metric.value(&counts);
                let error = (value - expected).abs() / expected.abs().max(1.0);
                assert!(error <= 1e-12, "{} {name}: {value} for {expected}", case.name);
                assert_eq!(
                    *bits.get_or_insert(value.to_bits()),
                    value.to_bits(),
                    "{name} in batches of {size}"
                );
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 67);
}

#[test]
fn confusion_matrices_equal_scikit_learns() {
    for case in cases().into_iter().filter(|c| c.k > 1) {
        let mut all = ConfusionMatrix::new(case.k);
        for start in (0..case.n).step_by(13) {
            let mut part = ConfusionMatrix::new(case.k);
            let (y, t) = case.batch(start..(start + 13).min(case.n));
            part.add(Decision::Argmax, &y, &t).unwrap();
            all.merge(&part);
        }
        let cells: Vec<u64> = (0..case.k * case.k).map(|i| all.get(i / case.k, i % case.k)).collect();
        assert_eq!(cells, case.confusion, "{}", case.name);
    }
}

//! What PyTorch computes in the benchmarks, to which every run is held.
//!
//! `golden/losses.txt` holds PyTorch's numbers; `golden/losses.py` made it.

const GOLDEN: &str = include_str!("../golden/losses.txt");

/// PyTorch's numbers for a workload.
pub fn golden(name: &str) -> Vec<f64> {
    let line = GOLDEN.lines().find(|l| l.split(' ').next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("golden/losses.txt has no line {name}: losses.py writes it"));
    line.split(' ').skip(1).map(|v| v.parse().expect("a number")).collect()
}

/// Requires the numbers found to be PyTorch's, as far as both go, to an absolute 1e-4; returns the largest difference.
pub fn assert_pytorchs(name: &str, what: &str, found: &[f64]) -> f64 {
    assert_near(name, what, found, |_| 1e-4)
}

/// Requires the numbers found to be PyTorch's, as far as both go, each to `most` of it; returns the largest difference.
pub fn assert_near(name: &str, what: &str, found: &[f64], most: impl Fn(f64) -> f64) -> f64 {
    let expected = golden(name);
    assert!(!found.is_empty() && found.len() <= expected.len(), "{name}: {} numbers", found.len());
    let mut worst: f64 = 0.0;
    for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
        assert!((a - b).abs() < most(*b), "{name}: {what} {i} is {a}, PyTorch's {b}");
        worst = worst.max((a - b).abs());
    }
    worst
}

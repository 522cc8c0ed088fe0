//! Matrix products of the sizes that networks and linear algebra ask for.

use crate::formula::batch;
use crate::timing::{Mode, report_first, time};
use mapsto::prelude::*;

const SIZES: &[[usize; 3]] =
    &[[64, 64, 64], [256, 256, 256], [512, 512, 512], [1024, 1024, 1024], [2048, 2048, 2048], [64, 784, 64]];

/// W7: `[m, k] · [k, n]`, a line a size, with GFLOP/s by the median and by the minimum.
pub fn run(mode: Mode) {
    for &[m, k, n] in SIZES {
        let name = format!("W7_{m}x{k}x{n}");
        let (a, b) = (batch(0, &[m, k]), batch(1, &[k, n]));
        check(&name, &a, &b, &a.matmul(&b));
        match mode {
            Mode::First => report_first(&name),
            Mode::Check => eprintln!("# mapsto {name}: a row and a column as in f64"),
            Mode::Time => {
                let (median, min) = time(|| drop(a.matmul(&b)));
                let flops = 2e-6 * (m * k * n) as f64;
                println!(
                    "mapsto {name} {median:.5} {min:.5} GFLOP/s {:.1} {:.1}",
                    flops / median,
                    flops / min
                );
            }
        }
    }
}

/// Compares a row and a column with sums in f64.
fn check(name: &str, a: &Tensor, b: &Tensor, c: &Tensor) {
    let ([m, k], [_, n]) = (a.dims(), b.dims());
    let [a, b, c] = [a, b, c].map(|t| t.to_vec::<f32>());
    let places = (0..n).map(|j| (m / 3, j)).chain((0..m).map(|i| (i, n - 1)));
    for (i, j) in places {
        let exact: f64 = (0..k).map(|p| a[i * k + p] as f64 * b[p * n + j] as f64).sum();
        // Sums of k products of numbers about 1 in f32: errors grow with √k.
        let error = (c[i * n + j] as f64 - exact).abs();
        assert!(error < 1e-6 * k as f64, "{name}: element [{i}, {j}] is {} instead of {exact}", c[i * n + j]);
    }
}

//! W7: matrix products of the crates gemm and faer, row by row in memory.

use crate::formula::batch;
use crate::timing::report;
use faer::{Accum, MatMut, MatRef, Par};

const SIZES: [[usize; 3]; 6] =
    [[64, 64, 64], [256, 256, 256], [512, 512, 512], [1024, 1024, 1024], [2048, 2048, 2048], [64, 784, 64]];

pub fn run(library: &str, threads: usize) {
    for [m, k, n] in SIZES {
        let (a, b, mut c) = (batch(0, m * k), batch(1, k * n), vec![0f32; m * n]);
        let mut step = || match library {
            "gemm" => with_gemm(threads, [m, k, n], &a, &b, &mut c),
            _ => with_faer(threads, [m, k, n], &a, &b, &mut c),
        };
        step();
        report(library, &format!("W7_{m}x{k}x{n}"), Some(2.0 * (m * k * n) as f64), &mut step);
        let exact: f64 = (0..k).map(|p| a[p] as f64 * b[p * n + n - 1] as f64).sum();
        assert!((c[n - 1] as f64 - exact).abs() < 1e-3, "{library}: {} instead of {exact}", c[n - 1]);
    }
}

fn with_gemm(threads: usize, [m, k, n]: [usize; 3], a: &[f32], b: &[f32], c: &mut [f32]) {
    assert!(a.len() == m * k && b.len() == k * n && c.len() == m * n);
    let parallelism = if threads == 1 { gemm::Parallelism::None } else { gemm::Parallelism::Rayon(threads) };
    let (columns, shared) = (n as isize, k as isize);
    let (c, a, b) = (c.as_mut_ptr(), a.as_ptr(), b.as_ptr());
    // SAFETY: the lengths were checked; strides are those of rows one after the other.
    unsafe {
        gemm::gemm(
            m, n, k, c, 1, columns, false, a, 1, shared, b, 1, columns, 0.0, 1.0, false, false, false, parallelism,
        );
    }
}

fn with_faer(threads: usize, [m, k, n]: [usize; 3], a: &[f32], b: &[f32], c: &mut [f32]) {
    let par = if threads == 1 { Par::Seq } else { Par::rayon(threads) };
    let (a, b) = (MatRef::from_row_major_slice(a, m, k), MatRef::from_row_major_slice(b, k, n));
    let c = MatMut::from_row_major_slice_mut(c, m, n);
    faer::linalg::matmul::matmul(c, Accum::Replace, a, b, 1.0, par);
}

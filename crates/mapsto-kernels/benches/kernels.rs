//! How fast the kernels are on this machine, beside the multiply-add rate that its registers reach: `cargo bench -p
//! mapsto-kernels`, with the words that a line must contain as arguments.

use std::hint::black_box;
use std::time::{Duration, Instant};

use mapsto_kernels::gemm::{Epilogue, Mat, Write, gemm};
use mapsto_kernels::simd::{Isa, isa};
use mapsto_kernels::threads::{parallel, threads, with_threads};

fn main() {
    let filter: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let one = peak(1);
    let all = peak(threads());
    println!(
        "{:?}; multiply-adds in registers: {one:.0} GFLOP/s on 1 thread, {all:.0} on {}",
        isa(),
        threads()
    );
    let bench = Bench { filter, one, all };

    bench.run("dispatch of 2 blocks", 0, || {
        parallel(2, usize::MAX, |i| {
            black_box(i);
        })
    });
    for (m, k, n) in [(4, 2, 4), (4, 4, 1), (8, 8, 8), (16, 16, 16), (32, 32, 32)] {
        bench.gemm(m, k, n, "nn");
    }
    for n in [64, 128, 256, 512, 1024, 2048] {
        bench.gemm(n, n, n, "nn");
    }
    bench.gemm(512, 512, 512, "nt");
    bench.gemm(512, 512, 512, "tn");
    // The linear layers of the MNIST network: forward, data and weight gradients.
    bench.gemm(64, 3136, 128, "nt");
    bench.gemm(64, 128, 3136, "nn");
    bench.gemm(128, 64, 3136, "tn");
    bench.gemm(64, 128, 10, "nt");
    bench.gemm(64, 10, 128, "nn");
    bench.gemm(10, 64, 128, "tn");
    bench.gemm(1, 3136, 128, "nt");
    bench.gemm(1, 1024, 1024, "nn");
}

struct Bench {
    filter: Vec<String>,
    one: f64,
    all: f64,
}

impl Bench {
    fn gemm(&self, m: usize, k: usize, n: usize, form: &str) {
        let (a, b) = (numbers(m * k), numbers(k * n));
        let mut c = vec![0.0f32; m * n];
        self.run(&format!("gemm {m}x{k}x{n} {form}"), 2 * m * k * n, || {
            let a =
                if form.starts_with('t') { Mat::row_major(&a, k, m).t() } else { Mat::row_major(&a, m, k) };
            let b = if form.ends_with('t') { Mat::row_major(&b, n, k).t() } else { Mat::row_major(&b, k, n) };
            gemm(a, b, black_box(&mut c), Write::Overwrite, Epilogue::none());
        });
    }

    /// Prints the best time of many on one thread and on all; the best, because other work only ever adds time.
    fn run(&self, name: &str, flops: usize, mut f: impl FnMut()) {
        if !self.filter.iter().all(|word| name.contains(word.as_str())) {
            return;
        }
        print!("{name:<44}");
        for (n, peak) in [(1, self.one), (threads(), self.all)] {
            let time = with_threads(n, || best(&mut f));
            print!(" {:>11}", format!("{:.2?}", Duration::from_secs_f64(time)));
            if flops > 0 {
                let rate = flops as f64 / time * 1e-9;
                print!(" {rate:>6.1} GFLOP/s {:>3.0} %", rate / peak * 100.0);
            }
        }
        println!();
    }
}

fn numbers(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0).collect()
}

/// Seconds of the fastest of many calls, over a quarter of a second.
fn best(f: &mut impl FnMut()) -> f64 {
    f();
    let (mut best, start) = (f64::INFINITY, Instant::now());
    let mut calls = 1;
    while start.elapsed() < Duration::from_millis(250) {
        let t = Instant::now();
        (0..calls).for_each(|_| f());
        let each = t.elapsed().as_secs_f64() / calls as f64;
        best = best.min(each);
        // Batches of about 20 µs, so that reading the clock costs nothing.
        calls = ((20e-6 / each) as usize).clamp(1, 1000);
    }
    best
}

/// GFLOP/s of independent multiply-adds that never leave the registers.
fn peak(n: usize) -> f64 {
    const ROUNDS: usize = 200_000;
    let per_round = match isa() {
        Isa::Avx512 => 24 * 16 * 2,
        Isa::Avx2 => 12 * 8 * 2,
        Isa::Portable => 12 * 4 * 2,
    };
    let time = with_threads(n, || best(&mut || parallel(n, usize::MAX, |_| chains(ROUNDS))));
    (n * ROUNDS * per_round) as f64 / time * 1e-9
}

#[cfg(target_arch = "x86_64")]
fn chains(rounds: usize) {
    use std::arch::x86_64::*;
    #[target_feature(enable = "avx512f")]
    fn avx512(rounds: usize) {
        let (x, y) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
        let mut acc = [_mm512_setzero_ps(); 24];
        for _ in 0..rounds {
            acc.iter_mut().for_each(|a| *a = _mm512_fmadd_ps(*a, x, y));
        }
        black_box(acc);
    }
    #[target_feature(enable = "avx2,fma")]
    fn avx2(rounds: usize) {
        let (x, y) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(0.001)));
        let mut acc = [_mm256_setzero_ps(); 12];
        for _ in 0..rounds {
            acc.iter_mut().for_each(|a| *a = _mm256_fmadd_ps(*a, x, y));
        }
        black_box(acc);
    }
    match isa() {
        // SAFETY: `isa` gives only what the processor has.
        Isa::Avx512 => unsafe { avx512(rounds) },
        // SAFETY: as above.
        Isa::Avx2 => unsafe { avx2(rounds) },
        Isa::Portable => portable(rounds),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn chains(rounds: usize) {
    portable(rounds)
}

fn portable(rounds: usize) {
    let (x, y) = (black_box([0.999f32; 4]), black_box([0.001f32; 4]));
    let mut acc = [[0.0f32; 4]; 12];
    for _ in 0..rounds {
        for a in &mut acc {
            for i in 0..4 {
                a[i] = a[i] * x[i] + y[i];
            }
        }
    }
    black_box(acc);
}

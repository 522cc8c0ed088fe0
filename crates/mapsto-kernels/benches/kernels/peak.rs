//! What the processor could do at most: multiply-adds that never leave its registers.

use std::hint::black_box;

use mapsto_kernels::simd::{Isa, isa};
use mapsto_kernels::threads::{parallel, with_threads};

use crate::best;

/// GFLOP/s of independent multiply-adds that never leave the registers.
pub fn peak(n: usize) -> f64 {
    const ROUNDS: usize = 200_000;
    let per_round = match isa() {
        Isa::Avx512 => 24 * 16 * 2,
        Isa::Avx2 => 12 * 8 * 2,
        Isa::Portable => 12 * 4 * 2,
    };
    let time = with_threads(n, || best(&mut || parallel(n, usize::MAX, |_| chains(ROUNDS))));
    (n * ROUNDS * per_round) as f64 / time * 1e-9
}

/// The same for products of bf16 pairs summed in f32, where the processor has them: whether bf16 matrix products could pay.
#[cfg(target_arch = "x86_64")]
pub fn bf16_peak() -> Option<f64> {
    use std::arch::x86_64::*;
    const ROUNDS: usize = 100_000;
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn pairs(rounds: usize) {
        let bits = _mm512_set1_epi32(black_box(0x3f00_3f00)); // 0.5 and 0.5
        // SAFETY: both are 64 bytes, and any bits are a value.
        let x: __m512bh = unsafe { std::mem::transmute(bits) };
        let mut acc = [_mm512_setzero_ps(); 24];
        for _ in 0..rounds {
            acc.iter_mut().for_each(|a| *a = _mm512_dpbf16_ps(*a, x, x));
        }
        black_box(acc);
    }
    if !is_x86_feature_detected!("avx512f") || !is_x86_feature_detected!("avx512bf16") {
        return None;
    }
    // SAFETY: the processor has the instructions.
    let time = best(&mut || unsafe { pairs(ROUNDS) });
    Some((ROUNDS * 24 * 32 * 2) as f64 / time * 1e-9)
}

#[cfg(not(target_arch = "x86_64"))]
pub fn bf16_peak() -> Option<f64> {
    None
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

//! Rows of up to 32 numbers, turned on their side.

use super::{BLOCK, COST};
use crate::real::Float;
use crate::simd::vectorize;
use crate::threads::for_chunks;
use crate::tiles::LANES;

/// The longest row that is turned on its side.
pub(crate) const SHORT: usize = 32;

/// Calls `f(x rows, scratch, y rows)` for each 32 short rows (the last may be fewer), in vector code, shared among
/// threads.
#[inline(always)]
pub(super) fn short_rows<T: Float>(
    x: &[T],
    n: usize,
    y: &mut [T],
    f: impl Fn(&[T], &mut [[T; LANES]; SHORT], &mut [T]) + Sync,
) {
    if x.is_empty() {
        return;
    }
    let piece = (BLOCK / (n * LANES)).max(1) * n * LANES;
    for_chunks(y, piece, COST * x.len(), |i, y| {
        vectorize(
            #[inline(always)]
            || {
                let mut across = [[T::ZERO; LANES]; SHORT];
                for (x, y) in x[i * piece..][..y.len()].chunks(n * LANES).zip(y.chunks_mut(n * LANES)) {
                    f(x, &mut across, y);
                }
            },
        )
    });
}

/// For up to 32 rows of `n ≤ 32` their maxima `h` and `Σ e^(x − h)`; the exponentials stay in `across[j][row]`.
#[inline(always)]
pub(crate) fn exponentials_across<T: Float>(
    x: &[T],
    n: usize,
    across: &mut [[T; LANES]; SHORT],
) -> ([T; LANES], [T; LANES]) {
    for (r, x) in x.chunks_exact(n).enumerate() {
        for j in 0..n {
            across[j][r] = x[j];
        }
    }
    let mut highest = across[0];
    for x in &across[1..n] {
        for l in 0..LANES {
            highest[l] = highest[l].max(x[l]);
        }
    }
    let mut sums = [T::ZERO; LANES];
    for x in &mut across[..n] {
        for l in 0..LANES {
            x[l] = (x[l] - highest[l]).exp();
            sums[l] += x[l];
        }
    }
    (highest, sums)
}

/// `ln Σ e^(x − h)` of rows whose exponentials stand in `across[j][row]`: that of the maximum is 1, and the others keep
/// their digits beside it.
#[inline(always)]
pub(crate) fn logs_across<T: Float>(across: &[[T; LANES]]) -> [T; LANES] {
    let (mut rest, mut ones) = ([T::ZERO; LANES], [-T::ONE; LANES]);
    for e in across {
        for l in 0..LANES {
            let less = e[l] < T::ONE;
            rest[l] += if less { e[l] } else { T::ZERO };
            ones[l] += if less { T::ZERO } else { e[l] };
        }
    }
    for l in 0..LANES {
        rest[l] = (rest[l] + ones[l]).ln_1p();
    }
    rest
}

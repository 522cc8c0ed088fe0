//! Positions of extremes.

use super::fold::{BLOCK, Fold, Max, Min, Steps};
use crate::elements::elements;
use crate::real::{Number, Value};
use crate::simd::vectorize_light;
use crate::threads::{Pieces, for_chunks, parallel};

/// Columns that are looked at side by side.
const TILE: usize = 256;

/// Positions of the largest values: the first `j` with the largest `x[o, j, i]`. NaN counts as the largest, so the
/// first NaN wins (as in PyTorch and NumPy).
///
/// ```
/// let mut at = [0; 2];
/// mapsto_kernels::reduce::argmax(&[1f32, 9., 9., 2., f32::NAN, 3.], [2, 3, 1], &mut at);
/// assert_eq!(at, [1, 1]);
/// ```
///
/// # Panics
/// Also if there is a result and `n` is 0.
pub fn argmax<T: Number>(x: &[T], dims: [usize; 3], at: &mut [i64]) {
    assert!(dims[1] > 0 || at.is_empty(), "argmax: no elements along the axis");
    position::<Max<T>>(x, dims, at, |a, b| a > b);
}

/// Positions of the smallest values: the first `j` with the smallest `x[o, j, i]`; the first NaN wins.
///
/// # Panics
/// Also if there is a result and `n` is 0.
pub fn argmin<T: Number>(x: &[T], dims: [usize; 3], at: &mut [i64]) {
    assert!(dims[1] > 0 || at.is_empty(), "argmin: no elements along the axis");
    position::<Min<T>>(x, dims, at, |a, b| a < b);
}

fn position<F: Fold>(
    x: &[F::T],
    dims: [usize; 3],
    at: &mut [i64],
    beats: impl Fn(F::T, F::T) -> bool + Sync + Copy,
) {
    let [outer, n, inner] = dims;
    assert_eq!(x.len(), elements([outer, n, inner]), "reduce: x has not the elements of {dims:?}");
    assert_eq!(at.len(), elements([outer, inner]), "reduce: there are not [{outer}, {inner}] positions");
    if at.is_empty() {
        return;
    }
    if inner == 1 {
        let chunk = (BLOCK / n).max(1);
        return for_chunks(at, chunk, 2 * x.len(), |i, at| {
            for (j, at) in at.iter_mut().enumerate() {
                let o = i * chunk + j;
                *at = first_of::<F>(&x[o * n..(o + 1) * n]) as i64;
            }
        });
    }
    let tiles = inner.div_ceil(TILE);
    let results = Pieces::new(at);
    parallel(outer * tiles, 2 * x.len(), |unit| {
        let (o, j) = (unit / tiles, unit % tiles * TILE);
        let width = TILE.min(inner - j);
        let x = &x[o * n * inner..(o + 1) * n * inner];
        // SAFETY: `at` is borrowed until `parallel` returns, and each unit has columns of its own.
        let at = unsafe { results.get(o * inner + j, width) };
        vectorize_light(
            #[inline(always)]
            || {
                let mut best = [F::START; TILE];
                best[..width].copy_from_slice(&x[j..j + width]);
                at.fill(0);
                for row in 1..n {
                    let x = &x[row * inner + j..][..width];
                    for ((best, at), &x) in best.iter_mut().zip(at.iter_mut()).zip(x) {
                        let better = !best.is_nan() & (beats(x, *best) | x.is_nan());
                        *best = F::T::select(better, x, *best);
                        *at = if better { row as i64 } else { *at };
                    }
                }
            },
        );
    });
}

/// The first element of `x` that is the extreme: found block by block, then looked for inside one block.
fn first_of<F: Fold>(x: &[F::T]) -> usize {
    let (mut best, mut block) = (F::START, 0);
    for (k, x) in x.chunks(BLOCK).enumerate() {
        let mut here = [F::START];
        (Steps::of::<F>().rows)(x, x.len(), &[], &mut here);
        let [here] = here;
        if k == 0 || F::join(best, here) != best {
            (best, block) = (here, k);
        }
        if best.is_nan() {
            break;
        }
    }
    let is_best = |x: &F::T| if best.is_nan() { x.is_nan() } else { *x == best };
    let mut start = block * BLOCK;
    // Whole tiles first, without a way out in their middle: such a loop becomes vector code.
    let any = |x: &[F::T; TILE]| {
        vectorize_light(
            #[inline(always)]
            || x.iter().fold(false, |any, x| any | is_best(x)),
        )
    };
    start += x[start..].as_chunks().0.iter().take_while(|x| !any(x)).count() * TILE;
    start + x[start..].iter().position(is_best).expect("the extreme is one of the elements")
}

//! The one pass over a parameter, its gradient and its running values that every rule makes.

use crate::blocks::for_blocks;
use crate::real::Float;
use crate::simd::{array, vectorize};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const BLOCK: usize = 8192;

const LANES: usize = 32;

/// As [`update`], and answers besides whether all new elements of `values[W]`, which are not negative, are finite; NaN counts
/// as such, for it shows in the parameter. They are looked at block by block, while they are in the first cache.
#[inline(always)]
pub fn update_watched<T: Float, const N: usize, const W: usize>(
    g: &[T],
    values: [&mut [T]; N],
    f: impl Fn(T, [T; N]) -> [T; N] + Sync,
) -> bool {
    update_then(g, values, f, |values| {
        let (tiles, rest) = values[W].as_chunks::<LANES>();
        let mut most = [T::ZERO; LANES];
        for tile in tiles {
            for l in 0..LANES {
                most[l] = if tile[l] > most[l] { tile[l] } else { most[l] };
            }
        }
        !most.iter().chain(rest).any(|v| *v > T::MAX)
    })
}

/// Replaces the `i`-th elements of all `values` by `f(gᵢ, those elements)`, and answers whether all of `g` is finite: a rule of
/// one's own is one call of it. A block of elements with a gradient that is not finite stays as it was.
///
/// ```
/// use mapsto_kernels::optim::update;
/// let (mut p, mut most) = ([1.0f32, 2.0], [0.0, 5.0]);
/// let finite = update(&[3.0, -4.0], [&mut p, &mut most], |g: f32, [p, most]| {
///     let most = most.max(g.abs());
///     [p - 0.5 * g / most, most]
/// });
/// assert_eq!((finite, p, most), (true, [0.5, 2.4], [3.0, 5.0]));
/// ```
///
/// # Panics
/// If lengths differ.
#[inline(always)]
pub fn update<T: Float, const N: usize>(
    g: &[T],
    values: [&mut [T]; N],
    f: impl Fn(T, [T; N]) -> [T; N] + Sync,
) -> bool {
    update_then(g, values, f, |_| true)
}

/// Whether no element is infinite or NaN: `0 x` is 0 for all others.
#[inline(always)]
fn is_finite<T: Float>(x: &[T]) -> bool {
    let (tiles, rest) = x.as_chunks::<LANES>();
    let mut sums = [T::ZERO; LANES];
    for tile in tiles {
        for l in 0..LANES {
            sums[l] += tile[l] * T::ZERO;
        }
    }
    sums.iter().chain(rest).all(|x| x.is_finite())
}

/// The same, and answers besides what `then` answers of each block.
///
/// In tiles copied out and back: straight on the slices LLVM cannot tell that they do not overlap, and stays scalar. The
/// last tile, which may be shorter, is apart: with one loop for both, whole tiles go through memory and calls of memcpy
/// (Adam on 50,176 numbers, one thread: 40 µs; apart 34; with one division of two 24).
#[inline(always)]
fn update_then<T: Float, const N: usize>(
    g: &[T],
    values: [&mut [T]; N],
    f: impl Fn(T, [T; N]) -> [T; N] + Sync,
    then: impl Fn(&[&mut [T]; N]) -> bool + Sync,
) -> bool {
    assert!(values.iter().all(|v| v.len() == g.len()), "optimizer: the slices differ in length");
    let fine = AtomicBool::new(true);
    for_blocks(values, [BLOCK; N], 4 * N * g.len(), |k, mut values| {
        let g = &g[k * BLOCK..][..values[0].len()];
        vectorize(
            #[inline(always)]
            || {
                if !is_finite(g) {
                    return fine.store(false, Relaxed);
                }
                let whole = g.len() - g.len() % LANES;
                for at in (0..whole).step_by(LANES) {
                    let here = at..at + LANES;
                    let tile = array(|v| whole_tile(&values[v][here.clone()]));
                    let new = step(whole_tile(&g[here.clone()]), tile, &f);
                    for v in 0..N {
                        values[v][here.clone()].copy_from_slice(&new[v]);
                    }
                }
                if whole < g.len() {
                    let tile = array(|v| part_tile(&values[v][whole..]));
                    let new = step(part_tile(&g[whole..]), tile, &f);
                    for v in 0..N {
                        values[v][whole..].copy_from_slice(&new[v][..g.len() - whole]);
                    }
                }
                if !then(&values) {
                    fine.store(false, Relaxed);
                }
            },
        );
    });
    fine.into_inner()
}

/// The new values of a tile.
#[inline(always)]
fn step<T: Float, const N: usize>(
    g: [T; LANES],
    mut tile: [[T; LANES]; N],
    f: impl Fn(T, [T; N]) -> [T; N],
) -> [[T; LANES]; N] {
    for l in 0..LANES {
        let new = f(g[l], array(|v| tile[v][l]));
        for v in 0..N {
            tile[v][l] = new[v];
        }
    }
    tile
}

#[inline(always)]
fn whole_tile<T: Copy>(x: &[T]) -> [T; LANES] {
    *x.first_chunk().expect("a tile")
}

#[inline(always)]
fn part_tile<T: Float>(x: &[T]) -> [T; LANES] {
    let mut tile = [T::ZERO; LANES];
    tile[..x.len()].copy_from_slice(x);
    tile
}

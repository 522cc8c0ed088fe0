//! The one pass over a parameter, its gradient and its running values that every rule makes.

use crate::blocks::for_blocks;
use crate::real::Float;
use crate::simd::{array, vectorize};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const BLOCK: usize = 8192;

const LANES: usize = 32;

/// As [`update`], and answers whether all new elements of `values[W]`, which are not negative, are finite; NaN counts as such,
/// for it shows in the parameter. They are looked at block by block, while they are in the first cache.
#[inline(always)]
pub fn update_watched<T: Float, const N: usize, const W: usize>(
    g: &[T],
    values: [&mut [T]; N],
    f: impl Fn(T, [T; N]) -> [T; N] + Sync,
) -> bool {
    let finite = AtomicBool::new(true);
    update_then(g, values, f, |values| {
        let (tiles, rest) = values[W].as_chunks::<LANES>();
        let mut most = [T::ZERO; LANES];
        for tile in tiles {
            for l in 0..LANES {
                most[l] = if tile[l] > most[l] { tile[l] } else { most[l] };
            }
        }
        if most.iter().chain(rest).any(|v| *v > T::MAX) {
            finite.store(false, Relaxed);
        }
    });
    finite.into_inner()
}

/// Replaces the `i`-th elements of all `values` by `f(gᵢ, those elements)`.
#[inline(always)]
pub fn update<T: Float, const N: usize>(
    g: &[T],
    values: [&mut [T]; N],
    f: impl Fn(T, [T; N]) -> [T; N] + Sync,
) {
    update_then(g, values, f, |_| {});
}

/// The same, and `then` something with each block of them.
///
/// In tiles copied out and back: straight on the slices LLVM cannot tell that they do not overlap, and stays scalar. The
/// last tile, which may be shorter, is apart: with one loop for both, whole tiles go through memory and calls of memcpy
/// (Adam on 50,176 numbers, one thread: 40 µs; apart 34; with one division of two 24).
#[inline(always)]
fn update_then<T: Float, const N: usize>(
    g: &[T],
    values: [&mut [T]; N],
    f: impl Fn(T, [T; N]) -> [T; N] + Sync,
    then: impl Fn(&[&mut [T]; N]) + Sync,
) {
    assert!(values.iter().all(|v| v.len() == g.len()), "optimizer: the slices differ in length");
    for_blocks(values, [BLOCK; N], 4 * N * g.len(), |k, mut values| {
        let g = &g[k * BLOCK..][..values[0].len()];
        vectorize(
            #[inline(always)]
            || {
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
                then(&values);
            },
        );
    });
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

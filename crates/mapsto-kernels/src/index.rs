//! Elements by number along the middle axis of `[outer, n, inner]`: whole slices (`select`) or one by one (`gather`),
//! and their transposes, which add where several numbers name one place.
//!
//! Additions to one place happen in the order of the indices, whatever the number of threads.

mod apart;
mod joined;
mod replaced;

pub use apart::select_apart;
pub use joined::scatter;
pub use replaced::{replace, replace_backward};

use crate::elements::elements;
use crate::gemm::SERIAL;
use crate::real::{Number, Value};
use crate::simd::vectorize_light;
use crate::threads::{Pieces, for_chunks, parallel};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether every index names one of `n` places; if not, the first that does not: its position and value.
///
/// ```
/// use mapsto_kernels::index::check_bounds;
/// assert_eq!(check_bounds(&[0, 2, 1], 3), Ok(()));
/// assert_eq!(check_bounds(&[0, 3, -1], 3), Err((1, 3)));
/// ```
///
/// # Errors
/// The position and value of the first index below 0 or not below `n`.
pub fn check_bounds(indices: &[i64], n: usize) -> Result<(), (usize, i64)> {
    // Below 0 is above everything as a u64. All are looked at, since a loop that may end early is not vectorized.
    let fits = |indices: &[i64]| {
        vectorize_light(
            #[inline(always)]
            || indices.iter().fold(true, |fits, &i| fits & ((i as u64) < n as u64)),
        )
    };
    let all = AtomicBool::new(true);
    parallel(indices.len().div_ceil(SHARE), indices.len(), |k| {
        if !fits(&indices[k * SHARE..indices.len().min((k + 1) * SHARE)]) {
            all.store(false, Relaxed);
        }
    });
    if all.into_inner() {
        return Ok(());
    }
    let at = indices.iter().position(|&i| i as u64 >= n as u64).expect("one of them does not fit");
    Err((at, indices[at]))
}

/// Copies whole slices: `y[o, j, i] = x[o, indices[j], i]` for `dims = [outer, n, inner]`; an embedding is
/// `[1, vocabulary, width]`.
///
/// ```
/// let mut y = [0.0; 4];
/// mapsto_kernels::index::select(&[1., 2., 3., 4., 5., 6.], [1, 3, 2], &[2, 0], &mut y);
/// assert_eq!(y, [5., 6., 1., 2.]);
/// ```
///
/// # Panics
/// If an index is out of bounds (see [`check_bounds`]) or a slice's length does not fit; so do all others here.
pub fn select<T: Copy + Send + Sync>(x: &[T], dims: [usize; 3], indices: &[i64], y: &mut [T]) {
    let [outer, n, inner] = dims;
    let m = indices.len();
    assert_eq!(x.len(), elements(dims), "select: x has not the elements of {dims:?}");
    assert_eq!(
        y.len(),
        elements([outer, m, inner]),
        "select: y has not the elements of [{outer}, {m}, {inner}]"
    );
    if y.is_empty() {
        return require(indices, n);
    }
    let rows = (BLOCK / inner).max(1);
    let cost = y.len();
    for_chunks(y, rows * inner, cost, |k, mut y| {
        // Runs within one outer slice, so that nothing is divided for a row of one element.
        let (mut o, mut j) = (k * rows / m, k * rows % m);
        while !y.is_empty() {
            let run = (m - j).min(y.len() / inner);
            let (now, rest) = y.split_at_mut(run * inner);
            let x = &x[o * n * inner..(o + 1) * n * inner];
            if inner == 1 {
                for (at, (y, &i)) in (j..).zip(now.iter_mut().zip(&indices[j..])) {
                    *y = x[within(i, n, at)];
                }
            } else {
                for (at, (y, &i)) in (j..).zip(now.chunks_exact_mut(inner).zip(&indices[j..])) {
                    y.copy_from_slice(&x[within(i, n, at) * inner..][..inner]);
                }
            }
            (y, o, j) = (rest, o + 1, 0);
        }
    });
}

/// Adds whole slices, the transpose of [`select`]: `x[o, indices[j], i] += g[o, j, i]` for all `j`.
///
/// ```
/// let mut x = [0.0; 3];
/// mapsto_kernels::index::select_add(&mut x, [1, 3, 1], &[2, 0, 2], &[1., 2., 3.]);
/// assert_eq!(x, [2., 0., 4.]);
/// ```
///
/// # Panics
/// As [`select`].
pub fn select_add<T: Number>(x: &mut [T], dims: [usize; 3], indices: &[i64], g: &[T]) {
    let [outer, n, inner] = dims;
    let m = indices.len();
    assert_eq!(x.len(), elements(dims), "select_add: x has not the elements of {dims:?}");
    assert_eq!(
        g.len(),
        elements([outer, m, inner]),
        "select_add: g has not the elements of [{outer}, {m}, {inner}]"
    );
    require(indices, n);
    if g.is_empty() {
        return;
    }
    let add = |x: &mut [T], g: &[T]| {
        for (x, &g) in x.iter_mut().zip(g) {
            *x = x.plus(g);
        }
    };
    // Places that very many are added to are summed apart, in a wider type.
    let often = Often::new(indices, n);
    often.add_slices(x, dims, indices, g);
    // Every block owns a range of places of one outer slice and looks through all indices for those in its range:
    // looking is cheap beside adding `inner` numbers, and needs no sorting. With narrow slices it is not.
    let parts = if inner < 8 { 1 } else { n.div_ceil(64).min(16) };
    let (places, cost) = (n.div_ceil(parts), g.len());
    if inner == 1 && often.places.is_empty() {
        let group = (BLOCK / n.max(m)).max(1);
        return for_chunks(x, group * n, cost, |k, x| {
            for (x, g) in x.chunks_exact_mut(n).zip(g[k * group * m..].chunks_exact(m)) {
                add_elements(x, g, indices, false);
            }
        });
    }
    // One outer slice at a time unless it is one part: pieces must not reach over its end.
    if parts == 1 {
        return for_chunks(x, n * inner, cost, |o, x| {
            for (j, &i) in indices.iter().enumerate().filter(|(_, i)| !often.has(**i)) {
                let from = i as usize * inner;
                add(&mut x[from..from + inner], &g[(o * m + j) * inner..][..inner]);
            }
        });
    }
    for (o, x) in x.chunks_exact_mut(n * inner).enumerate() {
        for_chunks(x, places * inner, cost / outer, |k, x| {
            vectorize_light(
                #[inline(always)]
                || {
                    let range = k * places..(k + 1) * places;
                    for (j, &i) in indices.iter().enumerate() {
                        if range.contains(&(i as usize)) && !often.has(i) {
                            let from = (i as usize - range.start) * inner;
                            add(&mut x[from..from + inner], &g[(o * m + j) * inner..][..inner]);
                        }
                    }
                },
            );
        });
    }
}

/// Picks element by element: `y[o, j, i] = x[o, indices[o, j, i], i]`, with `m` indices for each `(o, i)`.
///
/// ```
/// let mut y = [0.0; 2];
/// mapsto_kernels::index::gather(&[1., 2., 3., 4., 5., 6.], [2, 3, 1], &[2, 0], 1, &mut y);
/// assert_eq!(y, [3., 4.]);
/// ```
///
/// # Panics
/// As [`select`].
pub fn gather<T: Copy + Send + Sync>(x: &[T], dims: [usize; 3], indices: &[i64], m: usize, y: &mut [T]) {
    let [outer, n, inner] = dims;
    assert_eq!(x.len(), elements(dims), "gather: x has not the elements of {dims:?}");
    assert_eq!(
        y.len(),
        elements([outer, m, inner]),
        "gather: y has not the elements of [{outer}, {m}, {inner}]"
    );
    assert_eq!(y.len(), indices.len(), "gather: one index for each result");
    if y.is_empty() {
        return; // what is not read may be of any size
    }
    let cost = 4 * y.len();
    if n * inner > NEAR && inner > LINE {
        let pieces = Pieces::new(y);
        return by_columns(dims, cost, |o, columns| {
            for j in 0..m {
                let at = (o * m + j) * inner + columns.start;
                // SAFETY: `y` is borrowed until all is done; blocks have rows or columns of their own.
                let y = unsafe { pieces.get(at, columns.len()) };
                // One counter over plain slices: three zipped ranges took three times as long.
                let (x, indices) = (&x[o * n * inner + columns.start..], &indices[at..][..y.len()]);
                for c in 0..y.len() {
                    y[c] = x[within(indices[c], n, at + c) * inner + c];
                }
            }
        });
    }
    for_chunks(y, BLOCK, cost, |k, mut y| {
        let mut at = k * BLOCK;
        while !y.is_empty() {
            let (o, run) = (at / (m * inner), (m * inner - at % (m * inner)).min(y.len()));
            let (now, rest) = y.split_at_mut(run);
            let x = &x[o * n * inner..(o + 1) * n * inner];
            if inner == 1 {
                for (at, (y, &i)) in (at..).zip(now.iter_mut().zip(&indices[at..])) {
                    *y = x[within(i, n, at)];
                }
            } else {
                // A division for each element takes as long as all else.
                let mut column = at % inner;
                for (at, (y, &i)) in (at..).zip(now.iter_mut().zip(&indices[at..])) {
                    *y = x[within(i, n, at) * inner + column];
                    column = if column + 1 == inner { 0 } else { column + 1 };
                }
            }
            (y, at) = (rest, at + run);
        }
    });
}

/// Adds element by element, the transpose of [`gather`]: `x[o, indices[o, j, i], i] += g[o, j, i]`.
///
/// ```
/// let mut x = [0.0; 3];
/// mapsto_kernels::index::scatter_add(&mut x, [1, 3, 1], &[2, 2], 2, &[1., 5.]);
/// assert_eq!(x, [0., 0., 6.]);
/// ```
///
/// # Panics
/// As [`select`].
pub fn scatter_add<T: Number>(x: &mut [T], dims: [usize; 3], indices: &[i64], m: usize, g: &[T]) {
    let [outer, n, inner] = dims;
    assert_eq!(x.len(), elements(dims), "scatter_add: x has not the elements of {dims:?}");
    assert_eq!(
        g.len(),
        elements([outer, m, inner]),
        "scatter_add: g has not the elements of [{outer}, {m}, {inner}]"
    );
    assert_eq!(g.len(), indices.len(), "scatter_add: one index for each addend");
    require(indices, n);
    if g.is_empty() {
        return;
    }
    // Where more may come together at one place than are added in the numbers' own type; integers and f64 have no wider one.
    let wide = m > SERIAL && size_of::<T>() < size_of::<T::Wide>();
    let cost = 4 * g.len();
    if inner == 1 {
        let group = (BLOCK / n.max(m)).max(1);
        return for_chunks(x, group * n, cost, |k, x| {
            let parts = k * group * m..;
            for ((x, g), i) in x
                .chunks_exact_mut(n)
                .zip(g[parts.clone()].chunks_exact(m))
                .zip(indices[parts].chunks_exact(m))
            {
                add_elements(x, g, i, wide);
            }
        });
    }
    let pieces = Pieces::new(x);
    by_columns(dims, cost, |o, columns| {
        let width = columns.len();
        // SAFETY: `x` is borrowed until all is done; blocks have columns of their own; `i` is within 0..n by `require`.
        let place = |i: usize, c: usize| unsafe { &mut *pieces.at((o * n + i) * inner + columns.start + c) };
        let mut sums: Vec<T::Wide> = vec![];
        if wide {
            sums.extend((0..n * width).map(|at| place(at / width, at % width).widen()));
        }
        for j in 0..m {
            let at = (o * m + j) * inner + columns.start;
            let (indices, g) = (&indices[at..at + width], &g[at..at + width]);
            if wide {
                for c in 0..width {
                    let sum = &mut sums[indices[c] as usize * width + c];
                    *sum = sum.plus(g[c].widen());
                }
            } else {
                for c in 0..width {
                    let x = place(indices[c] as usize, c);
                    *x = x.plus(g[c]);
                }
            }
        }
        sums.iter().enumerate().for_each(|(at, &sum)| *place(at / width, at % width) = T::narrow(sum));
    });
}

/// One row of [`scatter_add`].
fn add_elements<T: Number>(x: &mut [T], g: &[T], indices: &[i64], wide: bool) {
    if wide && (x.len() <= NEAR / 2 || crowded(indices, x.len())) {
        let mut sums: Vec<T::Wide> = x.iter().map(|x| x.widen()).collect();
        for (&i, &g) in indices.iter().zip(g) {
            sums[i as usize] = sums[i as usize].plus(g.widen());
        }
        return x.iter_mut().zip(sums).for_each(|(x, sum)| *x = T::narrow(sum));
    }
    for (&i, &g) in indices.iter().zip(g) {
        x[i as usize] = x[i as usize].plus(g);
    }
}

/// Whether [`SERIAL`] of the indices name one place. Counting in bytes costs less than sums of twice the size that lie far
/// away, which are seldom needed.
fn crowded(indices: &[i64], n: usize) -> bool {
    let (mut counts, mut full) = (vec![0u8; n], false);
    for &i in indices {
        let count = &mut counts[i as usize];
        *count = count.saturating_add(1);
        full |= *count == u8::MAX;
    }
    full
}

/// Calls `f(o, columns)` for each outer slice and for ranges of its columns which are so few that the places they name stay
/// in the cache of a core: a whole row of columns names places all over the slice.
fn by_columns([outer, n, inner]: [usize; 3], cost: usize, f: impl Fn(usize, Range<usize>) + Sync) {
    let width = (NEAR / n).min(inner / 4).max(LINE).min(inner);
    let blocks = inner.div_ceil(width);
    parallel(outer * blocks, cost, |k| {
        let from = k % blocks * width;
        f(k / blocks, from..inner.min(from + width));
    });
}

/// Elements that lie near a core, in half of its second cache.
const NEAR: usize = 1 << 17;
/// Elements that are read together in any case: a cache line of f32.
const LINE: usize = 16;
const BLOCK: usize = 4096;
/// Indices that one thread looks at together.
const SHARE: usize = 16 * BLOCK;

/// The places that more than [`SERIAL`] indices name, which are few.
struct Often {
    /// For each place its number among them, or [`RARE`]; nothing where there are none.
    slots: Vec<u32>,
    places: Vec<usize>,
}

const RARE: u32 = u32::MAX;

impl Often {
    fn new(indices: &[i64], n: usize) -> Often {
        let mut often = Often { slots: vec![], places: vec![] };
        if indices.len() <= SERIAL {
            return often;
        }
        let mut counts = vec![0usize; n];
        indices.iter().for_each(|&i| counts[i as usize] += 1);
        often.places = (0..n).filter(|&i| counts[i] > SERIAL).collect();
        if !often.places.is_empty() {
            often.slots = vec![RARE; n];
            for (slot, &i) in often.places.iter().enumerate() {
                often.slots[i] = slot as u32;
            }
        }
        often
    }

    #[inline(always)]
    fn has(&self, i: i64) -> bool {
        !self.slots.is_empty() && self.slots[i as usize] != RARE
    }

    /// What [`select_add`] does, for these places alone; each block owns some of them.
    fn add_slices<T: Number>(&self, x: &mut [T], [_, n, inner]: [usize; 3], indices: &[i64], g: &[T]) {
        if self.places.is_empty() {
            return;
        }
        let (m, together) = (indices.len(), self.places.len().div_ceil(16));
        for (o, x) in x.chunks_exact_mut(n * inner).enumerate() {
            let mut sums = vec![T::Wide::ZERO; self.places.len() * inner];
            for (sums, &i) in sums.chunks_exact_mut(inner).zip(&self.places) {
                sums.iter_mut().zip(&x[i * inner..]).for_each(|(sum, x)| *sum = x.widen());
            }
            for_chunks(&mut sums, together * inner, m * inner, |k, sums| {
                let own = k * together..(k + 1) * together;
                for (j, &i) in indices.iter().enumerate().filter(|(_, i)| self.has(**i)) {
                    let slot = self.slots[i as usize] as usize;
                    if own.contains(&slot) {
                        let sums = &mut sums[(slot - own.start) * inner..][..inner];
                        let g = &g[(o * m + j) * inner..][..inner];
                        sums.iter_mut().zip(g).for_each(|(sum, g)| *sum = sum.plus(g.widen()));
                    }
                }
            });
            for (sums, &i) in sums.chunks_exact(inner).zip(&self.places) {
                x[i * inner..].iter_mut().zip(sums).for_each(|(x, &sum)| *x = T::narrow(sum));
            }
        }
    }
}

fn require(indices: &[i64], n: usize) {
    if let Err((at, i)) = check_bounds(indices, n) {
        outside(i, n, at);
    }
}

/// The index as a place of `n`. What copies checks each index as it comes, and reads them all but once.
#[inline(always)]
fn within(i: i64, n: usize, at: usize) -> usize {
    if i as u64 >= n as u64 {
        outside(i, n, at);
    }
    i as usize
}

#[cold]
#[inline(never)]
fn outside(i: i64, n: usize, at: usize) -> ! {
    panic!("index {i} at position {at} is not within 0..{n}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::with_threads;

    const CASES: [([usize; 3], usize); 12] = [
        ([1, 5, 3], 4),
        ([2, 3, 1], 7),
        ([0, 3, 2], 2),
        ([2, 3, 0], 2),
        ([2, 3, 2], 0),
        ([1, 1000, 64], 700),
        ([3, 200, 33], 300),
        ([40, 10, 1], 300),
        ([1, 7, 2000], 50),
        ([2, 3000, 70], 600),
        ([1, 4000, 1], 9000),
        ([1, 2, 40], 900),
    ];

    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919) % 1009) as f32 / 16.0 - 30.0).collect()
    }

    fn indices(m: usize, n: usize) -> Vec<i64> {
        (0..m).map(|i| ((i * i * 31 + i * 17) % n) as i64).collect()
    }

    #[test]
    fn against_plain_loops_on_any_number_of_threads() {
        for (dims @ [outer, n, inner], m) in CASES {
            let x = numbers(outer * n * inner);
            let g = numbers(outer * m * inner);
            let (by_slice, by_element) = (indices(m, n), indices(outer * m * inner, n));
            let mut want = [g.clone(), x.clone(), g.clone(), x.clone()];
            for at in 0..g.len() {
                let (o, j, i) = (at / inner / m, at / inner % m, at % inner);
                let slice = (o * n + by_slice[j] as usize) * inner + i;
                let element = (o * n + by_element[at] as usize) * inner + i;
                want[0][at] = x[slice];
                want[1][slice] += g[at];
                want[2][at] = x[element];
                want[3][element] += g[at];
            }
            for threads in [1, 2, 8] {
                let mut got = [vec![0.0; g.len()], x.clone(), vec![0.0; g.len()], x.clone()];
                with_threads(threads, || {
                    select(&x, dims, &by_slice, &mut got[0]);
                    select_add(&mut got[1], dims, &by_slice, &g);
                    gather(&x, dims, &by_element, m, &mut got[2]);
                    scatter_add(&mut got[3], dims, &by_element, m, &g);
                });
                assert!(got == want, "{dims:?} {m}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "index -1 at position 1 is not within 0..3")]
    fn indices_out_of_bounds_are_named() {
        select(&[1, 2, 3], [1, 3, 1], &[0, -1], &mut [0; 2]);
    }

    #[test]
    fn nothing_is_out_of_bounds_of_nothing() {
        assert_eq!(check_bounds(&[], 0), Ok(()));
        assert_eq!(check_bounds(&[0], 0), Err((0, 0)));
        assert_eq!(check_bounds(&[i64::MAX, 0], usize::MAX), Ok(()));
    }
}

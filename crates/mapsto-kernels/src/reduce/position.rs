//! Positions of extremes.

use super::fold::{BLOCK, Fold, Max, Min, Steps};
use super::source::{Source, place};
use crate::elements::elements;
use crate::real::{Number, Value};
use crate::simd::vectorize_light;
use crate::threads::{Pieces, for_chunks, parallel};

/// Columns that are looked at side by side.
const TILE: usize = 512;
/// Elements read at a time where they must be converted or gathered.
const ROOM: usize = 1024;
/// The longest rows that are looked at one element after the other.
const SHORT: usize = 16;
/// Fewer columns beside each other than this, of rows that are longer, are looked at one by one.
const FEW: usize = 16;

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
    in_rows(x, dims, at, argmax_from);
}

/// Positions of the smallest values: the first `j` with the smallest `x[o, j, i]`; the first NaN wins.
///
/// # Panics
/// Also if there is a result and `n` is 0.
pub fn argmin<T: Number>(x: &[T], dims: [usize; 3], at: &mut [i64]) {
    in_rows(x, dims, at, argmin_from);
}

/// The [`argmax`] of each result of a source, along its one axis that goes.
///
/// ```
/// use mapsto_kernels::reduce::{Source, argmax_from};
/// let x = [1i32, 2, 3, 6, 5, 4];
/// let bring = |_: isize, _: isize, _: &mut [i32]| unreachable!("neighbours are read where they lie");
/// let mut at = [0; 3];
/// argmax_from(&Source { plain: Some(&x), bring: &bring, offset: 0, kept: &[(3, 1)], gone: &[(2, 3)] }, &mut at);
/// assert_eq!(at, [1, 1, 1]);
/// ```
///
/// # Panics
/// If there is not one result for each kept element, more than one axis goes, or it has no elements though there are results.
pub fn argmax_from<T: Number>(x: &Source<'_, T>, at: &mut [i64]) {
    position::<Max<T>>("argmax", x, at, |a, b| a > b);
}

/// The [`argmin`] of each result of a source, along its one axis that goes.
///
/// # Panics
/// As [`argmax_from`].
pub fn argmin_from<T: Number>(x: &Source<'_, T>, at: &mut [i64]) {
    position::<Min<T>>("argmin", x, at, |a, b| a < b);
}

/// Positions along the middle axis of row-major `[outer, n, inner]`.
fn in_rows<T: Number>(
    x: &[T],
    [outer, n, inner]: [usize; 3],
    at: &mut [i64],
    find: fn(&Source<'_, T>, &mut [i64]),
) {
    assert_eq!(
        x.len(),
        elements([outer, n, inner]),
        "reduce: x has not the elements of {:?}",
        [outer, n, inner]
    );
    assert_eq!(at.len(), elements([outer, inner]), "reduce: there are not [{outer}, {inner}] positions");
    if at.is_empty() {
        return;
    }
    let kept = [(outer, n.saturating_mul(inner) as isize), (inner, 1)];
    let kept = if inner == 1 { &kept[..1] } else { &kept };
    let bring = |at: isize, step: isize, to: &mut [T]| {
        to.iter_mut().enumerate().for_each(|(i, to)| *to = x[(at + i as isize * step) as usize])
    };
    find(&Source { plain: Some(x), bring: &bring, offset: 0, kept, gone: &[(n, inner as isize)] }, at);
}

fn position<F: Fold>(
    name: &str,
    x: &Source<'_, F::T>,
    at: &mut [i64],
    beats: impl Fn(F::T, F::T) -> bool + Sync + Copy,
) {
    let &[(n, step)] = x.gone else { panic!("{name}: {} axes go, not one", x.gone.len()) };
    let kept = x.kept.iter().fold(1, |all: usize, axis| all.saturating_mul(axis.0));
    assert_eq!(at.len(), kept, "{name}: one result for each kept element");
    if at.is_empty() {
        return;
    }
    assert!(n > 0, "{name}: no elements along the axis");
    let cost = n.saturating_mul(at.len()).saturating_mul(2);
    match x.kept.split_last() {
        Some((&(inner, stride), around)) if x.is_across() && (inner >= FEW || n <= inner) => {
            let tiles = inner.div_ceil(TILE);
            let results = Pieces::new(at);
            parallel(at.len() / inner * tiles, cost, |unit| {
                let (o, j) = (unit / tiles, unit % tiles * TILE);
                let width = TILE.min(inner - j);
                // SAFETY: `at` is borrowed until `parallel` returns, and each unit has columns of its own.
                let at = unsafe { results.get(o * inner + j, width) };
                let from = x.offset + place(around, o) + j as isize * stride;
                columns::<F>(x, [from, step, stride], n, at, beats);
            });
        }
        _ => {
            let chunk = (BLOCK / n).max(1);
            let together = if n <= SHORT && x.is_dense(n) { ROOM / n } else { 0 };
            for_chunks(at, chunk, cost, |i, at| {
                let mut room;
                let room: &mut [F::T] = if x.plain.is_none() || step != 1 {
                    room = [F::T::ZERO; ROOM];
                    &mut room
                } else {
                    &mut []
                };
                let mut o = i * chunk;
                if together > 0 {
                    for at in at.chunks_mut(together) {
                        let start = x.offset + (o * n) as isize;
                        short_rows::<F>(x.run(start, 1, at.len() * n, room), n, at, beats);
                        o += at.len();
                    }
                    return;
                }
                for at in at {
                    *at = first_of::<F>(x, o, n, step, room) as i64;
                    o += 1;
                }
            });
        }
    }
}

/// Positions in a tile of columns, one row after the other: where the first element lies, the next row and the next column.
fn columns<F: Fold>(
    source: &Source<'_, F::T>,
    [from, step, stride]: [isize; 3],
    n: usize,
    at: &mut [i64],
    beats: impl Fn(F::T, F::T) -> bool,
) {
    let width = at.len();
    let (mut best, mut room) = ([F::START; TILE], [F::T::ZERO; TILE]);
    best[..width].copy_from_slice(source.run(from, stride, width, &mut room));
    at.fill(0);
    for j in 1..n {
        let x = source.run(from + j as isize * step, stride, width, &mut room);
        vectorize_light(
            #[inline(always)]
            || {
                for ((best, at), &x) in best.iter_mut().zip(at.iter_mut()).zip(x) {
                    let better = !best.is_nan() & (beats(x, *best) | x.is_nan());
                    *best = F::T::select(better, x, *best);
                    *at = if better { j as i64 } else { *at };
                }
            },
        );
    }
}

/// Positions in rows of a few elements that lie one after the other: a call for each would take longer than they do.
fn short_rows<F: Fold>(x: &[F::T], n: usize, at: &mut [i64], beats: impl Fn(F::T, F::T) -> bool) {
    for (x, at) in x.chunks_exact(n).zip(at) {
        let (mut best, mut place) = (x[0], 0);
        for (j, &x) in x.iter().enumerate().skip(1) {
            let better = !best.is_nan() & (beats(x, best) | x.is_nan());
            (best, place) = (F::T::select(better, x, best), if better { j as i64 } else { place });
        }
        *at = place;
    }
}

/// The first element of result `o` that is the extreme: found block by block, then looked for inside one block.
fn first_of<F: Fold>(source: &Source<'_, F::T>, o: usize, n: usize, step: isize, room: &mut [F::T]) -> usize {
    let from = source.offset + place(source.kept, o);
    let size = if room.is_empty() { BLOCK } else { ROOM };
    let block = |k: usize| (from + (k * size) as isize * step, size.min(n - k * size));
    let (mut best, mut found) = (F::START, 0);
    for k in 0..n.div_ceil(size) {
        let (at, len) = block(k);
        let x = source.run(at, step, len, room);
        let mut here = [F::START];
        (Steps::of::<F>().rows)(x, x.len(), &[], &mut here);
        let [here] = here;
        if k == 0 || F::join(best, here) != best {
            (best, found) = (here, k);
        }
        if best.is_nan() {
            break;
        }
    }
    let is_best = |x: &F::T| if best.is_nan() { x.is_nan() } else { *x == best };
    let (at, len) = block(found);
    let x = source.run(at, step, len, room);
    // Whole tiles first, without a way out in their middle: such a loop becomes vector code.
    let any = |x: &[F::T; 64]| {
        vectorize_light(
            #[inline(always)]
            || x.iter().fold(false, |any, x| any | is_best(x)),
        )
    };
    let start = x.as_chunks().0.iter().take_while(|x| !any(x)).count() * 64;
    let place = start + x[start..].iter().position(is_best).expect("the extreme is one of the elements");
    found * size + place
}

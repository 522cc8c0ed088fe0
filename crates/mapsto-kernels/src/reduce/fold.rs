//! The fixed tree by which the middle axis is folded, for whatever is done with the elements.

use crate::elements::elements;
use crate::real::{Float, Number, Value};
use crate::simd::vectorize_light;
use crate::threads::{Pieces, for_chunks, parallel};
use std::marker::PhantomData;

/// Elements in a leaf along a row, rows (or groups of rows) in a leaf along columns, and columns in a tile.
pub const BLOCK: usize = 4096;
pub const LANES: usize = 32;
const ROWS: usize = 64;
pub const TILE: usize = 256;
/// At most `TILE`, so that all rows would be taken together.
const FEW: usize = 64;
/// Results are shared among threads one by one when there are this many; fewer are each cut into several parts.
const ENOUGH: usize = 16;

/// What is done with the elements: `step` takes in one (`c` is the result's own constant, such as its mean), `join`
/// puts two partial results together.
pub trait Fold: 'static {
    type T: Number;
    const START: Self::T;
    fn step(y: Self::T, x: Self::T, c: Self::T) -> Self::T;
    fn join(a: Self::T, b: Self::T) -> Self::T;
}

macro_rules! folds {
    ($($name:ident<$bound:ident>: $start:expr, |$y:ident, $x:ident, $c:ident| $step:expr, |$a:ident, $b:ident| $join:expr;)*) => {$(
        pub struct $name<T>(PhantomData<T>);
        impl<T: $bound> Fold for $name<T> {
            type T = T;
            const START: T = $start;
            #[inline(always)]
            fn step($y: T, $x: T, $c: T) -> T {
                $step
            }
            #[inline(always)]
            fn join($a: T, $b: T) -> T {
                $join
            }
        }
    )*};
}
folds! {
    Sum<Number>: T::ZERO, |y, x, _c| y.plus(x), |a, b| a.plus(b);
    Product<Number>: T::ONE, |y, x, _c| y.times(x), |a, b| a.times(b);
    Deviations<Float>: T::ZERO, |y, x, c| y + (x - c), |a, b| a + b;
    Squares<Float>: T::ZERO, |y, x, c| y + (x - c) * (x - c), |a, b| a + b;
    Max<Number>: T::LOWEST, |y, x, _c| y.max(x), |a, b| a.max(b);
    Min<Number>: T::HIGHEST, |y, x, _c| y.min(x), |a, b| a.min(b);
}

/// Every result, by rows or by columns.
pub fn fold<F: Fold>(x: &[F::T], dims: [usize; 3], context: Option<&[F::T]>, y: &mut [F::T]) {
    let [outer, n, inner] = dims;
    assert_eq!(x.len(), elements([outer, n, inner]), "reduce: x has not the elements of {dims:?}");
    assert_eq!(y.len(), elements([outer, inner]), "reduce: y has not the elements of [{outer}, {inner}]");
    if x.is_empty() {
        return y.fill(F::START);
    }
    match inner {
        1 => rows::<F>(x, n, context, y),
        _ if x.len() <= FEW => few::<F>(x, dims, context, y),
        _ => columns::<F>(x, dims, context, y),
    }
}

/// `inner = 1`: each result is a contiguous row.
fn rows<F: Fold>(x: &[F::T], n: usize, context: Option<&[F::T]>, y: &mut [F::T]) {
    let blocks = n.div_ceil(BLOCK);
    let leaf = |o: usize, k: usize| {
        let row = &x[o * n..(o + 1) * n];
        row_block::<F>(&row[k * BLOCK..(k * BLOCK + BLOCK).min(n)], context.map_or(F::T::ZERO, |c| c[o]))
    };
    if blocks > 1 && y.len() < ENOUGH {
        let mut partial = vec![F::START; y.len() * blocks];
        for_chunks(&mut partial, 1, x.len(), |i, p| p[0] = leaf(i / blocks, i % blocks));
        for (o, y) in y.iter_mut().enumerate() {
            *y = tree::<F>(0, blocks, &|k| partial[o * blocks + k]);
        }
        return;
    }
    let chunk = (BLOCK / n).max(1);
    for_chunks(y, chunk, x.len(), |i, y| {
        if blocks > 1 {
            y[0] = tree::<F>(0, blocks, &|k| leaf(i, k));
            return;
        }
        short_rows::<F>(&x[i * chunk * n..], n, context.map(|c| &c[i * chunk..]), y);
    });
}

/// Rows that are one leaf each, on this thread. A leaf of a longer row comes here too, so that this is compiled once.
fn short_rows<F: Fold>(x: &[F::T], n: usize, context: Option<&[F::T]>, y: &mut [F::T]) {
    vectorize_light(
        #[inline(always)]
        || {
            for (o, y) in y.iter_mut().enumerate() {
                *y = lanes::<F>(&x[o * n..(o + 1) * n], context.map_or(F::T::ZERO, |c| c[o]));
            }
        },
    );
}

/// The fold of a leaf of a row.
pub fn row_block<F: Fold>(x: &[F::T], c: F::T) -> F::T {
    let mut y = [F::START];
    short_rows::<F>(x, x.len(), Some(&[c]), &mut y);
    y[0]
}

#[inline(always)]
fn lanes<F: Fold>(x: &[F::T], c: F::T) -> F::T {
    let mut y = [F::START; LANES];
    let (whole, rest) = x.as_chunks::<LANES>();
    for x in whole {
        for l in 0..LANES {
            y[l] = F::step(y[l], x[l], c);
        }
    }
    for (y, &x) in y.iter_mut().zip(rest) {
        *y = F::step(*y, x, c);
    }
    join_lanes::<F>(y)
}

#[inline(always)]
pub fn join_lanes<F: Fold>(mut y: [F::T; LANES]) -> F::T {
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            y[l] = F::join(y[l], y[l + half]);
        }
        half /= 2;
    }
    y[0]
}

/// Joins leaves `from..to` (at least one) pairwise, always cut in the middle.
pub fn tree<F: Fold>(from: usize, to: usize, leaf: &dyn Fn(usize) -> F::T) -> F::T {
    if to - from == 1 {
        return leaf(from);
    }
    let middle = (from + to) / 2;
    F::join(tree::<F>(from, middle, leaf), tree::<F>(middle, to, leaf))
}

/// `inner > 1`: a tile of up to 256 neighbouring columns at a time, one row after the other. Where `inner` is small
/// several rows make one wide row, and the running values are folded together at the end.
struct Columns<'a, T> {
    x: &'a [T],
    n: usize,
    inner: usize,
    /// Rows taken together.
    together: usize,
}

/// So few elements that clearing tiles for them would take longer than they do: what `columns` does with a single leaf.
fn few<F: Fold>(x: &[F::T], [outer, n, inner]: [usize; 3], context: Option<&[F::T]>, y: &mut [F::T]) {
    for o in 0..outer {
        for (i, y) in y[o * inner..][..inner].iter_mut().enumerate() {
            let c = context.map_or(F::T::ZERO, |c| c[o * inner + i]);
            let column =
                x[o * n * inner + i..].iter().step_by(inner).take(n).map(|&x| F::step(F::START, x, c));
            *y = column.reduce(F::join).unwrap_or(F::START);
        }
    }
}

fn columns<F: Fold>(x: &[F::T], [outer, n, inner]: [usize; 3], context: Option<&[F::T]>, y: &mut [F::T]) {
    let columns = Columns { x, n, inner, together: (TILE / inner).max(1) };
    let leaves = n.div_ceil(ROWS * columns.together);
    let tiles = inner.div_ceil(TILE);
    let units = outer * tiles;
    // Few results of many rows are cut at a fixed depth of the tree, and its top is done at the end.
    let mut depth = 0;
    while units << depth < ENOUGH && 2 << depth <= leaves {
        depth += 1;
    }
    let place = |unit: usize| {
        let (o, j) = (unit / tiles, unit % tiles * TILE);
        (o, j, TILE.min(inner - j))
    };
    let compute = |unit: usize, (from, to): (usize, usize), out: &mut [F::T; TILE]| {
        let (o, j, width) = place(unit);
        let mut c = [F::T::ZERO; TILE];
        if let Some(context) = context {
            let here = &context[o * inner + j..][..width];
            c.chunks_mut(width).for_each(|c| c.copy_from_slice(&here[..c.len()]));
        }
        columns.tree::<F>(o, j, width, from, to, &c, out);
    };
    let results = Pieces::new(y);
    let write = |unit: usize, out: &[F::T; TILE]| {
        let (o, j, width) = place(unit);
        // SAFETY: `y` is borrowed until the function returns; each unit has columns of its own and is written once.
        unsafe { results.get(o * inner + j, width) }.copy_from_slice(&out[..width]);
    };
    if depth == 0 {
        return parallel(units, x.len(), |unit| {
            let mut out = [F::START; TILE];
            compute(unit, (0, leaves), &mut out);
            write(unit, &out);
        });
    }
    let parts = 1usize << depth;
    let mut partial = vec![[F::START; TILE]; units * parts];
    for_chunks(&mut partial, 1, x.len(), |i, out| {
        compute(i / parts, span(leaves, depth, i % parts), &mut out[0]);
    });
    for (unit, partial) in partial.chunks_mut(parts).enumerate() {
        let mut step = 1;
        while step < parts {
            for k in (0..parts).step_by(2 * step) {
                let (a, b) = partial.split_at_mut(k + step);
                join_tiles::<F>(&mut a[k], &b[0]);
            }
            step *= 2;
        }
        write(unit, &partial[0]);
    }
}

/// The leaves under the `index`-th node at `depth` of the tree over `leaves`.
fn span(leaves: usize, depth: usize, index: usize) -> (usize, usize) {
    let (mut from, mut to) = (0, leaves);
    for bit in (0..depth).rev() {
        let middle = (from + to) / 2;
        if index >> bit & 1 == 0 { to = middle } else { from = middle }
    }
    (from, to)
}

impl<T: Number> Columns<'_, T> {
    fn tree<F: Fold<T = T>>(
        &self,
        o: usize,
        j: usize,
        width: usize,
        from: usize,
        to: usize,
        c: &[T; TILE],
        out: &mut [T; TILE],
    ) {
        if to - from == 1 {
            return self.leaf::<F>(o, j, width, from, c, out);
        }
        let middle = (from + to) / 2;
        self.tree::<F>(o, j, width, from, middle, c, out);
        let mut right = [F::START; TILE];
        self.tree::<F>(o, j, width, middle, to, c, &mut right);
        join_tiles::<F>(out, &right);
    }

    fn leaf<F: Fold<T = T>>(
        &self,
        o: usize,
        j: usize,
        width: usize,
        leaf: usize,
        c: &[T; TILE],
        out: &mut [T; TILE],
    ) {
        let &Columns { x, n, inner, together } = self;
        let x = &x[o * n * inner..(o + 1) * n * inner];
        let (first, last) = (leaf * ROWS * together, ((leaf + 1) * ROWS * together).min(n));
        vectorize_light(
            #[inline(always)]
            || {
                let mut y = [F::START; TILE];
                for row in (first..last).step_by(together) {
                    let len = if together == 1 { width } else { together.min(last - row) * inner };
                    let x = &x[row * inner + j..][..len];
                    for ((y, &x), &c) in y[..len].iter_mut().zip(x).zip(c) {
                        *y = F::step(*y, x, c);
                    }
                }
                for row in 1..together.min(last - first) {
                    for i in 0..inner {
                        y[i] = F::join(y[i], y[row * inner + i]);
                    }
                }
                out[..width].copy_from_slice(&y[..width]);
            },
        );
    }
}

fn join_tiles<F: Fold>(a: &mut [F::T; TILE], b: &[F::T; TILE]) {
    vectorize_light(
        #[inline(always)]
        || {
            for (a, &b) in a.iter_mut().zip(b) {
                *a = F::join(*a, b);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_elements_are_folded_to_the_bits_of_many() {
        fn same<F: Fold<T = f32>>(dims: [usize; 3]) {
            let [outer, n, inner] = dims;
            let of = |i: usize| (i * 37 % 64) as f32 * 0.37 - 9.1;
            let x: Vec<f32> = (0..outer * n * inner).map(of).collect();
            let c: Vec<f32> = (0..outer * inner).map(|i| of(i + 5)).collect();
            for context in [None, Some(&c[..])] {
                let (mut a, mut b) = (vec![0.0; c.len()], vec![1.0; c.len()]);
                few::<F>(&x, dims, context, &mut a);
                columns::<F>(&x, dims, context, &mut b);
                assert!(a.iter().zip(&b).all(|(a, b)| a.to_bits() == b.to_bits()), "{dims:?}: {a:?}, {b:?}");
            }
        }
        for dims in [[1, 4, 2], [3, 1, 7], [2, 8, 4], [1, 32, 2], [1, 2, 32], [4, 4, 4]] {
            same::<Sum<f32>>(dims);
            same::<Product<f32>>(dims);
            same::<Squares<f32>>(dims);
            same::<Max<f32>>(dims);
        }
    }
}

//! The fixed tree by which elements are folded, for whatever is done with them and wherever they lie.
//!
//! What depends on the operation is four small loops ([`Steps`]); all that finds elements, shares them among threads and
//! joins parts is compiled once for each type of number.

use super::source::{Source, place};
use crate::elements::elements;
use crate::real::{Float, Number, Value};
use crate::simd::vectorize_light;
use crate::threads::{Pieces, for_chunks, parallel};
use std::marker::PhantomData;

/// Elements in a leaf along a row, and leaves that a thread takes at a time.
pub const BLOCK: usize = 4096;
const LEAVES: usize = 4;
pub const LANES: usize = 32;
/// The longest rows that are folded side by side, and how many of them.
const SHORT: usize = 16;
const SIDE: usize = 8;
/// Longer rows whose running values are joined at a time.
const GROUP: usize = 4;
/// Columns in a tile: so many that rows are read in long runs (256 took a third longer), and their running values stay in L1.
const TILE: usize = 1024;
/// Elements and the most rows in a leaf down columns.
const LEAF: usize = 16 * TILE;
const ROWS: usize = 256;
/// Rows that are joined before they meet the running values, which are then read and written once for four.
const STEP: usize = 4;
/// So few elements that clearing tiles for them would take longer than they do.
const FEW: usize = 64;
/// Elements read at a time where they must be converted or gathered.
const ROOM: usize = 1024;
/// Results are shared among threads one by one when there are this many; fewer are each cut into several parts.
const ENOUGH: usize = 16;

/// What is done with the elements: `lift` makes a partial result of one (`c` is the result's own constant, such as its
/// mean), `join` puts two partial results together, `START` is that of nothing.
pub trait Fold: 'static {
    type T: Number;
    const START: Self::T;
    fn lift(x: Self::T, c: Self::T) -> Self::T;
    fn join(a: Self::T, b: Self::T) -> Self::T;
}

macro_rules! folds {
    ($($name:ident<$bound:ident>: $start:expr, |$x:ident, $c:ident| $lift:expr, |$a:ident, $b:ident| $join:expr;)*) => {$(
        pub struct $name<T>(PhantomData<T>);
        impl<T: $bound> Fold for $name<T> {
            type T = T;
            const START: T = $start;
            #[inline(always)]
            fn lift($x: T, $c: T) -> T {
                $lift
            }
            #[inline(always)]
            fn join($a: T, $b: T) -> T {
                $join
            }
        }
    )*};
}
folds! {
    Sum<Number>: T::ZERO, |x, _c| x, |a, b| a.plus(b);
    Product<Number>: T::ONE, |x, _c| x, |a, b| a.times(b);
    Deviations<Float>: T::ZERO, |x, c| x - c, |a, b| a + b;
    Squares<Float>: T::ZERO, |x, c| (x - c) * (x - c), |a, b| a + b;
    InRange<Float>: T::ONE, |x, _c| x, |a, b| in_range(a * b);
    Max<Number>: T::LOWEST, |x, _c| x, |a, b| a.max(b);
    Min<Number>: T::HIGHEST, |x, _c| x, |a, b| a.min(b);
}

/// 0 for what is below the normal numbers, and so has lost digits.
#[inline(always)]
fn in_range<T: Float>(x: T) -> T {
    if x.abs() < T::MIN_POSITIVE { T::ZERO } else { x }
}

/// The loops of a fold.
pub struct Steps<T> {
    pub start: T,
    /// Folds rows of `n` elements, at least one, with one constant for each or none.
    pub rows: fn(x: &[T], n: usize, c: &[T], y: &mut [T]),
    /// Folds rows into the running values `y`, with one constant for each column.
    columns: fn(x: &[&[T]], c: &[T], y: &mut [T]),
    /// Joins `b` to `a`.
    pub join: fn(a: &mut [T], b: &[T]),
}

impl<T: Number> Steps<T> {
    pub const fn of<F: Fold<T = T>>() -> Steps<T> {
        Steps { start: F::START, rows: rows_of::<F>, columns: columns_of::<F>, join: join_of::<F> }
    }
}

fn rows_of<F: Fold>(x: &[F::T], n: usize, c: &[F::T], y: &mut [F::T]) {
    let mut first = 0;
    if n <= SHORT {
        first = y.len() / SIDE * SIDE;
        side_by_side::<F>(x, n, c, &mut y[..first]);
    }
    let mut wide = [[F::START; LANES]; GROUP];
    for (k, y) in y[first..].chunks_mut(GROUP).enumerate() {
        let o = first + k * GROUP;
        running::<F>(&x[o * n..], n, c.get(o..).unwrap_or_default(), &mut wide[..y.len()]);
        lanes_joined::<F>(&mut wide, y);
    }
}

fn side_by_side<F: Fold>(x: &[F::T], n: usize, c: &[F::T], y: &mut [F::T]) {
    vectorize_light(
        #[inline(always)]
        || {
            for (k, (x, y)) in x.chunks_exact(n * SIDE).zip(y.chunks_exact_mut(SIDE)).enumerate() {
                let (mut running, mut own) = ([F::START; SIDE], [F::T::ZERO; SIDE]);
                if !c.is_empty() {
                    own.copy_from_slice(&c[k * SIDE..][..SIDE]);
                }
                for j in 0..n {
                    for r in 0..SIDE {
                        running[r] = F::join(running[r], F::lift(x[r * n + j], own[r]));
                    }
                }
                y.copy_from_slice(&running);
            }
        },
    );
}

/// The running values of rows. They are joined elsewhere: with that in sight LLVM takes them two at a time, in registers that
/// hold eight.
fn running<F: Fold>(x: &[F::T], n: usize, c: &[F::T], wide: &mut [[F::T; LANES]]) {
    vectorize_light(
        #[inline(always)]
        || {
            for (o, (x, wide)) in x.chunks_exact(n).zip(wide).enumerate() {
                let c = c.get(o).copied().unwrap_or(F::T::ZERO);
                let (whole, rest) = x.as_chunks::<LANES>();
                let mut y = [F::START; LANES];
                for x in whole {
                    for l in 0..LANES {
                        y[l] = F::join(y[l], F::lift(x[l], c));
                    }
                }
                *wide = y;
                for (y, &x) in wide.iter_mut().zip(rest) {
                    *y = F::join(*y, F::lift(x, c));
                }
            }
        },
    );
}

fn lanes_joined<F: Fold>(wide: &mut [[F::T; LANES]], y: &mut [F::T]) {
    vectorize_light(
        #[inline(always)]
        || {
            for (wide, y) in wide.iter_mut().zip(y) {
                let mut half = LANES / 2;
                while half > 0 {
                    for l in 0..half {
                        wide[l] = F::join(wide[l], wide[l + half]);
                    }
                    half /= 2;
                }
                *y = wide[0];
            }
        },
    );
}

fn columns_of<F: Fold>(x: &[&[F::T]], c: &[F::T], y: &mut [F::T]) {
    vectorize_light(
        #[inline(always)]
        || {
            let n = y.len();
            if let &[a, b, d, e] = x
                && [a, b, d, e, c].iter().all(|x| x.len() >= n)
            {
                let (a, b, d, e, c) = (&a[..n], &b[..n], &d[..n], &e[..n], &c[..n]);
                for i in 0..n {
                    let (ab, de) = (
                        F::join(F::lift(a[i], c[i]), F::lift(b[i], c[i])),
                        F::join(F::lift(d[i], c[i]), F::lift(e[i], c[i])),
                    );
                    y[i] = F::join(y[i], F::join(ab, de));
                }
                return;
            }
            for x in x {
                for ((y, &x), &c) in y.iter_mut().zip(*x).zip(c) {
                    *y = F::join(*y, F::lift(x, c));
                }
            }
        },
    );
}

fn join_of<F: Fold>(a: &mut [F::T], b: &[F::T]) {
    vectorize_light(
        #[inline(always)]
        || {
            for (a, &b) in a.iter_mut().zip(b) {
                *a = F::join(*a, b);
            }
        },
    );
}

/// Every result of row-major `[outer, n, inner]`, whose middle axis is folded.
pub fn fold<F: Fold>(x: &[F::T], dims: [usize; 3], context: Option<&[F::T]>, y: &mut [F::T]) {
    let [outer, n, inner] = dims;
    assert_eq!(x.len(), elements([outer, n, inner]), "reduce: x has not the elements of {dims:?}");
    assert_eq!(y.len(), elements([outer, inner]), "reduce: y has not the elements of [{outer}, {inner}]");
    if x.is_empty() {
        return y.fill(F::START);
    }
    let (step, jump) = (inner as isize, (n * inner) as isize);
    let (kept, gone) = ([(outer, jump), (inner, 1)], [(n, step)]);
    let kept = if inner == 1 { &kept[..1] } else { &kept };
    let nothing = |_: isize, _: isize, _: &mut [F::T]| unreachable!("these numbers are read where they lie");
    fold_from(
        &Steps::of::<F>(),
        &Source { plain: Some(x), bring: &nothing, offset: 0, kept, gone: &gone },
        context,
        y,
    );
}

/// Every result of a source, in the order of its kept axes.
pub fn fold_from<T: Number>(steps: &Steps<T>, x: &Source<'_, T>, context: Option<&[T]>, y: &mut [T]) {
    let n: usize = x.gone.iter().map(|axis| axis.0).product();
    assert_eq!(
        y.len(),
        x.kept.iter().map(|axis| axis.0).product(),
        "reduce: one result for each kept element"
    );
    if n == 0 || y.is_empty() {
        return y.fill(steps.start);
    }
    if x.is_across() { columns(steps, x, n, context, y) } else { rows(steps, x, n, context, y) }
}

/// Room for what must be brought, if anything must.
macro_rules! room {
    ($buffer:ident: [$t:ty; $n:expr] if $wanted:expr) => {
        let mut room;
        let $buffer: &mut [$t] = if $wanted {
            room = [<$t>::ZERO; $n];
            &mut room
        } else {
            &mut []
        };
    };
}

/// Each result is of elements that lie in runs.
fn rows<T: Number>(steps: &Steps<T>, x: &Source<'_, T>, n: usize, context: Option<&[T]>, y: &mut [T]) {
    let (blocks, cost) = (n.div_ceil(BLOCK), n.saturating_mul(y.len()));
    let brought = x.is_brought();
    let leaf = |o: usize, k: usize, room: &mut [T]| {
        let c = [context.map_or(T::ZERO, |c| c[o])];
        let mut all = None;
        x.spans(o, k * BLOCK..n.min((k + 1) * BLOCK), room, &mut |x| {
            let mut part = [steps.start];
            (steps.rows)(x, x.len(), &c, &mut part);
            match &mut all {
                None => all = Some(part),
                Some(all) => (steps.join)(all, &part),
            }
        });
        all.map_or(steps.start, |[y]| y)
    };
    if blocks > 1 && y.len() < ENOUGH {
        let mut partial = vec![steps.start; y.len() * blocks];
        for_chunks(&mut partial, LEAVES, cost, |i, partial| {
            room!(room: [T; ROOM] if brought);
            for (k, p) in partial.iter_mut().enumerate() {
                let at = i * LEAVES + k;
                *p = leaf(at / blocks, at % blocks, room);
            }
        });
        for (partial, y) in partial.chunks_exact(blocks).zip(y) {
            *y = tree(steps, 0, blocks, &mut |k| partial[k]);
        }
        return;
    }
    // Rows that lie one after the other are taken many at a time.
    let together = if x.is_dense(n) && blocks == 1 { if brought { ROOM / n } else { usize::MAX } } else { 0 };
    let chunk = (LEAVES * BLOCK / n).max(1);
    for_chunks(y, chunk, cost, |i, y| {
        room!(room: [T; ROOM] if brought);
        if together == 0 {
            for (k, y) in y.iter_mut().enumerate() {
                *y = tree(steps, 0, blocks, &mut |leaf_of| leaf(i * chunk + k, leaf_of, room));
            }
            return;
        }
        let mut o = i * chunk;
        for y in y.chunks_mut(together) {
            let c = context.map_or(&[][..], |c| &c[o..o + y.len()]);
            (steps.rows)(x.run(x.offset + (o * n) as isize, 1, y.len() * n, room), n, c, y);
            o += y.len();
        }
    });
}

/// Joins leaves `from..to` (at least one) pairwise, always cut in the middle.
pub fn tree<T: Number>(steps: &Steps<T>, from: usize, to: usize, leaf: &mut dyn FnMut(usize) -> T) -> T {
    if to - from == 1 {
        return leaf(from);
    }
    let middle = (from + to) / 2;
    let mut left = [tree(steps, from, middle, leaf)];
    (steps.join)(&mut left, &[tree(steps, middle, to, leaf)]);
    left[0]
}

/// A tile of up to 1024 neighbouring results at a time, one row of elements after the other. Where rows are short and lie
/// one after the other, several make one wide row, and the running values are folded together at the end.
struct Columns<'a, T> {
    steps: &'a Steps<T>,
    x: &'a Source<'a, T>,
    n: usize,
    /// Columns, and the distance from one to the next.
    inner: usize,
    step: isize,
    /// Rows taken together: a power of two.
    together: usize,
    /// Rows in a leaf.
    rows: usize,
}

fn columns<T: Number>(steps: &Steps<T>, x: &Source<'_, T>, n: usize, context: Option<&[T]>, y: &mut [T]) {
    let (&(inner, step), around) = x.kept.split_last().expect("columns are kept");
    let dense = x.gone.len() == 1 && step == 1 && x.gone[0].1 == inner as isize;
    let together = if dense && n > 1 { 1 << (TILE / inner).max(1).ilog2() } else { 1 };
    let rows = (LEAF / (inner.min(TILE) * together)).clamp(STEP, ROWS) * together;
    let columns = Columns { steps, x, n, inner, step, together, rows };
    let (tiles, brought) = (inner.div_ceil(TILE), x.is_brought());
    let (units, leaves, cost) = (y.len() / inner * tiles, n.div_ceil(rows), n.saturating_mul(y.len()));
    if cost <= FEW && !brought {
        return columns.few(around, context, y);
    }
    // Few results of many rows are cut at a fixed depth of the tree, and its top is done at the end.
    let mut depth = 0;
    while units << depth < ENOUGH && 2 << depth <= leaves {
        depth += 1;
    }
    let place_of = |unit: usize| {
        let (o, j) = (unit / tiles, unit % tiles * TILE);
        (o, j, TILE.min(inner - j))
    };
    let compute = |unit: usize, (from, to): (usize, usize), out: &mut [T; TILE]| {
        let (o, j, width) = place_of(unit);
        let mut c = [T::ZERO; TILE];
        if let Some(context) = context {
            let here = &context[o * inner + j..][..width];
            c.chunks_mut(width).for_each(|c| c.copy_from_slice(&here[..c.len()]));
        }
        room!(room: [T; STEP * TILE] if brought);
        let base = x.offset + place(around, o) + j as isize * step;
        columns.tree(base, width, from, to, &c, out, room);
    };
    let results = Pieces::new(y);
    let write = |unit: usize, out: &[T; TILE]| {
        let (o, j, width) = place_of(unit);
        // SAFETY: `y` is borrowed until the function returns; each unit has columns of its own and is written once.
        unsafe { results.get(o * inner + j, width) }.copy_from_slice(&out[..width]);
    };
    if depth == 0 {
        return parallel(units, cost, |unit| {
            let mut out = [steps.start; TILE];
            compute(unit, (0, leaves), &mut out);
            write(unit, &out);
        });
    }
    let parts = 1usize << depth;
    let mut partial = vec![[steps.start; TILE]; units * parts];
    for_chunks(&mut partial, 1, cost, |i, out| {
        compute(i / parts, span(leaves, depth, i % parts), &mut out[0]);
    });
    for (unit, partial) in partial.chunks_mut(parts).enumerate() {
        let mut step = 1;
        while step < parts {
            for k in (0..parts).step_by(2 * step) {
                let (a, b) = partial.split_at_mut(k + step);
                (steps.join)(&mut a[k], &b[0]);
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
    /// Few elements, row by row into the results themselves.
    fn few(&self, around: &[(usize, isize)], context: Option<&[T]>, y: &mut [T]) {
        let zeros = [T::ZERO; FEW];
        for (o, y) in y.chunks_exact_mut(self.inner).enumerate() {
            y.fill(self.steps.start);
            let c = context.map_or(&zeros[..], |c| &c[o * self.inner..]);
            let base = self.x.offset + place(around, o);
            for row in 0..self.n {
                let x = self.x.run(base + place(self.x.gone, row), self.step, self.inner, &mut []);
                (self.steps.columns)(&[x], c, y);
            }
        }
    }

    fn tree(
        &self,
        base: isize,
        width: usize,
        from: usize,
        to: usize,
        c: &[T; TILE],
        out: &mut [T; TILE],
        room: &mut [T],
    ) {
        if to - from == 1 {
            return self.leaf(base, width, from, c, out, room);
        }
        let middle = (from + to) / 2;
        self.tree(base, width, from, middle, c, out, room);
        let mut right = [self.steps.start; TILE];
        self.tree(base, width, middle, to, c, &mut right, room);
        (self.steps.join)(&mut out[..width], &right[..width]);
    }

    /// `out` holds the fold of nothing.
    fn leaf(
        &self,
        base: isize,
        width: usize,
        leaf: usize,
        c: &[T; TILE],
        out: &mut [T; TILE],
        room: &mut [T],
    ) {
        let &Columns { steps, x, step, together, .. } = self;
        let (mut row, last) = (leaf * self.rows, self.n.min((leaf + 1) * self.rows));
        while row < last {
            let mut xs: [&[T]; STEP] = [&[]; STEP];
            let (mut count, mut rooms) = (0, room.chunks_mut(TILE));
            while count < STEP && row < last {
                let len = together.min(last - row) * width;
                let room = rooms.next().unwrap_or_default();
                xs[count] = x.run(base + place(x.gone, row), step, len, room);
                count += 1;
                row += together;
            }
            (steps.columns)(&xs[..count], c, &mut out[..together * width]);
        }
        let mut half = together / 2;
        while half > 0 {
            let (a, b) = out.split_at_mut(half * width);
            (steps.join)(a, &b[..half * width]);
            half /= 2;
        }
    }
}

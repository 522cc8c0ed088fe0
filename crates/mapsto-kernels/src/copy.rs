//! Copies between any two layouts. Numbers are only moved, so this is compiled for each size of them and not for each type.
//!
//! The loop nest: blocks of about [`BLOCK`] elements, shared among the threads; in a block planes, in a plane rows and
//! columns. Columns are the axis along which the result lies closest. Rows are the axis along which the source does, where
//! that is another one: then tiles of a cache line of rows by [`TILE`] / that of columns go through the first cache, so each
//! line of the source is read once and not once for each of the numbers in it.

use crate::elements::inside;
use crate::simd::vectorize_light;
use crate::threads::{Pieces, parallel};

/// An axis: its size, and how far apart its neighbours lie in the source and in the result, in elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// The size.
    pub n: usize,
    /// The distance in the source.
    pub from: isize,
    /// The distance in the result.
    pub to: isize,
}

/// The most axes of a copy.
pub const MOST: usize = 8;

const BLOCK: usize = 1 << 14;
const TILE: usize = 1024;
const ONE: Axis = Axis { n: 1, from: 0, to: 0 };

/// Copies `x[x0 + Σ iₖ·fromₖ]` to `y[y0 + Σ iₖ·toₖ]` for all `0 ≤ iₖ < nₖ`.
///
/// ```
/// use mapsto_kernels::copy::{Axis, copy};
/// let mut y = [0; 6];
/// copy(&[Axis { n: 2, from: 1, to: 3 }, Axis { n: 3, from: 2, to: 1 }], &[1, 2, 3, 4, 5, 6], 0, &mut y, 0);
/// assert_eq!(y, [1, 3, 5, 2, 4, 6]);
/// ```
///
/// # Panics
/// If there are more than [`MOST`] axes, or an element lies outside of its slice.
pub fn copy<T: Copy + Send + Sync>(axes: &[Axis], x: &[T], x0: usize, y: &mut [T], y0: usize) {
    let Some(plan) = Plan::new(axes, [x.len(), y.len()], [x0, y0]) else { return };
    let y = Pieces::new(y);
    plan.run(size_of::<T>(), &|[from, to], size, steps| {
        // SAFETY: `Plan::new` has found every element of the axes inside of both slices, which are borrowed until all is
        // done. Threads write different elements: where `Plan::new` does not know that, the blocks run one by one.
        unsafe { tile(x.as_ptr().add(from), y.at(to), size, steps) }
    });
}

/// Rows and columns.
type Pair<T> = [T; 2];

struct Plan {
    /// The outermost first, rows and columns last.
    axes: [Axis; MOST],
    starts: [usize; 2],
    /// Whether the places of the result are known to be different.
    apart: bool,
}

impl Plan {
    /// The axes in the order in which they are walked; none where there are no elements.
    fn new(given: &[Axis], lens: [usize; 2], starts: [usize; 2]) -> Option<Plan> {
        assert!(given.len() <= MOST, "copy: {} axes, {MOST} are the most", given.len());
        let mut axes = [ONE; MOST];
        axes[..given.len()].copy_from_slice(given);
        if axes.iter().any(|a| a.n == 0) {
            return None;
        }
        assert!(inside(lens[0], starts[0], axes.map(|a| (a.n, a.from))), "copy: x has not all elements");
        assert!(inside(lens[1], starts[1], axes.map(|a| (a.n, a.to))), "copy: y has not all elements");
        axes.sort_by_key(|a| std::cmp::Reverse(if a.n == 1 { usize::MAX } else { a.to.unsigned_abs() }));
        // From the innermost outwards; axes merge where a step of the outer is a whole run of the inner.
        let (mut walk, mut first) = ([ONE; MOST], MOST);
        let (mut apart, mut reach) = (true, 0usize);
        for a in axes.iter().rev().filter(|a| a.n > 1) {
            apart &= a.to.unsigned_abs() > reach;
            reach += (a.n - 1) * a.to.unsigned_abs();
            let inner = walk[first % MOST];
            let run = inner.n as isize;
            if first < MOST && a.from == inner.from * run && a.to == inner.to * run {
                walk[first].n *= a.n;
            } else {
                first -= 1;
                walk[first] = *a;
            }
        }
        let columns = MOST - 1;
        let near = |i: &usize| walk[*i].from.unsigned_abs();
        let closest = (first..columns).filter(|i| walk[*i].from != 0).min_by_key(near);
        if let Some(rows) = closest.filter(|i| near(i) < near(&columns)) {
            walk[rows..columns].rotate_left(1);
        }
        Some(Plan { axes: walk, starts, apart })
    }

    /// Calls `f(places, [rows, columns], steps)` for each tile of elements of `size` bytes.
    fn run(&self, size: usize, f: &(dyn Fn([usize; 2], Pair<usize>, Pair<Axis>) + Sync)) {
        let (outer, steps) = (&self.axes[..MOST - 2], [self.axes[MOST - 2], self.axes[MOST - 1]]);
        let [rows, columns] = steps.map(|a| a.n);
        // Rows that only repeat are no axis to go along.
        let near = steps[0].from.unsigned_abs();
        let across = near != 0 && near < steps[1].from.unsigned_abs() && rows > 1;
        let (wide, line) = (if across { TILE / 2 } else { BLOCK }.min(columns), 64 / size);
        let high = if across { (BLOCK / wide / line * line).max(line) } else { BLOCK / wide }.min(rows);
        let pieces = [rows.div_ceil(high), columns.div_ceil(wide)];
        let planes: usize = outer.iter().map(|a| a.n).product();
        // Several small planes, or a piece of a large one.
        let together = if pieces == [1, 1] { (BLOCK / (rows * columns)).max(1) } else { 1 };
        let blocks = planes.div_ceil(together) * pieces[0] * pieces[1];
        let block = |k: usize| {
            let [row, column] = [k / pieces[1] % pieces[0] * high, k % pieces[1] * wide];
            let [row_end, column_end] = [rows.min(row + high), columns.min(column + wide)];
            let mut rest = k / pieces[1] / pieces[0] * together;
            let (mut at, mut places) = ([0; MOST - 2], self.starts);
            let count = together.min(planes - rest);
            for (at, a) in at.iter_mut().zip(outer).rev() {
                (*at, rest) = (rest % a.n, rest / a.n);
                places = moved(places, *a, *at as isize);
            }
            for _ in 0..count {
                let [h, w] = match across {
                    false => [high, wide],
                    true if wide < line => [TILE / wide, wide],
                    true => [line, (TILE / line).max(line)],
                };
                for r in (row..row_end).step_by(h) {
                    for c in (column..column_end).step_by(w) {
                        let corner = moved(moved(places, steps[0], r as isize), steps[1], c as isize);
                        f(corner, [h.min(row_end - r), w.min(column_end - c)], steps);
                    }
                }
                // The outer axes turn like the wheels of a counter.
                for (at, a) in at.iter_mut().zip(outer).rev() {
                    (*at, places) = (*at + 1, moved(places, *a, 1));
                    if *at < a.n {
                        break;
                    }
                    (*at, places) = (0, moved(places, *a, -(a.n as isize)));
                }
            }
        };
        match self.apart {
            true => parallel(blocks, planes.saturating_mul(rows * columns), block),
            false => (0..blocks).for_each(block),
        }
    }
}

/// The places in source and result some steps along an axis.
#[inline(always)]
fn moved(places: [usize; 2], a: Axis, by: isize) -> [usize; 2] {
    let [from, to] = places;
    // A counter that turns back may have gone below 0 for a moment.
    [from.wrapping_add_signed(by * a.from), to.wrapping_add_signed(by * a.to)]
}

/// Copies rows and columns.
///
/// # Safety
/// All of them may be read at `x` and written at `y`.
unsafe fn tile<T: Copy>(x: *const T, y: *mut T, [rows, columns]: Pair<usize>, [down, along]: Pair<Axis>) {
    let (short, bytes) = (columns < 16 && columns < rows, columns * size_of::<T>());
    // SAFETY: as the caller says; each row and column is one of those copied.
    unsafe {
        match (along.from, along.to) {
            (1, 1) if rows == 1 => x.copy_to_nonoverlapping(y, columns),
            (1, 1) if short && bytes < 4 => lines(x, y, [columns, rows], [along, down]),
            (1, 1) => {
                let size = size_of::<T>() as isize;
                let steps = [down.from * size, down.to * size];
                let (x, y) = (x.cast::<u8>(), y.cast::<u8>());
                // A call of memcpy for each short row takes several times as long as two words that overlap.
                match bytes {
                    4..8 => words::<u32>(x, y, rows, bytes, steps),
                    8..16 => words::<u64>(x, y, rows, bytes, steps),
                    16..32 => words::<[u64; 2]>(x, y, rows, bytes, steps),
                    32..=64 => words::<[u64; 4]>(x, y, rows, bytes, steps),
                    _ => (0..rows as isize).for_each(|r| {
                        x.offset(r * steps[0]).copy_to_nonoverlapping(y.offset(r * steps[1]), bytes)
                    }),
                }
            }
            (-1, 1) => vectorize_light(
                #[inline(always)]
                || {
                    for r in 0..rows as isize {
                        let x = x.offset(r * down.from).sub(columns - 1);
                        let x = std::slice::from_raw_parts(x, columns);
                        let y = std::slice::from_raw_parts_mut(y.offset(r * down.to), columns);
                        y.iter_mut().zip(x.iter().rev()).for_each(|(y, x)| *y = *x);
                    }
                },
            ),
            (0, 1) if !short => {
                for r in 0..rows as isize {
                    let y = std::slice::from_raw_parts_mut(y.offset(r * down.to), columns);
                    y.fill(*x.offset(r * down.from));
                }
            }
            (_, 1) if down.from == 1 && rows >= SQUARE / size_of::<T>() => {
                turned(x, y, [rows, columns], along.from, down.to)
            }
            _ if short => lines(x, y, [columns, rows], [along, down]),
            _ => lines(x, y, [rows, columns], [down, along]),
        }
    }
}

/// Bytes of a row or column of what is turned in registers.
const SQUARE: usize = 16;

/// Copies rows and columns where the source lies close along the rows and the result along the columns: whole squares turned in
/// registers, and what is left beside and below them one by one.
///
/// # Safety
/// As for [`tile`]; `from` leads from one column to the next in the source, `to` from one row to the next in the result.
unsafe fn turned<T: Copy>(x: *const T, y: *mut T, [rows, columns]: Pair<usize>, from: isize, to: isize) {
    let side = SQUARE / size_of::<T>();
    let [high, wide] = match square_of(size_of::<T>()) {
        Some(_) => [rows / side * side, columns / side * side],
        None => [0, 0],
    };
    // SAFETY: as the caller says; each square and each rest lies within the rows and columns.
    unsafe {
        if let Some(square) = square_of(size_of::<T>()) {
            let size = size_of::<T>() as isize;
            for r in (0..high as isize).step_by(side) {
                for c in (0..wide as isize).step_by(side) {
                    let (x, y) = (x.offset(c * from + r), y.offset(r * to + c));
                    square(x.cast(), y.cast(), [from * size, to * size]);
                }
            }
        }
        let (down, along) = (Axis { n: rows, from: 1, to }, Axis { n: columns, from, to: 1 });
        let beside = (x.offset(wide as isize * from), y.add(wide));
        lines(beside.0, beside.1, [high, columns - wide], [down, along]);
        let below = (x.add(high), y.offset(high as isize * to));
        lines(below.0, below.1, [rows - high, columns], [down, along]);
    }
}

/// A function that turns a square: 16 bytes by as many elements as they are. Its steps are in bytes.
type Square = unsafe fn(x: *const u8, y: *mut u8, steps: Pair<isize>);

/// For elements of so many bytes, where there is one.
fn square_of(size: usize) -> Option<Square> {
    #[cfg(target_arch = "x86_64")]
    match size {
        1 => return Some(squares::of_1),
        2 => return Some(squares::of_2),
        4 => return Some(squares::of_4),
        8 => return Some(squares::of_8),
        _ => {}
    }
    let _ = size;
    None
}

#[cfg(target_arch = "x86_64")]
mod squares {
    use super::Pair;
    use std::arch::x86_64::*;

    /// Interleaving each row with the one half a square below, as often as two fit into the side, is a transposition.
    macro_rules! squares {
        ($($name:ident $side:literal $low:ident $high:ident;)*) => {$(
            /// # Safety
            /// So many rows of 16 bytes may be read at `x` and written at `y`.
            pub(super) unsafe fn $name(x: *const u8, y: *mut u8, [from, to]: Pair<isize>) {
                // SAFETY: as the caller says; every x86-64 has SSE2.
                unsafe {
                    let mut rows = [_mm_setzero_si128(); $side];
                    for (i, row) in rows.iter_mut().enumerate() {
                        *row = _mm_loadu_si128(x.offset(i as isize * from).cast());
                    }
                    let mut pieces = $side;
                    while pieces > 1 {
                        let before = rows;
                        for i in 0..$side / 2 {
                            rows[2 * i] = $low(before[i], before[i + $side / 2]);
                            rows[2 * i + 1] = $high(before[i], before[i + $side / 2]);
                        }
                        pieces /= 2;
                    }
                    for (i, row) in rows.iter().enumerate() {
                        _mm_storeu_si128(y.offset(i as isize * to).cast(), *row);
                    }
                }
            }
        )*};
    }
    squares! {
        of_1 16 _mm_unpacklo_epi8 _mm_unpackhi_epi8;
        of_2 8 _mm_unpacklo_epi16 _mm_unpackhi_epi16;
        of_4 4 _mm_unpacklo_epi32 _mm_unpackhi_epi32;
        of_8 2 _mm_unpacklo_epi64 _mm_unpackhi_epi64;
    }
}

/// Copies elements one by one, along the second axis first.
///
/// # Safety
/// As for [`tile`].
#[inline(never)]
unsafe fn lines<T: Copy>(x: *const T, y: *mut T, [n, m]: Pair<usize>, [outer, inner]: Pair<Axis>) {
    for i in 0..n as isize {
        // SAFETY: as the caller says.
        unsafe {
            let (x, y) = (x.offset(i * outer.from), y.offset(i * outer.to));
            if inner.to == 1 {
                (0..m as isize).for_each(|j| *y.offset(j) = *x.offset(j * inner.from));
            } else if inner.from == 1 {
                (0..m as isize).for_each(|j| *y.offset(j * inner.to) = *x.offset(j));
            } else {
                (0..m as isize).for_each(|j| *y.offset(j * inner.to) = *x.offset(j * inner.from));
            }
        }
    }
}

/// Copies rows of at least one and at most two words, by their first and their last bytes.
///
/// # Safety
/// As for [`tile`]; the steps are in bytes.
unsafe fn words<W: Copy>(x: *const u8, y: *mut u8, rows: usize, bytes: usize, steps: Pair<isize>) {
    let last = bytes - size_of::<W>();
    for r in 0..rows as isize {
        // SAFETY: both words lie in the row.
        unsafe {
            let (x, y) = (x.offset(r * steps[0]), y.offset(r * steps[1]));
            let (head, tail) = (x.cast::<W>().read_unaligned(), x.add(last).cast::<W>().read_unaligned());
            y.cast::<W>().write_unaligned(head);
            y.add(last).cast::<W>().write_unaligned(tail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::with_threads;

    /// Sizes, with the axes of the source in the order in which they lie in the result; a negative one is walked backwards.
    fn check<T: Copy + Send + Sync + PartialEq + std::fmt::Debug>(
        n: &[usize],
        order: &[usize],
        back: usize,
        gap: usize,
        number: impl Fn(usize) -> T,
    ) {
        let count: usize = n.iter().product();
        let x: Vec<T> = (0..count).map(&number).collect();
        let (mut axes, mut step, mut x0) = (vec![], 1, 0);
        let from: Vec<usize> = (0..n.len()).map(|k| n[k + 1..].iter().product()).collect();
        for &k in order.iter().rev() {
            let forwards = back >> k & 1 == 0;
            let stride = from[k] as isize;
            if !forwards && n[k] > 0 {
                x0 += (n[k] - 1) * from[k];
            }
            axes.insert(0, Axis { n: n[k], from: if forwards { stride } else { -stride }, to: step });
            step *= (n[k] + gap) as isize;
        }
        let mut want = vec![number(99); gap + step as usize];
        for i in 0..count {
            let (mut rest, mut at, mut to) = (i, x0 as isize, gap as isize);
            for a in axes.iter().rev() {
                let j = (rest % a.n) as isize;
                rest /= a.n;
                (at, to) = (at + j * a.from, to + j * a.to);
            }
            want[to as usize] = x[at as usize];
        }
        for threads in [1, 2, 8] {
            let mut y = vec![number(99); want.len()];
            with_threads(threads, || copy(&axes, &x, x0, &mut y, gap));
            assert!(y == want, "{n:?} {order:?} {back} {gap} {} bytes", size_of::<T>());
        }
    }

    #[test]
    fn against_a_plain_loop_in_any_order_and_size() {
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let sizes = [
            [1, 1, 1],
            [2, 3, 5],
            [0, 3, 2],
            [3, 17, 33],
            [1, 130, 70],
            [40, 3, 50],
            [9, 20, 2],
            [2, 1100, 17],
        ];
        for n in sizes {
            for (k, order) in orders.iter().enumerate() {
                for gap in [0, 3] {
                    check(&n, order, k, gap, |i| i as u8);
                    check(&n, order, k + 1, gap, |i| i as u16);
                    check(&n, order, k + 2, gap, |i| i as u32);
                    check(&n, order, 0, gap, |i| i as u64);
                }
            }
        }
        check(&[], &[], 0, 0, |i| i as u32);
        check(&[100_003], &[0], 0, 1, |i| i as u16);
        check(&[100_003], &[0], 1, 0, |i| i as u8);
    }

    #[test]
    fn one_source_repeats_and_one_place_is_written_last() {
        let mut y = vec![0u8; 60_000];
        copy(&[Axis { n: 300, from: 0, to: 200 }, Axis { n: 200, from: 1, to: 1 }], &[7; 200], 0, &mut y, 0);
        assert!(y.iter().all(|&y| y == 7));
        copy(&[Axis { n: 300, from: 1, to: 200 }, Axis { n: 200, from: 0, to: 1 }], &[8; 300], 0, &mut y, 0);
        assert!(y.iter().all(|&y| y == 8));
        let x: Vec<u32> = (0..50_000).collect();
        let mut y = [0; 2];
        copy(&[Axis { n: 50_000, from: 1, to: 0 }], &x, 0, &mut y, 1);
        assert_eq!(y[0], 0);
    }

    #[test]
    #[should_panic(expected = "copy: y has not all elements")]
    fn what_lies_outside_is_refused() {
        copy(&[Axis { n: 3, from: 1, to: 2 }], &[1u8; 3], 0, &mut [0; 4], 0);
    }
}

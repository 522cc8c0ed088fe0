//! Products too small or too thin for panels: both operands are read where they lie, or B from a dense copy.

use super::MACS;
use super::direct::{SERIAL, after};
use super::lanes::{Float, Kernel, Lanes, dispatch};
use super::mat::{Mat, shifted};
use super::pack::{Strip, interleave};
use super::tile::Finish;
use crate::elements::elements;
use crate::simd;
use crate::threads::for_chunks;
use crate::workspace::scratch;

/// C (+)= A·B, then what finishes it. What panels would save is less than they cost: a row of C is a few registers, and all
/// of B lies in the first cache.
///
/// B is copied row by row if its rows are not dense (16³ with B transposed: 0.2 µs, in panels 0.5). The rows of C are shared
/// out in blocks.
pub fn product<T: Float>(a: Mat<T>, b: Mat<T>, c: &mut [T], finish: Finish<T>) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    let mut copy;
    let b = if b.col_stride == 1 {
        b
    } else {
        copy = scratch::<T>(elements([k, n]));
        let start = b.index(0, 0);
        let strip = Strip { data: b.data, start, lane: b.col_stride, step: b.row_stride };
        interleave(&mut copy, n, n, k, strip);
        Mat::row_major(&copy, k, n)
    };
    let rows = (BLOCK / (k * n)).max(1).next_multiple_of(8);
    for_chunks(c, rows * n, elements([m, k, n]) / MACS + m * n, |block, c| {
        let offset = shifted(a.offset, block * rows, a.row_stride);
        dispatch(Unpacked { a: Mat { rows: c.len() / n, offset, ..a }, b, c, add: finish.add });
        after(c, n, finish);
    });
}

/// Multiplications of a block of rows.
const BLOCK: usize = if cfg!(miri) { 1 << 9 } else { 1 << 16 };

/// C (+)= A·B for B with dense rows.
///
/// Loop nest: columns by two registers › rows by 8 (4 where registers are few) › steps. Eight rows of one register are as
/// many sums as hide the latency of two multiply-adds a cycle.
struct Unpacked<'a, T> {
    a: Mat<'a, T>,
    b: Mat<'a, T>,
    c: &'a mut [T],
    add: bool,
}

impl<T: Float> Kernel<T> for Unpacked<'_, T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) {
        let (m, k, n) = (self.a.rows, self.a.cols, self.b.cols);
        assert!(self.b.col_stride == 1 && m > 0 && k > 0 && self.c.len() >= elements([m, n]));
        let mut j = 0;
        while j < n {
            let two = n - j > L::N;
            let mut i = 0;
            while i < m {
                // SAFETY: `Mat::check` found every element of A and B inside its slice.
                unsafe {
                    i += match (L::MANY && m - i > 4, two) {
                        (true, true) if L::MANY => self.tile::<L, 8, 2>(i, j),
                        (true, false) if L::MANY => self.tile::<L, 8, 1>(i, j),
                        (_, true) => self.tile::<L, 4, 2>(i, j),
                        (_, false) => self.tile::<L, 4, 1>(i, j),
                    };
                }
            }
            j += if two { 2 * L::N } else { L::N };
        }
    }
}

impl<T: Float> Unpacked<'_, T> {
    /// Rows from `i` and registers of columns from `j` on; rows beyond the last repeat it and are not stored.
    #[inline(always)]
    unsafe fn tile<L: Lanes<Elem = T>, const ROWS: usize, const WIDE: usize>(
        &self,
        i: usize,
        j: usize,
    ) -> usize {
        let Unpacked { a, b, .. } = self;
        let (m, k, n) = (a.rows, a.cols, b.cols);
        let last = (n - j).min(WIDE * L::N) - (WIDE - 1) * L::N;
        // SAFETY: the caller's promise; of the last register only the lanes within B and C are touched.
        unsafe {
            let rows: [*const T; ROWS] =
                simd::array(|r| a.data.as_ptr().offset(a.index((i + r).min(m - 1), 0)));
            let mut row = b.data.as_ptr().offset(b.index(0, j));
            let mut acc = [[L::splat(T::default()); WIDE]; ROWS];
            let mut from = 0;
            while from < k {
                let to = k.min(from + SERIAL);
                let mut part = [[L::splat(T::default()); WIDE]; ROWS];
                for k in from as isize..to as isize {
                    let mut y = [L::splat(T::default()); WIDE];
                    for v in 0..WIDE {
                        let at = row.wrapping_add(v * L::N);
                        // Without masks a part of a register is loaded number by number.
                        y[v] = if v + 1 < WIDE || !L::MANY && last == L::N {
                            L::load(at)
                        } else {
                            L::load_first(at, last)
                        };
                    }
                    for r in 0..ROWS {
                        let x = L::splat(*rows[r].wrapping_offset(k * a.col_stride));
                        for v in 0..WIDE {
                            part[r][v] = part[r][v].fma(x, y[v]);
                        }
                    }
                    row = row.wrapping_offset(b.row_stride);
                }
                for r in 0..ROWS {
                    for v in 0..WIDE {
                        acc[r][v] = if from == 0 { part[r][v] } else { acc[r][v].add(part[r][v]) };
                    }
                }
                from = to;
            }
            let height = ROWS.min(m - i);
            for r in 0..height {
                for v in 0..WIDE {
                    let c = self.c.as_ptr().cast_mut().add((i + r) * n + j + v * L::N);
                    let w = if v + 1 < WIDE { L::N } else { last };
                    let x = if self.add { acc[r][v].add(L::load_first(c, w)) } else { acc[r][v] };
                    if w == L::N { x.store(c) } else { x.store_first(c, w) }
                }
            }
            height
        }
    }
}

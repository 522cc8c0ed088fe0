//! Products of whole numbers, which wrap in their own type.

use super::mat::{Mat, shifted};
use super::{MACS, check_sizes, in_batch};
use crate::elements::elements;
use crate::simd::vectorize;
use crate::threads::for_chunks;
use crate::workspace::{Plain, scratch};
use std::ops::Range;

/// The whole numbers that products are computed in: i32 and i64.
pub trait Integer: Plain + Send + Sync + Default {
    /// One.
    const ONE: Self;
    /// `self + x · y`, modulo two to the number of bits.
    fn plus_product(self, x: Self, y: Self) -> Self;
    #[doc(hidden)]
    fn product(a: Mat<Self>, b: Mat<Self>, c: &mut [Self]);
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl Integer for $t {
            const ONE: $t = 1;
            #[inline(always)]
            fn plus_product(self, x: $t, y: $t) -> $t {
                self.wrapping_add(x.wrapping_mul(y))
            }
            #[inline(never)]
            fn product(a: Mat<$t>, b: Mat<$t>, c: &mut [$t]) {
                product(a, b, c)
            }
        }
    )*};
}
integers!(i32 i64);

/// C = A·B modulo two to the number of bits; `c` as in [`gemm`](super::gemm).
///
/// ```
/// use mapsto_kernels::gemm::{Mat, integers::gemm};
/// let mut c = [0i32; 1];
/// gemm(Mat::row_major(&[3, 1 << 30], 1, 2), Mat::row_major(&[5, 4], 2, 1), &mut c);
/// assert_eq!(c, [15]);
/// ```
///
/// # Panics
/// If the sizes do not fit, or a matrix reaches outside its slice.
pub fn gemm<T: Integer>(a: Mat<T>, b: Mat<T>, c: &mut [T]) {
    check_sizes(&a, &b, c, None);
    if !c.is_empty() {
        T::product(a, b, c)
    }
}

/// `batch` products as [`gemm_batch`](super::gemm_batch) does, each as [`gemm`] above.
///
/// ```
/// use mapsto_kernels::gemm::{Mat, integers::gemm_batch};
/// let x = [1i64, 2, 3];
/// let mut c = [0; 3];
/// let one = |i: usize| Mat::row_major(&x[i..=i], 1, 1);
/// gemm_batch(3, one, one, &mut c);
/// assert_eq!(c, [1, 4, 9]);
/// ```
///
/// # Panics
/// If the sizes do not fit, or differ from one product to another.
pub fn gemm_batch<'a, T: Integer + 'a>(
    batch: usize,
    a: impl Fn(usize) -> Mat<'a, T> + Sync,
    b: impl Fn(usize) -> Mat<'a, T> + Sync,
    c: &mut [T],
) {
    in_batch(batch, a, b, c, |a, b, c| gemm(a, b, c));
}

/// Rows, steps and columns of a tile: 4 × 32 sums, which LLVM keeps in registers of any family, past 256 rows of B.
const ROWS: usize = 4;
const COLS: usize = 32;
const STEPS: usize = 256;

/// Loop nest: blocks of 64 rows (in parallel) › pieces of 256 steps › columns by 32 › rows by 4 › steps. B is copied if its
/// rows are not dense.
#[inline(always)]
fn product<T: Integer>(a: Mat<T>, b: Mat<T>, c: &mut [T]) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    let mut copy;
    let b = if b.col_stride == 1 {
        b
    } else {
        copy = scratch::<T>(elements([k, n]));
        for_chunks(&mut copy, n, elements([k, n]), |i, row| {
            row.iter_mut().enumerate().for_each(|(j, y)| *y = b.at(i, j));
        });
        Mat::row_major(&copy, k, n)
    };
    // One row is shared out by its columns.
    let (rows, cols) = if m == 1 { (1, 256.min(n)) } else { (64, n) };
    let cost = elements([m, k, n]).saturating_mul(2) / MACS + m * n;
    for_chunks(c, rows * cols, cost, |block, c| {
        let (i, j) = if m == 1 { (0, block * cols) } else { (block * rows, 0) };
        let cols = if m == 1 { c.len() } else { n };
        let a = Mat { rows: c.len() / cols, offset: shifted(a.offset, i, a.row_stride), ..a };
        let b = Mat { cols, offset: shifted(b.offset, j, b.col_stride), ..b };
        c.fill(T::default());
        vectorize(
            #[inline(always)]
            || {
                for from in (0..k).step_by(STEPS) {
                    let steps = from..k.min(from + STEPS);
                    for j in (0..cols).step_by(COLS) {
                        for i in (0..a.rows).step_by(ROWS) {
                            let (height, width) = (ROWS.min(a.rows - i), COLS.min(cols - j));
                            if (height, width) == (ROWS, COLS) {
                                tile(&a, &b, c, [i, j], steps.clone());
                            } else {
                                edge(&a, &b, c, [i, j, height, width], steps.clone());
                            }
                        }
                    }
                }
            },
        );
    });
}

/// Adds the product of some steps to `ROWS × COLS` numbers of C.
#[inline(always)]
fn tile<T: Integer>(a: &Mat<T>, b: &Mat<T>, c: &mut [T], [i, j]: [usize; 2], steps: Range<usize>) {
    let mut sums = [[T::default(); COLS]; ROWS];
    for s in steps {
        let at = b.index(s, j) as usize;
        let row = &b.data[at..at + COLS];
        for r in 0..ROWS {
            let x = a.at(i + r, s);
            for v in 0..COLS {
                sums[r][v] = sums[r][v].plus_product(x, row[v]);
            }
        }
    }
    for r in 0..ROWS {
        let c = &mut c[(i + r) * b.cols + j..][..COLS];
        c.iter_mut().zip(sums[r]).for_each(|(c, sum)| *c = c.plus_product(T::ONE, sum));
    }
}

/// The same of a part of a tile, row by row.
#[inline(always)]
fn edge<T: Integer>(
    a: &Mat<T>,
    b: &Mat<T>,
    c: &mut [T],
    [i, j, height, width]: [usize; 4],
    steps: Range<usize>,
) {
    for i in i..i + height {
        let c = &mut c[i * b.cols + j..][..width];
        for s in steps.clone() {
            let (at, x) = (b.index(s, j) as usize, a.at(i, s));
            c.iter_mut().zip(&b.data[at..at + width]).for_each(|(c, &y)| *c = c.plus_product(x, y));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LIES, lay};
    use super::*;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    #[test]
    fn no_steps_give_zeros() {
        let mut c = [7i64; 6];
        gemm(Mat::row_major(&[], 2, 0), Mat::row_major(&[], 0, 3), &mut c);
        assert_eq!(c, [0; 6]);
    }

    #[test]
    fn products_of_every_size_and_layout_are_exact_and_wrap() {
        let numbers = |n: usize, by: i64| -> Vec<i64> {
            (0..n as i64).map(|i| (i + 1).wrapping_mul(by).wrapping_mul(i ^ by)).collect()
        };
        let sizes = [(1, 1, 1), (3, 5, 4), (1, 300, 700), (200, 300, 1), (70, 513, 65), (9, 17, 40)];
        for &isa in Isa::available() {
            for (m, k, n) in sizes {
                let lies = if m * k * n > 10_000 { &LIES[..2] } else { &LIES };
                for (&la, &lb) in lies.iter().flat_map(|la| lies.iter().map(move |lb| (la, lb))) {
                    let a = numbers(2 * m * k + 4 * (m + k) + 8, 0x9e37_79b9_7f4a_7c15u64 as i64);
                    let b = numbers(2 * k * n + 4 * (k + n) + 8, 0x5851_f42d_4c95_7f2d);
                    let (a32, b32): (Vec<i32>, Vec<i32>) =
                        (a.iter().map(|&x| x as i32).collect(), b.iter().map(|&x| x as i32).collect());
                    let (x, y) = (lay(&a, m, k, la), lay(&b, k, n, lb));
                    let sum = |i: usize, j: usize| {
                        (0..k).fold(0i64, |sum, s| sum.wrapping_add(x.at(i, s).wrapping_mul(y.at(s, j))))
                    };
                    let want: Vec<i64> = (0..m * n).map(|i| sum(i / n, i % n)).collect();
                    for threads in [1, 3] {
                        let (mut c, mut c32) = (vec![7; m * n], vec![7; m * n]);
                        with_isa(isa, || {
                            with_threads(threads, || {
                                gemm(x, y, &mut c);
                                gemm(lay(&a32, m, k, la), lay(&b32, k, n, lb), &mut c32);
                            })
                        });
                        assert!(c == want, "i64 {m} {k} {n} {la:?} {lb:?}");
                        assert!(c32.iter().zip(&want).all(|(c, want)| *c == *want as i32), "i32 {m} {k} {n}");
                    }
                }
            }
        }
    }
}

//! Products of whole numbers, which wrap in their own type.

use super::mat::{Mat, shifted};
use super::{LONG, MACS, SMALL, check_sizes, in_batch};
use crate::elements::elements;
use crate::simd::vectorize;
use crate::threads::for_chunks;
use crate::workspace::{Plain, scratch, scratch_copy};

/// The whole numbers that products are computed in: i32 and i64.
pub trait Integer: Plain + Send + Sync + Default {
    /// `self + x · y`, modulo two to the number of bits.
    fn plus_product(self, x: Self, y: Self) -> Self;
    /// `self + x`, likewise.
    fn plus(self, x: Self) -> Self;
    #[doc(hidden)]
    fn product(a: Mat<Self>, b: Mat<Self>, c: &mut [Self]);
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl Integer for $t {
            #[inline(always)]
            fn plus_product(self, x: $t, y: $t) -> $t {
                self.wrapping_add(x.wrapping_mul(y))
            }
            #[inline(always)]
            fn plus(self, x: $t) -> $t {
                self.wrapping_add(x)
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

/// Steps that are added to a row of C at once, and that a block of rows passes over: rows of B that stay in the cache.
const AT_ONCE: usize = 8;
const STEPS: usize = 64;

/// Columns up to which results are dot products of a row and a column.
const FEW: usize = 16;
/// Steps from which they are, where there is more than one column.
const LEAST: usize = 32;

/// The choice of a way, by the sizes and the layout alone.
fn product<T: Integer>(a: Mat<T>, b: Mat<T>, c: &mut [T]) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    if n == 1 && m > 1 && a.row_stride == 1 && a.col_stride != 1 {
        // Cᵀ = Bᵀ·Aᵀ reads A in rows.
        by_steps(b.t(), a.t(), c)
    } else if k >= LONG && m * n <= SMALL {
        in_pieces_of_k(a, b, c)
    } else if a.col_stride == 1 && (n == 1 || n <= FEW && k >= LEAST) && k > 0 {
        dots(a, b, c)
    } else {
        by_steps(a, b, c)
    }
}

/// A few rows and columns, many steps: pieces of k, whose sums are added; the order is of no account to whole numbers.
fn in_pieces_of_k<T: Integer>(a: Mat<T>, b: Mat<T>, c: &mut [T]) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    let each = LONG / 4;
    let mut parts = scratch::<T>(k.div_ceil(each) * m * n);
    for_chunks(&mut parts, m * n, elements([m, n, k]).saturating_mul(2) / MACS, |p, part| {
        let (from, to) = (p * each, (p * each + each).min(k));
        let a = Mat { cols: to - from, offset: shifted(a.offset, from, a.col_stride), ..a };
        let b = Mat { rows: to - from, offset: shifted(b.offset, from, b.row_stride), ..b };
        product(a, b, part);
    });
    c.fill(T::default());
    for part in parts.chunks_exact(m * n) {
        c.iter_mut().zip(part).for_each(|(y, x)| *y = y.plus(*x));
    }
}

/// Dot products of dense rows of A and of columns of B, which are copied unless they are dense.
fn dots<T: Integer>(a: Mat<T>, b: Mat<T>, c: &mut [T]) {
    let (k, n) = (a.cols, b.cols);
    let copy;
    let columns = if b.row_stride == 1 {
        b
    } else {
        copy = scratch_copy((0..n * k).map(|i| b.at(i % k, i / k)));
        Mat::row_major(&copy, n, k).t()
    };
    let rows = (4096 / k).max(1);
    for_chunks(c, rows * n, elements([a.rows, k, n]), |block, c| {
        vectorize(
            #[inline(always)]
            || {
                for (i, c) in c.chunks_exact_mut(n).enumerate() {
                    let at = a.index(block * rows + i, 0) as usize;
                    let row = &a.data[at..at + k];
                    for (j, c) in c.iter_mut().enumerate() {
                        let at = columns.index(0, j) as usize;
                        let both = row.iter().zip(&columns.data[at..at + k]);
                        *c = both.fold(T::default(), |sum, (&x, &y)| sum.plus_product(x, y));
                    }
                }
            },
        );
    });
}

/// Loop nest: blocks of 16 rows (in parallel) › pieces of 64 steps › rows › steps by 8 › columns, over which LLVM vectorizes.
/// B is copied if its rows are not dense.
///
/// Tiles of 4 × 32 sums in arrays did not stay in registers (256³ in i32 on two threads: 2.5 ms; PyTorch 0.79).
fn by_steps<T: Integer>(a: Mat<T>, b: Mat<T>, c: &mut [T]) {
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
    let cost = elements([m, n, k]).saturating_mul(2) / MACS + elements([m, n]);
    // One row is shared out by its columns.
    let (rows, wide) = if m == 1 { (1, 256.min(n)) } else { (16, n) };
    for_chunks(c, rows * wide, cost, |block, c| {
        let (top, left) = if m == 1 { (0, block * wide) } else { (block * rows, 0) };
        let cols = if m == 1 { c.len() } else { n };
        let a = Mat { offset: shifted(a.offset, top, a.row_stride), ..a };
        let b = Mat { cols, offset: shifted(b.offset, left, b.col_stride), ..b };
        c.fill(T::default());
        vectorize(
            #[inline(always)]
            || {
                for from in (0..k).step_by(STEPS) {
                    for (i, c) in c.chunks_exact_mut(cols).enumerate() {
                        let to = k.min(from + STEPS);
                        let mut s = from;
                        while s + AT_ONCE <= to {
                            add_steps::<T, AT_ONCE>(&a, &b, c, i, s);
                            s += AT_ONCE;
                        }
                        while s < to {
                            add_steps::<T, 1>(&a, &b, c, i, s);
                            s += 1;
                        }
                    }
                }
            },
        );
    });
}

/// Adds `N` steps from `s` on to row `i` of C.
#[inline(always)]
fn add_steps<T: Integer, const N: usize>(a: &Mat<T>, b: &Mat<T>, c: &mut [T], i: usize, s: usize) {
    let w = c.len();
    let mut x = [T::default(); N];
    let mut rows: [&[T]; N] = [&[]; N];
    for r in 0..N {
        let at = b.index(s + r, 0) as usize;
        x[r] = a.at(i, s + r);
        rows[r] = &b.data[at..at + w];
    }
    for j in 0..w {
        let mut sum = c[j];
        for r in 0..N {
            sum = sum.plus_product(x[r], rows[r][j]);
        }
        c[j] = sum;
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
        let sizes = [
            (1, 1, 1),
            (3, 5, 4),
            (1, 300, 700),
            (200, 300, 1),
            (70, 513, 65),
            (9, 17, 40),
            (60, 70, 9),
            (3, 9000, 5),
        ];
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

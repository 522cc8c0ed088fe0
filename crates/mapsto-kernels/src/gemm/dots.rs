//! Products of a few rows by a matrix whose columns are dense, such as `x·Wᵀ` of a small batch: dot products, nothing packed.

use super::MACS;
use super::direct::{SERIAL, after};
use super::lanes::{Float, Kernel, Lanes, dispatch};
use super::mat::{Mat, shifted};
use super::read::Read;
use super::tile::Finish;
use crate::elements::elements;
use crate::simd;
use crate::threads::{Pieces, parallel};

/// Whether a product is done here rather than in panels: laying W out for a few rows costs more than multiplying by it
/// (8 × 512 × 512: 92 µs in panels), and eight columns or fewer leave half of a panel's lanes empty.
pub fn pay<T: Float>(a: &Mat<T>, b: &Mat<T>) -> bool {
    a.col_stride == 1 && b.row_stride == 1 && a.cols >= LEAST && (a.rows <= FEW || b.cols <= FEW / 4)
}

/// Steps from which the sums of the lanes are a small part.
const LEAST: usize = 64;
/// Rows up to which nothing is packed.
const FEW: usize = 32;
/// Rows or columns of a task.
const TASK: usize = 16;

/// C (+)= A·B of dense rows and dense columns, then what finishes it; B may hold halves, which are widened in registers.
pub fn product<T: Float, S: Read<T>>(a: Mat<T>, b: Mat<S>, c: &mut [T], finish: Finish<T>) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    let out = Pieces::new(c);
    let long = m.max(n);
    parallel(long.div_ceil(TASK), elements([m, k, n]) / MACS, |task| {
        let at = task * TASK;
        let size = TASK.min(long - at);
        // SAFETY: tasks cover disjoint rows or columns of C, which is borrowed throughout.
        let c = unsafe { out.at(if m > n { at * n } else { at }) };
        let (a, b) = if m > n {
            (Mat { rows: size, offset: shifted(a.offset, at, a.row_stride), ..a }, b)
        } else {
            (a, Mat { cols: size, offset: shifted(b.offset, at, b.col_stride), ..b })
        };
        dispatch(Dots { a, b, c, stride: n, add: finish.add });
    });
    after(c, n, finish);
}

/// Loop nest: columns by 4 (2 where registers are few) › rows by 4 › steps by registers, whose lanes are summed at the end.
struct Dots<'a, T, S> {
    a: Mat<'a, T>,
    b: Mat<'a, S>,
    /// Rows of `stride` numbers, as many and as wide as the product.
    c: *mut T,
    stride: usize,
    add: bool,
}

impl<T: Float, S: Read<T>> Kernel<T> for Dots<'_, T, S> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(self) {
        // SAFETY: `Mat::check` found every element of A and B inside its slice, and C is the caller's promise.
        unsafe { if L::MANY { self.all::<L, 4>() } else { self.all::<L, 2>() } }
    }
}

impl<T: Float, S: Read<T>> Dots<'_, T, S> {
    #[inline(always)]
    unsafe fn all<L: Lanes<Elem = T>, const WIDE: usize>(&self) {
        const ROWS: usize = 4;
        let Dots { a, b, .. } = self;
        let (m, k, n) = (a.rows, a.cols, b.cols);
        for j in (0..n).step_by(WIDE) {
            for i in (0..m).step_by(ROWS) {
                // SAFETY: the caller's promise; rows and columns beyond the last repeat it and are not stored.
                unsafe {
                    let rows: [*const T; ROWS] =
                        simd::array(|r| a.data.as_ptr().offset(a.index((i + r).min(m - 1), 0)));
                    let columns: [*const S; WIDE] =
                        simd::array(|v| b.data.as_ptr().offset(b.index(0, (j + v).min(n - 1))));
                    let mut sums = [[T::default(); WIDE]; ROWS];
                    let mut from = 0;
                    while from < k {
                        let to = k.min(from + SERIAL * L::N);
                        let mut acc = [[L::splat(T::default()); WIDE]; ROWS];
                        let mut s = from;
                        while s + L::N <= to {
                            step(&mut acc, &rows, &columns, s, L::N);
                            s += L::N;
                        }
                        if s < to {
                            step(&mut acc, &rows, &columns, s, to - s);
                        }
                        for r in 0..ROWS {
                            for v in 0..WIDE {
                                sums[r][v] += acc[r][v].sum();
                            }
                        }
                        from = to;
                    }
                    for r in 0..ROWS.min(m - i) {
                        for v in 0..WIDE.min(n - j) {
                            let c = self.c.add((i + r) * self.stride + j + v);
                            let sum = &mut sums[r][v];
                            if self.add {
                                *sum += *c;
                            }
                            *c = *sum;
                        }
                    }
                }
            }
        }
    }
}

/// The first `w` lanes of a register from step `s` on.
#[inline(always)]
unsafe fn step<L: Lanes, S: Read<L::Elem>, const ROWS: usize, const WIDE: usize>(
    acc: &mut [[L; WIDE]; ROWS],
    rows: &[*const L::Elem; ROWS],
    columns: &[*const S; WIDE],
    s: usize,
    w: usize,
) {
    // SAFETY: the caller vouches for `w` numbers of each row and column from `s` on.
    unsafe {
        let mut y = [L::splat(L::Elem::default()); WIDE];
        for v in 0..WIDE {
            y[v] = load::<L, S>(columns[v].add(s), w);
        }
        for r in 0..ROWS {
            let x = load::<L, L::Elem>(rows[r].add(s), w);
            for v in 0..WIDE {
                acc[r][v] = acc[r][v].fma(x, y[v]);
            }
        }
    }
}

#[inline(always)]
unsafe fn load<L: Lanes, S: Read<L::Elem>>(p: *const S, w: usize) -> L {
    // SAFETY: the caller vouches for `w` numbers.
    unsafe { if w == L::N { S::load(p) } else { S::load_first(p, w) } }
}

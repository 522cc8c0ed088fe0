//! The products of attention: operands read where they lie, a tile of the result in registers.

use crate::gemm::Mat;
use crate::gemm::lanes::{Float, Kernel, Lanes, dispatch};
use crate::simd::array;

/// What becomes of what C held before.
#[derive(Clone, Copy)]
pub enum Before<'a, T> {
    /// `C ← A·B`.
    Dropped,
    /// `C ← C + A·B`.
    Kept,
    /// `C ← C·diag(s) + A·B`: each column has its factor. A pass of its own for the running softmax's rescaling made the
    /// forward pass an eighth slower: 2.27 ms rather than 2.01 for 48 heads of 256 steps.
    Scaled(&'a [T]),
}

/// `A·B` into C, as `before` says; the rows or the columns of A dense, the rows of B and of C dense, C's `stride` apart.
///
/// Loop nest: columns by two registers › rows by 8 (4) › steps. A row of B is two loads and one of A's columns 8
/// broadcasts for 16 multiply-adds, whose sums hide their latency twice over. Nothing is packed: a product has 64 rows
/// at most and each operand is used in one or two of them. That one stride of A is known to be 1 is worth 2 % forward
/// and 5 % backward: with both open, eight pointers move at each step and their additions take the places of
/// multiply-adds.
#[inline(never)]
pub fn product<T: Float>(a: Mat<T>, b: Mat<T>, c: &mut [T], stride: usize, before: Before<T>) {
    let (rows, steps, cols) = (a.rows, a.cols, b.cols);
    assert!(b.rows == steps && b.col_stride == 1 && rows > 0 && cols > 0 && steps > 0);
    assert!(a.col_stride == 1 || a.row_stride == 1, "attention: neither rows nor columns are dense");
    assert!(stride >= cols && c.len() >= (rows - 1) * stride + cols);
    for m in [&a, &b] {
        let (r, c) = ((m.rows - 1) as isize * m.row_stride, (m.cols - 1) as isize * m.col_stride);
        let (first, last) = (r.min(0) + c.min(0), r.max(0) + c.max(0));
        let offset = m.offset as isize;
        assert!(
            offset + first >= 0 && ((offset + last) as usize) < m.data.len(),
            "attention: a product out of bounds"
        );
    }
    assert!(!matches!(before, Before::Scaled(s) if s.len() < cols), "attention: a factor for each column");
    dispatch(Product { a, b, c, stride, before })
}

struct Product<'a, T> {
    a: Mat<'a, T>,
    b: Mat<'a, T>,
    c: &'a mut [T],
    stride: usize,
    before: Before<'a, T>,
}

impl<T: Float> Kernel<T> for Product<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(mut self) {
        // SAFETY: `product` has checked that A, B and C lie in their slices.
        unsafe {
            let along = self.a.col_stride == 1;
            if L::MANY {
                if along { self.tiles::<L, 8, true>() } else { self.tiles::<L, 8, false>() }
            } else {
                if along { self.tiles::<L, 4, true>() } else { self.tiles::<L, 4, false>() }
            }
        }
    }
}

impl<T: Float> Product<'_, T> {
    /// All of C by tiles of `MR` rows, then of one; A's rows are dense (`ALONG` the steps) or else its columns.
    #[inline(always)]
    unsafe fn tiles<L: Lanes<Elem = T>, const MR: usize, const ALONG: bool>(&mut self) {
        let (rows, cols) = (self.a.rows, self.b.cols);
        for j in (0..cols).step_by(2 * L::N) {
            let width = (cols - j).min(2 * L::N);
            let mut i = 0;
            while i < rows {
                // SAFETY: the caller's promise.
                unsafe {
                    match (i + MR <= rows, width == 2 * L::N) {
                        (true, true) => self.tile::<L, MR, ALONG, false>(i, j, width),
                        (true, false) => self.tile::<L, MR, ALONG, true>(i, j, width),
                        _ => self.tile::<L, 1, ALONG, true>(i, j, width),
                    }
                }
                i += if i + MR <= rows { MR } else { 1 };
            }
        }
    }

    /// `MR` rows from `i` and `width` columns from `j`, two registers or, to mask, a `PART` of them.
    #[inline(always)]
    unsafe fn tile<L: Lanes<Elem = T>, const MR: usize, const ALONG: bool, const PART: bool>(
        &mut self,
        i: usize,
        j: usize,
        width: usize,
    ) {
        let Product { a, b, c, stride, before } = self;
        let lanes = |v: usize| if PART { width.saturating_sub(v * L::N).min(L::N) } else { L::N };
        // SAFETY: the caller's promise; masked lanes are not touched.
        unsafe {
            let corner = a.data.as_ptr().offset(a.offset as isize + i as isize * a.row_stride);
            let rows: [*const T; MR] = array(|r| corner.offset(r as isize * a.row_stride));
            let mut from = b.data.as_ptr().add(b.offset + j);
            let mut column = corner;
            let mut acc = [[L::splat(T::default()); 2]; MR];
            for k in 0..a.cols {
                let y: [L; 2] = array(|v| {
                    let from = from.wrapping_add(v * L::N);
                    if PART { L::load_first(from, lanes(v)) } else { L::load(from) }
                });
                for r in 0..MR {
                    let x = L::splat(if ALONG { *rows[r].add(k) } else { *column.add(r) });
                    for v in 0..2 {
                        acc[r][v] = acc[r][v].fma(x, y[v]);
                    }
                }
                from = from.wrapping_offset(b.row_stride);
                column = column.wrapping_offset(a.col_stride);
            }
            for r in 0..MR {
                for v in 0..2 {
                    let to = c.as_mut_ptr().wrapping_add((i + r) * *stride + j + v * L::N);
                    let x = match before {
                        Before::Dropped => acc[r][v],
                        Before::Kept => acc[r][v].add(L::load_first(to, lanes(v))),
                        Before::Scaled(s) => {
                            let s = L::load_first(s.as_ptr().wrapping_add(j + v * L::N), lanes(v));
                            acc[r][v].fma(L::load_first(to, lanes(v)), s)
                        }
                    };
                    x.store_first(to, lanes(v));
                }
            }
        }
    }
}

//! The products of attention: operands read where they lie, a tile of the result in registers.

use crate::gemm::Mat;
use crate::gemm::lanes::{Float, Kernel, Lanes, dispatch};

/// `C = A·B` or, to add, `C += A·B`; A in any layout, the rows of B and of C dense, C's `stride` apart.
///
/// Loop nest: columns by two registers › rows by 8 (4) › steps. A row of B is two loads and one of A's columns 8
/// broadcasts for 16 multiply-adds, whose sums hide their latency twice over. Nothing is packed: a product has 64 rows
/// at most and each operand is used in one or two of them.
#[inline(never)]
pub fn product<T: Float>(a: Mat<T>, b: Mat<T>, c: &mut [T], stride: usize, add: bool) {
    let (rows, steps, cols) = (a.rows, a.cols, b.cols);
    assert!(b.rows == steps && b.col_stride == 1 && rows > 0 && cols > 0 && steps > 0);
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
    dispatch(Product { a, b, c, stride, add })
}

struct Product<'a, T> {
    a: Mat<'a, T>,
    b: Mat<'a, T>,
    c: &'a mut [T],
    stride: usize,
    add: bool,
}

impl<T: Float> Kernel<T> for Product<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes<Elem = T>>(mut self) {
        let (rows, cols) = (self.a.rows, self.b.cols);
        for j in (0..cols).step_by(2 * L::N) {
            let width = (cols - j).min(2 * L::N);
            for i in (0..rows).step_by(L::ROWS) {
                // SAFETY: `product` has checked that A, B and C lie in their slices.
                unsafe {
                    match (L::ROWS, width.div_ceil(L::N), width.is_multiple_of(2 * L::N)) {
                        (8, 2, true) => self.tile::<L, 8, 2, false>(i, j, width),
                        (8, 2, false) => self.tile::<L, 8, 2, true>(i, j, width),
                        (8, _, _) => self.tile::<L, 8, 1, true>(i, j, width),
                        (_, 2, true) => self.tile::<L, 4, 2, false>(i, j, width),
                        (_, 2, false) => self.tile::<L, 4, 2, true>(i, j, width),
                        _ => self.tile::<L, 4, 1, true>(i, j, width),
                    }
                }
            }
        }
    }
}

impl<T: Float> Product<'_, T> {
    /// `MR` rows from `i` and `width` columns from `j`; rows beyond the last repeat it and are not stored.
    #[inline(always)]
    unsafe fn tile<L: Lanes<Elem = T>, const MR: usize, const NV: usize, const PART: bool>(
        &mut self,
        i: usize,
        j: usize,
        width: usize,
    ) {
        let Product { a, b, c, stride, add } = self;
        let height = (a.rows - i).min(MR);
        // SAFETY: the caller's promise; only `height` rows of `width` columns are touched.
        unsafe {
            let corner = a.data.as_ptr().add(a.offset);
            let rows: [*const T; MR] =
                std::array::from_fn(|r| corner.offset((i + r.min(height - 1)) as isize * a.row_stride));
            let columns = b.data.as_ptr().add(b.offset + j);
            let mut acc = [[L::splat(T::default()); NV]; MR];
            for k in 0..a.cols as isize {
                let from = columns.offset(k * b.row_stride);
                let y: [L; NV] = std::array::from_fn(|v| {
                    let from = from.add(v * L::N);
                    if PART { L::load_first(from, (width - v * L::N).min(L::N)) } else { L::load(from) }
                });
                for r in 0..MR {
                    let x = L::splat(*rows[r].offset(k * a.col_stride));
                    for v in 0..NV {
                        acc[r][v] = acc[r][v].fma(x, y[v]);
                    }
                }
            }
            for r in 0..MR {
                if r >= height {
                    return;
                }
                for v in 0..NV {
                    let to = c.as_mut_ptr().add((i + r) * *stride + j + v * L::N);
                    let n = if PART { (width - v * L::N).min(L::N) } else { L::N };
                    let x = if *add { acc[r][v].add(L::load_first(to, n)) } else { acc[r][v] };
                    x.store_first(to, n);
                }
            }
        }
    }
}

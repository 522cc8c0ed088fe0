//! A matrix as products see it: anywhere in a slice, by any strides.

use crate::elements::{elements, inside};

/// A matrix somewhere in a slice: element (i, j) is `data[offset + i·row_stride + j·col_stride]`.
///
/// Strides may be negative (a flipped view) or zero (an expanded one).
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a, T> {
    /// The slice it lies in.
    pub data: &'a [T],
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Elements from one row to the next.
    pub row_stride: isize,
    /// Elements from one column to the next.
    pub col_stride: isize,
    /// Where element (0, 0) is.
    pub offset: usize,
}

impl<'a, T: Copy> Mat<'a, T> {
    /// Dense rows one after the other, from the start of `data`.
    ///
    /// # Panics
    /// If `data` does not hold exactly `rows · cols` elements.
    pub fn row_major(data: &'a [T], rows: usize, cols: usize) -> Mat<'a, T> {
        assert_eq!(data.len(), elements([rows, cols]), "a {rows} × {cols} matrix in {} elements", data.len());
        Mat { data, rows, cols, row_stride: cols as isize, col_stride: 1, offset: 0 }
    }

    /// The transpose; nothing moves.
    pub fn t(self) -> Mat<'a, T> {
        let Mat { data, rows, cols, row_stride, col_stride, offset } = self;
        Mat { data, rows: cols, cols: rows, row_stride: col_stride, col_stride: row_stride, offset }
    }

    pub(super) fn index(&self, i: usize, j: usize) -> isize {
        self.offset as isize + i as isize * self.row_stride + j as isize * self.col_stride
    }

    pub(super) fn at(&self, i: usize, j: usize) -> T {
        self.data[self.index(i, j) as usize]
    }

    /// Panics unless every element lies in `data`; after this, kernels may use pointers.
    pub(super) fn check(&self, name: &str) {
        assert!(
            inside(
                self.data.len(),
                self.offset,
                [(self.rows, self.row_stride), (self.cols, self.col_stride)]
            ),
            "gemm: {name} reaches outside its {} elements: {} × {} from {} by ({}, {})",
            self.data.len(),
            self.rows,
            self.cols,
            self.offset,
            self.row_stride,
            self.col_stride
        );
    }
}

/// The offset `by` rows or columns further on. (Beside an empty matrix it may lie outside of the slice.)
pub(super) fn shifted(offset: usize, by: usize, stride: isize) -> usize {
    offset.wrapping_add_signed(by as isize * stride)
}

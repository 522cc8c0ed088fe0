//! Slices of a view that are picked where they lie: rows of a wider table, or of one that repeats.

use super::{BLOCK, require, within};
use crate::elements::{elements, inside};
use crate::threads::for_chunks;

/// As [`select`](super::select) of the first axis, whose slices lie `pitch` elements apart: with 0 all of them are one.
///
/// ```
/// let mut y = [0; 4];
/// mapsto_kernels::index::select_apart(&[1, 2, 9, 3, 4], [2, 2], 3, &[1, 0], &mut y);
/// assert_eq!(y, [3, 4, 1, 2]);
/// ```
///
/// # Panics
/// As [`select`](super::select); also if the last slice reaches beyond `x`.
pub fn select_apart<T: Copy + Send + Sync>(
    x: &[T],
    [n, inner]: [usize; 2],
    pitch: usize,
    indices: &[i64],
    y: &mut [T],
) {
    let lies = inside(x.len(), 0, [(n, pitch as isize), (inner, 1)]);
    assert!(lies, "select: x has not all of {n} slices of {inner}, {pitch} apart");
    assert_eq!(y.len(), elements([indices.len(), inner]), "select: y has not the elements of the slices");
    if y.is_empty() {
        return require(indices, n);
    }
    let (rows, cost) = ((BLOCK / inner).max(1), y.len());
    for_chunks(y, rows * inner, cost, |k, y| {
        for (at, y) in (k * rows..).zip(y.chunks_exact_mut(inner)) {
            y.copy_from_slice(&x[within(indices[at], n, at) * pitch..][..inner]);
        }
    });
}

//! What all indexing operations share: positions that are checked before any kernel reads by them.

use crate::{DType, Tensor, fail};

/// The positions of `index` as row-major i64, each of them within `0..n`.
#[track_caller]
pub(crate) fn positions(op: &str, index: &Tensor, n: usize) -> Tensor {
    if index.dtype().is_float() || index.dtype() == DType::Bool {
        fail!(op, "positions are integers, these are {}", index.dtype(); help = "convert them with `.to(DType::I64)`");
    }
    let index = index.to(DType::I64).contiguous();
    if let Err((at, value)) = index.device().backend().within(&index, n) {
        fail!(op, "the index {value} at {} is not within 0..{n}", place(at, index.shape()));
    }
    index
}

/// The place of the element that is number `at` in row-major order, as a reader counts: `position 3`, `[1, 2]`.
pub(crate) fn place(mut at: usize, shape: &[usize]) -> String {
    if shape.len() <= 1 {
        return format!("position {at}");
    }
    let mut out = vec![0; shape.len()];
    for (to, n) in out.iter_mut().zip(shape).rev() {
        *to = at % n;
        at /= n;
    }
    format!("{out:?}")
}

#[test]
fn a_position_out_of_bounds_is_named() {
    let message = |i: Tensor| crate::catch(|| positions("gather", &i, 4)).unwrap_err().message().to_string();
    assert_eq!(message(crate::tensor![0, 3, 4]), "gather: the index 4 at position 2 is not within 0..4");
    assert_eq!(message(crate::tensor![[0, 1], [-1, 2]]), "gather: the index -1 at [1, 0] is not within 0..4");
    assert_eq!(message(crate::tensor![0.0]), "gather: positions are integers, these are f32");
}

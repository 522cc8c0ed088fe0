//! What the CPU's kernels of the LSTM and the GRU share: their sizes, memory to be written, and the last states.

use crate::Tensor;
use crate::shape::Shape;
use crate::storage::Plain;
use mapsto_kernels::rnn::Sequences;

/// The sizes for a kernel; `None` where there is nothing to compute.
pub(crate) fn sequences(x: &Tensor, w_hh: &Tensor) -> Option<Sequences> {
    let [batch, steps, inputs] = x.dims();
    let hidden = w_hh.shape()[1];
    (batch * steps * inputs * hidden > 0).then_some(Sequences { batch, steps, inputs, hidden })
}

/// Row-major memory to be written.
pub(crate) fn room<T: Plain>(shape: impl Into<Shape>) -> Tensor {
    Tensor::filled_by(shape, |_: &mut [T]| {})
}

/// Copies the last step of each sequence.
pub(crate) fn last_states<T: Plain>(y: &[T], s: Sequences, last: &mut [T]) {
    let each = s.steps * s.hidden;
    for (last, y) in last.chunks_exact_mut(s.hidden).zip(y.chunks_exact(each)) {
        last.copy_from_slice(&y[each - s.hidden..]);
    }
}

//! What the CPU's kernels of recurrences share: their sizes, memory to be written, and the last states.

use crate::Tensor;
use crate::sequence::Walk;
use crate::shape::Shape;
use crate::storage::Plain;
use mapsto_kernels::rnn::Sequences;

/// The sizes for a kernel; `None` where there is nothing to compute.
pub(crate) fn sequences<'a>(x: &Tensor, w_hh: &Tensor, walk: &'a Walk) -> Option<Sequences<'a>> {
    let [batch, steps, inputs] = x.dims();
    walk.check("recurrence", batch, steps);
    let hidden = w_hh.shape()[1];
    let (lengths, is_reversed) = (walk.each(), walk.is_reversed());
    let sizes = Sequences { batch, steps, inputs, hidden, lengths, is_reversed };
    (batch * steps * inputs * hidden > 0).then_some(sizes)
}

/// Row-major memory to be written.
pub(crate) fn room<T: Plain>(shape: impl Into<Shape>) -> Tensor {
    Tensor::filled_by(shape, |_: &mut [T]| {})
}

/// Copies the step of each sequence that was read last; the first state of those that have none.
pub(crate) fn last_states<T: Plain>(y: &[T], first: &[T], s: Sequences<'_>, last: &mut [T]) {
    let h = s.hidden;
    for (i, last) in last.chunks_exact_mut(h).enumerate() {
        let n = s.lengths.map_or(s.steps, |lengths| lengths[i]);
        let step = if s.is_reversed { 0 } else { n.wrapping_sub(1) };
        last.copy_from_slice(if n == 0 { &first[i * h..][..h] } else { &y[(i * s.steps + step) * h..][..h] });
    }
}

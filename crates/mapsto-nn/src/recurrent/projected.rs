//! The LSTM whose state is projected: made of operations, step by step, since its state has another size than its gates.

use super::Weights;
use mapsto_tensor::{Tensor, Walk};

/// As [`Cell::run`](super::Cell::run) with `h = W_hr (σ(o) tanh(c))`, of sequences from the longest to the shortest.
///
/// At each step only the rows of sequences that have it are read, so a padded step changes no bit of any result or gradient.
#[track_caller]
pub(crate) fn lstm(
    x: &Tensor,
    first: &[Tensor],
    w: &Weights,
    w_hr: &Tensor,
    walk: &Walk,
) -> (Tensor, Vec<Tensor>) {
    let (n, steps) = (x.shape()[0], x.shape()[1]);
    let b = w.bias.as_ref().map(|[b_ih, b_hh]| b_ih + b_hh);
    let (w_ih, w_hh, w_hr) = (w.weight_ih.t(), w.weight_hh.t(), w_hr.t());
    let (mut h, mut c) = (first[0].clone(), first[1].clone());
    let mut outputs = vec![Tensor::zeros_like(&h.detach()); steps];
    for i in 0..steps {
        let t = if walk.is_reversed() { steps - 1 - i } else { i };
        let rows = walk.each().map_or(n, |lengths| lengths.iter().take_while(|&&length| length > t).count());
        if rows == 0 {
            continue;
        }
        let of = |state: &Tensor| state.slice(0, ..rows as isize);
        let gates = of(&x.select(1, t as isize)).matmul(&w_ih) + of(&h).matmul(&w_hh); // [rows, 4·hidden]
        let gates = b.as_ref().map_or(gates.clone(), |b| gates + b);
        let [i, f, g, o] = gates.chunk::<4>(-1);
        let cell = f.sigmoid() * of(&c) + i.sigmoid() * g.tanh();
        let state = (o.sigmoid() * cell.tanh()).matmul(&w_hr); // [rows, projection]
        outputs[t] = state.pad(&[(0, n - rows), (0, 0)], 0.0);
        let with_rest = |new: Tensor, old: &Tensor| match rows {
            _ if rows == n => new,
            _ => Tensor::cat(&[new, old.slice(0, rows as isize..)], 0),
        };
        (h, c) = (with_rest(state, &h), with_rest(cell, &c));
    }
    let y = if steps == 0 { h.detach().unsqueeze(1).slice(1, ..0) } else { Tensor::stack(&outputs, 1) };
    (y, vec![h, c])
}

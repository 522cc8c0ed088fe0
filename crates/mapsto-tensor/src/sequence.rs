//! What the operations over sequences share: the shapes they ask for, and a result that holds the last states too.

use crate::elementwise::same_dtype;
use crate::shape::Shape;
use crate::{Tensor, fail};

/// Checks `x [b, t, in]`, states `[b, hidden]` and weights `[gates·hidden, in]`, `[gates·hidden, hidden]`.
#[track_caller]
pub(crate) fn check_sequence(op: &str, gates: usize, x: &Tensor, states: &[&Tensor], w: [&Tensor; 2]) {
    if !x.dtype().is_float() {
        fail!(op, "floats are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    for other in states.iter().chain(&w) {
        same_dtype(op, x, other);
    }
    if x.rank() != 3 {
        let help = if x.rank() == 2 {
            "one sequence is a batch of one: `x.unsqueeze(0)`"
        } else {
            "the batch comes first"
        };
        fail!(op, "x must be [batch, steps, features], it is {:?}", x.shape(); help = "{help}");
    }
    let [w_ih, w_hh] = w;
    let inputs = x.shape()[2];
    let hidden = w_hh.shape().last().copied().unwrap_or_default();
    if w_hh.shape() != [gates * hidden, hidden] {
        fail!(op, "the weight of the state must be [{gates}·hidden, hidden], it is {:?}", w_hh.shape());
    }
    if w_ih.shape() != [gates * hidden, inputs] {
        fail!(
            op,
            "the weight of the inputs is {:?}, x {:?} and a hidden size of {hidden} ask for [{}, {inputs}]",
            w_ih.shape(),
            x.shape(),
            gates * hidden
        );
    }
    let [batch, steps, _] = x.dims();
    // The gates of all steps, and all states with the last ones after them.
    Shape::new(&[batch, steps, gates, hidden]).fit(op);
    Shape::new(&[batch, steps.saturating_add(2), hidden]).fit(op);
    for state in states {
        if state.shape() != [batch, hidden] {
            fail!(
                op,
                "a first state is {:?}, x {:?} and a hidden size of {hidden} ask for [{batch}, {hidden}]",
                state.shape(),
                x.shape()
            );
        }
    }
}

/// Checks a bias, which must be `[gates·hidden]`.
#[track_caller]
pub(crate) fn check_bias(op: &str, w_hh: &Tensor, b: &Tensor) {
    same_dtype(op, w_hh, b);
    let n = w_hh.shape()[0];
    if b.shape() != [n] {
        fail!(op, "a bias is {:?}, the weight {:?} asks for [{n}]", b.shape(), w_hh.shape());
    }
}

/// The states of all steps and `N` last states, one after the other in one tensor, which is what an operation of one result
/// gives. Each part is a view of it, dense as if it stood alone. The last state is repeated though it stands among the
/// others: its gradient is then a small part of one tensor, not a tensor of zeros around it.
pub(crate) fn unpack<const N: usize>(packed: &Tensor, shape: [usize; 3]) -> (Tensor, [Tensor; N]) {
    let [batch, steps, hidden] = shape;
    let (all, one) = ((batch * steps * hidden) as isize, (batch * hidden) as isize);
    let part = |i: isize| packed.slice(0, all + i * one..all + (i + 1) * one).reshape([batch, hidden]);
    (packed.slice(0, ..all).reshape(shape), std::array::from_fn(|i| part(i as isize)))
}

/// The opposite of [`unpack`]: the states of all steps, each `[b, hidden]`, and the last ones.
pub(crate) fn pack(states: &[Tensor], last: &[&Tensor]) -> Tensor {
    let flat = |x: &Tensor| x.reshape([x.len()]);
    let mut parts: Vec<Tensor> = last.iter().map(|x| flat(x)).collect();
    if !states.is_empty() {
        parts.insert(0, flat(&Tensor::stack(states, 1)));
    }
    Tensor::cat(&parts, 0)
}

//! The plain recurrent network: each state is a line of the input and the last state, bent once.

use super::LayerKind;
use crate::recurrent::{Cell, Recurrent, Weights, kind};
use mapsto_tensor::Tensor;
use mapsto_tensor::autocast::low;

/// Elman network: at each step `h ← tanh(W_ih x + b_ih + W_hh h + b_hh)`.
///
/// * Shape: `[b, t, inputs] → [b, t, hidden]`; `[b, hidden]` with [`last`](Recurrent::last); `hidden` is doubled with
///   [`bidirectional`](Recurrent::bidirectional).
/// * State: `[h]`, `[layers·directions, b, hidden]`, for [`with_state`](Recurrent::with_state).
/// * Parameters: as the [`Lstm`](crate::Lstm)'s, of `hidden` rows; names, shapes and the initialisation are PyTorch's, so its files load.
/// * PyTorch: `RNN`; Keras: `SimpleRNN`.
///
/// Source: Elman (1990), Finding structure in time.
/// ```
/// use mapsto_nn::prelude::*;
/// let (y, [h]) = Rnn::new(3, 4).with_state(&Tensor::randn([2, 5, 3]), None);
/// assert_eq!((y.shape(), h.shape()), (&[2, 5, 4][..], &[1, 2, 4][..]));
/// ```
pub type Rnn = Recurrent<RnnCell>;

/// The same with a rectifier in place of the hyperbolic tangent: `h ← relu(W_ih x + b_ih + W_hh h + b_hh)`.
///
/// PyTorch: `RNN(nonlinearity="relu")`; Keras: `SimpleRNN(activation="relu")`.
///
/// Source: Le, Jaitly, Hinton (2015), A simple way to initialize recurrent networks of rectified linear units, arXiv:1504.00941.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = RnnRelu::new(3, 4).last().forward(&Tensor::randn([2, 5, 3]));
/// assert!(y.min(..).item() >= 0.0);
/// ```
pub type RnnRelu = Recurrent<RnnReluCell>;

/// What makes a recurrent layer an [`Rnn`].
#[derive(Clone, Copy, Debug)]
pub struct RnnCell;

/// What makes a recurrent layer an [`RnnRelu`].
#[derive(Clone, Copy, Debug)]
pub struct RnnReluCell;

/// The states of all steps and the last one, each step's bent by `f`.
#[track_caller]
fn run(x: &Tensor, first: &[Tensor], w: &Weights, f: fn(&Tensor) -> Tensor) -> (Tensor, Vec<Tensor>) {
    let [of_input, of_state] = match &w.bias {
        Some([ih, hh]) => [Some(&**ih), Some(&**hh)],
        None => [None, None],
    };
    // The inputs' part of all steps is one product.
    let inputs = x.linear(&w.weight_ih, of_input); // [b, t, hidden]
    let mut h = first[0].clone();
    if let Some([Some(low_h)]) = low([Some(&h)]) {
        h = low_h;
    }
    let mut states = Vec::new();
    for t in 0..x.shape()[1] {
        h = f(&(inputs.select(1, t as isize) + h.linear(&w.weight_hh, of_state)));
        states.push(h.clone());
    }
    let y = if states.is_empty() { inputs } else { Tensor::stack(&states, 1) };
    (y, vec![h])
}

impl Cell for RnnCell {
    const NAME: &'static str = "Rnn";
    const FILE: Option<&'static str> = Some("rnn");
    const GATES: usize = 1;
    const PARTS: usize = 1;
    type State = [Tensor; 1];

    #[track_caller]
    fn run(x: &Tensor, first: &[Tensor], w: &Weights) -> (Tensor, Vec<Tensor>) {
        run(x, first, w, Tensor::tanh)
    }
}

impl Cell for RnnReluCell {
    const NAME: &'static str = "RnnRelu";
    const FILE: Option<&'static str> = Some("rnn_relu");
    const GATES: usize = 1;
    const PARTS: usize = 1;
    type State = [Tensor; 1];

    #[track_caller]
    fn run(x: &Tensor, first: &[Tensor], w: &Weights) -> (Tensor, Vec<Tensor>) {
        run(x, first, w, Tensor::relu)
    }
}

pub(super) const KIND: LayerKind =
    kind::<RnnCell>("rnn", "Plain recurrent network of hyperbolic tangents with a state of the given size.");

pub(super) const RELU: LayerKind =
    kind::<RnnReluCell>("rnn_relu", "Plain recurrent network of rectifiers with a state of the given size.");

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;

    #[test]
    fn rnn() {
        check_layer(|| Rnn::new(3, 4)).gives([2, 5, 3], [2, 5, 4]);
        check_layer(|| Rnn::new(3, 2).layers(2).bidirectional().no_bias()).gives([2, 3, 3], [2, 3, 4]);
        check_layer(|| RnnRelu::new(3, 2).bidirectional().last()).gives([2, 3, 3], [2, 4]);
    }

    #[test]
    fn a_state_carries_on() {
        let (rnn, x) = (Rnn::new(3, 4).layers(2), Tensor::randn([2, 6, 3]));
        let (y, [end]) = rnn.with_state(&x, None);
        let (_, half) = rnn.with_state(&x.slice(1, ..4), None);
        let (rest, [h]) = rnn.with_state(&x.slice(1, 4..), Some(&half));
        assert_close!(rest, y.slice(1, 4..));
        assert_close!(h, end);
    }
}

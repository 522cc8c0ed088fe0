//! The plain recurrent network: each state is a line of the input and the last state, bent once.

use super::LayerKind;
use crate::recurrent::{Cell, Recurrent, RecurrentCell, Weights, kind};
use mapsto_tensor::{Tensor, Walk};

/// Elman network: at each step `h ← tanh(W_ih x + b_ih + W_hh h + b_hh)`.
///
/// * Shape: `[b, t, inputs] → [b, t, hidden]`; `[b, hidden]` with [`last`](Recurrent::last); `hidden` is doubled with
///   [`bidirectional`](Recurrent::bidirectional).
/// * State: `[h]`, `[layers·directions, b, hidden]`, for [`with_state`](Recurrent::with_state).
/// * Parameters: as the [`Lstm`](crate::Lstm)'s, of `hidden` rows; names, shapes and the initialisation are PyTorch's, so its files load.
/// * PyTorch: `RNN`; Keras: `SimpleRNN`; ONNX: `RNN`.
///
/// Source: Elman (1990), Finding structure in time.
/// ```
/// use mapsto_nn::prelude::*;
/// let (y, [h]) = Rnn::new(3, 4).with_state(&Tensor::randn([2, 5, 3]), None);
/// assert_eq!((y.shape(), h.shape()), (&[2, 5, 4][..], &[1, 2, 4][..]));
/// ```
pub type Rnn = Recurrent<RnnSteps>;

/// The same with a rectifier in place of the hyperbolic tangent: `h ← relu(W_ih x + b_ih + W_hh h + b_hh)`.
///
/// PyTorch: `RNN(nonlinearity="relu")`; Keras: `SimpleRNN(activation="relu")`; ONNX: `RNN`.
///
/// Source: Le, Jaitly, Hinton (2015), A simple way to initialize recurrent networks of rectified linear units, arXiv:1504.00941.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = RnnRelu::new(3, 4).last().forward(&Tensor::randn([2, 5, 3]));
/// assert!(y.min(..).item() >= 0.0);
/// ```
pub type RnnRelu = Recurrent<RnnReluSteps>;

/// One step of an [`Rnn`]: from inputs `[b, inputs]` and the state `[h]`, `[b, hidden]`, the next state.
///
/// * Parameters: `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`, as the layer's; PyTorch's names.
/// * PyTorch: `RNNCell`; Keras: `SimpleRNNCell`.
///
/// Source: as [`Rnn`].
/// ```
/// use mapsto_nn::prelude::*;
/// let [h] = RnnCell::new(3, 4).step(&Tensor::randn([2, 3]), None);
/// assert_eq!(h.shape(), [2, 4]);
/// ```
pub type RnnCell = RecurrentCell<RnnSteps>;

/// One step of an [`RnnRelu`], as [`RnnCell`].
///
/// PyTorch: `RNNCell(nonlinearity="relu")`; Keras: `SimpleRNNCell(activation="relu")`.
///
/// Source: as [`RnnRelu`].
/// ```
/// use mapsto_nn::prelude::*;
/// let [h] = RnnReluCell::new(3, 4).step(&Tensor::randn([2, 3]), None);
/// assert!(h.min(..).item() >= 0.0);
/// ```
pub type RnnReluCell = RecurrentCell<RnnReluSteps>;

/// What makes a recurrent layer an [`Rnn`].
#[derive(Clone, Copy, Debug)]
pub struct RnnSteps;

/// What makes a recurrent layer an [`RnnRelu`].
#[derive(Clone, Copy, Debug)]
pub struct RnnReluSteps;

impl Cell for RnnSteps {
    const NAME: &'static str = "Rnn";
    const FILE: Option<&'static str> = Some("rnn");
    const GATES: usize = 1;
    const PARTS: usize = 1;
    type State = [Tensor; 1];

    #[track_caller]
    fn run(x: &Tensor, first: &[Tensor], w: &Weights, walk: &Walk) -> (Tensor, Vec<Tensor>) {
        let b = w.bias.as_ref().map(|[b_ih, b_hh]| b_ih + b_hh);
        let (y, h) = x.rnn_along(&first[0], &w.weight_ih, &w.weight_hh, b.as_ref(), walk);
        (y, vec![h])
    }
}

impl Cell for RnnReluSteps {
    const NAME: &'static str = "RnnRelu";
    const FILE: Option<&'static str> = Some("rnn_relu");
    const GATES: usize = 1;
    const PARTS: usize = 1;
    type State = [Tensor; 1];

    #[track_caller]
    fn run(x: &Tensor, first: &[Tensor], w: &Weights, walk: &Walk) -> (Tensor, Vec<Tensor>) {
        let b = w.bias.as_ref().map(|[b_ih, b_hh]| b_ih + b_hh);
        let (y, h) = x.rnn_relu_along(&first[0], &w.weight_ih, &w.weight_hh, b.as_ref(), walk);
        (y, vec![h])
    }
}

pub(super) const KIND: LayerKind =
    kind::<RnnSteps>("rnn", "Plain recurrent network of hyperbolic tangents with a state of the given size.");

pub(super) const RELU: LayerKind =
    kind::<RnnReluSteps>("rnn_relu", "Plain recurrent network of rectifiers with a state of the given size.");

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
    fn cells() {
        check_layer(|| RnnCell::new(3, 2)).gives([4, 3], [4, 2]);
        check_layer(|| RnnReluCell::new(3, 2).no_bias()).gives([4, 3], [4, 2]);
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

//! The gated recurrent unit: a recurrent layer lighter than the LSTM by a gate and the cell.

use super::LayerKind;
use crate::recurrent::{Cell, Recurrent, RecurrentCell, Weights, kind};
use mapsto_tensor::{Tensor, Walk};

/// Gated recurrent unit: at each step `h ← (1 − z) n + z h`, with `r = σ(a_r + u_r)`, `z = σ(a_z + u_z)`,
/// `n = tanh(a_n + r u_n)`, where `a = W_ih x + b_ih` and `u = W_hh h + b_hh` have the parts `r, z, n`.
///
/// * Shape: `[b, t, inputs] → [b, t, hidden]`; `[b, hidden]` with [`last`](Recurrent::last); `hidden` is doubled with
///   [`bidirectional`](Recurrent::bidirectional).
/// * State: `[h]`, `[layers·directions, b, hidden]`, for [`with_state`](Recurrent::with_state).
/// * Parameters: as the [`Lstm`](crate::Lstm)'s, of `3·hidden` rows; names, shapes, the order of the gates and the
///   initialisation are PyTorch's, so its files load.
/// * PyTorch: `GRU`; Keras: `GRU`, and `Bidirectional` around it; ONNX: `GRU`.
///
/// Source: Cho et al. (2014), Learning phrase representations using RNN encoder-decoder, arXiv:1406.1078; the reset gate
/// acts after the product, as in its first version, cuDNN and PyTorch.
/// ```
/// use mapsto_nn::prelude::*;
/// let gru = Gru::new(3, 4).bidirectional();
/// let (y, [h]) = gru.with_state(&Tensor::randn([2, 5, 3]), None);
/// assert_eq!((y.shape(), h.shape()), (&[2, 5, 8][..], &[2, 2, 4][..]));
/// ```
pub type Gru = Recurrent<GruSteps>;

/// One step of a [`Gru`]: from inputs `[b, inputs]` and the state `[h]`, `[b, hidden]`, the next state.
///
/// * Parameters: `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`, as the layer's; PyTorch's names.
/// * PyTorch: `GRUCell`; Keras: `GRUCell`.
///
/// Source: as [`Gru`].
/// ```
/// use mapsto_nn::prelude::*;
/// let (cell, x) = (GruCell::new(3, 4), Tensor::randn([2, 3]));
/// let [h] = cell.step(&x, None);
/// assert_close!(cell.step(&x, Some(&[Tensor::zeros([2, 4])]))[0], h);
/// ```
pub type GruCell = RecurrentCell<GruSteps>;

/// What makes a recurrent layer a [`Gru`].
#[derive(Clone, Copy, Debug)]
pub struct GruSteps;

impl Cell for GruSteps {
    const NAME: &'static str = "Gru";
    const FILE: Option<&'static str> = Some("gru");
    const GATES: usize = 3;
    const PARTS: usize = 1;
    type State = [Tensor; 1];

    #[track_caller]
    fn run(x: &Tensor, first: &[Tensor], w: &Weights, walk: &Walk) -> (Tensor, Vec<Tensor>) {
        let b = w.bias.as_ref().map(|b| b.each_ref().map(|b| &**b));
        let (y, h) = x.gru_along(&first[0], &w.weight_ih, &w.weight_hh, b, walk);
        (y, vec![h])
    }
}

pub(super) const KIND: LayerKind =
    kind::<GruSteps>("gru", "Gated recurrent unit with a state of the given size.");

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use crate::recurrent::Merge;

    #[test]
    fn gru() {
        check_layer(|| Gru::new(3, 4)).gives([2, 5, 3], [2, 5, 4]);
        check_layer(|| Gru::new(3, 2).layers(2).bidirectional().no_bias()).gives([2, 3, 3], [2, 3, 4]);
        check_layer(|| Gru::new(3, 2).bidirectional().last()).gives([2, 3, 3], [2, 4]);
        check_layer(|| Gru::new(3, 2).layers(2).bidirectional().merge(Merge::Ave))
            .gives([2, 3, 3], [2, 3, 2]);
        check_layer(|| Gru::new(3, 2).bidirectional().merge(Merge::Mul).last()).gives([2, 3, 3], [2, 2]);
        check_layer(|| GruCell::new(3, 2)).gives([4, 3], [4, 2]);
        assert_eq!(Gru::new(3, 2).last().no_bias().describe(), "Gru(3 → 2, last, no bias)");
    }

    #[test]
    fn a_state_carries_on() {
        let (gru, x) = (Gru::new(3, 4).layers(2), Tensor::randn([2, 6, 3]));
        let (y, [end]) = gru.with_state(&x, None);
        let (_, half) = gru.with_state(&x.slice(1, ..4), None);
        let (rest, [h]) = gru.with_state(&x.slice(1, 4..), Some(&half));
        assert_close!(rest, y.slice(1, 4..));
        assert_close!(h, end);
        assert_close!(h.select(0, 1), y.select(1, -1));
    }
}

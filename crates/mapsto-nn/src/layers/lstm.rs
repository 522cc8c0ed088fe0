//! The long short-term memory: a recurrent layer that learns what to keep.

use super::LayerKind;
use crate::recurrent::projected;
use crate::recurrent::{Cell, Recurrent, RecurrentCell, Weights, kind};
use mapsto_tensor::{Tensor, Walk};

/// Long short-term memory: at each step `c ← σ(f) c + σ(i) tanh(g)`, `h ← σ(o) tanh(c)`, with `i, f, g, o` the parts of
/// `W_ih x + b_ih + W_hh h + b_hh`.
///
/// * Shape: `[b, t, inputs] → [b, t, hidden]`; `[b, hidden]` with [`last`](Recurrent::last); `hidden` is doubled with
///   [`bidirectional`](Recurrent::bidirectional).
/// * State: `[h, c]`, each `[layers·directions, b, hidden]`, for [`with_state`](Recurrent::with_state).
/// * Parameters, for each layer `k`: `weight_ih_lk` `[4·hidden, inputs]`, `weight_hh_lk` `[4·hidden, hidden]`, `bias_ih_lk`
///   and `bias_hh_lk` `[4·hidden]`, and the same with `_reverse`; all uniform in ±1/√hidden. Names, shapes, the order of
///   the gates and the initialisation are PyTorch's, so its files load. With [`proj_size`](Lstm::proj_size) also `weight_hr_lk`
///   `[projection, hidden]`.
/// * PyTorch: `LSTM`; Keras: `LSTM`, and `Bidirectional` around it; ONNX: `LSTM`.
///
/// Source: Hochreiter & Schmidhuber (1997), Long short-term memory, Neural Computation 9(8); the forget gate: Gers,
/// Schmidhuber & Cummins (2000), Learning to forget, Neural Computation 12(10).
/// ```
/// use mapsto_nn::prelude::*;
/// let net = seq![Embedding::new(1000, 16), Lstm::new(16, 32).layers(2).dropout(0.1).last(), Linear::new(32, 2)];
/// let ids = tensor![[1, 2, 3, 4], [5, 6, 7, 8]];
/// assert_eq!(net.forward(&ids).shape(), [2, 2]);
/// let names: Vec<String> = net.parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names[1..3], ["1.weight_ih_l0", "1.weight_hh_l0"]);
/// ```
pub type Lstm = Recurrent<LstmSteps>;

impl Lstm {
    /// The same whose state is projected at each step, `h = W_hr (σ(o) tanh(c))`, to `size` features, which are then what it gives
    /// on and what its gates read; `c` keeps its size. Weights are drawn anew.
    ///
    /// It is made of operations, step by step, and has no kernel of its own. PyTorch: `proj_size`; Keras has none.
    ///
    /// Source: Sak, Senior & Beaufays (2014), Long short-term memory based recurrent neural network architectures, arXiv:1402.1128.
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let lstm = Lstm::new(3, 8).proj_size(2).bidirectional();
    /// let (y, [h, c]) = lstm.with_state(&Tensor::randn([4, 5, 3]), None);
    /// assert_eq!((y.shape(), h.shape(), c.shape()), (&[4, 5, 4][..], &[2, 4, 2][..], &[2, 4, 8][..]));
    /// ```
    /// # Panics
    /// When `size` is 0, or not less than the size of the state.
    #[track_caller]
    #[must_use]
    pub fn proj_size(self, size: usize) -> Lstm {
        self.projected(size)
    }
}

/// One step of an [`Lstm`]: from inputs `[b, inputs]` and the state `[h, c]`, each `[b, hidden]`, the next state.
///
/// * Parameters: `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`, as the layer's; PyTorch's names.
/// * PyTorch: `LSTMCell`; Keras: `LSTMCell`.
///
/// Source: as [`Lstm`].
/// ```
/// use mapsto_nn::prelude::*;
/// let (cell, x) = (LstmCell::new(3, 4), Tensor::randn([2, 3]));
/// let first = cell.step(&x, None);
/// let [h, c] = cell.step(&x, Some(&first));
/// assert_eq!((h.shape(), c.shape()), (&[2, 4][..], &[2, 4][..]));
/// ```
pub type LstmCell = RecurrentCell<LstmSteps>;

/// What makes a recurrent layer an [`Lstm`].
#[derive(Clone, Copy, Debug)]
pub struct LstmSteps;

impl Cell for LstmSteps {
    const NAME: &'static str = "Lstm";
    const FILE: Option<&'static str> = Some("lstm");
    const PROJECTS: bool = true;
    const GATES: usize = 4;
    const PARTS: usize = 2;
    type State = [Tensor; 2];

    #[track_caller]
    fn run(x: &Tensor, first: &[Tensor], w: &Weights, walk: &Walk) -> (Tensor, Vec<Tensor>) {
        if let Some(w_hr) = &w.weight_hr {
            return projected::lstm(x, first, w, w_hr, walk);
        }
        let b = w.bias.as_ref().map(|[b_ih, b_hh]| b_ih + b_hh);
        let (y, h, c) = x.lstm_along(&first[0], &first[1], &w.weight_ih, &w.weight_hh, b.as_ref(), walk);
        (y, vec![h, c])
    }
}

pub(super) const KIND: LayerKind =
    kind::<LstmSteps>("lstm", "Long short-term memory with a state of the given size.");

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn lstm() {
        check_layer(|| Lstm::new(3, 4)).gives([2, 5, 3], [2, 5, 4]);
        check_layer(|| Lstm::new(3, 2).layers(2).bidirectional().no_bias()).gives([2, 3, 3], [2, 3, 4]);
        check_layer(|| Lstm::new(3, 2).bidirectional().last()).gives([2, 3, 3], [2, 4]);
        check_layer(|| Lstm::new(3, 4).proj_size(2)).gives([2, 3, 3], [2, 3, 2]);
        check_layer(|| Lstm::new(3, 3).layers(2).bidirectional().proj_size(1).no_bias())
            .gives([2, 3, 3], [2, 3, 2]);
        let e = catch(|| Lstm::new(3, 4).proj_size(4)).unwrap_err();
        assert_eq!(e.message(), "lstm: a projection to 4 features makes a state of 4 no smaller");
        let lstm = Entry::new("lstm").with_value(5_usize).with_option("layers", 2_usize);
        check_entry::<dyn Layer>(
            &lstm.with_option("bidirectional", true).with_option("proj_size", 3_usize),
            &[4, 2],
        );
    }

    #[test]
    fn dropout_acts_between_layers_in_training() {
        let (lstm, x) = (Lstm::new(3, 8).layers(2).dropout(0.5), Tensor::randn([2, 4, 3]));
        let run = || train(|| lstm.forward(&x)).to_vec::<f32>();
        assert_ne!(run(), run());
        let one = Lstm::new(3, 8).dropout(0.5);
        assert_close!(train(|| one.forward(&x)), one.forward(&x));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |f: &dyn Fn() -> Tensor| catch(f).unwrap_err().to_string();
        let lstm = Lstm::new(3, 4);
        assert_eq!(
            error(&|| lstm.forward(&Tensor::zeros([5, 3]))),
            "lstm: [batch, steps, 3] was expected, found [5, 3]\nhelp: one sequence is a batch of one: `x.unsqueeze(0)`"
        );
        let state = [Tensor::zeros([1, 2, 4]), Tensor::zeros([2, 4])];
        assert_eq!(
            error(&|| lstm.with_state(&Tensor::zeros([2, 5, 3]), Some(&state)).0),
            "lstm: a state of [1, 2, 4] was expected, found [2, 4]\nhelp: its axes are layers · directions, batch, hidden"
        );
    }

    #[test]
    fn a_cell_steps_as_the_layer_does() {
        let (lstm, x) = (Lstm::new(3, 4), Tensor::randn([2, 5, 3]));
        let mut cell = LstmCell::new(3, 4);
        let state = lstm.state_dict().into_iter().map(|(name, p)| (name.replace("_l0", ""), p));
        cell.load_state_dict(state, &Exceptions::none()).unwrap();
        let (y, last) = lstm.with_state(&x, None);
        let mut state = None;
        for t in 0..5 {
            let next = cell.step(&x.select(1, t), state.as_ref());
            assert_close!(next[0], y.select(1, t));
            state = Some(next);
        }
        assert_close!(state.unwrap()[1], last[1].select(0, 0));
        check_layer(|| LstmCell::new(3, 2)).gives([4, 3], [4, 2]);
        check_layer(|| LstmCell::new(3, 2).no_bias()).gives([4, 3], [4, 2]);
        let e = catch(|| cell.step(&x, None)).unwrap_err();
        assert_eq!(e.message(), "lstm_cell: [batch, 3] was expected, found [2, 5, 3]");
        let e = catch(|| cell.step(&x.select(1, 0), Some(&[Tensor::zeros([2, 4]), Tensor::zeros([1, 4])])))
            .unwrap_err();
        assert_eq!(e.message(), "lstm_cell: a state of [2, 4] was expected, found [1, 4]");
    }

    #[test]
    fn a_model_file_can_name_it() {
        let lstm = |n: usize| Entry::new("lstm").with_value(n);
        let embed = Entry::new("embedding").with_value(10_usize).with_option("size", 4_usize);
        let deep = lstm(3).with_option("layers", 2_usize).with_option("bidirectional", true);
        let layers =
            vec![embed, deep, lstm(5).with_option("last", true), Entry::new("linear").with_value(2_usize)];
        let spec = ModelSpec::new([7], layers);
        assert_eq!(spec.shapes().unwrap(), [vec![7, 4], vec![7, 6], vec![5], vec![2]]);
        assert_eq!(
            spec.rendered().unwrap().layers[2].to_string(),
            "{ lstm = 5, layers = 1, bidirectional = false, merge = \"concat\", dropout = 0.0, last = true, bias = true }"
        );
        assert_eq!(spec.build().unwrap().layers()[1].describe(), "Lstm(4 → 3, 2 layers, bidirectional)");
        let error =
            |e: Entry, input: &[usize]| ModelSpec::new(input, [e]).build().expect_err("an error").to_string();
        assert!(error(lstm(3), &[7]).contains("the input should be [steps, features], it is [7]"));
        assert!(error(lstm(1 << 30), &[7, 2]).contains("is too large"));
        assert!(
            error(lstm(3).with_option("layers", 0_usize), &[7, 2])
                .contains("`layers` must be at least 1, got 0")
        );
    }
}

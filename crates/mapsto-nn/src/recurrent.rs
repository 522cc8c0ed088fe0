//! Recurrent layers: what the plain network, the LSTM and the GRU have in common, which is all but their cell.

mod merge;
mod one_step;
mod options;
pub(crate) mod projected;
mod stacked;
#[cfg(test)]
mod tests;

pub use merge::Merge;
pub use one_step::RecurrentCell;
pub(crate) use options::kind;
pub use stacked::StackedCells;

use crate::init::{Init, Uniform};
use crate::module::{AtLengths, Item, ItemMut, Path, Segment};
use crate::{Layer, Module, Param};
use mapsto_spec::{Bounds, Entry, at_least_1};
use mapsto_tensor::memory::room_for;
use mapsto_tensor::{Tensor, Walk, fail};
use std::borrow::Cow;
use std::marker::PhantomData;

/// A cell `C` carried over sequences, in one or more layers, in one or both directions.
///
/// Each layer reads the states of all steps of the one below. In both directions, a second cell reads the steps from the
/// last to the first, and the states of both stand side by side, or are [merged](Recurrent::merge) in another way. Sequences of
/// different lengths go through [`forward_lengths`](Recurrent::forward_lengths). See [`Rnn`](crate::Rnn), [`Lstm`](crate::Lstm) and
/// [`Gru`](crate::Gru).
#[derive(Clone, Debug)]
pub struct Recurrent<C> {
    /// The weights of layer after layer, forwards and then backwards.
    weights: Vec<Weights>,
    inputs: usize,
    hidden: usize,
    projection: Option<usize>,
    directions: usize,
    merge: Merge,
    dropout: f64,
    last: bool,
    cell: PhantomData<C>,
}

/// The weights of one cell, for `gates` parts of the hidden size.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Of the inputs, `[gates·hidden, inputs]`.
    pub weight_ih: Param,
    /// Of the state, `[gates·hidden, hidden]`.
    pub weight_hh: Param,
    /// By which the state is projected, `[projection, hidden]`, where it is.
    pub weight_hr: Option<Param>,
    /// Added with the inputs, `[gates·hidden]`, and with the state: two, as files of PyTorch have them.
    pub bias: Option<[Param; 2]>,
}

/// What distinguishes one recurrent layer from another.
pub trait Cell: Send + Sync + 'static {
    /// The layer's name: `Lstm`.
    const NAME: &'static str;
    /// The name in model files; `None` for a cell that they do not know.
    const FILE: Option<&'static str> = None;
    /// Whether its state can be projected.
    const PROJECTS: bool = false;
    /// The parts of its weights.
    const GATES: usize;
    /// The tensors of its state.
    const PARTS: usize;
    /// Its state, an array of [`PARTS`](Cell::PARTS) tensors.
    type State: AsRef<[Tensor]> + TryFrom<Vec<Tensor>>;
    /// From sequences `[b, t, in]` and the first state, each tensor `[b, hidden]`: the states of the steps that `walk` says,
    /// `[b, t, hidden]`, and the last state.
    fn run(x: &Tensor, first: &[Tensor], weights: &Weights, walk: &Walk) -> (Tensor, Vec<Tensor>);
}

impl Weights {
    /// Drawn uniform in ±1/√hidden, for so many gates and a state that is projected where its second size is another.
    fn drawn(inputs: usize, [hidden, state]: [usize; 2], gates: usize, bias: bool) -> Weights {
        let rows = hidden.saturating_mul(gates);
        let init = Uniform::symmetric(1.0 / (hidden.max(1) as f64).sqrt());
        let draw = |shape: &[usize]| Param::new(init.tensor(shape));
        Weights {
            weight_ih: draw(&[rows, inputs]),
            weight_hh: draw(&[rows, state]),
            bias: bias.then(|| [draw(&[rows]), draw(&[rows])]),
            weight_hr: (state != hidden).then(|| draw(&[state, hidden])),
        }
    }
}

impl<C: Cell> Recurrent<C> {
    /// One layer from `inputs` features to a state of `hidden` features.
    pub fn new(inputs: usize, hidden: usize) -> Self {
        Recurrent {
            weights: Vec::new(),
            inputs,
            hidden,
            projection: None,
            directions: 1,
            merge: Merge::Concat,
            dropout: 0.0,
            last: false,
            cell: PhantomData,
        }
        .drawn(1, true)
    }

    /// The same with weights drawn anew: uniform in ±1/√hidden.
    fn drawn(mut self, layers: usize, bias: bool) -> Self {
        let state = self.outputs();
        let deeper = state.saturating_mul(self.merge.times(self.directions));
        let count = layers.saturating_mul(self.directions);
        // A list that memory cannot hold is an error here, and not the end of the process.
        let mut weights = room_for(count);
        weights.extend((0..count).map(|i| {
            let inputs = if i < self.directions { self.inputs } else { deeper };
            Weights::drawn(inputs, [self.hidden, state], C::GATES, bias)
        }));
        self.weights = weights;
        self
    }

    /// The same with this many layers, one upon the other; weights are drawn anew.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    #[must_use]
    pub fn layers(self, layers: usize) -> Self {
        let layers = at_least_1(C::NAME, "layers", layers);
        let bias = self.has_bias();
        self.drawn(layers, bias)
    }

    /// The same in both directions: outputs are twice as wide; weights are drawn anew.
    #[must_use]
    pub fn bidirectional(self) -> Self {
        let (layers, bias) = (self.depth(), self.has_bias());
        Recurrent { directions: 2, ..self }.drawn(layers, bias)
    }

    /// The same with the outputs of both directions merged in this way, between layers too; weights are drawn anew.
    ///
    /// PyTorch has [`Merge::Concat`]; Keras: `Bidirectional(merge_mode=..)`.
    /// ```
    /// use mapsto_nn::{prelude::*, recurrent::Merge};
    /// let gru = Gru::new(3, 4).layers(2).bidirectional().merge(Merge::Sum);
    /// assert_eq!(gru.forward(&Tensor::zeros([2, 5, 3])).shape(), [2, 5, 4]);
    /// ```
    /// # Panics
    /// When there is one direction only.
    #[track_caller]
    #[must_use]
    pub fn merge(self, merge: Merge) -> Self {
        if self.directions == 1 {
            fail!(C::NAME.to_lowercase(), "one direction has nothing to merge"; help = "`.bidirectional()` comes before `.merge(..)`");
        }
        let (layers, bias) = (self.depth(), self.has_bias());
        Recurrent { merge, ..self }.drawn(layers, bias)
    }

    /// The same with dropout of probability `p` between its layers.
    ///
    /// # Panics
    /// When `p` is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn dropout(self, p: f64) -> Self {
        Recurrent { dropout: Bounds::SHARE.check(C::NAME, "dropout", p), ..self }
    }

    /// The same giving the last state of the last layer, `[b, hidden]`, and not the states of all steps. In both
    /// directions the backward cell's last state is that of the first step.
    #[must_use]
    pub fn last(self) -> Self {
        Recurrent { last: true, ..self }
    }

    /// The same without biases.
    #[must_use]
    pub fn no_bias(mut self) -> Self {
        self.weights.iter_mut().for_each(|w| w.bias = None);
        self
    }

    /// The weights of a layer (from 0) and direction (0 forwards, 1 backwards).
    pub fn weights(&self, layer: usize, direction: usize) -> &Weights {
        &self.weights[layer * self.directions + direction]
    }

    /// The number of input features.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The number of features of a state, before it is projected where it is.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// The number of features that one direction gives on.
    fn outputs(&self) -> usize {
        self.projection.unwrap_or(self.hidden)
    }

    /// The sizes of the tensors of a state: of an LSTM's `h`, which may be projected, and `c`.
    fn parts(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.outputs()).chain(std::iter::repeat(self.hidden)).take(C::PARTS)
    }

    /// The same whose state is projected to `size` features; weights are drawn anew.
    #[track_caller]
    pub(crate) fn projected(self, size: usize) -> Self {
        let size = at_least_1(C::NAME, "proj_size", size);
        if size >= self.hidden {
            fail!(C::NAME.to_lowercase(), "a projection to {size} features makes a state of {} no smaller", self.hidden;
                  help = "`proj_size` is less than the size of the state");
        }
        let (layers, bias) = (self.depth(), self.has_bias());
        Recurrent { projection: Some(size), ..self }.drawn(layers, bias)
    }

    /// The number of layers.
    pub fn depth(&self) -> usize {
        self.weights.len() / self.directions
    }

    fn has_bias(&self) -> bool {
        self.weights.first().is_none_or(|w| w.bias.is_some())
    }

    /// The states of all steps, `[b, t, directions·hidden]`, and the last states, from given ones (zeros without).
    ///
    /// Each tensor of a state is `[layers·directions, b, hidden]`, layer after layer, forwards and then backwards.
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let (lstm, x) = (Lstm::new(3, 4), Tensor::randn([2, 10, 3]));
    /// let (y, state) = lstm.with_state(&x, None);
    /// // Ten steps are five and then five more.
    /// let (_, half) = lstm.with_state(&x.slice(1, ..5), None);
    /// let (rest, [h, c]) = lstm.with_state(&x.slice(1, 5..), Some(&half));
    /// assert_close!(rest, y.slice(1, 5..));
    /// assert_close!(h, state[0]);
    /// assert_close!(c, state[1]);
    /// ```
    /// # Panics
    /// When `x` is not `[b, t, inputs]`, or the state has another shape.
    #[track_caller]
    pub fn with_state(&self, x: &Tensor, state: Option<&C::State>) -> (Tensor, C::State) {
        self.checked_state(x, None, state)
    }

    /// [`with_state`](Recurrent::with_state) of sequences of different lengths, padded to the longest: what stands after the last
    /// step of a sequence changes no bit of any result, its outputs there are 0, and its last state is that of its own last step. The backward cell
    /// begins there.
    ///
    /// PyTorch: `pack_padded_sequence` and `pad_packed_sequence` around the layer; Keras: `mask`.
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let (lstm, x) = (Lstm::new(3, 4).bidirectional(), Tensor::randn([2, 5, 3]));
    /// let (y, [h, _]) = lstm.with_lengths(&x, &[5, 2], None);
    /// let short = lstm.forward(&x.slice(0, 1..).slice(1, ..2)); // the second sequence alone
    /// assert_close!(y.slice(0, 1..).slice(1, ..2), short);
    /// assert_close!(y.select(0, 1).slice(0, 2..), Tensor::zeros([3, 8]));
    /// assert_close!(h.select(0, 0).select(0, 1), short.select(0, 0).select(0, 1).slice(0, ..4));
    /// ```
    /// # Panics
    /// When `x` is not `[b, t, inputs]`, the state has another shape, or there is not a length of at most `t` for each sequence.
    #[track_caller]
    pub fn with_lengths(
        &self,
        x: &Tensor,
        lengths: &[usize],
        state: Option<&C::State>,
    ) -> (Tensor, C::State) {
        self.checked_state(x, Some(lengths), state)
    }

    /// [`forward`](Layer::forward) of sequences of different lengths, padded to the longest, as
    /// [`with_lengths`](Recurrent::with_lengths) reads them: `gru.forward_lengths(batch.padded(), batch.lengths())`.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let (gru, x) = (Gru::new(3, 4).last(), Tensor::randn([2, 5, 3]));
    /// let y = gru.forward_lengths(&x, &[5, 2]);
    /// assert_close!(y.slice(0, 1..), gru.forward(&x.slice(0, 1..).slice(1, ..2)));
    /// ```
    /// # Panics
    /// When `x` is not `[b, t, inputs]`, or there is not a length of at most `t` for each sequence.
    #[track_caller]
    pub fn forward_lengths(&self, x: &Tensor, lengths: &[usize]) -> Tensor {
        self.output(x, Some(lengths))
    }

    #[track_caller]
    fn checked_state(
        &self,
        x: &Tensor,
        lengths: Option<&[usize]>,
        state: Option<&C::State>,
    ) -> (Tensor, C::State) {
        let (y, ends) = self.run(x, lengths, state.map(AsRef::as_ref));
        // `ends[i]` is the state of cell i; a tensor of the result holds one part of all of them.
        let part = |k: usize| Tensor::stack(&ends.iter().map(|e| &e[k]).collect::<Vec<_>>(), 0);
        let state: Vec<Tensor> = (0..C::PARTS).map(part).collect();
        let Ok(state) = C::State::try_from(state) else {
            unreachable!("a cell gives the state that it takes")
        };
        (y, state)
    }

    /// What the layer gives on: the states of all steps, or the last ones.
    #[track_caller]
    fn output(&self, x: &Tensor, lengths: Option<&[usize]>) -> Tensor {
        let (y, ends) = self.run(x, lengths, None);
        if !self.last {
            return y;
        }
        let top: Vec<&Tensor> = ends[ends.len() - self.directions..].iter().map(|end| &end[0]).collect();
        self.merge.of(&top)
    }

    /// The states of all steps of the last layer, and each cell's last state.
    #[track_caller]
    fn run(
        &self,
        x: &Tensor,
        lengths: Option<&[usize]>,
        state: Option<&[Tensor]>,
    ) -> (Tensor, Vec<Vec<Tensor>>) {
        self.check(x, lengths, state);
        let Some(lengths) = lengths else { return self.walk(x, &Walk::new(), state) };
        // Steps that no sequence has are left out, so that not even a sum over steps sees how many there are.
        let (steps, most) = (x.shape()[1], lengths.iter().copied().max().unwrap_or(0));
        let x = if most < steps { x.slice(1, ..most as isize) } else { x.clone() };
        let walk = Walk::new().lengths(lengths);
        let (y, ends) = match walk.sorted() {
            None => self.walk(&x, &walk, state),
            Some((walk, order, back)) => {
                let (order, back) = (order.to_device(x.device()), back.to_device(x.device()));
                let state: Option<Vec<Tensor>> =
                    state.map(|state| state.iter().map(|s| s.index_select(1, &order)).collect());
                let (y, ends) = self.walk(&x.index_select(0, &order), &walk, state.as_deref());
                let put_back = |end: Vec<Tensor>| end.iter().map(|s| s.index_select(0, &back)).collect();
                (y.index_select(0, &back), ends.into_iter().map(put_back).collect())
            }
        };
        let y = if most < steps { y.pad(&[(0, 0), (0, steps - most), (0, 0)], 0.0) } else { y };
        (y, ends)
    }

    /// [`run`](Recurrent::run) of the steps that `walk` says, of sequences from the longest to the shortest.
    #[track_caller]
    fn walk(&self, x: &Tensor, walk: &Walk, state: Option<&[Tensor]>) -> (Tensor, Vec<Vec<Tensor>>) {
        let n = x.shape()[0];
        let zero = |size: usize| x.device().scope(|| Tensor::full_of([n, size], 0.0, x.dtype()));
        let (mut x, mut ends) = (x.clone(), Vec::new());
        for layer in 0..self.depth() {
            if layer > 0 {
                x = x.dropout(self.dropout);
            }
            let mut outputs = Vec::new();
            for direction in 0..self.directions {
                let i = layer * self.directions + direction;
                let first: Vec<Tensor> = match state {
                    Some(state) => state.iter().map(|s| s.select(0, i as isize)).collect(),
                    None => self.parts().map(zero).collect(),
                };
                let walk = if direction == 0 { walk.clone() } else { walk.clone().reversed() };
                let (y, end) = C::run(&x, &first, &self.weights[i], &walk);
                outputs.push(y);
                ends.push(end);
            }
            x = self.merge.of(&outputs.iter().collect::<Vec<_>>());
        }
        (x, ends)
    }

    #[track_caller]
    fn check(&self, x: &Tensor, lengths: Option<&[usize]>, state: Option<&[Tensor]>) {
        let (name, inputs) = (C::NAME.to_lowercase(), self.inputs);
        if x.rank() != 3 || x.shape()[2] != inputs {
            fail!(name, "[batch, steps, {inputs}] was expected, found {:?}", x.shape();
                  help = "{}", if x.rank() == 2 { "one sequence is a batch of one: `x.unsqueeze(0)`" } else { "the features come last" });
        }
        let [batch, steps, _] = x.dims();
        if let Some(lengths) = lengths {
            if lengths.len() != batch {
                fail!(name, "{} lengths for {batch} sequences", lengths.len(); help = "there is one for each sequence of the batch");
            }
            if let Some(i) = lengths.iter().position(|&n| n > steps) {
                fail!(name, "sequence {i} is said to have {} steps, and there are {steps}", lengths[i];
                      help = "the sequences are padded to the longest: [batch, steps, {inputs}]");
            }
        }
        for (part, size) in state.unwrap_or_default().iter().zip(self.parts()) {
            let want = [self.weights.len(), batch, size];
            if part.shape() != want {
                fail!(name, "a state of {want:?} was expected, found {:?}", part.shape();
                      help = "its axes are layers · directions, batch, hidden");
            }
        }
    }
}

impl<C: Cell> Layer for Recurrent<C> {
    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> std::result::Result<AtLengths, String> {
        let y = self.output(x, Some(lengths));
        Ok(if self.last { AtLengths::Samples(y) } else { AtLengths::Steps(y) })
    }

    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(Recurrent::<C> { weights: self.weights.clone(), cell: PhantomData, ..*self }))
    }

    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.output(x, None)
    }

    fn name(&self) -> Cow<'static, str> {
        C::NAME.into()
    }

    fn describe(&self) -> String {
        let mut text = format!("{}({} → {}", C::NAME, self.inputs, self.hidden);
        if self.depth() > 1 {
            text += &format!(", {} layers", self.depth());
        }
        if let Some(size) = self.projection {
            text += &format!(", projected to {size}");
        }
        if self.directions == 2 {
            text += ", bidirectional";
        }
        if self.merge != Merge::Concat {
            text += &format!(", {}", self.merge.word());
        }
        if self.dropout > 0.0 {
            text += &format!(", dropout {}", self.dropout);
        }
        for (is, word) in [(self.last, ", last"), (!self.has_bias(), ", no bias")] {
            text += if is { word } else { "" };
        }
        text + ")"
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(C::FILE?)
            .with_value(self.hidden)
            .with_option("layers", self.depth())
            .with_option("bidirectional", self.directions == 2)
            .with_option("merge", self.merge.word())
            .with_option("dropout", self.dropout)
            .with_option("last", self.last);
        let entry = entry.with_option("bias", self.has_bias());
        Some(self.projection.iter().fold(entry, |entry, size| entry.with_option("proj_size", *size)))
    }
}

/// The name of a weight: PyTorch's, so that its files load.
fn place(name: &'static str, i: usize, directions: usize) -> Segment {
    Segment::Numbered(name, i / directions, if i % directions == 1 { "_reverse" } else { "" })
}

// By hand, because the names are those of PyTorch's files: `weight_ih_l0`, not `weights.0.weight_ih`.
impl<C: Cell> Module for Recurrent<C> {
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
        for (i, w) in self.weights.iter().enumerate() {
            let mut show =
                |name, p: &Param| path.enter(place(name, i, self.directions), |path| p.visit(path, f));
            show("weight_ih_l", &w.weight_ih);
            show("weight_hh_l", &w.weight_hh);
            if let Some([b_ih, b_hh]) = &w.bias {
                show("bias_ih_l", b_ih);
                show("bias_hh_l", b_hh);
            }
            if let Some(w_hr) = &w.weight_hr {
                show("weight_hr_l", w_hr);
            }
        }
    }
    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
        let directions = self.directions;
        for (i, w) in self.weights.iter_mut().enumerate() {
            let mut show =
                |name, p: &mut Param| path.enter(place(name, i, directions), |path| p.visit_mut(path, f));
            show("weight_ih_l", &mut w.weight_ih);
            show("weight_hh_l", &mut w.weight_hh);
            if let Some([b_ih, b_hh]) = &mut w.bias {
                show("bias_ih_l", b_ih);
                show("bias_hh_l", b_hh);
            }
            if let Some(w_hr) = &mut w.weight_hr {
                show("weight_hr_l", w_hr);
            }
        }
    }
}

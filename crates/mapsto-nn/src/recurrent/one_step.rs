//! A recurrent cell by itself, for programs that make each input from the last output.

use super::{Cell, Weights};
use crate::module::{Item, ItemMut, Path, Segment};
use crate::{Layer, Module, Param};
use mapsto_tensor::{Tensor, Walk, fail};
use std::borrow::Cow;
use std::marker::PhantomData;

/// A cell `C` that is carried on by hand, step by step. See [`RnnCell`](crate::RnnCell), [`LstmCell`](crate::LstmCell) and
/// [`GruCell`](crate::GruCell).
///
/// As a layer it makes the first step: from zeros.
#[derive(Clone, Debug)]
pub struct RecurrentCell<C> {
    weights: Weights,
    cell: PhantomData<C>,
}

impl<C: Cell> RecurrentCell<C> {
    /// From `inputs` features to a state of `hidden` features; weights are uniform in ±1/√hidden.
    pub fn new(inputs: usize, hidden: usize) -> Self {
        RecurrentCell { weights: Weights::drawn(inputs, [hidden; 2], C::GATES, true), cell: PhantomData }
    }

    /// The same without biases.
    #[must_use]
    pub fn no_bias(mut self) -> Self {
        self.weights.bias = None;
        self
    }

    /// The weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The number of input features.
    pub fn inputs(&self) -> usize {
        self.weights.weight_ih.shape()[1]
    }

    /// The number of features of a state.
    pub fn hidden(&self) -> usize {
        self.weights.weight_hh.shape()[1]
    }

    /// A copy, also where the cell's kind is no `Clone`.
    pub(super) fn copied(&self) -> Self {
        RecurrentCell { weights: self.weights.clone(), cell: PhantomData }
    }

    /// The state after inputs `[b, inputs]`, from the state before, each tensor `[b, hidden]` (zeros without).
    ///
    /// # Panics
    /// When `x` or the state has another shape.
    #[track_caller]
    pub fn step(&self, x: &Tensor, state: Option<&C::State>) -> C::State {
        let (name, inputs) = (format!("{}_cell", C::NAME.to_lowercase()), self.inputs());
        if x.rank() != 2 || x.shape()[1] != inputs {
            fail!(name, "[batch, {inputs}] was expected, found {:?}", x.shape();
                  help = "a cell takes one step; all steps of sequences are for `{}`", C::NAME);
        }
        let want = [x.shape()[0], self.hidden()];
        let first: Vec<Tensor> = match state {
            Some(state) => state.as_ref().to_vec(),
            None => {
                let zero = || x.device().scope(|| Tensor::full_of(want, 0.0, x.dtype()));
                (0..C::PARTS).map(|_| zero()).collect()
            }
        };
        if let Some(part) = first.iter().find(|part| part.shape() != want) {
            fail!(name, "a state of {want:?} was expected, found {:?}", part.shape(); help = "its axes are batch, hidden");
        }
        let (_, last) = C::run(&x.unsqueeze(1), &first, &self.weights, &Walk::new());
        let Ok(state) = C::State::try_from(last) else {
            unreachable!("a cell gives the state that it takes")
        };
        state
    }
}

impl<C: Cell> Layer for RecurrentCell<C> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.step(x, None).as_ref()[0].clone()
    }

    fn name(&self) -> Cow<'static, str> {
        format!("{}Cell", C::NAME).into()
    }

    fn describe(&self) -> String {
        let bias = if self.weights.bias.is_some() { "" } else { ", no bias" };
        format!("{}Cell({} → {}{bias})", C::NAME, self.inputs(), self.hidden())
    }

    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(self.copied()))
    }
}

// By hand, because the names are those of PyTorch's files: `weight_ih`, not `weights.weight_ih`.
impl<C: Cell> Module for RecurrentCell<C> {
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
        let mut show = |name, p: &Param| path.enter(Segment::Name(name), |path| p.visit(path, f));
        show("weight_ih", &self.weights.weight_ih);
        show("weight_hh", &self.weights.weight_hh);
        if let Some([b_ih, b_hh]) = &self.weights.bias {
            show("bias_ih", b_ih);
            show("bias_hh", b_hh);
        }
    }
    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
        let mut show = |name, p: &mut Param| path.enter(Segment::Name(name), |path| p.visit_mut(path, f));
        show("weight_ih", &mut self.weights.weight_ih);
        show("weight_hh", &mut self.weights.weight_hh);
        if let Some([b_ih, b_hh]) = &mut self.weights.bias {
            show("bias_ih", b_ih);
            show("bias_hh", b_hh);
        }
    }
}

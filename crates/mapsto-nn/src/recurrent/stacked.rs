//! Recurrent cells one upon the other, carried on by hand.

use super::{Cell, RecurrentCell};
use crate::{Layer, Module};
use mapsto_tensor::{Tensor, fail};
use std::borrow::Cow;

/// Cells, each of which reads the state of the one below; as a layer it makes the first step: from zeros.
///
/// * Shape: `[b, inputs] → [b, hidden]`, of the last cell.   * Parameters: those of the cells, `cells.0.weight_ih`, ..
/// * PyTorch has none: a list of cells; Keras: `StackedRNNCells`.
/// ```
/// use mapsto_nn::{prelude::*, recurrent::StackedCells};
/// let cells = StackedCells::new(vec![GruCell::new(3, 4), GruCell::new(4, 2)]);
/// let (y, state) = cells.step(&Tensor::randn([5, 3]), None);
/// let (z, _) = cells.step(&Tensor::randn([5, 3]), Some(&state));
/// assert_eq!((y.shape(), z.shape()), (&[5, 2][..], &[5, 2][..]));
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct StackedCells<C: Cell> {
    cells: Vec<RecurrentCell<C>>,
}

impl<C: Cell> StackedCells<C> {
    /// These cells, the first of which reads the input.
    ///
    /// # Panics
    /// When there is none, or one does not take what the one below gives.
    #[track_caller]
    pub fn new(cells: Vec<RecurrentCell<C>>) -> StackedCells<C> {
        if cells.is_empty() {
            fail!("stacked_cells", "at least one cell is needed, got none");
        }
        for (i, pair) in cells.windows(2).enumerate() {
            if pair[0].hidden() != pair[1].inputs() {
                fail!(
                    "stacked_cells",
                    "cell {i} gives {} features and cell {} takes {}",
                    pair[0].hidden(),
                    i + 1,
                    pair[1].inputs()
                );
            }
        }
        StackedCells { cells }
    }

    /// The cells.
    pub fn cells(&self) -> &[RecurrentCell<C>] {
        &self.cells
    }

    /// What the last cell gives for inputs `[b, inputs]`, and the states of all, from the states before (zeros without).
    ///
    /// # Panics
    /// When there is not a state for each cell, or a shape is another.
    #[track_caller]
    pub fn step(&self, x: &Tensor, states: Option<&[C::State]>) -> (Tensor, Vec<C::State>) {
        if let Some(states) = states.filter(|states| states.len() != self.cells.len()) {
            fail!("stacked_cells", "{} states for {} cells", states.len(), self.cells.len());
        }
        let (mut x, mut after) = (x.clone(), Vec::with_capacity(self.cells.len()));
        for (i, cell) in self.cells.iter().enumerate() {
            let state = cell.step(&x, states.map(|states| &states[i]));
            x = state.as_ref()[0].clone();
            after.push(state);
        }
        (x, after)
    }
}

impl<C: Cell> Layer for StackedCells<C> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.step(x, None).0
    }

    fn name(&self) -> Cow<'static, str> {
        "StackedCells".into()
    }

    fn describe(&self) -> String {
        let cells: Vec<String> = self.cells.iter().map(Layer::describe).collect();
        format!("StackedCells({})", cells.join(", "))
    }

    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        let cells = self.cells.iter().map(RecurrentCell::copied).collect();
        Some(Box::new(StackedCells::<C> { cells }))
    }
}

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use crate::recurrent::StackedCells;

    #[test]
    fn stacked_cells_are_the_layers_of_a_stacked_layer() {
        check_layer(|| StackedCells::new(vec![LstmCell::new(3, 2), LstmCell::new(2, 4)]))
            .gives([5, 3], [5, 4]);
        let gru = Gru::new(3, 4).layers(2);
        let mut cells = StackedCells::new(vec![GruCell::new(3, 4), GruCell::new(4, 4)]);
        let place = |name: String| {
            let (stem, layer) = name.rsplit_once("_l").unwrap();
            format!("cells.{layer}.{stem}")
        };
        let state = gru.state_dict().into_iter().map(|(name, w)| (place(name), w));
        cells.load_state_dict(state, &Exceptions::none()).unwrap();
        let (x, mut states) = (Tensor::randn([2, 3, 3]), None);
        let y = gru.forward(&x);
        for t in 0..3 {
            let (now, after) = cells.step(&x.select(1, t), states.as_deref());
            assert_close!(now, y.select(1, t));
            states = Some(after);
        }
        let e = catch(|| StackedCells::new(vec![GruCell::new(3, 4), GruCell::new(3, 4)])).unwrap_err();
        assert_eq!(e.message(), "stacked_cells: cell 0 gives 4 features and cell 1 takes 3");
        let e = catch(|| cells.step(&Tensor::ones([2, 3]), Some(&states.unwrap()[..1]))).unwrap_err();
        assert_eq!(e.message(), "stacked_cells: 1 states for 2 cells");
    }
}

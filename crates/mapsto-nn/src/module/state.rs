//! A state: a tensor that is saved but not trained, such as a running mean.

use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A tensor that is saved with the model but not trained.
///
/// Its value may change during `forward(&self)`, which is how batch norm keeps its running statistics; nobody else
/// needs that, so a lock taken for the length of one assignment is all the machinery there is.
/// ```
/// use mapsto_nn::prelude::*;
/// let mean = State::new(tensor![0.0]);
/// mean.set(mean.get() * 0.9 + tensor![5.0] * 0.1);
/// assert_close!(mean.get(), [0.5]);
/// ```
pub struct State {
    value: Mutex<Tensor>,
    is_running: bool,
}

impl State {
    /// A state with this value.
    pub fn new(value: Tensor) -> State {
        State { value: Mutex::new(value.detach()), is_running: false }
    }

    /// A state that moves by small steps, as a running mean does: [`convert`](crate::ModuleExt::convert) leaves it in f32 where
    /// the model gets half precision, whose last digit such steps do not reach.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let mut norm = BatchNorm1d::new(1);
    /// norm.convert(DType::BF16);
    /// assert_eq!((norm.bias.unwrap().dtype(), norm.running_mean.unwrap().get().dtype()), (DType::BF16, DType::F32));
    /// ```
    pub fn running(value: Tensor) -> State {
        State { is_running: true, ..State::new(value) }
    }

    /// Whether it moves by small steps: see [`State::running`].
    pub fn is_running(&self) -> bool {
        self.is_running
    }

    /// Converts a value of floats as a model is converted.
    pub(super) fn convert(&mut self, dtype: DType) {
        let value = self.get();
        let dtype = if self.is_running && dtype.size() < DType::F32.size() { DType::F32 } else { dtype };
        if value.dtype().is_float() {
            self.set(value.to(dtype));
        }
    }

    /// The value.
    pub fn get(&self) -> Tensor {
        self.lock().clone()
    }

    /// Changes the value; what was recorded about it is dropped.
    pub fn set(&self, value: Tensor) {
        *self.lock() = value.detach();
    }

    /// Takes a value of the same shape and dtype, as when a model is loaded.
    ///
    /// # Errors
    /// When shape or dtype differ.
    pub fn load(&self, value: &Tensor) -> Result<()> {
        let mut old = self.lock();
        if value.shape() != old.shape() || value.dtype() != old.dtype() {
            let message = format!(
                "state: {:?} of {} cannot take the value of {:?} of {}",
                old.shape(),
                old.dtype(),
                value.shape(),
                value.dtype()
            );
            return Err(Error::new(ErrorKind::Model, message));
        }
        *old = value.detach();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Tensor> {
        // A panic elsewhere cannot leave half a tensor behind.
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for State {
    fn clone(&self) -> State {
        State { value: Mutex::new(self.get()), is_running: self.is_running }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.get();
        write!(f, "State({:?} {})", value.shape(), value.dtype())
    }
}

#[test]
fn a_state_keeps_its_shape_when_loaded() {
    let state = State::new(Tensor::zeros([2]));
    state.load(&Tensor::ones([2])).unwrap();
    assert_eq!(state.get().to_vec::<f32>(), [1.0, 1.0]);
    assert!(state.load(&Tensor::ones([3])).unwrap_err().message().contains("[2] of f32"));
    assert_eq!(state.clone().get().to_vec::<f32>(), [1.0, 1.0]);
}

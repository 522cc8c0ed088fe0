//! A parameter: a tensor that is trained and saved, and stays itself while its values change.

use mapsto_tensor::{Error, ErrorKind, LeafId, Result, Tensor};
use std::fmt;
use std::ops::{Add, Deref, Div, Mul, Sub};

/// A tensor that is trained and saved.
///
/// It derefs to [`Tensor`]. Operations on it are recorded inside `train(|| ..)` and `record(|| ..)` only. Its identity
/// ([`id`](Param::id)) is the key of its gradient and of the optimizer's memory: it stays through updates, `set` and
/// freezing, and a clone gets a new one.
/// ```
/// use mapsto_nn::prelude::*;
/// let w = Param::new(tensor![1.0, 2.0]);
/// let grads = train(|| w.square().sum(..)).backward();
/// assert_close!(grads.of(&w), [2.0, 4.0]);
/// assert_ne!(w.clone().id(), w.id());
/// ```
pub struct Param {
    leaf: Tensor,
    /// While frozen, what operations see: the same values without the identity.
    frozen: Option<Tensor>,
}

impl Param {
    /// A parameter with these initial values.
    ///
    /// # Panics
    /// When the elements are not floats.
    #[track_caller]
    pub fn new(values: Tensor) -> Param {
        Param { leaf: values.detach().parameter(), frozen: None }
    }

    /// The identity under which gradients are found.
    pub fn id(&self) -> LeafId {
        self.leaf.leaf_id().expect("a parameter is a leaf")
    }

    /// Stops training: operations on it are no longer recorded and optimizers pass it by.
    pub fn freeze(&mut self) {
        self.frozen = Some(self.leaf.frozen());
    }

    /// Trains it again.
    pub fn unfreeze(&mut self) {
        self.frozen = None;
    }

    /// Whether it is frozen.
    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Takes other values of the same shape and dtype; the identity stays.
    ///
    /// # Errors
    /// When shape or dtype differ.
    pub fn set(&mut self, values: &Tensor) -> Result<()> {
        if values.shape() != self.leaf.shape() || values.dtype() != self.leaf.dtype() {
            let message = format!(
                "parameter: {:?} of {} cannot take the values of {:?} of {}",
                self.leaf.shape(),
                self.leaf.dtype(),
                values.shape(),
                values.dtype()
            );
            return Err(Error::new(ErrorKind::Model, message));
        }
        self.update(|leaf| leaf.replace(values));
        Ok(())
    }

    /// Lets `write` change the values in place; the identity stays.
    ///
    /// The memory is copied only when somebody else still holds it (a clone, a graph).
    pub fn update<R>(&mut self, write: impl FnOnce(&mut Tensor) -> R) -> R {
        let was_frozen = self.frozen.take().is_some();
        let id = self.leaf.leaf_id();
        let result = write(&mut self.leaf);
        if self.leaf.leaf_id() != id {
            // A whole tensor was assigned. Then this is another parameter, as after `Param::new`.
            self.leaf = self.leaf.detach().parameter();
        }
        if was_frozen {
            self.freeze();
        }
        result
    }
}

impl Deref for Param {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        self.frozen.as_ref().unwrap_or(&self.leaf)
    }
}

/// The same values under a new identity; memory is shared until one of the two is written.
impl Clone for Param {
    fn clone(&self) -> Param {
        let mut clone = Param::new(self.leaf.clone());
        if self.is_frozen() {
            clone.freeze();
        }
        clone
    }
}

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frozen = if self.is_frozen() { ", frozen" } else { "" };
        write!(f, "Param({:?} {}{frozen})", self.shape(), self.dtype())
    }
}

// Deref does not reach operators, so `x * &self.scale` needs these.
macro_rules! arithmetic {
    ($($op:ident $method:ident),*) => {$(
        impl $op<&Param> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, p: &Param) -> Tensor { $op::$method(self, &**p) }
        }
        impl $op<&Param> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, p: &Param) -> Tensor { $op::$method(self, &**p) }
        }
        impl $op<&Tensor> for &Param {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, x: &Tensor) -> Tensor { $op::$method(&**self, x) }
        }
        impl $op<Tensor> for &Param {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, x: Tensor) -> Tensor { $op::$method(&**self, x) }
        }
        impl $op<&Param> for &Param {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, p: &Param) -> Tensor { $op::$method(&**self, &**p) }
        }
        impl $op<f64> for &Param {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, x: f64) -> Tensor { $op::$method(&**self, x) }
        }
    )*};
}
arithmetic!(Add add, Sub sub, Mul mul, Div div);

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    #[test]
    fn identity_stays_through_updates_and_is_new_in_a_clone() {
        let mut p = Param::new(tensor![1.0, 2.0]);
        let id = p.id();
        p.update(|t| t.as_mut_slice::<f32>()[0] = 5.0);
        assert_eq!((p.id(), p.to_vec::<f32>()), (id, vec![5.0, 2.0]));
        p.set(&tensor![7.0, 8.0]).unwrap();
        assert_eq!((p.id(), p.to_vec::<f32>()), (id, vec![7.0, 8.0]));
        assert!(
            p.set(&tensor![7.0]).unwrap_err().message().contains("[2] of f32 cannot take the values of [1]")
        );

        let mut c = p.clone();
        assert_ne!(c.id(), id);
        c.update(|t| t.as_mut_slice::<f32>()[0] = 0.0);
        assert_eq!(p.to_vec::<f32>(), [7.0, 8.0], "the original does not see writes to the clone");
    }

    #[test]
    fn a_frozen_parameter_is_a_constant_with_an_identity() {
        let (mut p, x) = (Param::new(tensor![2.0]), tensor![3.0].leaf());
        let id = p.id();
        p.freeze();
        let grads = train(|| (&x * &p).sum(..)).backward();
        assert_close!(grads.of(&x), [2.0]);
        p.update(|t| t.as_mut_slice::<f32>()[0] = 4.0);
        assert_eq!((p.id(), p.item(), p.is_frozen()), (id, 4.0, true));
        p.unfreeze();
        assert_close!(train(|| (&x * &p).sum(..)).backward().of(&p), [3.0]);
        assert_eq!(p.id(), id);
    }

    #[test]
    fn operators_reach_the_tensor() {
        let p = Param::new(tensor![2.0, 4.0]);
        let x = tensor![1.0, 2.0];
        assert_close!(&x + &p, [3.0, 6.0]);
        assert_close!(&p - &x, [1.0, 2.0]);
        assert_close!(x.clone() * &p, [2.0, 8.0]);
        assert_close!(&p / &p, [1.0, 1.0]);
        assert_close!(&p * 0.5, [1.0, 2.0]);
    }
}

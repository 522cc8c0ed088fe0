//! What can be asked of any model by name: its parameters, its weights as a dictionary, which of them are trained.

use super::{Exceptions, Item, ItemMut, LoadReport, Module, Path, load, matches, unknown};
use mapsto_tensor::{DType, Device, Result, Tensor};

/// Functions over a model's parameters and states; every [`Module`] has them.
///
/// ```
/// use mapsto_nn::prelude::*;
/// let mut net = seq![Linear::new(4, 8), Tensor::relu, Linear::new(8, 2)];
/// assert_eq!(net.parameter_count(), 4 * 8 + 8 + 8 * 2 + 2);
/// assert_eq!(net.freeze("0.*")?, 2);
/// assert_eq!(net.trainable_count(), 8 * 2 + 2);
/// let copy = net.state_dict();
/// assert_eq!(copy[0].0, "0.weight");
/// net.load_state_dict(copy, &Exceptions::none())?;
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub trait ModuleExt: Module {
    /// Every parameter with its name, in the order of the fields; frozen ones too.
    fn parameters(&self) -> Vec<(String, Tensor)> {
        let mut out = Vec::new();
        self.visit(&mut Path::new(), &mut |path, item| {
            if let Item::Param(p) = item {
                out.push((path.to_string(), (**p).clone()));
            }
        });
        out
    }

    /// The number of trained and frozen numbers.
    fn parameter_count(&self) -> usize {
        let mut count = 0;
        self.visit(&mut Path::new(), &mut |_, item| {
            if let Item::Param(p) = item {
                count += p.len();
            }
        });
        count
    }

    /// The number of trained numbers: parameters that are not frozen.
    fn trainable_count(&self) -> usize {
        let mut count = 0;
        self.visit(&mut Path::new(), &mut |_, item| match item {
            Item::Param(p) if !p.is_frozen() => count += p.len(),
            _ => {}
        });
        count
    }

    /// Every parameter and state with its name: what is saved. The tensors are constants that share memory with the
    /// model until it is trained further.
    fn state_dict(&self) -> Vec<(String, Tensor)> {
        let mut out = Vec::new();
        self.visit(&mut Path::new(), &mut |path, item| {
            let value = match item {
                Item::Param(p) => p.detach(),
                Item::State(s) => s.get(),
            };
            out.push((path.to_string(), value));
        });
        out
    }

    /// Gives parameters and states the values of a [`state_dict`](ModuleExt::state_dict), and reports what matched.
    ///
    /// # Errors
    /// When a name is missing or unexpected, or a shape or dtype differs, and `exceptions` do not cover it; the model is
    /// then left as it was.
    fn load_state_dict(
        &mut self,
        tensors: impl IntoIterator<Item = (String, Tensor)>,
        exceptions: &Exceptions,
    ) -> Result<LoadReport> {
        load::load(self, tensors, exceptions)
    }

    /// What [`load_state_dict`](ModuleExt::load_state_dict) would report, and an error where it would fail; nothing is written.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let (net, other) = (Linear::new(4, 2), Linear::new(4, 3));
    /// assert!(net.compare_state_dict(net.state_dict(), &Exceptions::none()).is_ok());
    /// assert!(net.compare_state_dict(other.state_dict(), &Exceptions::none()).is_err());
    /// ```
    /// # Errors
    /// As [`load_state_dict`](ModuleExt::load_state_dict).
    fn compare_state_dict(
        &self,
        tensors: impl IntoIterator<Item = (String, Tensor)>,
        exceptions: &Exceptions,
    ) -> Result<LoadReport> {
        load::compare(self, tensors, exceptions).map(|(_, report)| report)
    }

    /// Stops training the parameters whose names fit the pattern; returns how many they are.
    ///
    /// # Errors
    /// When no name fits.
    fn freeze(&mut self, pattern: &str) -> Result<usize> {
        set_frozen(self, pattern, super::Param::freeze)
    }

    /// Trains the parameters whose names fit the pattern again; returns how many they are.
    ///
    /// # Errors
    /// When no name fits.
    fn unfreeze(&mut self, pattern: &str) -> Result<usize> {
        set_frozen(self, pattern, super::Param::unfreeze)
    }

    /// Carries every parameter and every state to a device; parameters keep their identity.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// use mapsto_tensor::check::far;
    /// let mut net = Linear::new(2, 3);
    /// net.to_device(far::device());
    /// let y = far::device().scope(|| net.forward(&Tensor::ones([1, 2])));
    /// assert_eq!((y.shape(), y.device()), (&[1, 3][..], far::device()));
    /// ```
    fn to_device(&mut self, device: Device) {
        self.visit_mut(&mut Path::new(), &mut |_, item| match item {
            ItemMut::Param(p) => p.update(|leaf| leaf.replace(&leaf.detach().to_device(device))),
            ItemMut::State(s) => s.set(s.get().to_device(device)),
        });
    }

    /// Converts every parameter and every state of floats to another float type; parameters become new ones. Running
    /// statistics ([`State::running`](super::State::running)) stay in f32 where that is half precision.
    fn convert(&mut self, dtype: DType) {
        self.visit_mut(&mut Path::new(), &mut |_, item| match item {
            ItemMut::Param(p) => {
                let frozen = p.is_frozen();
                *p = super::Param::new(p.detach().to(dtype));
                if frozen {
                    p.freeze();
                }
            }
            ItemMut::State(s) => s.convert(dtype),
        });
    }
}

impl<M: Module + ?Sized> ModuleExt for M {}

fn set_frozen<M: Module + ?Sized>(model: &mut M, pattern: &str, set: fn(&mut super::Param)) -> Result<usize> {
    // By the names of every owner; what fits under several names counts once.
    let mut fitting = std::collections::HashSet::new();
    model.visit_mut(&mut Path::of_every_owner(), &mut |path, item| {
        if let ItemMut::Param(p) = item
            && matches(pattern, &path.to_string())
        {
            set(p);
            fitting.insert(p.id());
        }
    });
    if !fitting.is_empty() {
        return Ok(fitting.len());
    }
    Err(unknown("freeze", pattern, model))
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    #[test]
    fn freezing_needs_a_name_that_exists() {
        let mut net = seq![Linear::new(2, 2), Linear::new(2, 2)];
        let error = net.freeze("0.wieght").unwrap_err().to_string();
        assert_eq!(error, "freeze: no parameter is called `0.wieght`\nhelp: did you mean `0.weight`?");
        assert_eq!(net.freeze("*.weight").unwrap(), 2);
        // A layer with two owners has two names and is one.
        let shared = crate::Tied::new(Linear::new(2, 2));
        let mut twice = seq![shared.share(), Tensor::relu, shared.share()];
        assert_eq!(twice.freeze("2.weight").unwrap(), 1);
        assert!(shared.with(|layer| layer.weight.is_frozen()));
        assert_eq!(twice.unfreeze("*.weight").unwrap(), 1);
        assert_eq!(net.trainable_count(), 4);
        assert_eq!(net.unfreeze("1.*").unwrap(), 2);
        assert_eq!(net.trainable_count(), 8);
    }

    #[test]
    fn convert_changes_every_float() {
        let mut net = seq![Linear::new(2, 3), BatchNorm1d::new(3)];
        net.convert(DType::F64);
        assert!(net.state_dict().iter().all(|(_, t)| t.dtype() == DType::F64));
        assert_eq!(net.forward(&Tensor::ones([1, 2]).to(DType::F64)).dtype(), DType::F64);
    }
}

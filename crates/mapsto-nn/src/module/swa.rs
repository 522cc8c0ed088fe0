//! Stochastic weight averaging: the mean of the weights at several moments of a training.

use super::{Ema, LoadReport, Module};
use mapsto_tensor::{Result, Tensor};

/// The mean of every parameter over all calls of [`update`](Swa::update); states are taken as they are.
///
/// `a ← a + (w − a) / n` at the n-th call, so that the first takes the weights as they are. The running statistics of batch norms are not
/// those of the averaged weights: [`update_bn`](crate::update_bn) computes them again. [`SwaLr`](crate::schedules::SwaLr) is the learning rate that
/// goes with it, and `Trainer::averaging` does all of it by itself.
///
/// PyTorch: `swa_utils.AveragedModel`; Keras: `SWA` of TensorFlow Addons.
///
/// Source: Izmailov et al. (2018), Averaging weights leads to wider optima and better generalization, arXiv:1803.05407.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// let mut swa = Swa::new(&w);
/// for x in [1.0, 2.0, 6.0] {
///     w.weight.set(&tensor![[x]])?;
///     swa.update(&w);
/// }
/// assert_eq!(swa.updates(), 3);
/// swa.apply_to(&mut w)?;
/// assert_close!(w.weight, [[3.0]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Swa {
    mean: Ema,
    updates: u64,
}

impl Swa {
    /// An average of nothing so far, of a model with these names and shapes.
    #[track_caller]
    pub fn new(model: &(impl Module + ?Sized)) -> Swa {
        Swa { mean: Ema::new(model, 0.0), updates: 0 }
    }

    /// Takes the model's present weights into the mean.
    ///
    /// # Panics
    /// When the model's names are not those of the model that the average was made for.
    #[track_caller]
    pub fn update(&mut self, model: &(impl Module + ?Sized)) {
        let n = self.updates as f64;
        self.mean.update_keeping(model, n / (n + 1.0));
        self.updates += 1;
    }

    /// How many times the mean was updated.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The averaged values by name, as a [`state_dict`](crate::ModuleExt::state_dict); before the first update those of the model.
    pub fn state_dict(&self) -> Vec<(String, Tensor)> {
        self.mean.state_dict()
    }

    /// Gives the averaged values to a model.
    ///
    /// # Errors
    /// When the model has other names or shapes.
    pub fn apply_to(&self, model: &mut impl Module) -> Result<LoadReport> {
        self.mean.apply_to(model)
    }
}

#[test]
fn half_precision_is_averaged_in_f32() {
    use crate::prelude::*;
    use mapsto_tensor::DType;
    let mut net = Linear::new(1, 1).no_bias();
    net.convert(DType::BF16);
    let mut swa = Swa::new(&net);
    for i in 0..200 {
        net.weight.set(&tensor![[1.0 + f64::from(i % 2)]].to(DType::BF16)).unwrap();
        swa.update(&net);
    }
    swa.apply_to(&mut net).unwrap();
    assert_eq!((net.weight.dtype(), net.weight.to(DType::F32).item()), (DType::BF16, 1.5));
}

//! The Huber loss: squared near the target, absolute far from it.

use super::{Loss, LossKind, Pointwise, REDUCTION, alike};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry, type_of};
use mapsto_tensor::Tensor;
use std::borrow::Cow;

/// Huber loss with δ = 1: `mean of ½ d²` where `d = |y − t| ≤ δ`, and of `δ (d − ½ δ)` beyond.
///
/// * Shape: `[..], [..] → []`.
/// * PyTorch: `HuberLoss`; Keras: `Huber`.
///
/// Source: Huber (1964), Robust estimation of a location parameter.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_eq!(huber(&tensor![0.5, 3.0], &tensor![0.0, 0.0]).item(), (0.125 + 2.5) / 2.0);
/// ```
/// # Panics
/// When the shapes differ.
#[track_caller]
pub fn huber(y: &Tensor, target: &Tensor) -> Tensor {
    Huber::new(1.0).loss(y, target)
}

/// The Huber loss with a δ of one's own.
///
/// ```
/// use mapsto_nn::prelude::*;
/// assert_eq!(Huber::new(2.0).loss(&tensor![3.0], &tensor![0.0]).item(), 4.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Huber {
    delta: f64,
}

impl Huber {
    /// Squared up to a distance of `delta`.
    ///
    /// # Panics
    /// When `delta` is not finite and above 0.
    #[track_caller]
    pub fn new(delta: f64) -> Huber {
        Huber { delta: Bounds::ABOVE_0.check("huber", "delta", delta) }
    }
}

impl Pointwise for Huber {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        let d = (y - alike("huber", Outputs::Values, y, target)).abs();
        // With c = min(d, δ), both branches are c (d − ½ c): no selection is needed.
        let c = d.clamp(0.0, self.delta);
        &c * (&d - &c * 0.5)
    }
}

impl Loss for Huber {
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        self.each(y, target).mean(..)
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        Some(self)
    }

    fn name(&self) -> Cow<'static, str> {
        "huber".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Values)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.delta))
    }
}

pub(super) const KIND: LossKind =
    LossKind::new("huber", "Squared near the target, absolute beyond the given distance.", |args, ()| {
        Ok(Box::new(Huber::new(Bounds::ABOVE_0.main(args, "delta", 1.0)?)))
    })
    .options(&[("", "the distance up to which it is squared"), REDUCTION])
    .function(|| type_of(&huber));

#[test]
fn the_gradient_is_the_clipped_difference() {
    use mapsto_tensor::{assert_close, tensor};
    let y = tensor![-5.0, -0.5, 0.0, 1.0, 7.0].leaf();
    let grads = Huber::new(2.0).loss(&y, &Tensor::zeros([5])).backward();
    assert_close!(grads.of(&y), [-0.4, -0.1, 0.0, 0.2, 0.4]);
}

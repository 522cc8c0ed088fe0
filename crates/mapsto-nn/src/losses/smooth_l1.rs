//! The smooth L1 loss: absolute error whose corner is rounded.

use super::{Loss, LossKind, Pointwise, REDUCTION, alike};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;
use std::borrow::Cow;

/// Smooth L1 loss: the mean of `½ d² / β` where `d = |y − t| ≤ β`, and of `d − ½ β` beyond: [`Huber`](super::Huber) divided by its δ.
///
/// * Shape: `[..], [..] → []`.
/// * PyTorch: `SmoothL1Loss(beta=..)`; Keras has `Huber` alone.
///
/// Source: Girshick (2015), Fast R-CNN, arXiv:1504.08083, equation 3.
/// ```
/// use mapsto_nn::prelude::*;
/// assert_eq!(SmoothL1::new(2.0).loss(&tensor![1.0, 4.0], &tensor![0.0, 0.0]).item(), (0.25 + 3.0) / 2.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothL1 {
    beta: f64,
}

impl SmoothL1 {
    /// Squared up to a distance of `beta`.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    pub fn new(beta: f64) -> SmoothL1 {
        SmoothL1 { beta: Bounds::ABOVE_0.check("smooth_l1", "beta", beta) }
    }
}

impl Pointwise for SmoothL1 {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        let d = (y - alike("smooth_l1", Outputs::Values, y, target)).abs();
        let c = d.clamp(0.0, self.beta);
        &c * (&d - &c * 0.5) / self.beta
    }
}

impl Loss for SmoothL1 {
    /// # Panics
    /// When the shapes differ.
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        self.each(y, target).mean(..)
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        Some(self)
    }

    fn name(&self) -> Cow<'static, str> {
        "smooth_l1".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Values)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.beta))
    }
}

pub(super) const KIND: LossKind =
    LossKind::new("smooth_l1", "Absolute error, squared within the given distance.", |args, ()| {
        Ok(Box::new(SmoothL1 { beta: Bounds::ABOVE_0.main(args, "beta", 1.0)? }))
    })
    .options(&[("", "the distance up to which it is squared"), REDUCTION]);

#[test]
fn it_is_the_huber_loss_by_its_distance() {
    let (y, t) = (Tensor::randn([40]) * 3.0, Tensor::randn([40]));
    let difference = SmoothL1::new(0.7).loss(&y, &t) - super::Huber::new(0.7).loss(&y, &t) / 0.7;
    assert!(difference.item().abs() < 1e-6);
}

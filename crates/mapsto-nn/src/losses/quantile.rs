//! The pinball loss, whose best constant answer is a quantile.

use super::{Loss, LossKind, Pointwise, REDUCTION, alike};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;
use std::borrow::Cow;

/// Quantile (pinball) loss: the mean of `q (t − y)` where the target is above the output, and of `(1 − q) (y − t)` below.
///
/// * Shape: `[..], [..] → []`.
/// * PyTorch and Keras have none.
///
/// Source: Koenker, Bassett (1978), Regression quantiles, Econometrica 46.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = Quantile::new(0.9);
/// assert_close!(loss.loss(&tensor![0.0, 0.0], &tensor![1.0, -1.0]), (0.9 + 0.1) / 2.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    q: f64,
}

impl Quantile {
    /// For the quantile `q`, in 0..=1.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    pub fn new(q: f64) -> Quantile {
        Quantile { q: Bounds::UP_TO_1.check("quantile", "q", q) }
    }
}

impl Pointwise for Quantile {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        let d = alike("quantile", Outputs::Values, y, target) - y;
        (&d * self.q).maximum(&d * (self.q - 1.0))
    }
}

impl Loss for Quantile {
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
        "quantile".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Values)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.q))
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "quantile",
    "Pinball loss: the share q of the targets comes to lie below the outputs.",
    |args, ()| Ok(Box::new(Quantile { q: Bounds::UP_TO_1.main(args, "q", 0.5)? })),
)
.options(&[("", "the share of targets that should lie below the output"), REDUCTION]);

#[test]
fn the_best_constant_is_the_quantile() {
    use mapsto_tensor::tensor;
    let targets = Tensor::arange(0..101).to(mapsto_tensor::DType::F32);
    let loss = |y: f64| Quantile::new(0.9).loss(&Tensor::full([101], y), &targets).item();
    assert!(loss(90.0) < loss(88.0) && loss(90.0) < loss(92.0));
    // Half of the absolute error in the middle.
    let d = Quantile::new(0.5).loss(&tensor![3.0], &tensor![1.0]).item();
    assert_eq!(d, 1.0);
}

//! Binary cross-entropy that counts certain answers less.

use super::{Loss, LossKind, Pointwise, REDUCTION, alike, check_yes_or_no};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;
use std::borrow::Cow;

/// The mean of `−w (1 − p)ᵞ log p`, where `p` is the probability `σ(y)` of a target of 1, or `1 − σ(y)` of a target of 0, and `w` is
/// `2 α` for a target of 1 and `2 (1 − α)` for one of 0: with α = ½ no target is preferred, with γ = 0 it is
/// [`bce_with_logits`](super::bce_with_logits).
///
/// * Shape: `[..], [..] → []`; targets are 0 and 1.
/// * Keras: `BinaryFocalCrossentropy(from_logits=True)`, where α = ½ is its default without balancing; torchvision:
///   `sigmoid_focal_loss`, whose weights are half as large. PyTorch has none.
///
/// Source: Lin, Goyal, Girshick, He, Dollár (2017), Focal loss for dense object detection, arXiv:1708.02002, equation 5.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = Focal::new(2.0).loss(&tensor![0.0, 3f64.ln()], &tensor![1.0, 0.0]); // p is ½ and ¼
/// let expected = 0.25 * 2f64.ln() + 0.5625 * 4f64.ln();
/// assert_close!(loss, expected / 2.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Focal {
    gamma: f64,
    alpha: f64,
}

impl Focal {
    /// With the focus γ, usually 2.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    pub fn new(gamma: f64) -> Focal {
        Focal { gamma: Bounds::AT_LEAST_0.check("focal", "gamma", gamma), alpha: 0.5 }
    }

    /// The same preferring targets of 1 by another α, in 0..=1.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    #[must_use]
    pub fn alpha(self, alpha: f64) -> Focal {
        Focal { alpha: Bounds::UP_TO_1.check("focal", "alpha", alpha), ..self }
    }
}

impl Pointwise for Focal {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        let t = alike("focal", Outputs::Logit, y, target);
        check_yes_or_no("focal", &t);
        // With z = ±y for the right side, p is σ(z) and log(1 − p) is −softplus(z): nothing overflows.
        let z = y * (&t * 2.0 - 1.0);
        let loss = -(z.log_sigmoid() * (z.softplus() * -self.gamma).exp());
        loss * (&t * (4.0 * self.alpha - 2.0) + 2.0 * (1.0 - self.alpha))
    }
}

impl Loss for Focal {
    /// # Panics
    /// When the shapes differ, or a target is neither 0 nor 1.
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        self.each(y, target).mean(..)
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        Some(self)
    }

    fn name(&self) -> Cow<'static, str> {
        "focal".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Logit)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.gamma).with_option("alpha", self.alpha))
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "focal",
    "Binary cross-entropy of scores that counts certain answers less (Lin et al. 2017).",
    |args, ()| {
        Ok(Box::new(Focal {
            gamma: Bounds::AT_LEAST_0.main(args, "gamma", 2.0)?,
            alpha: Bounds::UP_TO_1.option(args, "alpha", 0.5)?,
        }))
    },
)
.options(&[
    ("", "how much less certain answers count"),
    ("alpha", "the weight of a target of 1 beside that of a target of 0"),
    REDUCTION,
]);

#[test]
fn without_a_focus_it_is_binary_cross_entropy() {
    use mapsto_tensor::tensor;
    let (y, t) = (tensor![1.5, -2.0, 1e4, -1e4].leaf(), tensor![1.0, 0.0, 0.0, 1.0]);
    let plain = super::bce_with_logits(&y, &t).item();
    assert!((Focal::new(0.0).loss(&y, &t).item() - plain).abs() < 1e-6 * plain);
    let loss = Focal::new(0.5).alpha(0.25).loss(&y, &t);
    assert!(loss.item().is_finite() && loss.backward().of(&y).is_finite());
}

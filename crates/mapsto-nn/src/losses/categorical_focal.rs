//! Cross-entropy that counts certain answers less.

use super::{Loss, LossKind, Pointwise, REDUCTION, check_ids, check_outputs};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{DType, Tensor};
use std::borrow::Cow;

/// The mean of `−(1 − p)ᵞ log p`, where `p` is the probability of the target in the softmax of the outputs; with γ = 0 it is
/// [`cross_entropy`](super::cross_entropy).
///
/// * Shape: `[.., k], [..] → []`; targets are class ids.
/// * Keras: `CategoricalFocalCrossentropy(alpha=1, from_logits=True)`; PyTorch has none.
///
/// Source: Lin, Goyal, Girshick, He, Dollár (2017), Focal loss for dense object detection, arXiv:1708.02002, equation 4.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = CategoricalFocal::new(2.0).loss(&tensor![[0.0, 0.0]], &tensor![1]);
/// assert_close!(loss, 0.25 * 2f64.ln());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CategoricalFocal {
    gamma: f64,
}

impl CategoricalFocal {
    /// With the focus γ, usually 2.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    pub fn new(gamma: f64) -> CategoricalFocal {
        CategoricalFocal { gamma: Bounds::AT_LEAST_0.check("categorical_focal", "gamma", gamma) }
    }
}

impl Pointwise for CategoricalFocal {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        check_outputs("categorical_focal", Outputs::Logits, y);
        check_ids("categorical_focal", y, target);
        let log_p = y.log_softmax(-1).gather(-1, &target.unsqueeze(-1)).squeeze(-1);
        // 1 − p without cancellation; bounded by a normal number, since the slope of its power need not be finite at 0.
        let least = if y.dtype() == DType::F16 { 2f64.powi(-14) } else { 1e-30 };
        let rest = (-log_p.expm1()).maximum(least);
        -(rest.pow(self.gamma) * log_p)
    }
}

impl Loss for CategoricalFocal {
    /// # Panics
    /// When the shapes do not fit, or an id is out of range.
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        self.each(y, target).mean(..)
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        Some(self)
    }

    fn name(&self) -> Cow<'static, str> {
        "categorical_focal".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Logits)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.gamma))
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "categorical_focal",
    "Cross-entropy of scores for class ids that counts certain answers less (Lin et al. 2017).",
    |args, ()| Ok(Box::new(CategoricalFocal { gamma: Bounds::AT_LEAST_0.main(args, "gamma", 2.0)? })),
)
.options(&[("", "how much less certain answers count"), REDUCTION]);

#[test]
fn certainty_stays_finite() {
    use mapsto_tensor::tensor;
    let y = tensor![[1e4, -1e4], [0.5, 1.0]].leaf();
    for gamma in [0.0, 0.5, 2.0] {
        for ids in [tensor![0, 1], tensor![1, 0]] {
            let loss = CategoricalFocal::new(gamma).loss(&y, &ids);
            assert!(loss.item().is_finite() && loss.backward().of(&y).is_finite(), "{gamma}");
        }
    }
    for dtype in [DType::F16, DType::BF16] {
        let y = y.detach().to(dtype).leaf();
        for gamma in [0.25, 0.5, 2.0] {
            let loss = CategoricalFocal::new(gamma).loss(&y, &tensor![0, 1]);
            assert!(loss.backward().of(&y).is_finite(), "{gamma} of {dtype}");
        }
    }
    let (plain, found) =
        (super::cross_entropy(&y, &tensor![0, 1]), CategoricalFocal::new(0.0).loss(&y, &tensor![0, 1]));
    assert!((plain - found).item().abs() < 1e-6);
}

//! Cross-entropy that wrong labels rule less: between it and the mean absolute error.

use super::{Loss, LossKind, Pointwise, REDUCTION, check_ids, check_outputs};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;
use std::borrow::Cow;

/// The mean of `(1 − pᵠ) / q`, where `p` is the probability of the target in the softmax of the outputs: near q = 0 it is
/// [`cross_entropy`](super::cross_entropy), with q = 1 the absolute error of `p`.
///
/// * Shape: `[.., k], [..] → []`; targets are class ids.
/// * Keras: `CategoricalGeneralizedCrossEntropy`, of probabilities; PyTorch has none.
///
/// Source: Zhang, Sabuncu (2018), Generalized cross entropy loss for training deep neural networks with noisy labels,
/// arXiv:1805.07836, equation 6.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = GeneralizedCrossEntropy::new(1.0).loss(&tensor![[0.0, 0.0]], &tensor![1]);
/// assert_close!(loss, 0.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeneralizedCrossEntropy {
    q: f64,
}

impl GeneralizedCrossEntropy {
    /// With this exponent, usually 0.5 to 0.7.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    pub fn new(q: f64) -> GeneralizedCrossEntropy {
        GeneralizedCrossEntropy { q: Bounds::ABOVE_0.check("generalized_cross_entropy", "q", q) }
    }
}

impl Pointwise for GeneralizedCrossEntropy {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        check_outputs("generalized_cross_entropy", Outputs::Logits, y);
        check_ids("generalized_cross_entropy", y, target);
        let log_p = y.log_softmax(-1).gather(-1, &target.unsqueeze(-1)).squeeze(-1);
        -(log_p * self.q).expm1() / self.q
    }
}

impl Loss for GeneralizedCrossEntropy {
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
        "generalized_cross_entropy".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Logits)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.q))
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "generalized_cross_entropy",
    "Cross-entropy of scores for class ids that wrong labels rule less (Zhang, Sabuncu 2018).",
    |args, ()| Ok(Box::new(GeneralizedCrossEntropy { q: Bounds::ABOVE_0.main(args, "q", 0.5)? })),
)
.options(&[("", "how little wrong labels count"), REDUCTION]);

#[test]
fn near_0_it_is_cross_entropy() {
    use mapsto_tensor::tensor;
    let (y, ids) = (Tensor::randn([3, 4]), tensor![0, 3, 1]);
    let difference = GeneralizedCrossEntropy::new(1e-4).loss(&y, &ids) - super::cross_entropy(&y, &ids);
    assert!(difference.item().abs() < 1e-2);
}

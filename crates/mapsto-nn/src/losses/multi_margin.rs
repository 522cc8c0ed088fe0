//! The hinge loss of classes: the right score exceeds every other one by a margin.

use super::{Loss, LossKind, Pointwise, REDUCTION, check_ids, check_outputs};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;
use std::borrow::Cow;

/// The mean over rows of `1/k · Σ max(0, margin − y[t] + y[c])`, over the classes `c ≠ t`; with [`squared`](MultiMargin::squared) of the squares.
///
/// * Shape: `[.., k], [..] → []`; targets are class ids.
/// * PyTorch: `MultiMarginLoss`, with `margin` and `p`; Keras has `CategoricalHinge`, of the largest other score alone.
///
/// Source: Weston, Watkins (1999), Support vector machines for multi-class pattern recognition.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = MultiMargin::new(1.0).loss(&tensor![[2.0, 1.5, -1.0]], &tensor![0]);
/// assert_close!(loss, 0.5 / 3.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MultiMargin {
    margin: f64,
    squared: bool,
}

impl MultiMargin {
    /// With this margin.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    pub fn new(margin: f64) -> MultiMargin {
        MultiMargin { margin: Bounds::AT_LEAST_0.check("multi_margin", "margin", margin), squared: false }
    }

    /// The same of squares, PyTorch's `p=2`.
    #[must_use]
    pub fn squared(self) -> MultiMargin {
        MultiMargin { squared: true, ..self }
    }
}

impl Pointwise for MultiMargin {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        check_outputs("multi_margin", Outputs::Logits, y);
        check_ids("multi_margin", y, target);
        let right = y.gather(-1, &target.unsqueeze(-1));
        let short = (y - right + self.margin).relu();
        let short = if self.squared { short.square() } else { short };
        let others = 1.0 - target.one_hot(y.shape()[y.rank() - 1]).to(y.dtype());
        (short * others).mean(-1)
    }
}

impl Loss for MultiMargin {
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
        "multi_margin".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Logits)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.margin).with_option("squared", self.squared))
    }
}

pub(super) const KIND: LossKind =
    LossKind::new("multi_margin", "Hinge loss of scores for class ids.", |args, ()| {
        Ok(Box::new(MultiMargin {
            margin: Bounds::AT_LEAST_0.main(args, "margin", 1.0)?,
            squared: args.get_or("squared", false)?,
        }))
    })
    .options(&[
        ("", "how much the right score should exceed the others"),
        ("squared", "whether the hinge is squared"),
        REDUCTION,
    ]);

#[test]
fn the_right_class_does_not_count_against_itself() {
    use mapsto_tensor::tensor;
    let y = tensor![[0.0, 0.0]].leaf();
    let loss = MultiMargin::new(0.5).squared().loss(&y, &tensor![1]);
    assert_eq!(loss.item(), 0.125);
    assert_eq!(loss.backward().of(&y).to_vec::<f32>(), [0.5, -0.5]);
}

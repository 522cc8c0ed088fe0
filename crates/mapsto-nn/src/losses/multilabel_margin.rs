//! The hinge loss of several classes at once: every right score exceeds every wrong one by 1.

use super::{LossKind, REDUCTION, alike, check_yes_or_no, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::{Tensor, fail};

/// The mean over rows of `1/k · Σ max(0, 1 − y[i] + y[j])`, over the classes `i` that are there (1) and `j` that are not (0).
///
/// * Shape: `[.., k], [.., k] → []`.
/// * PyTorch: `MultiLabelMarginLoss`, whose targets are lists of ids; Keras has none.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = multilabel_margin(&tensor![[1.0, 0.5, 0.0]], &tensor![[1, 1, 0]]);
/// assert_close!(loss, (0.0 + 0.5) / 3.0);
/// ```
/// # Panics
/// When the shapes differ, there is no axis of classes, or a target is neither 0 nor 1.
#[track_caller]
pub fn multilabel_margin(y: &Tensor, target: &Tensor) -> Tensor {
    each(y, target).mean(..)
}

#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    let t = alike("multilabel_margin", Outputs::Logit, y, target);
    check_yes_or_no("multilabel_margin", &t);
    if y.rank() == 0 {
        fail!("multilabel_margin", "outputs [.., classes] were expected, found a tensor without axes");
    }
    // [.., i, j]: of every class that is there and every class that is not.
    let short = (1.0 - y.unsqueeze(-1) + y.unsqueeze(-2)).relu();
    let pairs = t.unsqueeze(-1) * (1.0 - &t).unsqueeze(-2);
    (short * pairs).sum(-1).mean(-1)
}

pub(super) const KIND: LossKind = LossKind::new(
    "multilabel_margin",
    "Hinge loss of scores for several classes at once, 1 and 0.",
    |_, ()| pointwise(multilabel_margin, each, Outputs::Logit),
)
.options(&[REDUCTION])
.function(|| type_of(&multilabel_margin));

#[test]
fn fractions_are_refused() {
    use mapsto_tensor::{catch, tensor};
    let e = catch(|| multilabel_margin(&tensor![[1.0, 2.0]], &tensor![[0.5, 0.0]])).unwrap_err();
    assert_eq!(e.message(), "multilabel_margin: targets must be 0 and 1");
}

//! A loss of overlap in which false alarms and misses count differently.

use super::{Loss, LossKind, Pointwise, REDUCTION, alike, check_probabilities, range, slack};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail};
use std::borrow::Cow;

/// The mean over samples of `1 − (Σ y t + ε) / (Σ y t + α Σ y (1 − t) + β Σ (1 − y) t + ε)`, with sums over all axes but the first: α is the
/// weight of false alarms, β that of misses; with both ½ it is [`dice`](super::dice). ε is 10⁻⁷, so that nothing in place of nothing is
/// no mistake.
///
/// * Shape: `[n, ..], [n, ..] → []`; outputs are probabilities.
/// * Keras: `Tversky`, over the whole batch; PyTorch has none.
///
/// Source: Salehi, Erdogmus, Gholipour (2017), Tversky loss function for image segmentation, arXiv:1706.05721.
/// ```
/// use mapsto_nn::prelude::*;
/// let (y, t) = (tensor![[1.0, 0.5, 0.0]], tensor![[1.0, 0.0, 1.0]]);
/// assert_close!(Tversky::new().alpha(0.2).beta(0.6).loss(&y, &t), 1.0 - 1.0 / (1.0 + 0.2 * 0.5 + 0.6));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tversky {
    alpha: f64,
    beta: f64,
}

impl Tversky {
    /// With α = β = ½.
    pub fn new() -> Tversky {
        Tversky { alpha: 0.5, beta: 0.5 }
    }

    /// The same with another weight α of false alarms.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn alpha(self, alpha: f64) -> Tversky {
        Tversky { alpha: Bounds::AT_LEAST_0.check("tversky", "alpha", alpha), ..self }
    }

    /// The same with another weight β of misses.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn beta(self, beta: f64) -> Tversky {
        Tversky { beta: Bounds::AT_LEAST_0.check("tversky", "beta", beta), ..self }
    }
}

impl Default for Tversky {
    fn default() -> Tversky {
        Tversky::new()
    }
}

impl Pointwise for Tversky {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        overlap("tversky", y, target, self.alpha, self.beta)
    }
}

impl Loss for Tversky {
    /// # Panics
    /// When the shapes differ, or a number is not within 0..=1.
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        self.each(y, target).mean(..)
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        Some(self)
    }

    fn name(&self) -> Cow<'static, str> {
        "tversky".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Probabilities)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_option("alpha", self.alpha).with_option("beta", self.beta))
    }
}

/// `1 −` the overlap of each sample.
#[track_caller]
pub(super) fn overlap(loss: &str, y: &Tensor, target: &Tensor, alpha: f64, beta: f64) -> Tensor {
    let t = alike(loss, Outputs::Probabilities, y, target);
    check_probabilities(loss, &t, "give 1 for what belongs to the object and 0 for what does not");
    let outside = |(least, most): &(f64, f64)| *least < 0.0 || *most > 1.0 + slack(y);
    if let Some((least, most)) = range(y).filter(outside) {
        fail!(loss, "outputs should be probabilities, they reach from {least} to {most}"; help = "end the model in `sigmoid`");
    }
    if y.rank() == 0 {
        fail!(loss, "outputs [samples, ..] were expected, found a tensor without axes");
    }
    let n = y.shape()[0] as isize;
    let (y, t) = (y.reshape([n, -1]), t.reshape([n, -1]));
    let both = (&y * &t).sum(-1);
    let (alarms, misses) = (y.sum(-1) - &both, t.sum(-1) - &both);
    1.0 - (&both + 1e-7) / (&both + alarms * alpha + misses * beta + 1e-7)
}

pub(super) const KIND: LossKind = LossKind::new(
    "tversky",
    "Overlap of probabilities with targets, where false alarms and misses count differently.",
    |args, ()| {
        Ok(Box::new(Tversky {
            alpha: Bounds::AT_LEAST_0.option(args, "alpha", 0.5)?,
            beta: Bounds::AT_LEAST_0.option(args, "beta", 0.5)?,
        }))
    },
)
.options(&[("alpha", "the weight of false alarms"), ("beta", "the weight of misses"), REDUCTION]);

#[test]
fn nothing_in_place_of_nothing_is_right() {
    let none = Tensor::zeros([2, 3]);
    assert_eq!(Tversky::new().loss(&none, &none).item(), 0.0);
}

//! A contrastive loss: each output finds its own target among all targets of the batch.

use super::cosine_similarity::unit;
use super::{Loss, LossKind, REDUCTION, alike};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail};
use std::borrow::Cow;

/// `−mean log softmax(s)ᵢᵢ`, where `sᵢⱼ` is the cosine of the angle between output `i` and target `j`, divided by the temperature.
///
/// * Shape: `[n, d], [n, d] → []`.
/// * PyTorch and Keras have none.
///
/// Source: van den Oord, Li, Vinyals (2018), Representation learning with contrastive predictive coding, arXiv:1807.03748, equation 4.
/// ```
/// use mapsto_nn::prelude::*;
/// let (y, t) = (tensor![[1.0, 0.0], [0.0, 1.0]], tensor![[2.0, 0.0], [0.0, 3.0]]);
/// assert_close!(InfoNce::new(0.5).loss(&y, &t), (1.0 + (-2f64).exp()).ln());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InfoNce {
    temperature: f64,
}

impl InfoNce {
    /// With this temperature, usually 0.05 to 0.5.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    pub fn new(temperature: f64) -> InfoNce {
        InfoNce { temperature: Bounds::ABOVE_0.check("info_nce", "temperature", temperature) }
    }
}

impl Loss for InfoNce {
    /// # Panics
    /// When the shapes differ, or are not `[n, d]` with at least two vectors.
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        let t = alike("info_nce", Outputs::Values, y, target);
        let n = pairs("info_nce", y);
        let scores = unit(y).matmul(&unit(&t).t()) / self.temperature;
        scores.cross_entropy(&y.device().scope(|| Tensor::arange(0..n as i64)))
    }

    fn name(&self) -> Cow<'static, str> {
        "info_nce".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Values)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.temperature))
    }
}

/// The number of vectors, of which there must be others than the own.
#[track_caller]
pub(super) fn pairs(loss: &str, y: &Tensor) -> usize {
    match *y.shape() {
        [n, d] if n > 1 && d > 1 => n,
        [_, 1] => fail!(loss, "vectors of one number have the cosines 1 and -1 alone, found {:?}", y.shape();
                        help = "give the model two outputs or more"),
        _ => fail!(loss, "a batch of at least 2 vectors [n, d] was expected, found {:?}", y.shape()),
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "info_nce",
    "Each output finds its own target among all of the batch (van den Oord et al. 2018).",
    |args, ()| Ok(Box::new(InfoNce { temperature: Bounds::ABOVE_0.main(args, "temperature", 0.1)? })),
)
.options(&[("", "what cosines are divided by: small for hard decisions"), REDUCTION]);

#[test]
fn one_pair_alone_is_refused() {
    let e = mapsto_tensor::catch(|| InfoNce::new(0.1).loss(&Tensor::ones([1, 3]), &Tensor::ones([1, 3])))
        .unwrap_err();
    assert!(e.message().contains("a batch of at least 2 vectors [n, d] was expected, found [1, 3]"), "{e}");
}

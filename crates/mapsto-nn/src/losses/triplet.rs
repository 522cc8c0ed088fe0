//! The triplet loss with mining: the triplets are found among the vectors of a batch.

use super::circle::Pairs;
use super::{Loss, LossKind, REDUCTION};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;
use std::borrow::Cow;

/// `mean max(0, dₚ − dₙ + margin)` over the anchors of a batch, where `dₚ` is the distance of the farthest vector of the same class
/// and `dₙ` that of the nearest one of another class; or over all triplets that are not yet right by the margin.
///
/// Vectors without another of their class, or without one of another class, are no anchors.
///
/// * Shape: `[n, d], [n] → []`; targets are class ids.
/// * PyTorch's `TripletMarginLoss` is [`triplet_margin`](super::triplet_margin), of triplets that are given; TensorFlow Addons:
///   `TripletHardLoss`.
///
/// Source: Hermans, Beyer, Leibe (2017), In defense of the triplet loss, arXiv:1703.07737, equations 5 and 6, the latter's mean over
/// what is not 0.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = tensor![[0.0], [1.0], [3.0], [3.5]];
/// let ids = tensor![0, 0, 1, 1];
/// assert_close!(Triplet::new(2.0).loss(&y, &ids), (0.0 + 1.0 + 0.5 + 0.0) / 4.0);
/// assert_close!(Triplet::new(2.0).all().loss(&y, &ids), (1.0 + 0.5 + 0.5) / 3.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Triplet {
    margin: f64,
    all: bool,
}

impl Triplet {
    /// With this margin, of the hardest triplet of each anchor.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    pub fn new(margin: f64) -> Triplet {
        Triplet { margin: Bounds::ABOVE_0.check("triplet", "margin", margin), all: false }
    }

    /// The same of all triplets that are not yet right by the margin, which takes the memory of all triplets.
    #[must_use]
    pub fn all(self) -> Triplet {
        Triplet { all: true, ..self }
    }
}

const MINING: [(&str, bool); 2] = [("hard", false), ("all", true)];

impl Loss for Triplet {
    /// # Panics
    /// When the shapes do not fit, or no vector has another of its class and one of another class.
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        let pairs = Pairs::new("triplet", y, target);
        let d = y.index_select(0, &pairs.anchors).cdist(y, 2.0); // [a, n]
        if !self.all {
            let far = d.masked_fill(&pairs.same.not(), f64::NEG_INFINITY).max(-1);
            let near = d.masked_fill(&pairs.other.not(), f64::INFINITY).min(-1);
            return (far - near + self.margin).relu().mean(..);
        }
        let triplets = pairs.same.unsqueeze(2).and(&pairs.other.unsqueeze(1)); // [a, n, n]
        let short = (d.unsqueeze(2) - d.unsqueeze(1) + self.margin).relu();
        let short = short.masked_fill(&triplets.not(), 0.0);
        let wrong = short.detach().gt(0.0).to(y.dtype()).sum(..);
        short.sum(..) / wrong.maximum(1.0)
    }

    fn name(&self) -> Cow<'static, str> {
        "triplet".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Values)
    }

    fn entry(&self) -> Option<Entry> {
        let mining = MINING.iter().find(|(_, all)| *all == self.all).map_or("", |(word, _)| word);
        Some(Entry::new(KIND.name).with_value(self.margin).with_option("mining", mining))
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "triplet",
    "Vectors are nearer to those of their class than to others by a margin, by class ids (Hermans et al. 2017).",
    |args, ()| {
        let margin = Bounds::ABOVE_0.main(args, "margin", 1.0)?;
        let word: String = args.get_or("mining", "hard".to_string())?;
        match MINING.iter().find(|(known, _)| *known == word) {
            Some((_, all)) => Ok(Box::new(Triplet { margin, all: *all })),
            None => Err(args.error("mining", format!("`mining` must be \"hard\" or \"all\", got \"{word}\""))),
        }
    },
)
.options(&[
    ("", "by how much"),
    ("mining", "`\"hard\"` takes the hardest triplet of each vector, `\"all\"` all that are not yet right"),
    REDUCTION,
]);

#[test]
fn equal_vectors_have_a_slope_and_right_ones_a_loss_of_0() {
    use mapsto_tensor::{catch, tensor};
    let y = Tensor::ones([4, 2]).leaf();
    for loss in [Triplet::new(1.0), Triplet::new(1.0).all()] {
        let found = loss.loss(&y, &tensor![0, 0, 1, 1]);
        assert!(found.item() == 1.0 && found.backward().of(&y).is_finite());
        let apart = tensor![[0.0], [0.5], [9.0], [9.5]].leaf();
        let found = loss.loss(&apart, &tensor![0, 0, 1, 1]);
        assert!(found.item() == 0.0 && found.backward().of(&apart).is_finite());
        assert!(catch(|| loss.loss(&y, &tensor![0, 0, 0, 0])).is_err());
    }
}

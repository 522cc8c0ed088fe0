//! The circle loss: of embeddings, those of one class come together and others part, each pair the more the farther it is from its goal.

use super::cosine_similarity::unit;
use super::{Loss, LossKind, REDUCTION, check_outputs};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail};
use std::borrow::Cow;

/// The mean over anchors of `softplus(log Σ exp(γ αₙ (sₙ − m)) + log Σ exp(−γ αₚ (sₚ − 1 + m)))`, where `sₚ` and `sₙ` are the cosines of
/// the angles to the vectors of the same and of other classes, and the weights `αₚ = max(0, 1 + m − sₚ)` and `αₙ = max(0, m + sₙ)`
/// have no derivative.
///
/// Vectors without another of their class, or without one of another class, are no anchors.
///
/// * Shape: `[n, d], [n] → []`; targets are class ids.
/// * Keras: `Circle(gamma=80, margin=0.4)`; PyTorch has none.
///
/// Source: Sun et al. (2020), Circle loss, arXiv:2002.10857, equations 4 to 8, and the authors' program for the weights.
/// ```
/// use mapsto_nn::prelude::*;
/// let apart = tensor![[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]];
/// let loss = Circle::new(0.25).scale(8.0);
/// assert!(loss.loss(&apart, &tensor![0, 0, 1, 1]).item() < 0.8);
/// assert!(loss.loss(&apart, &tensor![0, 1, 0, 1]).item() > 7.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    margin: f64,
    scale: f64,
}

impl Circle {
    /// With this margin, usually 0.25 to 0.4, and a scale of 80.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    pub fn new(margin: f64) -> Circle {
        Circle { margin: Bounds::ABOVE_0.check("circle", "margin", margin), scale: 80.0 }
    }

    /// The same with another scale, `γ`.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn scale(self, scale: f64) -> Circle {
        Circle { scale: Bounds::ABOVE_0.check("circle", "scale", scale), ..self }
    }
}

impl Loss for Circle {
    /// # Panics
    /// When the shapes do not fit, or no vector has another of its class and one of another class.
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        let pairs = Pairs::new("circle", y, target);
        let s = unit(y).matmul(&unit(y).t()).index_select(0, &pairs.anchors);
        let (least, m) = (s.detach(), self.margin);
        let near = (&least * -1.0 + (1.0 + m)).relu() * (&s - (1.0 - m)) * -self.scale;
        let far = (&least + m).relu() * (&s - m) * self.scale;
        let sum =
            |terms: Tensor, which: &Tensor| terms.masked_fill(&which.not(), f64::NEG_INFINITY).logsumexp(-1);
        (sum(near, &pairs.same) + sum(far, &pairs.other)).softplus().mean(..)
    }

    fn name(&self) -> Cow<'static, str> {
        "circle".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Values)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.margin).with_option("scale", self.scale))
    }
}

/// The vectors of a batch that have another of their class and one of another class, and for each which they are.
pub(super) struct Pairs {
    /// The places of the anchors, `[a]`.
    pub(super) anchors: Tensor,
    /// True for the others of its class, `[a, n]`.
    pub(super) same: Tensor,
    /// True for those of other classes, `[a, n]`.
    pub(super) other: Tensor,
}

impl Pairs {
    #[track_caller]
    pub(super) fn new(loss: &str, y: &Tensor, ids: &Tensor) -> Pairs {
        check_outputs(loss, Outputs::Values, y);
        let &[n, _] = y.shape() else {
            fail!(loss, "a batch of vectors [n, d] was expected, found {:?}", y.shape());
        };
        if ids.dtype().is_float() || ids.shape() != [n] {
            fail!(loss, "outputs {:?} need class ids [{n}], found {:?} of {}", y.shape(), ids.shape(), ids.dtype();
                  help = "give one integer for each vector: those of one id are alike");
        }
        let places = y.device().scope(|| Tensor::arange(0..n as i64));
        let alike = ids.unsqueeze(1).eq(ids.unsqueeze(0));
        let (same, other) = (alike.and(&places.unsqueeze(1).ne(&places)), alike.not());
        let anchors = same.any(-1).and(&other.any(-1)).nonzero().flatten(0);
        if anchors.is_empty() {
            fail!(loss, "no vector has another of its class and one of another class";
                  help = "draw batches of several classes with several samples each");
        }
        let of = |x: Tensor| x.index_select(0, &anchors);
        Pairs { same: of(same), other: of(other), anchors }
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "circle",
    "Embeddings of one class come together and others part, by class ids (Sun et al. 2020).",
    |args, ()| {
        let margin = Bounds::ABOVE_0.main(args, "margin", 0.4)?;
        Ok(Box::new(Circle { margin, scale: Bounds::ABOVE_0.option(args, "scale", 80.0)? }))
    },
)
.options(&[
    ("", "how far classes should be apart"),
    ("scale", "what weighted cosines are multiplied by, large for hard decisions"),
    REDUCTION,
]);

#[test]
fn a_batch_of_one_class_is_refused() {
    use mapsto_tensor::{catch, tensor};
    let y = Tensor::randn([3, 4]);
    let e = catch(|| Circle::new(0.4).loss(&y, &tensor![1, 1, 1])).unwrap_err();
    assert!(e.message().contains("no vector has another of its class and one of another class"), "{e}");
    let e = catch(|| Circle::new(0.4).loss(&y, &tensor![1.0, 1.0, 2.0])).unwrap_err();
    assert!(e.message().contains("need class ids [3], found [3] of f32"), "{e}");
    // One that is alone in its class changes nothing but for being another.
    let leaf = Tensor::randn([4, 3]).leaf();
    let loss = Circle::new(0.4).loss(&leaf, &tensor![0, 0, 1, 1]);
    assert!(loss.backward().of(&leaf).is_finite());
}

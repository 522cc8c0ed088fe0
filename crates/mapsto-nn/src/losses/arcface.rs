//! Cross-entropy of angles, in which the right class has to be nearer by a margin.

use super::{Loss, LossKind, REDUCTION, check_ids, check_outputs, range, slack};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail};
use std::borrow::Cow;

/// Cross-entropy of `scale · cos θ`, where `θ` is the angle that an output is the cosine of, and the right class has `cos(θ + margin)` instead;
/// beyond `θ = π − margin`, where that would rise again, `cos θ − margin · sin(margin)`.
///
/// * Shape: `[.., k], [..] → []`; outputs are cosines, targets class ids.
/// * PyTorch and Keras have none.
///
/// Source: Deng, Guo, Xue, Zafeiriou (2019), ArcFace, arXiv:1801.07698, equation 3.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = ArcFace::new(0.0).scale(2.0).loss(&tensor![[0.5, -0.5]], &tensor![0]);
/// assert_close!(loss, (1.0 + (-2f64).exp()).ln());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArcFace {
    margin: f64,
    scale: f64,
}

impl ArcFace {
    /// With this margin, an angle; the factor is 64.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    pub fn new(margin: f64) -> ArcFace {
        ArcFace { margin: Bounds::AT_LEAST_0.check("arcface", "margin", margin), scale: 64.0 }
    }

    /// The same with another factor on cosines.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn scale(self, scale: f64) -> ArcFace {
        ArcFace { scale: Bounds::ABOVE_0.check("arcface", "scale", scale), ..self }
    }
}

impl Loss for ArcFace {
    /// # Panics
    /// When the shapes do not fit, an id is out of range, or an output is no cosine.
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        check_outputs("arcface", Outputs::Logits, y);
        check_ids("arcface", y, target);
        let outside = |(least, most): &(f64, f64)| *least < -1.0 - slack(y) || *most > 1.0 + slack(y);
        if let Some((least, most)) = range(y).filter(outside) {
            fail!("arcface", "outputs should be cosines from −1 to 1, they reach from {least} to {most}";
                  help = "bring the features and the rows of the last weight to length 1");
        }
        let (sin, cos) = self.margin.sin_cos();
        // The slope of the sine is infinite at 0.
        let height = (1.0 - y.square()).maximum(1e-12).sqrt();
        let nearer = y.gt(-cos).choose(y * cos - height * sin, y - self.margin * sin);
        let right = target.one_hot(y.shape()[y.rank() - 1]).gt(0.5);
        (right.choose(&nearer, y) * self.scale).cross_entropy(target)
    }

    fn name(&self) -> Cow<'static, str> {
        "arcface".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Logits)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.margin).with_option("scale", self.scale))
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "arcface",
    "Cross-entropy of cosines in which the right class has to be nearer by an angle (Deng et al. 2019).",
    |args, ()| {
        Ok(Box::new(ArcFace {
            margin: Bounds::AT_LEAST_0.main(args, "margin", 0.5)?,
            scale: Bounds::ABOVE_0.option(args, "scale", 64.0)?,
        }))
    },
)
.options(&[
    ("", "the angle by which the right class has to be nearer"),
    ("scale", "the factor on cosines"),
    REDUCTION,
]);

#[test]
fn a_margin_makes_it_harder() {
    use mapsto_tensor::tensor;
    let (y, ids) = (tensor![[0.9, -1.0], [1.0, -0.95]].leaf(), tensor![0, 1]);
    let [easy, hard] = [0.0, 0.5].map(|margin| ArcFace::new(margin).scale(4.0).loss(&y, &ids));
    assert!(easy.item() < hard.item() && hard.backward().of(&y).is_finite());
}

//! Binary cross-entropy of logits: a sigmoid and its loss in one, exact where the sigmoid saturates.

use super::{Loss, LossKind, Pointwise, REDUCTION, alike, check_probabilities};
use crate::Outputs;
use mapsto_spec::{Args, Bounds, Entry, type_of};
use mapsto_tensor::{DType, Result, Tensor, fail};
use std::borrow::Cow;

/// Binary cross-entropy of `σ(y)`: `mean (softplus(y) − t y)`, with `softplus(y) = log(1 + eʸ)`.
///
/// * Shape: `[..], [..] → []`.   * Gradient: `(σ(y) − t) / count`.
/// * PyTorch: `BCEWithLogitsLoss`, and `MultiLabelSoftMarginLoss`, which is the same; Keras: `BinaryCrossentropy(from_logits=True)`.
/// ```
/// use mapsto_nn::prelude::*;
/// let (y, t) = (tensor![0.0, 100.0, -100.0], tensor![1.0, 1.0, 1.0]);
/// assert_close!(bce_with_logits(&y, &t), (2f64.ln() + 0.0 + 100.0) / 3.0);
/// ```
/// # Panics
/// When the shapes differ, or when the target holds something outside of 0..1.
#[track_caller]
pub fn bce_with_logits(y: &Tensor, target: &Tensor) -> Tensor {
    let t = alike("bce_with_logits", Outputs::Logit, y, target);
    y.bce_with_logits(&t)
}

/// Binary cross-entropy of logits in which targets of 1, or classes, count by weights of their own.
///
/// `mean w ((1 − t) y − (1 + (p − 1) t) log σ(y))`, with the weights `w` and the weights of targets of 1 `p` of the classes on the
/// last axis; each is 1 where it is not given.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = BceWithLogits::new().pos_weight(tensor![3.0, 1.0]).weights(tensor![1.0, 2.0]);
/// assert_close!(loss.loss(&tensor![[0.0, 0.0]], &tensor![[1.0, 0.0]]), 2.5 * 2f64.ln());
/// ```
#[derive(Clone, Debug, Default)]
pub struct BceWithLogits {
    pos_weight: Option<Tensor>,
    weights: Option<Tensor>,
}

impl BceWithLogits {
    /// Without weights: [`bce_with_logits`].
    pub fn new() -> BceWithLogits {
        BceWithLogits::default()
    }

    /// Lets targets of 1 count so many times, `[1]` or one number for each class on the last axis: more finds more of them.
    ///
    /// # Panics
    /// When they are not one axis of finite numbers of at least 0.
    #[track_caller]
    #[must_use]
    pub fn pos_weight(self, pos_weight: Tensor) -> BceWithLogits {
        BceWithLogits { pos_weight: Some(checked("pos_weight", pos_weight)), ..self }
    }

    /// Lets each class on the last axis count by its weight.
    ///
    /// # Panics
    /// When they are not one axis of finite numbers of at least 0.
    #[track_caller]
    #[must_use]
    pub fn weights(self, weights: Tensor) -> BceWithLogits {
        BceWithLogits { weights: Some(checked("weights", weights)), ..self }
    }
}

#[track_caller]
fn checked(name: &str, weights: Tensor) -> Tensor {
    if let Some(wrong) = wrong(name, weights.shape(), &weights.to(DType::F64).to_vec::<f64>()) {
        fail!("bce_with_logits", "{wrong}");
    }
    weights.detach()
}

/// What is wrong with weights.
fn wrong(name: &str, shape: &[usize], weights: &[f64]) -> Option<String> {
    if shape.len() != 1 || weights.is_empty() {
        return Some(format!(
            "`{name}` must be a list of numbers, one for each class, got the shape {shape:?}"
        ));
    }
    let outside = weights.iter().find(|&&w| !Bounds::AT_LEAST_0.hold(w))?;
    Some(Bounds::AT_LEAST_0.complaint(&format!("each number of `{name}`"), *outside))
}

impl Pointwise for BceWithLogits {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        let t = alike("bce_with_logits", Outputs::Logit, y, target);
        check_probabilities("bce_with_logits", &t, "give 1 for yes and 0 for no");
        let of = |name: &str, weights: &Option<Tensor>| {
            weights.as_ref().map(|w| {
                if w.len() != 1 && y.shape().last() != Some(&w.len()) {
                    fail!("bce_with_logits", "`{name}` has {} numbers, and the outputs are {:?}", w.len(), y.shape();
                          help = "give one number for each class, the last axis");
                }
                w.to(y.dtype()).to_device(y.device())
            })
        };
        let more = of("pos_weight", &self.pos_weight).map_or(1.0 + &t * 0.0, |p| 1.0 + &t * (p - 1.0));
        let values = (1.0 - &t) * y - more * y.log_sigmoid();
        of("weights", &self.weights).map_or(values.clone(), |w| values * w)
    }
}

impl Loss for BceWithLogits {
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        match (&self.pos_weight, &self.weights) {
            (None, None) => bce_with_logits(y, target),
            _ => self.each(y, target).mean(..),
        }
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        Some(self)
    }

    fn name(&self) -> Cow<'static, str> {
        "bce_with_logits".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Logit)
    }

    fn entry(&self) -> Option<Entry> {
        let lists = [("pos_weight", &self.pos_weight), ("weights", &self.weights)];
        let given = lists.into_iter().filter_map(|(name, list)| Some((name, list.as_ref()?)));
        Some(given.fold(Entry::new(KIND.name), |entry, (name, list)| {
            entry.with_option(name, list.to(DType::F64).to_vec::<f64>())
        }))
    }
}

fn list(args: &mut Args, name: &str) -> Result<Option<Tensor>> {
    let Some(list) = args.optional::<Vec<f64>>(name)? else { return Ok(None) };
    let n = list.len();
    match wrong(name, &[n], &list) {
        Some(wrong) => Err(args.error(name, wrong)),
        None => Ok(Some(Tensor::from_vec(list.into_iter().map(|w| w as f32).collect(), n))),
    }
}

pub(super) const KIND: LossKind =
    LossKind::new("bce_with_logits", "Binary cross-entropy of the values before a sigmoid.", |args, ()| {
        let pos_weight = list(args, "pos_weight")?;
        Ok(Box::new(BceWithLogits { pos_weight, weights: list(args, "weights")? }))
    })
    .options(&[
        ("pos_weight", "how many times targets of 1 count, one number for all classes or one for each"),
        ("weights", "how much each class counts, one number for each"),
        REDUCTION,
    ])
    .function(|| type_of(&bce_with_logits));

#[cfg(test)]
mod tests {
    use crate::losses::Pointwise;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn it_is_bce_after_a_sigmoid() {
        let (y, t) = (Tensor::randn([50]), Tensor::rand([50]));
        let difference = (bce_with_logits(&y, &t) - bce(&y.sigmoid(), &t)).item();
        assert!(difference.abs() < 1e-6, "{difference}");
        let difference = (bce_with_logits(&y, &t) - BceWithLogits::new().each(&y, &t).mean(..)).item();
        assert!(difference.abs() < 1e-6, "{difference}");
    }

    #[test]
    fn weights_are_checked_and_said() {
        let entry = Entry::new("bce_with_logits").with_option("pos_weight", vec![3.0]);
        check_entry::<dyn Loss>(&entry.with_option("weights", vec![0.5, 2.0]), &());
        let message = |f: &dyn Fn() -> Tensor| catch(f).unwrap_err().message().to_string();
        let loss = BceWithLogits::new().pos_weight(tensor![1.0, 2.0]);
        assert!(
            message(&|| loss.loss(&Tensor::zeros([2, 3]), &Tensor::zeros([2, 3])))
                .contains("`pos_weight` has 2 numbers")
        );
        let wrong = || _ = BceWithLogits::new().weights(tensor![1.0, -2.0]);
        assert!(
            catch(wrong)
                .unwrap_err()
                .message()
                .contains("each number of `weights` must be finite and at least 0")
        );
        let y = tensor![[1e4, -1e4]].leaf();
        let loss = BceWithLogits::new().pos_weight(tensor![5.0]).loss(&y, &tensor![[0.0, 1.0]]);
        assert_eq!(loss.item(), 3e4);
        assert!(loss.backward().of(&y).is_finite());
    }
}

//! Cross-entropy of logits: a softmax and its loss in one, for class ids or probabilities.

use super::{Loss, LossKind, alike, check_ids};
#[allow(unused_imports)]
use crate::pending::Pending;
use mapsto_tensor::{Tensor, fail};
use std::borrow::Cow;

/// Cross-entropy of the softmax of logits: `−mean log softmax(y)[t]` for class ids, `−mean Σ t log softmax(y)` for
/// probabilities.
///
/// Targets of an integer dtype are class ids, floats are probabilities; a float tensor of ids is an error, not a guess.
///
/// * Shape: `[.., classes]` with ids `[..]` or probabilities `[.., classes]` `→ []`.
/// * Gradient: `(softmax(y) − t) / rows`.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = tensor![[1.0, 3.0], [0.0, 0.0]];
/// let expected = ((1.0 + (-2f64).exp()).ln() + 2f64.ln()) / 2.0;
/// assert_close!(cross_entropy(&y, &tensor![1, 0]), expected);
/// assert_close!(cross_entropy(&y, &tensor![[0.0, 1.0], [0.5, 0.5]]), expected);
/// ```
/// # Panics
/// When the shapes do not fit or an id is out of range.
#[track_caller]
pub fn cross_entropy(y: &Tensor, target: &Tensor) -> Tensor {
    CrossEntropy::new().loss(y, target)
}

/// Cross-entropy with label smoothing, class weights or an id that is ignored.
///
/// For class ids: `Σᵢ w[tᵢ] ((1 − s) · −log pᵢ[tᵢ]) + s/k · Σ_c w[c] · −log pᵢ[c]`, divided by `Σᵢ w[tᵢ]`, over the rows
/// that are not ignored. For probabilities `t` becomes `(1 − s) t + s/k` and the mean is over the rows.
///
/// Source of the smoothing: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna (2015), arXiv:1512.00567, section 7.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = CrossEntropy::new().weights(tensor![1.0, 3.0]).ignore_index(-100);
/// let y = tensor![[0.0, 0.0], [0.0, 2.0], [9.0, 9.0]];
/// let expected = (2f64.ln() + 3.0 * (1.0 + (-2f64).exp()).ln()) / 4.0;
/// assert_close!(loss.loss(&y, &tensor![0, 1, -100]), expected);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CrossEntropy {
    smoothing: f64,
    weights: Option<Tensor>,
    ignore: Option<i64>,
}

impl CrossEntropy {
    /// Without smoothing, weights or an ignored id.
    pub fn new() -> CrossEntropy {
        CrossEntropy::default()
    }

    /// Gives the share `s` in 0..1 of the certainty to all classes alike.
    ///
    /// # Panics
    /// When `s` is not in 0..1.
    #[track_caller]
    pub fn label_smoothing(self, s: f64) -> CrossEntropy {
        if !(0.0..1.0).contains(&s) {
            fail!("cross_entropy", "label smoothing in 0..1 was expected, found {s}");
        }
        CrossEntropy { smoothing: s, ..self }
    }

    /// Lets each class count by its weight, `[classes]`.
    ///
    /// # Panics
    /// When the weights have more than one axis.
    #[track_caller]
    pub fn weights(self, weights: Tensor) -> CrossEntropy {
        if weights.rank() != 1 {
            fail!("cross_entropy", "weights [classes] were expected, found {:?}", weights.shape());
        }
        CrossEntropy { weights: Some(weights.detach()), ..self }
    }

    /// Leaves out the rows with this id, which need not be one of a class.
    pub fn ignore_index(self, id: i64) -> CrossEntropy {
        CrossEntropy { ignore: Some(id), ..self }
    }

    fn is_plain(&self) -> bool {
        self.smoothing == 0.0 && self.weights.is_none() && self.ignore.is_none()
    }

    /// The weights in the dtype of the outputs `y`.
    #[track_caller]
    fn weights_for(&self, y: &Tensor) -> Option<Tensor> {
        let w = self.weights.as_ref()?;
        let k = y.shape().last().copied().unwrap_or(0);
        if w.len() != k {
            fail!("cross_entropy", "{} weights for {k} classes", w.len());
        }
        Some(w.to(y.dtype()))
    }

    #[track_caller]
    fn of_ids(&self, y: &Tensor, ids: &Tensor) -> Tensor {
        check_ids("cross_entropy", y, ids, self.ignore);
        let log_p = y.log_softmax(-1);
        if self.is_plain() {
            return -log_p.gather(-1, &ids.unsqueeze(-1)).mean(..);
        }
        let k = y.shape()[y.rank() - 1];
        // Ignored rows look at class 0 and count with weight 0.
        let (ids, counts) = match self.ignore {
            Some(id) => {
                let ignored = ids.eq(id);
                (ids.masked_fill(&ignored, 0.0), ids.ne(id).to(y.dtype()))
            }
            None => (ids.clone(), Tensor::ones_like(&y.detach().select(-1, 0))),
        };
        let picked = log_p.gather(-1, &ids.unsqueeze(-1)).squeeze(-1);
        let weights = self.weights_for(y);
        let (each, total) = match &weights {
            Some(w) => {
                let of_row = w.index_select(0, &ids.reshape([-1])).reshape(ids.shape()) * &counts;
                (picked * &of_row, of_row.sum(..))
            }
            None => (picked * &counts, counts.sum(..)),
        };
        let mut sum = each.sum(..) * (1.0 - self.smoothing);
        if self.smoothing > 0.0 {
            let spread = match &weights {
                Some(w) => (log_p * w).sum(-1),
                None => log_p.sum(-1),
            };
            sum = sum + (spread * &counts).sum(..) * (self.smoothing / k as f64);
        }
        if total.item() == 0.0 {
            fail!("cross_entropy", "every row of the batch is ignored or has weight 0: the mean of nothing");
        }
        -sum / total
    }

    #[track_caller]
    fn of_probabilities(&self, y: &Tensor, target: &Tensor) -> Tensor {
        if let Some(id) = self.ignore {
            fail!("cross_entropy", "`ignore_index({id})` is about class ids, the targets are probabilities");
        }
        if y.rank() == target.rank() + 1 {
            fail!("cross_entropy", "targets {:?} of {} are neither class ids nor probabilities for outputs {:?}",
                  target.shape(), target.dtype(), y.shape(); help = "class ids are integers: `target.to(DType::I64)`");
        }
        let mut t = alike("cross_entropy", y, target);
        let k = y.shape().last().copied().unwrap_or(1);
        if self.smoothing > 0.0 {
            t = t * (1.0 - self.smoothing) + self.smoothing / k as f64;
        }
        let log_p = y.log_softmax(-1);
        let each = match self.weights_for(y) {
            Some(w) => log_p * w * t,
            None => log_p * t,
        };
        -each.sum(-1).mean(..)
    }
}

impl Loss for CrossEntropy {
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        if target.dtype().is_float() { self.of_probabilities(y, target) } else { self.of_ids(y, target) }
    }

    fn name(&self) -> Cow<'static, str> {
        "cross_entropy".into()
    }

    fn weight(&self, target: &Tensor) -> f64 {
        if target.dtype().is_float() || (self.weights.is_none() && self.ignore.is_none()) {
            return target.shape().first().copied().unwrap_or(1) as f64;
        }
        let weights = self.weights.as_ref().map(|w| w.to_vec::<f32>());
        let of = |id: i64| match (&weights, usize::try_from(id)) {
            _ if Some(id) == self.ignore => 0.0,
            (Some(w), Ok(id)) => w.get(id).copied().unwrap_or(0.0) as f64,
            _ => 1.0,
        };
        target.to_vec::<i64>().into_iter().map(of).sum()
    }
}

pub(super) const KIND: LossKind = LossKind {
    name: "cross_entropy",
    doc: "Cross-entropy of the values before a softmax, for class ids or probabilities.",
    build: |args| {
        let smoothing: f64 = args.get_or("label_smoothing", 0.0)?;
        if !(0.0..1.0).contains(&smoothing) {
            return Err(
                args.error("label_smoothing", format!("a share in 0..1 was expected, found {smoothing}"))
            );
        }
        let mut loss = CrossEntropy::new().label_smoothing(smoothing);
        if let Some(weights) = args.optional::<Vec<f64>>("weights")? {
            let n = weights.len();
            loss = loss.weights(Tensor::from_vec(weights.into_iter().map(|w| w as f32).collect(), n));
        }
        if let Some(id) = args.optional::<i64>("ignore_index")? {
            loss = loss.ignore_index(id);
        }
        Ok(Box::new(loss))
    },
};

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use mapsto_spec::Entry;

    /// The definition in f64, row by row.
    fn reference(y: &[[f64; 3]], ids: &[i64], s: f64, w: [f64; 3], ignore: i64) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for (row, &id) in y.iter().zip(ids) {
            if id == ignore {
                continue;
            }
            let z = row.iter().map(|v| v.exp()).sum::<f64>().ln();
            let nll = row.map(|v| z - v);
            sum += (1.0 - s) * w[id as usize] * nll[id as usize];
            sum += s / 3.0 * (0..3).map(|c| w[c] * nll[c]).sum::<f64>();
            total += w[id as usize];
        }
        sum / total
    }

    const Y: [[f64; 3]; 4] = [[1.0, -2.0, 0.5], [0.0, 3.0, -1.0], [2.0, 2.0, 2.0], [-1.0, 0.0, 4.0]];

    #[test]
    fn every_combination_equals_its_definition() {
        let y = tensor![Y[0], Y[1], Y[2], Y[3]];
        let ids = [2_i64, 1, 0, -7];
        for s in [0.0, 0.1] {
            for w in [[1.0, 1.0, 1.0], [0.5, 2.0, 3.0]] {
                let loss = CrossEntropy::new().label_smoothing(s).ignore_index(-7);
                let loss = if w == [1.0; 3] { loss } else { loss.weights(tensor![w[0], w[1], w[2]]) };
                let found = loss.loss(&y, &Tensor::from_slice(&ids, 4)).item();
                assert!((found - reference(&Y, &ids, s, w, -7)).abs() < 1e-6, "{s} {w:?}");
                let total: f64 = ids[..3].iter().map(|&i| w[i as usize]).sum();
                assert!((loss.weight(&Tensor::from_slice(&ids, 4)) - total).abs() < 1e-6);
            }
        }
        // Ids are certain probabilities; smoothing and weights act alike where the weights are equal.
        let loss = CrossEntropy::new().label_smoothing(0.2);
        let (by_id, by_p) = (
            loss.loss(&y, &tensor![2, 1, 0, 1]),
            loss.loss(&y, &tensor![2, 1, 0, 1].one_hot(3).to(DType::F32)),
        );
        assert!((by_id - by_p).item().abs() < 1e-6);
    }

    #[test]
    fn the_gradient_is_softmax_minus_target() {
        let y = Tensor::randn([5, 4]).leaf();
        let ids = tensor![0, 3, 3, 1, 2];
        let grads = cross_entropy(&y, &ids).backward();
        assert_close!(grads.of(&y), (y.detach().softmax(-1) - ids.one_hot(4).to(DType::F32)) / 5.0);
        let ignored = CrossEntropy::new().ignore_index(3).loss(&y, &ids).backward();
        assert_close!(ignored.of(&y).slice(0, 1..3), Tensor::zeros([2, 4]));
    }

    #[test]
    fn extreme_logits_stay_finite() {
        let y = tensor![[1000.0, -1000.0]].leaf();
        let loss = cross_entropy(&y, &tensor![1]);
        assert_eq!(loss.item(), 2000.0);
        assert_close!(loss.backward().of(&y), [[1.0, -1.0]]);
    }

    #[test]
    fn guesses_are_refused() {
        let message =
            |t: Tensor| catch(|| cross_entropy(&Tensor::ones([2, 3]), &t)).unwrap_err().message().to_string();
        assert!(message(tensor![0.0, 1.0]).contains("[2] of f32 are neither class ids nor probabilities"));
        assert!(message(tensor![[0.0, 1.0]]).contains("outputs [2, 3] and targets [1, 2] differ in shape"));
        let all = CrossEntropy::new().ignore_index(0);
        assert!(
            catch(|| all.loss(&Tensor::ones([1, 2]), &tensor![0]))
                .unwrap_err()
                .message()
                .contains("mean of nothing")
        );
    }

    #[test]
    fn it_is_built_from_an_entry() {
        let entry = Entry::new("cross_entropy")
            .with_option("label_smoothing", 0.1)
            .with_option("weights", vec![1.0, 2.0]);
        let (loss, rendered) = build_loss(&entry).unwrap();
        assert_eq!(
            rendered.to_string(),
            "{ cross_entropy = true, label_smoothing = 0.1, weights = [1.0, 2.0] }"
        );
        assert!(loss.loss(&Tensor::ones([1, 2]), &tensor![1]).item() > 0.0);
        let wrong = Entry::new("cross_entropy").with_option("label_smothing", 0.1);
        assert!(build_loss(&wrong).err().unwrap().to_string().contains("did you mean `label_smoothing`?"));
    }
}

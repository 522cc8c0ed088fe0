//! Cross-entropy of logits against class ids or probabilities: the loss of classification.

use crate::autocast::full;
use crate::check::{floats, ints};
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{in_class, slice, with_float};
use crate::elementwise::Real;
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::indices::place;
use crate::storage::Plain;
use crate::{DType, Tensor, fail};
use mapsto_kernels::real::Float;
use mapsto_kernels::{loss, reduce};

/// How [`Tensor::cross_entropy_with`] compares.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let options = CrossEntropyOptions::new().label_smoothing(0.1).ignore_index(-100);
/// let loss = tensor![[0.0, 0.0], [3.0, 1.0]].cross_entropy_with(&tensor![1, -100], &options);
/// assert_close!(loss, 2f64.ln());
/// ```
#[derive(Clone, Debug, Default)]
pub struct CrossEntropyOptions {
    /// How much of the target is spread evenly over all classes, from 0 to 1.
    pub label_smoothing: f64,
    /// A weight for each class.
    pub weights: Option<Tensor>,
    /// A class id whose rows count for nothing.
    pub ignore_index: Option<i64>,
}

impl CrossEntropyOptions {
    /// No smoothing, no weights, nothing ignored.
    pub fn new() -> CrossEntropyOptions {
        CrossEntropyOptions::default()
    }

    /// Spreads a part of the target, from 0 to 1, evenly over all classes (Szegedy et al. 2016, arXiv:1512.00567, §7).
    ///
    /// # Panics
    /// When it is outside.
    #[track_caller]
    pub fn label_smoothing(self, part: f64) -> CrossEntropyOptions {
        if !(0.0..=1.0).contains(&part) {
            fail!("cross_entropy", "label smoothing must be from 0 to 1, got {part}");
        }
        CrossEntropyOptions { label_smoothing: part, ..self }
    }

    /// Weighs each class: rare ones can count for more.
    ///
    /// # Panics
    /// When a weight is negative or not finite.
    #[track_caller]
    pub fn weights(self, weights: Tensor) -> CrossEntropyOptions {
        if weights.device().backend().has_numbers()
            && let Some(w) = weights.to(DType::F64).to_vec::<f64>().into_iter().find(|w| !(w.is_finite() && *w >= 0.0))
        {
            fail!("cross_entropy", "the weight of a class must be finite and at least 0, got {w}");
        }
        CrossEntropyOptions { weights: Some(weights), ..self }
    }

    /// Leaves out the rows whose class id is this one.
    pub fn ignore_index(self, id: i64) -> CrossEntropyOptions {
        CrossEntropyOptions { ignore_index: Some(id), ..self }
    }
}

impl Tensor {
    /// The mean over rows of `−log softmax(x)[t]` for class ids `t`, or of `−Σₖ tₖ log softmax(x)ₖ` for probabilities.
    /// Which of the two a target is, its dtype says: integers are ids, floats are probabilities.
    ///
    /// * Shape: `[.., k], [..] → []` with ids in `0..k`; `[.., k], [.., k] → []` with probabilities.
    /// * Gradient: `dx = (softmax(x) − t) dy / rows`; by `backward` exact in the tails for ids, else within 10⁻⁷.   * ONNX: `SoftmaxCrossEntropyLoss`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]];
    /// assert_close!(x.cross_entropy(&tensor![0, 2]), (0.23954 + 1.09861) / 2.0);
    /// assert_close!(x.cross_entropy(&tensor![[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]), (1.23954 + 1.09861) / 2.0);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or an id is not that of a class.
    #[track_caller]
    pub fn cross_entropy(&self, target: &Tensor) -> Tensor {
        self.cross_entropy_with(target, &CrossEntropyOptions::default())
    }

    /// [`cross_entropy`](Tensor::cross_entropy) with label smoothing `ε`, class weights `w` and an ignored class id:
    /// `Σᵢ [−(1 − ε) w_t log p_t − ε/k Σₖ wₖ log pₖ] / Σᵢ w_t` over the rows that are not ignored; for probabilities
    /// `t ← (1 − ε) t + ε/k`, and the mean is that over the rows, whatever their weights. Both are PyTorch's.
    ///
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[2.0, 0.0], [0.0, 1.0]];
    /// let weighted = CrossEntropyOptions::new().weights(tensor![3.0, 1.0]);
    /// assert_close!(x.cross_entropy_with(&tensor![0, 1], &weighted), (3.0 * 0.126928 + 0.313262) / 4.0);
    /// ```
    /// # Panics
    /// When the shapes do not fit, an id is neither that of a class nor ignored, or the smoothing is not within 0..=1.
    #[track_caller]
    pub fn cross_entropy_with(&self, target: &Tensor, options: &CrossEntropyOptions) -> Tensor {
        if let Some([Some(x)]) = full([Some(self)]) {
            return x.cross_entropy_with(target, options);
        }
        let k = check_shapes(self, target, options);
        let rows = self.shape()[..self.rank() - 1].iter().product::<usize>();
        let x = self.reshape([rows, k]);
        let weights = options.weights.as_ref().map(|w| w.detach().to(self.dtype()));
        let op = CrossEntropy { smoothing: options.label_smoothing, ignore: options.ignore_index };
        if target.dtype().is_float() {
            // In f32 at least: in 16 bits the sum may overflow where the mean does not.
            let wide = if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
            let weights = weights.map(|w| w.to(wide));
            let loss = op.of_probabilities(&x.to(wide), &target.reshape([rows, k]).to(wide), weights.as_ref());
            return loss.to(x.dtype());
        }
        let ids = target.to(DType::I64).contiguous();
        check_ids(&ids, k, options.ignore_index);
        let ids = ids.reshape([rows]);
        match &weights {
            Some(w) => fused(op, &[&x, &ids, w]),
            None => fused(op, &[&x, &ids]),
        }
    }
}

/// Requires shapes and options that fit together; the number of classes.
#[track_caller]
fn check_shapes(x: &Tensor, target: &Tensor, options: &CrossEntropyOptions) -> usize {
    const OP: &str = "cross_entropy";
    let (shape, t) = (x.shape(), target.shape());
    if !x.dtype().is_float() {
        fail!(OP, "the logits must be floats, they are {}", x.dtype(); help = "the class ids come second: `logits.cross_entropy(&ids)`");
    }
    let Some((&k, rows)) = shape.split_last().filter(|(k, _)| **k > 0) else {
        fail!(OP, "the logits must be [.., classes], they are {shape:?}");
    };
    if target.dtype().is_float() {
        if x.device() != target.device() {
            fail!(OP, "devices differ: {:?} and {:?}", x.device(), target.device());
        }
        if t != shape {
            let help = if t == rows || t.iter().product::<usize>() == rows.iter().product() {
                "class ids are integers: convert them with `.to(DType::I64)`"
            } else {
                "probabilities have one number for each class and row, class ids are integers, one for each row"
            };
            fail!(OP, "logits {shape:?} and probabilities {t:?} differ in shape"; help = "{help}");
        }
        if options.ignore_index.is_some() {
            fail!(OP, "`ignore_index` is for class ids, the target is probabilities");
        }
    } else if t != rows {
        let help = if t.split_last() == Some((&1, rows)) && !rows.is_empty() {
            "the ids have an axis of size 1 too many: `.squeeze(-1)`"
        } else if rows.is_empty() {
            "logits are [n, classes]: one sample is a batch of one, `logits.unsqueeze(0)`"
        } else if t == shape {
            "one-hot targets are probabilities: `.to(DType::F32)`; or take their ids: `.argmax(-1)`"
        } else {
            "there is one id for each row of the logits"
        };
        fail!(OP, "logits {shape:?} and class ids {t:?} do not fit      {rows:?} ≠ {t:?}"; help = "{help}");
    }
    if let Some(w) = &options.weights
        && w.shape() != [k]
    {
        fail!(OP, "weights {:?} for {k} classes", w.shape(); help = "one weight for each class: [{k}]");
    }
    if !(0.0..=1.0).contains(&options.label_smoothing) {
        fail!(OP, "label smoothing {} is not within 0..=1", options.label_smoothing);
    }
    k
}

#[track_caller]
fn check_ids(ids: &Tensor, k: usize, ignore: Option<i64>) {
    // An ignored id stands for class 0, which there is.
    let counted = match ignore {
        Some(id) => ids.masked_fill(&ids.eq(id), 0.0),
        None => ids.clone(),
    };
    if let Err((at, id)) = ids.device().backend().within(&counted, k) {
        fail!("cross_entropy", "class id {id} at {} is not within 0..{k}", place(at, ids.shape());
              help = "class ids count from 0; `ignore_index` leaves an id out");
    }
}

/// Of logits `[rows, k]`, ids `[rows]` and, perhaps, weights `[k]`.
struct CrossEntropy {
    smoothing: f64,
    ignore: Option<i64>,
}
impl CrossEntropy {
    fn of_probabilities(&self, x: &Tensor, t: &Tensor, weights: Option<&Tensor>) -> Tensor {
        let [rows, k] = x.dims();
        let log_p = x.log_softmax(-1);
        let mut t = match self.smoothing {
            0.0 => t.clone(),
            s => t * (1.0 - s) + s / k as f64,
        };
        if let Some(w) = weights {
            t *= w;
        }
        let mean = |log_p: &Tensor| -(&t * log_p).sum(..) / rows as f64;
        let loss = mean(&log_p);
        if loss.device().backend().is_host() && loss.item().is_nan() {
            // What does not count may be infinite.
            return mean(&t.detach().eq(0.0).and(&log_p.detach().is_inf()).choose(0.0, &log_p));
        }
        loss
    }

    fn rule<'a, T: Float + Plain>(&self, classes: usize, weights: Option<&'a Tensor>) -> loss::CrossEntropy<'a, T> {
        loss::CrossEntropy {
            classes,
            smoothing: Real::from_f64(self.smoothing),
            weights: weights.map(|w| slice(w)),
            ignore: self.ignore,
        }
    }
}
impl Fused for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=3
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 5)
    }
    fn attrs(&self, say: Say<'_>) {
        say("label_smoothing", self.smoothing.into());
        if let Some(id) = self.ignore {
            say("ignore_index", id.into());
        }
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let (log_p, k) = (xs[0].log_softmax(-1), xs[0].shape()[1]);
        let ones = || Tensor::ones_like(&log_p.detach().slice(1, 0..1).squeeze(1));
        // Ignored rows look at class 0 and count with weight 0.
        let (ids, counts) = match self.ignore {
            Some(id) => {
                let ignored = xs[1].eq(id);
                (xs[1].masked_fill(&ignored, 0.0), ones().masked_fill(&ignored, 0.0))
            }
            None => (xs[1].clone(), ones()),
        };
        let weights = match xs.get(2) {
            Some(w) => w.index_select(0, &ids) * &counts,
            None => counts.clone(),
        };
        let mut loss = -log_p.gather(1, &ids.unsqueeze(1)).squeeze(1) * &weights * (1.0 - self.smoothing);
        if self.smoothing > 0.0 {
            let all = match xs.get(2) {
                Some(w) => (&log_p * *w).sum(1),
                None => log_p.sum(1),
            };
            loss -= all * counts * (self.smoothing / k as f64);
        }
        loss.sum(..) / weights.sum(..)
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let ([rows, k], dtype) = (xs[0].dims(), xs[0].dtype());
        let (x, ids, weights) = (in_class(xs[0]), in_class(xs[1]), xs.get(2).map(|w| in_class(w)));
        Some(with_float!(dtype, T => {
            let rule = self.rule::<T>(k, weights.as_ref());
            let mut each = Tensor::filled_by(rows, |each: &mut [T]| each.fill(0.0));
            let log = Tensor::filled_by([rows, 2], |log: &mut [T]| {
                loss::cross_entropy(&rule, slice(&x), slice(&ids), each.as_mut_slice(), log)
            });
            let mut sum = [0.0];
            reduce::sum::<T>(slice(&each), [1, rows, 1], &mut sum);
            let mean = sum[0] / rule.total_weight(slice(&ids));
            Fast { y: Tensor::rounded((), Float::to_f64(mean), dtype), kept: vec![log] }
        }))
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let [rows, k] = at.a().dims();
        let (x, ids) = (in_class(at.a()), in_class(at.b()));
        let weights = (at.inputs() == 3).then(|| in_class(at.input(2)));
        if at.inputs() == 3 && at.wants(2) {
            return None;
        }
        let dx = with_float!(at.dtype(0), T => {
            let rule = self.rule::<T>(k, weights.as_ref());
            let g = g.item() as T / rule.total_weight(slice(&ids));
            let each = Tensor::filled_by(rows, |each: &mut [T]| each.fill(g));
            Tensor::filled_by([rows, k], |dx: &mut [T]| {
                loss::cross_entropy_backward(&rule, slice(&x), slice(&ids), slice(&at.kept()[0]), slice(&each), dx)
            })
        });
        let mut grads = vec![Some(dx), None];
        grads.resize(at.inputs(), None);
        Some(grads.into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("cross_entropy", "The mean over rows of `−log softmax(x)[t]` for class ids `t`, or of `−Σₖ tₖ log softmax(x)ₖ` for probabilities.", Takes::Floats, samples).built(|a| Ok(boxed(CrossEntropy { smoothing: a.need("label_smoothing")?, ignore: a.may("ignore_index")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[4, 3], &d), (&[4], &ints(0..3))], |x| x[0].cross_entropy(&x[1]));
    s.of(&[(&[2, 3, 5], &d), (&[2, 3], &ints(0..5))], |x| {
        x[0].cross_entropy_with(&x[1], &CrossEntropyOptions::new().label_smoothing(0.1).ignore_index(2))
    });
    s.of(&[(&[4, 3], &d), (&[4], &ints(0..3))], |x| {
        let weights = x[0].device().scope(|| Tensor::from_slice(&[0.5, 2.0, 1.0], 3));
        x[0].cross_entropy_with(&x[1], &CrossEntropyOptions::new().weights(weights))
    });
    s.of(&[(&[4, 3], &d), (&[4, 3], &floats(0.1..0.9))], |x| x[0].cross_entropy(&x[1]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn cross_entropy() {
        let x = || floats(-3.0..3.0);
        check2(|x, t| x.cross_entropy(t)).shapes([&[5, 4], &[5]]).on(x(), ints(0..4));
        check2(|x, t| x.cross_entropy(t)).shapes([&[2, 3, 4], &[2, 3]]).on(x(), ints(0..4));
        check2(|x, t| x.cross_entropy(t)).shapes([&[4], &[]]).on(x(), ints(0..4));
        check2(|x, t| x.cross_entropy(t)).shapes([&[5, 4], &[5, 4]]).on(x(), floats(0.0..1.0));
        check2(|x, t| x.cross_entropy_with(t, &CrossEntropyOptions::new().label_smoothing(0.2).ignore_index(-1)))
            .shapes([&[7, 4], &[7]])
            .on(x(), ints(-1..4));
        check_fused(|| CrossEntropy { smoothing: 0.0, ignore: None }, &[(&[9, 10], x()), (&[9], ints(0..10))]);
        check_fused(
            || CrossEntropy { smoothing: 0.1, ignore: Some(2) },
            &[(&[40, 7], x()), (&[40], ints(0..7)), (&[7], floats(0.5..2.0))],
        );
    }

    #[test]
    fn one_hot_probabilities_equal_ids_and_weights_of_ids_enter_the_mean() {
        let x = Tensor::randn([6, 3]);
        let t = tensor![0, 2, 1, 1, 0, 2];
        let hot = Tensor::eye(3).index_select(0, &t);
        assert_close!(x.cross_entropy(&hot), x.cross_entropy(&t));
        let smooth = CrossEntropyOptions::new().label_smoothing(0.3);
        assert_close!(x.cross_entropy_with(&hot, &smooth), x.cross_entropy_with(&t, &smooth));
        let only = CrossEntropyOptions::new().weights(tensor![0.0, 5.0, 0.0]);
        assert_close!(x.cross_entropy_with(&t, &only), x.slice(0, 2..4).cross_entropy(&tensor![1, 1]));
        assert_close!(tensor![[1000.0, -1000.0]].cross_entropy(&tensor![1]), 2000.0);
    }

    #[test]
    fn what_does_not_count_may_be_infinite() {
        let x = tensor![[0.5, f32::NEG_INFINITY, 1.0], [1.0, 2.0, 0.0]];
        let weights = CrossEntropyOptions::new().weights(tensor![1.0, 0.0, 2.0]);
        let fine = x.slice(0, 1..).cross_entropy(&tensor![0]);
        assert_close!(x.cross_entropy_with(&tensor![1, 0], &weights), fine);
        for options in [CrossEntropyOptions::new(), weights.clone()] {
            let t = tensor![[0.25, 0.0, 0.75], [0.5, 0.0, 0.5]];
            let x = x.leaf();
            let loss = x.cross_entropy_with(&t, &options);
            assert!(loss.is_finite() && loss.backward().of(&x).is_finite());
        }
        // A class that counts is infinitely wrong.
        assert_eq!(x.cross_entropy(&tensor![1, 0]).item(), f64::INFINITY);
    }

    #[test]
    fn a_mistake_names_both_shapes_and_the_fix() {
        let error = |t: Tensor| catch(|| Tensor::zeros([4, 3]).cross_entropy(&t)).unwrap_err().to_string();
        let one = catch(|| Tensor::zeros([3]).cross_entropy(&tensor![1])).unwrap_err().to_string();
        assert!(one.contains("help: logits are [n, classes]: one sample is a batch of one"), "{one}");
        assert_eq!(
            error(tensor![0, 1]),
            "cross_entropy: logits [4, 3] and class ids [2] do not fit      [4] ≠ [2]\nhelp: there is one id for each row of the logits"
        );
        assert_eq!(
            error(tensor![[0], [1], [2], [0]]),
            "cross_entropy: logits [4, 3] and class ids [4, 1] do not fit      [4] ≠ [4, 1]\nhelp: the ids have an axis of size 1 too many: `.squeeze(-1)`"
        );
        assert_eq!(
            error(tensor![0.0, 1.0, 2.0, 0.0]),
            "cross_entropy: logits [4, 3] and probabilities [4] differ in shape\nhelp: class ids are integers: convert them with `.to(DType::I64)`"
        );
        assert_eq!(
            error(tensor![0, 1, 3, 0]),
            "cross_entropy: class id 3 at position 2 is not within 0..3\nhelp: class ids count from 0; `ignore_index` leaves an id out"
        );
    }
}

//! Cross-entropy of logits: a softmax and its loss in one, for class ids or probabilities.

use super::{
    Loss, LossKind, Pointwise, REDUCTION, check_ids, check_outputs, check_probabilities, range, slack,
};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry, type_of};
use mapsto_tensor::ops::CrossEntropyOptions;
use mapsto_tensor::{DType, Tensor, fail};
use std::borrow::Cow;

/// Cross-entropy of the softmax of logits: `−mean log softmax(y)[t]` for class ids, `−mean Σ t log softmax(y)` for
/// probabilities.
///
/// Targets of an integer dtype are class ids, floats are probabilities; a float tensor of ids is an error, not a guess.
///
/// * Shape: `[.., classes]` with ids `[..]` or probabilities `[.., classes]` `→ []`.
/// * Gradient: `(softmax(y) − t) / rows`.
/// * PyTorch: `CrossEntropyLoss`; Keras: `SparseCategoricalCrossentropy(from_logits=True)`, and `CategoricalCrossentropy(from_logits=True)` of probabilities; ONNX: `SoftmaxCrossEntropyLoss`.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = tensor![[1.0, 3.0], [0.0, 0.0]];
/// let expected = ((1.0 + (-2f64).exp()).ln() + 2f64.ln()) / 2.0;
/// assert_close!(cross_entropy(&y, &tensor![1, 0]), expected);
/// assert_close!(cross_entropy(&y, &tensor![[0.0, 1.0], [0.5, 0.5]]), expected);
/// ```
/// # Panics
/// When the shapes do not fit, an id is out of range, or there is only one class.
#[track_caller]
pub fn cross_entropy(y: &Tensor, target: &Tensor) -> Tensor {
    check_classes(y, target);
    y.cross_entropy(target)
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
    options: CrossEntropyOptions,
}

impl CrossEntropy {
    /// Without smoothing, weights or an ignored id.
    pub fn new() -> CrossEntropy {
        CrossEntropy::default()
    }

    /// Gives the share `s` in 0..=1 of the certainty to all classes alike.
    ///
    /// # Panics
    /// When it is outside.
    #[track_caller]
    #[must_use]
    pub fn label_smoothing(self, s: f64) -> CrossEntropy {
        let s = Bounds::UP_TO_1.check("cross_entropy", "label_smoothing", s);
        CrossEntropy { options: self.options.label_smoothing(s) }
    }

    /// Lets each class count by its weight, `[classes]`.
    ///
    /// # Panics
    /// When they are not one axis of finite numbers of at least 0, or all are 0.
    #[track_caller]
    #[must_use]
    pub fn weights(self, weights: Tensor) -> CrossEntropy {
        if let Err(wrong) = check_weights(weights.shape(), &weights.to(DType::F64).to_vec::<f64>()) {
            fail!("cross_entropy", "{wrong}");
        }
        CrossEntropy { options: self.options.weights(weights.detach()) }
    }

    /// Leaves out the rows with this id, which need not be one of a class.
    #[must_use]
    pub fn ignore_index(self, id: i64) -> CrossEntropy {
        CrossEntropy { options: self.options.ignore_index(id) }
    }
}

/// One class is always right: such a loss is 0 whatever the model says. And probabilities of the classes add up to 1.
#[track_caller]
fn check_classes(y: &Tensor, target: &Tensor) {
    check_outputs("cross_entropy", Outputs::Logits, y);
    if y.shape().last() == Some(&1) {
        fail!("cross_entropy", "the outputs {:?} have one class, which is always right: the loss would be 0 from the start", y.shape();
              help = "give one output for each class, or use `bce_with_logits` for yes or no and `mse` for numbers");
    }
    if !target.dtype().is_float() || target.shape() != y.shape() {
        return; // class ids, or what the operation refuses
    }
    let help = "give class ids as integers, or for each row probabilities that add up to 1";
    check_probabilities("cross_entropy", target, help);
    let slack = 0.01 + slack(target);
    let apart = |(least, most): &(f64, f64)| *least < 1.0 - slack || *most > 1.0 + slack;
    if let Some((least, most)) = range(&target.detach().sum(-1)).filter(apart) {
        fail!("cross_entropy", "the probabilities of a row must add up to 1, the sums reach from {least} to {most}"; help = "{help}");
    }
}

/// What is wrong with the weights of classes.
pub(super) fn check_weights(shape: &[usize], weights: &[f64]) -> Result<(), String> {
    if shape.len() != 1 || weights.is_empty() {
        return Err(format!("class weights must be one number for each class, got the shape {shape:?}"));
    }
    if let Some(&w) = weights.iter().find(|&&w| !Bounds::AT_LEAST_0.hold(w)) {
        return Err(Bounds::AT_LEAST_0.complaint("the weight of a class", w));
    }
    if weights.iter().all(|&w| w == 0.0) {
        return Err("at least one class must have a weight above 0".into());
    }
    Ok(())
}

impl CrossEntropy {
    #[track_caller]
    fn check(&self, y: &Tensor, target: &Tensor) {
        check_classes(y, target);
        if let (Some(weights), Some(&classes)) = (&self.options.weights, y.shape().last())
            && weights.len() != classes
        {
            fail!("cross_entropy", "there are {} class weights, and the outputs tell {classes} classes apart", weights.len();
                  help = "give one weight for each class");
        }
    }
}

impl Pointwise for CrossEntropy {
    /// One value for each row, `w[t] ((1 − s) · −log p[t]) + s/k · Σ_c w[c] · −log p[c]`, and 0 for an ignored one, as PyTorch's `reduction="none"`;
    /// divided by the sum of `w[t]` of the rows that are not ignored, their sum is the loss.
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        self.check(y, target);
        let CrossEntropyOptions { label_smoothing: s, weights, ignore_index } = &self.options;
        let nll = -y.log_softmax(-1);
        let classes = y.shape().last().copied().unwrap_or(1);
        let counted = match weights {
            Some(w) => &nll * w.to(nll.dtype()).to_device(nll.device()),
            None => nll,
        };
        if target.dtype().is_float() {
            alike_shapes(y, target);
            return (counted * (target.to(y.dtype()) * (1.0 - s) + s / classes as f64)).sum(-1);
        }
        let kept = ignore_index.map(|id| target.ne(id));
        let ids = kept.as_ref().map_or(target.clone(), |kept| kept.choose(target, 0));
        check_ids("cross_entropy", y, &ids);
        let of_class = counted.gather(-1, &ids.unsqueeze(-1)).squeeze(-1);
        let each =
            if *s == 0.0 { of_class } else { of_class * (1.0 - s) + counted.sum(-1) * (s / classes as f64) };
        kept.map_or(each.clone(), |kept| kept.choose(&each, 0.0))
    }
}

/// That probabilities have the shape of the outputs.
#[track_caller]
fn alike_shapes(y: &Tensor, target: &Tensor) {
    if y.shape() != target.shape() {
        fail!(
            "cross_entropy",
            "logits {:?} and probabilities {:?} differ in shape",
            y.shape(),
            target.shape()
        );
    }
}

impl Loss for CrossEntropy {
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        let counted = self.options.weights.is_some() || self.options.ignore_index.is_some();
        if counted && !target.dtype().is_float() && !target.is_empty() && self.weight(target) == 0.0 {
            fail!("cross_entropy", "every row of the batch is ignored or has weight 0: the mean of nothing");
        }
        self.check(y, target);
        y.cross_entropy_with(target, &self.options)
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        // With weights or an ignored id the mean is no plain one.
        (self.options.weights.is_none() && self.options.ignore_index.is_none()).then_some(self)
    }

    fn name(&self) -> Cow<'static, str> {
        "cross_entropy".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Logits)
    }

    fn weight(&self, target: &Tensor) -> f64 {
        let CrossEntropyOptions { weights, ignore_index, .. } = &self.options;
        if target.dtype().is_float() || (weights.is_none() && ignore_index.is_none()) {
            return target.shape().first().copied().unwrap_or(1) as f64;
        }
        let weights = weights.as_ref().map(|w| w.to(DType::F64).to_vec::<f64>());
        let of = |id: i64| match (&weights, usize::try_from(id)) {
            _ if Some(id) == *ignore_index => 0.0,
            // An id that is not a class is reported by the loss itself; here it must only not hide it.
            (Some(w), Ok(id)) => w.get(id).copied().unwrap_or(1.0),
            _ => 1.0,
        };
        target.to(DType::I64).to_vec::<i64>().into_iter().map(of).sum()
    }

    fn entry(&self) -> Option<Entry> {
        let CrossEntropyOptions { label_smoothing, weights, ignore_index } = &self.options;
        let mut entry = Entry::new(KIND.name).with_option("label_smoothing", *label_smoothing);
        if let Some(weights) = weights {
            entry = entry.with_option("weights", weights.to(DType::F64).to_vec::<f64>());
        }
        Some(ignore_index.iter().fold(entry, |entry, id| entry.with_option("ignore_index", *id)))
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "cross_entropy",
    "Cross-entropy of the values before a softmax, for class ids or probabilities.",
    |args, ()| {
        let smoothing = Bounds::UP_TO_1.option(args, "label_smoothing", 0.0)?;
        let mut loss = CrossEntropy::new().label_smoothing(smoothing);
        if let Some(weights) = args.optional::<Vec<f64>>("weights")? {
            let n = weights.len();
            check_weights(&[n], &weights).map_err(|wrong| args.error("weights", wrong))?;
            loss = loss.weights(Tensor::from_vec(weights.into_iter().map(|w| w as f32).collect(), n));
        }
        if let Some(id) = args.optional::<i64>("ignore_index")? {
            loss = loss.ignore_index(id);
        }
        Ok(Box::new(loss))
    },
)
.options(&[
    ("label_smoothing", "the share of the certainty that all classes are given alike"),
    ("weights", "how much each class counts, one number for each"),
    ("ignore_index", "a class id whose rows count for nothing"),
    REDUCTION,
])
.function(|| type_of(&cross_entropy));

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use mapsto_spec::Entry;

    #[test]
    fn there_is_one_weight_for_each_class() {
        let loss = CrossEntropy::new().weights(tensor![1.0, 2.0, 3.0]);
        let e = catch(|| loss.loss(&Tensor::zeros([2, 4]), &tensor![0, 1])).unwrap_err();
        let said = "cross_entropy: there are 3 class weights, and the outputs tell 4 classes apart";
        assert_eq!(e.message(), said);
    }

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
    fn the_values_of_rows_are_pytorchs_without_a_reduction() {
        use crate::losses::{Pointwise, Sum};
        let y = tensor![Y[0], Y[1], Y[2], Y[3]];
        let ids = [2_i64, 1, 0, -7];
        for s in [0.0, 0.1] {
            for w in [[1.0, 1.0, 1.0], [0.5, 2.0, 3.0]] {
                let loss = CrossEntropy::new().label_smoothing(s).ignore_index(-7);
                let loss = loss.weights(tensor![w[0], w[1], w[2]]);
                let target = Tensor::from_slice(&ids, 4);
                let each = loss.each(&y, &target).to_vec::<f32>();
                for (i, &id) in ids.iter().enumerate() {
                    let expected = match id {
                        -7 => 0.0,
                        // The mean of a single row is divided by its weight.
                        id => reference(&Y[i..=i], &[id], s, w, -7) * w[id as usize],
                    };
                    assert!((f64::from(each[i]) - expected).abs() < 1e-5, "{s} {w:?} row {i}: {each:?}");
                }
                let sum = Sum::new(loss.clone()).loss(&y, &target).item();
                let mean = loss.loss(&y, &target).item();
                assert!((sum / loss.weight(&target) - mean).abs() < 1e-5, "{s} {w:?}");
            }
            let plain = CrossEntropy::new().label_smoothing(s);
            let p = tensor![2, 1, 0, 1].one_hot(3).to(DType::F32);
            assert_close!(plain.each(&y, &p), plain.each(&y, &tensor![2, 1, 0, 1]));
            assert_close!(plain.pointwise().unwrap().each(&y, &p).mean(..), plain.loss(&y, &p));
        }
        let weighted = CrossEntropy::new().weights(tensor![1.0, 2.0, 3.0]);
        assert!(weighted.pointwise().is_none(), "the mean is no plain one");
        let e = catch(|| weighted.each(&y, &tensor![0, 1, 2, 3])).unwrap_err();
        assert!(e.message().starts_with("cross_entropy: "), "{e}");
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
        assert!(message(tensor![0.0, 1.0]).contains("logits [2, 3] and probabilities [2] differ in shape"));
        assert!(
            message(tensor![[0.0, 1.0]]).contains("logits [2, 3] and probabilities [1, 2] differ in shape")
        );
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
        let (loss, rendered) = mapsto_spec::filled::<dyn Loss>(&entry, &()).unwrap();
        assert_eq!(
            rendered.to_string(),
            "{ cross_entropy = true, label_smoothing = 0.1, weights = [1.0, 2.0] }"
        );
        assert!(loss.loss(&Tensor::ones([1, 2]), &tensor![1]).item() > 0.0);
        let wrong = Entry::new("cross_entropy").with_option("label_smothing", 0.1);
        assert!(
            mapsto_spec::filled::<dyn Loss>(&wrong, &())
                .err()
                .unwrap()
                .to_string()
                .contains("did you mean `label_smoothing`?")
        );
    }
}

#[test]
fn targets_that_are_no_probabilities_are_refused() {
    use super::{bce, bce_with_logits};
    use mapsto_tensor::{catch, tensor};
    let message = |f: &dyn Fn() -> Tensor| catch(f).unwrap_err().message().to_string();
    let half = tensor![0.5, 0.5];
    for wrong in [tensor![1.0, 2.0], tensor![-1.0, 1.0], Tensor::full([100], 3.0)] {
        let y = Tensor::full(wrong.shape(), 0.5);
        assert!(message(&|| bce(&y, &wrong)).contains("targets must be probabilities"));
        assert!(message(&|| bce_with_logits(&y, &wrong)).contains("targets must be probabilities"));
    }
    let y = Tensor::zeros([1, 2]);
    assert!(message(&|| cross_entropy(&y, &tensor![[3.0, 4.0]])).contains("from 3 to 4"));
    assert!(message(&|| cross_entropy(&y, &half.unsqueeze(0).square())).contains("must add up to 1"));
    assert!(message(&|| cross_entropy(&Tensor::zeros([2, 1]), &tensor![0, 0])).contains("one class"));
}

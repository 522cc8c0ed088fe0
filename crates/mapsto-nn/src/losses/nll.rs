//! Negative log-likelihood of class ids under given log-probabilities.

use super::cross_entropy::check_weights;
use super::{Loss, LossKind, Pointwise, REDUCTION, check_ids, check_log_probabilities};
use crate::Outputs;
use mapsto_spec::{Entry, type_of};
use mapsto_tensor::{DType, Tensor, fail};
use std::borrow::Cow;

/// `−mean y[i, t[i]]`, where `y` holds log-probabilities, as from a `log_softmax`.
///
/// * Shape: `[.., classes], [..] → []`; targets are class ids.
/// * PyTorch: `NLLLoss`; Keras: `SparseCategoricalCrossentropy`, of probabilities; ONNX: `NegativeLogLikelihoodLoss`.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = tensor![[0.25, 0.75], [0.5, 0.5]].log();
/// assert_close!(nll(&y, &tensor![1, 0]), -(0.75f64.ln() + 0.5f64.ln()) / 2.0);
/// ```
/// # Panics
/// When the shapes do not fit, an id is out of range, or an output is above 0 and so no log-probability.
#[track_caller]
pub fn nll(y: &Tensor, target: &Tensor) -> Tensor {
    each(y, target).mean(..)
}

#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    check_ids("nll", y, target);
    check_log_probabilities("nll", y);
    -y.gather(-1, &target.unsqueeze(-1)).squeeze(-1)
}

/// The same with class weights, or an id that is ignored: `Σᵢ w[tᵢ] · −y[i, tᵢ] / Σᵢ w[tᵢ]` over the rows that are not.
///
/// PyTorch: `NLLLoss(weight=.., ignore_index=..)`, whose id is −100 where nothing is said.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = Nll::new().weights(tensor![1.0, 3.0]).ignore_index(-100);
/// let y = tensor![[0.5, 0.5], [0.25, 0.75], [0.5, 0.5]].log();
/// assert_close!(loss.loss(&y, &tensor![0, 1, -100]), -(0.5f64.ln() + 3.0 * 0.75f64.ln()) / 4.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Nll {
    weights: Option<Tensor>,
    ignore_index: Option<i64>,
}

impl Nll {
    /// Without weights or an ignored id: [`nll`].
    pub fn new() -> Nll {
        Nll::default()
    }

    /// Lets each class count by its weight, `[classes]`.
    ///
    /// # Panics
    /// When they are not one axis of finite numbers of at least 0, or all are 0.
    #[track_caller]
    #[must_use]
    pub fn weights(self, weights: Tensor) -> Nll {
        if let Err(wrong) = check_weights(weights.shape(), &weights.to(DType::F64).to_vec::<f64>()) {
            fail!("nll", "{wrong}");
        }
        Nll { weights: Some(weights.detach()), ..self }
    }

    /// Leaves out the rows with this id, which need not be one of a class.
    #[must_use]
    pub fn ignore_index(self, id: i64) -> Nll {
        Nll { ignore_index: Some(id), ..self }
    }

    /// The ids, with that of a class in place of the ignored one, and what each row counts.
    #[track_caller]
    fn counted(&self, target: &Tensor, classes: usize, dtype: DType) -> (Tensor, Tensor) {
        let kept = self.ignore_index.map(|id| target.ne(id));
        let ids = kept.as_ref().map_or(target.clone(), |kept| kept.choose(target, 0));
        let weight = match &self.weights {
            Some(w) if w.len() != classes => {
                fail!("nll", "there are {} class weights, and the outputs tell {classes} classes apart", w.len();
                      help = "give one weight for each class")
            }
            Some(w) => {
                let w = w.to(dtype).to_device(target.device());
                let known = ids.lt(classes as i64).and(&ids.ge(0)).choose(&ids, 0);
                w.index_select(0, &known.reshape([ids.len()])).reshape(ids.shape())
            }
            None => target.device().scope(|| Tensor::full_of(ids.shape(), 1.0, dtype)),
        };
        let weight = kept.map_or(weight.clone(), |kept| weight * kept.to(dtype));
        (ids, weight)
    }
}

impl Pointwise for Nll {
    /// One value for each row, `w[t] · −y[t]`, and 0 for an ignored one.
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        if (self.weights.is_none() && self.ignore_index.is_none())
            || target.dtype().is_float()
            || y.is_empty()
        {
            return each(y, target);
        }
        let (ids, weight) = self.counted(target, y.shape().last().copied().unwrap_or(0), y.dtype());
        each(y, &ids) * weight
    }
}

impl Loss for Nll {
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        if (self.weights.is_none() && self.ignore_index.is_none())
            || target.dtype().is_float()
            || y.is_empty()
        {
            return nll(y, target);
        }
        let (ids, weight) = self.counted(target, y.shape().last().copied().unwrap_or(0), y.dtype());
        let (values, total) = (each(y, &ids), weight.sum(..));
        if total.device().backend().has_numbers() && total.item() == 0.0 {
            fail!("nll", "every row of the batch is ignored or has weight 0: the mean of nothing");
        }
        (values * weight).sum(..) / total
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        (self.weights.is_none() && self.ignore_index.is_none()).then_some(self)
    }

    fn name(&self) -> Cow<'static, str> {
        "nll".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::LogProbabilities)
    }

    fn weight(&self, target: &Tensor) -> f64 {
        match (&self.weights, self.ignore_index) {
            (None, None) => target.shape().first().copied().unwrap_or(1) as f64,
            (weights, _) => {
                let classes = weights.as_ref().map_or(0, Tensor::len);
                self.counted(target, classes, DType::F64).1.sum(..).item()
            }
        }
    }

    fn entry(&self) -> Option<Entry> {
        let mut entry = Entry::new(KIND.name);
        if let Some(weights) = &self.weights {
            entry = entry.with_option("weights", weights.to(DType::F64).to_vec::<f64>());
        }
        Some(self.ignore_index.iter().fold(entry, |entry, id| entry.with_option("ignore_index", *id)))
    }
}

pub(super) const KIND: LossKind =
    LossKind::new("nll", "Negative log-likelihood of class ids under log-probabilities.", |args, ()| {
        let weights = match args.optional::<Vec<f64>>("weights")? {
            Some(weights) => {
                let n = weights.len();
                check_weights(&[n], &weights).map_err(|wrong| args.error("weights", wrong))?;
                Some(Tensor::from_vec(weights.into_iter().map(|w| w as f32).collect(), n))
            }
            None => None,
        };
        Ok(Box::new(Nll { weights, ignore_index: args.optional("ignore_index")? }))
    })
    .options(&[
        ("weights", "how much each class counts, one number for each"),
        ("ignore_index", "a class id whose rows count for nothing"),
        REDUCTION,
    ])
    .function(|| type_of(&nll));

#[test]
fn classes_count_by_their_weights_and_ignored_rows_for_nothing() {
    use crate::prelude::*;
    let y = Tensor::randn([4, 3]).log_softmax(-1);
    let loss = Nll::new().weights(tensor![0.5, 2.0, 1.0]).ignore_index(-1);
    let ids = tensor![2, -1, 0, 1];
    // The same as cross-entropy, which takes log-probabilities for scores.
    let other = CrossEntropy::new().weights(tensor![0.5, 2.0, 1.0]).ignore_index(-1);
    assert!((loss.loss(&y, &ids) - other.loss(&y, &ids)).item().abs() < 1e-6);
    assert_eq!((loss.weight(&ids), Nll::new().ignore_index(2).weight(&ids)), (3.5, 3.0));
    let entry = Entry::new("nll").with_option("weights", vec![0.5, 2.0]).with_option("ignore_index", -1_i64);
    mapsto_spec::check_entry::<dyn Loss>(&entry, &());
    let message = |f: &dyn Fn() -> Tensor| catch(f).unwrap_err().message().to_string();
    assert!(message(&|| loss.loss(&y, &tensor![-1, -1, -1, -1])).contains("the mean of nothing"));
    assert!(message(&|| loss.loss(&y.slice(1, ..2), &tensor![0, 1, 0, 1])).contains("3 class weights"));
    assert!(message(&|| loss.loss(&y, &tensor![0, 3, 0, 1])).contains("class id 3 of sample 1"));
}

#[test]
fn sequences_have_one_id_a_step() {
    use mapsto_tensor::tensor;
    let y = Tensor::randn([2, 3, 5]).log_softmax(-1);
    let flat = nll(&y.reshape([6, 5]), &tensor![0, 1, 2, 3, 4, 0]).item();
    assert_eq!(nll(&y, &tensor![[0, 1, 2], [3, 4, 0]]).item(), flat);
}

#[test]
fn a_table_of_log_probabilities_may_be_a_parameter() {
    use crate::prelude::*;
    let mut table = Embedding::new(3, 4);
    table.weight.set(&Tensor::randn([3, 4]).log_softmax(-1)).unwrap();
    let ids = tensor![2, 0, 1];
    let (whole, rows) = train(|| (nll(&table.weight, &ids), nll(&table.forward(&tensor![0, 1, 2]), &ids)));
    assert_eq!(whole.item(), rows.item());
    assert!(rows.backward().of(&table.weight).is_finite());
    let views = train(|| nll(&table.weight.slice(1, ..3).reshape([3, 3]), &tensor![0, 1, 2]));
    assert!(views.item() > 0.0);
    // Their values are looked at all the same.
    table.weight.set(&Tensor::ones([3, 4])).unwrap();
    let e = catch(|| train(|| nll(&table.forward(&tensor![0, 1, 2]), &ids))).unwrap_err();
    assert!(e.message().contains("must be log-probabilities, which are at most 0, got 1"), "{e}");
    // Scores that a layer makes are still told by the layer that made them.
    let line = Linear::new(2, 2);
    let e = catch(|| train(|| nll(&line.forward(&Tensor::ones([1, 2])), &tensor![0]))).unwrap_err();
    assert!(e.message().contains("the outputs should be log-probabilities"), "{e}");
}

#[test]
fn scores_and_probabilities_are_no_log_probabilities() {
    use mapsto_tensor::{catch, tensor};
    for y in [tensor![[2.0, -1.0]], tensor![[2.0, -1.0]].softmax(-1)] {
        let e = catch(|| nll(&y, &tensor![0])).unwrap_err();
        assert!(
            e.message().starts_with("nll: outputs must be log-probabilities, which are at most 0"),
            "{e}"
        );
    }
}

//! Negative log-likelihood of class ids under given log-probabilities.

use super::{LossKind, REDUCTION, check_ids, check_log_probabilities, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::Tensor;

/// `−mean y[i, t[i]]`, where `y` holds log-probabilities, as from a `log_softmax`.
///
/// * Shape: `[.., classes], [..] → []`; targets are class ids.
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

pub(super) const KIND: LossKind =
    LossKind::new("nll", "Negative log-likelihood of class ids under log-probabilities.", |_, ()| {
        pointwise(nll, each, Outputs::LogProbabilities)
    })
    .options(&[REDUCTION])
    .function(|| type_of(&nll));

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

//! Kullback-Leibler divergence from given log-probabilities to target probabilities.

use super::{LossKind, REDUCTION, alike, check_log_probabilities, check_probabilities, pointwise};
use crate::Outputs;
use mapsto_spec::type_of;
use mapsto_tensor::{DType, Tensor};

/// `Σ t (log t − y) / n`, where `y` holds log-probabilities and `t` probabilities, summed over all but the first axis and
/// averaged over that; `0 log 0` is 0.
///
/// * Shape: `[n, ..], [n, ..] → []`.
/// * PyTorch: `KLDivLoss(reduction="batchmean")`; Keras: `KLDivergence`, of probabilities.
///
/// Source: Kullback, Leibler (1951), On information and sufficiency.
/// ```
/// use mapsto_nn::prelude::*;
/// let (y, t) = (tensor![[0.5, 0.5]].log(), tensor![[1.0, 0.0]]);
/// assert_close!(kl_div(&y, &t), 2f64.ln());
/// ```
/// # Panics
/// When the shapes differ, an output is above 0 and so no log-probability, or a target is not within 0..1.
#[track_caller]
pub fn kl_div(y: &Tensor, target: &Tensor) -> Tensor {
    each(y, target).mean(..)
}

/// The divergence of each sample: the sum over all axes but the first.
#[track_caller]
fn each(y: &Tensor, target: &Tensor) -> Tensor {
    let t = alike("kl_div", Outputs::LogProbabilities, y, target);
    check_log_probabilities("kl_div", y);
    check_probabilities("kl_div", &t, "give probabilities, not their logarithms: `.exp()`");
    // Bounded, so that t = 0 gives 0 · finite and not 0 · ∞.
    // In f32 at least: f16 has no such bound, and its sums overflow.
    let wide = if t.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    let (wide_t, wide_y) = (t.to(wide), y.to(wide));
    let log_t = wide_t.clamp(1e-38, f64::INFINITY).log();
    let parts = &wide_t * (log_t - wide_y);
    let sums = if parts.rank() > 1 { parts.flatten(1).sum(1) } else { parts };
    sums.to(t.dtype())
}

pub(super) const KIND: LossKind = LossKind::new(
    "kl_div",
    "Kullback-Leibler divergence of target probabilities from log-probabilities.",
    |_, ()| pointwise(kl_div, each, Outputs::LogProbabilities),
)
.options(&[REDUCTION])
.function(|| type_of(&kl_div));

#[test]
fn it_is_zero_only_for_the_same_distribution() {
    let t = Tensor::randn([4, 6]).softmax(-1);
    assert!(kl_div(&t.log(), &t).item().abs() < 1e-6);
    assert!(kl_div(&Tensor::randn([4, 6]).log_softmax(-1), &t).item() > 0.01);
}

#[test]
fn what_is_no_probability_is_refused() {
    use mapsto_tensor::{catch, tensor};
    let (y, t) = (tensor![[0.5, 0.5]], tensor![[0.25, 0.75]]);
    assert!(catch(|| kl_div(&y, &t)).unwrap_err().message().contains("outputs must be log-probabilities"));
    assert!(catch(|| kl_div(&y.log(), &t.log())).unwrap_err().message().contains("from 0 to 1"));
}

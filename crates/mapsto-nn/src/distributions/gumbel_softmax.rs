//! Classes drawn so that their scores can learn.

use mapsto_tensor::{Tensor, fail, random};

/// A soft choice of a class: `softmax((logits + g) / tau)` along the last axis, with g of the Gumbel distribution. The largest share
/// falls on a class with the probability of that class; the smaller `tau`, the nearer a choice is to 0 and 1.
///
/// Source: Jang, Gu, Poole (2016), Categorical reparameterization with Gumbel-softmax, arXiv:1611.01144.
///
/// * Shape: `[.., k] → [.., k]`.   * PyTorch: `F.gumbel_softmax`.
/// ```
/// use mapsto_nn::distributions::gumbel_softmax;
/// use mapsto_nn::prelude::*;
/// assert_close!(gumbel_softmax(&Tensor::zeros([5, 3]), 0.5).sum(-1), [1.0; 5]);
/// ```
/// # Panics
/// When there are no axes, `tau` is not above 0, or the scores are not floats.
#[track_caller]
pub fn gumbel_softmax(logits: &Tensor, tau: f64) -> Tensor {
    if logits.rank() == 0 || !logits.dtype().is_float() {
        fail!(
            "gumbel_softmax",
            "rows of floats are needed, this is {:?} of {}",
            logits.shape(),
            logits.dtype()
        );
    }
    if !(tau > 0.0 && tau.is_finite()) {
        fail!("gumbel_softmax", "`tau` must be above 0 and finite, got {tau}");
    }
    let zeros = Tensor::zeros_like(&logits.detach());
    let noise = random::gumbel(&zeros, &Tensor::ones_like(&zeros));
    ((logits + noise) / tau).softmax(-1)
}

/// [`gumbel_softmax`] with the largest share rounded to 1 and the others to 0, and the gradient of the soft choice (straight through):
/// PyTorch's `hard=True`.
///
/// ```
/// use mapsto_nn::distributions::gumbel_softmax_hard;
/// use mapsto_nn::prelude::*;
/// let y = gumbel_softmax_hard(&Tensor::zeros([5, 3]), 0.5);
/// assert_close!(y.max(-1), [1.0; 5]);
/// ```
/// # Panics
/// As [`gumbel_softmax`].
#[track_caller]
pub fn gumbel_softmax_hard(logits: &Tensor, tau: f64) -> Tensor {
    let soft = gumbel_softmax(logits, tau);
    let k = soft.shape()[soft.rank() - 1];
    let hard = soft.detach().argmax(-1).one_hot(k).to(soft.dtype());
    // Exactly 0 and 1: the soft choice less itself comes first.
    hard + (&soft - soft.detach())
}

#[test]
fn choices_fall_by_their_probabilities_and_learn() {
    use mapsto_tensor::{keep, seed, tensor};
    seed(5);
    let logits = tensor![0.2, 0.5, 0.3].log();
    let y = gumbel_softmax_hard(&logits.expand([20_000, 3]), 0.7);
    let shares = y.mean(0);
    assert!((shares - tensor![0.2, 0.5, 0.3]).abs().max(..).item() < 0.012);
    assert!(y.eq(0.0).or(&y.eq(1.0)).all(..).item() == 1.0 && y.sum(keep(1)).eq(1.0).all(..).item() == 1.0);
    let scores = Tensor::zeros([4, 3]).leaf();
    let weights = tensor![1.0, 2.0, 3.0];
    let slope = |draw: fn(&Tensor, f64) -> Tensor| {
        seed(6);
        (draw(&scores, 1.0) * &weights).sum(..).backward().of(&scores).clone()
    };
    let (hard, soft) = (slope(gumbel_softmax_hard), slope(gumbel_softmax));
    assert!(hard.abs().max(..).item() > 0.0 && (hard - soft).abs().max(..).item() < 1e-6);
    assert!(mapsto_tensor::catch(|| gumbel_softmax(&scores, 0.0)).is_err());
}

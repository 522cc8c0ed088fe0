//! The update rules of the optimizers, each one pass over a parameter, its gradient and its running values, in place.
//!
//! Each answers whether all went well: a gradient that is infinite or NaN changes nothing of its block of elements, and of one
//! beyond 10¹⁹ the running square is infinite in f32, after which its element would never move again.
//!
//! The formulas are those of PyTorch 2, operation for operation but for Adam's correction of v, which is moved out of the
//! pass. Numbers of a rule are given in f64 and rounded once to the parameter's type.

#[cfg(test)]
mod tests;

mod amsgrad;
mod update;

pub use amsgrad::amsgrad;
pub use update::{update, update_watched};

use crate::real::Float;

/// How a parameter is drawn towards zero at each step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay {
    /// Not at all.
    None,
    /// `g ← g + λ p`: the gradient of the penalty `λ/2 p²`.
    L2(f64),
    /// `p ← p − lr λ p`, beside the gradient's own step (Loshchilov & Hutter 2019, arXiv:1711.05101).
    Decoupled(f64),
}

/// Where the gradient is taken to point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Momentum {
    /// The step is the running sum of gradients (Polyak 1964).
    Classical,
    /// The step looks one momentum step ahead (Sutskever et al. 2013).
    Nesterov,
}

/// Gradient descent with or without momentum; see [`sgd`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Learning rate.
    pub lr: f64,
    /// The share of the running sum that is kept, `μ`.
    pub momentum: f64,
    /// The share of a new gradient that is left out of the running sum, `τ`; 0 in the first step, as in PyTorch.
    pub dampening: f64,
    /// Classical or Nesterov.
    pub kind: Momentum,
    /// Weight decay.
    pub decay: Decay,
}

/// `b ← μ b + (1 − τ) g`, `p ← p − lr b` (Nesterov: `p ← p − lr (g + μ b)`); with no running sum `p ← p − lr g`.
///
/// Answers whether the gradient is finite.
///
/// ```
/// use mapsto_kernels::optim::{Decay, Momentum, Sgd, sgd};
/// let rule = Sgd { lr: 0.5, momentum: 0.0, dampening: 0.0, kind: Momentum::Classical, decay: Decay::None };
/// let mut p = [1.0f32, 2.0];
/// sgd(&rule, &mut p, &[1.0, -2.0], None);
/// assert_eq!(p, [0.5, 3.0]);
/// ```
///
/// # Panics
/// If lengths differ (also in every other function here).
pub fn sgd<T: Float>(rule: &Sgd, p: &mut [T], g: &[T], sum: Option<&mut [T]>) -> bool {
    let [lr, momentum, fresh] = [rule.lr, rule.momentum, 1.0 - rule.dampening].map(T::from_f64);
    let (l2, keep) = rule.decay.factors(rule.lr);
    let Some(sum) = sum else {
        return update(
            g,
            [p],
            #[inline(always)]
            |g, [p]| [p * keep - lr * (g + l2 * p)],
        );
    };
    match rule.kind {
        Momentum::Classical => update(
            g,
            [p, sum],
            #[inline(always)]
            |g, [p, b]| {
                let b = momentum * b + fresh * (g + l2 * p);
                [p * keep - lr * b, b]
            },
        ),
        Momentum::Nesterov => update(
            g,
            [p, sum],
            #[inline(always)]
            |g, [p, b]| {
                let g = g + l2 * p;
                let b = momentum * b + fresh * g;
                [p * keep - lr * (g + momentum * b), b]
            },
        ),
    }
}

/// Adam and AdamW; see [`adam`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Learning rate.
    pub lr: f64,
    /// The share of the running mean of gradients that is kept.
    pub beta1: f64,
    /// The share of the running mean of squared gradients that is kept.
    pub beta2: f64,
    /// Added to the root, against division by zero.
    pub eps: f64,
    /// The number of this step, from 1: it corrects the running means for having begun at zero.
    pub step: u64,
    /// [`Decay::L2`] makes it Adam with weight decay, [`Decay::Decoupled`] AdamW.
    pub decay: Decay,
}

/// `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, `p ← p − lr m̂ / (√v̂ + ε)`, with `m̂ = m / (1 − β₁ᵗ)` and
/// `v̂ = v / (1 − β₂ᵗ)` (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1).
///
/// Answers whether the gradient and every running square are finite.
///
/// ```
/// use mapsto_kernels::optim::{Adam, Decay, adam};
/// let rule = Adam { lr: 0.1, beta1: 0.9, beta2: 0.999, eps: 1e-8, step: 1, decay: Decay::None };
/// let (mut p, mut m, mut v) = ([1.0f64], [0.0], [0.0]);
/// adam(&rule, &mut p, &[5.0], &mut m, &mut v);
/// assert!((p[0] - 0.9).abs() < 1e-8); // the first step is lr against the gradient's sign
/// ```
///
/// # Panics
/// Also if `step` is 0.
pub fn adam<T: Float>(rule: &Adam, p: &mut [T], g: &[T], m: &mut [T], v: &mut [T]) -> bool {
    assert!(rule.step > 0, "adam: steps count from 1");
    let power = |beta: f64| 1.0 - beta.powf(rule.step as f64);
    // √v̂ + ε is (√v + ε r) / r with r = √(1 − β₂ᵗ), so r goes into lr and ε, which leaves one division of two.
    let root = power(rule.beta2).sqrt();
    let [lr, eps] = [rule.lr * root / power(rule.beta1), rule.eps * root].map(T::from_f64);
    let [fresh1, beta2, fresh2] = [1.0 - rule.beta1, rule.beta2, 1.0 - rule.beta2].map(T::from_f64);
    let (l2, keep) = rule.decay.factors(rule.lr);
    update_watched::<_, _, 2>(
        g,
        [p, m, v],
        #[inline(always)]
        |g, [p, m, v]| {
            let g = g + l2 * p;
            let m = m + fresh1 * (g - m);
            let v = beta2 * v + fresh2 * (g * g);
            [p * keep - lr * (m / (v.sqrt() + eps)), m, v]
        },
    )
}

/// RMSprop; see [`rmsprop`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    /// Learning rate.
    pub lr: f64,
    /// The share of the running mean of squared gradients that is kept, `α`.
    pub alpha: f64,
    /// Added to the root, against division by zero.
    pub eps: f64,
    /// The share of the running sum of steps that is kept, `μ`; used if there is such a sum.
    pub momentum: f64,
    /// Weight decay.
    pub decay: Decay,
}

/// `v ← α v + (1 − α) g²`, `p ← p − lr g / (√v + ε)` (Hinton 2012, lecture 6e).
///
/// Given the running `mean`, it is centred: `a ← α a + (1 − α) g` and the root is of `v − a²` (Graves 2013,
/// arXiv:1308.0850, eq. 38-45), taken as 0 where rounding made it negative (PyTorch gives NaN there). Given the running `sum`, the steps have momentum: `b ← μ b + g / (√v + ε)`,
/// `p ← p − lr b`.
///
/// Answers whether the gradient and every running square are finite.
///
/// ```
/// use mapsto_kernels::optim::{Decay, RmsProp, rmsprop};
/// let rule = RmsProp { lr: 0.1, alpha: 0.75, eps: 0.0, momentum: 0.0, decay: Decay::None };
/// let (mut p, mut v) = ([1.0f32], [0.0]);
/// rmsprop(&rule, &mut p, &[2.0], &mut v, None, None);
/// assert_eq!((p, v), ([0.8], [1.0]));
/// ```
pub fn rmsprop<T: Float>(
    rule: &RmsProp,
    p: &mut [T],
    g: &[T],
    v: &mut [T],
    mean: Option<&mut [T]>,
    sum: Option<&mut [T]>,
) -> bool {
    let [lr, alpha, fresh, eps, momentum] =
        [rule.lr, rule.alpha, 1.0 - rule.alpha, rule.eps, rule.momentum].map(T::from_f64);
    let (l2, keep) = rule.decay.factors(rule.lr);
    match (mean, sum) {
        (None, None) => update_watched::<_, _, 1>(
            g,
            [p, v],
            #[inline(always)]
            |g, [p, v]| {
                let g = g + l2 * p;
                let v = alpha * v + fresh * (g * g);
                [p * keep - lr * (g / (v.sqrt() + eps)), v]
            },
        ),
        (Some(mean), None) => update_watched::<_, _, 1>(
            g,
            [p, v, mean],
            #[inline(always)]
            |g, [p, v, a]| {
                let g = g + l2 * p;
                let (v, a) = (alpha * v + fresh * (g * g), a + fresh * (g - a));
                [p * keep - lr * (g / ((v - a * a).max(T::ZERO).sqrt() + eps)), v, a]
            },
        ),
        (None, Some(sum)) => update_watched::<_, _, 1>(
            g,
            [p, v, sum],
            #[inline(always)]
            |g, [p, v, b]| {
                let g = g + l2 * p;
                let v = alpha * v + fresh * (g * g);
                let b = momentum * b + g / (v.sqrt() + eps);
                [p * keep - lr * b, v, b]
            },
        ),
        (Some(mean), Some(sum)) => update_watched::<_, _, 1>(
            g,
            [p, v, mean, sum],
            #[inline(always)]
            |g, [p, v, a, b]| {
                let g = g + l2 * p;
                let (v, a) = (alpha * v + fresh * (g * g), a + fresh * (g - a));
                let b = momentum * b + g / ((v - a * a).max(T::ZERO).sqrt() + eps);
                [p * keep - lr * b, v, a, b]
            },
        ),
    }
}

/// Adagrad; see [`adagrad`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad {
    /// Learning rate.
    pub lr: f64,
    /// The learning rate of step `t` is `lr / (1 + (t − 1) · lr_decay)`.
    pub lr_decay: f64,
    /// The number of this step, from 1.
    pub step: u64,
    /// Added to the root, against division by zero.
    pub eps: f64,
    /// Weight decay.
    pub decay: Decay,
}

/// `s ← s + g²`, `p ← p − lr g / (√s + ε)` (Duchi, Hazan & Singer 2011).
///
/// Answers whether the gradient and every running square are finite.
///
/// ```
/// use mapsto_kernels::optim::{Adagrad, Decay, adagrad};
/// let rule = Adagrad { lr: 0.5, lr_decay: 0.0, step: 1, eps: 0.0, decay: Decay::None };
/// let (mut p, mut s) = ([1.0f32], [7.0]);
/// adagrad(&rule, &mut p, &[3.0], &mut s);
/// assert_eq!((p, s), ([0.625], [16.0]));
/// ```
///
/// # Panics
/// Also if `step` is 0.
pub fn adagrad<T: Float>(rule: &Adagrad, p: &mut [T], g: &[T], sum: &mut [T]) -> bool {
    assert!(rule.step > 0, "adagrad: steps count from 1");
    let rate = rule.lr / (1.0 + (rule.step - 1) as f64 * rule.lr_decay);
    let [lr, eps] = [rate, rule.eps].map(T::from_f64);
    let (l2, keep) = rule.decay.factors(rate);
    update_watched::<_, _, 1>(
        g,
        [p, sum],
        #[inline(always)]
        |g, [p, s]| {
            let g = g + l2 * p;
            let s = s + g * g;
            [p * keep - lr * (g / (s.sqrt() + eps)), s]
        },
    )
}

impl Decay {
    /// What of `p` is added to the gradient, and what of `p` is kept.
    fn factors<T: Float>(self, lr: f64) -> (T, T) {
        match self {
            Decay::None => (T::ZERO, T::ONE),
            Decay::L2(rate) => (T::from_f64(rate), T::ONE),
            Decay::Decoupled(rate) => (T::ZERO, T::from_f64(1.0 - lr * rate)),
        }
    }
}

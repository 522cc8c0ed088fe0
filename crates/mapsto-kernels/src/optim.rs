//! The update rules of the optimizers, each one pass over a parameter, its gradient and its running values, in place.
//!
//! Each answers whether all went well: a gradient that is infinite or NaN changes nothing of its block of elements, and of one
//! beyond 10¹⁹ the running square is infinite in f32, after which its element would never move again.
//!
//! The formulas are those of PyTorch 2, operation for operation but for Adam's correction of v, which is moved out of the
//! pass. Numbers of a rule are given in f64 and rounded once to the parameter's type.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::with_threads;

    fn numbers(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| (((i + seed) * 7919) % 1009) as f64 / 500.0 - 1.0).collect()
    }

    /// Runs `steps` of a rule on `values` (first the parameter) with 1, 2 and 8 threads, f32 and f64, against a plain rule.
    fn check<const N: usize>(
        f: impl Fn(u64, &[f64], [&mut [f64]; N]),
        f32s: impl Fn(u64, &[f32], [&mut [f32]; N]),
        plain: impl Fn(u64, f64, [f64; N]) -> [f64; N],
    ) {
        for n in [0, 1, 33, 30_001] {
            let mut want: [Vec<f64>; N] =
                std::array::from_fn(|k| if k == 0 { numbers(n, 3) } else { vec![0.0; n] });
            let start = want.clone();
            let gradient = |step: u64| numbers(n, 100 * step as usize);
            for step in 1..=4 {
                for (i, g) in gradient(step).into_iter().enumerate() {
                    let new = plain(step, g, std::array::from_fn(|k| want[k][i]));
                    (0..N).for_each(|k| want[k][i] = new[k]);
                }
            }
            let mut first: Option<[Vec<f32>; N]> = None;
            for threads in [1, 2, 8] {
                let mut wide = start.clone();
                let mut narrow = start.clone().map(|x| x.into_iter().map(|x| x as f32).collect::<Vec<f32>>());
                for step in 1..=4 {
                    let g = gradient(step);
                    let g32: Vec<f32> = g.iter().map(|&x| x as f32).collect();
                    with_threads(threads, || {
                        f(step, &g, wide.each_mut().map(|x| &mut x[..]));
                        f32s(step, &g32, narrow.each_mut().map(|x| &mut x[..]));
                    });
                }
                for (w, (x, y)) in want.iter().zip(wide.iter().zip(&narrow)) {
                    assert!(w.iter().zip(x).all(|(w, x)| (w - x).abs() < 1e-12));
                    assert!(w.iter().zip(y).all(|(w, y)| (w - *y as f64).abs() < 2e-5 * (1.0 + w.abs())));
                }
                let first = first.get_or_insert_with(|| narrow.clone());
                assert!(*first == narrow, "{threads} threads");
            }
        }
    }

    const DECAYS: [Decay; 3] = [Decay::None, Decay::L2(0.1), Decay::Decoupled(0.2)];

    fn decayed(decay: Decay, lr: f64, p: f64, g: f64) -> (f64, f64) {
        match decay {
            Decay::None => (p, g),
            Decay::L2(rate) => (p, g + rate * p),
            Decay::Decoupled(rate) => (p - lr * rate * p, g),
        }
    }

    #[test]
    fn sgd_against_its_formula() {
        for decay in DECAYS {
            let rule = Sgd { lr: 0.1, momentum: 0.9, dampening: 0.0, kind: Momentum::Classical, decay };
            check(
                |_, g, [p]| assert!(sgd(&rule, p, g, None)),
                |_, g, [p]| assert!(sgd(&rule, p, g, None)),
                |_, g, [p]| {
                    let (p, g) = decayed(decay, 0.1, p, g);
                    [p - 0.1 * g]
                },
            );
            for (kind, dampening) in [(Momentum::Classical, 0.3), (Momentum::Nesterov, 0.0)] {
                let at = |step| Sgd { kind, dampening: if step == 1 { 0.0 } else { dampening }, ..rule };
                check(
                    |step, g, [p, b]| assert!(sgd(&at(step), p, g, Some(b))),
                    |step, g, [p, b]| assert!(sgd(&at(step), p, g, Some(b))),
                    |step, g, [p, b]| {
                        let (p, g) = decayed(decay, 0.1, p, g);
                        // PyTorch's first step sets the buffer to the gradient.
                        let b = if step == 1 { g } else { 0.9 * b + (1.0 - dampening) * g };
                        [p - 0.1 * if kind == Momentum::Nesterov { g + 0.9 * b } else { b }, b]
                    },
                );
            }
        }
    }

    #[test]
    fn adam_against_its_formula() {
        for decay in DECAYS {
            let at = |step| Adam { lr: 0.01, beta1: 0.9, beta2: 0.99, eps: 1e-3, step, decay };
            check(
                |step, g, [p, m, v]| assert!(adam(&at(step), p, g, m, v)),
                |step, g, [p, m, v]| assert!(adam(&at(step), p, g, m, v)),
                |step, g, [p, m, v]| {
                    let (p, g) = decayed(decay, 0.01, p, g);
                    let (m, v) = (0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g);
                    let (m_hat, v_hat) =
                        (m / (1.0 - 0.9f64.powi(step as i32)), v / (1.0 - 0.99f64.powi(step as i32)));
                    [p - 0.01 * m_hat / (v_hat.sqrt() + 1e-3), m, v]
                },
            );
        }
    }

    #[test]
    fn rmsprop_against_its_formula() {
        let rule = RmsProp { lr: 0.01, alpha: 0.9, eps: 1e-2, momentum: 0.5, decay: Decay::L2(0.1) };
        let step = |g: f64, p: f64, v: f64| {
            let g = g + 0.1 * p;
            (g, 0.9 * v + 0.1 * g * g)
        };
        check(
            |_, g, [p, v]| assert!(rmsprop(&rule, p, g, v, None, None)),
            |_, g, [p, v]| assert!(rmsprop(&rule, p, g, v, None, None)),
            |_, g, [p, v]| {
                let (g, v) = step(g, p, v);
                [p - 0.01 * g / (v.sqrt() + 1e-2), v]
            },
        );
        check(
            |_, g, [p, v, a]| assert!(rmsprop(&rule, p, g, v, Some(a), None)),
            |_, g, [p, v, a]| assert!(rmsprop(&rule, p, g, v, Some(a), None)),
            |_, g, [p, v, a]| {
                let (g, v) = step(g, p, v);
                let a = 0.9 * a + 0.1 * g;
                [p - 0.01 * g / ((v - a * a).sqrt() + 1e-2), v, a]
            },
        );
        check(
            |_, g, [p, v, b]| assert!(rmsprop(&rule, p, g, v, None, Some(b))),
            |_, g, [p, v, b]| assert!(rmsprop(&rule, p, g, v, None, Some(b))),
            |_, g, [p, v, b]| {
                let (g, v) = step(g, p, v);
                let b = 0.5 * b + g / (v.sqrt() + 1e-2);
                [p - 0.01 * b, v, b]
            },
        );
        check(
            |_, g, [p, v, a, b]| assert!(rmsprop(&rule, p, g, v, Some(a), Some(b))),
            |_, g, [p, v, a, b]| assert!(rmsprop(&rule, p, g, v, Some(a), Some(b))),
            |_, g, [p, v, a, b]| {
                let (g, v) = step(g, p, v);
                let a = 0.9 * a + 0.1 * g;
                let b = 0.5 * b + g / ((v - a * a).sqrt() + 1e-2);
                [p - 0.01 * b, v, a, b]
            },
        );
    }

    #[test]
    fn adagrad_against_its_formula() {
        for decay in [Decay::None, Decay::L2(0.1)] {
            let at = |step| Adagrad { lr: 0.1, lr_decay: 0.5, step, eps: 1e-3, decay };
            check(
                |step, g, [p, s]| assert!(adagrad(&at(step), p, g, s)),
                |step, g, [p, s]| assert!(adagrad(&at(step), p, g, s)),
                |step, g, [p, s]| {
                    let (p, g) = decayed(decay, 0.0, p, g);
                    let s = s + g * g;
                    [p - 0.1 / (1.0 + 0.5 * (step - 1) as f64) * g / (s.sqrt() + 1e-3), s]
                },
            );
        }
    }

    /// At any place, in whole tiles and in the rest.
    #[test]
    fn a_square_or_a_gradient_that_is_infinite_is_noticed() {
        for n in [1, 31, 32, 100, 20_000] {
            for at in [0, n / 2, n - 1] {
                for (value, fine) in [(1e18f32, true), (2e20, false), (-3e38, false), (f32::NAN, false)] {
                    let mut g = vec![1f32; n];
                    g[at] = value;
                    let new = || vec![0f32; n];
                    let rule =
                        Adam { lr: 0.1, beta1: 0.9, beta2: 0.0, eps: 1e-8, step: 1, decay: Decay::None };
                    assert_eq!(
                        adam(&rule, &mut new(), &g, &mut new(), &mut new()),
                        fine,
                        "{value} {at} of {n}"
                    );
                    let rule = Adagrad { lr: 0.1, lr_decay: 0.0, step: 1, eps: 1e-8, decay: Decay::None };
                    assert_eq!(adagrad(&rule, &mut new(), &g, &mut new()), fine);
                    let (mut p, finite) = (new(), value.is_finite());
                    let (kind, decay) = (Momentum::Classical, Decay::None);
                    let rule = Sgd { lr: 0.1, momentum: 0.0, dampening: 0.0, kind, decay };
                    assert_eq!(sgd(&rule, &mut p, &g, None), finite);
                    assert_eq!(p[at] == 0.0, !finite, "a gradient that is no number moves nothing");
                    let rule = RmsProp { lr: 0.1, alpha: 0.0, eps: 1e-8, momentum: 0.5, decay: Decay::None };
                    for (centred, moving) in [(false, false), (true, false), (false, true), (true, true)] {
                        let (mut mean, mut sum) = (new(), new());
                        let (mean, sum) = (centred.then_some(&mut mean[..]), moving.then_some(&mut sum[..]));
                        assert_eq!(rmsprop(&rule, &mut new(), &g, &mut new(), mean, sum), fine);
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "differ in length")]
    fn lengths_are_checked() {
        let rule =
            Sgd { lr: 0.1, momentum: 0.0, dampening: 0.0, kind: Momentum::Classical, decay: Decay::None };
        sgd(&rule, &mut [0f32; 3], &[0.0; 2], None);
    }
}

//! Adam whose divisor never becomes smaller.

use super::Adam;
use super::update::update_watched;
use crate::real::Float;

/// As [`adam`](super::adam), divided by the largest `√v̂` so far: `s ← max(s, v)`, `p ← p − lr m̂ / (√(s / (1 − β₂ᵗ)) + ε)`
/// (Reddi, Kale & Kumar 2018, arXiv:1904.09237, algorithm 2, with the corrections of Adam as in PyTorch).
///
/// Answers whether the gradient and every running square are finite, as `adam` does.
///
/// ```
/// use mapsto_kernels::optim::{Adam, Decay, amsgrad};
/// let rule = |step| Adam { lr: 0.5, beta1: 0.0, beta2: 0.0, eps: 1e-9, step, decay: Decay::None };
/// let (mut p, mut m, mut v, mut most) = ([1.0f64], [0.0], [0.0], [0.0]);
/// amsgrad(&rule(1), &mut p, &[4.0], &mut m, &mut v, &mut most);
/// amsgrad(&rule(2), &mut p, &[1.0], &mut m, &mut v, &mut most); // in units of the 4 of before
/// assert!((p[0] - 0.375).abs() < 1e-6);
/// ```
///
/// # Panics
/// If lengths differ, or `step` is 0.
pub fn amsgrad<T: Float>(
    rule: &Adam,
    p: &mut [T],
    g: &[T],
    m: &mut [T],
    v: &mut [T],
    most: &mut [T],
) -> bool {
    assert!(rule.step > 0, "amsgrad: steps count from 1");
    let begun = |beta: f64| 1.0 - beta.powf(rule.step as f64);
    let root = begun(rule.beta2).sqrt();
    let [lr, eps] = [rule.lr * root / begun(rule.beta1), rule.eps * root].map(T::from_f64);
    let [fresh1, beta2, fresh2] = [1.0 - rule.beta1, rule.beta2, 1.0 - rule.beta2].map(T::from_f64);
    let (l2, keep) = rule.decay.factors(rule.lr);
    update_watched::<_, _, 2>(
        g,
        [p, m, v, most],
        #[inline(always)]
        |g, [p, m, v, most]| {
            let g = g + l2 * p;
            let m = m + fresh1 * (g - m);
            let v = beta2 * v + fresh2 * (g * g);
            let most = most.max(v);
            [p * keep - lr * (m / (most.sqrt() + eps)), m, v, most]
        },
    )
}

#[test]
fn the_divisor_never_falls() {
    use super::Decay;
    let n = 20_001;
    let number = |i: usize, t: u64| ((i * 7919 + 31 * t as usize) % 1009) as f64 / 500.0 - 1.0;
    let mut found = [vec![1.0; n], vec![0.0; n], vec![0.0; n], vec![0.0; n]];
    let mut want = found.clone();
    for t in 1..=4u64 {
        let g: Vec<f64> = (0..n).map(|i| number(i, t) / t as f64).collect();
        let rule = Adam { lr: 0.1, beta1: 0.9, beta2: 0.5, eps: 1e-3, step: t, decay: Decay::Decoupled(0.2) };
        let [p, m, v, most] = found.each_mut();
        assert!(amsgrad(&rule, p, &g, m, v, most));
        for i in 0..n {
            let [p, m, v, s] = want.each_mut().map(|x| &mut x[i]);
            (*m, *v) = (0.9 * *m + 0.1 * g[i], 0.5 * *v + 0.5 * g[i] * g[i]);
            *s = s.max(*v);
            let (mean, square) = (*m / (1.0 - 0.9f64.powi(t as i32)), *s / (1.0 - 0.5f64.powi(t as i32)));
            *p = *p * (1.0 - 0.1 * 0.2) - 0.1 * mean / (square.sqrt() + 1e-3);
        }
    }
    assert!((0..n).all(|i| (found[0][i] - want[0][i]).abs() < 1e-12));
    let rule = Adam { lr: 0.1, beta1: 0.9, beta2: 0.5, eps: 1e-3, step: 1, decay: Decay::None };
    assert!(!amsgrad(&rule, &mut [0f32], &[1e30], &mut [0.0], &mut [0.0], &mut [0.0]));
}

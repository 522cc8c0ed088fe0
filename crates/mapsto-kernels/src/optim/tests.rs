//! Tests of `optim`.

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
                let rule = Adam { lr: 0.1, beta1: 0.9, beta2: 0.0, eps: 1e-8, step: 1, decay: Decay::None };
                assert_eq!(adam(&rule, &mut new(), &g, &mut new(), &mut new()), fine, "{value} {at} of {n}");
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
    let rule = Sgd { lr: 0.1, momentum: 0.0, dampening: 0.0, kind: Momentum::Classical, decay: Decay::None };
    sgd(&rule, &mut [0f32; 3], &[0.0; 2], None);
}

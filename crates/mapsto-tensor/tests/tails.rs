//! The tails of functions, where a result rounds to 1 and what is left of it is not 0: values and derivatives of f32 against
//! formulas of f64 that do not cancel, by relative error. And results that f32 holds where the squares on the way it does
//! not.

use mapsto_tensor::prelude::*;

/// e^(−|x|) and the sigmoid's value without cancellation.
fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    (if x > 0.0 { 1.0 } else { e }) / (1.0 + e)
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `Φ(x)` for any x, its lower tail by the continued fraction of erfc (Abramowitz & Stegun 1964, 7.1.14).
fn cdf(x: f64) -> f64 {
    let a = x.abs();
    let tail = bell(a) / (1..4000).rev().fold(a, |f, n| a + n as f64 / f);
    if x > 0.0 { 1.0 - tail } else { tail }
}

fn bell(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

fn sech2(x: f64) -> f64 {
    let e = (-2.0 * x.abs()).exp();
    4.0 * e / (1.0 + e).powi(2)
}

/// `2u` of GELU's tanh form, and its derivative.
fn twice(x: f64) -> (f64, f64) {
    let s = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
    (s * (x + 0.044715 * x.powi(3)), s * (1.0 + 3.0 * 0.044715 * x * x))
}

type F = fn(&Tensor) -> Tensor;
type G = fn(f64) -> f64;

/// Name, function, value, first and second derivative, range, and the units in the last place that are allowed at x.
type Row = (&'static str, F, [Option<G>; 3], std::ops::Range<f64>, G);

const ROWS: &[Row] = &[
    (
        "sigmoid",
        |x| x.sigmoid(),
        [
            Some(sigmoid),
            Some(|x| sigmoid(x) * sigmoid(-x)),
            Some(|x| -sigmoid(x) * sigmoid(-x) * (x / 2.0).tanh()),
        ],
        -85.0..85.0,
        |_| 8.0,
    ),
    (
        "tanh",
        |x| x.tanh(),
        [Some(f64::tanh), Some(sech2), Some(|x| -2.0 * x.tanh() * sech2(x))],
        -42.0..42.0,
        |_| 8.0,
    ),
    (
        "softplus",
        |x| x.softplus(),
        [Some(softplus), Some(sigmoid), Some(|x| sigmoid(x) * sigmoid(-x))],
        -85.0..85.0,
        |_| 8.0,
    ),
    (
        "log_sigmoid",
        |x| x.log_sigmoid(),
        [Some(|x| -softplus(-x)), Some(|x| sigmoid(-x)), Some(|x| -sigmoid(x) * sigmoid(-x))],
        -85.0..85.0,
        |_| 8.0,
    ),
    (
        "silu",
        |x| x.silu(),
        [Some(|x| x * sigmoid(x)), Some(|x| sigmoid(x) * (1.0 + x * sigmoid(-x))), None],
        -80.0..80.0,
        |x| if (x + 1.28).abs() < 1.0 { 1e5 } else { 16.0 },
    ),
    (
        "mish",
        |x| x.mish(),
        [
            Some(|x| x * softplus(x).tanh()),
            Some(|x| softplus(x).tanh() + x * sech2(softplus(x)) * sigmoid(x)),
            None,
        ],
        -80.0..80.0,
        // The slope crosses 0 at −1.19.
        |x| if (x + 1.19).abs() < 1.0 { 1e5 } else { 16.0 },
    ),
    (
        "gelu",
        |x| x.gelu(),
        [Some(|x| x * cdf(x)), Some(|x| cdf(x) + x * bell(x)), Some(|x| bell(x) * (2.0 - x * x))],
        -12.8..12.8,
        |x| if (x.abs() - 1.0).abs() < 1.0 { 1e5 } else { 24.0 + x * x * 4.0 },
    ),
    (
        "gelu_tanh",
        |x| x.gelu_tanh(),
        [
            Some(|x| x * sigmoid(twice(x).0)),
            Some(|x| sigmoid(twice(x).0) * (1.0 + x * sigmoid(-twice(x).0) * twice(x).1)),
            None,
        ],
        -8.0..8.0,
        // A rounding of 2u is multiplied by the exponential.
        |x| if (x + 0.75).abs() < 0.7 { 1e5 } else { 16.0 + 8.0 * twice(x).0.abs() },
    ),
    (
        "erf",
        |x| x.erf(),
        [None, Some(|x| std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp()), None],
        -9.2..9.2,
        |_| 8.0,
    ),
    (
        "elu",
        |x| x.elu(1.0),
        [Some(|x| if x > 0.0 { x } else { x.exp_m1() }), Some(|x| x.min(0.0).exp()), None],
        -85.0..9.0,
        |_| 8.0,
    ),
    ("expm1", |x| x.expm1(), [Some(f64::exp_m1), Some(f64::exp), None], -85.0..85.0, |_| 8.0),
    (
        "bce_with_logits of 1",
        |x| x.reshape([1]).bce_with_logits(&Tensor::ones([1]).to(x.dtype())),
        [Some(|x| softplus(-x)), Some(|x| -sigmoid(-x)), Some(|x| sigmoid(x) * sigmoid(-x))],
        -85.0..85.0,
        |_| 8.0,
    ),
    (
        "bce_with_logits of 0",
        |x| x.reshape([1]).bce_with_logits(&Tensor::zeros([1]).to(x.dtype())),
        [Some(softplus), Some(sigmoid), Some(|x| sigmoid(x) * sigmoid(-x))],
        -85.0..85.0,
        |_| 8.0,
    ),
    (
        "cross_entropy of [x, 0]",
        |x| {
            Tensor::stack(&[x.reshape(()), Tensor::full_like(&x.detach().reshape(()), 0.0)], 0)
                .reshape([1, 2])
                .cross_entropy(&tensor![0])
        },
        [Some(|x| softplus(-x)), Some(|x| -sigmoid(-x)), None],
        -85.0..85.0,
        |_| 8.0,
    ),
    (
        "log_softmax of [x, 0]",
        |x| {
            Tensor::stack(&[x.reshape(()), Tensor::full_like(&x.detach().reshape(()), 0.0)], 0)
                .log_softmax(0)
                .select(0, 0)
        },
        [Some(|x| -softplus(-x)), Some(|x| sigmoid(-x)), None],
        -85.0..85.0,
        |_| 8.0,
    ),
    (
        "softmax of [x, 0]",
        |x| {
            Tensor::stack(&[x.reshape(()), Tensor::full_like(&x.detach().reshape(()), 0.0)], 0)
                .softmax(0)
                .select(0, 0)
        },
        [Some(sigmoid), Some(|x| sigmoid(x) * sigmoid(-x)), None],
        -85.0..85.0,
        |_| 8.0,
    ),
    (
        "logsumexp of [x, 0]",
        |x| Tensor::stack(&[x.reshape(()), Tensor::full_like(&x.detach().reshape(()), 0.0)], 0).logsumexp(0),
        [Some(softplus), Some(sigmoid), None],
        -85.0..85.0,
        |_| 8.0,
    ),
    (
        "bce of x and 0",
        |x| x.exp().reshape([1]).bce(&Tensor::zeros([1]).to(x.dtype())),
        [Some(|x| -(-x.exp()).ln_1p()), None, None],
        -80.0..-0.7,
        |x| 8.0 + x.abs(),
    ),
];

#[test]
fn tails_keep_their_digits() {
    let (mut points, mut wrong) = (0, Vec::new());
    for (name, f, want, range, allowed) in ROWS {
        let (mut worst, mut at) = ([0.0f64; 3], [0.0f64; 3]);
        for i in 0..=400 {
            let x32 = (range.start + (range.end - range.start) * f64::from(i) / 400.0) as f32;
            let x = f64::from(x32);
            let leaf = Tensor::from_slice(&[x32], 1).leaf();
            let y = f(&leaf);
            let backward = f(&leaf).sum(..).backward().get(&leaf).map_or(0.0, Tensor::item);
            let [first] = grad(&y.sum(..), [&leaf]);
            let second = if want[2].is_some() { grad(&first.sum(..), [&leaf])[0].item() } else { 0.0 };
            // `grad` takes the derivative of the definition, whose difference from 1 is rounded; `backward` that of the kernel.
            let first = if name.contains("of [x, 0]") { backward } else { first.item() };
            let got = [[y.item(), y.item()], [first, backward], [second, second]];
            for (k, want) in want.iter().enumerate() {
                let Some(want) = want.map(|w| w(x)) else { continue };
                // A normal number, and none whose last digits are subnormal.
                if want.abs() < 1e-37 {
                    continue;
                }
                points += 1;
                let ulps = |got: f64| (got - want).abs() / (want.abs() * f64::from(f32::EPSILON));
                let error = got[k]
                    .into_iter()
                    .map(ulps)
                    .fold(0.0, |m: f64, e| if e.is_nan() { f64::INFINITY } else { m.max(e) });
                let error = error / allowed(x);
                if error > worst[k] {
                    (worst[k], at[k]) = (error, x);
                }
            }
        }
        println!("{name}: {:.2} {:.2} {:.2} of what is allowed, at {at:?}", worst[0], worst[1], worst[2]);
        if worst.iter().any(|w| *w > 1.0) {
            wrong.push(format!("{name}: {worst:?} of what is allowed, at {at:?}"));
        }
    }
    println!("{} functions, {points} values and derivatives", ROWS.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn results_are_numbers_where_the_squares_on_the_way_are_none() {
    let mut cases = 0;
    let base: Vec<f64> = (0..24).map(|i| f64::from(i * i % 17) / 8.0 - 1.0).collect();
    let unit = Tensor::from_vec(base, [4, 6]);
    let close = |got: &Tensor, want: &Tensor, scale: f64, what: &str| {
        let (g, w) = (got.to(DType::F64).to_vec::<f64>(), want.to_vec::<f64>());
        for (g, w) in g.iter().zip(&w) {
            let w = w * scale;
            assert!((g - w).abs() <= 3e-6 * w.abs().max(scale.abs() * 0.1), "{what}: {g:e}, {w:e}");
        }
    };
    for dtype in [DType::F32, DType::F64] {
        for scale in
            if dtype == DType::F32 { [1e-30, 1e20, 1e30, 1e38] } else { [1e-200, 1e160, 1e200, 1e307] }
        {
            let x = (&unit * scale).to(dtype).leaf();
            let plain = unit.leaf();
            for axes in [0, 1] {
                let (y, want) = (x.std(axes), plain.std(axes));
                close(&y, &want, scale, "std");
                close(
                    y.sum(..).backward().of(&x),
                    want.sum(..).backward().of(&plain),
                    1.0,
                    "std's derivative",
                );
                close(&x.mean(axes), &plain.mean(axes), scale, "mean");
                cases += 3;
            }
            // A variance of about 10³⁸, of many squares.
            let ones = |n: usize| Tensor::ones([n]).to(dtype);
            let (gamma, beta) = (ones(6), Tensor::zeros([6]).to(dtype));
            let exact = |x: &Tensor| x.layer_norm(&Tensor::ones([6]).to(DType::F64), None, 0.0);
            close(&x.layer_norm(&gamma, Some(&beta), 0.0), &exact(&plain), 1.0, "layer_norm");
            let weights =
                Tensor::from_vec((0..24).map(|i| f64::from(i * 5 % 7) - 3.0).collect::<Vec<_>>(), [4, 6]);
            let dx = x.layer_norm(&gamma, Some(&beta), 0.0).backward_with(&weights.to(dtype));
            if scale < 1e37 {
                close(
                    dx.of(&x),
                    exact(&plain).backward_with(&weights).of(&plain),
                    1.0 / scale,
                    "layer_norm's derivative",
                );
            }
            let of_batch = |x: &Tensor, d: DType| {
                x.batch_norm(&Tensor::ones([6]).to(d), &Tensor::zeros([6]).to(d), 0.0).0
            };
            if scale > 1.0 {
                close(&of_batch(&x, dtype), &of_batch(&plain, DType::F64), 1.0, "batch_norm");
            }
            cases += 3;
        }
    }
    let far = (Tensor::arange(0..1000).to(DType::F64) * 3e16).to(DType::F32);
    let want = far.to(DType::F64).var(..).item();
    assert!(want < 3e38 && (far.var(..).item() / want - 1.0).abs() < 1e-5, "{} {want}", far.var(..).item());
    let top = Tensor::full([4], 3e38).leaf();
    assert!((top.mean(..).item() / 3e38 - 1.0).abs() < 1e-6 && top.std(..).item() == 0.0);
    assert!(
        tensor![f32::INFINITY, 1.0].mean(..).item() == f64::INFINITY
            && tensor![f32::NAN, 1.0].std(..).item().is_nan()
    );
    println!("{cases} cases beyond the squares");
}

#[test]
fn factors_may_leave_the_range_where_the_product_does_not() {
    // (g, a, b) in a dtype; the derivatives in f64 are the formulas themselves.
    let rows: &[(DType, [f64; 3])] = &[
        (DType::F16, [1e-3, 200.0, 0.004]),
        (DType::F16, [3e4, 1e-3, 0.25]),
        (DType::F16, [1e-3, 0.5, 0.001]),
        (DType::BF16, [1e-20, 1e10, 1e-15]),
        (DType::BF16, [1e30, 1e-30, 1e-10]),
        (DType::F32, [1e-20, 1e10, 1e-15]),
        (DType::F32, [1e30, 1e-30, 1e-10]),
        (DType::F32, [1e10, 1e30, 1e15]),
        (DType::F32, [1e-20, 1e30, 1e20]),
    ];
    let close = |got: f64, want: f64, dtype: DType, what: &str| {
        let slack = match dtype {
            DType::F16 => 4e-3,
            DType::BF16 => 3e-2,
            _ => 2e-6,
        };
        let least = if dtype == DType::F16 { 6e-8 } else { 0.0 };
        assert!((got - want).abs() <= slack * want.abs() + least, "{what} in {dtype}: {got:e}, {want:e}");
    };
    for &(dtype, [g, a, b]) in rows {
        let of = |v: f64| Tensor::full_of([1], v, dtype);
        let (g, a, b) = (of(g), of(a).leaf(), of(b).leaf());
        let (gv, av, bv) = (g.item(), a.item(), b.item());
        let grads = (&a / &b).backward_with(&g);
        close(grads.of(&b).item(), -gv / bv * (av / bv), dtype, "div");
    }
    for (dtype, g, x, p) in [
        (DType::F16, 1e-4, 60.0, 4.0),
        (DType::F16, 1e-3, 0.02, -2.0),
        (DType::F16, 1e-3, 0.05, -3.5),
        (DType::BF16, 1e-30, 1e15, 4.0),
        (DType::F32, 1e-30, 1e15, 4.0),
        (DType::F32, 1e-30, 1e15, 4.5),
        (DType::F32, 1e-30, 1e-14, -3.0),
        (DType::F32, 1e-30, 1e10, 5.0),
        // The slope is a number, and twice the slope, or the slope by the exponent, is none.
        (DType::F32, 1.0, 1.9565e-26, -0.5),
        (DType::F32, 1.0, 7.5e-32, -0.25),
        (DType::F32, 1.0, 1e-40, 0.0009765625),
    ] {
        let (g, x) = (Tensor::full_of([1], g, dtype), Tensor::full_of([1], x, dtype).leaf());
        let want = g.item() * p * x.item().powf(p - 1.0);
        close(x.pow(p).backward_with(&g).of(&x).item(), want, dtype, "pow");
        let e = Tensor::full_of([1], p, dtype).leaf();
        let grads = x.powt(&e).backward_with(&g);
        close(grads.of(&x).item(), want, dtype, "powt by its base");
        if x.powt(&e).is_finite() {
            close(
                grads.of(&e).item(),
                g.item() * x.item().powf(p) * x.item().ln(),
                dtype,
                "powt by its exponent",
            );
        }
    }
}

/// The derivative that is differentiated again is another program than the kernel's, and keeps the same digits.
#[test]
fn spreads_of_any_size_have_slopes_in_both_ways() {
    let numbers = [1.0, 2.0, 4.0];
    let mean = numbers.iter().sum::<f64>() / 3.0;
    let deviation = (numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
    for exponent in -30..=37 {
        let scale = 10f64.powi(exponent);
        let x = (tensor![1.0, 2.0, 4.0].to(DType::F64) * scale).to(DType::F32).leaf();
        let both = |y: Tensor| {
            let [again] = grad(&y, [&x]);
            [y.backward().of(&x).clone(), again]
        };
        for g in both(x.std(0)) {
            for (g, x) in g.to_vec::<f32>().iter().zip(numbers) {
                let want = (x - mean) / (3.0 * deviation);
                assert!((*g as f64 - want).abs() < 1e-5, "std at {scale:e}: {g} for {want}");
            }
        }
        for g in both(x.var(0)) {
            for (g, x) in g.to_vec::<f32>().iter().zip(numbers) {
                let want = 2.0 / 3.0 * (x - mean) * scale;
                assert!((*g as f64 / want - 1.0).abs() < 1e-5, "var at {scale:e}: {g:e} for {want:e}");
            }
        }
    }
}

/// Where one key has all the weight, queries and keys have no gradient, however large they are.
#[test]
fn attention_to_one_key_has_no_slope() {
    for scale in [100.0, 300.0, 1e4, 1e6] {
        seed(3);
        let x = Tensor::randn([1, 2, 40, 8]) * scale;
        let [q, k, v] = [(); 3].map(|()| x.leaf());
        let w = Tensor::linspace(0.5, 1.5, 640).reshape([1, 2, 40, 8]);
        let y = attention(&q, &k, &v, Mask::Causal);
        let grads = (&y * &w).sum(..).backward();
        let [q64, k64, v64] = [&q, &k, &v].map(|x| x.detach().to(DType::F64).leaf());
        let exact = (attention(&q64, &k64, &v64, Mask::Causal) * w.to(DType::F64)).sum(..).backward();
        for (x, x64) in [(&q, &q64), (&k, &k64)] {
            let (g, want) = (grads.of(x).to_vec::<f32>(), exact.of(x64).to_vec::<f64>());
            let most = want.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
            for (g, want) in g.iter().zip(&want) {
                assert!((*g as f64 - want).abs() <= 1e-3 * most + 1e-5, "{scale}: {g:e} for {want:e}");
            }
        }
    }
}

//! How exact functions of one number are: f32 against the same function in f64, in units in the last place.
//!
//! The functions in f64 are compared with golden values and formulas in their own files.

use mapsto_tensor::prelude::*;

type Function = fn(&Tensor) -> Tensor;

/// Name, function, range, and the largest error: half a unit more than rounding where all is computed in f64.
const FUNCTIONS: &[(&str, Function, std::ops::Range<f64>, f64)] = &[
    ("log2", |x| x.log2(), 0.0..100.0, 1.0),
    ("log10", |x| x.log10(), 0.0..100.0, 1.0),
    ("exp2", |x| x.exp2(), -20.0..20.0, 1.0),
    ("tan", |x| x.tan(), -50.0..50.0, 1.0),
    ("asin", |x| x.asin(), -1.0..1.0, 1.0),
    ("acos", |x| x.acos(), -1.0..1.0, 1.0),
    ("atan", |x| x.atan(), -20.0..20.0, 1.0),
    ("sinh", |x| x.sinh(), -80.0..80.0, 1.0),
    ("cosh", |x| x.cosh(), -80.0..80.0, 1.0),
    ("asinh", |x| x.asinh(), -1e3..1e3, 1.0),
    ("acosh", |x| x.acosh(), 1.0..1e3, 1.0),
    ("atanh", |x| x.atanh(), -1.0..1.0, 1.0),
    ("trunc", |x| x.trunc(), -1e3..1e3, 0.0),
    ("frac", |x| x.frac(), -1e3..1e3, 0.0),
    ("lgamma", |x| x.lgamma(), -30.0..100.0, 1.0),
    ("digamma", |x| x.digamma(), -30.0..100.0, 1.0),
    ("polygamma", |x| x.polygamma(2), 0.0..30.0, 1.0),
    ("erfinv", |x| x.erfinv(), -1.0..1.0, 1.0),
    ("erfc", |x| x.erfc(), -5.0..9.0, 1.0),
    ("sinc", |x| x.sinc(), -30.0..30.0, 1.0),
    ("logit", |x| x.logit(), 0.0..1.0, 1.0),
    ("log_sigmoid", |x| x.log_sigmoid(), -80.0..80.0, 2.0),
    ("relu6", |x| x.relu6(), -9.0..9.0, 0.0),
    ("hardtanh", |x| x.hardtanh(-1.0, 1.0), -3.0..3.0, 0.0),
    ("hardsigmoid", |x| x.hardsigmoid(), -5.0..5.0, 2.0),
    ("hardswish", |x| x.hardswish(), -5.0..5.0, 2.0),
    ("hardshrink", |x| x.hardshrink(0.5), -3.0..3.0, 0.0),
    ("softshrink", |x| x.softshrink(0.5), -3.0..3.0, 1.0),
    ("tanhshrink", |x| x.tanhshrink(), -9.0..9.0, 1.0),
    ("softsign", |x| x.softsign(), -30.0..30.0, 2.0),
    ("selu", |x| x.selu(), -20.0..20.0, 4.0),
    ("celu", |x| x.celu(0.5), -20.0..20.0, 4.0),
    ("mish", |x| x.mish(), -80.0..80.0, 1.0),
];

/// Numbers of a range, evenly and by their size.
fn numbers(range: &std::ops::Range<f64>, n: usize) -> Tensor {
    let even = Tensor::uniform([n / 2], range.start, range.end);
    let small = Tensor::uniform([n / 2], -20.0, 0.0).exp2() * (range.end - range.start);
    let middle = if range.contains(&0.0) { 0.0 } else { range.start };
    Tensor::cat(&[even, small + middle], 0).clamp(range.start, range.end)
}

/// The largest difference in units in the last place of f32; below the normal numbers a unit is that of the least.
fn ulps(y: &Tensor, exact: &Tensor) -> (f64, usize) {
    let (y, exact) = (y.to_vec::<f32>(), exact.to_vec::<f64>());
    let mut worst = (0.0, 0);
    for (i, (y, w)) in y.iter().zip(&exact).enumerate() {
        let rounded = *w as f32;
        if !rounded.is_finite() || !y.is_finite() {
            assert!(
                y.to_bits() == rounded.to_bits()
                    || y.is_nan() && w.is_nan()
                    || (w.abs() - f64::from(f32::MAX)).abs() < 1e32,
                "{y} {w}"
            );
            continue;
        }
        let size = rounded.abs().max(f32::MIN_POSITIVE);
        let error = (f64::from(*y) - w).abs() / f64::from(size.next_up() - size);
        if error > worst.0 {
            worst = (error, i);
        }
    }
    worst
}

#[test]
fn functions_are_as_exact_as_their_dtype() {
    seed(7);
    // MAPSTO_NUMBERS=1000000 looks at as many.
    let n = std::env::var("MAPSTO_NUMBERS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    for (name, f, range, bound) in FUNCTIONS {
        let x = numbers(range, n);
        let (y, exact) = (f(&x), f(&x.to(DType::F64)));
        let (worst, at) = ulps(&y, &exact);
        println!("{name}: {worst:.3}");
        assert!(worst <= *bound, "{name} at {}: {worst:.2} units in the last place", x.to_vec::<f32>()[at]);
    }
}

//! References of functions of numbers: formulas of the standard library, integrals and series.

use super::Reference::{self, Composed, Each};
use super::{erf, number, sigmoid, truth, whole};
use std::f64::consts::PI;

/// `ln |Γ(x)|`: Stirling's series far out, from where the recurrence leads back.
fn lgamma(x: f64) -> f64 {
    if x < 0.5 {
        return (PI / (PI * x).sin().abs()).ln() - lgamma(1.0 - x);
    }
    let z = x + 60.0;
    let factors: f64 = (0..60).map(|k| (x + k as f64).ln()).sum();
    (z - 0.5) * z.ln() - z + 0.5 * (2.0 * PI).ln() + 1.0 / (12.0 * z) - 1.0 / (360.0 * z.powi(3)) - factors
}

/// The derivatives of digamma as sums of 400 terms and what the rest of the sum is by the formula of Euler and Maclaurin; of
/// order 0 digamma itself. The terms of a number below 0 are those of the definition too.
fn polygamma(n: i32, x: f64) -> f64 {
    let (count, factorial) = (400, (1..=n).map(f64::from).product::<f64>());
    let z = x + f64::from(count);
    let terms: f64 = (0..count).rev().map(|k| (x + f64::from(k)).powi(-n - 1)).sum();
    if n == 0 {
        return z.ln() - 0.5 / z - 1.0 / (12.0 * z * z) - terms;
    }
    let rest = z.powi(-n) / f64::from(n) + 0.5 * z.powi(-n - 1) + f64::from(n + 1) / 12.0 * z.powi(-n - 2);
    factorial * (terms + rest) * if n % 2 == 0 { -1.0 } else { 1.0 }
}

/// By Newton's method on the integral.
fn erfinv(x: f64) -> f64 {
    (0..12).fold(0.0, |y: f64, _| y - (erf(y) - x) * 0.5 * PI.sqrt() * (y * y).exp())
}

/// The modified Bessel function of whole order by its series.
fn bessel(n: i32, x: f64) -> f64 {
    let first = (1..=n).fold(1.0, |p, k| p * x / 2.0 / f64::from(k));
    let next = |term: f64, k: i32| term * (x / 2.0).powi(2) / f64::from(k) / f64::from(k + n);
    (1..80).fold((first, first), |(sum, term), k| (sum + next(term, k), next(term, k))).0
}

/// `I₁(x) / x`.
fn bessel_ratio(x: f64) -> f64 {
    if x == 0.0 { 0.5 } else { bessel(1, x) / x }
}

/// `2/√π ∫ e^(−t² − 2xt)` over t from 0 on, by Simpson's rule.
fn erfcx(x: f64) -> f64 {
    let (n, h, f) = (40_000, 3e-4, |t: f64| (-t * t - 2.0 * x * t).exp());
    let inner: f64 = (1..n).map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * f(f64::from(i) * h)).sum();
    std::f64::consts::FRAC_2_SQRT_PI * h / 3.0 * (f(0.0) + inner)
}

/// The normal distribution function.
fn ndtr(x: f64) -> f64 {
    0.5 * erfcx(-x / 2f64.sqrt()) * (-0.5 * x * x).exp()
}

fn bell(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// By Newton's method.
fn ndtri(p: f64) -> f64 {
    (0..20).fold(0.0, |x: f64, _| x - (ndtr(x) - p) / bell(x))
}

/// 400 terms, and what the rest of the sum is by the formula of Euler and Maclaurin.
fn zeta(s: f64, q: f64) -> f64 {
    let z = q + 400.0;
    let terms: f64 = (0..400).rev().map(|k| (q + f64::from(k)).powf(-s)).sum();
    terms + z.powf(1.0 - s) / (s - 1.0) + 0.5 * z.powf(-s) + s / 12.0 * z.powf(-s - 1.0)
}

/// The share of the gamma distribution below x, by its series.
fn gammainc(a: f64, x: f64) -> f64 {
    let first = (a * x.ln() - x - lgamma(a + 1.0)).exp();
    (1..200)
        .fold((first, first), |(sum, term), n| {
            let next = term * x / (a + f64::from(n));
            (sum + next, next)
        })
        .0
}

/// How far a gamma draw moves with its concentration: minus the derivative of the series of its share by a, over the density.
fn gamma_slope(a: f64, x: f64) -> f64 {
    let term = |n: f64| (n * x.ln() - lgamma(a + n + 1.0)).exp() * (x.ln() - polygamma(0, a + n + 1.0));
    -(0..200).map(|n| term(f64::from(n))).sum::<f64>() * x * lgamma(a).exp()
}

/// The same of a share of the beta distribution of a and b, over 1 − x, by the powers of its density.
fn share_slope(a: f64, x: f64, b: f64) -> f64 {
    let (mut c, mut share, mut bend) = (1.0, 0.0, 0.0);
    for n in 0..300 {
        let n = f64::from(n);
        share += c / (a + n);
        bend += c * (x.ln() - 1.0 / (a + n)) / (a + n);
        c *= (n + 1.0 - b) * x / (n + 1.0);
    }
    let less = polygamma(0, a) - polygamma(0, a + b);
    (share * less - bend) * x / (1.0 - x).powf(b)
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

pub const FUNCTIONS: &[(&str, Reference)] =
    &[
        ("acos", Each(|x, _| x[0].acos())),
        ("acosh", Each(|x, _| x[0].acosh())),
        ("acosh_grad", Each(|x, _| x[0] / (x[1] * x[1] - 1.0).sqrt())),
        ("asin", Each(|x, _| x[0].asin())),
        ("asin_grad", Each(|x, _| x[0] / (1.0 - x[1] * x[1]).sqrt())),
        ("asinh", Each(|x, _| x[0].asinh())),
        ("asinh_grad", Each(|x, _| x[0] / (x[1] * x[1] + 1.0).sqrt())),
        ("atan", Each(|x, _| x[0].atan())),
        ("atan_grad", Each(|x, _| x[0] / (1.0 + x[1] * x[1]))),
        ("atanh", Each(|x, _| x[0].atanh())),
        ("atanh_grad", Each(|x, _| x[0] / (1.0 - x[1] * x[1]))),
        (
            "celu",
            Each(|x, a| {
                if x[0] > 0.0 { x[0] } else { number(a, "alpha") * ((x[0] / number(a, "alpha")).exp() - 1.0) }
            }),
        ),
        ("celu_grad", Each(|x, a| x[0] * if x[1] > 0.0 { 1.0 } else { (x[1] / number(a, "alpha")).exp() })),
        ("block_diag", Composed),
        ("column_stack", Composed),
        ("corrcoef", Composed),
        ("cov", Composed),
        ("cumulative_trapezoid", Composed),
        ("diag_embed", Composed),
        ("dstack", Composed),
        ("entr", Each(|x, _| -x[0] * x[0].ln())),
        ("entr_grad", Each(|x, _| -x[0] * (x[1].ln() + 1.0))),
        ("erfcx", Each(|x, _| erfcx(x[0]))),
        ("erfcx_grad", Each(|x, _| x[0] * (2.0 * x[1] * erfcx(x[1]) - std::f64::consts::FRAC_2_SQRT_PI))),
        ("fmax", Composed),
        ("fmin", Composed),
        ("gammainc", Each(|x, _| gammainc(x[0], x[1]))),
        ("gammaincc", Each(|x, _| 1.0 - gammainc(x[0], x[1]))),
        ("gamma_path", Each(|x, _| x[1])),
        ("gamma_slope", Each(|x, _| gamma_slope(x[0], x[1]))),
        ("dirichlet_path", Each(|x, _| x[1])),
        ("dirichlet_slope", Each(|x, _| share_slope(x[0], x[1], x[2] - x[0]))),
        ("hstack", Composed),
        ("i0", Each(|x, _| bessel(0, x[0]))),
        ("i0_grad", Each(|x, _| x[0] * bessel(1, x[1]))),
        ("i0e", Each(|x, _| bessel(0, x[0]) * (-x[0].abs()).exp())),
        (
            "i0e_grad",
            Each(|x, _| x[0] * (bessel(1, x[1]) - x[1].signum() * bessel(0, x[1])) * (-x[1].abs()).exp()),
        ),
        ("i1", Each(|x, _| bessel(1, x[0]))),
        ("i1_grad", Each(|x, _| x[0] * (bessel(0, x[1]) - bessel_ratio(x[1])))),
        ("i1e", Each(|x, _| bessel(1, x[0]) * (-x[0].abs()).exp())),
        (
            "i1e_grad",
            Each(|x, _| {
                let a = x[1].abs();
                x[0] * (bessel(0, a) - bessel(1, a) - bessel_ratio(a)) * (-a).exp()
            }),
        ),
        ("index_copy", Composed),
        ("index_reduce", Composed),
        ("isin", Composed),
        ("kthvalue", Composed),
        ("log_ndtr", Each(|x, _| ndtr(x[0]).ln())),
        ("log_ndtr_grad", Each(|x, _| x[0] * bell(x[1]) / ndtr(x[1]))),
        ("logaddexp2", Each(|x, _| (x[0].exp2() + x[1].exp2()).log2())),
        ("msort", Composed),
        ("multigammaln", Composed),
        ("nanmedian", Composed),
        ("nanquantile", Composed),
        ("ndtr", Each(|x, _| ndtr(x[0]))),
        ("ndtr_grad", Each(|x, _| x[0] * bell(x[1]))),
        ("ndtri", Each(|x, _| ndtri(x[0]))),
        ("ndtri_grad", Each(|x, _| x[0] / bell(x[1]))),
        ("quantiles", Composed),
        ("select_scatter", Composed),
        ("slice_scatter", Composed),
        ("take", Composed),
        ("tensor_split", Composed),
        ("trapezoid", Composed),
        ("unbind", Composed),
        ("vstack", Composed),
        ("xlog1py", Composed),
        ("zeta", Each(|x, _| zeta(x[0], x[1]))),
        ("cosh", Each(|x, _| x[0].cosh())),
        ("digamma", Each(|x, _| polygamma(0, x[0]))),
        ("erfc", Each(|x, _| 1.0 - erf(x[0]))),
        ("erfinv", Each(|x, _| erfinv(x[0]))),
        ("erfinv_grad", Each(|x, _| x[0] * 0.5 * PI.sqrt() * (x[1] * x[1]).exp())),
        ("exp2", Each(|x, _| x[0].exp2())),
        ("frac", Each(|x, _| x[0].fract())),
        ("hardshrink", Each(|x, a| x[0] * truth(x[0].abs() > number(a, "lambda")))),
        ("hardsigmoid", Each(|x, _| (x[0] / 6.0 + 0.5).clamp(0.0, 1.0))),
        ("hardswish", Each(|x, _| x[0] * (x[0] / 6.0 + 0.5).clamp(0.0, 1.0))),
        (
            "hardswish_grad",
            Each(|x, _| x[0] * if x[1].abs() < 3.0 { x[1] / 3.0 + 0.5 } else { truth(x[1] > 0.0) }),
        ),
        ("hardtanh", Each(|x, a| x[0].clamp(number(a, "lo"), number(a, "hi")))),
        ("hardtanh_grad", Each(|x, a| x[0] * truth(x[1] > number(a, "lo") && x[1] < number(a, "hi")))),
        ("lgamma", Each(|x, _| lgamma(x[0]))),
        ("log10", Each(|x, _| x[0].log10())),
        ("log2", Each(|x, _| x[0].log2())),
        ("log_sigmoid", Each(|x, _| sigmoid(x[0]).ln())),
        ("log_sigmoid_grad", Each(|x, _| x[0] * sigmoid(-x[1]))),
        ("logit", Each(|x, _| (x[0] / (1.0 - x[0])).ln())),
        ("logit_grad", Each(|x, _| x[0] / (x[1] * (1.0 - x[1])))),
        ("mish", Each(|x, _| x[0] * (1.0 + x[0].exp()).ln().tanh())),
        (
            "mish_grad",
            Each(|x, _| {
                let t = (1.0 + x[1].exp()).ln().tanh();
                x[0] * (t + x[1] * (1.0 - t * t) * sigmoid(x[1]))
            }),
        ),
        ("nan_to_num", Each(|x, _| x[0])),
        ("nan_to_num_grad", Each(|x, _| x[0])),
        ("polygamma", Each(|x, a| polygamma(whole(a, "n") as i32, x[0]))),
        ("polygamma_grad", Each(|x, a| x[0] * polygamma(whole(a, "n") as i32, x[1]))),
        ("relu6", Each(|x, _| x[0].clamp(0.0, 6.0))),
        (
            "selu",
            Each(|x, _| {
                1.050_700_987_355_480_5
                    * if x[0] > 0.0 { x[0] } else { 1.673_263_242_354_377_2 * (x[0].exp() - 1.0) }
            }),
        ),
        (
            "selu_grad",
            Each(|x, _| {
                x[0] * 1.050_700_987_355_480_5
                    * if x[1] > 0.0 { 1.0 } else { 1.673_263_242_354_377_2 * x[1].exp() }
            }),
        ),
        ("shrink_grad", Each(|x, a| x[0] * truth(x[1].abs() > number(a, "lambda")))),
        ("sinc", Each(|x, _| sinc(x[0]))),
        ("sinc_grad", Each(|x, _| x[0] * ((PI * x[1]).cos() - sinc(x[1])) / x[1])),
        ("sinh", Each(|x, _| x[0].sinh())),
        ("softshrink", Each(|x, a| x[0].signum() * (x[0].abs() - number(a, "lambda")).max(0.0))),
        ("softsign", Each(|x, _| x[0] / (1.0 + x[0].abs()))),
        ("softsign_grad", Each(|x, _| x[0] / (1.0 + x[1].abs()).powi(2))),
        ("tan", Each(|x, _| x[0].tan())),
        ("tan_grad", Each(|x, _| x[0] / x[1].cos().powi(2))),
        ("tanhshrink", Each(|x, _| x[0] - x[0].tanh())),
        ("trunc", Each(|x, _| x[0].trunc())),
        ("atan2", Each(|x, _| x[0].atan2(x[1]))),
        ("hypot", Each(|x, _| x[0].hypot(x[1]))),
        ("remainder", Each(|x, _| x[0].rem_euclid(x[1]))),
        ("fmod", Each(|x, _| x[0] % x[1])),
        ("floor_divide", Each(|x, _| (x[0] / x[1]).floor())),
        ("logaddexp", Each(|x, _| (x[0].exp() + x[1].exp()).ln())),
        ("logaddexp_grad", Each(|x, _| sigmoid(x[0] - x[1]))),
        ("xlogy", Each(|x, _| x[0] * x[1].ln())),
        ("copysign", Each(|x, _| x[0].copysign(x[1]))),
        ("heaviside", Each(|x, _| if x[0] == 0.0 { x[1] } else { truth(x[0] > 0.0) })),
        ("bitwise_and", Each(|x, _| (x[0] as i64 & x[1] as i64) as f64)),
        ("bitwise_or", Each(|x, _| (x[0] as i64 | x[1] as i64) as f64)),
        ("bitwise_xor", Each(|x, _| (x[0] as i64 ^ x[1] as i64) as f64)),
        ("bitwise_left_shift", Each(|x, _| x[0] * 2f64.powf(x[1]))),
        ("bitwise_right_shift", Each(|x, _| (x[0] / 2f64.powf(x[1])).floor())),
        ("bitwise_not", Each(|x, _| -x[0] - 1.0)),
        ("lerp", Each(|x, _| x[0] + x[2] * (x[1] - x[0]))),
        ("addcmul", Composed),
        ("addcdiv", Composed),
        ("isclose", Composed),
        ("cumprod", Composed),
        ("logcumsumexp", Composed),
        ("cummax", Composed),
        ("cummin", Composed),
        ("diff", Composed),
        ("norm", Composed),
        ("normalize", Composed),
        ("cosine_similarity", Composed),
        ("cdist", Composed),
        ("median", Composed),
        ("quantile", Composed),
        ("mode", Composed),
        ("nansum", Composed),
        ("nanmean", Composed),
        ("count_nonzero", Composed),
        ("aminmax", Composed),
        ("diagonal", Composed),
        ("trace", Composed),
        ("diag", Composed),
        ("tril", Composed),
        ("triu", Composed),
        ("repeat", Composed),
        ("repeat_interleave", Composed),
        ("roll", Composed),
        ("rot90", Composed),
        ("movedim", Composed),
        ("broadcast_tensors", Composed),
        ("meshgrid", Composed),
        ("take_along_dim", Composed),
        ("index_fill", Composed),
        ("scatter_reduce", Composed),
        ("searchsorted", Composed),
        ("bucketize", Composed),
        ("unfold", Composed),
        ("outer", Composed),
        ("kron", Composed),
        ("einsum", Composed),
        ("atan2_grad", Each(|x, _| x[0] * x[1] / (x[1] * x[1] + x[2] * x[2]))),
        ("hypot_grad", Each(|x, _| x[0] * x[1] / x[1].hypot(x[2]))),
        ("xlogy_grad_x", Each(|x, _| x[0] * x[2].ln())),
        ("xlogy_grad_y", Each(|x, _| x[0] * x[1] / x[2])),
    ];

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

//! `Spread`: what the scores of folds say of the score of a model trained like them.

use std::f64::consts::PI;

/// Mean, deviation and interval of the scores of folds.
///
/// `mean ± t · √((1/J + n_test/n_train) · s²)` with `t` of Student's distribution with `J - 1` degrees of freedom: training parts
/// overlap, so the plain `s²/J` is too small. C. Nadeau and Y. Bengio, Inference for the Generalization Error, 2003.
///
/// ```
/// use mapsto_experiment::choosing::Spread;
/// let found = Spread::of(&[0.90, 0.92, 0.88, 0.91, 0.89], 0.25).unwrap();
/// assert!((found.mean - 0.90).abs() < 1e-12);
/// assert!((found.margin - 0.029449).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The mean of the scores.
    pub mean: f64,
    /// Their standard deviation, with `J - 1` in the denominator.
    pub deviation: f64,
    /// Half the width of the 95 % interval.
    pub margin: f64,
}

impl Spread {
    /// That of scores of folds whose held-out samples are `ratio` times as many as their training samples; none of fewer than two
    /// scores.
    pub fn of(scores: &[f64], ratio: f64) -> Option<Spread> {
        let n = scores.len();
        if n < 2 {
            return None;
        }
        let mean = scores.iter().sum::<f64>() / n as f64;
        let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
        let margin = student_quantile(0.975, n - 1) * ((1.0 / n as f64 + ratio) * variance).sqrt();
        Some(Spread { mean, deviation: variance.sqrt(), margin })
    }
}

/// Below which value a number of Student's distribution with whole degrees of freedom lies with probability `p`, found by halving.
pub fn student_quantile(p: f64, freedom: usize) -> f64 {
    if p < 0.5 {
        return -student_quantile(1.0 - p, freedom);
    }
    let within = 2.0 * p - 1.0;
    let (mut low, mut high) = (0.0, 1.0);
    while student_within(high, freedom) < within && high < 1e300 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if student_within(middle, freedom) < within { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The probability of `|T| < t`: the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4.
fn student_within(t: f64, freedom: usize) -> f64 {
    let angle = (t / (freedom as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let is_odd = freedom % 2 == 1;
    let mut term = if is_odd { cosine } else { 1.0 };
    let mut sum = if freedom == 1 { 0.0 } else { term };
    let mut k = if is_odd { 3 } else { 2 };
    while k < freedom {
        term *= cosine * cosine * (k - 1) as f64 / k as f64;
        sum += term;
        k += 2;
    }
    if is_odd { 2.0 / PI * (angle + sine * sum) } else { sine * sum }
}

//! What methods share that compare an input with baselines: batches of baselines, points between, and whether it adds up.

use crate::{Ask, Explanation, Model, Shown};
use mapsto_tensor::{DType, Result, Tensor};

/// Attributions against each baseline, and their mean: `of` is given a baseline in the shape of `x` and the class of each sample.
pub(crate) fn compared(
    model: &Model<'_>,
    x: &Tensor,
    ask: &Ask,
    mut of: impl FnMut(&Tensor, &[usize]) -> Result<Tensor>,
) -> Result<Explanation> {
    let y = model.scores(x)?;
    let classes = ask.chosen(&y)?;
    let baselines = ask.baselines(x)?;
    let m = baselines.shape()[0];
    let (mut sum, mut base) = (Tensor::zeros_like(x), vec![0.0; classes.len()]);
    for i in 0..m {
        let b = baselines.slice(0, i..i + 1).expand(x.shape()).contiguous();
        sum += of(&b, &classes)?;
        let of_baseline = model.scores(&baselines.slice(0, i..i + 1))?.to_vec::<f64>();
        classes.iter().zip(&mut base).for_each(|(class, base)| *base += of_baseline[*class] / m as f64);
    }
    let k = y.shape()[1];
    let y = y.to_vec::<f64>();
    let scores: Vec<f64> = classes.iter().enumerate().map(|(i, class)| y[i * k + class]).collect();
    let found = sum / m as f64;
    let notes = gap(&found, &scores, &base).into_iter().collect();
    Ok(Explanation {
        classes,
        scores,
        base: Some(base),
        notes,
        ..Explanation::new(Shown::Attributions(found))
    })
}

/// A sentence where attributions do not add up to the difference of the scores, by more than a hundredth of it.
fn gap(found: &Tensor, scores: &[f64], base: &[f64]) -> Option<String> {
    let sums = found
        .to(DType::F64)
        .reshape([scores.len(), found.len() / scores.len().max(1)])
        .sum(1)
        .to_vec::<f64>();
    let off = |i: usize| (sums[i] - (scores[i] - base[i])).abs() / (scores[i] - base[i]).abs().max(1e-3);
    let worst = (0..scores.len()).max_by(|a, b| off(*a).total_cmp(&off(*b)))?;
    (off(worst) > 0.01).then(|| {
        format!(
            "the attributions of sample {} add up to {:.4}, and the score differs from the baseline's by {:.4}: take more `samples`",
            worst + 1,
            sums[worst],
            scores[worst] - base[worst]
        )
    })
}

/// The points and weights of Gauss and Legendre for an integral from 0 to 1, exact for polynomials of degree `2n − 1`.
pub(crate) fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let legendre = |x: f64| {
        let (mut before, mut p) = (1.0, x);
        for k in 2..=n {
            (before, p) = (p, ((2 * k - 1) as f64 * x * p - (k - 1) as f64 * before) / k as f64);
        }
        let (before, p) = if n == 0 { (0.0, 1.0) } else { (before, p) };
        (p, n as f64 * (x * p - before) / (x * x - 1.0))
    };
    let root = |i: usize| {
        // The guess of Tricomi, then Newton's steps; the polynomial has no double roots.
        let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        for _ in 0..100 {
            let (p, slope) = legendre(x);
            let step = p / slope;
            x -= step;
            if step.abs() < 1e-16 {
                break;
            }
        }
        let (_, slope) = legendre(x);
        ((1.0 - x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..n).map(root).collect()
}

#[test]
fn the_points_integrate_polynomials_exactly() {
    for n in [1, 2, 5, 50, 200] {
        let points = gauss_legendre(n);
        for degree in [0, 1, 2 * n - 1] {
            let found: f64 = points.iter().map(|(x, w)| w * x.powi(degree as i32)).sum();
            assert!(
                (found - 1.0 / (degree + 1) as f64).abs() < 1e-13,
                "{n} points, degree {degree}: {found}"
            );
        }
    }
}

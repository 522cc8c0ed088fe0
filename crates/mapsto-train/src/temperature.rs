//! Temperature scaling: one number that makes a model as sure of its classes as it is right.

use mapsto_nn::Outputs;
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};

/// The temperature `T` for which logits divided by it have the least log loss (Guo et al. 2017): above 1 for a model that is too sure.
/// It changes no class, since all scores of a sample are divided alike.
///
/// The loss is convex in `1 / T`, and the root of its derivative `mean (Σ p z − zₜ)` is found by halving.
///
/// * Shape: logits `[n, k]` with class ids `[n]`, or `[n, 1]` with targets `[n, 1]`, 0 or 1.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::{Outputs, temperature};
/// // 3 of 4 are right, so the logit that says 3/4 is log 3, and these are twice as large.
/// let z = 2.0 * 3f32.ln();
/// let y = tensor![[z], [z], [z], [z]];
/// let t = temperature(&y, &tensor![[1.0], [1.0], [1.0], [0.0]], Outputs::Logit)?;
/// assert!((t - 2.0).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// Outputs that are neither logits nor logarithms of probabilities; shapes that do not fit; samples that are all right or where nothing is
/// to be learnt, for which no temperature is the best.
pub fn temperature(y: &Tensor, target: &Tensor, outputs: Outputs) -> Result<f64> {
    if matches!(outputs, Outputs::Probabilities | Outputs::Values) {
        return Err(Error::new(ErrorKind::Usage, "temperature: it divides logits, and the outputs are none")
            .help("train with `cross_entropy` or `bce_with_logits`"));
    }
    let scored = crate::metrics::Scored::read("temperature", outputs, y, target)?;
    let width = y.len() / scored.len().max(1);
    let values = y.to(DType::F64).to_vec::<f64>();
    let rows: Vec<Vec<f64>> = match width {
        1 => values.iter().map(|z| vec![0.0, *z]).collect(),
        _ => values.chunks(width.max(1)).map(<[f64]>::to_vec).collect(),
    };
    let slope = |beta: f64| {
        let of = |(row, &class): (&Vec<f64>, &usize)| {
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = row.iter().map(|z| (beta * (z - most)).exp()).collect();
            let total: f64 = weights.iter().sum();
            row.iter().zip(&weights).map(|(z, w)| z * w).sum::<f64>() / total - row[class]
        };
        rows.iter().zip(&scored.actual).map(of).sum::<f64>()
    };
    let (mut low, mut high) = (1e-4, 1e4);
    if !(slope(low) < 0.0 && slope(high) > 0.0) {
        let why = if slope(high) <= 0.0 {
            "every sample is right"
        } else {
            "the outputs are no better than chance"
        };
        return Err(Error::new(ErrorKind::Data, format!("temperature: {why}, so none is the best"))
            .help("take more samples for validation"));
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if slope(middle) < 0.0 { low = middle } else { high = middle }
    }
    Ok(1.0 / f64::midpoint(low, high))
}

#[test]
fn it_is_the_minimum_and_says_where_there_is_none() {
    use crate::metrics::{LogLoss, Metric};
    use mapsto_tensor::prelude::*;
    let y = tensor![[4.0, 1.0, 0.0], [3.0, 5.0, 1.0], [0.0, 2.0, 6.0], [5.0, 1.0, 2.0], [1.0, 0.0, 3.0]];
    let ids = tensor![0, 1, 2, 2, 0];
    let t = temperature(&y, &ids, Outputs::Logits).unwrap();
    let loss = |t: f64| {
        let metric = LogLoss::new();
        metric.value(&metric.count(&(y.to(DType::F64) / t), &ids).unwrap())
    };
    assert!(loss(t) < loss(t * 1.001) && loss(t) < loss(t / 1.001), "{t}");
    let e = temperature(&y, &tensor![0, 1, 2, 0, 2], Outputs::Logits).unwrap_err();
    assert!(e.to_string().contains("every sample is right"), "{e}");
    let e = temperature(&y, &tensor![1, 2, 0, 1, 1], Outputs::Logits).unwrap_err();
    assert!(e.to_string().contains("no better than chance"), "{e}");
    assert!(temperature(&y, &ids, Outputs::Values).is_err());
}

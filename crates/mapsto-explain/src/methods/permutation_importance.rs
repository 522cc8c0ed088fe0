//! Permutation importance: how much worse the model gets when a feature is shuffled among the samples.

use crate::coalitions::{each, features, rows};
use crate::{Ask, Explanation, Features, Method, Model, Needs, Shown};
use mapsto_tensor::random::Keyed;
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};

/// How far a metric falls when one feature takes the values of other samples: `metric(x) − metric(x with j shuffled)`, the mean and the
/// standard deviation over `samples` (5) shuffles.
///
/// It needs `truth`: where that holds classes (integers), the metric is the accuracy, else it is R²; [`by`](PermutationImportance::by)
/// takes any metric. The samples should be some that the model did not learn from, or it tells what the model memorised. It costs
/// five answers a sample and feature. It lies where features go together: shuffling one of two columns that say the
/// same costs little, and makes samples that cannot be.
///
/// Source: Breiman, 2001; Fisher, Rudin and Dominici, 2019. scikit-learn: `permutation_importance`; captum: `FeaturePermutation`.
/// ```
/// use mapsto_explain::{Ask, Model, Shown, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| x.select(1, 0));
/// let (x, y) = (tensor![[1.0, 9.0], [2.0, 8.0], [3.0, 9.0]], tensor![1.0, 2.0, 3.0]);
/// let found = method("permutation-importance")?.explain(&model, &x, &Ask::new().truth(y).samples(500))?;
/// let Shown::Importance { values, .. } = found.shown else { panic!() };
/// // A shuffle of three takes R² from 1 to 1 − 4/2 on average.
/// assert!((values[0] - 2.0).abs() < 0.2 && values[1] == 0.0);
/// # Ok::<(), Error>(())
/// ```
pub struct PermutationImportance;

impl Method for PermutationImportance {
    fn name(&self) -> &'static str {
        "permutation-importance"
    }
    fn says(&self) -> &'static str {
        "how much worse the model gets when a feature is shuffled among the samples"
    }
    fn needs(&self) -> Needs {
        Needs::Answers
    }
    fn is_global(&self) -> bool {
        true
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        let Some(truth) = &ask.truth else {
            return Err(Error::new(
                ErrorKind::Usage,
                "permutation importance was not told what would have been right",
            )
            .help("give the labels of the samples by `Ask::truth`"));
        };
        let is_class = !truth.dtype().is_float();
        let truth = truth.to(DType::F64).to_vec::<f64>();
        let metric = |y: &Tensor| if is_class { accuracy(y, &truth) } else { r2(y, &truth) };
        let n = x.shape().first().copied().unwrap_or(0);
        let features = features(x, ask, each)?;
        let orders = |j: usize| {
            let mut draw = Keyed::new(&[ask.seed, j as u64]);
            (0..ask.count(5)).map(|_| draw.permutation(n)).collect()
        };
        let orders: Vec<Vec<Vec<usize>>> = (0..features.len()).map(orders).collect();
        self.by(model, x, &features, &orders, metric)
    }
}

impl PermutationImportance {
    /// The same by any metric of the scores `[n, k]`, the larger the better, with the orders in which each feature is shuffled.
    ///
    /// # Errors
    /// As [`explain`](Method::explain); orders that are none of the samples, or not some for each feature.
    pub fn by(
        &self,
        model: &Model<'_>,
        x: &Tensor,
        features: &Features,
        orders: &[Vec<Vec<usize>>],
        metric: impl Fn(&Tensor) -> Result<f64>,
    ) -> Result<Explanation> {
        let whole = metric(&model.scores(x)?)?;
        let rows = rows(x);
        let fits = |order: &Vec<usize>| order.len() == rows.len() && order.iter().all(|i| *i < rows.len());
        if orders.len() != features.len() || orders.iter().any(|o| o.is_empty() || !o.iter().all(fits)) {
            let message =
                format!("{} features need at least one order of {} samples each", features.len(), rows.len());
            return Err(
                Error::new(ErrorKind::Usage, message).help("shuffle 0, 1, .. up to the number of samples")
            );
        }
        let (mut values, mut spread) = (Vec::new(), Vec::new());
        for (j, orders) in orders.iter().enumerate() {
            let falls: Result<Vec<f64>> = orders
                .iter()
                .map(|order| {
                    let mut moved = rows.clone();
                    for (i, from) in order.iter().enumerate() {
                        let own = (0..moved[i].len()).filter(|k| features.of()[*k] == j);
                        own.for_each(|k| moved[i][k] = rows[*from][k]);
                    }
                    let moved = Tensor::from_vec(moved.concat(), x.shape()).to(x.dtype());
                    Ok(whole - metric(&model.scores(&moved)?)?)
                })
                .collect();
            let falls = falls?;
            let mean = falls.iter().sum::<f64>() / falls.len() as f64;
            values.push(mean);
            spread.push((falls.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / falls.len() as f64).sqrt());
        }
        let mut found = Explanation::new(Shown::Importance { values, spread });
        let draws = orders.iter().map(Vec::len).max().unwrap_or(0);
        found.notes.push(format!(
            "the metric is {whole:.4} with every feature as it is; of {} samples each feature was shuffled {draws} times, and more tell more \
             surely",
            rows.len()
        ));
        Ok(found)
    }
}

fn count(y: &Tensor, truth: &[f64]) -> Result<(usize, usize)> {
    let (n, k) = (y.shape()[0], y.shape()[1]);
    if truth.len() == n {
        return Ok((n, k));
    }
    Err(Error::new(ErrorKind::Usage, format!("{} true answers were given for {n} samples", truth.len()))
        .help("give one class or one number for each sample"))
}

/// The share of the samples whose likeliest class is true.
fn accuracy(y: &Tensor, truth: &[f64]) -> Result<f64> {
    let (n, k) = count(y, truth)?;
    if k == 1 {
        return Err(Error::new(
            ErrorKind::Usage,
            "one score says no class, and the true answers are classes",
        )
        .help("make scores of two classes of it by `Model::after`, or give true answers as floats"));
    }
    let said = y.argmax(1).to_vec::<i64>();
    Ok(said.iter().zip(truth).filter(|(said, truth)| **said as f64 == **truth).count() as f64 / n as f64)
}

/// The share of the variance of the truth that is explained.
fn r2(y: &Tensor, truth: &[f64]) -> Result<f64> {
    let (n, k) = count(y, truth)?;
    if k != 1 {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("the model gives {k} scores, and the true answers are one number each"),
        )
        .help("choose one output by `Model::after`, or give classes as integers"));
    }
    let mean = truth.iter().sum::<f64>() / n as f64;
    let whole: f64 = truth.iter().map(|t| (t - mean).powi(2)).sum();
    if whole == 0.0 {
        return Err(Error::new(ErrorKind::Data, "the true answers are all the same, so there is no R²")
            .help("give samples with different answers"));
    }
    let error: f64 = y.to_vec::<f64>().iter().zip(truth).map(|(y, t)| (y - t).powi(2)).sum();
    Ok(1.0 - error / whole)
}

#[test]
fn what_the_model_uses_matters_and_what_it_ignores_does_not() {
    use mapsto_tensor::tensor;
    let model = Model::asked(|x: &Tensor| Tensor::stack(&[-x.select(1, 1), x.select(1, 1)], 1));
    let x = Tensor::from_vec((0..120).map(|k| (k as f64 * 0.7).sin()).collect(), [40, 3]);
    let truth = x.select(1, 1).gt(0.0).to(DType::I64);
    let ask = Ask::new().truth(truth);
    let found = PermutationImportance.explain(&model, &x, &ask).unwrap();
    assert!(
        found.notes[0].starts_with("the metric is 1.0000 with every feature as it is; of 40 samples"),
        "{:?}",
        found.notes
    );
    let Shown::Importance { values, spread } = found.shown else { panic!("no importance") };
    assert!(values[0] == 0.0 && values[2] == 0.0 && values[1] > 0.3 && spread[1] > 0.0, "{values:?}");
    let together = ask.clone().features(Features::new(vec![0, 0, 1]).unwrap());
    let found = PermutationImportance.explain(&model, &x, &together).unwrap();
    let Shown::Importance { values, .. } = found.shown else { panic!("no importance") };
    assert!(values.len() == 2 && values[0] > 0.3 && values[1] == 0.0, "{values:?}");
    let says = |ask: &Ask| PermutationImportance.explain(&model, &x, ask).unwrap_err().message().to_string();
    assert_eq!(says(&Ask::new()), "permutation importance was not told what would have been right");
    assert_eq!(says(&Ask::new().truth(tensor![1i64])), "1 true answers were given for 40 samples");
    assert!(says(&Ask::new().truth(x.select(1, 0))).starts_with("the model gives 2 scores"));
}

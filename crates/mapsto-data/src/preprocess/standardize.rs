//! `Standardize`: gives each column mean 0 and standard deviation 1, as learnt from the training set.

use super::normalize::{normalize, wrong};
use super::{Preprocess, Step, StepKind, batches, data, numbers, short};
use crate::Dataset;
use mapsto_spec::{Entry, Value};
use mapsto_tensor::{Result, Tensor, fail};
use std::sync::Arc;

/// `y = (x − mean) / std` per column (or channel: axis 1 of a batch), with the training set's mean and population
/// standard deviation; a column that never varies is divided by 1.
///
/// * Shape: `[n, c, ..] → [n, c, ..]`.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let train = InMemory::new(tensor![[0.0, 7.0], [4.0, 7.0]], Tensor::zeros([2, 1]));
/// let steps = Preprocess::new().then(Standardize::new()).fit(&train)?;
/// assert_eq!(steps.apply(tensor![[6.0, 8.0]]).to_vec::<f32>(), [2.0, 1.0]);
/// assert_eq!(steps.entries()[0].to_string(), "{ standardize = true, mean = [2.0, 7.0], std = [2.0, 1.0] }");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Standardize {
    learnt: Option<Learnt>,
}

#[derive(Clone, Debug)]
struct Learnt {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Standardize {
    /// A step that has yet to learn from a training set ([`Preprocess::fit`]).
    pub fn new() -> Standardize {
        Standardize::default()
    }
}

impl Step for Standardize {
    fn name(&self) -> &'static str {
        KIND.name
    }

    #[track_caller]
    fn apply(&self, x: Tensor) -> Tensor {
        let Some(Learnt { mean, std }) = &self.learnt else {
            fail!("standardize", "means and deviations are not known yet"; help = "use what `fit` returns: `let steps = steps.fit(&train_set)?;`");
        };
        if x.shape().get(1) != Some(&mean.len()) {
            fail!("standardize", "learnt from {} columns, applied to {:?}", mean.len(), x.shape());
        }
        normalize("standardize", x, mean, std)
    }

    fn entry(&self) -> Entry {
        match &self.learnt {
            None => Entry::new(KIND.name),
            Some(Learnt { mean, std }) => Entry::new(KIND.name)
                .with_value(true)
                .with_option("mean", short(mean))
                .with_option("std", short(std)),
        }
    }

    /// Two passes, in `f64`: the mean first, as the first value and the mean distance to it, so that equal values have
    /// themselves as their mean; then the squares around it, which cancel nothing. A column of numbers whose squares or sums
    /// have no place in `f64` is divided by a power of two meanwhile.
    fn fit(&self, set: &dyn Dataset, before: &Preprocess) -> Result<Option<Arc<dyn Step>>> {
        let mut first = Vec::new();
        let mut most: Vec<f64> = Vec::new();
        batches(set, before, |x| {
            if first.is_empty() {
                first = firsts(&x);
                most.resize(first.len(), 0.0);
            }
            each_value(&x, |channel, x| most[channel] = most[channel].max(x.abs()));
            Ok(())
        })?;
        let unit: Vec<f64> = most.iter().map(|&most| if most > LARGE { VERY_LARGE } else { 1.0 }).collect();
        let distance = column_means(set, before, |c, x| x / unit[c] - first[c] / unit[c])?;
        let mean: Vec<f64> = (0..first.len()).map(|c| (first[c] / unit[c] + distance[c]) * unit[c]).collect();
        let variance = column_means(set, before, |c, x| (x / unit[c] - mean[c] / unit[c]).powi(2))?;
        let std = variance.iter().zip(&unit).map(|(v, unit)| v.sqrt() * unit);
        let std = std.map(|s| if (s as f32) > 0.0 { s } else { 1.0 }).collect();
        Ok(Some(Arc::new(Standardize { learnt: Some(Learnt { mean, std }) })))
    }
}

/// Calls `f` with each value and its channel.
fn each_value(x: &Tensor, mut f: impl FnMut(usize, f64)) {
    let &[_, channels, ref inner @ ..] = x.shape() else { return };
    let inner = inner.iter().product::<usize>().max(1);
    let values = x.as_slice::<f64>().unwrap_or_default();
    for (i, part) in values.chunks(inner).enumerate() {
        part.iter().for_each(|&x| f(i % channels, x));
    }
}

/// The first value of each channel of a batch.
fn firsts(x: &Tensor) -> Vec<f64> {
    let &[_, channels, ref inner @ ..] = x.shape() else { return Vec::new() };
    let inner: usize = inner.iter().product();
    let values = x.as_slice::<f64>().unwrap_or_default();
    values.chunks(inner.max(1)).take(channels).map(|part| part[0]).collect()
}

/// From here on squares have no place in `f64`, once they are added.
const LARGE: f64 = 1e140;

/// What such numbers are divided by: 2¹⁰²³, so that they are below 2 and lose nothing.
const VERY_LARGE: f64 = f64::from_bits(0x7fe0_0000_0000_0000);

/// The mean over the set of `f(channel, x)`, for each channel.
fn column_means(set: &dyn Dataset, before: &Preprocess, f: impl Fn(usize, f64) -> f64) -> Result<Vec<f64>> {
    let mut sums: Vec<f64> = Vec::new();
    let mut count = 0usize;
    batches(set, before, |x| {
        let &[n, channels, ref inner @ ..] = x.shape() else {
            return Err(data(format!("inputs {:?} have no columns", x.shape())));
        };
        sums.resize(channels, 0.0);
        let inner: usize = inner.iter().product();
        count += n * inner;
        if inner == 0 {
            return Ok(());
        }
        let values = x.as_slice::<f64>().unwrap_or_default();
        for (i, part) in values.chunks_exact(inner).enumerate() {
            let channel = i % channels;
            sums[channel] += part.iter().map(|&x| f(channel, x)).sum::<f64>();
        }
        Ok(())
    })?;
    if count == 0 {
        return Err(data("there are no samples to learn from"));
    }
    let means: Vec<f64> = sums.iter().map(|sum| sum / count as f64).collect();
    match means.iter().position(|mean| !mean.is_finite()) {
        Some(column) => Err(data(format!("column {column} holds values that are not finite"))),
        None => Ok(means),
    }
}

pub(super) const KIND: StepKind = StepKind::new(
    "standardize",
    "Gives each column mean 0 and standard deviation 1, as learnt from the training set.",
    |args, ()| {
        let (mean, std) = (args.optional::<Value>("mean")?, args.optional::<Value>("std")?);
        let (Some(mean), Some(std)) = (&mean, &std) else {
            return match (mean, std) {
                (None, None) => Ok(Box::new(Standardize::new())),
                _ => Err(args.error("", "`mean` and `std` come together or not at all")),
            };
        };
        let (mean, std) = (numbers(args, "mean", mean.clone())?, numbers(args, "std", std.clone())?);
        match wrong(&mean, &std) {
            Some(what) => Err(args.error("std", what)),
            None => Ok(Box::new(Standardize { learnt: Some(Learnt { mean, std }) })),
        }
    },
)
.options(&[
    ("mean", "the means, where they are known"),
    ("std", "the standard deviations, where they are known"),
]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InMemory;

    #[test]
    fn each_column_gets_mean_0_and_deviation_1() {
        // 700 rows are three batches; the second column has a mean far from 0, the third never varies.
        let rows: Vec<f32> = (0..700).flat_map(|i| [(i % 7) as f32, 1e4 + (i % 2) as f32, 5.0]).collect();
        let x = Tensor::from_vec(rows, [700, 3]);
        let set = InMemory::new(x.clone(), Tensor::zeros([700, 1]));
        let steps = Preprocess::new().then(Standardize::new()).fit(&set).unwrap();
        // (0 + 1 + … + 6) / 7 = 3, (9 + 4 + 1 + 0 + 1 + 4 + 9) / 7 = 4.
        let want = "{ standardize = true, mean = [3.0, 10000.5, 5.0], std = [2.0, 0.5, 1.0] }";
        assert_eq!(steps.entries()[0].to_string(), want);
        assert_eq!(steps.apply(x).to_vec::<f32>()[..6], [-1.5, -1.0, 0.0, -1.0, 1.0, 0.0]);
    }

    #[test]
    fn what_cannot_be_learnt_is_said() {
        let fit = |x| {
            Preprocess::new().then(Standardize::new()).fit(&InMemory::new(x, Tensor::zeros([2]))).unwrap_err()
        };
        assert_eq!(fit(Tensor::zeros([2])).message(), "standardize: inputs [2] have no columns");
        let x = Tensor::from_vec(vec![0.0, f32::NAN, 1.0, 2.0], [2, 2]);
        assert_eq!(fit(x).message(), "standardize: column 1 holds values that are not finite");
        let e = mapsto_tensor::catch(|| Standardize::new().apply(Tensor::zeros([1, 1]))).err().unwrap();
        assert_eq!(e.message(), "standardize: means and deviations are not known yet");
    }
}

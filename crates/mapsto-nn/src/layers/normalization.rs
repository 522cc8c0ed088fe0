//! Features brought to mean 0 and variance 1 by numbers that are fixed before training.

use super::LayerKind;
use crate::{AtLengths, Layer, Module, State};
use mapsto_spec::{Args, Bounds, Entry};
use mapsto_tensor::{Result, Tensor, fail};

/// `y = (x − mean) / √variance` along the last axis, with a mean and a variance of each feature, which are not trained.
///
/// * Shape: `[.., d] → [.., d]`.
/// * State: `mean` `[d]` and `variance` `[d]`, saved with the model; a variance of 0 counts as 1, so that a constant feature becomes 0.
/// * PyTorch has none; Keras: `Normalization`.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = Normalization::adapted(&tensor![[1.0, 5.0], [3.0, 5.0]]);
/// assert_close!(layer.forward(&tensor![[4.0, 6.0]]), [[2.0, 1.0]]);
/// let layer = Normalization::new([10.0], [4.0]);
/// assert_close!(layer.forward(&tensor![[12.0]]), [[1.0]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Normalization {
    mean: State,
    variance: State,
    /// The numbers, where they were given and not found in data.
    #[module(skip)]
    given: [Vec<f64>; 2],
}

impl Normalization {
    /// With this mean and variance of each feature.
    ///
    /// # Panics
    /// When there are none, not as many of both, one is not finite, or a variance is negative.
    #[track_caller]
    pub fn new(mean: impl Into<Vec<f64>>, variance: impl Into<Vec<f64>>) -> Normalization {
        let (mean, variance) = (mean.into(), variance.into());
        if mean.is_empty() || mean.len() != variance.len() {
            fail!("normalization", "{} means and {} variances are given", mean.len(), variance.len(); help = "give one of both for each feature");
        }
        mean.iter().for_each(|&m| _ = Bounds::FINITE.check("normalization", "mean", m));
        variance.iter().for_each(|&v| _ = Bounds::AT_LEAST_0.check("normalization", "variance", v));
        let state = |numbers: &[f64]| {
            State::new(Tensor::from_vec(numbers.to_vec(), [numbers.len()]).to(mapsto_tensor::DType::F32))
        };
        Normalization { mean: state(&mean), variance: state(&variance), given: [mean, variance] }
    }

    /// With the mean and the variance (over n) of each feature of these samples `[.., d]`. Keras: `adapt`.
    ///
    /// # Panics
    /// When there is no sample, or a number is not finite.
    #[track_caller]
    pub fn adapted(samples: &Tensor) -> Normalization {
        let d = samples.shape().last().copied().unwrap_or(0);
        if d == 0 || samples.is_empty() {
            fail!("normalization", "no sample is given: {:?}", samples.shape());
        }
        let rows = samples.detach().to(mapsto_tensor::DType::F64).reshape([samples.len() / d, d]);
        Normalization::new(rows.mean(0).to_vec::<f64>(), rows.var(0).to_vec::<f64>())
    }
}

impl Layer for Normalization {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let (mean, variance) = (self.mean.get(), self.variance.get());
        if x.shape().last() != Some(&mean.len()) {
            fail!("normalization", "[.., {}] was expected, found {:?}", mean.len(), x.shape());
        }
        let scale = variance.eq(0.0).choose(1.0, &variance).rsqrt();
        (x - mean.to(x.dtype())) * scale.to(x.dtype())
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> std::result::Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn describe(&self) -> String {
        format!("Normalization({})", self.mean.get().len())
    }

    fn entry(&self) -> Option<Entry> {
        let [mean, variance] = self.given.clone();
        Some(Entry::new(KIND.name).with_option("mean", mean).with_option("variance", variance))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "normalization",
    "Brings features to mean 0 and variance 1 by fixed numbers.",
    |args, input| {
        let d = input.last().copied().unwrap_or(0);
        crate::budget::weight(args, &[2, d])?;
        let mean = numbers(args, "mean", Bounds::FINITE, d, 0.0)?;
        let variance = numbers(args, "variance", Bounds::AT_LEAST_0, d, 1.0)?;
        Ok(Box::new(Normalization::new(mean, variance)))
    },
)
.options(&[
    ("mean", "the mean of each feature; 0 where nothing is said"),
    ("variance", "the variance of each feature; 1 where nothing is said"),
]);

/// A number for each feature.
fn numbers(args: &mut Args, name: &str, bounds: Bounds, d: usize, usual: f64) -> Result<Vec<f64>> {
    if d == 0 {
        return Err(args.misfit("", "the input has no features"));
    }
    let all: Vec<f64> = args.get_or(name, vec![usual; d])?;
    if all.len() != d {
        return Err(args.misfit(name, format!("{} numbers do not fit {d} features", all.len())));
    }
    match all.iter().find(|&&x| !bounds.hold(x)) {
        Some(&x) => Err(args.error(name, bounds.complaint(name, x))),
        None => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn normalization() {
        check_layer(|| Normalization::new([1.0, 2.0, -1.0], [4.0, 0.0, 0.25])).gives([4, 3], [4, 3]);
        let x = Tensor::randn([50, 3]) * 3.0 + 5.0;
        let y = Normalization::adapted(&x).forward(&x);
        assert_close!(y.mean(0), [0.0, 0.0, 0.0]);
        assert_close!(y.var(0), [1.0, 1.0, 1.0]);
        let entry = Entry::new("normalization").with_option("mean", vec![1.0, 2.0]);
        check_entry::<dyn Layer>(&entry.clone().with_option("variance", vec![4.0, 9.0]), &[3, 2]);
        let e = ModelSpec::new([3], [entry]).build().err().unwrap().to_string();
        assert!(e.contains("2 numbers do not fit 3 features"), "{e}");
        let e = catch(|| Normalization::new([1.0], [4.0]).forward(&x)).unwrap_err();
        assert_eq!(e.message(), "normalization: [.., 1] was expected, found [50, 3]");
        assert!(catch(|| Normalization::new([1.0], [-4.0])).is_err());
    }
}

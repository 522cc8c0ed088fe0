//! Losses that are the mean of a value for each element or each sample: those values, their weighted mean and their sum.

use super::Loss;
use crate::Outputs;
use mapsto_spec::Entry;
use mapsto_tensor::{Tensor, fail};
use std::borrow::Cow;

/// A loss that is the plain mean of values, one for each element, or one for each sample or row.
///
/// PyTorch: `reduction="none"` gives the values, `reduction="sum"` is [`Sum`]; Keras: `sample_weight` is
/// [`weighted`](Pointwise::weighted), divided by the sum of the weights.
/// ```
/// use mapsto_nn::losses::Pointwise;
/// use mapsto_nn::prelude::*;
/// let (loss, y, t) = (Quantile::new(0.5), tensor![1.0, 4.0], tensor![0.0, 0.0]);
/// assert_close!(loss.each(&y, &t), [0.5, 2.0]);
/// assert_close!(loss.loss(&y, &t), 1.25);
/// assert_close!(loss.weighted(&y, &t, &tensor![3.0, 1.0]), 0.875);
/// ```
pub trait Pointwise {
    /// The values that the loss is the mean of.
    ///
    /// # Panics
    /// Where the loss does.
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor;

    /// Their weighted mean, `Σ w l / Σ w`, by weights of the samples, `[n]`, or of all values.
    ///
    /// # Panics
    /// When the weights have another shape, one of them is below 0 or not finite, or all are 0.
    #[track_caller]
    fn weighted(&self, y: &Tensor, target: &Tensor, weights: &Tensor) -> Tensor {
        weighted_mean(self.each(y, target), weights)
    }
}

/// The mean of a loss's values by weights of the samples or of all values.
#[track_caller]
fn weighted_mean(values: Tensor, weights: &Tensor) -> Tensor {
    let shape = values.shape();
    let n = weights.rank();
    if n > shape.len() || weights.shape() != &shape[..n] || (n == 0) != shape.is_empty() {
        let help = "give one weight for each sample, or one for each value of the loss";
        fail!("weighted", "weights {:?} do not fit the values {shape:?} of the loss", weights.shape(); help = "{help}");
    }
    let weights = weights.detach().to(values.dtype());
    if weights.device().backend().has_numbers() {
        let (least, sum) = (weights.min(..).item(), weights.sum(..).item());
        if !(least >= 0.0 && sum > 0.0 && sum.is_finite()) {
            fail!(
                "weighted",
                "weights must be finite and at least 0, and not all 0: they go down to {least}, and their sum is {sum}"
            );
        }
    }
    let axes = [weights.shape(), &vec![1; shape.len() - n]].concat();
    let each = values.len() / weights.len().max(1);
    (values * weights.reshape(axes)).sum(..) / (weights.sum(..) * each as f64)
}

/// The sum of a loss's values in place of their mean: `reduction = "sum"` in a file.
///
/// Its size, and with it the gradient's, grows with the batch.
/// ```
/// use mapsto_nn::losses::Sum;
/// use mapsto_nn::prelude::*;
/// let loss = Sum::new(Quantile::new(0.5));
/// assert_close!(loss.loss(&tensor![1.0, 4.0], &tensor![0.0, 0.0]), 2.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sum<L>(L);

impl<L: Loss + Pointwise> Sum<L> {
    /// The sum of this loss's values.
    pub fn new(loss: L) -> Sum<L> {
        Sum(loss)
    }
}

impl Sum<Box<dyn Loss>> {
    /// The same of a loss from a file; none where its mean is no plain one.
    pub(super) fn boxed(loss: Box<dyn Loss>) -> Option<Box<dyn Loss>> {
        loss.pointwise().is_some().then(|| Box::new(Sum(loss)) as _)
    }
}

impl Pointwise for Box<dyn Loss> {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        match (**self).pointwise() {
            Some(loss) => loss.each(y, target),
            None => fail!(self.name(), "its mean is not that of single values"),
        }
    }
}

impl<L: Loss + Pointwise> Loss for Sum<L> {
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        self.0.each(y, target).sum(..)
    }
    fn name(&self) -> Cow<'static, str> {
        format!("sum of {}", self.0.name()).into()
    }
    /// Sums of batches are averaged alike, whatever the size of a batch.
    fn weight(&self, _: &Tensor) -> f64 {
        1.0
    }
    fn values_per_target(&self) -> usize {
        self.0.values_per_target()
    }
    fn outputs(&self) -> Option<Outputs> {
        self.0.outputs()
    }
    fn takes_logarithms(&self) -> bool {
        self.0.takes_logarithms()
    }
    fn entry(&self) -> Option<Entry> {
        Some(self.0.entry()?.with_option(super::REDUCTION.0, "sum"))
    }
}

#[cfg(test)]
mod tests {
    use crate::Outputs;
    use crate::losses::LOSSES;
    use crate::prelude::*;
    use mapsto_spec::{Entry, build};

    /// Every loss of the list that is a plain mean: its values, its sum and its weighted mean agree with it.
    #[test]
    fn sums_and_weighted_means_agree_with_the_mean() {
        let mut plain = 0;
        for kind in LOSSES {
            let loss = build::<dyn Loss>(&Entry::new(kind.name), &()).unwrap();
            let sum = build::<dyn Loss>(&Entry::new(kind.name).with_option("reduction", "sum"), &());
            assert_eq!(sum.is_ok(), loss.pointwise().is_some(), "{}", kind.name);
            let mean =
                build::<dyn Loss>(&Entry::new(kind.name).with_option("reduction", "mean"), &()).unwrap();
            assert_eq!(mean.entry(), loss.entry());
            let Some(pointwise) = loss.pointwise() else { continue };
            plain += 1;
            let below = if loss.outputs() == Some(Outputs::LogProbabilities) { 1.25 } else { 0.0 };
            let (y, targets) = (Tensor::rand([4, 2]) - below, Tensor::rand([4, 2]).gt(0.5).to(DType::F32));
            // Some losses take ids, numbers for two outputs each, or sequences.
            let all = [
                (y.clone(), targets.clone()),
                (y.clone(), targets.select(1, 0).to(DType::I64)),
                (y, targets.slice(1, ..1)),
                (Tensor::rand([4, 3, 2]), tensor![[1], [1], [1], [1]]),
            ];
            let fitting = all.iter().find(|(y, t)| catch(|| loss.loss(y, t)).is_ok());
            let (y, target) = fitting.expect(kind.name);
            let (mean, values) = (loss.loss(y, target), pointwise.each(y, target));
            assert_close!(values.mean(..), &mean);
            assert_close!(sum.unwrap().loss(y, target), &mean * values.len() as f64);
            assert_close!(pointwise.weighted(y, target, &Tensor::full([4], 0.25)), &mean);
            let first = pointwise.weighted(y, target, &tensor![2.0, 0.0, 0.0, 0.0]);
            assert_close!(first, values.select(0, 0).mean(..));
            let e = catch(|| pointwise.weighted(y, target, &Tensor::ones([3]))).unwrap_err();
            assert!(e.message().contains("weights [3] do not fit"), "{e}");
            for wrong in [Tensor::zeros([4]), tensor![1.0, -1.0, 1.0, 1.0]] {
                let e = catch(|| pointwise.weighted(y, target, &wrong)).unwrap_err();
                assert!(e.message().contains("at least 0, and not all 0"), "{e}");
            }
        }
        assert!(plain >= 20, "{plain}");
        let wrong = Entry::new("mse").with_option("reduction", "none");
        let e = build::<dyn Loss>(&wrong, &()).err().unwrap();
        assert!(e.message().contains("`reduction` must be \"mean\" or \"sum\""), "{e}");
    }
}

//! Loss and metrics counted over batches, in training and in evaluation alike.

use crate::metrics::{Counts, ExactSum, Metric};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// Counts of the loss and of each metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// The number of samples; the sums of `weight · loss` and of `weight`.
    loss: Counts,
    metrics: Vec<Counts>,
}

/// What a batch gave.
pub(crate) struct Judged<'a> {
    pub(crate) y: &'a Tensor,
    pub(crate) target: &'a Tensor,
    /// The mean loss of its samples, and how much that mean weighs beside other batches'.
    pub(crate) loss: f64,
    pub(crate) weight: f64,
}

impl Tally {
    /// Adds a batch.
    pub(crate) fn add<'a>(
        &mut self,
        metrics: impl IntoIterator<Item = &'a dyn Metric>,
        Judged { y, target, loss, weight }: Judged<'_>,
    ) -> Result<()> {
        // A batch without weight has no mean: all of it is ignored by the loss.
        let sums = if weight == 0.0 { [0.0, 0.0] } else { [loss * weight, weight] };
        let real = sums.map(|v| ExactSum::from_iter([v])).to_vec();
        self.loss.merge(&Counts { whole: vec![target.shape().first().copied().unwrap_or(1) as u64], real });
        for (i, metric) in metrics.into_iter().enumerate() {
            if self.metrics.len() <= i {
                self.metrics.push(Counts::default());
            }
            self.metrics[i].merge(&metric.count(y, target)?);
        }
        Ok(())
    }

    /// The mean loss over all samples.
    pub(crate) fn loss(&self) -> f64 {
        match &self.loss.real[..] {
            [sum, weight] => sum.value() / weight.value(),
            _ => f64::NAN,
        }
    }

    /// Checks that there is a mean loss.
    ///
    /// # Errors
    /// When nothing was counted, or all of it is ignored by the loss.
    pub(crate) fn check_weight(&self, what: &str) -> Result<()> {
        match self.loss.real.get(1).map(ExactSum::value) {
            Some(weight) if weight != 0.0 => Ok(()),
            Some(_) => Err(Error::new(
                ErrorKind::Data,
                format!("{what}: the loss ignores every target, so there is no mean loss"),
            )
            .help("look at `ignore_index` and at the class weights of the loss")),
            None => Err(Error::new(ErrorKind::Data, format!("{what}: the loader has no batch"))
                .help("is the set empty, or smaller than one batch with `.drop_last()`?")),
        }
    }

    /// How many samples were counted.
    pub(crate) fn samples(&self) -> u64 {
        self.loss.whole.first().copied().unwrap_or(0)
    }

    /// Loss and metrics by name, each name after `prefix`.
    pub(crate) fn values<'a>(
        &self,
        metrics: impl IntoIterator<Item = &'a dyn Metric>,
        prefix: &str,
    ) -> Vec<(String, f64)> {
        let nothing = Counts::default();
        let counts = self.metrics.iter().chain(std::iter::repeat(&nothing));
        let metrics =
            metrics.into_iter().zip(counts).map(|(m, c)| (format!("{prefix}{}", m.name()), m.value(c)));
        [(format!("{prefix}loss"), self.loss())].into_iter().chain(metrics).collect()
    }

    pub(crate) fn to_text(&self) -> String {
        let all: Vec<String> = [&self.loss].into_iter().chain(&self.metrics).map(Counts::to_text).collect();
        all.join("|")
    }

    pub(crate) fn from_text(text: &str) -> Option<Tally> {
        let mut all = text.split('|').map(Counts::from_text);
        Some(Tally { loss: all.next()??, metrics: all.collect::<Option<_>>()? })
    }
}

#[test]
fn the_mean_loss_weighs_batches_by_their_samples() {
    let y = Tensor::zeros([3, 2]);
    let mut tally = Tally::default();
    let mut add = |loss, weight| tally.add([], Judged { y: &y, target: &y, loss, weight }).unwrap();
    add(1.0, 3.0);
    add(5.0, 1.0);
    add(f64::NAN, 0.0);
    assert_eq!((tally.loss(), tally.samples()), (2.0, 9));
    assert_eq!(Tally::from_text(&tally.to_text()).unwrap(), tally);
    assert_eq!(tally.values([], "val "), [("val loss".to_string(), 2.0)]);
}

//! Loss and metrics counted over batches, in training and in evaluation alike.

use crate::Step;
use crate::metrics::{Counts, ExactSum, Metric};
use mapsto_tensor::{Error, ErrorKind, Result};

/// Counts of the loss and of each metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// The number of samples; the sums of `weight · loss` and of `weight`.
    loss: Counts,
    metrics: Vec<Counts>,
    /// The sums of `weight · term` and of `weight`, by name in the order of their first appearance.
    terms: Vec<(String, Counts)>,
}

impl Tally {
    /// Adds what a batch of so many samples gave.
    pub(crate) fn add<'a>(
        &mut self,
        metrics: impl IntoIterator<Item = &'a dyn Metric>,
        step: &Step,
        rows: usize,
    ) -> Result<()> {
        let weight = step.weight.unwrap_or(rows as f64);
        // A batch without weight has no mean: all of it is ignored by the loss.
        let mean = |value: f64| {
            let sums = if weight == 0.0 { [0.0, 0.0] } else { [value * weight, weight] };
            sums.map(|v| ExactSum::from_iter([v])).to_vec()
        };
        self.loss.merge(&Counts::sums(vec![rows as u64], mean(step.loss.item())));
        for (name, value) in &step.terms {
            let at = self.terms.iter().position(|(n, _)| n == name).unwrap_or_else(|| {
                self.terms.push((name.to_string(), Counts::default()));
                self.terms.len() - 1
            });
            self.terms[at].1.merge(&Counts::sums(vec![rows as u64], mean(value.item())));
        }
        for (i, metric) in metrics.into_iter().enumerate() {
            if self.metrics.len() <= i {
                self.metrics.push(Counts::default());
            }
            self.metrics[i].merge(&metric.read(step)?);
        }
        Ok(())
    }

    /// The mean loss over all samples.
    pub(crate) fn loss(&self) -> f64 {
        mean(&self.loss)
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

    /// Loss, metrics and terms by name, each name after `prefix`.
    pub(crate) fn values<'a>(
        &self,
        metrics: impl IntoIterator<Item = &'a dyn Metric>,
        prefix: &str,
    ) -> Vec<(String, f64)> {
        let nothing = Counts::default();
        let counts = self.metrics.iter().chain(std::iter::repeat(&nothing));
        let metrics =
            metrics.into_iter().zip(counts).map(|(m, c)| (format!("{prefix}{}", m.name()), m.value(c)));
        let terms = self.terms.iter().map(|(name, counts)| (format!("{prefix}{name}"), mean(counts)));
        [(format!("{prefix}loss"), self.loss())].into_iter().chain(metrics).chain(terms).collect()
    }

    /// Loss and metrics in the first line, each term in a line of its own.
    pub(crate) fn to_text(&self) -> String {
        let all: Vec<String> = [&self.loss].into_iter().chain(&self.metrics).map(Counts::to_text).collect();
        let terms = self.terms.iter().map(|(name, counts)| format!("\n{}|{name}", counts.to_text()));
        all.join("|") + &terms.collect::<String>()
    }

    pub(crate) fn from_text(text: &str) -> Option<Tally> {
        let mut lines = text.lines();
        let mut all = lines.next()?.split('|').map(Counts::from_text);
        let term = |line: &str| {
            let (counts, name) = line.split_once('|')?;
            Some((name.to_string(), Counts::from_text(counts)?))
        };
        Some(Tally {
            loss: all.next()??,
            metrics: all.collect::<Option<_>>()?,
            terms: lines.map(term).collect::<Option<_>>()?,
        })
    }
}

fn mean(counts: &Counts) -> f64 {
    match &counts.real[..] {
        [sum, weight] => sum.value() / weight.value(),
        _ => f64::NAN,
    }
}

#[test]
fn means_weigh_batches_by_what_they_are_means_of() {
    use mapsto_tensor::Tensor;
    let mut tally = Tally::default();
    let mut add = |loss, weight: f64, kl| {
        let step = Step::new(Tensor::full((), loss)).weighing(weight).term("kl", &Tensor::full((), kl));
        tally.add([], &step, 3).unwrap();
    };
    add(1.0, 3.0, 8.0);
    add(5.0, 1.0, 4.0);
    add(f64::NAN, 0.0, f64::NAN);
    assert_eq!((tally.loss(), tally.samples()), (2.0, 9));
    assert_eq!(Tally::from_text(&tally.to_text()).unwrap(), tally);
    assert_eq!(tally.values([], "val "), [("val loss".to_string(), 2.0), ("val kl".to_string(), 7.0)]);
}

//! Expected calibration error: how far confidence is from accuracy.

use super::{Better, Counts, ExactSum, Metric, MetricKind, Scored};
use mapsto_nn::Outputs;
use mapsto_spec::Entry;
use mapsto_tensor::{Result, Tensor};

/// Expected calibration error: how far the probability of the class that was chosen is from the share of such choices that are
/// right (Naeini et al. 2015; Guo et al. 2017).
///
/// `ece = Σᵦ nᵦ/n |accuracyᵦ − confidenceᵦ|` over bins of equal width, 15 unless said otherwise; a bin holds confidences above its
/// lower and up to its upper edge.
///
/// * Shape: outputs `[.., k]` with class ids `[..]` or probabilities `[.., k]`; or one number a sample, `[n]` or `[.., 1]`, with a target of that shape, 0 or 1.
/// * scikit-learn has none; torchmetrics: `CalibrationError`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{Ece, Metric};
/// use mapsto_train::Outputs;
/// let metric = Ece::new().outputs(Outputs::Probabilities);
/// let counts = metric.count(&tensor![[0.25, 0.75], [0.75, 0.25]], &tensor![1, 1]).unwrap();
/// assert_eq!(metric.value(&counts), 0.25); // confidence 0.75, accuracy 0.5
/// ```
#[derive(Clone, Debug)]
pub struct Ece {
    outputs: Outputs,
    bins: usize,
}

impl Ece {
    /// Of logits.
    #[must_use]
    pub fn new() -> Ece {
        Ece { outputs: Outputs::Logits, bins: 15 }
    }

    /// Of outputs that are something else: probabilities, or their logarithms.
    ///
    /// # Panics
    /// When it is [`Outputs::Values`], which are no probabilities.
    #[must_use]
    #[track_caller]
    pub fn outputs(self, outputs: Outputs) -> Ece {
        Ece { outputs: super::checked_outputs("ece", outputs), ..self }
    }

    /// Over another number of bins.
    ///
    /// # Panics
    /// When `bins` is 0 or above 1,000,000.
    #[must_use]
    #[track_caller]
    pub fn bins(self, bins: usize) -> Ece {
        if !(1..=1_000_000).contains(&bins) {
            mapsto_tensor::fail!("ece", "bins must be from 1 to 1000000, got {bins}");
        }
        Ece { bins, ..self }
    }
}

impl Metric for Ece {
    fn name(&self) -> String {
        "ece".into()
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let scored = Scored::read("ece", self.outputs, y, target)?;
        let (mut whole, mut sums) = (vec![0; 2 * self.bins], vec![ExactSum::default(); self.bins]);
        for i in 0..scored.len() {
            let p = scored.probabilities(i);
            let class = super::argmax(&p);
            let bin = ((p[class] * self.bins as f64).ceil() as usize).clamp(1, self.bins) - 1;
            whole[2 * bin] += 1;
            whole[2 * bin + 1] += u64::from(class == scored.actual[i]);
            sums[bin].add(p[class]);
        }
        Ok(Counts::sums(whole, sums))
    }

    fn value(&self, counts: &Counts) -> f64 {
        let samples: u64 = counts.whole.iter().step_by(2).sum();
        let bins = counts.whole.chunks_exact(2).zip(&counts.real);
        // n · |accuracy − confidence| of a bin is |right − Σ confidence|.
        bins.map(|(bin, sum)| (bin[1] as f64 - sum.value()).abs()).sum::<f64>() / samples as f64
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::with_outputs(Entry::new(KIND.name), self.outputs).with_option("bins", self.bins))
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(self.outputs)
    }
}

impl Default for Ece {
    fn default() -> Ece {
        Ece::new()
    }
}

pub(super) const KIND: MetricKind =
    MetricKind::new("ece", "How far confidence is from accuracy, over bins of confidence.", |args, ()| {
        let metric = Ece::new().outputs(super::outputs_from(args)?);
        let bins = args.get_or("bins", 15_usize)?;
        if !(1..=1_000_000).contains(&bins) {
            return Err(args.error("bins", format!("bins must be from 1 to 1000000, got {bins}")));
        }
        let metric = metric.bins(bins);
        Ok(Box::new(metric))
    })
    .options(&[super::OUTPUTS, ("bins", "how many bins of equal width there are")]);

#[test]
fn edges_belong_to_the_bin_below() {
    use mapsto_tensor::prelude::*;
    let metric = Ece::new().bins(2).outputs(Outputs::Probabilities);
    let counts = metric.count(&tensor![[0.5, 0.5], [1.0, 0.0]], &tensor![0, 0]).unwrap();
    assert_eq!(counts.whole, [1, 1, 1, 1]);
    assert_eq!(metric.value(&counts), 0.25);
}

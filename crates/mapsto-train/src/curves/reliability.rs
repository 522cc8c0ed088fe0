//! The reliability diagram: how often choices are right that were made with a confidence.

/// Choices by their confidence, in 15 bins of equal width, those of the calibration error ([`Ece`](crate::metrics::Ece)).
///
/// ```
/// use mapsto_train::curves::Reliability;
/// let found = Reliability::of([(0.75, true), (0.75, false), (0.95, true)]);
/// assert_eq!((found.bins.len(), found.bins[0].accuracy, found.bins[0].samples), (2, 0.5, 2));
/// assert!((found.ece() - (2.0 * 0.25 + 0.05) / 3.0).abs() < 1e-12);
/// ```
///
/// Source: DeGroot, Fienberg 1983; Guo et al. 2017.
#[derive(Clone, Debug, PartialEq)]
pub struct Reliability {
    /// The bins that hold samples, from the least confidence on.
    pub bins: Vec<Bin>,
}

/// A bin of a [`Reliability`].
#[derive(Clone, Debug, PartialEq)]
pub struct Bin {
    /// The mean confidence, 0 to 1.
    pub confidence: f64,
    /// The share that is right, 0 to 1.
    pub accuracy: f64,
    /// How many choices it holds.
    pub samples: u64,
}

impl Reliability {
    const BINS: usize = 15;

    /// The bins of choices: the probability of the class that was chosen, and whether it was right.
    pub fn of(choices: impl IntoIterator<Item = (f64, bool)>) -> Reliability {
        let mut sums = [(0.0, 0_u64, 0_u64); Reliability::BINS];
        for (p, is_right) in choices {
            let bin = ((p * Reliability::BINS as f64).ceil() as usize).clamp(1, Reliability::BINS) - 1;
            let (confidence, right, samples) = &mut sums[bin];
            *confidence += p;
            *right += u64::from(is_right);
            *samples += 1;
        }
        let bin = |&(confidence, right, samples): &(f64, u64, u64)| Bin {
            confidence: confidence / samples as f64,
            accuracy: right as f64 / samples as f64,
            samples,
        };
        Reliability { bins: sums.iter().filter(|(.., samples)| *samples > 0).map(bin).collect() }
    }

    /// The calibration error: the mean distance of accuracy from confidence.
    pub fn ece(&self) -> f64 {
        let all: u64 = self.bins.iter().map(|bin| bin.samples).sum();
        let far = self.bins.iter().map(|bin| bin.samples as f64 * (bin.accuracy - bin.confidence).abs());
        far.sum::<f64>() / all as f64
    }
}

#[test]
fn edges_belong_to_the_bin_below() {
    let found = Reliability::of([(0.2, true), (0.2 + 1e-9, false), (1.0, true), (0.0, false)]);
    assert_eq!(found.bins.iter().map(|bin| bin.samples).collect::<Vec<_>>(), [1, 1, 1, 1]);
    assert!(Reliability::of([]).ece().is_nan());
}

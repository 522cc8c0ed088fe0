//! `Weighted`: an order in which some samples come more often than others, for classes that are rare.

use crate::{At, Sampler};
use mapsto_spec::Bounds;
use mapsto_tensor::{fail, random::Keyed};

/// Draws samples with replacement, each as often as its weight says: as many an epoch as the set has.
///
/// PyTorch: `WeightedRandomSampler`. With [`Weighted::balanced`] every class comes about equally often.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_data::Weighted;
/// let labels = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// let rows: Vec<i64> = (0..1000).map(|i| labels[i % 10]).collect();
/// let loader = Samples::new(rows.clone()).batches(10).sampler(Weighted::balanced(&rows));
/// let ones = loader.order(0).iter().filter(|&&i| rows[i] == 1).count();
/// assert!((450..550).contains(&ones), "{ones}");
/// ```
#[derive(Clone, Debug)]
pub struct Weighted {
    /// Sums of the weights up to each sample.
    sums: Vec<f64>,
}

impl Weighted {
    /// The weight of each sample of the set.
    ///
    /// # Panics
    /// When one is not finite and at least 0, or none is above 0.
    #[track_caller]
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Weighted {
        let mut sum = 0.0;
        let add = |weight: f64| {
            sum += Bounds::AT_LEAST_0.check("weighted", "weight", weight);
            sum
        };
        let sums: Vec<f64> = weights.into_iter().map(add).collect();
        if !sums.is_empty() && (sum == 0.0 || !sum.is_finite()) {
            fail!("weighted", "the weights add up to {sum}"; help = "give a weight above 0 to the samples that should come");
        }
        Weighted { sums }
    }

    /// The weights with which every class comes equally often, of the class of each sample.
    pub fn balanced(labels: &[i64]) -> Weighted {
        let mut counts = std::collections::HashMap::new();
        labels.iter().for_each(|label| *counts.entry(label).or_insert(0.0) += 1.0);
        Weighted::new(labels.iter().map(|label| 1.0 / counts[label]))
    }
}

// Keeps these draws apart from those of splits and shuffles with the same seed.
const DRAWS: u64 = 0x77_65_69_67_68_74;

impl Sampler for Weighted {
    fn order(&self, at: &At) -> Vec<usize> {
        if self.sums.len() != at.len {
            fail!("weighted", "{} weights for a set of {} samples", self.sums.len(), at.len;
                help = "give the weight of each sample of the set that the loader reads");
        }
        let total = self.sums.last().copied().unwrap_or(0.0);
        let mut key = Keyed::new(&[at.seed, DRAWS, at.epoch]);
        let draw = |_| {
            let u = key.uniform(0.0, total);
            // A sample of weight 0 ends where the one before it ends, and is never the first that is above.
            self.sums.partition_point(|&sum| sum <= u).min(at.len - 1)
        };
        (0..at.len).map(draw).collect()
    }
}

#[test]
fn samples_come_as_often_as_they_weigh() {
    let sampler = Weighted::new([0.0, 1.0, 3.0, 0.0].repeat(1000));
    let at = At { seed: 3, epoch: 1, len: 4000, size: 10 };
    let order = sampler.order(&at);
    assert_eq!(order.len(), 4000);
    assert!(order.iter().all(|i| [1, 2].contains(&(i % 4))));
    // Of 4000 draws a share of 3/4: five deviations are 137.
    let heavy = order.iter().filter(|&i| i % 4 == 2).count();
    assert!(heavy.abs_diff(3000) < 137, "{heavy}");
    assert_eq!(order, sampler.order(&at));
    assert_ne!(order, sampler.order(&At { epoch: 2, ..at }));
    assert!(mapsto_tensor::catch(|| Weighted::new([0.0, 0.0])).is_err());
    assert!(mapsto_tensor::catch(|| Weighted::new([-1.0])).is_err());
    assert!(mapsto_tensor::catch(|| sampler.order(&At { len: 3, ..at })).is_err());
}

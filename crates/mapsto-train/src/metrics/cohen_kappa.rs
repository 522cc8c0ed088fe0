//! Cohen's κ: agreement beyond what chance would give.

use super::{Better, Counts, Decision, Metric, MetricKind};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// Cohen's κ: how much better predicted and true classes agree than classes drawn at random with the same frequencies would
/// (Cohen 1960; with weights, 1968).
///
/// `κ = 1 − Σ wᵢⱼ nᵢⱼ / Σ wᵢⱼ eᵢⱼ`, with `nᵢⱼ` samples of class `i` taken for `j` and `eᵢⱼ` expected by chance; `wᵢⱼ` is 1 off the
/// diagonal, `|i − j|` with linear and `(i − j)²` with quadratic weights, for classes in an order. NaN where all samples have one class
/// and are given it, since 0 / 0 agrees with anything. The counts are multiplied as whole numbers.
///
/// * Shape: outputs `[.., k]`, target class ids `[..]` or probabilities `[.., k]`; with a threshold two tensors of one shape, the target 0 or 1.
/// * scikit-learn: `cohen_kappa_score(labels=range(k))`; torchmetrics: `CohenKappa`; Keras has none.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::{CohenKappa, Metric};
/// let y = tensor![[2.0, 1.0], [0.0, 1.0], [0.0, 3.0], [0.0, 1.0]]; // classes 0 1 1 1
/// let kappa = CohenKappa::new();
/// let counts = kappa.count(&y, &tensor![0, 1, 0, 0]).unwrap();
/// assert!((kappa.value(&counts) - 0.2).abs() < 1e-15); // 2 wrong, 2.5 by chance
/// ```
#[derive(Clone, Debug)]
pub struct CohenKappa {
    decision: Decision,
    weights: KappaWeights,
}

impl CohenKappa {
    /// The class is the one with the largest score.
    #[must_use]
    pub fn new() -> CohenKappa {
        CohenKappa { decision: Decision::Argmax, weights: KappaWeights::None }
    }

    /// Two classes from one number a sample: class 1 where it reaches `at` (0.0 for logits, 0.5 for probabilities).
    ///
    /// # Panics
    /// When `at` is not finite.
    #[must_use]
    #[track_caller]
    pub fn threshold(self, at: f64) -> CohenKappa {
        let at = Bounds::FINITE.check("cohen_kappa", "threshold", at);
        CohenKappa { decision: Decision::Threshold(at), ..self }
    }

    /// Makes mistakes cost by how far the class is off.
    #[must_use]
    pub fn weights(self, weights: KappaWeights) -> CohenKappa {
        CohenKappa { weights, ..self }
    }
}

impl Metric for CohenKappa {
    fn name(&self) -> String {
        "cohen kappa".into()
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn count(&self, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let decided = self.decision.decide("cohen_kappa", y, target)?;
        let k = decided.classes;
        if k > MOST {
            return Err(Error::new(
                ErrorKind::Model,
                format!("cohen_kappa: {k} classes make more than {MOST} × {MOST} counts"),
            )
            .help("take `mcc`, which counts each class alone"));
        }
        let mut cells = vec![0; k * k];
        decided.predicted.iter().zip(&decided.actual).for_each(|(p, a)| cells[a * k + p] += 1);
        Ok(Counts::whole(cells))
    }

    fn value(&self, counts: &Counts) -> f64 {
        let k = counts.whole.len().isqrt();
        let cell = |a: usize, p: usize| i128::from(counts.whole[a * k + p]);
        let sum = |of: &dyn Fn(usize) -> i128| (0..k).map(of).sum::<i128>();
        let actual: Vec<i128> = (0..k).map(|a| sum(&|p| cell(a, p))).collect();
        let predicted: Vec<i128> = (0..k).map(|p| sum(&|a| cell(a, p))).collect();
        let (mut seen, mut chance) = (0_i128, 0_i128);
        for a in 0..k {
            for p in 0..k {
                let weight = self.weights.of(a, p);
                seen += weight * cell(a, p);
                chance += weight * actual[a] * predicted[p];
            }
        }
        let samples: i128 = actual.iter().sum();
        1.0 - (seen * samples) as f64 / chance as f64
    }

    fn entry(&self) -> Option<Entry> {
        Some(super::decided(Entry::new(KIND.name), self.decision).with_option("weights", self.weights.name()))
    }
}

/// Classes of the largest matrix that is counted.
const MOST: usize = 1000;

/// What a mistake costs in [`CohenKappa`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KappaWeights {
    /// Every mistake costs the same.
    None,
    /// By how many classes it is off.
    Linear,
    /// By the square of that.
    Quadratic,
}

impl KappaWeights {
    fn of(self, a: usize, p: usize) -> i128 {
        let off = a.abs_diff(p) as i128;
        match self {
            KappaWeights::None => i128::from(off > 0),
            KappaWeights::Linear => off,
            KappaWeights::Quadratic => off * off,
        }
    }

    fn name(self) -> &'static str {
        match self {
            KappaWeights::None => "none",
            KappaWeights::Linear => "linear",
            KappaWeights::Quadratic => "quadratic",
        }
    }

    fn from_name(name: &str) -> Option<KappaWeights> {
        [KappaWeights::None, KappaWeights::Linear, KappaWeights::Quadratic]
            .into_iter()
            .find(|w| w.name() == name)
    }
}

impl Default for CohenKappa {
    fn default() -> CohenKappa {
        CohenKappa::new()
    }
}

pub(super) const KIND: MetricKind = MetricKind::new("cohen_kappa", "Agreement of predicted and true classes beyond chance.", |args, ()| {
    let name = args.get_or("weights", "none".to_string())?;
    let weights = KappaWeights::from_name(&name)
        .ok_or_else(|| args.error("weights", "the weights are \"none\", \"linear\" or \"quadratic\""))?;
    let metric = CohenKappa::new().weights(weights);
    Ok(Box::new(CohenKappa { decision: super::threshold_from(args)?.map_or(Decision::Argmax, Decision::Threshold), ..metric }))
}).options(&[("weights", "what a mistake costs: `\"none\"` (all the same), or by how far the class is off, `\"linear\"` or `\"quadratic\"`"), super::THRESHOLD]);

#[test]
fn weights_count_how_far_a_class_is() {
    use mapsto_tensor::prelude::*;
    // Classes 0 1 2 2 for 0 1 2 0: one mistake by two classes; by chance (by hand) 10/4, 14/4 and 22/4 of the weights.
    let (y, t) =
        (tensor![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]], tensor![0, 1, 2, 0]);
    for (weights, expected) in [
        (KappaWeights::None, 1.0 - 4.0 / 11.0),
        (KappaWeights::Linear, 1.0 - 8.0 / 16.0),
        (KappaWeights::Quadratic, 1.0 - 16.0 / 26.0),
    ] {
        let kappa = CohenKappa::new().weights(weights);
        assert!((kappa.value(&kappa.count(&y, &t).unwrap()) - expected).abs() < 1e-15, "{weights:?}");
    }
    let one = CohenKappa::new();
    assert!(one.value(&one.count(&tensor![[1.0, 0.0]], &tensor![0]).unwrap()).is_nan());
}

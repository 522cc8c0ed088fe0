//! Scores in order beside what is so: the counts behind a ROC curve and a curve of precision and recall.

/// For each score that occurs, the highest first: how many samples with at least that score are positive, and how many are not.
///
/// ```
/// use mapsto_train::metrics::Ranked;
/// let ranked = Ranked::of([(0.1, false), (0.4, false), (0.35, true), (0.8, true)]);
/// assert_eq!(ranked.roc_auc(), 0.75);
/// assert!((ranked.average_precision() - 5.0 / 6.0).abs() < 1e-15);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// The scores, the positives down to each of them, and the negatives.
    pub steps: Vec<(f64, u64, u64)>,
}

impl Ranked {
    /// Orders scores, each with whether its sample is positive.
    #[must_use]
    pub fn of(samples: impl IntoIterator<Item = (f64, bool)>) -> Ranked {
        let mut samples: Vec<(f64, bool)> = samples.into_iter().map(|(s, t)| (s + 0.0, t)).collect();
        samples.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let (mut right, mut wrong) = (0, 0);
        let step = |group: &[(f64, bool)]| {
            let positive = group.iter().filter(|(_, t)| *t).count() as u64;
            right += positive;
            wrong += group.len() as u64 - positive;
            (group[0].0, right, wrong)
        };
        Ranked { steps: samples.chunk_by(|a, b| a.0 == b.0).map(step).collect() }
    }

    /// The positives and the negatives.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        self.steps.last().map_or((0, 0), |&(_, positive, negative)| (positive, negative))
    }

    /// The chance that a positive has the higher score of a positive and a negative, where equal scores count half: the area
    /// under the ROC curve. NaN where either is missing.
    #[must_use]
    pub fn roc_auc(&self) -> f64 {
        let (positive, negative) = self.totals();
        let (mut twice, mut before) = (0_u128, (0, 0));
        for &(_, right, wrong) in &self.steps {
            // The negatives of a step are below all positives before it, and level with its own.
            twice += u128::from(wrong - before.1) * u128::from(before.0 + right);
            before = (right, wrong);
        }
        twice as f64 / (2 * u128::from(positive) * u128::from(negative)) as f64
    }

    /// `Σ (Rᵢ − Rᵢ₋₁) Pᵢ` over the steps, with precision `P` and recall `R`; 0 where nothing is positive, as in scikit-learn.
    #[must_use]
    pub fn average_precision(&self) -> f64 {
        let (positive, _) = self.totals();
        if positive == 0 {
            return if self.steps.is_empty() { f64::NAN } else { 0.0 };
        }
        let (mut sum, mut before) = (0.0, 0);
        for &(_, right, wrong) in &self.steps {
            sum += (right - before) as f64 * (right as f64 / (right + wrong) as f64);
            before = right;
        }
        sum / positive as f64
    }
}

#[test]
fn equal_scores_are_one_step() {
    let ranked = Ranked::of([(0.5, true), (0.5, false), (-0.0, false), (0.0, true)]);
    assert_eq!(ranked.steps, [(0.5, 1, 1), (0.0, 2, 2)]);
    assert_eq!(ranked.roc_auc(), 0.5);
    assert!(Ranked::of([(0.5, true)]).roc_auc().is_nan());
    assert_eq!(Ranked::of([(0.5, false)]).average_precision(), 0.0);
    assert!(Ranked::of([]).average_precision().is_nan());
}

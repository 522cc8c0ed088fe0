//! Intervals of metrics by the bootstrap: how far a number would move with another test set of the same size.

use crate::metrics::Metric;
use mapsto_tensor::{Result, Tensor, no_grad};

/// The bounds between which 95 % of the resampled numbers lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// 2.5 % are below.
    pub low: f64,
    /// 2.5 % are above.
    pub high: f64,
}

/// The percentile bootstrap: draws as many samples as there are, with replacement, again and again, and looks at the spread of each
/// metric (Efron 1979). With `strata`, each class keeps its number of samples, as its share in the data is known.
///
/// A metric that has no number in a twentieth of the draws or more has no interval.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::{bootstrap, metrics::Mae};
/// let (y, t) = (Tensor::zeros([40]), Tensor::arange(0..40).to(DType::F32) / 39.0);
/// let found = bootstrap(&y, &t, None, &[&Mae::new()], 200, 1).unwrap();
/// let interval = found[0].unwrap(); // of a mean of 0.5 with a standard error of 0.047
/// assert!((0.35..0.47).contains(&interval.low) && (0.53..0.65).contains(&interval.high));
/// ```
///
/// # Errors
/// As [`Metric::count`].
pub fn bootstrap(
    y: &Tensor,
    target: &Tensor,
    strata: Option<&[usize]>,
    metrics: &[&dyn Metric],
    resamples: usize,
    seed: u64,
) -> Result<Vec<Option<Interval>>> {
    let n = y.shape().first().copied().unwrap_or(0);
    let groups = groups(n, strata);
    let mut random = Random(seed);
    let mut found = vec![Vec::with_capacity(resamples); metrics.len()];
    for _ in 0..if n == 0 { 0 } else { resamples } {
        let draw = groups.iter().flat_map(|group| std::iter::repeat_n(group, group.len()));
        let drawn: Vec<i64> = draw.map(|group| group[random.below(group.len())]).collect();
        let rows = Tensor::from_slice(&drawn, [n]);
        let (y, target) = no_grad(|| (y.index_select(0, &rows), target.index_select(0, &rows)));
        for (metric, values) in metrics.iter().zip(&mut found) {
            values.push(metric.value(&metric.count(&y, &target)?));
        }
    }
    Ok(found.into_iter().map(interval).collect())
}

/// The samples of each stratum; all in one where there is none.
fn groups(n: usize, strata: Option<&[usize]>) -> Vec<Vec<i64>> {
    let Some(strata) = strata else { return vec![(0..n as i64).collect()] };
    let mut groups = vec![Vec::new(); strata.iter().max().map_or(0, |most| most + 1)];
    strata.iter().enumerate().for_each(|(i, &stratum)| groups[stratum].push(i as i64));
    groups.retain(|group| !group.is_empty());
    groups
}

/// The percentiles 2.5 and 97.5 of the numbers, between neighbours in proportion, as NumPy's `percentile`.
fn interval(values: Vec<f64>) -> Option<Interval> {
    let all = values.len();
    let mut values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
    if values.is_empty() || values.len() * 20 <= all * 19 {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (values.len() - 1) as f64;
        let (low, part) = (place.floor() as usize, place.fract());
        values[low] + part * (values[(low + 1).min(values.len() - 1)] - values[low])
    };
    Some(Interval { low: at(0.025), high: at(0.975) })
}

/// SplitMix64 (Steele, Lea, Flood 2014): a stream of its own, so that intervals neither depend on nor change other draws.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Accuracy, Mae};
    use mapsto_tensor::prelude::*;

    #[test]
    fn percentiles_are_numpys() {
        // numpy.percentile(range(11), [2.5, 97.5])
        let found = interval((0..11).map(f64::from).collect()).unwrap();
        assert!((found.low - 0.25).abs() < 1e-12 && (found.high - 9.75).abs() < 1e-12);
        assert_eq!(interval(vec![1.0, f64::NAN]), None);
    }

    #[test]
    fn of_a_mean_it_is_near_the_normal_interval() {
        let numbers: Vec<f32> = (0..400).map(|i| (i * 37 % 400) as f32 / 400.0).collect();
        let t = Tensor::from_slice(&numbers, [400]);
        let found = bootstrap(&Tensor::zeros([400]), &t, None, &[&Mae::new()], 2000, 5).unwrap()[0].unwrap();
        let error = 1.96 * (1.0 / 12.0_f64 / 400.0).sqrt();
        assert!((found.low - (0.49875 - error)).abs() < 0.004, "{found:?}");
        assert!((found.high - (0.49875 + error)).abs() < 0.004, "{found:?}");
        let again = bootstrap(&Tensor::zeros([400]), &t, None, &[&Mae::new()], 2000, 5).unwrap()[0].unwrap();
        assert_eq!(found, again, "a seed says all");
    }

    #[test]
    fn strata_keep_their_sizes() {
        // All of class 0 right, all of class 1 wrong: with strata every draw has the same accuracy.
        let (y, t) = (tensor![[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]], tensor![0, 0, 0, 1]);
        let of = |strata| bootstrap(&y, &t, strata, &[&Accuracy::new()], 300, 2).unwrap()[0].unwrap();
        assert_eq!(of(Some(&[0, 0, 0, 1])), Interval { low: 0.75, high: 0.75 });
        assert!(of(None).low < 0.75);
    }
}

//! Residuals: how far numbers that a model gives are from the true ones, and in which way.

/// The spread of `predicted − true`, and samples of both.
///
/// ```
/// use mapsto_train::curves::Residuals;
/// let found = Residuals::of(&[1.0, 2.0, 3.0], &[1.5, 2.0, 4.0]).unwrap();
/// assert_eq!((found.mean, found.quantiles[0], found.quantiles[3], found.quantiles[6]), (0.5, 0.0, 0.5, 1.0));
/// assert_eq!(found.points[2], (3.0, 4.0));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Residuals {
    /// The mean: what the model gives too much.
    pub mean: f64,
    /// The standard deviation (with `n`).
    pub std: f64,
    /// The least, the 5, 25, 50, 75 and 95 percent points and the largest, as NumPy's `percentile`.
    pub quantiles: [f64; 7],
    /// True and predicted numbers of up to 500 samples, evenly from the first to the last.
    pub points: Vec<(f64, f64)>,
}

impl Residuals {
    /// Which part of the residuals lies below each of the quantiles.
    pub const SHARES: [f64; 7] = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0];

    const MOST: usize = 500;

    /// Of true and predicted numbers, one beside the other; nothing where there is none, or one is not finite.
    pub fn of(truth: &[f64], predicted: &[f64]) -> Option<Residuals> {
        let mut off: Vec<f64> = predicted.iter().zip(truth).map(|(p, t)| p - t).collect();
        if off.is_empty() || off.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let n = off.len() as f64;
        let mean = off.iter().sum::<f64>() / n;
        let std = (off.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        off.sort_unstable_by(f64::total_cmp);
        let quantiles = Residuals::SHARES.map(|share| {
            let place = share * (off.len() - 1) as f64;
            let (low, part) = (place.floor() as usize, place.fract());
            off[low] + part * (off[(low + 1).min(off.len() - 1)] - off[low])
        });
        let (all, shown) = (off.len(), off.len().min(Residuals::MOST));
        let place = |i: usize| if shown == all { i } else { i * (all - 1) / (shown - 1) };
        let points = (0..shown).map(|i| (truth[place(i)], predicted[place(i)])).collect();
        Some(Residuals { mean, std, quantiles, points })
    }
}

#[test]
fn nothing_comes_of_nothing_and_many_samples_are_thinned() {
    assert_eq!(Residuals::of(&[], &[]), None);
    assert_eq!(Residuals::of(&[1.0], &[f64::NAN]), None);
    let all: Vec<f64> = (0..5000).map(f64::from).collect();
    let found = Residuals::of(&all, &all).unwrap();
    assert_eq!((found.points.len(), found.points[0], found.points[499]), (500, (0.0, 0.0), (4999.0, 4999.0)));
}

//! `RangeCurve`: the loss over learning rates that a range test gives, and the rates that it suggests.

use mapsto::spec::Json;
use mapsto::{Error, ErrorKind, Result};

/// How slowly the smoothed loss follows that of the steps, as in fastai and Lightning.
const SMOOTH: f64 = 0.98;
/// The first tenth of the steps and the last few show how training begins and how it breaks, and suggest nothing.
const LAST: usize = 5;
/// A curve needs so many points between them.
const LEAST: usize = 5;
/// The share of the loss that must be won somewhere, or else no rate trains the model,
const WON: f64 = 0.01;
/// and how many standard errors of the smoothed loss: batches differ, and the curve falls a little by chance.
const ERRORS: f64 = 3.0;

/// What a range test saw: a step at each rate, from the lowest on.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeCurve {
    /// The learning rate of each step, ascending.
    pub rates: Vec<f64>,
    /// The loss of each step, before it.
    pub losses: Vec<f64>,
    /// The losses, smoothed: `s ← 0.98 s + 0.02 loss`, divided by `1 − 0.98ᵗ`.
    pub smoothed: Vec<f64>,
    /// Why the test ended.
    pub end: RangeEnd,
    /// How many steps were planned.
    planned: usize,
}

/// Why a range test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeEnd {
    /// The highest rate was reached.
    Reached,
    /// The smoothed loss rose to four times its least.
    Risen,
    /// A loss or gradient was not finite.
    NotFinite,
}

impl RangeCurve {
    pub(super) fn planned(planned: usize) -> RangeCurve {
        RangeCurve {
            rates: Vec::new(),
            losses: Vec::new(),
            smoothed: Vec::new(),
            end: RangeEnd::Reached,
            planned,
        }
    }

    /// Adds a step.
    pub(super) fn push(&mut self, rate: f64, loss: f64) {
        let t = self.losses.len() as i32;
        let before = self.smoothed.last().map_or(0.0, |s| s * (1.0 - SMOOTH.powi(t)));
        let sum = SMOOTH * before + (1.0 - SMOOTH) * loss;
        self.rates.push(rate);
        self.losses.push(loss);
        self.smoothed.push(sum / (1.0 - SMOOTH.powi(t + 1)));
    }

    /// Whether the smoothed loss has risen to four times its least; where that is near 0 or below, by as much as counts beside the first.
    pub(super) fn has_risen(&self) -> bool {
        let (Some(first), Some(last)) = (self.smoothed.first(), self.smoothed.last()) else { return false };
        let least = self.smoothed.iter().copied().fold(f64::INFINITY, f64::min);
        *last > least + 3.0 * least.abs().max(0.1 * first.abs())
    }

    /// The steps that suggestions are made of.
    fn kept(&self) -> std::ops::Range<usize> {
        self.planned / 10..self.rates.len().saturating_sub(LAST)
    }

    /// The rate in the middle of the longest fall of the curve: fastai's `valley`. The longest falling subsequence of the smoothed losses
    /// ends where the curve turns; of the stretch of as many steps before its end, the middle is taken.
    ///
    /// # Errors
    /// As [`suggestion`](RangeCurve::suggestion).
    pub fn valley(&self) -> Result<f64> {
        let kept = self.check()?;
        Ok(self.rates[kept.start + valley(&self.smoothed[kept])])
    }

    /// The rate at which the smoothed loss falls fastest over the logarithm of the rate (Smith 2017, as fastai's `steep` reads it).
    ///
    /// # Errors
    /// As [`suggestion`](RangeCurve::suggestion).
    pub fn steepest(&self) -> Result<f64> {
        let kept = self.check()?;
        Ok(self.rates[kept.start + steepest(&self.rates[kept.clone()], &self.smoothed[kept])])
    }

    /// The rate to train with: that of the [`valley`](RangeCurve::valley) to two digits.
    ///
    /// # Errors
    /// The curve is too short, since the loss rises at the lowest rates, or it falls nowhere.
    pub fn suggestion(&self) -> Result<f64> {
        self.valley().map(two_digits)
    }

    /// Refuses a curve that suggests nothing.
    fn check(&self) -> Result<std::ops::Range<usize>> {
        let kept = self.kept();
        let refused = |message: String, help: &str| Err(Error::new(ErrorKind::Data, message).help(help));
        if kept.len() < LEAST {
            return refused(
                format!(
                    "range test: the training broke after {} steps, too soon to suggest a rate",
                    self.rates.len()
                ),
                "begin lower, `mapsto lr-find FILE.toml --from 1e-10`, or look at the data and at the last layer",
            );
        }
        let first = self.smoothed[kept.start];
        let least = self.smoothed[kept.clone()].iter().copied().fold(f64::INFINITY, f64::min);
        // Where the curve begins, it is the mean of as many steps.
        let error = spread(&self.losses[kept.clone()]) / (kept.start.max(1) as f64).sqrt();
        if first - least <= (WON * first.abs()).max(ERRORS * error) {
            return refused(
                format!(
                    "range test: the loss fell at none of the rates by more than chance, from {first:.4} to {least:.4} at best"
                ),
                "try more rates, `mapsto lr-find FILE.toml --to 100 --steps 300`, or look at the model: `mapsto train FILE.toml --check deep` says whether it can learn a few samples by heart",
            );
        }
        Ok(kept)
    }

    /// The numbers for other programs; a suggestion that cannot be made is null.
    pub fn to_json(&self) -> Json {
        let number = |v: f64| Json::Float(v);
        let list = |values: &[f64]| Json::List(values.iter().copied().map(number).collect());
        let end = match self.end {
            RangeEnd::Reached => "reached",
            RangeEnd::Risen => "risen",
            RangeEnd::NotFinite => "not_finite",
        };
        let or_null = |rate: Result<f64>| rate.map_or(Json::Null, number);
        Json::Object(vec![
            ("suggestion".into(), or_null(self.suggestion())),
            ("valley".into(), or_null(self.valley())),
            ("steepest".into(), or_null(self.steepest())),
            ("end".into(), Json::Str(end.into())),
            ("rates".into(), list(&self.rates)),
            ("losses".into(), list(&self.losses)),
            ("smoothed".into(), list(&self.smoothed)),
        ])
    }
}

/// The place of fastai's valley.
fn valley(losses: &[f64]) -> usize {
    let mut falls = vec![1_usize; losses.len()];
    let mut end = 0;
    for i in 1..losses.len() {
        for j in 0..i {
            if losses[i] < losses[j] && falls[i] < falls[j] + 1 {
                falls[i] = falls[j] + 1;
            }
        }
        if falls[end] < falls[i] {
            end = i;
        }
    }
    if end == 0 {
        return 0;
    }
    // The start may be one before the first place.
    let third = falls[end] as f64 / 3.0;
    (end + third as usize + (third / 2.0) as usize).saturating_sub(falls[end])
}

/// The place before the steepest fall over the logarithm of the rate.
fn steepest(rates: &[f64], losses: &[f64]) -> usize {
    let slope = |i: usize| (losses[i + 1] - losses[i]) / (rates[i + 1].ln() - rates[i].ln());
    let places = 0..losses.len().saturating_sub(1);
    places.min_by(|&a, &b| slope(a).total_cmp(&slope(b))).unwrap_or(0)
}

/// The standard deviation of the losses from one step to the next, by the median of their differences, which no trend and no end moves.
fn spread(losses: &[f64]) -> f64 {
    let mut steps: Vec<f64> = losses.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    steps.sort_by(f64::total_cmp);
    // The median of the size of a normal variable is 0.6745 of its deviation; a difference has √2 of it.
    steps.get(steps.len() / 2).map_or(0.0, |median| median / (0.6745 * std::f64::consts::SQRT_2))
}

/// A rate as a person would write it.
pub(super) fn two_digits(rate: f64) -> f64 {
    format!("{rate:.1e}").parse().unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line of the golden file is a curve: its rates, losses, and what fastai's formulas say of it.
    #[test]
    fn suggestions_are_those_of_the_formulas() {
        let golden = include_str!("../../golden/lr_find.txt");
        let numbers = |text: &str| text.split(' ').map(|v| v.parse().unwrap()).collect::<Vec<f64>>();
        let mut checked = 0;
        for case in golden.lines() {
            let parts: Vec<&str> = case.split(';').collect();
            let [rates, losses, smoothed, said] = [0, 1, 2, 3].map(|i| numbers(parts[i]));
            let mut curve = RangeCurve::planned(rates.len());
            rates.iter().zip(&losses).for_each(|(&rate, &loss)| curve.push(rate, loss));
            for (a, b) in curve.smoothed.iter().zip(&smoothed) {
                assert!((a - b).abs() <= 1e-12 * b.abs(), "{a} {b}");
            }
            assert_eq!([curve.valley().unwrap(), curve.steepest().unwrap()], [said[0], said[1]]);
            checked += 1;
        }
        assert_eq!(checked, 6);
    }

    #[test]
    fn a_curve_that_teaches_nothing_is_refused() {
        let of = |losses: &[f64]| {
            let mut curve = RangeCurve::planned(100);
            losses.iter().enumerate().for_each(|(i, &loss)| curve.push(1e-6 * 1.2_f64.powi(i as i32), loss));
            curve
        };
        let message = |losses: &[f64]| of(losses).suggestion().unwrap_err().message().to_string();
        assert!(message(&[1.0; 100]).contains("the loss fell at none of the rates"));
        assert!(message(&[1.0; 16]).contains("broke after 16 steps"));
        assert!(of(&[]).suggestion().is_err());
        // Batches that differ make the curve fall by chance.
        let noise: Vec<f64> = (0..100).map(|i| 1.0 + 0.1 * f64::from(i * i * 37 % 101 - 50) / 50.0).collect();
        assert!((spread(&noise) - 0.058).abs() < 0.03, "{}", spread(&noise));
        assert!(message(&noise).contains("by more than chance"));
        let falling: Vec<f64> = (0..100).map(|i| 2.0 - 0.01 * f64::from(i)).collect();
        assert!(of(&falling).suggestion().is_ok());
        // Losses below 0, as of a likelihood, rise and fall as others do.
        let below: Vec<f64> = falling.iter().map(|loss| loss - 5.0).collect();
        assert_eq!(of(&below).valley().unwrap(), of(&falling).valley().unwrap());
        assert!(!of(&below).has_risen() && !of(&falling).has_risen());
        let rising: Vec<f64> = below.iter().copied().chain([1e4; 3]).collect();
        assert!(of(&rising).has_risen());
    }

    #[test]
    fn a_rate_is_written_as_a_person_writes_it() {
        assert_eq!([0.00123456, 0.0996, 12.3, 1e-7].map(two_digits), [0.0012, 0.1, 12.0, 1e-7]);
    }
}

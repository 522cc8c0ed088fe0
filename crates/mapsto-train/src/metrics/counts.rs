//! What a metric counts in a batch: numbers that add up to the same total however the samples were grouped.

use super::{ExactSum, Kept};

/// The mergeable counts of one metric: whole numbers and exact sums of real ones, added element by element, and what must be
/// kept as it is.
///
/// ```
/// use mapsto_train::metrics::Counts;
/// let mut all = Counts::default();
/// all.merge(&Counts::whole(vec![3, 4])); // 3 right of 4
/// all.merge(&Counts::whole(vec![1, 2]));
/// assert_eq!(all, Counts::whole(vec![4, 6]));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Whole numbers, such as right answers and samples.
    pub whole: Vec<u64>,
    /// Sums of real numbers, such as absolute errors.
    pub real: Vec<ExactSum>,
    /// Rows that the number cannot be found without, such as scores of which only the order counts.
    pub kept: Kept,
}

impl Counts {
    /// Counts of whole numbers only.
    #[must_use]
    pub fn whole(whole: Vec<u64>) -> Counts {
        Counts { whole, ..Counts::default() }
    }

    /// `sum` of a real number over `n` samples: the counts of a mean.
    #[must_use]
    pub fn mean(sum: ExactSum, n: usize) -> Counts {
        Counts::sums(vec![n as u64], vec![sum])
    }

    /// Whole numbers and exact sums.
    #[must_use]
    pub fn sums(whole: Vec<u64>, real: Vec<ExactSum>) -> Counts {
        Counts { whole, real, kept: Kept::default() }
    }

    /// Rows that are kept as they are.
    #[must_use]
    pub fn kept(kept: Kept) -> Counts {
        Counts { kept, ..Counts::default() }
    }

    /// The mean these counts describe, NaN of no sample.
    #[must_use]
    pub fn mean_value(&self) -> f64 {
        match (self.real.first(), self.whole.first()) {
            (Some(sum), Some(&n)) if n > 0 => sum.value() / n as f64,
            _ => f64::NAN,
        }
    }

    /// Adds another group's counts to these; a longer list (more classes) extends a shorter one.
    pub fn merge(&mut self, other: &Counts) {
        if self.whole.len() < other.whole.len() {
            self.whole.resize(other.whole.len(), 0);
        }
        if self.real.len() < other.real.len() {
            self.real.resize(other.real.len(), ExactSum::default());
        }
        self.whole.iter_mut().zip(&other.whole).for_each(|(a, b)| *a += b);
        self.real.iter_mut().zip(&other.real).for_each(|(a, b)| a.merge(b));
        self.kept.merge(&other.kept);
    }

    /// The counts as one line of text, kept in a checkpoint so that a resumed epoch reports the same bits.
    pub(crate) fn to_text(&self) -> String {
        let whole: Vec<String> = self.whole.iter().map(u64::to_string).collect();
        let real: Vec<String> = self.real.iter().map(ExactSum::to_text).collect();
        let kept = if self.kept.is_empty() { String::new() } else { format!(";{}", self.kept.to_text()) };
        format!("{};{}{kept}", whole.join(","), real.join(","))
    }

    pub(crate) fn from_text(text: &str) -> Option<Counts> {
        let (whole, rest) = text.split_once(';')?;
        let (real, kept) = rest.split_once(';').map_or((rest, None), |(real, kept)| (real, Some(kept)));
        let parts = |s: &str| s.split(',').filter(|p| !p.is_empty()).map(str::to_string).collect::<Vec<_>>();
        Some(Counts {
            whole: parts(whole).iter().map(|p| p.parse().ok()).collect::<Option<_>>()?,
            real: parts(real).iter().map(|p| ExactSum::from_text(p)).collect::<Option<_>>()?,
            kept: kept.map_or(Some(Kept::default()), Kept::from_text)?,
        })
    }
}

#[test]
fn text_round_trip() {
    let mut kept = Kept::default();
    kept.push(&[0.5, 1.0]);
    for counts in [
        Counts::default(),
        Counts::whole(vec![1, 2, 3]),
        Counts::mean([0.1, 1e30, -7.0].into_iter().collect(), 3),
        Counts { whole: vec![2], ..Counts::kept(kept) },
    ] {
        assert_eq!(Counts::from_text(&counts.to_text()).unwrap(), counts);
    }
    assert!(Counts::from_text("1,x;").is_none() && Counts::from_text("1;;2:1").is_none());
}

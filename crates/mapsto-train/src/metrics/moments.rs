//! Exact moments of outputs and targets: what R², explained variance and correlation are made of.

use super::decision::mismatch;
use super::{Counts, ExactSum, floats};
use mapsto_tensor::{Result, Tensor};

/// Sums over pairs of an output `y` and a target `t`, from which variances follow without cancellation: the sums of squares are
/// kept exactly, so a mean of a billion beside a spread of one loses nothing.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::metrics::Moments;
/// let counts = Moments::count("r2", &tensor![1.0, 2.0, 4.0], &tensor![1.0, 2.0, 3.0]).unwrap();
/// let of = &Moments::columns(&counts)[0];
/// assert_eq!((of.n, of.t, of.y, of.error), (3, 6.0, 14.0, 1.0)); // 3 · (1 + 4 + 9) − 6² = 6
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// How many pairs there are.
    pub n: u64,
    /// `n Σ y² − (Σ y)²`.
    pub y: f64,
    /// `n Σ t² − (Σ t)²`.
    pub t: f64,
    /// `n Σ y t − Σ y Σ t`.
    pub both: f64,
    /// `n Σ e² − (Σ e)²` of the errors `e = t − y`.
    pub errors: f64,
    /// `Σ e²`.
    pub error: f64,
}

const SUMS: usize = 7;

impl Moments {
    /// Counts a batch, each column of the last axis by itself.
    ///
    /// # Errors
    /// Two shapes that differ.
    pub fn count(who: &str, y: &Tensor, target: &Tensor) -> Result<Counts> {
        let (width, y, t) = columns(who, y, target)?;
        let mut sums = vec![ExactSum::default(); SUMS * width];
        for (i, (y, t)) in y.iter().zip(&t).enumerate() {
            let e = t - y;
            let at = SUMS * (i % width);
            sums[at].add(*y);
            sums[at + 1].add(*t);
            sums[at + 2].add(e);
            sums[at + 3].add_product(*y, *y);
            sums[at + 4].add_product(*t, *t);
            sums[at + 5].add_product(*y, *t);
            sums[at + 6].add_product(e, e);
        }
        Ok(Counts::sums(vec![(y.len() / width) as u64], sums))
    }

    /// The moments of each column.
    #[must_use]
    pub fn columns(counts: &Counts) -> Vec<Moments> {
        let n = counts.whole.first().copied().unwrap_or(0);
        let of = |s: &[ExactSum]| Moments {
            n,
            y: ExactSum::spread(n, &s[3], &s[0], &s[0]),
            t: ExactSum::spread(n, &s[4], &s[1], &s[1]),
            both: ExactSum::spread(n, &s[5], &s[0], &s[1]),
            errors: ExactSum::spread(n, &s[6], &s[2], &s[2]),
            error: s[6].value(),
        };
        counts.real.chunks_exact(SUMS).map(of).collect()
    }

    /// The mean of a number over the columns, NaN of no sample.
    pub(super) fn mean(counts: &Counts, f: impl Fn(&Moments) -> f64) -> f64 {
        let columns = Moments::columns(counts);
        if columns.first().is_none_or(|c| c.n == 0) {
            return f64::NAN;
        }
        columns.iter().map(f).sum::<f64>() / columns.len() as f64
    }

    /// `1 − part / whole`; where the targets do not vary, 1 for no error and 0 for any, as scikit-learn's `force_finite`.
    pub(super) fn explained(part: f64, whole: f64) -> f64 {
        match (part, whole) {
            (part, whole) if part.is_nan() || whole.is_nan() => f64::NAN,
            (0.0, 0.0) => 1.0,
            (_, 0.0) => 0.0,
            (part, whole) => 1.0 - part / whole,
        }
    }
}

/// The number of columns, and the elements of outputs and targets of one shape.
pub(super) fn columns(who: &str, y: &Tensor, target: &Tensor) -> Result<(usize, Vec<f64>, Vec<f64>)> {
    if y.shape() != target.shape() {
        return Err(mismatch(
            who,
            y,
            target,
            "nothing is broadcast here: give both one shape, such as [n, 1]",
        ));
    }
    let width = if y.rank() < 2 { 1 } else { y.shape()[y.rank() - 1].max(1) };
    Ok((width, floats(y), floats(target)))
}

#[test]
fn far_from_zero_nothing_is_lost() {
    use mapsto_tensor::prelude::*;
    let t = Tensor::from_slice(&[1e9, 1e9 + 1.0, 1e9 + 2.0], [3]);
    let of = &Moments::columns(&Moments::count("m", &t, &t).unwrap())[0];
    assert_eq!((of.t, of.y, of.both, of.error), (6.0, 6.0, 6.0, 0.0));
    assert!(Moments::count("m", &tensor![1.0], &tensor![[1.0]]).is_err());
    let infinite = Moments::count("m", &tensor![1.0, f32::INFINITY], &tensor![1.0, 2.0]).unwrap();
    assert!(Moments::columns(&infinite)[0].y.is_nan());
}

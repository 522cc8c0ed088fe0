//! Curves of a test: what a threshold or a bin of confidence gives, and how far numbers are off, as points that a plot draws and a
//! program reads.

mod precision_recall;
mod reliability;
mod residuals;
mod roc;

pub use precision_recall::PrecisionRecall;
pub use reliability::{Bin, Reliability};
pub use residuals::Residuals;
pub use roc::Roc;

/// So many points of a curve say all that can be seen of it.
const MOST: usize = 400;

/// Scores with what is so, from the highest on: after each different score how many were so and how many were not, and the score.
fn steps(scored: impl IntoIterator<Item = (f64, bool)>) -> Vec<(u64, u64, f64)> {
    let mut scored: Vec<(f64, bool)> = scored.into_iter().collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut steps, mut so, mut not): (Vec<(u64, u64, f64)>, u64, u64) = (Vec::new(), 0, 0);
    for (score, is_so) in scored {
        so += u64::from(is_so);
        not += u64::from(!is_so);
        match steps.last_mut() {
            // 0 and −0 are one score.
            Some(last) if last.2 == score => (last.0, last.1) = (so, not),
            _ => steps.push((so, not, score)),
        }
    }
    steps
}

/// At most [`MOST`] of some places, evenly, the first and the last among them.
fn thinned(places: Vec<usize>) -> Vec<usize> {
    let n = places.len();
    if n <= MOST {
        return places;
    }
    (0..MOST).map(|i| places[i * (n - 1) / (MOST - 1)]).collect()
}

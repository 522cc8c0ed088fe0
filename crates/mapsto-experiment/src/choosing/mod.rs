//! Choosing a model by samples that it was not trained on: folds, the training of each, and an interval of what they give.

mod cross;
mod folds;
mod interval;

pub(crate) use cross::Chosen;
pub use cross::{CrossValidation, FoldScores, Shuffled};
pub use folds::{Fold, Folds, Scheme};
pub use interval::{Spread, student_quantile};

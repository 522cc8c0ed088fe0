//! Tuning: a training file that says ranges for some of its keys is trained again and again, and the best trial is kept.

mod journal;
mod parallel;
mod search;
mod section;
mod space;
mod tpe;
mod tuner;

pub use journal::Trial;
pub use search::{Search, Suggesting};
#[cfg(test)]
pub(crate) use section::KEYS;
pub use section::Tuning;
pub use space::{Domain, Range, Setting, Space};
pub use tuner::{Tuned, Tuner};

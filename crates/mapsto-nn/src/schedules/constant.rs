//! The learning rate that stays as it is.

use super::{Schedule, ScheduleKind};

/// `lr(t) = base`.
///
/// ```
/// use mapsto_nn::prelude::*;
/// assert_eq!(Constant.lr(1000, 0.1), 0.1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constant;

impl Schedule for Constant {
    fn lr(&self, _: u64, base: f64) -> f64 {
        base
    }
}

pub(super) const KIND: ScheduleKind =
    ScheduleKind { name: "constant", doc: "The same at every step.", build: |_, _| Ok(Box::new(Constant)) };

#[test]
fn any_step_is_alike() {
    assert_eq!(Constant.lr(u64::MAX, 2.0), 2.0);
}

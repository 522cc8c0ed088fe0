//! The learning rate that stays as it is.

use super::{Horizon, Schedule, ScheduleKind};
use mapsto_spec::Entry;

/// `lr(t) = base`.
///
/// PyTorch: `ConstantLR(factor=1)`; Keras has none.
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

    fn entry(&self, _: &Horizon) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: ScheduleKind =
    ScheduleKind::new("constant", "The same at every step.", |_, _| Ok(Box::new(Constant)));

#[test]
fn any_step_is_alike() {
    assert_eq!(Constant.lr(u64::MAX, 2.0), 2.0);
}

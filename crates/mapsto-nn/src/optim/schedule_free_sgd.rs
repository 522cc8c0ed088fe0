//! Schedule-free SGD: gradient descent without a schedule, judged at an average that takes the place of momentum.

use super::schedule_free::{R, ScheduleFree, WEIGHT_LR_POWER, X};
use super::setting::{DECAY, Held, LR, Setting, read, told};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, lr};
use crate::Module;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Grads, Result};

/// With the gradient at `y`: `z ← z − lr (g + λ y)`, `x ← x + c (z − x)` and `y ← (1 − μ) z + μ x`, where `c` is the weight of this step in
/// the average of all, `tʳ lr²` with the largest rate so far.
///
/// μ is 0.9, λ 0 and r 0. Training is at `y`; what is validated and saved is the average `x`: see
/// [`ScheduleFreeAdamW`](super::ScheduleFreeAdamW).
///
/// PyTorch: `SGDScheduleFree` of the package `schedulefree`; Keras has none.
///
/// Source: Defazio, Yang, Mehta, et al. (2024), The road less scheduled, arXiv:2405.15682, equations 3 to 5, as in the authors' package.
/// ```
/// use mapsto_nn::optim::ScheduleFreeSgd;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let mut opt = ScheduleFreeSgd::new(0.1);
/// for _ in 0..2 {
///     let grads = train(|| w.forward(&tensor![[1.0]]).sum(..)).backward();
///     opt.step(&mut w, grads);
/// }
/// opt.eval(&mut w)?;
/// assert_close!(w.weight, [[0.85]]); // the mean of 0.9 and 0.8
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct ScheduleFreeSgd {
    rule: ScheduleFree,
    memory: Memory,
}

impl ScheduleFreeSgd {
    /// With μ = 0.9 and no decay; 1 is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> ScheduleFreeSgd {
        let rule = ScheduleFree { beta: 0.9, adam: None, decay: 0.0, r: 0.0, weight_lr_power: 2.0 };
        ScheduleFreeSgd { rule, memory: Memory::new(lr) }
    }

    /// The same with another μ.
    ///
    /// # Panics
    /// When it is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.rule.beta = MOMENTUM.check(KIND.name, momentum);
        self
    }

    /// The same whose average weighs step `t` with `tʳ`.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn r(mut self, r: f64) -> Self {
        self.rule.r = R.check(KIND.name, r);
        self
    }

    settings!(decay);
}

/// In the order in which an entry says them.
fn all(rule: &mut ScheduleFree) -> Vec<Held<'_>> {
    let ScheduleFree { beta, decay, r, weight_lr_power, .. } = rule;
    vec![MOMENTUM.at(beta), DECAY.at(decay), R.at(r), WEIGHT_LR_POWER.at(weight_lr_power)]
}

impl Optimizer for ScheduleFreeSgd {
    by_rule!(applied "schedule_free_sgd");
    shows!(X);

    fn entry(&self) -> Option<Entry> {
        let mut rule = self.rule;
        Some(told(KIND.name, &self.memory, all(&mut rule)))
    }
}

const MOMENTUM: Setting =
    Setting::new("momentum", Bounds::SHARE, "how near to the average the gradients are taken");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "schedule_free_sgd",
    "Gradient descent without a schedule, judged at an average (Defazio et al. 2024).",
    |args, ()| {
        let mut opt = ScheduleFreeSgd::new(lr(args, 1.0)?);
        read(args, all(&mut opt.rule))?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, MOMENTUM.told(), DECAY.told(), R.told(), WEIGHT_LR_POWER.told(), GROUPS]);

#[cfg(test)]
mod tests {
    use super::super::check_rule;
    use crate::optim::*;

    #[test]
    fn it_follows_the_published_formula() {
        // Both begin at the parameter, which is y.
        check_rule(|| ScheduleFreeSgd::new(0.1).momentum(0.8).decay(0.2)).follows(|t, p, g, [x, z]| {
            if t == 1 {
                (*x, *z) = (p, p);
            }
            *z -= 0.1 * (g + 0.2 * p);
            *x += (*z - *x) / f64::from(t);
            0.2 * *z + 0.8 * *x
        });
    }
}

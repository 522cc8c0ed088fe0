//! Lion: each element steps by the learning rate against the sign of a mean of its gradients.

use super::setting::{DECAY, Held, LR, Setting, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Scalar, Update, lr, numbers, slots};
use crate::Module;
use mapsto_kernels::optim::update;
use mapsto_spec::Bounds;
use mapsto_tensor::{Grads, Tensor};

/// `p ← p − lr (sign(β₁ m + (1 − β₁) g) + λ p)`, then `m ← β₂ m + (1 − β₂) g`.
///
/// β₁ is 0.9 and β₂ 0.99. It remembers half as much as Adam; a learning rate of a third to a tenth of Adam's is usual, with a decay as
/// many times larger.
///
/// PyTorch has none; Keras: `Lion`.
///
/// Source: Chen, Liang, Huang, Real, et al. (2023), Symbolic discovery of optimization algorithms, arXiv:2302.06675, algorithm 2.
/// ```
/// use mapsto_nn::optim::Lion;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
/// Lion::new(0.1).decay(0.5).step(&mut w, grads);
/// assert_close!(w.weight, [[1.0 - 0.1 * (1.0 + 0.5)]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Lion {
    rule: LionRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct LionRule {
    beta1: f64,
    beta2: f64,
    decay: f64,
}

impl Lion {
    /// With β₁ = 0.9, β₂ = 0.99 and no decay; 10⁻⁴ is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> Lion {
        Lion { rule: LionRule { beta1: 0.9, beta2: 0.99, decay: 0.0 }, memory: Memory::new(lr) }
    }

    settings!(betas, decay);
}

impl LionRule {
    /// In the order in which an entry says them.
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![KEPT.at(&mut self.beta1), SLOW.at(&mut self.beta2), DECAY.at(&mut self.decay)]
    }
}

impl Rule for LionRule {
    fn slots(&self) -> &'static [&'static str] {
        &["m"]
    }

    fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], memory: &mut [Tensor]) {
        let [m] = slots::<T, _>(memory);
        let keep = 1.0 - now.lr * now.decay.unwrap_or(self.decay);
        let [lr, keep] = numbers::<T, _>([now.lr, keep]);
        let [beta1, fresh1, beta2, fresh2] =
            numbers::<T, _>([self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2]);
        let finite = update(
            g,
            [p, m],
            #[inline(always)]
            |g, [p, m]| [p * keep - lr * (beta1 * m + fresh1 * g).sign(), beta2 * m + fresh2 * g],
        );
        now.require_finite(finite, g);
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [m] = memory else { unreachable!("its slots were asked for") };
        let step = (&*m * self.beta1 + g * (1.0 - self.beta1)).sign();
        *m = &*m * self.beta2 + g * (1.0 - self.beta2);
        p - now.with_decay(self.decay, &step, p) * now.lr
    }
}

impl Optimizer for Lion {
    by_rule!("lion");
}

const KEPT: Setting =
    Setting::new("beta1", Bounds::SHARE, "how much of the remembered mean is in the direction of a step");
const SLOW: Setting = Setting::new("beta2", Bounds::SHARE, "how slowly the mean of the gradients changes");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "lion",
    "Steps by the sign of a mean of the gradients (Chen et al. 2023).",
    |args, ()| {
        let mut opt = Lion::new(lr(args, 1e-4)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, KEPT.told(), SLOW.told(), DECAY.told(), GROUPS]);

#[cfg(test)]
mod tests {
    use super::super::check_rule;
    use crate::optim::*;

    #[test]
    fn it_follows_the_published_formula() {
        check_rule(|| Lion::new(0.1).betas(0.8, 0.95).decay(0.2)).follows(|_, p, g, [m, _]| {
            let c = 0.8 * *m + 0.2 * g;
            *m = 0.95 * *m + 0.05 * g;
            let sign = if c == 0.0 { 0.0 } else { c.signum() };
            p - 0.1 * (sign + 0.2 * p)
        });
    }
}

//! AdamW: Adam whose weight decay stands beside the gradient's step and not inside it.

use super::adam::AdamRule;
use super::setting::{AMSGRAD, BETA1, BETA2, DECAY, EPS, LR, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, lr};
use crate::Module;
use mapsto_kernels::optim::Decay;
use mapsto_tensor::Grads;

/// As [`Adam`](super::Adam), after `p ← p − lr λ p`: the decay is the same for all, however large their gradients.
///
/// β₁ is 0.9, β₂ 0.999, ε 10⁻⁸ and λ 0.01.
///
/// PyTorch: `optim.AdamW`; Keras: `AdamW`.
///
/// Source: Loshchilov, Hutter (2019), Decoupled weight decay regularization, arXiv:1711.05101, algorithm 2.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
/// AdamW::new(0.1).decay(0.5).step(&mut w, grads);
/// assert_close!(w.weight, [[1.0 - 0.1 * 0.5 - 0.1]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct AdamW {
    rule: AdamRule,
    memory: Memory,
}

impl AdamW {
    /// With β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸ and decay 0.01; 10⁻³ is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> AdamW {
        let (beta1, beta2, form) = (0.9, 0.999, Decay::Decoupled);
        let rule = AdamRule { beta1, beta2, eps: 1e-8, decay: 0.01, amsgrad: false, form };
        AdamW { rule, memory: Memory::new(lr) }
    }

    /// The same in units of the largest typical size so far, as [`Adam::amsgrad`](super::Adam::amsgrad).
    #[must_use]
    pub fn amsgrad(mut self) -> AdamW {
        self.rule.amsgrad = true;
        self
    }

    settings!(betas, eps, decay);
}

impl Optimizer for AdamW {
    by_rule!("adamw");
}

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "adamw",
    "Adam with weight decay beside the gradient's step (Loshchilov, Hutter 2019).",
    |args, ()| {
        let mut opt = AdamW::new(lr(args, 1e-3)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, BETA1.told(), BETA2.told(), EPS.told(), DECAY.told(), AMSGRAD, GROUPS]);

#[cfg(test)]
mod tests {
    use super::super::check_rule;
    use crate::prelude::*;

    #[test]
    fn adamw() {
        check_rule(|| AdamW::new(0.1).betas(0.8, 0.95).eps(1e-3).decay(0.2)).follows(|t, p, g, [m, v]| {
            *m = 0.8 * *m + 0.2 * g;
            *v = 0.95 * *v + 0.05 * g * g;
            let (m, v) = (*m / (1.0 - 0.8f64.powi(t)), *v / (1.0 - 0.95f64.powi(t)));
            p - 0.1 * 0.2 * p - 0.1 * m / (v.sqrt() + 1e-3)
        });
    }
}

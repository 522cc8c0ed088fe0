//! RAdam: Adam that waits with the gradient's typical size until enough gradients have shown it.

use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Update, lr};
use crate::Module;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Grads, Tensor};

/// `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, `ρₜ = ρ − 2 t β₂ᵗ / (1 − β₂ᵗ)` with `ρ = 2 / (1 − β₂) − 1`;
/// `p ← p − lr m̂ r √(1 − β₂ᵗ) / (√v + ε)` where `ρₜ > 5`, with `r = √((ρₜ − 4)(ρₜ − 2) ρ / ((ρ − 4)(ρ − 2) ρₜ))`, and before that
/// `p ← p − lr m̂`, where `m̂ = m / (1 − β₁ᵗ)`.
///
/// β₁ is 0.9, β₂ 0.999 and ε 10⁻⁸. Weight decay adds `λ p` to `g`.
///
/// PyTorch: `optim.RAdam`; Keras has none.
///
/// Source: Liu, Jiang, He, Chen, Liu, Gao, Han (2019), On the variance of the adaptive learning rate and beyond,
/// arXiv:1908.03265, algorithm 2.
/// ```
/// use mapsto_nn::optim::RAdam;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let grads = train(|| w.forward(&tensor![[3.0]]).sum(..)).backward();
/// RAdam::new(0.1).step(&mut w, grads);
/// assert_close!(w.weight, [[0.7]]); // the first steps are those of momentum
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct RAdam {
    rule: RAdamRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct RAdamRule {
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: f64,
}

impl RAdam {
    /// With β₁ = 0.9, β₂ = 0.999 and ε = 10⁻⁸; 10⁻³ is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> RAdam {
        RAdam { rule: RAdamRule { beta1: 0.9, beta2: 0.999, eps: 1e-8, decay: 0.0 }, memory: Memory::new(lr) }
    }

    /// The same with other β₁ and β₂.
    ///
    /// # Panics
    /// When one of them is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> RAdam {
        self.rule.beta1 = Bounds::SHARE.check("radam", "beta1", beta1);
        self.rule.beta2 = Bounds::SHARE.check("radam", "beta2", beta2);
        self
    }

    /// The same with another ε.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(mut self, eps: f64) -> RAdam {
        self.rule.eps = Bounds::ABOVE_0.check("radam", "eps", eps);
        self
    }

    /// The same with weight decay λ.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn decay(mut self, decay: f64) -> RAdam {
        self.rule.decay = Bounds::AT_LEAST_0.check("radam", "decay", decay);
        self
    }
}

impl Rule for RAdamRule {
    const KERNEL: bool = false;

    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [m, v] = memory else { unreachable!("its slots were asked for") };
        let g = now.with_decay(self.decay, g, p);
        *m = &*m * self.beta1 + &g * (1.0 - self.beta1);
        *v = &*v * self.beta2 + g.square() * (1.0 - self.beta2);
        now.require_finite_squares(v);
        let (begun1, begun2) = (now.begun(self.beta1), now.begun(self.beta2));
        let most = 2.0 / (1.0 - self.beta2) - 1.0;
        let known = most - 2.0 * now.step as f64 * (1.0 - begun2) / begun2;
        if known <= 5.0 {
            return p - &*m * (now.lr / begun1);
        }
        let share = (known - 4.0) * (known - 2.0) * most / ((most - 4.0) * (most - 2.0) * known);
        p - &*m / (v.sqrt() + self.eps) * (now.lr / begun1 * (share * begun2).sqrt())
    }
}

impl Optimizer for RAdam {
    by_rule!("radam");

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name)
            .with_value(self.memory.base())
            .with_option("beta1", self.rule.beta1)
            .with_option("beta2", self.rule.beta2)
            .with_option("eps", self.rule.eps)
            .with_option("decay", self.rule.decay);
        Some(self.memory.with_groups(entry))
    }
}

pub(super) const KIND: OptimizerKind =
    OptimizerKind::new("radam", "Adam that begins carefully by itself (Liu et al. 2019).", |args, ()| {
        let mut opt = RAdam::new(lr(args, 1e-3)?);
        opt.rule.beta1 = Bounds::SHARE.option(args, "beta1", 0.9)?;
        opt.rule.beta2 = Bounds::SHARE.option(args, "beta2", 0.999)?;
        opt.rule.eps = Bounds::ABOVE_0.option(args, "eps", 1e-8)?;
        opt.rule.decay = Bounds::AT_LEAST_0.option(args, "decay", 0.0)?;
        Ok(Box::new(opt))
    })
    .options(&[
        ("", "the learning rate"),
        ("beta1", "how slowly the mean of the gradients changes"),
        ("beta2", "how slowly the mean of their squares changes"),
        ("eps", "what is added to a variance or a size before it is divided by"),
        ("decay", "the weight decay"),
        GROUPS,
    ]);

#[cfg(test)]
mod tests {
    use super::super::check_rule;
    use crate::optim::*;

    #[test]
    fn it_follows_the_published_formula() {
        // Five steps are all careful ones; of the others there are golden numbers.
        check_rule(|| RAdam::new(0.1).betas(0.8, 0.9).eps(1e-3).decay(0.2)).follows(|t, p, g, [m, _]| {
            *m = 0.8 * *m + 0.2 * (g + 0.2 * p);
            p - 0.1 * *m / (1.0 - 0.8f64.powi(t))
        });
    }
}

//! RAdam: Adam that waits with the gradient's typical size until enough gradients have shown it.

use super::setting::{BETA1, BETA2, DECAY, DECOUPLED, EPS, Held, LR, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Scalar, Update, lr, numbers, slots};
use crate::Module;
use mapsto_kernels::optim::update_watched;
use mapsto_tensor::{Grads, Tensor};

/// `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, `ρₜ = ρ − 2 t β₂ᵗ / (1 − β₂ᵗ)` with `ρ = 2 / (1 − β₂) − 1`;
/// `p ← p − lr m̂ r √(1 − β₂ᵗ) / (√v + ε)` where `ρₜ > 5`, with `r = √((ρₜ − 4)(ρₜ − 2) ρ / ((ρ − 4)(ρ − 2) ρₜ))`, and before that
/// `p ← p − lr m̂`, where `m̂ = m / (1 − β₁ᵗ)`.
///
/// β₁ is 0.9, β₂ 0.999 and ε 10⁻⁸. Weight decay adds `λ p` to `g`.
///
/// PyTorch: `optim.RAdam`, with `decoupled_weight_decay`; Keras has none.
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
    decoupled: bool,
}

impl RAdam {
    /// With β₁ = 0.9, β₂ = 0.999 and ε = 10⁻⁸; 10⁻³ is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> RAdam {
        RAdam {
            rule: RAdamRule { beta1: 0.9, beta2: 0.999, eps: 1e-8, decay: 0.0, decoupled: false },
            memory: Memory::new(lr),
        }
    }

    /// The same whose weight decay stands beside the step, as in [`AdamW`](super::AdamW).
    #[must_use]
    pub fn decoupled(mut self) -> RAdam {
        self.rule.decoupled = true;
        self
    }

    settings!(betas, eps, decay);
}

impl RAdamRule {
    /// The factor of `m / (√v + ε)`; that of `m` alone as an error, while too few gradients have shown their size.
    fn rates(&self, now: &Update) -> Result<f64, f64> {
        let (rate, begun) = (now.lr / now.begun(self.beta1), now.begun(self.beta2));
        let most = 2.0 / (1.0 - self.beta2) - 1.0;
        let known = most - 2.0 * now.step as f64 * (1.0 - begun) / begun;
        if known <= 5.0 {
            return Err(rate);
        }
        let share = (known - 4.0) * (known - 2.0) * most / ((most - 4.0) * (most - 2.0) * known);
        Ok(rate * (share * begun).sqrt())
    }

    /// In the order in which an entry says them.
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![
            BETA1.at(&mut self.beta1),
            BETA2.at(&mut self.beta2),
            EPS.at(&mut self.eps),
            DECAY.at(&mut self.decay),
            Held::Flag(DECOUPLED, &mut self.decoupled),
        ]
    }
}

impl Rule for RAdamRule {
    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], memory: &mut [Tensor]) {
        let [m, v] = slots::<T, _>(memory);
        let (l2, keep) = now.decays(self.decay, self.decoupled);
        let [beta1, fresh1, beta2, fresh2] =
            numbers::<T, _>([self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2]);
        let rates = self.rates(now);
        let [lr, eps, l2, keep] =
            numbers::<T, _>([rates.unwrap_or_else(|careful| careful), self.eps, l2, keep]);
        let is_careful = rates.is_err();
        let finite = update_watched::<T, _, 2>(
            g,
            [p, m, v],
            #[inline(always)]
            |g, [p, m, v]| {
                let g = g + l2 * p;
                let (m, v) = (beta1 * m + fresh1 * g, beta2 * v + fresh2 * (g * g));
                let size = if is_careful { T::ONE } else { v.sqrt() + eps };
                [p * keep - lr * (m / size), m, v]
            },
        );
        now.require_finite(finite, g);
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [m, v] = memory else { unreachable!("its slots were asked for") };
        let (l2, keep) = now.decays(self.decay, self.decoupled);
        let (g, p) = (g + p * l2, p * keep);
        *m = &*m * self.beta1 + &g * (1.0 - self.beta1);
        *v = &*v * self.beta2 + g.square() * (1.0 - self.beta2);
        now.require_finite_squares(v);
        match self.rates(now) {
            Ok(rate) => p - &*m / (v.sqrt() + self.eps) * rate,
            Err(careful) => p - &*m * careful,
        }
    }
}

impl Optimizer for RAdam {
    by_rule!("radam");
}

pub(super) const KIND: OptimizerKind =
    OptimizerKind::new("radam", "Adam that begins carefully by itself (Liu et al. 2019).", |args, ()| {
        let mut opt = RAdam::new(lr(args, 1e-3)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    })
    .options(&[LR, BETA1.told(), BETA2.told(), EPS.told(), DECAY.told(), DECOUPLED, GROUPS]);

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

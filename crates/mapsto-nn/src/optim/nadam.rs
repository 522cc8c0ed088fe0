//! NAdam: Adam that looks one momentum step ahead.

use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, SlotShape, Update, lr};
use crate::Module;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Grads, Tensor};

/// `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, and with `μₜ = β₁ (1 − ½ · 0.96^(t ψ))` and their product `Πₜ = μ₁ ⋯ μₜ`
/// `p ← p − lr (μₜ₊₁ / (1 − Πₜ₊₁) · m + (1 − μₜ) / (1 − Πₜ) · g) / (√v̂ + ε)`, where `v̂ = v / (1 − β₂ᵗ)`.
///
/// β₁ is 0.9, β₂ 0.999, ε 10⁻⁸ and ψ, the momentum's own decay, 0.004. Weight decay adds `λ p` to `g`.
///
/// PyTorch: `optim.NAdam`; Keras: `Nadam`.
///
/// Source: Dozat (2016), Incorporating Nesterov momentum into Adam, with the schedule of μ of PyTorch and Keras.
/// ```
/// use mapsto_nn::optim::NAdam;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
/// NAdam::new(0.1).betas(0.5, 0.999).momentum_decay(0.0).step(&mut w, grads);
/// assert_close!(w.weight, [[1.0 - 0.1 * (1.0 + 0.25 / (1.0 - 0.0625) * 0.5)]]); // μ = 0.25 at all times
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct NAdam {
    rule: NAdamRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct NAdamRule {
    beta1: f64,
    beta2: f64,
    eps: f64,
    momentum_decay: f64,
    decay: f64,
}

impl NAdam {
    /// With β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸ and ψ = 0.004; 2 · 10⁻³ is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> NAdam {
        NAdam {
            rule: NAdamRule { beta1: 0.9, beta2: 0.999, eps: 1e-8, momentum_decay: 4e-3, decay: 0.0 },
            memory: Memory::new(lr),
        }
    }

    /// The same with other β₁ and β₂.
    ///
    /// # Panics
    /// When one of them is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> NAdam {
        self.rule.beta1 = Bounds::SHARE.check("nadam", "beta1", beta1);
        self.rule.beta2 = Bounds::SHARE.check("nadam", "beta2", beta2);
        self
    }

    /// The same with another ε.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(mut self, eps: f64) -> NAdam {
        self.rule.eps = Bounds::ABOVE_0.check("nadam", "eps", eps);
        self
    }

    /// The same with another decay ψ of the momentum.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn momentum_decay(mut self, momentum_decay: f64) -> NAdam {
        self.rule.momentum_decay = Bounds::AT_LEAST_0.check("nadam", "momentum_decay", momentum_decay);
        self
    }

    /// The same with weight decay λ.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn decay(mut self, decay: f64) -> NAdam {
        self.rule.decay = Bounds::AT_LEAST_0.check("nadam", "decay", decay);
        self
    }
}

impl Rule for NAdamRule {
    const KERNEL: bool = false;

    fn slots(&self) -> &'static [&'static str] {
        &["m", "v", "product"]
    }

    fn slot_shape(&self) -> SlotShape {
        |slot, shape| if slot == 2 { vec![1; shape.len()] } else { shape.to_vec() }
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [m, v, product] = memory else { unreachable!("its slots were asked for") };
        let g = now.with_decay(self.decay, g, p);
        *m = &*m * self.beta1 + &g * (1.0 - self.beta1);
        *v = &*v * self.beta2 + g.square() * (1.0 - self.beta2);
        now.require_finite_squares(v);
        let mu = |t: u64| self.beta1 * (1.0 - 0.5 * 0.96f64.powf(t as f64 * self.momentum_decay));
        let (mu, next) = (mu(now.step), mu(now.step + 1));
        // Slots are zero at first, and a product begins at 1.
        *product = if now.step == 1 { &*product + mu } else { &*product * mu };
        let here = 1.0 - &*product;
        let ahead = 1.0 - &*product * next;
        let step = &*m * (next / ahead) + g * ((1.0 - mu) / here);
        p - step / ((&*v / now.begun(self.beta2)).sqrt() + self.eps) * now.lr
    }
}

impl Optimizer for NAdam {
    by_rule!("nadam");

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name)
            .with_value(self.memory.base())
            .with_option("beta1", self.rule.beta1)
            .with_option("beta2", self.rule.beta2)
            .with_option("eps", self.rule.eps)
            .with_option("momentum_decay", self.rule.momentum_decay)
            .with_option("decay", self.rule.decay);
        Some(self.memory.with_groups(entry))
    }
}

pub(super) const KIND: OptimizerKind =
    OptimizerKind::new("nadam", "Adam that looks one momentum step ahead (Dozat 2016).", |args, ()| {
        let mut opt = NAdam::new(lr(args, 2e-3)?);
        opt.rule.beta1 = Bounds::SHARE.option(args, "beta1", 0.9)?;
        opt.rule.beta2 = Bounds::SHARE.option(args, "beta2", 0.999)?;
        opt.rule.eps = Bounds::ABOVE_0.option(args, "eps", 1e-8)?;
        opt.rule.momentum_decay = Bounds::AT_LEAST_0.option(args, "momentum_decay", 4e-3)?;
        opt.rule.decay = Bounds::AT_LEAST_0.option(args, "decay", 0.0)?;
        Ok(Box::new(opt))
    })
    .options(&[
        ("", "the learning rate"),
        ("beta1", "how slowly the mean of the gradients changes"),
        ("beta2", "how slowly the mean of their squares changes"),
        ("eps", "what is added to a variance or a size before it is divided by"),
        ("momentum_decay", "how fast the momentum comes near beta1 at the beginning"),
        ("decay", "the weight decay"),
        GROUPS,
    ]);

#[cfg(test)]
mod tests {
    use super::super::check_rule;
    use crate::optim::*;

    #[test]
    fn it_follows_the_published_formula() {
        // The product of the momenta is known from the number of the step here.
        let mu = |t: i32| 0.8 * (1.0 - 0.5 * 0.96f64.powf(t as f64 * 0.1));
        let opt = || NAdam::new(0.1).betas(0.8, 0.95).eps(1e-3).momentum_decay(0.1).decay(0.2);
        check_rule(opt).follows(|t, p, g, [m, v]| {
            let g = g + 0.2 * p;
            *m = 0.8 * *m + 0.2 * g;
            *v = 0.95 * *v + 0.05 * g * g;
            let product: f64 = (1..=t).map(mu).product();
            let ahead = mu(t + 1) / (1.0 - product * mu(t + 1)) * *m;
            let step = ahead + (1.0 - mu(t)) / (1.0 - product) * g;
            p - 0.1 * step / ((*v / (1.0 - 0.95f64.powi(t))).sqrt() + 1e-3)
        });
    }
}

//! Adamax: Adam in units of the gradient's largest recent size instead of its typical one.

use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Update, lr};
use crate::Module;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Grads, Tensor};

/// `m ← β₁ m + (1 − β₁) g`, `u ← max(β₂ u, |g| + ε)`, `p ← p − lr / (1 − β₁ᵗ) · m / u`.
///
/// β₁ is 0.9, β₂ 0.999 and ε 10⁻⁸. Weight decay adds `λ p` to `g`.
///
/// PyTorch: `optim.Adamax`; Keras: `Adamax`.
///
/// Source: Kingma, Ba (2015), Adam, arXiv:1412.6980, algorithm 2, with ε inside the maximum as in PyTorch.
/// ```
/// use mapsto_nn::optim::Adamax;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
/// Adamax::new(0.1).step(&mut w, grads);
/// assert_close!(w.weight, [[0.9]]); // the first step is lr, whatever the gradient's size
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Adamax {
    rule: AdamaxRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct AdamaxRule {
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: f64,
}

impl Adamax {
    /// With β₁ = 0.9, β₂ = 0.999 and ε = 10⁻⁸; 2 · 10⁻³ is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> Adamax {
        Adamax {
            rule: AdamaxRule { beta1: 0.9, beta2: 0.999, eps: 1e-8, decay: 0.0 },
            memory: Memory::new(lr),
        }
    }

    /// The same with other β₁ and β₂.
    ///
    /// # Panics
    /// When one of them is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Adamax {
        self.rule.beta1 = Bounds::SHARE.check("adamax", "beta1", beta1);
        self.rule.beta2 = Bounds::SHARE.check("adamax", "beta2", beta2);
        self
    }

    /// The same with another ε.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Adamax {
        self.rule.eps = Bounds::ABOVE_0.check("adamax", "eps", eps);
        self
    }

    /// The same with weight decay λ.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn decay(mut self, decay: f64) -> Adamax {
        self.rule.decay = Bounds::AT_LEAST_0.check("adamax", "decay", decay);
        self
    }
}

impl Rule for AdamaxRule {
    const KERNEL: bool = false;

    fn slots(&self) -> &'static [&'static str] {
        &["m", "u"]
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [m, u] = memory else { unreachable!("its slots were asked for") };
        let g = now.with_decay(self.decay, g, p);
        *m = &*m * self.beta1 + &g * (1.0 - self.beta1);
        *u = (&*u * self.beta2).maximum(g.abs() + self.eps);
        p - &*m / &*u * (now.lr / now.begun(self.beta1))
    }
}

impl Optimizer for Adamax {
    by_rule!("adamax");

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

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "adamax",
    "Adam in units of the gradient's largest recent size (Kingma, Ba 2015).",
    |args, ()| {
        let mut opt = Adamax::new(lr(args, 2e-3)?);
        opt.rule.beta1 = Bounds::SHARE.option(args, "beta1", 0.9)?;
        opt.rule.beta2 = Bounds::SHARE.option(args, "beta2", 0.999)?;
        opt.rule.eps = Bounds::ABOVE_0.option(args, "eps", 1e-8)?;
        opt.rule.decay = Bounds::AT_LEAST_0.option(args, "decay", 0.0)?;
        Ok(Box::new(opt))
    },
)
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
        check_rule(|| Adamax::new(0.1).betas(0.8, 0.95).eps(1e-3).decay(0.2)).follows(|t, p, g, [m, u]| {
            let g = g + 0.2 * p;
            *m = 0.8 * *m + 0.2 * g;
            *u = (0.95 * *u).max(g.abs() + 1e-3);
            p - 0.1 / (1.0 - 0.8f64.powi(t)) * *m / *u
        });
    }
}

//! Adamax: Adam in units of the gradient's largest recent size instead of its typical one.

use super::setting::{BETA1, BETA2, DECAY, EPS, Held, LR, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Scalar, Update, lr, numbers, slots};
use crate::Module;
use mapsto_kernels::optim::update;
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

    settings!(betas, eps, decay);
}

impl AdamaxRule {
    /// In the order in which an entry says them.
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![
            BETA1.at(&mut self.beta1),
            BETA2.at(&mut self.beta2),
            EPS.at(&mut self.eps),
            DECAY.at(&mut self.decay),
        ]
    }
}

impl Rule for AdamaxRule {
    fn slots(&self) -> &'static [&'static str] {
        &["m", "u"]
    }

    fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], memory: &mut [Tensor]) {
        let [m, u] = slots::<T, _>(memory);
        let decay = now.decay.unwrap_or(self.decay);
        let [lr, beta1, beta2] = numbers::<T, _>([now.lr / now.begun(self.beta1), self.beta1, self.beta2]);
        let [fresh, eps, decay] = numbers::<T, _>([1.0 - self.beta1, self.eps, decay]);
        let finite = update(
            g,
            [p, m, u],
            #[inline(always)]
            |g, [p, m, u]| {
                let g = g + decay * p;
                let (m, u) = (beta1 * m + fresh * g, (beta2 * u).max(g.abs() + eps));
                [p - lr * (m / u), m, u]
            },
        );
        now.require_finite(finite, g);
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
}

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "adamax",
    "Adam in units of the gradient's largest recent size (Kingma, Ba 2015).",
    |args, ()| {
        let mut opt = Adamax::new(lr(args, 2e-3)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, BETA1.told(), BETA2.told(), EPS.told(), DECAY.told(), GROUPS]);

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

//! Adam: each element steps by its mean gradient in units of the gradient's typical size.

use super::setting::{AMSGRAD, BETA1, BETA2, DECAY, EPS, Held, LR, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Scalar, Update, lr};
use crate::Module;
use mapsto_kernels::optim::{self, Decay};
use mapsto_tensor::{Grads, Tensor};

/// `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, `p ← p − lr m̂ / (√v̂ + ε)`, with `m̂ = m / (1 − β₁ᵗ)` and
/// `v̂ = v / (1 − β₂ᵗ)`.
///
/// β₁ is 0.9, β₂ 0.999 and ε 10⁻⁸. Weight decay adds `λ p` to `g`; [`AdamW`](super::AdamW)'s is usually better.
///
/// PyTorch: `optim.Adam`, with `betas`, `weight_decay` and `amsgrad`; Keras: `Adam`.
///
/// Source: Kingma, Ba (2015), Adam, arXiv:1412.6980, algorithm 1.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
/// Adam::new(0.1).step(&mut w, grads);
/// assert_close!(w.weight, [[0.9]]); // the first step is lr, whatever the gradient's size
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Adam {
    rule: AdamRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct AdamRule {
    pub(super) beta1: f64,
    pub(super) beta2: f64,
    pub(super) eps: f64,
    pub(super) decay: f64,
    pub(super) amsgrad: bool,
    /// How the decay enters: through the gradient or beside it.
    pub(super) form: fn(f64) -> Decay,
}

impl Adam {
    /// With β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸; 10⁻³ is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> Adam {
        let rule =
            AdamRule { beta1: 0.9, beta2: 0.999, eps: 1e-8, decay: 0.0, amsgrad: false, form: Decay::L2 };
        Adam { rule, memory: Memory::new(lr) }
    }

    /// The same in units of the largest typical size so far, `√max v̂` (Reddi, Kale, Kumar 2018, On the convergence of Adam and
    /// beyond, arXiv:1904.09237).
    #[must_use]
    pub fn amsgrad(mut self) -> Adam {
        self.rule.amsgrad = true;
        self
    }

    settings!(betas, eps, decay);
}

impl AdamRule {
    /// In the order in which an entry says them.
    pub(super) fn settings(&mut self) -> Vec<Held<'_>> {
        vec![
            BETA1.at(&mut self.beta1),
            BETA2.at(&mut self.beta2),
            EPS.at(&mut self.eps),
            DECAY.at(&mut self.decay),
            Held::Flag(AMSGRAD, &mut self.amsgrad),
        ]
    }
}

impl Rule for AdamRule {
    fn slots(&self) -> &'static [&'static str] {
        if self.amsgrad { &["m", "v", "most"] } else { &["m", "v"] }
    }

    fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], memory: &mut [Tensor]) {
        let [m, v, most @ ..] = memory else { unreachable!("two slots were asked for") };
        let decay = (self.form)(now.decay.unwrap_or(self.decay));
        let rule = optim::Adam {
            lr: now.lr,
            beta1: self.beta1,
            beta2: self.beta2,
            eps: self.eps,
            step: now.step,
            decay,
        };
        let (m, v) = (m.as_mut_slice::<T>(), v.as_mut_slice::<T>());
        let finite = match most.first_mut() {
            Some(most) => optim::amsgrad(&rule, p, g, m, v, most.as_mut_slice::<T>()),
            None => optim::adam(&rule, p, g, m, v),
        };
        now.require_finite(finite, g);
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [m, v, most @ ..] = memory else { unreachable!("two slots were asked for") };
        let (g, p) = match (self.form)(now.decay.unwrap_or(self.decay)) {
            Decay::None => (g.clone(), p.clone()),
            Decay::L2(decay) => (g + p * decay, p.clone()),
            Decay::Decoupled(decay) => (g.clone(), p * (1.0 - now.lr * decay)),
        };
        *m = &*m * self.beta1 + &g * (1.0 - self.beta1);
        *v = &*v * self.beta2 + g.square() * (1.0 - self.beta2);
        let squares = match most.first_mut() {
            Some(most) => {
                *most = most.maximum(&*v);
                &*most
            }
            None => &*v,
        };
        let step = &*m * (now.lr / now.begun(self.beta1));
        p - step / ((squares / now.begun(self.beta2)).sqrt() + self.eps)
    }
}

impl Optimizer for Adam {
    by_rule!("adam");
}

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "adam",
    "Steps in units of the gradient's typical size (Kingma, Ba 2015).",
    |args, ()| {
        let mut opt = Adam::new(lr(args, 1e-3)?);
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
    fn adam() {
        let definition = |decay: f64| {
            move |t: i32, p: f64, g: f64, [m, v]: &mut [f64; 2]| {
                let g = g + decay * p;
                *m = 0.8 * *m + 0.2 * g;
                *v = 0.95 * *v + 0.05 * g * g;
                let (m, v) = (*m / (1.0 - 0.8f64.powi(t)), *v / (1.0 - 0.95f64.powi(t)));
                p - 0.1 * m / (v.sqrt() + 1e-3)
            }
        };
        check_rule(|| Adam::new(0.1).betas(0.8, 0.95).eps(1e-3)).follows(definition(0.0));
        check_rule(|| Adam::new(0.1).betas(0.8, 0.95).eps(1e-3).decay(0.2)).follows(definition(0.2));
        // What is the largest in all steps so far depends on three numbers; without a mean two of them are left.
        check_rule(|| Adam::new(0.1).betas(0.0, 0.5).eps(1e-3).amsgrad()).follows(|t, p, g, [v, most]| {
            *v = 0.5 * *v + 0.5 * g * g;
            *most = most.max(*v);
            p - 0.1 * g / ((*most / (1.0 - 0.5f64.powi(t))).sqrt() + 1e-3)
        });
    }
}

//! Stochastic gradient descent, plain, with momentum, or looking ahead.

use super::setting::{DECAY, Held, LR, MOMENTUM, Setting, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Scalar, Update, lr};
use crate::Module;
use mapsto_kernels::optim::{self, Decay, Momentum};
use mapsto_spec::Bounds;
use mapsto_tensor::{Grads, Tensor};

/// Gradient descent: `p ← p − lr g`; with momentum `b ← μ b + g`, `p ← p − lr b`; with Nesterov's `p ← p − lr (g + μ b)`.
///
/// Weight decay adds `λ p` to `g`.
///
/// PyTorch: `optim.SGD`, with `dampening`, `nesterov` and `weight_decay`; Keras: `SGD`.
///
/// Sources: Robbins, Monro (1951); Polyak (1964), Some methods of speeding up the convergence of iteration methods;
/// Sutskever, Martens, Dahl, Hinton (2013), On the importance of initialization and momentum, in PyTorch's form.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let mut opt = Sgd::new(0.1).momentum(0.9);
/// for expected in [0.9, 0.71] {
///     let grads = train(|| w.forward(&tensor![[1.0]]).sum(..)).backward(); // the gradient is 1
///     opt.step(&mut w, grads);
///     assert_close!(w.weight, [[expected]]);
/// }
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Sgd {
    rule: SgdRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct SgdRule {
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    decay: f64,
}

impl Sgd {
    /// Plain gradient descent.
    #[track_caller]
    pub fn new(lr: f64) -> Sgd {
        let rule = SgdRule { momentum: 0.0, dampening: 0.0, nesterov: false, decay: 0.0 };
        Sgd { rule, memory: Memory::new(lr) }
    }

    /// The same leaving this share τ of a gradient out of the momentum: `b ← μ b + (1 − τ) g`, but all of the first one, as in
    /// PyTorch; without momentum it changes nothing.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    #[must_use]
    pub fn dampening(mut self, dampening: f64) -> Sgd {
        self.rule.dampening = DAMPENING.check(KIND.name, dampening);
        self
    }

    /// The same looking one momentum step ahead; without momentum it changes nothing.
    #[must_use]
    pub fn nesterov(mut self) -> Sgd {
        self.rule.nesterov = true;
        self
    }

    settings!(momentum, decay);
}

impl SgdRule {
    /// In the order in which an entry says them.
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![
            MOMENTUM.at(&mut self.momentum),
            DAMPENING.at(&mut self.dampening),
            Held::Flag(NESTEROV, &mut self.nesterov),
            DECAY.at(&mut self.decay),
        ]
    }

    /// The share of this step's gradient that is left out.
    fn damped(&self, now: &Update) -> f64 {
        if now.step == 1 { 0.0 } else { self.dampening }
    }
}

impl Rule for SgdRule {
    fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum"] }
    }

    fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], memory: &mut [Tensor]) {
        let decay = Decay::L2(now.decay.unwrap_or(self.decay));
        let (momentum, dampening) = (self.momentum, self.damped(now));
        let kind = if self.nesterov { Momentum::Nesterov } else { Momentum::Classical };
        let rule = optim::Sgd { lr: now.lr, momentum, dampening, kind, decay };
        let finite = optim::sgd(&rule, p, g, memory.first_mut().map(|b| b.as_mut_slice::<T>()));
        now.require_finite(finite, g);
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let g = g + p * now.decay.unwrap_or(self.decay);
        let Some(b) = memory.first_mut() else { return p - g * now.lr };
        *b = &*b * self.momentum + &g * (1.0 - self.damped(now));
        match self.nesterov {
            false => p - &*b * now.lr,
            true => p - (g + &*b * self.momentum) * now.lr,
        }
    }
}

impl Optimizer for Sgd {
    by_rule!("sgd");
}

const DAMPENING: Setting =
    Setting::new("dampening", Bounds::UP_TO_1, "the share of a gradient that is left out of the momentum");
const NESTEROV: (&str, &str) = ("nesterov", "whether the gradient is looked at after the momentum");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "sgd",
    "Gradient descent, with `momentum`, `nesterov` and weight `decay` as wished.",
    |args, ()| {
        let mut opt = Sgd::new(lr(args, 0.01)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, MOMENTUM.told(), DAMPENING.told(), NESTEROV, DECAY.told(), GROUPS]);

#[cfg(test)]
mod tests {
    use super::super::check_rule;
    use crate::prelude::*;

    #[test]
    fn sgd() {
        check_rule(|| Sgd::new(0.1)).follows(|_, p, g, _| p - 0.1 * g);
        check_rule(|| Sgd::new(0.1).decay(0.3)).follows(|_, p, g, _| p - 0.1 * (g + 0.3 * p));
        check_rule(|| Sgd::new(0.1).momentum(0.8).decay(0.3)).follows(|_, p, g, [b, _]| {
            *b = 0.8 * *b + g + 0.3 * p;
            p - 0.1 * *b
        });
        check_rule(|| Sgd::new(0.1).momentum(0.8).dampening(0.25)).follows(|t, p, g, [b, _]| {
            *b = if t == 1 { g } else { 0.8 * *b + 0.75 * g };
            p - 0.1 * *b
        });
        check_rule(|| Sgd::new(0.1).momentum(0.8).nesterov()).follows(|_, p, g, [b, _]| {
            *b = 0.8 * *b + g;
            p - 0.1 * (g + 0.8 * *b)
        });
    }
}

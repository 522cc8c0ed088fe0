//! Adagrad: each element steps by its gradient in units of all its gradients so far.

use super::setting::{DECAY, EPS, Held, LR, Setting, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Scalar, Update, lr, numbers, slots};
use crate::Module;
use mapsto_kernels::optim::{self, Decay};
use mapsto_spec::Bounds;
use mapsto_tensor::{Grads, Tensor};

/// `s ← s + g²`, `p ← p − lr g / (√s + ε)`.
///
/// ε is 10⁻¹⁰. Weight decay adds `λ p` to `g`; with a learning-rate decay δ the rate of step t is `lr / (1 + (t − 1) δ)`.
///
/// PyTorch: `optim.Adagrad`, with `initial_accumulator_value` for `initial`; Keras: `Adagrad`, which begins at 0.1.
///
/// Source: Duchi, Hazan, Singer (2011), Adaptive subgradient methods, JMLR 12.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let mut opt = Adagrad::new(0.1);
/// for expected in [0.9, 0.9 - 0.1 / 2f64.sqrt()] {
///     let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
///     opt.step(&mut w, grads);
///     assert_close!(w.weight, [[expected]]);
/// }
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Adagrad {
    rule: AdagradRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct AdagradRule {
    eps: f64,
    lr_decay: f64,
    decay: f64,
    initial: f64,
}

impl Adagrad {
    /// With ε = 10⁻¹⁰; 10⁻² is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> Adagrad {
        Adagrad {
            rule: AdagradRule { eps: 1e-10, lr_decay: 0.0, decay: 0.0, initial: 0.0 },
            memory: Memory::new(lr),
        }
    }

    /// The same with a learning rate that falls as `1 / (1 + (t − 1) δ)`.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn lr_decay(mut self, lr_decay: f64) -> Adagrad {
        self.rule.lr_decay = LR_DECAY.check(KIND.name, lr_decay);
        self
    }

    /// The same whose sum of squares begins at this number, so that the first steps are shorter.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn initial(mut self, initial: f64) -> Adagrad {
        self.rule.initial = INITIAL.check(KIND.name, initial);
        self
    }

    settings!(eps, decay);
}

impl AdagradRule {
    /// In the order in which an entry says them.
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![
            EPS.at(&mut self.eps),
            LR_DECAY.at(&mut self.lr_decay),
            DECAY.at(&mut self.decay),
            INITIAL.at(&mut self.initial),
        ]
    }
}

impl Rule for AdagradRule {
    fn slots(&self) -> &'static [&'static str] {
        &["sum"]
    }

    fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], memory: &mut [Tensor]) {
        let decay = Decay::L2(now.decay.unwrap_or(self.decay));
        let rule =
            optim::Adagrad { lr: now.lr, lr_decay: self.lr_decay, step: now.step, eps: self.eps, decay };
        let [sum] = slots::<T, _>(memory);
        if now.step == 1 {
            sum.fill(numbers::<T, _>([self.initial])[0]);
        }
        let finite = optim::adagrad(&rule, p, g, sum);
        now.require_finite(finite, g);
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let (g, sum) = (g + p * now.decay.unwrap_or(self.decay), &mut memory[0]);
        let before = if now.step == 1 { &*sum + self.initial } else { sum.clone() };
        *sum = before + g.square();
        let lr = now.lr / (1.0 + (now.step - 1) as f64 * self.lr_decay);
        p - g * lr / (sum.sqrt() + self.eps)
    }
}

impl Optimizer for Adagrad {
    by_rule!("adagrad");
}

const LR_DECAY: Setting =
    Setting::new("lr_decay", Bounds::AT_LEAST_0, "how fast the learning rate falls with the number of steps");
const INITIAL: Setting = Setting::new("initial", Bounds::AT_LEAST_0, "what the sum of squares begins at");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "adagrad",
    "Steps in units of all gradients so far (Duchi et al. 2011).",
    |args, ()| {
        let mut opt = Adagrad::new(lr(args, 1e-2)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, EPS.told(), LR_DECAY.told(), DECAY.told(), INITIAL.told(), GROUPS]);

#[cfg(test)]
mod tests {
    use super::super::check_rule;
    use crate::prelude::*;

    #[test]
    fn adagrad() {
        check_rule(|| Adagrad::new(0.1).eps(1e-3).lr_decay(0.5).decay(0.2)).follows(|t, p, g, [s, _]| {
            let g = g + 0.2 * p;
            *s += g * g;
            p - 0.1 / (1.0 + (t - 1) as f64 * 0.5) * g / (s.sqrt() + 1e-3)
        });
    }
}

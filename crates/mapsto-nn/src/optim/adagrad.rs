//! Adagrad: each element steps by its gradient in units of all its gradients so far.

use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Scalar, Update, lr};
use crate::Module;
use mapsto_kernels::optim::{self, Decay};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Grads, Tensor};

/// `s ← s + g²`, `p ← p − lr g / (√s + ε)`.
///
/// ε is 10⁻¹⁰. Weight decay adds `λ p` to `g`; with a learning-rate decay δ the rate of step t is `lr / (1 + (t − 1) δ)`.
///
/// PyTorch: `optim.Adagrad`; Keras: `Adagrad`.
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
}

impl Adagrad {
    /// With ε = 10⁻¹⁰; 10⁻² is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> Adagrad {
        Adagrad { rule: AdagradRule { eps: 1e-10, lr_decay: 0.0, decay: 0.0 }, memory: Memory::new(lr) }
    }

    /// The same with another ε.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Adagrad {
        self.rule.eps = Bounds::ABOVE_0.check("adagrad", "eps", eps);
        self
    }

    /// The same with a learning rate that falls as `1 / (1 + (t − 1) δ)`.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn lr_decay(mut self, lr_decay: f64) -> Adagrad {
        self.rule.lr_decay = Bounds::AT_LEAST_0.check("adagrad", "lr_decay", lr_decay);
        self
    }

    /// The same with weight decay λ.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn decay(mut self, decay: f64) -> Adagrad {
        self.rule.decay = Bounds::AT_LEAST_0.check("adagrad", "decay", decay);
        self
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
        let finite = optim::adagrad(&rule, p, g, memory[0].as_mut_slice::<T>());
        now.require_finite(finite);
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let (g, sum) = (g + p * now.decay.unwrap_or(self.decay), &mut memory[0]);
        *sum = &*sum + g.square();
        let lr = now.lr / (1.0 + (now.step - 1) as f64 * self.lr_decay);
        p - g * lr / (sum.sqrt() + self.eps)
    }
}

impl Optimizer for Adagrad {
    by_rule!("adagrad");

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name)
            .with_value(self.memory.base())
            .with_option("eps", self.rule.eps)
            .with_option("lr_decay", self.rule.lr_decay)
            .with_option("decay", self.rule.decay);
        Some(self.memory.with_groups(entry))
    }
}

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "adagrad",
    "Steps in units of all gradients so far (Duchi et al. 2011).",
    |args, ()| {
        let opt = Adagrad::new(lr(args, 1e-2)?).eps(Bounds::ABOVE_0.option(args, "eps", 1e-10)?);
        Ok(Box::new(
            opt.lr_decay(Bounds::AT_LEAST_0.option(args, "lr_decay", 0.0)?)
                .decay(Bounds::AT_LEAST_0.option(args, "decay", 0.0)?),
        ))
    },
)
.options(&[
    ("", "the learning rate"),
    ("eps", "what is added to a variance or a size before it is divided by"),
    ("lr_decay", "how fast the learning rate falls with the number of steps"),
    ("decay", "the weight decay"),
    GROUPS,
]);

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

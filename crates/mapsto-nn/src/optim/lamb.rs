//! LAMB: Adam whose step is, for each parameter as a whole, in proportion to the parameter's size.

use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Update, lr, norm};
use crate::Module;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Grads, Tensor};

/// `r = m̂ / (√v̂ + ε) + λ p` with Adam's `m̂` and `v̂`, and `p ← p − lr ‖p‖ / ‖r‖ · r`; where one of both norms is 0, `p ← p − lr r`.
///
/// β₁ is 0.9, β₂ 0.999, ε 10⁻⁶ and λ 0.01.
///
/// PyTorch has none; Keras: `Lamb`.
///
/// Source: You, Li, Reddi, et al. (2020), Large batch optimization for deep learning: training BERT in 76 minutes,
/// arXiv:1904.00962, algorithm 2, with φ the identity.
/// ```
/// use mapsto_nn::optim::Lamb;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[4.0]])?;
/// let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
/// Lamb::new(0.1).step(&mut w, grads);
/// assert_close!(w.weight, [[4.0 - 0.1 * 4.0]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Lamb {
    rule: LambRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct LambRule {
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: f64,
}

impl Lamb {
    /// With β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁶ and decay 0.01; 10⁻³ is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> Lamb {
        Lamb { rule: LambRule { beta1: 0.9, beta2: 0.999, eps: 1e-6, decay: 0.01 }, memory: Memory::new(lr) }
    }

    /// The same with other β₁ and β₂.
    ///
    /// # Panics
    /// When one of them is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Lamb {
        self.rule.beta1 = Bounds::SHARE.check("lamb", "beta1", beta1);
        self.rule.beta2 = Bounds::SHARE.check("lamb", "beta2", beta2);
        self
    }

    /// The same with another ε.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Lamb {
        self.rule.eps = Bounds::ABOVE_0.check("lamb", "eps", eps);
        self
    }

    /// The same with weight decay λ.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn decay(mut self, decay: f64) -> Lamb {
        self.rule.decay = Bounds::AT_LEAST_0.check("lamb", "decay", decay);
        self
    }
}

impl Rule for LambRule {
    const KERNEL: bool = false;

    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [m, v] = memory else { unreachable!("its slots were asked for") };
        *m = &*m * self.beta1 + g * (1.0 - self.beta1);
        *v = &*v * self.beta2 + g.square() * (1.0 - self.beta2);
        now.require_finite_squares(v);
        let mean = &*m / now.begun(self.beta1);
        let step = mean / ((&*v / now.begun(self.beta2)).sqrt() + self.eps);
        let step = now.with_decay(self.decay, &step, p);
        let (size, length) = (norm(p), norm(&step));
        if size == 0.0 || length == 0.0 {
            return p - step * now.lr;
        }
        p - step / length * (now.lr * size)
    }
}

impl Optimizer for Lamb {
    by_rule!("lamb");

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
    "lamb",
    "Adam with steps in proportion to each parameter's size, for large batches (You et al. 2020).",
    |args, ()| {
        let mut opt = Lamb::new(lr(args, 1e-3)?);
        opt.rule.beta1 = Bounds::SHARE.option(args, "beta1", 0.9)?;
        opt.rule.beta2 = Bounds::SHARE.option(args, "beta2", 0.999)?;
        opt.rule.eps = Bounds::ABOVE_0.option(args, "eps", 1e-6)?;
        opt.rule.decay = Bounds::AT_LEAST_0.option(args, "decay", 0.01)?;
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
    use crate::optim::*;
    use crate::prelude::*;

    #[test]
    fn a_parameter_of_zeros_steps_as_in_adam() {
        let mut net = Linear::new(2, 1).no_bias();
        net.weight.set(&tensor![[0.0, 0.0]]).unwrap();
        let grads = train(|| net.forward(&tensor![[2.0, -3.0]]).sum(..)).backward();
        Lamb::new(0.1).step(&mut net, grads);
        assert_close!(net.weight, [[-0.1, 0.1]]);
    }
}

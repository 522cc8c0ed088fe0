//! LAMB: Adam whose step is, for each parameter as a whole, in proportion to the parameter's size.

use super::setting::{BETA1, BETA2, DECAY, EPS, Held, LR, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Update, lr, norm};
use crate::Module;
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

    settings!(betas, eps, decay);
}

impl LambRule {
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
}

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "lamb",
    "Adam with steps in proportion to each parameter's size, for large batches (You et al. 2020).",
    |args, ()| {
        let mut opt = Lamb::new(lr(args, 1e-3)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, BETA1.told(), BETA2.told(), EPS.told(), DECAY.told(), GROUPS]);

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

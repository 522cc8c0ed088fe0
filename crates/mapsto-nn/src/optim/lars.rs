//! LARS: momentum whose steps are, for each parameter as a whole, in proportion to the parameter's size.

use super::setting::{DECAY, Held, LR, MOMENTUM, Setting, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Update, lr, norm};
use crate::Module;
use mapsto_spec::Bounds;
use mapsto_tensor::{Grads, Tensor};

/// `b ← μ b + lr η ‖p‖ / (‖g‖ + λ ‖p‖) · (g + λ p)`, `p ← p − b`; where `‖p‖` or `‖g‖` is 0, the factor `η ‖p‖ / ..` is 1.
///
/// μ is 0.9, η, the trust in a layer, 0.001 and λ 0.
///
/// PyTorch and Keras have none.
///
/// Source: You, Gitman, Ginsburg (2017), Large batch training of convolutional networks, arXiv:1708.03888, algorithm 1.
/// ```
/// use mapsto_nn::optim::Lars;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[4.0]])?;
/// let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
/// Lars::new(10.0).step(&mut w, grads);
/// assert_close!(w.weight, [[4.0 - 10.0 * 1e-3 * 4.0]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Lars {
    rule: LarsRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct LarsRule {
    momentum: f64,
    trust: f64,
    decay: f64,
}

impl Lars {
    /// With μ = 0.9, η = 0.001 and no decay; a usual learning rate is 1 and more.
    #[track_caller]
    pub fn new(lr: f64) -> Lars {
        Lars { rule: LarsRule { momentum: 0.9, trust: 1e-3, decay: 0.0 }, memory: Memory::new(lr) }
    }

    /// The same with another trust η.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn trust(mut self, trust: f64) -> Lars {
        self.rule.trust = TRUST.check(KIND.name, trust);
        self
    }

    settings!(momentum, decay);
}

impl LarsRule {
    /// In the order in which an entry says them.
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![MOMENTUM.at(&mut self.momentum), TRUST.at(&mut self.trust), DECAY.at(&mut self.decay)]
    }
}

impl Rule for LarsRule {
    const KERNEL: bool = false;

    fn slots(&self) -> &'static [&'static str] {
        &["momentum"]
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [momentum] = memory else { unreachable!("its slots were asked for") };
        let decay = now.decay.unwrap_or(self.decay);
        let (size, slope) = (norm(p), norm(g));
        let step = now.with_decay(decay, g, p);
        let step = match size > 0.0 && slope > 0.0 {
            true => step / (slope + decay * size) * (now.lr * self.trust * size),
            false => step * now.lr,
        };
        *momentum = &*momentum * self.momentum + step;
        p - &*momentum
    }
}

impl Optimizer for Lars {
    by_rule!("lars");
}

const TRUST: Setting = Setting::new(
    "trust",
    Bounds::ABOVE_0,
    "the length of a step in units of the parameter's, at a learning rate of 1",
);

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "lars",
    "Momentum with steps in proportion to each parameter's size, for large batches (You et al. 2017).",
    |args, ()| {
        let mut opt = Lars::new(lr(args, 1.0)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, MOMENTUM.told(), TRUST.told(), DECAY.told(), GROUPS]);

#[cfg(test)]
mod tests {
    use crate::optim::*;
    use crate::prelude::*;

    #[test]
    fn the_size_of_a_gradient_does_not_matter() {
        let step = |size: f64| {
            let mut net = Linear::new(2, 1).no_bias();
            net.weight.set(&tensor![[3.0, 4.0]]).unwrap();
            let grads = train(|| net.forward(&tensor![[size, 0.0]]).sum(..)).backward();
            Lars::new(1.0).trust(0.1).step(&mut net, grads);
            net.weight.to_vec::<f32>()
        };
        assert_close!(Tensor::from_vec(step(1e-20), 2), [2.5, 4.0]);
        assert_close!(Tensor::from_vec(step(1e20), 2), [2.5, 4.0]);
    }
}

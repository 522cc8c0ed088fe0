//! RMSprop: each element steps by its gradient in units of the gradient's recent size.

use super::setting::{DECAY, EPS, Held, LR, MOMENTUM, Setting, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Scalar, Update, lr};
use crate::Module;
use mapsto_kernels::optim::{self, Decay};
use mapsto_spec::Bounds;
use mapsto_tensor::{Grads, Tensor};

/// `v ← α v + (1 − α) g²`, `p ← p − lr g / (√v + ε)`; with momentum `b ← μ b + g / (√v + ε)`, `p ← p − lr b`.
///
/// α is 0.99 and ε 10⁻⁸. Weight decay adds `λ p` to `g`.
///
/// PyTorch: `optim.RMSprop`, with `centered`; Keras: `RMSprop`, whose α is called `rho`.
///
/// Source: Tieleman, Hinton (2012), lecture 6.5 of Neural networks for machine learning.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
/// RmsProp::new(0.1).alpha(0.75).step(&mut w, grads);
/// assert_close!(w.weight, [[0.8]]); // the root of 0.25 · g² is g/2
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct RmsProp {
    rule: RmsPropRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct RmsPropRule {
    alpha: f64,
    eps: f64,
    momentum: f64,
    centred: bool,
    decay: f64,
}

impl RmsProp {
    /// With α = 0.99 and ε = 10⁻⁸, without momentum; 10⁻² is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> RmsProp {
        let rule = RmsPropRule { alpha: 0.99, eps: 1e-8, momentum: 0.0, centred: false, decay: 0.0 };
        RmsProp { rule, memory: Memory::new(lr) }
    }

    /// The same keeping another share of the running mean.
    ///
    /// # Panics
    /// When it is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> RmsProp {
        self.rule.alpha = ALPHA.check(KIND.name, alpha);
        self
    }

    /// The same in units of the gradient's deviation from its mean: `a ← α a + (1 − α) g`, and `√(v − a²)` in place of `√v`
    /// (Graves 2013, arXiv:1308.0850, equations 38 to 45).
    #[must_use]
    pub fn centred(mut self) -> RmsProp {
        self.rule.centred = true;
        self
    }

    settings!(eps, momentum, decay);
}

impl RmsPropRule {
    /// In the order in which an entry says them.
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![
            ALPHA.at(&mut self.alpha),
            EPS.at(&mut self.eps),
            MOMENTUM.at(&mut self.momentum),
            Held::Flag(CENTRED, &mut self.centred),
            DECAY.at(&mut self.decay),
        ]
    }
}

impl Rule for RmsPropRule {
    fn slots(&self) -> &'static [&'static str] {
        match (self.centred, self.momentum == 0.0) {
            (false, true) => &["v"],
            (false, false) => &["v", "momentum"],
            (true, true) => &["v", "mean"],
            (true, false) => &["v", "mean", "momentum"],
        }
    }

    fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], memory: &mut [Tensor]) {
        let [v, others @ ..] = memory else { unreachable!("a slot was asked for") };
        let (mean, sum) = others.split_at_mut(usize::from(self.centred));
        let decay = Decay::L2(now.decay.unwrap_or(self.decay));
        let rule =
            optim::RmsProp { lr: now.lr, alpha: self.alpha, eps: self.eps, momentum: self.momentum, decay };
        let finite = optim::rmsprop(
            &rule,
            p,
            g,
            v.as_mut_slice::<T>(),
            mean.first_mut().map(|a| a.as_mut_slice::<T>()),
            sum.first_mut().map(|b| b.as_mut_slice::<T>()),
        );
        now.require_finite(finite, g);
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [v, others @ ..] = memory else { unreachable!("a slot was asked for") };
        let (mean, sum) = others.split_at_mut(usize::from(self.centred));
        let g = g + p * now.decay.unwrap_or(self.decay);
        *v = &*v * self.alpha + g.square() * (1.0 - self.alpha);
        let spread = match mean.first_mut() {
            Some(a) => {
                *a = &*a * self.alpha + &g * (1.0 - self.alpha);
                (&*v - a.square()).relu()
            }
            None => v.clone(),
        };
        let step = g / (spread.sqrt() + self.eps);
        let Some(b) = sum.first_mut() else { return p - step * now.lr };
        *b = &*b * self.momentum + step;
        p - &*b * now.lr
    }
}

impl Optimizer for RmsProp {
    by_rule!("rmsprop");
}

const ALPHA: Setting =
    Setting::new("alpha", Bounds::SHARE, "how slowly the mean of squared gradients changes");
const CENTRED: (&str, &str) = ("centred", "whether the size is taken from the gradient's own mean");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "rmsprop",
    "Steps in units of the gradient's recent size (Tieleman, Hinton 2012).",
    |args, ()| {
        let mut opt = RmsProp::new(lr(args, 1e-2)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, ALPHA.told(), EPS.told(), MOMENTUM.told(), CENTRED, DECAY.told(), GROUPS]);

#[cfg(test)]
mod tests {
    use super::super::check_rule;
    use crate::prelude::*;

    #[test]
    fn rmsprop() {
        check_rule(|| RmsProp::new(0.1).alpha(0.9).eps(1e-3).decay(0.2)).follows(|_, p, g, [v, _]| {
            let g = g + 0.2 * p;
            *v = 0.9 * *v + 0.1 * g * g;
            p - 0.1 * g / (v.sqrt() + 1e-3)
        });
        check_rule(|| RmsProp::new(0.1).alpha(0.9).eps(1e-3).centred()).follows(|_, p, g, [v, a]| {
            *v = 0.9 * *v + 0.1 * g * g;
            *a = 0.9 * *a + 0.1 * g;
            p - 0.1 * g / ((*v - *a * *a).max(0.0).sqrt() + 1e-3)
        });
        check_rule(|| RmsProp::new(0.1).alpha(0.9).eps(1e-3).momentum(0.8)).follows(|_, p, g, [v, b]| {
            *v = 0.9 * *v + 0.1 * g * g;
            *b = 0.8 * *b + g / (v.sqrt() + 1e-3);
            p - 0.1 * *b
        });
    }
}

//! Adadelta: each element steps by its gradient in units of its size, times the typical size of its own steps.

use super::setting::{DECAY, EPS, Held, LR, Setting, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Scalar, Update, lr, numbers, slots};
use crate::Module;
use mapsto_kernels::optim::update_watched;
use mapsto_spec::Bounds;
use mapsto_tensor::{Grads, Tensor};

/// `v ← ρ v + (1 − ρ) g²`, `d = √(u + ε) / √(v + ε) · g`, `u ← ρ u + (1 − ρ) d²`, `p ← p − lr d`.
///
/// ρ is 0.9 and ε 10⁻⁶. Steps find their own size, so that `lr` is a factor and 1 is usual. Weight decay adds `λ p` to `g`.
///
/// PyTorch: `optim.Adadelta`; Keras: `Adadelta`, whose ρ is 0.95, ε 10⁻⁷ and learning rate 0.001.
///
/// Source: Zeiler (2012), ADADELTA: an adaptive learning rate method, arXiv:1212.5701, algorithm 1.
/// ```
/// use mapsto_nn::optim::Adadelta;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let grads = train(|| w.forward(&tensor![[3.0]]).sum(..)).backward(); // d = √ε / √(0.1 · 9 + ε) · 3
/// Adadelta::new(1.0).step(&mut w, grads);
/// assert_close!(w.weight, [[1.0 - 1e-3 / 0.1f64.sqrt()]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Adadelta {
    rule: AdadeltaRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct AdadeltaRule {
    rho: f64,
    eps: f64,
    decay: f64,
}

impl Adadelta {
    /// With ρ = 0.9 and ε = 10⁻⁶; 1 is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> Adadelta {
        Adadelta { rule: AdadeltaRule { rho: 0.9, eps: 1e-6, decay: 0.0 }, memory: Memory::new(lr) }
    }

    /// The same keeping another share of the running means.
    ///
    /// # Panics
    /// When it is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn rho(mut self, rho: f64) -> Adadelta {
        self.rule.rho = RHO.check(KIND.name, rho);
        self
    }

    settings!(eps, decay);
}

impl AdadeltaRule {
    /// In the order in which an entry says them.
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![RHO.at(&mut self.rho), EPS.at(&mut self.eps), DECAY.at(&mut self.decay)]
    }
}

impl Rule for AdadeltaRule {
    fn slots(&self) -> &'static [&'static str] {
        &["v", "u"]
    }

    fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], memory: &mut [Tensor]) {
        let [v, u] = slots::<T, _>(memory);
        let decay = now.decay.unwrap_or(self.decay);
        let [lr, rho, fresh, eps, decay] =
            numbers::<T, _>([now.lr, self.rho, 1.0 - self.rho, self.eps, decay]);
        let finite = update_watched::<T, _, 1>(
            g,
            [p, v, u],
            #[inline(always)]
            |g, [p, v, u]| {
                let g = g + decay * p;
                let v = rho * v + fresh * (g * g);
                let d = (u + eps).sqrt() / (v + eps).sqrt() * g;
                [p - lr * d, v, rho * u + fresh * (d * d)]
            },
        );
        now.require_finite(finite, g);
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [v, u] = memory else { unreachable!("its slots were asked for") };
        let g = now.with_decay(self.decay, g, p);
        *v = &*v * self.rho + g.square() * (1.0 - self.rho);
        now.require_finite_squares(v);
        let d = (&*u + self.eps).sqrt() / (&*v + self.eps).sqrt() * g;
        *u = &*u * self.rho + d.square() * (1.0 - self.rho);
        p - d * now.lr
    }
}

impl Optimizer for Adadelta {
    by_rule!("adadelta");
}

const RHO: Setting = Setting::new("rho", Bounds::SHARE, "how slowly the means of squares change");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "adadelta",
    "Steps in units of the gradient's size and of its own steps (Zeiler 2012).",
    |args, ()| {
        let mut opt = Adadelta::new(lr(args, 1.0)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, RHO.told(), EPS.told(), DECAY.told(), GROUPS]);

#[cfg(test)]
mod tests {
    use super::super::check_rule;
    use crate::optim::*;

    #[test]
    fn it_follows_the_published_formula() {
        check_rule(|| Adadelta::new(0.5).rho(0.8).eps(1e-2).decay(0.2)).follows(|_, p, g, [v, u]| {
            let g = g + 0.2 * p;
            *v = 0.8 * *v + 0.2 * g * g;
            let d = (*u + 1e-2).sqrt() / (*v + 1e-2).sqrt() * g;
            *u = 0.8 * *u + 0.2 * d * d;
            p - 0.5 * d
        });
    }
}

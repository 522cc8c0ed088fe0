//! Rprop: each element has a step of its own, which grows while its gradient keeps its sign and shrinks where it turns.

use super::setting::{Held, LR, Setting, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Scalar, Update, lr, numbers, slots};
use crate::Module;
use mapsto_kernels::optim::update;
use mapsto_spec::Bounds;
use mapsto_tensor::{Grads, Tensor};

/// Where `g` has the sign of the last gradient, `s ← s · grow`; where it has the other one, `s ← s · shrink` and `g ← 0`; always within
/// `least..=most`. Then `p ← p − s sign(g)`.
///
/// The first step is the learning rate, which counts for nothing later: a schedule changes nothing. It is for gradients of all samples,
/// not of batches, whose signs are noise. Shrink is 0.5, grow 1.2, least 10⁻⁶ and most 50.
///
/// PyTorch: `optim.Rprop`, with `etas` and `step_sizes`; Keras has none.
///
/// Source: Riedmiller, Braun (1993), A direct adaptive method for faster backpropagation learning; without weight backtracking, as
/// in Igel, Hüsken (2000), Improving the Rprop learning algorithm, section 2.3, and in PyTorch.
/// ```
/// use mapsto_nn::optim::Rprop;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let mut opt = Rprop::new(0.1);
/// for expected in [0.9, 0.9 - 0.12] {
///     let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
///     opt.step(&mut w, grads);
///     assert_close!(w.weight, [[expected]]);
/// }
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Rprop {
    rule: RpropRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct RpropRule {
    shrink: f64,
    grow: f64,
    least: f64,
    most: f64,
}

impl Rprop {
    /// With steps of the learning rate at first; 10⁻² is usual.
    #[track_caller]
    pub fn new(lr: f64) -> Rprop {
        Rprop { rule: RpropRule { shrink: 0.5, grow: 1.2, least: 1e-6, most: 50.0 }, memory: Memory::new(lr) }
    }

    /// The same with another factor where the gradient turns.
    ///
    /// # Panics
    /// When it is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn shrink(mut self, shrink: f64) -> Rprop {
        self.rule.shrink = SHRINK.check(KIND.name, shrink);
        self
    }

    /// The same with another factor where the gradient keeps its sign.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn grow(mut self, grow: f64) -> Rprop {
        self.rule.grow = GROW.check(KIND.name, grow);
        self
    }

    /// The same with another smallest step.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn least(mut self, least: f64) -> Rprop {
        self.rule.least = LEAST.check(KIND.name, least);
        self
    }

    /// The same with another largest step.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn most(mut self, most: f64) -> Rprop {
        self.rule.most = MOST.check(KIND.name, most);
        self
    }
}

impl RpropRule {
    /// In the order in which an entry says them.
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![
            SHRINK.at(&mut self.shrink),
            GROW.at(&mut self.grow),
            LEAST.at(&mut self.least),
            MOST.at(&mut self.most),
        ]
    }
}

impl Rule for RpropRule {
    fn slots(&self) -> &'static [&'static str] {
        &["last", "size"]
    }

    fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], memory: &mut [Tensor]) {
        let [last, size] = slots::<T, _>(memory);
        let [shrink, grow, least, most, lr] =
            numbers::<T, _>([self.shrink, self.grow, self.least, self.most, now.lr]);
        if now.step == 1 {
            size.fill(lr);
        }
        let finite = update(
            g,
            [p, last, size],
            #[inline(always)]
            |g, [p, last, size]| {
                // The signs alone: the product of two gradients may be too small for a number.
                let agreement = g.sign() * last.sign();
                let turned = agreement.lt(T::ZERO);
                let factor = T::select(agreement.gt(T::ZERO), grow, T::select(turned, shrink, T::ONE));
                let size = (size * factor).max(least).min(most);
                let last = T::select(turned, T::ZERO, g);
                [p - last.sign() * size, last, size]
            },
        );
        now.require_finite(finite, g);
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [last, size] = memory else { unreachable!("its slots were asked for") };
        if now.step == 1 {
            *size = Tensor::full_like(size, now.lr);
        }
        let agreement = g.sign() * last.sign();
        let turned = agreement.lt(0.0);
        let factor = agreement.gt(0.0).choose(self.grow, turned.choose(self.shrink, Tensor::ones_like(g)));
        *size = (&*size * factor).maximum(self.least).minimum(self.most);
        *last = turned.choose(0.0, g);
        p - last.sign() * &*size
    }
}

impl Optimizer for Rprop {
    by_rule!("rprop");
}

const SHRINK: Setting =
    Setting::new("shrink", Bounds::SHARE, "the factor of a step whose gradient has turned");
const GROW: Setting =
    Setting::new("grow", Bounds::ABOVE_0, "the factor of a step whose gradient keeps its sign");
const LEAST: Setting = Setting::new("least", Bounds::ABOVE_0, "the smallest step");
const MOST: Setting = Setting::new("most", Bounds::ABOVE_0, "the largest step");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "rprop",
    "Steps of their own for all elements, by the signs of gradients of all samples (Riedmiller, Braun 1993).",
    |args, ()| {
        let mut opt = Rprop::new(lr(args, 1e-2)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, SHRINK.told(), GROW.told(), LEAST.told(), MOST.told(), GROUPS]);

#[cfg(test)]
mod tests {
    use super::super::check_rule;
    use crate::optim::*;

    #[test]
    fn it_follows_the_published_formula() {
        let opt = || Rprop::new(0.1).shrink(0.4).grow(1.5).least(0.05).most(0.2);
        check_rule(opt).follows(|t, p, g, [last, size]| {
            if t == 1 {
                *size = 0.1;
            }
            let agreement = g * *last;
            *size *= if agreement > 0.0 {
                1.5
            } else if agreement < 0.0 {
                0.4
            } else {
                1.0
            };
            *size = size.clamp(0.05, 0.2);
            *last = if agreement < 0.0 { 0.0 } else { g };
            p - *size * if *last == 0.0 { 0.0 } else { last.signum() }
        });
    }
}

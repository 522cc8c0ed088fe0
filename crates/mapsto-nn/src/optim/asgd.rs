//! ASGD: gradient descent with falling steps, and the average of where it was.

use super::setting::{DECAY, Held, LR, Setting, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Scalar, Update, lr, numbers, slots};
use crate::Module;
use mapsto_kernels::optim::update;
use mapsto_spec::Bounds;
use mapsto_tensor::{Grads, Result, Tensor};

/// With `η = lr / (1 + λ lr (t − 1))^α`: `p ← (1 − λ η) p − η g`, and `a ← a + (p − a) / max(1, t − 1 − t₀)`.
///
/// λ is 10⁻⁴, α 0.75 and t₀ 10⁶, before which the average is the parameter itself. Weight decay adds to `g` its product with `p`.
/// Training is at `p`; what is validated and saved is the average `a`, which [`eval`](Optimizer::eval) puts into the model.
///
/// PyTorch: `optim.ASGD`, with `lambd`, `alpha` and `t0`, which leaves the average in its state; Keras has none.
///
/// Source: Polyak, Juditsky (1992), Acceleration of stochastic approximation by averaging, with the rates of Bottou as in PyTorch.
/// ```
/// use mapsto_nn::optim::Asgd;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let mut opt = Asgd::new(0.1).lambd(0.0).t0(0.0);
/// for _ in 0..3 {
///     let grads = train(|| w.forward(&tensor![[1.0]]).sum(..)).backward();
///     opt.step(&mut w, grads);
/// }
/// assert_close!(w.weight, [[0.7]]);
/// opt.eval(&mut w)?;
/// assert_close!(w.weight, [[0.75]]); // 0.9, then 0.8, of which it is the second, and half of the way to 0.7
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Asgd {
    rule: AsgdRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct AsgdRule {
    lambd: f64,
    alpha: f64,
    t0: f64,
    decay: f64,
}

impl Asgd {
    /// With λ = 10⁻⁴, α = 0.75 and t₀ = 10⁶; 10⁻² is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> Asgd {
        Asgd { rule: AsgdRule { lambd: 1e-4, alpha: 0.75, t0: 1e6, decay: 0.0 }, memory: Memory::new(lr) }
    }

    /// The same with another λ.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn lambd(mut self, lambd: f64) -> Asgd {
        self.rule.lambd = LAMBD.check(KIND.name, lambd);
        self
    }

    /// The same with another power of the fall.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Asgd {
        self.rule.alpha = ALPHA.check(KIND.name, alpha);
        self
    }

    /// The same averaging from another step on.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn t0(mut self, t0: f64) -> Asgd {
        self.rule.t0 = T0.check(KIND.name, t0);
        self
    }

    settings!(decay);
}

impl AsgdRule {
    /// In the order in which an entry says them.
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![
            LAMBD.at(&mut self.lambd),
            ALPHA.at(&mut self.alpha),
            T0.at(&mut self.t0),
            DECAY.at(&mut self.decay),
        ]
    }

    /// The rate of a step, and how far the average goes to the parameter.
    fn rates(&self, now: &Update) -> (f64, f64) {
        let before = (now.step - 1) as f64;
        (now.lr / (1.0 + self.lambd * now.lr * before).powf(self.alpha), 1.0 / (before - self.t0).max(1.0))
    }
}

impl Rule for AsgdRule {
    fn slots(&self) -> &'static [&'static str] {
        &["average"]
    }

    fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], memory: &mut [Tensor]) {
        let [average] = slots::<T, _>(memory);
        let (eta, share) = self.rates(now);
        let (keep, decay, is_all) = (1.0 - self.lambd * eta, now.decay.unwrap_or(self.decay), share == 1.0);
        let [eta, keep, decay, share] = numbers::<T, _>([eta, keep, decay, share]);
        let finite = update(
            g,
            [p, average],
            #[inline(always)]
            |g, [p, a]| {
                let p = p * keep - eta * (g + decay * p);
                [p, if is_all { p } else { a + (p - a) * share }]
            },
        );
        now.require_finite(finite, g);
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let (eta, share) = self.rates(now);
        let new = p * (1.0 - self.lambd * eta) - now.with_decay(self.decay, g, p) * eta;
        memory[0] = if share == 1.0 { new.clone() } else { &memory[0] + (&new - &memory[0]) * share };
        new
    }
}

impl Optimizer for Asgd {
    by_rule!("asgd");
    shows!(0);
}

const LAMBD: Setting =
    Setting::new("lambd", Bounds::AT_LEAST_0, "how fast the steps fall, and what draws parameters to 0");
const ALPHA: Setting = Setting::new("alpha", Bounds::AT_LEAST_0, "the power with which the steps fall");
const T0: Setting = Setting::new("t0", Bounds::AT_LEAST_0, "the steps before the average begins");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "asgd",
    "Gradient descent, judged at the average of where it was (Polyak, Juditsky 1992).",
    |args, ()| {
        let mut opt = Asgd::new(lr(args, 1e-2)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, LAMBD.told(), ALPHA.told(), T0.told(), DECAY.told(), GROUPS]);

#[cfg(test)]
mod tests {
    use super::super::check_rule;
    use crate::optim::*;

    #[test]
    fn it_follows_the_published_formula() {
        let opt = || Asgd::new(0.1).lambd(0.5).alpha(0.6).t0(1.0).decay(0.2);
        check_rule(opt).follows(|t, p, g, [a, _]| {
            let eta = 0.1 / (1.0 + 0.5 * 0.1 * (t - 1) as f64).powf(0.6);
            let new = p * (1.0 - 0.5 * eta) - eta * (g + 0.2 * p);
            *a += (new - *a) / (t as f64 - 2.0).max(1.0);
            new
        });
    }
}

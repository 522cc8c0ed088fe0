//! NAdam: Adam that looks one momentum step ahead.

use super::setting::{BETA1, BETA2, DECAY, DECOUPLED, EPS, Held, LR, Setting, read};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, Rule, Scalar, SlotShape, Update, lr, numbers, slots};
use crate::Module;
use mapsto_kernels::optim::update_watched;
use mapsto_spec::Bounds;
use mapsto_tensor::{Element, Grads, Tensor};

/// `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, and with `μₜ = β₁ (1 − ½ · 0.96^(t ψ))` and their product `Πₜ = μ₁ ⋯ μₜ`
/// `p ← p − lr (μₜ₊₁ / (1 − Πₜ₊₁) · m + (1 − μₜ) / (1 − Πₜ) · g) / (√v̂ + ε)`, where `v̂ = v / (1 − β₂ᵗ)`.
///
/// β₁ is 0.9, β₂ 0.999, ε 10⁻⁸ and ψ, the momentum's own decay, 0.004. Weight decay adds `λ p` to `g`.
///
/// PyTorch: `optim.NAdam`, with `decoupled_weight_decay`; Keras: `Nadam`.
///
/// Source: Dozat (2016), Incorporating Nesterov momentum into Adam, with the schedule of μ of PyTorch and Keras.
/// ```
/// use mapsto_nn::optim::NAdam;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
/// NAdam::new(0.1).betas(0.5, 0.999).momentum_decay(0.0).step(&mut w, grads);
/// assert_close!(w.weight, [[1.0 - 0.1 * (1.0 + 0.25 / (1.0 - 0.0625) * 0.5)]]); // μ = 0.25 at all times
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct NAdam {
    rule: NAdamRule,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct NAdamRule {
    beta1: f64,
    beta2: f64,
    eps: f64,
    momentum_decay: f64,
    decay: f64,
    decoupled: bool,
}

impl NAdam {
    /// With β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸ and ψ = 0.004; 2 · 10⁻³ is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> NAdam {
        NAdam {
            rule: NAdamRule {
                beta1: 0.9,
                beta2: 0.999,
                eps: 1e-8,
                momentum_decay: 4e-3,
                decay: 0.0,
                decoupled: false,
            },
            memory: Memory::new(lr),
        }
    }

    /// The same with another decay ψ of the momentum.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn momentum_decay(mut self, momentum_decay: f64) -> NAdam {
        self.rule.momentum_decay = MOMENTUM_DECAY.check(KIND.name, momentum_decay);
        self
    }

    /// The same whose weight decay stands beside the step, as in [`AdamW`](super::AdamW).
    #[must_use]
    pub fn decoupled(mut self) -> NAdam {
        self.rule.decoupled = true;
        self
    }

    settings!(betas, eps, decay);
}

impl NAdamRule {
    /// The momentum of step `t`.
    fn mu(&self, t: u64) -> f64 {
        self.beta1 * (1.0 - 0.5 * 0.96f64.powf(t as f64 * self.momentum_decay))
    }

    /// In the order in which an entry says them.
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![
            BETA1.at(&mut self.beta1),
            BETA2.at(&mut self.beta2),
            EPS.at(&mut self.eps),
            MOMENTUM_DECAY.at(&mut self.momentum_decay),
            DECAY.at(&mut self.decay),
            Held::Flag(DECOUPLED, &mut self.decoupled),
        ]
    }
}

impl Rule for NAdamRule {
    fn slots(&self) -> &'static [&'static str] {
        &["m", "v", "product"]
    }

    fn slot_shape(&self) -> SlotShape {
        |slot, shape| if slot == 2 { vec![1; shape.len()] } else { shape.to_vec() }
    }

    fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], memory: &mut [Tensor]) {
        let [m, v, product] = slots::<T, _>(memory);
        let (mu, next) = (self.mu(now.step), self.mu(now.step + 1));
        // Slots are zero at first, and a product begins at 1.
        let before = if now.step == 1 { 1.0 } else { Element::to_f64(product[0]) };
        [product[0]] = numbers([before * mu]);
        let product = Element::to_f64(product[0]);
        let root = now.begun(self.beta2).sqrt();
        let (ahead, here) = (next / (1.0 - product * next), (1.0 - mu) / (1.0 - product));
        let [ahead, here] = numbers::<T, _>([now.lr * root * ahead, now.lr * root * here]);
        let (l2, keep) = now.decays(self.decay, self.decoupled);
        let [beta1, fresh1, beta2, fresh2] =
            numbers::<T, _>([self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2]);
        let [eps, l2, keep] = numbers::<T, _>([self.eps * root, l2, keep]);
        let finite = update_watched::<T, _, 2>(
            g,
            [p, m, v],
            #[inline(always)]
            |g, [p, m, v]| {
                let g = g + l2 * p;
                let (m, v) = (beta1 * m + fresh1 * g, beta2 * v + fresh2 * (g * g));
                [p * keep - (ahead * m + here * g) / (v.sqrt() + eps), m, v]
            },
        );
        now.require_finite(finite, g);
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [m, v, product] = memory else { unreachable!("its slots were asked for") };
        let (l2, keep) = now.decays(self.decay, self.decoupled);
        let g = g + p * l2;
        *m = &*m * self.beta1 + &g * (1.0 - self.beta1);
        *v = &*v * self.beta2 + g.square() * (1.0 - self.beta2);
        now.require_finite_squares(v);
        let (mu, next) = (self.mu(now.step), self.mu(now.step + 1));
        // Slots are zero at first, and a product begins at 1.
        *product = if now.step == 1 { &*product + mu } else { &*product * mu };
        let here = 1.0 - &*product;
        let ahead = 1.0 - &*product * next;
        let step = &*m * (next / ahead) + g * ((1.0 - mu) / here);
        p * keep - step / ((&*v / now.begun(self.beta2)).sqrt() + self.eps) * now.lr
    }
}

impl Optimizer for NAdam {
    by_rule!("nadam");
}

const MOMENTUM_DECAY: Setting = Setting::new(
    "momentum_decay",
    Bounds::AT_LEAST_0,
    "how fast the momentum comes near beta1 at the beginning",
);

pub(super) const KIND: OptimizerKind =
    OptimizerKind::new("nadam", "Adam that looks one momentum step ahead (Dozat 2016).", |args, ()| {
        let mut opt = NAdam::new(lr(args, 2e-3)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    })
    .options(&[
        LR,
        BETA1.told(),
        BETA2.told(),
        EPS.told(),
        MOMENTUM_DECAY.told(),
        DECAY.told(),
        DECOUPLED,
        GROUPS,
    ]);

#[cfg(test)]
mod tests {
    use super::super::check_rule;
    use crate::optim::*;

    #[test]
    fn it_follows_the_published_formula() {
        // The product of the momenta is known from the number of the step here.
        let mu = |t: i32| 0.8 * (1.0 - 0.5 * 0.96f64.powf(t as f64 * 0.1));
        let opt = || NAdam::new(0.1).betas(0.8, 0.95).eps(1e-3).momentum_decay(0.1).decay(0.2);
        check_rule(opt).follows(|t, p, g, [m, v]| {
            let g = g + 0.2 * p;
            *m = 0.8 * *m + 0.2 * g;
            *v = 0.95 * *v + 0.05 * g * g;
            let product: f64 = (1..=t).map(mu).product();
            let ahead = mu(t + 1) / (1.0 - product * mu(t + 1)) * *m;
            let step = ahead + (1.0 - mu(t)) / (1.0 - product) * g;
            p - 0.1 * step / ((*v / (1.0 - 0.95f64.powi(t))).sqrt() + 1e-3)
        });
    }
}

//! Schedule-free AdamW: AdamW without momentum or schedule, judged at an average that takes the place of both.

use super::schedule_free::{R, ScheduleFree, WEIGHT_LR_POWER, X};
use super::setting::{BETA2, DECAY, EPS, Held, LR, Setting, read, told};
use super::{GROUPS, Memory, Optimizer, OptimizerKind, lr};
use crate::Module;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Grads, Result};

/// With the gradient at `y` and `v ← β₂ v + (1 − β₂) g²`: `z ← z − lr (g / (√v̂ + ε) + λ y)`, `x ← x + c (z − x)` and
/// `y ← (1 − β₁) z + β₁ x`, where `c` is the weight of this step in the average of all, `tʳ lr²` with the largest rate so far.
///
/// β₁ is 0.9, β₂ 0.999, ε 10⁻⁸, λ 0 and r 0. Training is at `y`; what is validated and saved is the average `x`, which
/// [`eval`](Optimizer::eval) puts into the model and [`train`](Optimizer::train) takes out again. The trainer does both; a loop written
/// by hand does so before and after it looks at the model. A schedule is not needed, but for a
/// [`LinearWarmup`](crate::schedules::LinearWarmup), which stands for `warmup_steps` of the reference.
///
/// PyTorch: `AdamWScheduleFree` of the package `schedulefree`; Keras has none.
///
/// Source: Defazio, Yang, Mehta, et al. (2024), The road less scheduled, arXiv:2405.15682, algorithm 1, as in the authors' package.
/// ```
/// use mapsto_nn::optim::ScheduleFreeAdamW;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let mut opt = ScheduleFreeAdamW::new(0.1);
/// for _ in 0..2 {
///     let grads = train(|| w.forward(&tensor![[50.0]]).sum(..)).backward();
///     opt.step(&mut w, grads);
/// }
/// opt.eval(&mut w)?;
/// assert_close!(w.weight, [[0.85]]); // the mean of 0.9 and 0.8
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct ScheduleFreeAdamW {
    rule: ScheduleFree,
    memory: Memory,
}

impl ScheduleFreeAdamW {
    /// With β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸ and no decay; 2.5 · 10⁻³ is a usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> ScheduleFreeAdamW {
        let adam = Some((0.999, 1e-8));
        let rule = ScheduleFree { beta: 0.9, adam, decay: 0.0, r: 0.0, weight_lr_power: 2.0 };
        ScheduleFreeAdamW { rule, memory: Memory::new(lr) }
    }

    /// The same with other β₁ and β₂.
    ///
    /// # Panics
    /// When one of them is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        self.rule.beta = BETA1.check(KIND.name, beta1);
        *self.adam().0 = BETA2.check(KIND.name, beta2);
        self
    }

    /// The same with another ε.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        *self.adam().1 = EPS.check(KIND.name, eps);
        self
    }

    /// The same whose average weighs step `t` with `tʳ`.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn r(mut self, r: f64) -> Self {
        self.rule.r = R.check(KIND.name, r);
        self
    }

    settings!(decay);

    fn adam(&mut self) -> (&mut f64, &mut f64) {
        let (beta2, eps) = self.rule.adam.as_mut().expect("it begins with them");
        (beta2, eps)
    }
}

/// In the order in which an entry says them.
fn all(rule: &mut ScheduleFree) -> Vec<Held<'_>> {
    let ScheduleFree { beta, adam, decay, r, weight_lr_power } = rule;
    let (beta2, eps) = adam.as_mut().expect("it begins with them");
    let average = [R.at(r), WEIGHT_LR_POWER.at(weight_lr_power)];
    let own = [BETA1.at(beta), BETA2.at(beta2), EPS.at(eps), DECAY.at(decay)];
    own.into_iter().chain(average).collect()
}

impl Optimizer for ScheduleFreeAdamW {
    by_rule!(applied "schedule_free_adamw");
    shows!(X);

    fn entry(&self) -> Option<Entry> {
        let mut rule = self.rule;
        Some(told(KIND.name, &self.memory, all(&mut rule)))
    }
}

const BETA1: Setting =
    Setting::new("beta1", Bounds::SHARE, "how near to the average the gradients are taken");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "schedule_free_adamw",
    "AdamW without a schedule, judged at an average (Defazio et al. 2024).",
    |args, ()| {
        let mut opt = ScheduleFreeAdamW::new(lr(args, 2.5e-3)?);
        read(args, all(&mut opt.rule))?;
        Ok(Box::new(opt))
    },
)
.options(&[
    LR,
    BETA1.told(),
    BETA2.told(),
    EPS.told(),
    DECAY.told(),
    R.told(),
    WEIGHT_LR_POWER.told(),
    GROUPS,
]);

#[cfg(test)]
mod tests {
    use super::super::check_rule;
    use crate::optim::*;
    use crate::prelude::*;

    #[test]
    fn it_follows_the_published_formula() {
        // Without decay and momentum y is z, and two numbers are enough.
        check_rule(|| ScheduleFreeAdamW::new(0.1).betas(0.0, 0.95).eps(1e-3)).follows(|t, p, g, [v, _]| {
            *v = 0.95 * *v + 0.05 * g * g;
            p - 0.1 * g / ((*v / (1.0 - 0.95f64.powi(t))).sqrt() + 1e-3)
        });
    }

    #[test]
    fn what_is_shown_comes_and_goes_to_the_bit() {
        for dtype in [DType::F32, DType::BF16] {
            let mut net = Linear::new(3, 2);
            net.convert(dtype);
            let x = Tensor::randn([8, 3]).to(dtype);
            let bits = |net: &Linear| net.weight.to(DType::F32).to_vec::<f32>();
            let mut opt = ScheduleFreeAdamW::new(0.1);
            let step = |net: &mut Linear, opt: &mut ScheduleFreeAdamW| {
                let grads = train(|| net.forward(&x).square().sum(..)).backward();
                opt.step(net, grads);
            };
            (0..5).for_each(|_| step(&mut net, &mut opt));
            let training = bits(&net);
            opt.eval(&mut net).unwrap();
            opt.eval(&mut net).unwrap();
            let shown = bits(&net);
            assert_ne!(shown, training);
            // Gradients at the average are none of its steps.
            let e = catch(|| step(&mut net, &mut opt)).unwrap_err();
            assert!(e.message().contains("holds the weights to be judged"), "{e}");
            // Saved as it is judged, it goes on as it was trained.
            let (mut copy, mut other) = (net.clone(), ScheduleFreeAdamW::new(0.1));
            other.load_state(&copy, &opt.state()).unwrap();
            for (net, opt) in [(&mut net, &mut opt), (&mut copy, &mut other)] {
                opt.train(net).unwrap();
                assert_eq!(bits(net), training, "{dtype}");
                step(net, opt);
            }
            assert_eq!(bits(&net), bits(&copy), "{dtype}");
            // What somebody else writes meanwhile is what counts.
            opt.eval(&mut net).unwrap();
            net.weight.set(&Tensor::ones([2, 3]).to(dtype)).unwrap();
            opt.train(&mut net).unwrap();
            assert_eq!(bits(&net), [1.0; 6]);
        }
    }
}

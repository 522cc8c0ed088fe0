//! SAM: another optimizer's step with the gradient of the worst point nearby, which leads to flat places.

use super::setting::{Held, Setting, read, say};
use super::{Looks, Memory, Objective, Optimizer, OptimizerKind, OptimizerState, inside};
use crate::module::{ItemMut, Module, Path};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{DType, Error, ErrorKind, Grads, Result, Tensor, no_grad};
use std::borrow::Cow;

/// The optimizer's step at `p` with the gradient at `p + ρ g / ‖g‖`; the norm is of all gradients together.
///
/// ρ is 0.05. The adaptive form, ASAM, moves each element by its size, to `p + ρ p² g / ‖p g‖`, and wants a ρ of about 1. Each step
/// costs two passes forward and backward; both of the same batch, with the same draws of dropout, and running statistics see it once.
/// In a loop written by hand a step is [`descend`](Optimizer::descend), with a [`Closure`](super::Closure). Groups are those of the optimizer inside.
///
/// PyTorch has none; Keras has `SharpnessAwareMinimization`, a model.
///
/// Source: Foret, Kleiner, Mobahi, Neyshabur (2021), Sharpness-aware minimization, arXiv:2010.01412, algorithm 1; Kwon, Kim, Park, Choi (2021),
/// ASAM, arXiv:2102.11600, both as in the reference of D. Samuel for PyTorch.
/// ```
/// use mapsto_nn::optim::{Closure, Sam};
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[2.0]])?;
/// let mut opt = Sam::new(Sgd::new(0.1)).rho(0.5);
/// opt.descend(&mut Closure::new(&mut w, |w: &Linear| w.weight.square().sum(..)))?;
/// assert_close!(w.weight, [[2.0 - 0.1 * 2.0 * 2.5]]); // the gradient at 2 + 0.5
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub struct Sam {
    inner: Box<dyn Optimizer>,
    rule: SamRule,
}

#[derive(Clone, Copy, Debug)]
struct SamRule {
    rho: f64,
    adaptive: bool,
}

impl Sam {
    /// With ρ = 0.05.
    ///
    /// # Panics
    /// When the optimizer computes the loss again itself.
    #[track_caller]
    pub fn new(optimizer: impl Optimizer + 'static) -> Sam {
        inside(KIND.name, &optimizer).unwrap_or_else(|e| mapsto_tensor::error::raise(e));
        Sam { inner: Box::new(optimizer), rule: SamRule { rho: 0.05, adaptive: false } }
    }

    /// The same at another distance.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn rho(mut self, rho: f64) -> Sam {
        self.rule.rho = RHO.check(KIND.name, rho);
        self
    }

    /// The same in units of each element's size: ASAM.
    #[must_use]
    pub fn adaptive(mut self) -> Sam {
        self.rule.adaptive = true;
        self
    }
}

impl SamRule {
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![RHO.at(&mut self.rho), Held::Flag(ADAPTIVE, &mut self.adaptive)]
    }

    /// Moves all parameters to the worst point nearby, and answers where they were.
    fn climb(&self, model: &mut dyn Module, grads: &Grads) -> Result<Vec<Tensor>> {
        let mut steps = Vec::new();
        each(model, grads, &mut |p, g| {
            let wide = if p.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
            let (p, g) = (p.detach().to(wide), g.to(wide));
            // What the norm is of, and what the step is along.
            let (size, along) = match self.adaptive {
                true => (&p * &g, p.square() * g),
                false => (g.clone(), g),
            };
            steps.push((size, along));
            Ok(())
        })?;
        let squares = |x: &Tensor| super::norm(x).powi(2);
        let norm = steps.iter().map(|(size, _)| squares(size)).sum::<f64>().sqrt();
        let (factor, mut steps, mut before) = (self.rho / (norm + 1e-12), steps.into_iter(), Vec::new());
        each(model, grads, &mut |p, _| {
            let (_, along) = steps.next().expect("one for each gradient");
            before.push(p.detach());
            let there = (p.detach().to(along.dtype()) + along * factor).to(p.dtype());
            p.set(&there)
        })?;
        Ok(before)
    }
}

/// Shows the parameters that have gradients and are not frozen.
fn each(
    model: &mut dyn Module,
    grads: &Grads,
    f: &mut dyn FnMut(&mut crate::Param, &Tensor) -> Result<()>,
) -> Result<()> {
    let mut done = Ok(());
    model.visit_mut(&mut Path::new(), &mut |_, item| {
        if let ItemMut::Param(p) = item
            && let (true, false, Some(g)) = (done.is_ok(), p.is_frozen(), grads.by_id(p.id()))
        {
            done = f(p, g);
        }
    });
    done
}

impl Optimizer for Sam {
    by_inner!();

    #[track_caller]
    fn step(&mut self, _: &mut dyn Module, _: Grads) {
        super::needs_an_objective(KIND.name);
    }

    fn descend(&mut self, objective: &mut dyn Objective) -> Result<f64> {
        let (loss, grads) = objective.gradients()?;
        if !grads.is_finite() {
            return Err(not_finite("a gradient is infinite or NaN"));
        }
        let before = no_grad(|| self.rule.climb(&mut objective.model(), &grads))?;
        let there = objective.gradients();
        let mut before = before.into_iter();
        each(&mut objective.model(), &grads, &mut |p, _| {
            p.set(&before.next().expect("one for each gradient"))
        })?;
        let (_, worst) = there?;
        if !worst.is_finite() {
            return Err(not_finite("a gradient at the worst point nearby is infinite or NaN"));
        }
        self.inner.step(&mut objective.model(), worst);
        Ok(loss)
    }

    fn looks(&self) -> Looks {
        Looks::Again
    }

    fn name(&self) -> Cow<'static, str> {
        format!("Sam({})", self.inner.name()).into()
    }

    fn entry(&self) -> Option<Entry> {
        let mut rule = self.rule;
        Some(say(Entry::new(KIND.name).with_value(self.inner.entry()?), rule.settings()))
    }

    fn state(&self) -> OptimizerState {
        OptimizerState { name: self.name().into(), ..self.inner.state() }
    }

    fn load_state(&mut self, model: &dyn Module, state: &OptimizerState) -> Result<()> {
        self.inner.load_state(model, &super::of_inner(state, &self.name(), &*self.inner)?)
    }
}

fn not_finite(what: &str) -> Error {
    Error::new(ErrorKind::NonFinite, format!("sam: {what}"))
        .help("lower the learning rate or rho, or look for where the number comes from; nothing was changed")
}

const RHO: Setting =
    Setting::new("rho", Bounds::AT_LEAST_0, "the distance of the point whose gradient is taken");
const ADAPTIVE: (&str, &str) = ("adaptive", "whether distances are in units of each element's size");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "sam",
    "Another optimizer's steps by the gradient of the worst point nearby (Foret et al. 2021).",
    |args, ()| {
        let inner = super::read_inner(args, |inner| inside(KIND.name, inner))?;
        let mut rule = SamRule { rho: 0.05, adaptive: false };
        read(args, rule.settings())?;
        Ok(Box::new(Sam { inner, rule }))
    },
)
.options(&[super::INSIDE, RHO.told(), ADAPTIVE])
.example(|| Entry::new("sam").with_value(Entry::new("sgd").with_value(0.01)));

#[cfg(test)]
mod tests {
    use crate::optim::*;
    use crate::prelude::*;

    #[test]
    fn parameters_come_back_to_the_bit_and_mistakes_are_refused() {
        let mut net = Linear::new(3, 2);
        let before = net.state_dict();
        let x = Tensor::randn([4, 3]);
        let mut opt = Sam::new(Sgd::new(0.0)).rho(3.0);
        opt.descend(&mut Closure::new(&mut net, |net: &Linear| net.forward(&x).square().sum(..))).unwrap();
        for ((name, a), (_, b)) in before.iter().zip(net.state_dict()) {
            assert_eq!(a.to_vec::<f32>(), b.to_vec::<f32>(), "{name}");
        }
        let e = catch(|| Sam::new(Lbfgs::new(1.0))).map(drop).unwrap_err();
        assert_eq!(e.message(), "sam: `Lbfgs` computes the loss again itself");
        // A loss that is infinite nearby changes nothing.
        let mut opt = Sam::new(Sgd::new(0.1)).rho(1e3);
        let steep = |net: &Linear| (net.weight.square() * 1e33).square().sum(..);
        let e = opt.descend(&mut Closure::new(&mut net, steep)).unwrap_err();
        assert_eq!(e.kind(), mapsto_tensor::ErrorKind::NonFinite);
        assert!(before.iter().any(|(_, value)| value.to_vec::<f32>() == net.weight.to_vec::<f32>()));
    }
}

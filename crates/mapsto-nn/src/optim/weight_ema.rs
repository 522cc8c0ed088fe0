//! A moving average of the weights around another optimizer: what is validated and saved is the average.

use super::lookahead::Given;
use super::setting::{Held, Setting, read, say};
use super::{Looks, Memory, Objective, Optimizer, OptimizerKind, OptimizerState};
use crate::module::{Averages, Module};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Error, ErrorKind, Grads, Result, fail};
use std::borrow::Cow;

/// After each step of the optimizer inside `a ← β a + (1 − β) p`, where the averages `a` begin at the parameters.
///
/// β is 0.999. Training goes on as without it; [`eval`](Optimizer::eval) puts the averages into the model and
/// [`train`](Optimizer::train) the parameters, and the trainer does both around each validation, so that the best model and the last state
/// hold averages. States such as running means are taken as they are. In a loop written by hand [`Ema`](crate::Ema) keeps the average beside the
/// model.
///
/// PyTorch: `swa_utils.AveragedModel` with `get_ema_multi_avg_fn(β)`; Keras: `use_ema=True` with `ema_momentum=β`.
///
/// Source: Polyak, Juditsky (1992), Acceleration of stochastic approximation by averaging; Tarvainen, Valpola (2017), arXiv:1703.01780.
/// ```
/// use mapsto_nn::optim::WeightEma;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let mut opt = WeightEma::new(Sgd::new(0.1)).beta(0.5);
/// let grads = train(|| w.forward(&tensor![[1.0]]).sum(..)).backward();
/// opt.step(&mut w, grads);
/// opt.eval(&mut w)?;
/// assert_close!(w.weight, [[0.95]]);
/// opt.train(&mut w)?;
/// assert_close!(w.weight, [[0.9]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub struct WeightEma {
    inner: Box<dyn Optimizer>,
    rule: EmaRule,
    averages: Averages,
}

#[derive(Clone, Copy, Debug)]
struct EmaRule {
    beta: f64,
}

impl WeightEma {
    /// With β = 0.999.
    ///
    /// # Panics
    /// When the optimizer compares the loss of one step with that of the next, or averages its weights itself.
    #[track_caller]
    pub fn new(optimizer: impl Optimizer + 'static) -> WeightEma {
        check(&optimizer).unwrap_or_else(|e| mapsto_tensor::error::raise(e));
        WeightEma { inner: Box::new(optimizer), rule: EmaRule { beta: 0.999 }, averages: Averages::default() }
    }

    /// The same keeping another share of the past.
    ///
    /// # Panics
    /// When it is not in 0..1.
    #[track_caller]
    #[must_use]
    pub fn beta(mut self, beta: f64) -> WeightEma {
        self.rule.beta = BETA.check(KIND.name, beta);
        self
    }

    /// Runs a step of the optimizer inside, and follows it.
    #[track_caller]
    fn around<R>(
        &mut self,
        given: &mut dyn Objective,
        step: impl FnOnce(&mut dyn Optimizer, &mut dyn Objective) -> Result<R>,
    ) -> Result<R> {
        let (inner, averages, beta) = (&mut self.inner, &mut self.averages, self.rule.beta);
        if averages.is_shown() {
            fail!("ema", "the model holds the averages, and this is a gradient of them";
                  help = "call `opt.train(&mut model)` before the forward pass, and `opt.eval(&mut model)` before validation");
        }
        averages.begin_at(&given.model(), &|p| inner.memory().wide(p));
        let result = step(&mut **inner, given)?;
        averages.follow_to(&given.model(), beta, &|p| inner.memory().wide(p));
        Ok(result)
    }
}

/// That an optimizer may be averaged.
fn check(optimizer: &dyn Optimizer) -> Result<()> {
    if optimizer.shows_other_weights() {
        let message = format!("{}: `{}` averages its weights itself", KIND.name, optimizer.name());
        return Err(Error::new(ErrorKind::Usage, message).help("take it alone"));
    }
    match optimizer.looks() {
        Looks::AlwaysAtTheSame => {
            let message = format!(
                "{}: `{}` compares the loss of each step with that of the next, and around it weights are put aside between steps",
                KIND.name,
                optimizer.name()
            );
            Err(Error::new(ErrorKind::Usage, message)
                .help("let the trainer average beside it: `ema = 0.999` in [train], or `.averaging(Averaging::ema(0.999))`"))
        }
        _ => Ok(()),
    }
}

impl Optimizer for WeightEma {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, grads: Grads) {
        let step = |inner: &mut dyn Optimizer, given: &mut dyn Objective| {
            let (_, grads) = given.gradients()?;
            inner.step(&mut given.model(), grads);
            Ok(())
        };
        self.around(&mut Given::new(model, grads), step).unwrap_or_else(|e| mapsto_tensor::error::raise(e));
    }

    fn descend(&mut self, objective: &mut dyn Objective) -> Result<f64> {
        self.around(objective, |inner, objective| inner.descend(objective))
    }

    fn looks(&self) -> Looks {
        self.inner.looks()
    }

    fn eval(&mut self, model: &mut dyn Module) -> Result<()> {
        self.averages.show(model)
    }

    fn train(&mut self, model: &mut dyn Module) -> Result<()> {
        self.averages.hide(model)
    }

    fn shows_other_weights(&self) -> bool {
        true
    }

    fn takes_groups(&self) -> bool {
        false
    }

    fn check(&self, model: &dyn Module) -> Result<()> {
        self.inner.check(model)
    }

    fn momentum(&self) -> Option<f64> {
        self.inner.momentum()
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.inner.set_momentum(momentum);
    }

    fn memory(&self) -> &Memory {
        self.inner.memory()
    }

    fn memory_mut(&mut self) -> &mut Memory {
        self.inner.memory_mut()
    }

    fn name(&self) -> Cow<'static, str> {
        format!("WeightEma({})", self.inner.name()).into()
    }

    fn entry(&self) -> Option<Entry> {
        let mut rule = self.rule;
        Some(say(Entry::new(KIND.name).with_value(self.inner.entry()?), rule.settings()))
    }

    fn state(&self) -> OptimizerState {
        let mut state = OptimizerState { name: self.name().into(), ..self.inner.state() };
        state.tensors.extend(self.averages.state());
        state
    }

    fn load_state(&mut self, model: &dyn Module, state: &OptimizerState) -> Result<()> {
        let mut inner = super::of_inner(state, &self.name(), &*self.inner)?;
        let averages = Averages::load(model, &mut inner.tensors)?;
        self.inner.load_state(model, &inner)?;
        self.averages = averages;
        Ok(())
    }
}

impl EmaRule {
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![BETA.at(&mut self.beta)]
    }
}

const BETA: Setting = Setting::new("beta", Bounds::SHARE, "the share of the past that the average keeps");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "ema",
    "Another optimizer's steps, judged and saved at a moving average of the weights (Polyak, Juditsky 1992).",
    |args, ()| {
        let inner = super::read_inner(args, check)?;
        let mut rule = EmaRule { beta: 0.999 };
        read(args, rule.settings())?;
        Ok(Box::new(WeightEma { inner, rule, averages: Averages::default() }))
    },
)
.options(&[super::INSIDE, BETA.told()])
.example(|| Entry::new("ema").with_value(Entry::new("sgd").with_value(0.01)).with_option("beta", 0.9));

#[cfg(test)]
mod tests {
    use crate::optim::*;
    use crate::prelude::*;

    #[test]
    fn it_is_the_average_that_ema_keeps_beside_the_model() {
        let mut net = Linear::new(3, 2);
        let (x, mut beside) = (Tensor::randn([8, 3]), Ema::new(&net, 0.8));
        let mut opt = WeightEma::new(Adam::new(0.1)).beta(0.8);
        for _ in 0..10 {
            let grads = train(|| net.forward(&x).square().sum(..)).backward();
            opt.step(&mut net, grads);
            beside.update(&net);
        }
        let trained = net.weight.to_vec::<f32>();
        opt.eval(&mut net).unwrap();
        let shown: Vec<_> = net.state_dict().into_iter().map(|(name, t)| (name, t.to_vec::<f32>())).collect();
        let kept: Vec<_> =
            beside.state_dict().into_iter().map(|(name, t)| (name, t.to_vec::<f32>())).collect();
        assert_eq!(shown, kept);
        let e = catch(|| opt.step(&mut net, Grads::new())).unwrap_err();
        assert!(e.message().contains("the model holds the averages"), "{e}");
        opt.train(&mut net).unwrap();
        assert_eq!(net.weight.to_vec::<f32>(), trained);
        let e = catch(|| WeightEma::new(Asgd::new(0.1))).map(drop).unwrap_err();
        assert_eq!(e.message(), "ema: `Asgd` averages its weights itself");
    }
}

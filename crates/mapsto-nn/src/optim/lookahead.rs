//! Lookahead: another optimizer runs ahead, and every few steps the weights go a part of the way after it.

use super::setting::{Held, Setting, read, say};
use super::{Looks, Memory, Objective, Optimizer, OptimizerKind, OptimizerState, Part, inside};
use crate::module::{Item, ItemMut, Module, Path};
use mapsto_spec::{Bounds, Entry, Value};
use mapsto_tensor::{Error, ErrorKind, Grads, LeafId, Result, Tensor, no_grad};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// After every `k` steps of the optimizer inside, `s ← s + α (p − s)` and `p ← s`, where the slow weights `s` begin at the parameters.
///
/// k is 5 and α 0.5. Steps are counted for each parameter. Between two such moments the model has the fast weights, in training and in validation. Groups are those
/// of the optimizer inside.
///
/// PyTorch and Keras have none.
///
/// Source: Zhang, Lucas, Hinton, Ba (2019), Lookahead optimizer: k steps forward, 1 step back, arXiv:1907.08610, algorithm 1.
/// ```
/// use mapsto_nn::optim::Lookahead;
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let mut opt = Lookahead::new(Sgd::new(0.1)).k(2);
/// for expected in [0.9, 0.9] { // from 0.8 half of the way back to 1
///     let grads = train(|| w.forward(&tensor![[1.0]]).sum(..)).backward();
///     opt.step(&mut w, grads);
///     assert_close!(w.weight, [[expected]]);
/// }
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub struct Lookahead {
    inner: Box<dyn Optimizer>,
    rule: LookaheadRule,
    slow: BTreeMap<LeafId, Slow>,
}

#[derive(Clone, Copy, Debug)]
struct LookaheadRule {
    k: usize,
    alpha: f64,
}

/// The slow weights of a parameter, in f32 where it is in half precision.
struct Slow {
    name: String,
    steps: u64,
    value: Tensor,
}

impl Lookahead {
    /// With k = 5 and α = 0.5.
    ///
    /// # Panics
    /// When the optimizer compares the loss of one step with that of the next, or shows other weights than it trains at.
    #[track_caller]
    pub fn new(optimizer: impl Optimizer + 'static) -> Lookahead {
        check(&optimizer).unwrap_or_else(|e| mapsto_tensor::error::raise(e));
        Lookahead { inner: Box::new(optimizer), rule: LookaheadRule::USUAL, slow: BTreeMap::new() }
    }

    /// The same after another number of steps.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn k(mut self, k: usize) -> Lookahead {
        self.rule.k = mapsto_spec::at_least_1(KIND.name, "k", k);
        self
    }

    /// The same another part of the way.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Lookahead {
        self.rule.alpha = ALPHA.check(KIND.name, alpha);
        self
    }

    /// Runs a step of the optimizer inside, and follows it.
    fn around<R>(
        &mut self,
        given: &mut dyn Objective,
        step: impl FnOnce(&mut dyn Optimizer, &mut dyn Objective) -> Result<R>,
    ) -> Result<R> {
        let (inner, slow) = (&mut self.inner, &mut self.slow);
        given.model().visit(&mut Path::new(), &mut |path, item| {
            if let Item::Param(p) = item
                && !p.is_frozen()
            {
                let begin = || Slow { name: path.to_string(), steps: 0, value: inner.memory().wide(p) };
                slow.entry(p.id()).or_insert_with(begin);
            }
        });
        let result = step(&mut **inner, given)?;
        let (LookaheadRule { k, alpha }, mut done) = (self.rule, Ok(()));
        given.model().visit_mut(&mut Path::new(), &mut |_, item| {
            let ItemMut::Param(p) = item else { return };
            let Some(slow) = slow.get_mut(&p.id()).filter(|_| !p.is_frozen()) else { return };
            slow.steps += 1;
            if slow.steps.is_multiple_of(k as u64) {
                let fast = inner.memory().wide(p);
                let before = slow.value.to_device(p.device());
                slow.value = no_grad(|| &before + (fast - &before) * alpha);
                done = std::mem::replace(&mut done, Ok(())).and(inner.memory_mut().put(p, &slow.value));
            }
        });
        done.map(|()| result)
    }
}

/// That an optimizer may run ahead.
fn check(optimizer: &dyn Optimizer) -> Result<()> {
    if optimizer.shows_other_weights() {
        let message = format!("{}: `{}` averages its weights itself", KIND.name, optimizer.name());
        return Err(Error::new(ErrorKind::Usage, message).help("take it alone"));
    }
    if optimizer.entry().is_some_and(|entry| is_or_holds_one(&entry)) {
        let message = format!("{0}: a {0} is inside already, and slow weights are kept once", KIND.name);
        return Err(Error::new(ErrorKind::Usage, message).help("take one of them, with a larger `k`"));
    }
    match optimizer.looks() {
        Looks::AlwaysAtTheSame => inside(KIND.name, optimizer),
        _ => Ok(()),
    }
}

/// Whether an entry is one of these, however deep inside of others.
fn is_or_holds_one(entry: &Entry) -> bool {
    let inside = match &entry.value {
        Some(Value::Entry(inner)) => is_or_holds_one(inner),
        _ => false,
    };
    inside || entry.name == KIND.name
}

/// A model, and gradients that are there already.
pub(super) struct Given<'m> {
    model: &'m mut dyn Module,
    grads: Option<Grads>,
}

impl<'m> Given<'m> {
    pub(super) fn new(model: &'m mut dyn Module, grads: Grads) -> Given<'m> {
        Given { model, grads: Some(grads) }
    }
}

impl Objective for Given<'_> {
    fn model(&mut self) -> Part<'_> {
        Part::whole(self.model)
    }
    fn gradients(&mut self) -> Result<(f64, Grads)> {
        Ok((f64::NAN, self.grads.take().unwrap_or_default()))
    }
}

impl Optimizer for Lookahead {
    by_inner!();

    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, grads: Grads) {
        let mut given = Given::new(model, grads);
        let step = |inner: &mut dyn Optimizer, given: &mut dyn Objective| {
            let (_, grads) = given.gradients()?;
            inner.step(&mut given.model(), grads);
            Ok(())
        };
        self.around(&mut given, step).unwrap_or_else(|e| mapsto_tensor::error::raise(e));
    }

    fn descend(&mut self, objective: &mut dyn Objective) -> Result<f64> {
        self.around(objective, |inner, objective| inner.descend(objective))
    }

    fn looks(&self) -> Looks {
        self.inner.looks()
    }

    fn name(&self) -> Cow<'static, str> {
        format!("Lookahead({})", self.inner.name()).into()
    }

    fn entry(&self) -> Option<Entry> {
        let mut rule = self.rule;
        Some(say(Entry::new(KIND.name).with_value(self.inner.entry()?), rule.settings()))
    }

    fn state(&self) -> OptimizerState {
        let mut state = OptimizerState { name: self.name().into(), ..self.inner.state() };
        for slow in self.slow.values() {
            let steps = Tensor::from_slice(&[slow.steps as i64], 1);
            state.tensors.push((format!("{SLOW}/{}", slow.name), slow.value.clone()));
            state.tensors.push((format!("{SLOW} step/{}", slow.name), steps));
        }
        state
    }

    fn load_state(&mut self, model: &dyn Module, state: &OptimizerState) -> Result<()> {
        let mut inner = super::of_inner(state, &self.name(), &*self.inner)?;
        let own: BTreeMap<String, Tensor> =
            inner.tensors.extract_if(.., |(name, _)| name.starts_with(SLOW)).collect();
        let (mut slow, mut wrong) = (BTreeMap::new(), None);
        let mut found = 0;
        model.visit(&mut Path::new(), &mut |path, item| {
            let Item::Param(p) = item else { return };
            let find = |slot: &str| own.get(&format!("{slot}/{path}"));
            let (Some(value), Some(steps)) = (find(SLOW), find("slow step")) else { return };
            found += 2;
            let fits = value.shape() == p.shape() && steps.len() == 1 && value.dtype().is_float();
            let steps = if fits { steps.to_vec::<i64>()[0].max(0) as u64 } else { 0 };
            if !fits {
                wrong = Some(path.to_string());
            }
            slow.insert(p.id(), Slow { name: path.to_string(), steps, value: value.detach().contiguous() });
        });
        if wrong.is_some() || found != own.len() {
            let what = wrong.unwrap_or_else(|| "another model's parameters".into());
            return Err(Error::new(
                ErrorKind::Model,
                format!("optimizer state: the slow weights of `{what}` do not fit"),
            ));
        }
        self.inner.load_state(model, &inner)?;
        self.slow = slow;
        Ok(())
    }
}

const SLOW: &str = "slow";

impl LookaheadRule {
    const USUAL: LookaheadRule = LookaheadRule { k: 5, alpha: 0.5 };

    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![Held::Count(K, &mut self.k), ALPHA.at(&mut self.alpha)]
    }
}

const K: (&str, &str) = ("k", "the steps after which the slow weights follow");
const ALPHA: Setting = Setting::new("alpha", Bounds::UP_TO_1, "the part of the way that the slow weights go");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "lookahead",
    "Another optimizer's steps, of which every few the weights go a part of the way (Zhang et al. 2019).",
    |args, ()| {
        let inner = super::read_inner(args, check)?;
        let mut rule = LookaheadRule::USUAL;
        read(args, rule.settings())?;
        Ok(Box::new(Lookahead { inner, rule, slow: BTreeMap::new() }))
    },
)
.options(&[super::INSIDE, K, ALPHA.told()])
.example(|| Entry::new("lookahead").with_value(Entry::new("sgd").with_value(0.01)));

#[cfg(test)]
mod tests {
    use crate::optim::*;
    use crate::prelude::*;

    #[test]
    fn it_goes_around_what_looks_again_and_refuses_what_averages() {
        let mut net = Linear::new(2, 1).no_bias();
        let mut opt = Lookahead::new(Sam::new(Sgd::new(0.1))).k(2);
        let cost = |net: &Linear| net.weight.square().sum(..);
        let before = cost(&net).item();
        for _ in 0..6 {
            opt.descend(&mut Closure::new(&mut net, cost)).unwrap();
        }
        assert!(cost(&net).item() < before);
        assert_eq!(opt.name(), "Lookahead(Sam(Sgd))");
        let message = |e: mapsto_tensor::Error| e.message().to_string();
        let refused = |opt: Box<dyn Optimizer>| message(catch(|| Lookahead::new(opt)).map(drop).unwrap_err());
        assert!(refused(Box::new(Lbfgs::new(1.0))).contains("`Lbfgs` computes the loss again itself"));
        assert!(refused(Box::new(Asgd::new(1.0))).contains("`Asgd` averages its weights itself"));
        assert!(refused(Box::new(Lookahead::new(Sgd::new(0.1)))).contains("is inside already"));
        let deep = Sam::new(Lookahead::new(Sgd::new(0.1)));
        assert!(refused(Box::new(deep)).contains("is inside already"));
    }
}

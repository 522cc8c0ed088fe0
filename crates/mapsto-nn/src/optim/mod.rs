//! The optimizers, one file each, and the list of those that can be named in a file: how gradients change parameters.

#[macro_use]
mod setting;

mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod adamw;
mod asgd;
mod check_rule;
mod group;
mod lamb;
mod lars;
mod lbfgs;
mod lion;
mod lookahead;
mod memory;
mod muon;
mod nadam;
mod objective;
mod radam;
mod rmsprop;
mod rprop;
mod rule;
mod sam;
mod schedule_free;
mod schedule_free_adamw;
mod schedule_free_sgd;
mod sgd;
mod strong_wolfe;
mod weight_ema;

pub use adadelta::Adadelta;
pub use adafactor::Adafactor;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamax::Adamax;
pub use adamw::AdamW;
pub use asgd::Asgd;
pub use check_rule::{RuleCheck, check_rule};
pub use group::Group;
pub use lamb::Lamb;
pub use lars::Lars;
pub use lbfgs::Lbfgs;
pub use lion::Lion;
pub use lookahead::Lookahead;
pub use memory::{Memory, OptimizerState};
pub use muon::Muon;
pub use nadam::NAdam;
pub use objective::{Before, Closure, Objective, Part};
pub use radam::RAdam;
pub use rmsprop::RmsProp;
pub use rprop::Rprop;
pub use rule::{Rule, Scalar, SlotShape, Update};
use rule::{norm, numbers, slots};
pub use sam::Sam;
pub use schedule_free_adamw::ScheduleFreeAdamW;
pub use schedule_free_sgd::ScheduleFreeSgd;
pub use sgd::Sgd;
pub use strong_wolfe::{Trial, strong_wolfe};
pub use weight_ema::WeightEma;

/// What `cargo xtask new optimizer` writes, which has to compile and to pass its test.
#[cfg(test)]
#[path = "../../../../xtask/src/templates/optimizer.txt"]
mod template;

use crate::Module;
use mapsto_spec::{Args, Bounds, Entry, Family, Kind, Value};
use mapsto_tensor::{Error, ErrorKind, Grads, Result};
use std::borrow::Cow;

/// A way to change the parameters of a model by their gradients.
///
/// What an optimizer remembers of each parameter is in its [`Memory`], under the parameter's identity; its formula is a
/// [`Rule`]. An optimizer of one's own needs the three required methods below and a rule.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut net = Linear::new(1, 1).no_bias();
/// net.weight.set(&tensor![[2.0]])?;
/// let mut opt = Sgd::new(0.1);
/// let grads = train(|| net.forward(&tensor![[3.0]]).square().sum(..)).backward(); // 2 · (2·3) · 3 = 36
/// opt.step(&mut net, grads);
/// assert_close!(net.weight, [[2.0 - 0.1 * 36.0]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub trait Optimizer: Send {
    /// Changes every parameter that has a gradient and is not frozen, in place.
    ///
    /// # Panics
    /// When no parameter of the model has a gradient, a group's pattern fits no name, or a gradient is infinite or NaN; when an
    /// optimizer that divides by the size of gradients meets one whose square is infinite (above 10¹⁹ in f32), since its element
    /// would never move again; and when a step needs the loss more than once: see [`descend`](Optimizer::descend).
    fn step(&mut self, model: &mut dyn Module, grads: Grads);

    /// Takes a step on a model and its loss, which it computes as often as it needs, and answers the loss before the step. By hand,
    /// with a [`Closure`], this works with every optimizer.
    ///
    /// # Errors
    /// What the loss reports; of optimizers that compute it more than once, numbers that are not finite.
    ///
    /// # Panics
    /// As [`step`](Optimizer::step).
    fn descend(&mut self, objective: &mut dyn Objective) -> Result<f64> {
        let (loss, grads) = objective.gradients()?;
        self.step(&mut objective.model(), grads);
        Ok(loss)
    }

    /// How often a step computes the loss.
    fn looks(&self) -> Looks {
        Looks::Once
    }

    /// Puts the weights into the model that are to be judged and saved, where they are others than those that it trains at; the
    /// trainer does so before each validation. A state that is saved now and loaded goes on as from before.
    ///
    /// # Errors
    /// When the model has other dtypes than in training.
    fn eval(&mut self, model: &mut dyn Module) -> Result<()> {
        let _ = model;
        Ok(())
    }

    /// Takes them out again, before the next forward pass in training. A parameter that somebody has written to since keeps
    /// what was written, and what was remembered of it is forgotten.
    ///
    /// # Errors
    /// As [`eval`](Optimizer::eval).
    fn train(&mut self, model: &mut dyn Module) -> Result<()> {
        let _ = model;
        Ok(())
    }

    /// Whether [`eval`](Optimizer::eval) changes anything.
    fn shows_other_weights(&self) -> bool {
        false
    }

    /// Whether parameters can have settings of their own.
    fn takes_groups(&self) -> bool {
        true
    }

    /// The names of what it remembers of each parameter; those of its rule.
    fn slots(&self) -> &'static [&'static str] {
        &[]
    }

    /// The shapes of what it remembers; those of its rule.
    fn slot_shape(&self) -> SlotShape {
        |_, shape| shape.to_vec()
    }

    /// What it remembers.
    fn memory(&self) -> &Memory;

    /// What it remembers, to be changed.
    fn memory_mut(&mut self) -> &mut Memory;

    /// The name shown in reports.
    fn name(&self) -> Cow<'static, str> {
        crate::module::short_name(std::any::type_name::<Self>())
    }

    /// The entry that a file names it by, with every setting; `None` for what no file can hold.
    fn entry(&self) -> Option<Entry> {
        None
    }

    /// The learning rate, of parameters in no group.
    fn lr(&self) -> f64 {
        self.memory().lr()
    }

    /// Sets the learning rate; those of groups change in proportion.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    fn set_lr(&mut self, lr: f64) {
        self.memory_mut().set_lr(lr);
    }

    /// The momentum, or β₁, where it has one that is above 0 and may change from step to step.
    fn momentum(&self) -> Option<f64> {
        None
    }

    /// Sets the momentum, or β₁, as a schedule does that cycles it.
    ///
    /// # Panics
    /// When there is none, see [`momentum`](Optimizer::momentum), or it is not in 0..1.
    #[track_caller]
    fn set_momentum(&mut self, momentum: f64) {
        let _ = momentum;
        no_momentum(&self.name());
    }

    /// Checks that it fits a model: that every group has a parameter there.
    ///
    /// # Errors
    /// A pattern that fits no name, with the one that was meant; a group that changes nothing.
    fn check(&self, model: &dyn Module) -> Result<()> {
        self.memory().check_groups(&self.name().to_lowercase(), model)
    }

    /// Everything needed to continue exactly: tensors by name, such as `m/fc.weight` and `step/fc.weight`.
    fn state(&self) -> OptimizerState {
        self.memory().state(&self.name())
    }

    /// Continues from a saved state of the same optimizer on the same model.
    ///
    /// # Errors
    /// When the state is another optimizer's, or names a parameter or shape that the model does not have.
    fn load_state(&mut self, model: &dyn Module, state: &OptimizerState) -> Result<()> {
        let (name, slots) = (self.name(), (self.slots(), self.slot_shape()));
        self.memory_mut().load(&name, slots, model, state)
    }

    /// The same with settings of its own for the parameters whose names fit the pattern; later groups go before earlier
    /// ones.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let opt = AdamW::new(1e-3).decay(0.05).group("*.bias", |g| g.decay(0.0).lr(2e-3));
    /// # let _ = opt;
    /// ```
    ///
    /// # Panics
    /// When it has no groups, because it moves all parameters as one or takes the steps of another optimizer.
    #[must_use]
    #[track_caller]
    fn group(mut self, pattern: impl Into<String>, settings: impl FnOnce(Group) -> Group) -> Self
    where
        Self: Sized,
    {
        if !self.takes_groups() {
            mapsto_tensor::fail!("group", "{} has no groups", self.name();
                                 help = "give them to the optimizer inside, if there is one");
        }
        self.memory_mut().add_group(pattern.into(), settings(Group::default()));
        self
    }
}

/// How often a step of an optimizer computes the loss of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// Once, as most do: gradients are all that it needs.
    Once,
    /// Several times, at weights nearby.
    Again,
    /// Several times, and compares one step with the next, which must be of the same samples.
    AlwaysAtTheSame,
}

#[track_caller]
fn needs_an_objective(optimizer: &str) -> ! {
    mapsto_tensor::fail!(optimizer, "a step computes the loss again";
        help = "take it with the loss: `opt.descend(&mut Closure::new(&mut net, |net| mse(&net.forward(&x), &y)))`; the trainer does so by itself")
}

#[track_caller]
fn no_momentum(optimizer: &str) -> ! {
    mapsto_tensor::fail!(optimizer, "there is no momentum that could be set";
        help = "give it one above 0, such as `Sgd::new(0.1).momentum(0.9)`, or take `Adam`, whose β₁ it is")
}

/// The value of an entry of an optimizer that changes the steps of another one.
const INSIDE: (&str, &str) =
    ("", "the optimizer whose steps are changed, with its learning rate and settings");

/// That an optimizer may be inside of one that decides when the loss is computed.
fn inside(outer: &str, optimizer: &dyn Optimizer) -> Result<()> {
    if optimizer.looks() == Looks::Once {
        return Ok(());
    }
    let message = format!("{outer}: `{}` computes the loss again itself", optimizer.name());
    Err(Error::new(ErrorKind::Usage, message)
        .help("take it alone, or another optimizer inside, such as `adamw`"))
}

/// The optimizer inside of an entry, if it fits.
fn read_inner(args: &mut Args, fits: impl Fn(&dyn Optimizer) -> Result<()>) -> Result<Box<dyn Optimizer>> {
    let entry: Entry = args.main()?;
    let (optimizer, entry) = mapsto_spec::filled::<dyn Optimizer>(&entry, &())?;
    fits(&*optimizer).map_err(|e| {
        let help = e.help_text().unwrap_or_default().to_string();
        args.error("", e.message()).help(help)
    })?;
    args.record_main(entry);
    Ok(optimizer)
}

/// The state of the optimizer inside, of a state of the one around it, which is called `name`.
fn of_inner(state: &OptimizerState, name: &str, inner: &dyn Optimizer) -> Result<OptimizerState> {
    if state.name != name {
        let message = format!("optimizer state: it is of `{}`, this is `{name}`", state.name);
        return Err(Error::new(ErrorKind::Model, message));
    }
    Ok(OptimizerState { name: inner.name().into(), ..state.clone() })
}

impl Optimizer for Box<dyn Optimizer> {
    fn step(&mut self, model: &mut dyn Module, grads: Grads) {
        (**self).step(model, grads);
    }
    fn descend(&mut self, objective: &mut dyn Objective) -> Result<f64> {
        (**self).descend(objective)
    }
    fn looks(&self) -> Looks {
        (**self).looks()
    }
    fn eval(&mut self, model: &mut dyn Module) -> Result<()> {
        (**self).eval(model)
    }
    fn train(&mut self, model: &mut dyn Module) -> Result<()> {
        (**self).train(model)
    }
    fn shows_other_weights(&self) -> bool {
        (**self).shows_other_weights()
    }
    fn takes_groups(&self) -> bool {
        (**self).takes_groups()
    }
    fn momentum(&self) -> Option<f64> {
        (**self).momentum()
    }
    fn set_momentum(&mut self, momentum: f64) {
        (**self).set_momentum(momentum);
    }
    fn check(&self, model: &dyn Module) -> Result<()> {
        (**self).check(model)
    }
    fn state(&self) -> OptimizerState {
        (**self).state()
    }
    fn load_state(&mut self, model: &dyn Module, state: &OptimizerState) -> Result<()> {
        (**self).load_state(model, state)
    }
    fn memory(&self) -> &Memory {
        (**self).memory()
    }
    fn memory_mut(&mut self) -> &mut Memory {
        (**self).memory_mut()
    }
    fn slots(&self) -> &'static [&'static str] {
        (**self).slots()
    }
    fn slot_shape(&self) -> SlotShape {
        (**self).slot_shape()
    }
    fn name(&self) -> Cow<'static, str> {
        (**self).name()
    }
    fn entry(&self) -> Option<Entry> {
        (**self).entry()
    }
}

/// A line of [`OPTIMIZERS`].
pub type OptimizerKind = Kind<dyn Optimizer>;

/// Every optimizer that can be named in a file.
///
/// Each that takes its own steps on each parameter has `groups`, a list of patterns with settings: `groups = [{ "*.bias" = true, decay = 0.0 }]`.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_spec::{Entry, build};
/// let opt = build::<dyn Optimizer>(&Entry::new("adamw").with_value(1e-3), &())?;
/// assert_eq!(opt.lr(), 1e-3);
/// let said = "{ adamw = 0.001, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, decay = 0.01, amsgrad = false }";
/// assert_eq!(opt.entry().unwrap().to_string(), said);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub const OPTIMIZERS: &[OptimizerKind] = &[
    sgd::KIND,
    rmsprop::KIND,
    adagrad::KIND,
    adam::KIND,
    adamw::KIND,
    adadelta::KIND,
    adamax::KIND,
    nadam::KIND,
    radam::KIND,
    lion::KIND,
    lamb::KIND,
    lars::KIND,
    adafactor::KIND,
    rprop::KIND,
    muon::KIND,
    asgd::KIND,
    lbfgs::KIND,
    schedule_free_adamw::KIND,
    schedule_free_sgd::KIND,
    sam::KIND,
    lookahead::KIND,
    weight_ema::KIND,
];

impl Family for dyn Optimizer {
    const NOUN: &'static str = "optimizer";
    type Given = ();
    fn kinds() -> &'static [OptimizerKind] {
        OPTIMIZERS
    }
    fn entry_of(optimizer: &dyn Optimizer, (): &()) -> Option<Entry> {
        optimizer.entry()
    }
    fn finish(mut optimizer: Box<dyn Optimizer>, args: &mut Args) -> Result<Box<dyn Optimizer>> {
        if !optimizer.takes_groups() {
            return Ok(optimizer);
        }
        if let Some(groups) = args.optional::<Vec<Entry>>(GROUPS.0).map_err(|e| e.help(group::SPELLING))? {
            let mut rendered = Vec::new();
            for entry in &groups {
                let (group, entry) = group::from_entry(entry).map_err(|e| match entry.span {
                    Some(span) => e.with_span(span.into()),
                    None => e,
                })?;
                optimizer.memory_mut().add_group(entry.name.clone(), group);
                rendered.push(entry);
            }
            args.record(
                GROUPS.0,
                Value::List(rendered.into_iter().map(|e| Value::Entry(Box::new(e))).collect()),
            );
        }
        Ok(optimizer)
    }
}

/// The option that every optimizer takes, and its meaning.
const GROUPS: (&str, &str) =
    ("groups", "patterns of names with settings of their own, as `[{ \"*.bias\" = true, decay = 0.0 }]`");

/// The learning rate of an entry.
fn lr(args: &mut Args, default: f64) -> Result<f64> {
    Bounds::AT_LEAST_0.main(args, "learning rate", default)
}

#[cfg(test)]
mod tests;

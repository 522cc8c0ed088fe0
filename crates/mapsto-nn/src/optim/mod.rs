//! The optimizers, one file each, and the list of those that can be named in a file: how gradients change parameters.

/// What every optimizer says that has its settings in `rule` and what it remembers in `memory`.
macro_rules! by_rule {
    ($name:literal) => {
        #[track_caller]
        fn step(&mut self, model: &mut dyn Module, grads: Grads) {
            self.memory.apply($name, &self.rule, model, grads);
        }
        fn slots(&self) -> &'static [&'static str] {
            self.rule.slots()
        }
        fn slot_shape(&self) -> $crate::optim::SlotShape {
            self.rule.slot_shape()
        }
        fn memory(&self) -> &Memory {
            &self.memory
        }
        fn memory_mut(&mut self) -> &mut Memory {
            &mut self.memory
        }
    };
}

mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod adamw;
mod check_rule;
mod group;
mod lamb;
mod lars;
mod lion;
mod memory;
mod muon;
mod nadam;
mod radam;
mod rmsprop;
mod rprop;
mod rule;
mod sgd;

pub use adadelta::Adadelta;
pub use adafactor::Adafactor;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamax::Adamax;
pub use adamw::AdamW;
pub use check_rule::{RuleCheck, check_rule};
pub use group::Group;
pub use lamb::Lamb;
pub use lars::Lars;
pub use lion::Lion;
pub use memory::{Memory, OptimizerState};
pub use muon::Muon;
pub use nadam::NAdam;
pub use radam::RAdam;
pub use rmsprop::RmsProp;
pub use rprop::Rprop;
use rule::norm;
pub use rule::{Rule, Scalar, SlotShape, Update};
pub use sgd::Sgd;

/// What `cargo xtask new optimizer` writes, which has to compile and to pass its test.
#[cfg(test)]
#[path = "../../../../xtask/src/templates/optimizer.txt"]
mod template;

use crate::Module;
use mapsto_spec::{Args, Bounds, Entry, Family, Kind, Value};
use mapsto_tensor::{Grads, Result};
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
    /// When no parameter of the model has a gradient, a group's pattern fits no name, or an optimizer that divides by the size
    /// of gradients meets one whose square is infinite (above 10¹⁹ in f32): its element would never move again.
    fn step(&mut self, model: &mut dyn Module, grads: Grads);

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
    #[must_use]
    fn group(mut self, pattern: impl Into<String>, settings: impl FnOnce(Group) -> Group) -> Self
    where
        Self: Sized,
    {
        self.memory_mut().add_group(pattern.into(), settings(Group::default()));
        self
    }
}

impl Optimizer for Box<dyn Optimizer> {
    fn step(&mut self, model: &mut dyn Module, grads: Grads) {
        (**self).step(model, grads);
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
/// Each takes `groups`, a list of patterns with settings: `groups = [{ "*.bias" = true, decay = 0.0 }]`.
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

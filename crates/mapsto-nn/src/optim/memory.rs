//! What an optimizer remembers of each parameter, under the parameter's identity, and how its rule is applied to all.

use super::Group;
use super::rule::{Now, Rule, SlotShape, Update};
use crate::module::{Item, ItemMut, Module, Param, Path, matches, unknown};
use mapsto_spec::{Bounds, Entry, Value};
use mapsto_tensor::error::raise;
use mapsto_tensor::{DType, Error, ErrorKind, Grads, LeafId, Result, Tensor, fail, no_grad};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::panic::Location;

/// What an optimizer remembers.
///
/// ```
/// use mapsto_nn::optim::{Memory, Optimizer, Sgd};
/// let mut opt = Sgd::new(0.5);
/// opt.memory_mut().set_lr(0.25);
/// assert_eq!((opt.memory().lr(), opt.memory().base()), (0.25, 0.5));
/// ```
#[derive(Debug, Default)]
pub struct Memory {
    lr: f64,
    /// The learning rate at the beginning, to which those of groups are in proportion.
    base: f64,
    groups: Vec<(String, Group)>,
    slots: BTreeMap<LeafId, Slot>,
}

/// What is remembered of one parameter.
#[derive(Debug)]
struct Slot {
    name: String,
    step: u64,
    group: Group,
    kinds: &'static [&'static str],
    tensors: Vec<Tensor>,
    /// Of a parameter in half precision, its value in f32: steps smaller than the parameter's last digit add up here.
    master: Option<Tensor>,
    /// Of a parameter that holds what is to be judged, the value that it is trained at.
    trained: Option<Tensor>,
}

/// The names of [`Slot::master`] and [`Slot::trained`] in a saved state.
const MASTER: &str = "master";
const TRAINED: &str = "trained";

/// Everything that an optimizer needs to continue exactly.
#[derive(Clone, Debug)]
pub struct OptimizerState {
    /// The optimizer's name.
    pub name: String,
    /// The learning rate.
    pub lr: f64,
    /// Tensors by name: `m/fc.weight`, of a parameter in f16 or bf16 also its value in f32, `master/fc.weight`, and the
    /// number of updates `step/fc.weight` as one i64.
    pub tensors: Vec<(String, Tensor)>,
}

/// Says that a parameter lacks its gradient because a part of the forward pass ran in a thread without a scope.
#[track_caller]
fn check_threads(op: &str, model: &dyn Module, grads: &Grads) {
    let mut missing = None;
    model.visit(&mut Path::new(), &mut |path, item| {
        if let Item::Param(p) = item
            && !p.is_frozen()
            && grads.by_id(p.id()).is_none()
        {
            missing.get_or_insert_with(|| path.to_string());
        }
    });
    if let Some(name) = missing {
        fail!(op, "`{name}` has no gradient, and values that another thread computed outside of `train(|| ..)` went into the loss as constants";
              help = "a scope holds for the thread that opens it: call `train(|| ..)` inside the other thread; if those values are meant as constants, compute them inside `no_grad(|| ..)`, and freeze what is not to be trained");
    }
}

/// Says that a gradient is not its parameter's.
#[cold]
fn unfit(op: &str, path: &Path, p: &Param, g: &Tensor, line: &'static Location<'static>) -> ! {
    let (of, there) = (p.shape(), g.shape());
    let mistake = format!("{op}: the gradient of `{path}` has the shape {there:?}, the parameter has {of:?}");
    let help = format!(
        "insert a gradient that has the parameter's shape: `grads.insert({path}.id(), g)` with `g` of {of:?}"
    );
    raise(Error::new(ErrorKind::Model, mistake).on_line(line).help(help))
}

/// What to do where an optimizer remembers something else than the one that was saved.
const OTHER_SETTINGS: &str = "take the settings that the run was started with: a setting that needs a memory of its own, such as `momentum` of `sgd` or `amsgrad` of `adam`, can neither be added nor left out on the way";

impl Memory {
    /// Of nothing yet, with a learning rate.
    ///
    /// # Panics
    /// When the learning rate is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Memory {
        let lr = Bounds::AT_LEAST_0.check("optimizer", "learning rate", lr);
        Memory { lr, base: lr, ..Memory::default() }
    }

    /// Applies a rule to every parameter that has a gradient and is not frozen.
    ///
    /// # Panics
    /// When there is none, when all are frozen, when a group's pattern fits no name, when a gradient's square is infinite,
    /// when a gradient has another shape than its parameter, or when a parameter has no gradient beside values that another
    /// thread computed outside of `train(|| ..)`.
    #[track_caller]
    pub fn apply<R: Rule>(&mut self, op: &'static str, rule: &R, model: &mut dyn Module, grads: Grads) {
        if self.slots.is_empty()
            && let Err(e) = self.check_groups(op, model)
        {
            raise(e);
        }
        if grads.misses_another_thread() {
            check_threads(op, model, &grads);
        }
        let (mut updated, line) = (0, Location::caller());
        model.visit_mut(&mut Path::new(), &mut |path, item| {
            let ItemMut::Param(p) = item else { return };
            if p.is_frozen() {
                return;
            }
            let Some(g) = grads.by_id(p.id()) else { return };
            if g.layout().shape() != p.layout().shape() {
                unfit(op, path, p, g, line);
            }
            self.update(op, rule, path, p, g, line);
            updated += 1;
        });
        if updated == 0 {
            let (mut all, mut frozen) = (0, 0);
            model.visit(&mut Path::new(), &mut |_, item| {
                if let Item::Param(p) = item {
                    (all, frozen) = (all + 1, frozen + usize::from(p.is_frozen()));
                }
            });
            if all == 0 {
                fail!(op, "the model has no parameters");
            }
            if frozen == all {
                fail!(op, "all {all} parameters of the model are frozen"; help = "unfreeze those that are to be trained, e.g. `model.unfreeze(\"*\")`");
            }
            fail!(op, "none of the model's parameters has a gradient";
                  help = "was the loss computed from this very model, inside `train(|| ..)`?");
        }
    }

    fn update<R: Rule>(
        &mut self,
        op: &'static str,
        rule: &R,
        path: &Path,
        p: &mut Param,
        g: &Tensor,
        line: &'static Location<'static>,
    ) {
        let dtype = updated_in(p.dtype());
        let (lr, base) = (self.lr, self.base);
        let groups = &self.groups;
        let slot = self.slots.entry(p.id()).or_insert_with(|| {
            let name = path.to_string();
            let shape = rule.slot_shape();
            let zeros = |slot| p.device().scope(|| Tensor::full_of(shape(slot, p.shape()), 0.0, dtype));
            let tensors = (0..rule.slots().len()).map(zeros).collect();
            let group = group_of(groups, &name);
            Slot { group, name, step: 0, kinds: rule.slots(), tensors, master: None, trained: None }
        });
        if slot.trained.is_some() {
            let mistake =
                format!("{op}: `{path}` holds the weights to be judged, and this is a gradient of them");
            raise(Error::new(ErrorKind::Usage, mistake).on_line(line).help(
                "call `opt.train(&mut model)` before the forward pass, and `opt.eval(&mut model)` before validation",
            ));
        }
        slot.step += 1;
        // A state that was loaded from a file lies on another device than the model, before its first step.
        let device = p.device();
        slot.tensors.iter_mut().filter(|t| t.device() != device).for_each(|t| *t = t.to_device(device));
        let lr = match slot.group.lr {
            // With a rate of 0 at the beginning there is no proportion to keep.
            Some(own) if base > 0.0 => own * (lr / base),
            Some(own) => own,
            None => lr,
        };
        let now = Now { rule, now: Update { lr, step: slot.step, decay: slot.group.decay, op, line } };
        let g = match g.dtype() == dtype && g.layout().is_contiguous() {
            true => Cow::Borrowed(g),
            false => Cow::Owned(g.to(dtype).contiguous()),
        };
        match p.dtype() {
            DType::F32 | DType::F64 => p.update(|p| now.run(p, &g, &mut slot.tensors)),
            half => {
                let remembered = slot.master.take().map(|m| m.to_device(device));
                let mut master = master_of(p, remembered);
                now.run(&mut master, &g, &mut slot.tensors);
                p.update(|p| p.replace(&master.to(half)));
                slot.master = Some(master);
            }
        }
    }

    /// Puts what is remembered in a slot into the parameters, which [`hide`](Memory::hide) takes out again.
    pub(super) fn show(&mut self, slot: usize, model: &mut dyn Module) -> Result<()> {
        let mut done = Ok(());
        model.visit_mut(&mut Path::new(), &mut |_, item| {
            let ItemMut::Param(p) = item else { return };
            let Some(found) = self.slots.get_mut(&p.id()).filter(|found| found.trained.is_none()) else {
                return;
            };
            let before = p.detach();
            let shown = p.set(&found.shown(slot, p));
            found.trained = shown.is_ok().then_some(before);
            done = std::mem::replace(&mut done, Ok(())).and(shown);
        });
        done
    }

    /// Puts back what the parameters are trained at. Of one that was written to meanwhile everything is forgotten.
    pub(super) fn hide(&mut self, slot: usize, model: &mut dyn Module) -> Result<()> {
        let mut done = Ok(());
        model.visit_mut(&mut Path::new(), &mut |_, item| {
            let ItemMut::Param(p) = item else { return };
            let Some(found) = self.slots.get_mut(&p.id()) else { return };
            let Some(trained) = found.trained.take() else { return };
            let shown = found.shown(slot, p);
            let is_it = p.is_empty() || no_grad(|| (p.detach() - shown).abs().max(..).item()) == 0.0;
            match is_it {
                true => {
                    done = std::mem::replace(&mut done, Ok(())).and(p.set(&trained.to_device(p.device())))
                }
                false => drop(self.slots.remove(&p.id())),
            }
        });
        done
    }

    /// A parameter's value in the dtype that it is updated in.
    pub(super) fn wide(&self, p: &Param) -> Tensor {
        match is_half(p.dtype()) {
            true => master_of(p, self.slots.get(&p.id()).and_then(|slot| slot.master.clone())),
            false => p.detach(),
        }
    }

    /// Writes a value in the dtype that a parameter is updated in.
    pub(super) fn put(&mut self, p: &mut Param, wide: &Tensor) -> Result<()> {
        if let (true, Some(slot)) = (is_half(p.dtype()), self.slots.get_mut(&p.id())) {
            slot.master = Some(wide.clone());
        }
        p.set(&wide.to(p.dtype()))
    }

    /// Checks that every group has a parameter.
    pub(super) fn check_groups(&self, op: &str, model: &dyn Module) -> Result<()> {
        for (pattern, group) in &self.groups {
            if *group == Group::default() {
                let mistake = format!("{op}: the group `{pattern}` changes nothing");
                return Err(Error::new(ErrorKind::Usage, mistake)
                    .help("give it settings of its own, such as `|g| g.lr(0.1)`"));
            }
            let mut fits = false;
            model.visit(&mut Path::new(), &mut |path, item| {
                fits |= matches!(item, Item::Param(_)) && matches(pattern, &path.to_string());
            });
            if !fits {
                return Err(unknown(op, pattern, model));
            }
        }
        Ok(())
    }

    /// The learning rate, of parameters in no group.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// Sets the learning rate; those of groups change in proportion.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    pub fn set_lr(&mut self, lr: f64) {
        self.lr = Bounds::AT_LEAST_0.check("set_lr", "learning rate", lr);
    }

    /// Adds settings for the parameters whose names fit the pattern, before those of earlier groups.
    pub fn add_group(&mut self, pattern: String, group: Group) {
        self.groups.push((pattern, group));
        let groups = &self.groups;
        self.slots.values_mut().for_each(|slot| slot.group = group_of(groups, &slot.name));
    }

    pub(super) fn state(&self, optimizer: &str) -> OptimizerState {
        let mut slots: Vec<&Slot> = self.slots.values().collect();
        slots.sort_by(|a, b| a.name.cmp(&b.name));
        let mut tensors = Vec::new();
        for slot in slots {
            let master = slot.master.iter().map(|master| (&MASTER, master));
            let trained = slot.trained.iter().map(|trained| (&TRAINED, trained));
            for (kind, tensor) in slot.kinds.iter().zip(&slot.tensors).chain(master).chain(trained) {
                tensors.push((format!("{kind}/{}", slot.name), tensor.clone()));
            }
            tensors.push((format!("step/{}", slot.name), Tensor::from_slice(&[slot.step as i64], 1)));
        }
        OptimizerState { name: optimizer.to_string(), lr: self.lr, tensors }
    }

    pub(super) fn load(
        &mut self,
        optimizer: &str,
        (kinds, shape_of): (&'static [&'static str], SlotShape),
        model: &dyn Module,
        state: &OptimizerState,
    ) -> Result<()> {
        let wrong = |message: String| Error::new(ErrorKind::Model, format!("optimizer state: {message}"));
        if state.name != optimizer {
            return Err(wrong(format!("it is of `{}`, this is `{optimizer}`", state.name)));
        }
        if !Bounds::AT_LEAST_0.hold(state.lr) {
            return Err(wrong(Bounds::AT_LEAST_0.complaint("learning rate", state.lr)));
        }
        let mut params: HashMap<String, (LeafId, Vec<usize>, DType)> = HashMap::new();
        model.visit(&mut Path::new(), &mut |path, item| {
            if let Item::Param(p) = item {
                params.insert(path.to_string(), (p.id(), p.shape().to_vec(), p.dtype()));
            }
        });
        let mut slots: BTreeMap<LeafId, Slot> = BTreeMap::new();
        for (key, tensor) in &state.tensors {
            let (slot_name, name) =
                key.split_once('/').ok_or_else(|| wrong(format!("`{key}` does not belong to it")))?;
            let (id, shape, own) =
                params.get(name).ok_or_else(|| wrong(format!("the model has no parameter `{name}`")))?;
            let slot = slots.entry(*id).or_insert_with(|| Slot {
                name: name.to_string(),
                step: 0,
                group: group_of(&self.groups, name),
                kinds,
                tensors: Vec::new(),
                master: None,
                trained: None,
            });
            if slot_name == "step" {
                if tensor.dtype() != DType::I64 || tensor.len() != 1 {
                    return Err(wrong(format!("`{key}` should be one i64")));
                }
                slot.step = u64::try_from(tensor.to_vec::<i64>()[0])
                    .map_err(|_| wrong(format!("`{key}` is negative")))?;
                continue;
            }
            // Saved in the order of the slots, and read in it.
            let at = slot.tensors.len();
            if ![MASTER, TRAINED].contains(&slot_name) && kinds.get(at) != Some(&slot_name) {
                if !kinds.contains(&slot_name) {
                    let lost = format!(
                        "it remembers `{slot_name}` of `{name}`, and this `{optimizer}` does not use it"
                    );
                    return Err(wrong(lost).help(OTHER_SETTINGS));
                }
                return Err(wrong(format!("`{key}` is out of place")));
            }
            let dtype = if slot_name == TRAINED { *own } else { updated_in(*own) };
            let shape =
                if [MASTER, TRAINED].contains(&slot_name) { shape.clone() } else { shape_of(at, shape) };
            if tensor.shape() != &shape[..] || tensor.dtype() != dtype {
                let found = format!("{:?} {}", tensor.shape(), tensor.dtype());
                return Err(wrong(format!("`{key}` should be {shape:?} {dtype}, found {found}")));
            }
            if slot_name == TRAINED {
                slot.trained = Some(tensor.detach().contiguous());
                continue;
            }
            if slot_name == MASTER {
                if !is_half(*own) {
                    return Err(wrong(format!("`{key}` belongs to half precision, the parameter is {own}")));
                }
                slot.master = Some(tensor.detach().contiguous());
                continue;
            }
            slot.tensors.push(tensor.detach().contiguous());
        }
        if let Some(slot) = slots.values().find(|slot| slot.tensors.len() != kinds.len()) {
            let (kind, name) = (kinds[slot.tensors.len()], &slot.name);
            let lost =
                format!("it does not remember `{kind}` of `{name}`, which this `{optimizer}` goes on from");
            return Err(wrong(lost).help(OTHER_SETTINGS));
        }
        if let Some(slot) = slots.values().find(|slot| slot.master.is_none() && is_half(params[&slot.name].2))
        {
            return Err(wrong(format!("`{MASTER}/{}` is missing", slot.name)));
        }
        (self.lr, self.slots) = (state.lr, slots);
        Ok(())
    }

    /// The learning rate at the beginning, before any schedule.
    pub fn base(&self) -> f64 {
        self.base
    }

    /// An optimizer's entry with the groups that it has.
    pub fn with_groups(&self, entry: Entry) -> Entry {
        if self.groups.is_empty() {
            return entry;
        }
        let groups = self.groups.iter().map(|(pattern, group)| Value::Entry(Box::new(group.entry(pattern))));
        entry.with_option("groups", Value::List(groups.collect()))
    }
}

impl Slot {
    /// What a slot remembers, as the parameter would hold it.
    fn shown(&self, slot: usize, p: &Param) -> Tensor {
        self.tensors[slot].to_device(p.device()).to(p.dtype())
    }
}

/// The dtype in which a parameter is updated, and in which everything is that is remembered of it.
fn updated_in(dtype: DType) -> DType {
    if dtype == DType::F64 { DType::F64 } else { DType::F32 }
}

fn is_half(dtype: DType) -> bool {
    updated_in(dtype) != dtype
}

/// The value in f32 of a parameter in half precision: the remembered one, and the parameter's own wherever somebody else
/// has written to it since (a loaded state, restored weights).
fn master_of(p: &Param, remembered: Option<Tensor>) -> Tensor {
    let own = p.detach().to(DType::F32).contiguous();
    let Some(master) = remembered else { return own };
    let rounded = master.to(p.dtype()).to(DType::F32);
    own.eq(&rounded).choose(&master, &own).contiguous()
}

fn group_of(groups: &[(String, Group)], name: &str) -> Group {
    let fitting = groups.iter().rev().filter(|(pattern, _)| matches(pattern, name));
    fitting.fold(Group::default(), |group, (_, other)| group.or(*other))
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    fn one_step(net: &mut Linear, opt: &mut dyn Optimizer) {
        let x = tensor![[1.0, -2.0], [0.5, 3.0]];
        let grads = train(|| net.forward(&x).square().sum(..)).backward();
        opt.step(net, grads);
    }

    #[test]
    fn a_saved_state_continues_to_the_bit() {
        let mut net = Linear::new(2, 1);
        let mut opt = Adam::new(0.1);
        (0..3).for_each(|_| one_step(&mut net, &mut opt));
        opt.set_lr(0.03);
        let (weights, state) = (net.state_dict(), opt.state());
        let names: Vec<&str> = state.tensors.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["m/bias", "v/bias", "step/bias", "m/weight", "v/weight", "step/weight"]);
        (0..3).for_each(|_| one_step(&mut net, &mut opt));

        let mut again = Linear::new(2, 1);
        again.load_state_dict(weights, &Exceptions::none()).unwrap();
        let mut resumed = Adam::new(1.0);
        resumed.load_state(&again, &state).unwrap();
        (0..3).for_each(|_| one_step(&mut again, &mut resumed));
        assert_eq!(net.weight.to_vec::<f32>(), again.weight.to_vec::<f32>());
        assert_eq!(resumed.lr(), 0.03);
    }

    #[test]
    fn a_gradient_of_another_shape_is_refused() {
        for opt in <dyn Optimizer as mapsto_spec::Family>::kinds().iter().map(|kind| kind.sample()) {
            for shape in [&[1, 2][..], &[2], &[1], &[], &[4, 1]] {
                let mut opt = mapsto_spec::build::<dyn Optimizer>(&opt, &()).unwrap();
                if opt.looks() != crate::optim::Looks::Once {
                    continue;
                }
                let mut net = Linear::new(2, 2).no_bias();
                let mut grads = Grads::new();
                grads.insert(net.weight.id(), Tensor::ones(shape));
                let e = catch(|| opt.step(&mut net, grads)).unwrap_err();
                assert!(e.message().contains("the gradient of `weight` has the shape"), "{e}");
                assert!(e.help_text().is_some(), "{e}");
            }
        }
    }
}

//! `Cx`: the only door to an optimizer, through which every step of every task goes.

use super::averager::Averager;
use super::looking::{self, Units, Weights};
use super::replay::{self, Failed};
use super::{Plan, non_finite};
use crate::Step;
use crate::callbacks::{Callback, Gradients, Inside, Moment, UnitsInside};
use mapsto_nn::optim::{Before, Looks, Objective, Part};
use mapsto_nn::{GradScaler, Item, Module, Optimizer, Path, Segment};
use mapsto_tensor::{DType, Error, ErrorKind, Grads, LeafId, Result, Tensor, random, trace, train};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// A batch as the steps of a task see it.
///
/// Training mode, the search for the first NaN, accumulation, clipping, callbacks, the schedule and the optimizer stand behind
/// [`descend`](Cx::descend), once for all tasks.
pub struct Cx<'a>(&'a mut (dyn Descend + 'a));

impl Cx<'_> {
    /// Lowers a loss by a step of the first optimizer, in the parameters of `part` and in no others.
    ///
    /// `part` is the model or one of its fields; the loss may look at other fields, whose gradients are dropped.
    ///
    /// # Errors
    /// A loss or gradient that is not finite, by name; a part that is not of the model; what a callback reports.
    pub fn descend<P: Module, R: Into<Step>>(
        &mut self,
        part: &mut P,
        loss: impl Fn(&P) -> R,
    ) -> Result<Step> {
        self.run(None, part, loss)
    }

    /// As [`descend`](Cx::descend), by a step of the optimizer that
    /// [`Trainer::optimizer`](crate::Trainer::optimizer) gave this name; the first is called `main`.
    ///
    /// # Errors
    /// As [`descend`](Cx::descend); also when no optimizer has that name.
    pub fn descend_by<P: Module, R: Into<Step>>(
        &mut self,
        optimizer: &str,
        part: &mut P,
        loss: impl Fn(&P) -> R,
    ) -> Result<Step> {
        self.run(Some(optimizer), part, loss)
    }

    /// The steps that all optimizers have taken since the start of the run: for what is done every so often.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.0.steps()
    }

    fn run<P: Module, R: Into<Step>>(
        &mut self,
        by: Option<&str>,
        part: &mut P,
        loss: impl Fn(&P) -> R,
    ) -> Result<Step> {
        let by = self.0.find(by)?;
        self.0.descend(by, &mut Lowered { part, loss: |part: &P| loss(part).into() })
    }
}

/// A part of a model and what is to be lowered in it, of whatever type.
trait Lower {
    fn part(&self) -> &dyn Module;
    fn part_mut(&mut self) -> &mut dyn Module;
    fn loss(&self) -> Step;
}

struct Lowered<'p, P, F> {
    part: &'p mut P,
    loss: F,
}

impl<P: Module, F: Fn(&P) -> Step> Lower for Lowered<'_, P, F> {
    fn part(&self) -> &dyn Module {
        self.part
    }
    fn part_mut(&mut self) -> &mut dyn Module {
        self.part
    }
    fn loss(&self) -> Step {
        (self.loss)(self.part)
    }
}

/// What stands behind a [`Cx`]: the same code for every task.
trait Descend {
    fn find(&self, by: Option<&str>) -> Result<usize>;
    fn descend(&mut self, by: usize, lowered: &mut dyn Lower) -> Result<Step>;
    fn steps(&self) -> u64;
}

/// Gradients of a mean and how much that weighs; none of a mean of nothing.
type Weighed = Option<(Grads, f64)>;

/// An optimizer, and where it is.
pub(super) struct Driver<'a> {
    pub(super) name: &'a str,
    pub(super) optimizer: &'a mut dyn Optimizer,
    /// The learning rate before any schedule.
    pub(super) base_lr: f64,
    /// The momentum before any schedule.
    pub(super) base_momentum: Option<f64>,
    pub(super) steps: u64,
    /// Gradients of the batches since the last step, each times its weight, and the sum of the weights.
    pending: Weighed,
    /// Whether it was used for the batch under way.
    used: bool,
    /// Whether it was used for any batch of the run.
    pub(super) was_used: bool,
}

/// The optimizers of a run with all that belongs to their steps.
pub(super) struct Engine<'a> {
    pub(super) plan: &'a Plan,
    pub(super) drivers: Vec<Driver<'a>>,
    pub(super) callbacks: Vec<&'a mut dyn Callback>,
    /// Where each parameter of the model is.
    names: HashMap<LeafId, Path>,
    /// The batch under way.
    pub(super) place: non_finite::Place,
    rows: f64,
    /// Whether optimizers step in this batch, or gradients are only added up.
    due: bool,
    /// The loss that was not finite, if one was: then the batch itself is looked at.
    pub(super) ruined: Option<f64>,
    /// The step that gave a number that is not finite, if one did.
    pub(super) failed: Option<Failed>,
    /// The scale of losses in f16; none in another precision.
    pub(super) scaler: Option<GradScaler>,
    /// Whether gradients of the batch under way were not finite, so that a step was left out.
    skipped: bool,
    /// Whether a callback looks into the step under way, and which step of the first optimizer that is.
    looks: bool,
    looks_at: u64,
    /// What activations gave in the forward pass of such a step.
    units: Vec<UnitsInside>,
    /// The average of the weights, where one is judged in place of them.
    pub(super) averager: Option<Averager>,
}

impl<'a> Engine<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        optimizers: &'a mut [(String, Box<dyn Optimizer>)],
        callbacks: Vec<&'a mut dyn Callback>,
    ) -> Engine<'a> {
        let driver = |(name, optimizer): &'a mut (String, Box<dyn Optimizer>)| Driver {
            name,
            base_lr: optimizer.lr(),
            base_momentum: optimizer.momentum(),
            optimizer: &mut **optimizer,
            steps: 0,
            pending: None,
            used: false,
            was_used: false,
        };
        let drivers: Vec<Driver<'a>> = optimizers.iter_mut().map(driver).collect();
        Engine {
            plan,
            drivers,
            callbacks,
            names: HashMap::new(),
            place: non_finite::Place::default(),
            rows: 0.0,
            due: true,
            ruined: None,
            failed: None,
            scaler: (plan.precision == DType::F16).then(|| plan.scaler.clone()),
            skipped: false,
            looks: false,
            looks_at: 0,
            units: Vec::new(),
            averager: plan.averaging.as_ref().map(Averager::new),
        }
    }

    /// Learns where the parameters of the model are.
    pub(super) fn look_at(&mut self, model: &dyn Module) {
        let names = &mut self.names;
        names.clear();
        model.visit(&mut Path::new(), &mut |path, item| {
            if let Item::Param(p) = item {
                names.insert(p.id(), path.clone());
            }
        });
    }

    /// Begins a batch of so many samples, in which optimizers step or only gather.
    pub(super) fn begin(&mut self, rows: usize, due: bool) -> Cx<'_> {
        (self.rows, self.due) = (rows as f64, due);
        self.drivers.iter_mut().for_each(|driver| driver.used = false);
        // Several optimizers take several steps a batch: those of the first go up by one.
        self.looks_at = self.drivers[0].steps + 1;
        self.looks = due && self.callbacks.iter().any(|callback| callback.looks_into(self.looks_at));
        self.units.clear();
        Cx(self)
    }

    /// Checks that a batch in which optimizers step has left no gradients behind.
    pub(super) fn end(&mut self) -> Result<()> {
        let skipped = std::mem::take(&mut self.skipped);
        if let (Some(scaler), true) = (&mut self.scaler, self.due) {
            scaler.update(!skipped);
        }
        match self.drivers.iter().find(|driver| self.due && driver.pending.is_some()) {
            None => Ok(()),
            Some(Driver { name, .. }) => Err(Error::new(
                ErrorKind::Usage,
                format!("training: the optimizer `{name}` has gradients of earlier batches and takes no step in this one"),
            )
            .help("leave out `.accumulate(..)`, or let the task use every optimizer in every batch")),
        }
    }

    /// Checks after a run that something has learned.
    pub(super) fn check_used(&self) -> Result<()> {
        match self.drivers.iter().any(|driver| driver.was_used) {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::Usage,
                "training: no optimizer was used in the whole run, so the model has not changed",
            )
            .help("let the task's `step` call `cx.descend(model, |model| ..)`, or leave `step` out")),
        }
    }

    pub(super) fn all_steps(&self) -> u64 {
        self.drivers.iter().map(|driver| driver.steps).sum()
    }

    /// The loss, in training mode; the second is with the penalties on the weights.
    fn run(&self, lowered: &dyn Lower) -> (Step, Tensor) {
        with_penalties(self.plan, lowered)
    }

    /// As [`Engine::run`], with the outputs of layers shown to the callbacks that watch them.
    fn watched(&mut self, lowered: &dyn Lower) -> (Step, Tensor) {
        let seen: Rc<RefCell<Vec<(LeafId, Tensor)>>> = Rc::default();
        let units: Rc<RefCell<Units>> = Rc::default();
        let (out, inside) = (seen.clone(), self.looks.then(|| units.clone()));
        let ids = match self.watches() {
            true => self.names.keys().copied().collect::<HashSet<LeafId>>(),
            false => HashSet::new(),
        };
        let look = move |event: &trace::TraceEvent<'_>| {
            if let Some(inside) = &inside {
                inside.borrow_mut().see(event);
            }
            if let Some(id) = event.leaves().find(|id| ids.contains(id)) {
                out.borrow_mut().push((id, event.output.detach()));
            }
        };
        let result = trace::with(look, || self.run(lowered));
        if self.looks {
            let found = units.take().end(|id| self.layer_of(id));
            self.units.extend(found);
        }
        let seen = seen.take();
        let layers: Vec<String> = seen.iter().map(|(id, _)| self.layer_of(*id)).collect();
        for (i, ((_, y), layer)) in seen.iter().zip(&layers).enumerate() {
            // A layer of several operations gives what the last of them gave.
            if layers.get(i + 1) == Some(layer) {
                continue;
            }
            for callback in &mut self.callbacks {
                if callback.watches().is_some_and(|pattern| mapsto_nn::matches(pattern, layer)) {
                    callback.saw(layer, y);
                }
            }
        }
        result
    }

    /// `blocks.0.fc` of the parameter `blocks.0.fc.weight`.
    fn layer_of(&self, id: LeafId) -> String {
        looking::layer_of(&self.names, id)
    }

    /// Whether a callback watches outputs of layers.
    fn watches(&self) -> bool {
        self.callbacks.iter().any(|callback| callback.watches().is_some())
    }

    /// Keeps the gradients of this part, and finds under which path the part lies in the model.
    fn own(&self, part: &dyn Module, grads: Weighed) -> Result<(Weighed, Vec<Segment>)> {
        let (mut ids, mut prefix, mut lost) = (Vec::new(), None, None);
        part.visit(&mut Path::new(), &mut |path, item| {
            let Item::Param(p) = item else { return };
            ids.push(p.id());
            if prefix.is_none() && lost.is_none() {
                let whole = self.names.get(&p.id()).map(Path::segments);
                prefix = whole.and_then(|whole| whole.strip_suffix(path.segments()));
                lost = prefix.is_none().then(|| path.to_string());
            }
        });
        if let Some(name) = lost {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("training: the parameter `{name}` of the part that is to learn is not of the model"),
            )
            .help(
                "lend the model or one of its fields; put new weights into a model with `load_state_dict`",
            ));
        }
        let Some((grads, weight)) = grads else { return Ok((None, prefix.unwrap_or_default().to_vec())) };
        let held = ids.iter().filter(|&&id| grads.by_id(id).is_some()).count();
        let grads = match held == grads.len() {
            true => grads,
            // A loss of one part may reach others, as a generator's reaches the discriminator: those gradients are no part
            // of this step, and of its norm least of all.
            false => of_part(part, grads),
        };
        Ok((Some((grads, weight)), prefix.unwrap_or_default().to_vec()))
    }
}

impl Descend for Engine<'_> {
    fn find(&self, by: Option<&str>) -> Result<usize> {
        let Some(by) = by else { return Ok(0) };
        self.drivers.iter().position(|driver| driver.name == by).ok_or_else(|| {
            let names: Vec<&str> = self.drivers.iter().map(|driver| driver.name).collect();
            Error::new(ErrorKind::Usage, format!("training: no optimizer is called `{by}`"))
                .help(format!("there are {}; add it with `.optimizer(\"{by}\", ..)`", names.join(", ")))
        })
    }

    fn descend(&mut self, by: usize, lowered: &mut dyn Lower) -> Result<Step> {
        let before = Before::now();
        let (step, total, grads) = self.forward(&*lowered)?;
        self.update(by, lowered, total, grads, &before)?;
        Ok(step)
    }

    fn steps(&self) -> u64 {
        self.all_steps()
    }
}

impl Engine<'_> {
    /// What a loss gave, its value with the penalties, and its gradients.
    fn forward(&mut self, lowered: &dyn Lower) -> Result<(Step, f64, Weighed)> {
        let before = random::state();
        let is_watched = self.watches() || self.looks;
        let (mut step, total) = if is_watched { self.watched(lowered) } else { self.run(lowered) };
        let weight = step.weight.unwrap_or(self.rows);
        if weight == 0.0 {
            return Ok((step, 0.0, None));
        }
        let value = step.loss.item();
        let with_penalties = total.item();
        if !value.is_finite() || !with_penalties.is_finite() {
            self.ruined = Some(value);
            self.failed = Some(Failed { random: before, loss: value, gradients: None });
            return Err(non_finite::in_loss(&self.names, lowered.part(), value, &self.place, || {
                random::set_state(&before);
                let _ = self.run(lowered);
            }));
        }
        let grads = match &self.scaler {
            Some(scaler) => {
                let mut grads = scaler.scale(&total).backward();
                scaler.unscale(&mut grads);
                grads
            }
            None => total.backward(),
        };
        if self.scaler.is_none() && non_finite::any(lowered.part(), &grads) {
            let gradients = Some(replay::digest(lowered.part(), &grads));
            self.failed = Some(Failed { random: before, loss: value, gradients });
            // The operation, if the same pass shows it again; else the parameters.
            let again = || {
                random::set_state(&before);
                self.run(lowered).1.backward()
            };
            return Err(non_finite::in_backward(&self.names, lowered.part(), &grads, &self.place, again));
        }
        step.loss = step.loss.detach();
        Ok((step, with_penalties, Some((grads, weight))))
    }

    fn update(
        &mut self,
        by: usize,
        lowered: &mut dyn Lower,
        loss: f64,
        grads: Weighed,
        before: &Before,
    ) -> Result<()> {
        let (grads, prefix) = self.own(lowered.part(), grads)?;
        let (plan, due) = (self.plan, self.due);
        let driver = &mut self.drivers[by];
        driver.was_used = true;
        if std::mem::replace(&mut driver.used, true) && plan.accumulate > 1 {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("training: the optimizer `{}` takes several steps for a batch, so batches cannot be added up", driver.name),
            )
            .help("leave out `.accumulate(..)`"));
        }
        if let Some((grads, weight)) = grads {
            driver.pending = Some(match driver.pending.take() {
                None if plan.accumulate == 1 => (grads, weight),
                None => (grads * weight, weight),
                Some((mut sum, before)) => {
                    sum += grads * weight;
                    (sum, before + weight)
                }
            });
        }
        if !due {
            return Ok(());
        }
        let Some((mut grads, weight)) = driver.pending.take() else { return Ok(()) };
        if plan.accumulate > 1 && weight > 0.0 {
            grads.scale(1.0 / weight);
        }
        // Gradients of one pass without a scale were looked at as they came.
        let is_known = self.scaler.is_none() && plan.accumulate == 1;
        if !is_known && !grads.is_finite() {
            if self.scaler.as_ref().is_some_and(|scaler| scaler.get_scale() > 1.0) {
                self.skipped = true;
                return Ok(());
            }
            return Err(non_finite::in_gradients(&self.names, lowered.part(), &grads, &self.place));
        }
        plan.clip(&mut grads);
        if let Some(schedule) = &plan.schedule {
            let at = if plan.by_epoch { self.place.epoch as u64 - 1 } else { driver.steps };
            driver.optimizer.set_lr(schedule.lr(at, driver.base_lr));
            if let Some(momentum) = schedule.momentum(at) {
                driver.optimizer.set_momentum(momentum);
            }
        }
        if let (Some(averaging), Some(averager)) = (&plan.averaging, &self.averager)
            && let Some(base) = averager.rates.get(by)
            && let Some(lr) = averaging.lr_of(self.place.epoch, *base)
        {
            driver.optimizer.set_lr(lr);
        }
        for callback in &mut self.callbacks {
            if callback.moments().contains(&Moment::Gradients) {
                let (by, step) = (driver.name, driver.steps);
                let optimizer = &mut *driver.optimizer;
                callback.gradients(&mut Gradients {
                    by,
                    step,
                    optimizer,
                    grads: &mut grads,
                    names: &self.names,
                })?;
            }
        }
        let weights = self.looks.then(|| Weights::before(lowered.part(), &grads, &self.names));
        // The optimizer sees a part under its path in the model, so that groups and saved states go by the model's names.
        match driver.optimizer.looks() {
            Looks::Once if prefix.is_empty() => driver.optimizer.step(lowered.part_mut(), grads),
            Looks::Once => driver.optimizer.step(&mut Part::under(&prefix, lowered.part_mut()), grads),
            _ => {
                let known = Some((loss, grads));
                let mut again = Again { plan, prefix: &prefix, lowered, known, before };
                driver.optimizer.descend(&mut again)?;
            }
        }
        driver.steps += 1;
        if let Some(weights) = weights {
            let units = std::mem::take(&mut self.units);
            let look = Inside {
                step: self.place.step,
                epoch: self.place.epoch,
                lr: driver.optimizer.lr(),
                ..weights.after(lowered.part(), &self.names, units)
            };
            let at = self.looks_at;
            self.callbacks.iter_mut().filter(|c| c.looks_into(at)).for_each(|c| c.inside(&look));
        }
        Ok(())
    }
}

/// The loss of a step, in training mode; the second is with the penalties on the weights.
fn with_penalties(plan: &Plan, lowered: &dyn Lower) -> (Step, Tensor) {
    train(|| {
        let step = plan.forward(|| lowered.loss());
        let penalties = plan.penalties.iter().map(|penalty| penalty(lowered.part()));
        let total = penalties.fold(step.loss.clone(), |total, p| &total + &p);
        (step, total)
    })
}

/// The gradients of a part's own parameters.
fn of_part(part: &dyn Module, mut grads: Grads) -> Grads {
    let mut own = Grads::new();
    part.visit(&mut Path::new(), &mut |_, item| {
        if let Item::Param(p) = item
            && let Some(g) = grads.remove(p.id())
        {
            own.insert(p.id(), g);
        }
    });
    own
}

/// A step of an optimizer that looks at the loss more than once: what is known of it, and how it is computed again.
struct Again<'m> {
    plan: &'m Plan,
    prefix: &'m [Segment],
    lowered: &'m mut dyn Lower,
    known: Option<(f64, Grads)>,
    before: &'m Before,
}

impl Objective for Again<'_> {
    fn model(&mut self) -> Part<'_> {
        Part::under(self.prefix, self.lowered.part_mut())
    }

    fn gradients(&mut self) -> Result<(f64, Grads)> {
        if let Some(known) = self.known.take() {
            return Ok(known);
        }
        let lowered = &*self.lowered;
        let (loss, grads) = self.before.again(lowered.part(), || {
            let (_, total) = with_penalties(self.plan, lowered);
            (total.item(), total.backward())
        });
        let mut grads = of_part(lowered.part(), grads);
        // Those that are not finite are the optimizer's to refuse, or to come back from.
        if grads.is_finite() {
            self.plan.clip(&mut grads);
        }
        Ok((loss, grads))
    }
}

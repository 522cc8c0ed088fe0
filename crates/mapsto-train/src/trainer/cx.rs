//! `Cx`: the only door to an optimizer, through which every step of every task goes.

use super::{Plan, non_finite};
use crate::Step;
use crate::callbacks::{Callback, Gradients, Moment};
use mapsto_nn::{GradScaler, Item, ItemMut, Module, Optimizer, Path, Segment};
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
        let (step, grads) = self.0.forward(&*part, &|| loss(part).into())?;
        self.0.update(by, part, grads)?;
        Ok(step)
    }
}

/// What stands behind a [`Cx`]: the same code for every task.
trait Descend {
    fn find(&self, by: Option<&str>) -> Result<usize>;
    fn forward(&mut self, part: &dyn Module, loss: &dyn Fn() -> Step) -> Result<(Step, Weighed)>;
    fn update(&mut self, by: usize, part: &mut dyn Module, grads: Weighed) -> Result<()>;
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
    /// The scale of losses in f16; none in another precision.
    pub(super) scaler: Option<GradScaler>,
    /// Whether gradients of the batch under way were not finite, so that a step was left out.
    skipped: bool,
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
            scaler: (plan.precision == DType::F16).then(|| plan.scaler.clone()),
            skipped: false,
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
    fn run(&self, part: &dyn Module, loss: &dyn Fn() -> Step) -> (Step, Tensor) {
        train(|| {
            let step = self.plan.forward(loss);
            let penalties = self.plan.penalties.iter().map(|penalty| penalty(part));
            let total = penalties.fold(step.loss.clone(), |total, p| &total + &p);
            (step, total)
        })
    }

    /// As [`Engine::run`], with the outputs of layers shown to the callbacks that watch them.
    fn watched(&mut self, part: &dyn Module, loss: &dyn Fn() -> Step) -> (Step, Tensor) {
        let seen: Rc<RefCell<Vec<(LeafId, Tensor)>>> = Rc::default();
        let (out, ids) = (seen.clone(), self.names.keys().copied().collect::<HashSet<LeafId>>());
        let look = move |event: &trace::TraceEvent<'_>| {
            if let Some(id) = event.leaves().find(|id| ids.contains(id)) {
                out.borrow_mut().push((id, event.output.detach()));
            }
        };
        let result = trace::with(look, || self.run(part, loss));
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
        let name = self.names.get(&id).map(Path::to_string).unwrap_or_default();
        name.rsplit_once('.').map_or(String::new(), |(layer, _)| layer.to_string())
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
            false => {
                let mut own = Grads::new();
                let mut grads = grads;
                ids.iter().for_each(|&id| {
                    if let Some(g) = grads.remove(id) {
                        own.insert(id, g);
                    }
                });
                own
            }
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

    fn forward(&mut self, part: &dyn Module, loss: &dyn Fn() -> Step) -> Result<(Step, Weighed)> {
        let before = random::state();
        let is_watched = self.callbacks.iter().any(|callback| callback.watches().is_some());
        let (mut step, total) = if is_watched { self.watched(part, loss) } else { self.run(part, loss) };
        let weight = step.weight.unwrap_or(self.rows);
        if weight == 0.0 {
            return Ok((step, None));
        }
        let value = step.loss.item();
        if !value.is_finite() || !total.item().is_finite() {
            self.ruined = Some(value);
            return Err(non_finite::in_loss(&self.names, part, value, &self.place, || {
                random::set_state(&before);
                let _ = self.run(part, loss);
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
        if self.scaler.is_none() && self.plan.accumulate == 1 && non_finite::any(part, &grads) {
            // The operation, if the same pass shows it again; else the parameters.
            let again = || {
                random::set_state(&before);
                self.run(part, loss).1.backward()
            };
            return Err(non_finite::in_backward(&self.names, part, &grads, &self.place, again));
        }
        step.loss = step.loss.detach();
        Ok((step, Some((grads, weight))))
    }

    fn update(&mut self, by: usize, part: &mut dyn Module, grads: Weighed) -> Result<()> {
        let (grads, prefix) = self.own(&*part, grads)?;
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
        if !grads.is_finite() && self.scaler.as_ref().is_some_and(|scaler| scaler.get_scale() > 1.0) {
            self.skipped = true;
            return Ok(());
        }
        if !grads.is_finite() {
            return Err(non_finite::in_gradients(&self.names, &*part, &grads, &self.place));
        }
        if let Some(most) = plan.clip_value {
            grads.clip_value(most);
        }
        if let Some(most) = plan.clip_norm {
            grads.clip_norm(most);
        }
        if let Some(schedule) = &plan.schedule {
            let at = if plan.by_epoch { self.place.epoch as u64 - 1 } else { driver.steps };
            driver.optimizer.set_lr(schedule.lr(at, driver.base_lr));
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
        // The optimizer sees a part under its path in the model, so that groups and saved states go by the model's names.
        match prefix.is_empty() {
            true => driver.optimizer.step(part, grads),
            false => driver.optimizer.step(&mut Under { prefix: &prefix, part }, grads),
        }
        driver.steps += 1;
        Ok(())
    }

    fn steps(&self) -> u64 {
        self.all_steps()
    }
}

/// A part of a model under its path in the whole.
struct Under<'m> {
    prefix: &'m [Segment],
    part: &'m mut dyn Module,
}

impl Module for Under<'_> {
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
        fn under(prefix: &[Segment], part: &dyn Module, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
            match prefix {
                [] => part.visit(path, f),
                [first, rest @ ..] => path.enter(*first, |path| under(rest, part, path, f)),
            }
        }
        under(self.prefix, &*self.part, path, f);
    }

    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
        fn under(
            prefix: &[Segment],
            part: &mut dyn Module,
            path: &mut Path,
            f: &mut dyn FnMut(&Path, ItemMut<'_>),
        ) {
            match prefix {
                [] => part.visit_mut(path, f),
                [first, rest @ ..] => path.enter(*first, |path| under(rest, part, path, f)),
            }
        }
        under(self.prefix, &mut *self.part, path, f);
    }
}

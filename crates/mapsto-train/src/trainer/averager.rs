//! `Averager`: the average of a run's weights, when it is moved, shown in the model and taken out again.

use super::Plan;
use super::cx::Engine;
use super::drive::Drive;
use crate::averaging::Averaging;
use crate::callbacks::Moment;
use mapsto_nn::{Averages, Item, Module, Path};
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};

/// What a run with an average remembers of it.
#[derive(Debug)]
pub(super) struct Averager {
    how: Averaging,
    averages: Averages,
    /// The epochs whose weights the mean is of, and the last of them.
    updates: u64,
    counted: usize,
    /// The learning rate of each optimizer at the end of the first epoch that is averaged.
    pub(super) rates: Vec<f64>,
    /// While the average is shown, running statistics as training has them, and as they are shown.
    states: Vec<(String, Tensor, Option<Tensor>)>,
}

impl Averager {
    pub(super) fn new(how: &Averaging) -> Averager {
        Averager {
            how: how.clone(),
            averages: Averages::default(),
            updates: 0,
            counted: 0,
            rates: Vec::new(),
            states: Vec::new(),
        }
    }

    /// Takes the average out of the model, before an epoch of training.
    pub(super) fn learn(&mut self, model: &mut dyn Module, epoch: usize) -> Result<()> {
        self.averages.hide(model)?;
        let states = std::mem::take(&mut self.states);
        let mut done = Ok(());
        each_running(model, &mut |name, state| {
            let Some((_, trained, shown)) = states.iter().find(|(n, ..)| *n == name) else { return };
            // What somebody else has written since stays.
            let is_shown = shown.as_ref().is_none_or(|shown| same(shown, &state.get()));
            if is_shown && done.is_ok() {
                done = state.load(trained);
            }
        });
        if self.how.decay().is_some() && epoch >= self.how.first() {
            self.averages.begin(model);
        }
        done
    }

    /// Follows the weights after a step.
    pub(super) fn step(&mut self, model: &dyn Module) {
        if let Some(decay) = self.how.decay() {
            self.averages.follow(model, decay);
        }
    }

    /// Whether the average follows each step.
    pub(super) fn follows_steps(&self) -> bool {
        self.how.decay().is_some()
    }

    /// Takes the weights after an epoch into the mean, which optimizers had these learning rates in.
    pub(super) fn end_epoch(&mut self, model: &dyn Module, epoch: usize, rates: impl Iterator<Item = f64>) {
        // An epoch that was interrupted in its validation was counted.
        if self.how.decay().is_some() || epoch < self.how.first() || self.counted == epoch {
            return;
        }
        if self.updates == 0 {
            self.rates = rates.collect();
        }
        self.averages.begin(model);
        self.averages.follow(model, self.updates as f64 / (self.updates as f64 + 1.0));
        (self.updates, self.counted) = (self.updates + 1, epoch);
    }

    /// Puts the average into the model.
    pub(super) fn show(&mut self, model: &mut dyn Module) -> Result<()> {
        self.averages.show(model)
    }

    /// Computes the running statistics of the mean, if it is shown; false when interrupted on the way.
    pub(super) fn refresh(&mut self, drive: &dyn Drive, plan: &Plan) -> Result<bool> {
        if self.follows_steps() || !self.averages.is_shown() || !has_running(drive.model()) {
            return Ok(true);
        }
        if self.states.is_empty() {
            each_running(drive.model(), &mut |name, state| self.states.push((name, state.get(), None)));
        }
        let went = drive.refresh(plan)?;
        let mut shown = Vec::new();
        each_running(drive.model(), &mut |name, state| shown.push((name, state.get())));
        for (name, _, kept) in &mut self.states {
            *kept = shown.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        }
        Ok(went)
    }

    /// What goes into a training state: tensors by name, and numbers.
    pub(super) fn state(&self) -> (Vec<(String, Tensor)>, Vec<f64>) {
        let mut tensors = self.averages.state();
        tensors.extend(self.states.iter().map(|(name, t, _)| (format!("{STATE}{name}"), t.clone())));
        let numbers = [self.updates as f64, self.counted as f64];
        (tensors, numbers.into_iter().chain(self.rates.iter().copied()).collect())
    }

    /// Takes back what [`Averager::state`] gave.
    pub(super) fn load(
        &mut self,
        model: &dyn Module,
        mut tensors: Vec<(String, Tensor)>,
        numbers: &[f64],
    ) -> Result<()> {
        let states = tensors.extract_if(.., |(name, _)| name.starts_with(STATE));
        let states: Vec<_> = states.map(|(n, t)| (n[STATE.len()..].to_string(), t, None)).collect();
        let averages = Averages::load(model, &mut tensors)?;
        let [updates, counted, rates @ ..] = numbers else { return Err(damaged()) };
        if !tensors.is_empty() {
            return Err(damaged());
        }
        (self.averages, self.states, self.rates) = (averages, states, rates.to_vec());
        (self.updates, self.counted) = (*updates as u64, *counted as usize);
        Ok(())
    }
}

impl Engine<'_> {
    /// Puts the weights into the model that are to be judged, where an optimizer trains at others.
    pub(super) fn judge(&mut self, model: &mut dyn Module) -> Result<()> {
        self.drivers.iter_mut().try_for_each(|driver| driver.optimizer.eval(model))?;
        self.averager.as_mut().map_or(Ok(()), |averager| averager.show(model))
    }

    /// Puts those back that are trained at.
    pub(super) fn learn(&mut self, model: &mut dyn Module, epoch: usize) -> Result<()> {
        if let Some(averager) = &mut self.averager {
            averager.learn(model, epoch)?;
        }
        self.drivers.iter_mut().try_for_each(|driver| driver.optimizer.train(model))
    }

    /// Takes the weights after an epoch into their mean, where epochs are averaged.
    pub(super) fn end_epoch(&mut self, model: &dyn Module, epoch: usize) {
        if let Some(averager) = &mut self.averager {
            averager.end_epoch(model, epoch, self.drivers.iter().map(|driver| driver.optimizer.lr()));
        }
    }

    /// Lets an average of steps follow.
    pub(super) fn follow(&mut self, model: &dyn Module) {
        if let Some(averager) = &mut self.averager {
            averager.step(model);
        }
    }

    /// Whether the mean of the weights after epochs is judged.
    pub(super) fn averages_epochs(&self) -> bool {
        self.averager.as_ref().is_some_and(|averager| !averager.follows_steps())
    }

    /// Whether a callback looks at the model after each step, and would see weights that are not to be judged.
    pub(super) fn shows_each_step(&self) -> bool {
        (self.averager.as_ref().is_some_and(Averager::follows_steps)
            || self.drivers.iter().any(|driver| driver.optimizer.shows_other_weights()))
            && self.callbacks.iter().any(|callback| callback.moments().contains(&Moment::Step))
    }
}

const STATE: &str = "running/";

fn damaged() -> Error {
    Error::new(ErrorKind::Data, "the training state is damaged: its average is not whole")
}

/// Whether two values are equal, NaN among them.
fn same(a: &Tensor, b: &Tensor) -> bool {
    let bits =
        |t: &Tensor| t.to(DType::F64).to_vec::<f64>().into_iter().map(f64::to_bits).collect::<Vec<_>>();
    a.shape() == b.shape() && bits(a) == bits(b)
}

fn each_running(model: &dyn Module, see: &mut dyn FnMut(String, &mapsto_nn::State)) {
    model.visit(&mut Path::new(), &mut |path, item| {
        if let Item::State(state) = item
            && state.is_running()
        {
            see(path.to_string(), state);
        }
    });
}

pub(super) fn has_running(model: &dyn Module) -> bool {
    let mut any = false;
    each_running(model, &mut |_, _| any = true);
    any
}

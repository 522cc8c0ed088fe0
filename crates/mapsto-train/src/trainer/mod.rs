//! The trainer: a training loop that says what it does, and does nothing silently wrong.

mod averager;
mod cx;
mod drive;
mod explain;
mod fit;
mod looking;
mod non_finite;
mod order;
mod plan;
mod replay;
mod training_state;

use crate::averaging::Averaging;
use crate::callbacks::Callback;
use crate::history::History;
use crate::interrupt::Interrupt;
use crate::metrics::Metric;
use crate::model_file::ModelInfo;
use crate::progress::Progress;
use crate::scratch::Scratch;
use crate::task::{Function, Supervised};
use crate::{Step, Task};
pub use cx::Cx;
use cx::Engine;
pub use drive::Held;
use drive::Typed;
use fit::Fit;
pub(crate) use looking::bounded;
use mapsto_data::{Loader, Rows, Source};
use mapsto_nn::{GradScaler, Loss, Module, Optimizer, Schedule};
use mapsto_spec::Bounds;
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};
use plan::Plan;
pub(crate) use replay::FILE as REPLAY;
pub use replay::{Culprit, Replay, replay};
use std::panic::Location;
use std::path::PathBuf;
use training_state::TrainingState;

/// Fits a model to data: `Trainer::new(optimizer, loss)`, what else is wanted, then `.fit(&mut model, train, val)`.
///
/// What is trained is a task: [`Trainer::new`] takes a loss of outputs and targets, [`Trainer::of`] a function of model and batch,
/// and [`Trainer::task`] a [`Task`], which may take several steps for a batch with several optimizers.
///
/// Each step: forward in `train(..)`, loss, backward, a check that every number is finite, clipping, the learning rate of
/// the schedule, the optimizer. Each epoch ends with the validation loader in inference mode, a row in the history, and
/// the callbacks. [`Trainer::explain`] prints this loop with everything in its place.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_nn::prelude::*;
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::Trainer;
/// seed(1);
/// let x = Tensor::linspace(-1.0, 1.0, 64).reshape([64, 1]);
/// let set = InMemory::new(x.clone(), &x * 3.0 + 1.0);
/// let mut line = Linear::new(1, 1);
/// let history = Trainer::new(Sgd::new(0.5), mse)
///     .epochs(20)
///     .quiet()
///     .fit(&mut line, set.batches(16).shuffle(), None)
///     .unwrap();
/// assert!(history.last("loss").unwrap() < 1e-6);
/// assert!((line.weight.item() - 3.0).abs() < 1e-3); // y = 3 x + 1
/// ```
pub struct Trainer<T = Supervised> {
    task: T,
    plan: Plan,
    /// The first is called `main`.
    optimizers: Vec<(String, Box<dyn Optimizer>)>,
    callbacks: Vec<Box<dyn Callback>>,
    progress: Option<Progress>,
    seed: Option<u64>,
    resume: Option<PathBuf>,
    ready: Option<Ready>,
}

/// What a program does before the first step.
type Ready = Box<dyn FnOnce() -> Result<()> + Send>;

impl Trainer {
    /// An optimizer and the loss it lowers; one epoch, progress shown on standard error.
    #[must_use]
    pub fn new(optimizer: impl Optimizer + 'static, loss: impl Loss + 'static) -> Trainer {
        Trainer::boxed(Box::new(optimizer), Box::new(loss))
    }

    /// As [`Trainer::new`], from what a registry built.
    #[must_use]
    pub fn boxed(optimizer: Box<dyn Optimizer>, loss: Box<dyn Loss>) -> Trainer {
        let name = loss.name().to_string();
        let mut trainer = Trainer::started(optimizer, Supervised::boxed(loss), name);
        (trainer.plan.reports_terms, trainer.plan.is_one_step) = (false, true);
        trainer
    }
}

impl<F, M, B: Rows, R> Trainer<Function<F, M, B, R>>
where
    F: Fn(&M, &B) -> R + Send + Sync,
    R: Into<Step>,
{
    /// An optimizer and a function of model and batch that gives the loss: a method of the model, or a closure.
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// use mapsto_nn::prelude::*;
    /// use mapsto_tensor::prelude::*;
    /// use mapsto_train::{Step, Trainer};
    /// #[derive(Module)]
    /// # #[module(crate = mapsto_nn)]
    /// struct Auto { encoder: Linear, decoder: Linear }
    /// impl Auto {
    ///     fn loss(&self, batch: &Sample) -> Step {
    ///         let z = batch.x.apply(&self.encoder);
    ///         let small = z.abs().mean(..);
    ///         Step::new(mse(&z.apply(&self.decoder), &batch.x) + &small * 0.01).term("code", &small)
    ///     }
    /// }
    /// seed(1);
    /// let set = InMemory::new(Tensor::randn([64, 4]), Tensor::zeros([64]));
    /// let mut model = Auto { encoder: Linear::new(4, 4), decoder: Linear::new(4, 4) };
    /// let mut trainer = Trainer::of(Adam::new(0.02), Auto::loss).epochs(30).quiet();
    /// let history = trainer.fit(&mut model, set.batches(16).shuffle(), set.batches(32))?;
    /// assert!(history.last("val loss").unwrap() < 0.3);
    /// assert!(history.last("code").unwrap() > 0.0); // the term has a column of its own
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn of(optimizer: impl Optimizer + 'static, loss: F) -> Trainer<Function<F, M, B, R>> {
        let mut trainer = Trainer::started(Box::new(optimizer), Function::new(loss), short::<F>());
        trainer.plan.is_one_step = true;
        trainer
    }
}

/// The last words of a type's path: `Vae::loss` of `demo::Vae::loss`.
fn short<T>() -> String {
    let name = std::any::type_name::<T>();
    let plain = name.split('<').next().unwrap_or(name);
    let words: Vec<&str> = plain.rsplit("::").take(2).collect();
    words.into_iter().rev().collect::<Vec<_>>().join("::")
}

impl<T> Trainer<T> {
    /// An optimizer and a task: see [`Task`].
    #[must_use]
    pub fn task(optimizer: impl Optimizer + 'static, task: T) -> Trainer<T> {
        Trainer::started(Box::new(optimizer), task, short::<T>())
    }

    fn started(optimizer: Box<dyn Optimizer>, task: T, name: String) -> Trainer<T> {
        let plan = Plan::of(name);
        let progress = Some(Progress::auto());
        let optimizers = vec![("main".to_string(), optimizer)];
        Trainer {
            task,
            plan,
            optimizers,
            callbacks: Vec::new(),
            progress,
            seed: None,
            resume: None,
            ready: None,
        }
    }

    /// Adds an optimizer under a name, for tasks that take several steps: [`Cx::descend_by`].
    ///
    /// A schedule holds for each optimizer, from its own learning rate and by its own steps.
    ///
    /// # Panics
    /// When the name is empty, has a space or a slash, or is taken; the first optimizer is called `main`.
    #[must_use]
    #[track_caller]
    pub fn optimizer(mut self, name: impl Into<String>, optimizer: impl Optimizer + 'static) -> Trainer<T> {
        let name = name.into();
        if name.is_empty() || name.contains([' ', '/']) || self.optimizers.iter().any(|(n, _)| *n == name) {
            mapsto_tensor::fail!("optimizer", "`{name}` cannot name another optimizer";
                help = "give each a word of its own; the first is called `main`");
        }
        self.optimizers.push((name, Box::new(optimizer)));
        self
    }

    /// How many batches make an epoch: needed for a stream, which has no end. Of a loader, whose order is that of its epochs, it
    /// must be the number of batches that it has.
    ///
    /// # Panics
    /// When `batches` is 0.
    #[must_use]
    #[track_caller]
    pub fn batches_per_epoch(mut self, batches: usize) -> Trainer<T> {
        if batches == 0 {
            mapsto_tensor::fail!("batches_per_epoch", "0 batches make no epoch"; help = "an epoch has at least 1 batch");
        }
        self.plan.batches_per_epoch = Some(batches);
        self
    }

    /// Adds a metric, reported for training (over the epoch, as the model learns) and validation.
    #[must_use]
    pub fn metric(self, metric: impl Metric + 'static) -> Trainer<T> {
        self.boxed_metric(Box::new(metric))
    }

    /// As [`Trainer::metric`], from what a registry built.
    #[must_use]
    pub fn boxed_metric(mut self, metric: Box<dyn Metric>) -> Trainer<T> {
        self.plan.metrics.push(metric);
        self
    }

    /// Adds a callback; they run in the order in which they were added.
    #[must_use]
    pub fn on(self, callback: impl Callback + 'static) -> Trainer<T> {
        self.boxed_callback(Box::new(callback))
    }

    /// As [`Trainer::on`], from what a registry built.
    #[must_use]
    pub fn boxed_callback(mut self, callback: Box<dyn Callback>) -> Trainer<T> {
        self.callbacks.push(callback);
        self
    }

    /// How many times to go through the training loader.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Trainer<T> {
        self.plan.epochs = epochs;
        self
    }

    /// Takes one optimizer step for every `batches` batches, with the gradient of all their samples together.
    ///
    /// Batches are weighted as their loss says (by their samples, if it says nothing), so that the step is that of one
    /// large batch up to rounding; what is left at the end of an epoch makes a smaller step. Batch statistics, such as
    /// those of batch norm, remain those of the small batches.
    ///
    /// # Panics
    /// When `batches` is 0.
    #[must_use]
    #[track_caller]
    pub fn accumulate(mut self, batches: usize) -> Trainer<T> {
        if batches == 0 {
            mapsto_tensor::fail!("accumulate", "0 batches make no step"; help = "1 is a step for every batch");
        }
        self.plan.accumulate = batches;
        self
    }

    /// Runs forward passes, those of validation too, under [`autocast`](mapsto_tensor::autocast()): products in bf16 or f16, what would lose digits
    /// there in f32. Parameters, their gradients and the optimizer stay in f32. For f16 the loss is scaled by a [`GradScaler`], and a step whose gradients are not finite is
    /// left out; they are an error at a scale of 1.
    ///
    /// Penalties are computed in f32. A run is resumed in the precision it was started in.
    /// ```
    /// use mapsto_data::prelude::*;
    /// use mapsto_nn::prelude::*;
    /// use mapsto_train::prelude::*;
    /// seed(1);
    /// let x = Tensor::linspace(-1.0, 1.0, 64).reshape([64, 1]);
    /// let set = InMemory::new(x.clone(), &x * 3.0 + 1.0);
    /// let mut line = Linear::new(1, 1);
    /// let mut trainer = Trainer::new(Sgd::new(0.5), mse).precision(DType::BF16).epochs(20).quiet();
    /// let history = trainer.fit(&mut line, set.batches(16).shuffle(), None)?;
    /// assert!(history.last("loss").unwrap() < 1e-4);
    /// assert_eq!(line.weight.dtype(), DType::F32);
    /// # Ok::<(), Error>(())
    /// ```
    /// # Panics
    /// When it is none of f32, bf16 and f16.
    #[must_use]
    #[track_caller]
    pub fn precision(mut self, dtype: DType) -> Trainer<T> {
        if !matches!(dtype, DType::F32 | DType::BF16 | DType::F16) {
            mapsto_tensor::fail!("precision", "a model cannot be trained in {dtype}"; help = "`DType::BF16`, `DType::F16` or `DType::F32`; `model.convert(DType::F64)` makes a model of f64");
        }
        self.plan.precision = dtype;
        self
    }

    /// Scales losses in f16 by another scaler than `GradScaler::new()`; in another precision it is not used.
    #[must_use]
    pub fn grad_scaler(mut self, scaler: GradScaler) -> Trainer<T> {
        self.plan.scaler = scaler;
        self
    }

    /// Scales the gradients down when their global norm exceeds `most`.
    ///
    /// # Panics
    /// When `most` is not finite and above 0.
    #[must_use]
    #[track_caller]
    pub fn clip_norm(mut self, most: f64) -> Trainer<T> {
        self.plan.clip_norm = Some(Bounds::ABOVE_0.check("clip_norm", "the largest norm", most));
        self
    }

    /// Clamps each element of the gradients to `-most..=most`.
    ///
    /// # Panics
    /// When `most` is not finite and above 0.
    #[must_use]
    #[track_caller]
    pub fn clip_value(mut self, most: f64) -> Trainer<T> {
        self.plan.clip_value = Some(Bounds::ABOVE_0.check("clip_value", "the largest value", most));
        self
    }

    /// Sets the learning rate of each step from a schedule, whose numbers count steps; its base is the optimizer's learning
    /// rate. [`Trainer::schedule_by_epoch`] counts epochs.
    ///
    /// One that is made for a number of steps, such as `Cosine`, must have those of the training, up to a tenth:
    /// [`fit`](Trainer::fit) refuses another. A function of step and base, `move |t, base| schedule.lr(t, base)`, is taken as it is.
    #[must_use]
    pub fn schedule(self, schedule: impl Schedule + 'static) -> Trainer<T> {
        let mut trainer = self.boxed_schedule(Box::new(schedule));
        trainer.plan.checks_length = true;
        trainer
    }

    /// Sets the learning rate of each epoch from a schedule, whose numbers then count epochs and not steps.
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// use mapsto_nn::prelude::*;
    /// use mapsto_train::prelude::*;
    /// let set = InMemory::new(tensor![[1.0], [2.0], [3.0]], tensor![[2.0], [4.0], [6.0]]);
    /// let mut model = Linear::new(1, 1);
    /// let mut trainer = Trainer::new(Sgd::new(0.01), mse).schedule_by_epoch(StepDecay::new(2, 0.1)).epochs(4).quiet();
    /// let history = trainer.fit(&mut model, set.batches(1), None)?;
    /// assert!((history.last("lr").unwrap() - 0.001).abs() < 1e-12);
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    #[must_use]
    pub fn schedule_by_epoch(mut self, schedule: impl Schedule + 'static) -> Trainer<T> {
        self.plan.schedule = Some(Box::new(schedule));
        (self.plan.by_epoch, self.plan.checks_length) = (true, true);
        self
    }

    /// As [`Trainer::schedule`], from what a registry built.
    #[must_use]
    pub fn boxed_schedule(mut self, schedule: Box<dyn Schedule>) -> Trainer<T> {
        self.plan.schedule = Some(schedule);
        (self.plan.by_epoch, self.plan.checks_length) = (false, false);
        self
    }

    /// Validates and saves an average of the weights in place of those that are trained: see [`Averaging`].
    #[must_use]
    pub fn averaging(mut self, averaging: Averaging) -> Trainer<T> {
        self.plan.averaging = Some(averaging);
        self
    }

    /// Adds a penalty on the weights to the loss that is lowered; the reported loss is without it.
    #[must_use]
    pub fn regularize(mut self, penalty: impl Fn(&dyn Module) -> Tensor + Send + 'static) -> Trainer<T> {
        self.plan.penalties.push(Box::new(penalty));
        self
    }

    /// Trains on the first `batches` batches of an epoch alone and validates with as many: Lightning's `limit_train_batches` and
    /// `limit_val_batches`.
    ///
    /// # Panics
    /// When `batches` is 0.
    #[must_use]
    #[track_caller]
    pub fn limit_batches(mut self, batches: usize) -> Trainer<T> {
        self.plan.limit = Some(mapsto_spec::at_least_1("limit_batches", "batches", batches));
        self
    }

    /// Trains on the same few batches in every epoch, those of the first, and validates on them too: a model that cannot learn these by
    /// heart has a mistake in it. Lightning's `overfit_batches`.
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// use mapsto_nn::prelude::*;
    /// use mapsto_train::prelude::*;
    /// seed(1);
    /// let set = InMemory::new(Tensor::randn([400, 8]), Tensor::randint([400], 0..3)); // nothing to learn but by heart
    /// let mut net = seq![Linear::new(8, 64), Tensor::tanh, Linear::new(64, 3)];
    /// let mut trainer = Trainer::new(Adam::new(0.01), cross_entropy).overfit_batches(1).epochs(300).quiet();
    /// let history = trainer.fit(&mut net, set.batches(16).shuffle(), None)?;
    /// assert!(history.last("loss").unwrap() < 0.05);
    /// # Ok::<(), Error>(())
    /// ```
    /// # Panics
    /// When `batches` is 0.
    #[must_use]
    #[track_caller]
    pub fn overfit_batches(mut self, batches: usize) -> Trainer<T> {
        self.plan.limit = Some(mapsto_spec::at_least_1("overfit_batches", "batches", batches));
        self.plan.overfits = true;
        self
    }

    /// Goes through everything once with a few batches and keeps nothing: one epoch (or as many as an average of the weights needs to
    /// begin) of `batches` batches of training and of validation, with all callbacks, whose files go to a folder that is removed.
    /// Lightning's `fast_dev_run`.
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// use mapsto_nn::prelude::*;
    /// use mapsto_train::prelude::*;
    /// let set = InMemory::new(Tensor::randn([400, 8]), Tensor::randint([400], 0..3));
    /// let mut net = Linear::new(8, 3);
    /// let mut trainer = Trainer::new(Adam::new(0.01), cross_entropy).epochs(100).on(Checkpoint::last()).dev_run(2).quiet();
    /// let history = trainer.fit(&mut net, set.batches(16).shuffle(), None)?;
    /// assert_eq!((history.rows.len(), history.rows[0].step), (1, 2));
    /// assert!(!std::path::Path::new("checkpoints").exists());
    /// # Ok::<(), Error>(())
    /// ```
    /// # Panics
    /// When `batches` is 0.
    #[must_use]
    #[track_caller]
    pub fn dev_run(mut self, batches: usize) -> Trainer<T> {
        self.plan.limit = Some(mapsto_spec::at_least_1("dev_run", "batches", batches));
        self.plan.is_dev_run = true;
        self
    }

    /// Seeds the randomness of the run (dropout and the like). Initial weights are the model's, made before; the
    /// order of the samples is the loader's.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Trainer<T> {
        self.seed = Some(seed);
        self
    }

    /// The folder into which checkpoints and logs go.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Trainer<T> {
        self.plan.folder = Some(folder.into());
        self
    }

    /// What is to be written beside the weights into every model file of the run. Where this has none, the layers are those
    /// that the model says itself (`ModelSpec::of`), the loss that of the trainer, and preprocessing and names those of the
    /// training loader.
    #[must_use]
    pub fn info(mut self, info: ModelInfo) -> Trainer<T> {
        self.plan.info = info;
        self
    }

    /// A flag that stops the run after the step it is in: see [`Interrupt`].
    #[must_use]
    pub fn interrupt(mut self, interrupt: Interrupt) -> Trainer<T> {
        self.plan.interrupt = Some(interrupt);
        self
    }

    /// Continues a run from the file that [`Checkpoint::last`](crate::callbacks::Checkpoint::last) wrote: weights,
    /// optimizer, randomness, history and position. The result has the same bits as a run that was never stopped, when
    /// model, loaders and trainer are made as they were.
    ///
    /// A learning rate, number of epochs, schedule or clipping that is now another holds from here on. Another model,
    /// optimizer or loss, other samples, another order of them or another accumulation is an error of [`Trainer::fit`], which
    /// names it.
    #[must_use]
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Trainer<T> {
        self.resume = Some(path.into());
        self
    }

    /// Keeps a text with every state to resume from, where [`ModelFile::note`](crate::ModelFile::note) finds it again: what a
    /// program wants to compare before it goes on with a run.
    #[must_use]
    pub fn note(mut self, about: impl Into<String>, text: impl Into<String>) -> Trainer<T> {
        self.plan.notes.push((about.into(), text.into()));
        self
    }

    /// As [`Trainer::note`], and with the best model too, which may be handed on: no text that names a place on this machine.
    #[must_use]
    pub fn label(mut self, about: impl Into<String>, text: impl Into<String>) -> Trainer<T> {
        let label = (about.into(), text.into());
        self.plan.labels.push(label.clone());
        self.plan.notes.push(label);
        self
    }

    /// Calls this once, when everything has been checked, a state to resume from included, and the first step comes next:
    /// the moment to write the first file of a run. A run that is over already has no step to come, and does not call it.
    #[must_use]
    pub fn when_ready(mut self, act: impl FnOnce() -> Result<()> + Send + 'static) -> Trainer<T> {
        self.ready = Some(Box::new(act));
        self
    }

    /// Shows progress in another way.
    #[must_use]
    pub fn progress(mut self, progress: Progress) -> Trainer<T> {
        self.progress = Some(progress);
        self
    }

    /// Shows no progress.
    #[must_use]
    pub fn quiet(mut self) -> Trainer<T> {
        self.progress = None;
        self
    }

    /// Trains the model with the batches of a loader, or of another [`Source`]; `val` is a loader or `None`.
    ///
    /// # Errors
    /// A damaged sample; a loss or gradient that is not finite (kind [`ErrorKind::NonFinite`]), naming the layer, the
    /// batch and the step; a shape or a dtype that the model or the loss cannot take, naming the layer, the batch with its
    /// samples and the caller's line; a file that cannot be written; whatever a callback reports. An interrupted run is not an error: its
    /// history says so.
    #[track_caller]
    pub fn fit<M: Module, B: Rows>(
        &mut self,
        model: &mut M,
        train: impl Source<M, B>,
        val: impl Held<B>,
    ) -> Result<History>
    where
        T: Task<M, B>,
    {
        let Trainer { task, plan, optimizers, callbacks, progress, seed, resume, ready } = self;
        let caller = Location::caller();
        let scratch = plan.is_dev_run.then(Scratch::new).transpose()?;
        if let Some(scratch) = &scratch {
            plan.folder = Some(scratch.path().to_path_buf());
            plan.epochs = plan.epochs.min(plan.averaging.as_ref().map_or(1, Averaging::first).max(1));
            if resume.is_some() {
                let error = Error::new(
                    ErrorKind::Usage,
                    "training: a dev run keeps nothing, so it goes on with no run",
                );
                return Err(error.help("leave out `.resume(..)` or `.dev_run(..)`"));
            }
        }
        let mut typed = Typed { task: &*task, model, train, val: val.loader(), batch: None };
        let batches = plan.check(&typed)?;
        plan.check_length(batches)?;
        for (_, optimizer) in &*optimizers {
            optimizer.check(typed.model).map_err(|e| e.on_line(caller))?;
            plan.check_looks(&**optimizer, batches)?;
            plan.check_averaging(&**optimizer, &typed)?;
            plan.check_momentum(&**optimizer)?;
        }
        if let Some(seed) = *seed {
            mapsto_tensor::seed(seed);
        }
        let progress = progress.as_mut().map(|p| p as &mut dyn Callback);
        let callbacks = callbacks.iter_mut().map(|c| &mut **c as &mut dyn Callback).collect();
        let engine = Engine::new(plan, optimizers, callbacks);
        let mut fit = Fit::new(plan, engine, progress, &mut typed, batches);
        if let Some(path) = resume {
            TrainingState::resume(&mut fit, path)?;
        }
        fit.run(ready.take()).map_err(|e| if e.kind() == ErrorKind::Model { e.on_line(caller) } else { e })
    }

    /// As [`Trainer::fit`], with loaders that are used again afterwards.
    ///
    /// # Errors
    /// As [`Trainer::fit`].
    #[track_caller]
    pub fn fit_with<M: Module, B: Rows>(
        &mut self,
        model: &mut M,
        train: &Loader<B>,
        val: Option<&Loader<B>>,
    ) -> Result<History>
    where
        T: Task<M, B>,
    {
        self.fit(model, train.clone(), val.cloned())
    }
}

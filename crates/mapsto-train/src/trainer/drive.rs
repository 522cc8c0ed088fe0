//! The loop's view of a run: all that is compiled for each model, batch and task.

use super::{Cx, Plan, order};
use crate::evaluate::batch_in_words;
use crate::interrupt::Interrupt;
use crate::model_file::{ModelInfo, preprocess_json};
use crate::{Step, Task};
use mapsto_data::{Info, Loader, Rows, Source};
use mapsto_nn::{Module, cumulative};
use mapsto_spec::Json;
use mapsto_tensor::error::mistakes;
use mapsto_tensor::{Result, Tensor, outside};

/// What [`Trainer::fit`](crate::Trainer::fit) validates with: a loader, or `None`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no validation loader of batches `{B}`",
    note = "give a loader of the same batches as in training, or `None`"
)]
pub trait Held<B> {
    /// The loader, if there is one.
    fn loader(self) -> Option<Loader<B>>;
}

impl<B> Held<B> for Loader<B> {
    fn loader(self) -> Option<Loader<B>> {
        Some(self)
    }
}

impl<B> Held<B> for Option<Loader<B>> {
    fn loader(self) -> Option<Loader<B>> {
        self
    }
}

/// A model, its task and its batches, of whatever types.
pub(super) trait Drive {
    fn model(&self) -> &dyn Module;
    fn model_mut(&mut self) -> &mut dyn Module;
    /// The batches of an epoch, where the source knows.
    fn batches(&self) -> Option<usize>;
    /// The batches of validation.
    fn validation(&self) -> Option<usize>;
    fn start(&mut self, epoch: u64, first: usize) -> Result<()>;
    /// Reads the next batch; none at the end of the epoch.
    fn fetch(&mut self) -> Option<Result<()>>;
    /// The rows of the batch that was read.
    fn rows(&self) -> usize;
    /// Which samples of the set they are.
    fn samples(&self) -> &[usize];
    /// What a sample is called.
    fn name_of(&self, sample: usize) -> String;
    /// Shows the tensors of the batch that was read.
    fn each_tensor(&self, see: &mut dyn FnMut(&Tensor));
    /// Lets the task do what the batch does to the model.
    fn step(&mut self, cx: &mut Cx<'_>) -> Result<Step>;
    /// Shows what each batch of validation gave, with its rows; false when interrupted on the way.
    fn validate(&self, plan: &Plan, see: &mut dyn FnMut(&Step, usize) -> Result<()>) -> Result<bool>;
    /// Runs the batches of training through the task's loss, so that running statistics become those of the weights that are shown; false when
    /// interrupted on the way.
    fn refresh(&self, plan: &Plan) -> Result<bool>;
    /// Whether training has an end that it can be gone through to.
    fn has_loader(&self) -> bool;
    /// The samples of training and validation and their order, as a short text each.
    fn samples_in_words(&self) -> Result<[String; 2]>;
    fn preprocess(&self) -> Option<Json>;
    /// What the task knows of the model, from the batch that was read.
    fn written(&self) -> ModelInfo;
    fn info(&self) -> Info;
    fn source_state(&self) -> Vec<(String, Tensor)>;
    fn load_source_state(&mut self, state: Vec<(String, Tensor)>) -> Result<()>;
}

pub(super) struct Typed<'a, T, M, S, B> {
    pub(super) task: &'a T,
    pub(super) model: &'a mut M,
    pub(super) train: S,
    pub(super) val: Option<Loader<B>>,
    pub(super) batch: Option<B>,
}

impl<T, M, S, B> Typed<'_, T, M, S, B> {
    fn batch(&self) -> &B {
        self.batch.as_ref().expect("the loop fetches before it steps")
    }
}

impl<M: Module, B: Rows, S: Source<M, B>, T: Task<M, B>> Drive for Typed<'_, T, M, S, B> {
    fn model(&self) -> &dyn Module {
        self.model
    }

    fn model_mut(&mut self) -> &mut dyn Module {
        self.model
    }

    fn batches(&self) -> Option<usize> {
        self.train.batches()
    }

    fn validation(&self) -> Option<usize> {
        self.val.as_ref().map(Loader::len)
    }

    fn start(&mut self, epoch: u64, first: usize) -> Result<()> {
        self.train.start(epoch, first)
    }

    fn fetch(&mut self) -> Option<Result<()>> {
        self.batch = None;
        Some(self.train.next(self.model)?.map(|batch| self.batch = Some(batch)))
    }

    fn rows(&self) -> usize {
        self.batch().rows()
    }

    fn samples(&self) -> &[usize] {
        self.train.samples()
    }

    fn name_of(&self, sample: usize) -> String {
        let set = self.train.loader().map(Loader::dataset).filter(|set| sample < set.len());
        set.map_or_else(|| format!("sample {sample}"), |set| set.name(sample))
    }

    fn each_tensor(&self, see: &mut dyn FnMut(&Tensor)) {
        self.batch().each_tensor(see);
    }

    fn step(&mut self, cx: &mut Cx<'_>) -> Result<Step> {
        let batch = self.batch.as_ref().expect("the loop fetches before it steps");
        self.task.step(self.model, batch, cx)
    }

    fn validate(&self, plan: &Plan, see: &mut dyn FnMut(&Step, usize) -> Result<()>) -> Result<bool> {
        // What is learnt by heart is judged on the batches that are learnt.
        let held = match plan.overfits {
            true => self.train.loader(),
            false => self.val.as_ref(),
        };
        let batches = held.into_iter().flat_map(|held| held.epoch(0)).take(plan.most_batches());
        for (i, batch) in batches.enumerate() {
            if plan.interrupt.as_ref().is_some_and(Interrupt::requested) {
                return Ok(false);
            }
            let batch = batch?;
            let step = mistakes(|| outside(|| self.task.judge(self.model, &batch.data))).map_err(|e| {
                e.inside(format!("batch {}", batch_in_words(i + 1, &batch.indices))).inside("validation")
            })?;
            see(&step, batch.rows())?;
        }
        Ok(true)
    }

    fn refresh(&self, plan: &Plan) -> Result<bool> {
        let Some(train) = self.train.loader() else { return Ok(true) };
        cumulative(|| {
            for (i, batch) in train.epoch(0).take(plan.most_batches()).enumerate() {
                if plan.interrupt.as_ref().is_some_and(Interrupt::requested) {
                    return Ok(false);
                }
                let batch = batch?;
                mistakes(|| plan.forward(|| drop(self.task.loss(self.model, &batch.data)))).map_err(|e| {
                    e.inside(format!("batch {}", batch_in_words(i + 1, &batch.indices)))
                        .inside("running statistics of averaged weights")
                })?;
            }
            Ok(true)
        })
    }

    fn has_loader(&self) -> bool {
        self.train.loader().is_some()
    }

    fn samples_in_words(&self) -> Result<[String; 2]> {
        let train = self.train.loader().map_or(Ok("a stream".into()), order::of)?;
        Ok([train, self.val.as_ref().map_or(Ok("none".into()), order::of)?])
    }

    fn preprocess(&self) -> Option<Json> {
        preprocess_json(self.train.loader()?.preprocessing())
    }

    fn written(&self) -> ModelInfo {
        self.task.written(self.model, self.batch())
    }

    fn info(&self) -> Info {
        self.train.loader().map(Loader::info).unwrap_or_default()
    }

    fn source_state(&self) -> Vec<(String, Tensor)> {
        self.train.state()
    }

    fn load_source_state(&mut self, state: Vec<(String, Tensor)>) -> Result<()> {
        self.train.load_state(state)
    }
}

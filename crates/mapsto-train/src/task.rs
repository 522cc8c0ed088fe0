//! `Task`: what a batch does to a model, by default one gradient step on a loss.

use crate::trainer::Cx;
use crate::{ModelInfo, Step};
use mapsto_data::{Rows, Sample};
use mapsto_nn::{Layer, Loss, ModelSpec, Module};
use mapsto_tensor::autocast::full;
use mapsto_tensor::pairing::paired;
use mapsto_tensor::{Result, Tensor, fail};
use std::marker::PhantomData;

/// What training lowers, for models `M` and batches `B`, and which steps it takes.
///
/// Only [`loss`](Task::loss) is required. A task that takes several steps for a batch, on parts of the model or with several
/// optimizers, says so in [`step`](Task::step). A task has no state of its own: what changes belongs to the model, to an
/// optimizer or to the source of the batches. A frozen teacher may be one of its fields.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_nn::prelude::*;
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::{Cx, Step, Task, Trainer};
/// #[derive(Module)]
/// # #[module(crate = mapsto_nn)]
/// struct Gan { g: Linear, d: Linear }
/// struct Adversarial;
/// impl Task<Gan, Tensor> for Adversarial {
///     fn loss(&self, gan: &Gan, real: &Tensor) -> Step {
///         let fake = infer(|| Tensor::randn([real.rows(), 1]).apply(&gan.g));
///         let y = Tensor::cat(&[real.apply(&gan.d), fake.apply(&gan.d)], 0);
///         let target = Tensor::cat(&[Tensor::ones([real.rows(), 1]), Tensor::zeros([real.rows(), 1])], 0);
///         bce_with_logits(&y, &target).into()
///     }
///     fn step(&self, gan: &mut Gan, real: &Tensor, cx: &mut Cx<'_>) -> Result<Step> {
///         let step = cx.descend_by("d", gan, |gan| self.loss(gan, real))?; // in the loss, `g` is in `infer`
///         let n = real.rows();
///         cx.descend(&mut gan.g, |g| {
///             let y = Tensor::randn([n, 1]).apply(g);
///             bce_with_logits(&frozen(&gan.d, || y.apply(&gan.d)), &Tensor::ones([n, 1]))
///         })?;
///         Ok(step)
///     }
/// }
/// let real: Samples<Tensor> = (0..32).map(|i| tensor![3.0 + 0.1 * i as f64]).collect();
/// let mut gan = Gan { g: Linear::new(1, 1), d: Linear::new(1, 1) };
/// let mut trainer = Trainer::task(Adam::new(1e-2), Adversarial).optimizer("d", Adam::new(1e-2)).quiet();
/// let history = trainer.fit(&mut gan, real.batches(8).shuffle(), None)?;
/// assert_eq!(history.rows[0].step, 8); // four batches, two steps each
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no task for a model `{M}` and batches of `{B}`",
    label = "this cannot train that model on those batches",
    note = "a loss such as `mse` needs a model that is a `Layer` and batches of `Sample` (an `x` and a `y`)",
    note = "for other models and batches write `Trainer::of(optimizer, |model: &Net, batch: &Pair| ..)`, or implement `Task<Net, Pair>`"
)]
pub trait Task<M, B: Rows>: Send + Sync {
    /// The loss of a batch: a pure function, which runs in training, in validation, and again to find where a NaN came from.
    fn loss(&self, model: &M, batch: &B) -> Step;

    /// What validation reports, where that is something else than the loss of training.
    fn judge(&self, model: &M, batch: &B) -> Step {
        self.loss(model, batch)
    }

    /// What a batch does to the model: one step on all of it.
    ///
    /// # Errors
    /// Those of [`Cx::descend`].
    fn step(&self, model: &mut M, batch: &B, cx: &mut Cx<'_>) -> Result<Step>
    where
        M: Module,
    {
        cx.descend(model, |model| self.loss(model, batch))
    }

    /// What model files say of the model and its loss where [`Trainer::info`](crate::Trainer::info) was told nothing: by
    /// default nothing.
    fn written(&self, _model: &M, _batch: &B) -> ModelInfo {
        ModelInfo::default()
    }
}

impl<M, B: Rows> Task<M, B> for Box<dyn Task<M, B>> {
    fn loss(&self, model: &M, batch: &B) -> Step {
        (**self).loss(model, batch)
    }

    fn judge(&self, model: &M, batch: &B) -> Step {
        (**self).judge(model, batch)
    }

    fn step(&self, model: &mut M, batch: &B, cx: &mut Cx<'_>) -> Result<Step>
    where
        M: Module,
    {
        (**self).step(model, batch, cx)
    }

    fn written(&self, model: &M, batch: &B) -> ModelInfo {
        (**self).written(model, batch)
    }
}

/// A loss of outputs and targets, for every [`Layer`] and batches of [`Sample`]: the task of
/// [`Trainer::new`](crate::Trainer::new).
pub struct Supervised(Box<dyn Loss>);

impl Supervised {
    /// The task that lowers this loss.
    ///
    /// ```
    /// use mapsto_data::prelude::*;
    /// use mapsto_nn::prelude::*;
    /// use mapsto_tensor::prelude::*;
    /// use mapsto_train::{Supervised, Task};
    /// let batch = Sample { x: tensor![[1.0], [2.0]], y: tensor![[1.0], [4.0]] };
    /// let step = Supervised::new(mse).loss(&|x: &Tensor| x.clone(), &batch);
    /// assert_eq!(step.loss.item(), 2.0); // (0 + 4) / 2
    /// ```
    pub fn new(loss: impl Loss + 'static) -> Supervised {
        Supervised(Box::new(loss))
    }

    pub(crate) fn boxed(loss: Box<dyn Loss>) -> Supervised {
        Supervised(loss)
    }
}

#[diagnostic::do_not_recommend]
impl<M: Layer> Task<M, Sample> for Supervised {
    fn loss(&self, model: &M, batch: &Sample) -> Step {
        supervised(&*self.0, |x| model.forward(x), batch)
    }

    /// The layers, where the model says its own, and the loss, where it has a name.
    fn written(&self, model: &M, batch: &Sample) -> ModelInfo {
        let spec = ModelSpec::of_layer(model, batch.x.shape().get(1..).unwrap_or_default());
        let loss = self.0.entry();
        ModelInfo {
            spec: spec.map(|spec| spec.to_json()),
            loss: loss.map(|loss| loss.to_json()),
            ..ModelInfo::default()
        }
    }
}

/// The loss of a model's outputs for a batch: the one place where outputs meet targets.
pub(crate) fn supervised(loss: &dyn Loss, forward: impl Fn(&Tensor) -> Tensor, batch: &Sample) -> Step {
    let weight = loss.weight(&batch.y);
    let mut y = forward(&batch.x);
    // Under `autocast` losses and metrics are computed in f32.
    if let Some([Some(wide)]) = full([Some(&y)]) {
        y = wide;
    }
    // A batch that the loss ignores as a whole has no mean loss, and weighs nothing.
    let value = match weight {
        0.0 => Tensor::zeros(()),
        // The losses of the library compare shapes themselves.
        _ if y.shape() == batch.y.shape() || loss.entry().is_some() => loss.loss(&y, &batch.y),
        _ => paired(&y, &batch.y, || loss.loss(&y, &batch.y)),
    };
    one_number(&value);
    Step::new(value).weighing(weight).output(&y, &batch.y)
}

/// Checks that a loss can be lowered: gradients are those of one number.
#[track_caller]
fn one_number(loss: &Tensor) {
    if loss.len() != 1 {
        fail!("loss", "a loss must be one number, this one has the shape {:?}", loss.shape();
              help = "take the mean over the batch: `.mean(..)`");
    }
}

/// A function of a model and a batch as a task: what [`Trainer::of`](crate::Trainer::of) makes.
pub struct Function<F, M, B, R>(F, PhantomData<fn(&M, &B) -> R>);

impl<F, M, B, R> Function<F, M, B, R> {
    pub(crate) fn new(f: F) -> Function<F, M, B, R> {
        Function(f, PhantomData)
    }
}

impl<M, B: Rows, R: Into<Step>, F: Fn(&M, &B) -> R + Send + Sync> Task<M, B> for Function<F, M, B, R> {
    fn loss(&self, model: &M, batch: &B) -> Step {
        let step: Step = (self.0)(model, batch).into();
        one_number(&step.loss);
        step
    }
}

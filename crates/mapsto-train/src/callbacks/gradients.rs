//! What a callback sees between the gradients and the step.

use mapsto_nn::{Optimizer, Path};
use mapsto_tensor::{Grads, LeafId, Tensor};
use std::collections::HashMap;

/// Clipped gradients and the optimizer that is about to step with them.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_nn::prelude::*;
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::Trainer;
/// use mapsto_train::callbacks::{Callback, Gradients, Moment, Run};
/// /// Takes shorter steps where the gradient is large.
/// struct Careful;
/// impl Callback for Careful {
///     fn name(&self) -> String {
///         "halve the learning rate of a step whose gradient is above 1".into()
///     }
///     fn moments(&self) -> &'static [Moment] {
///         &[Moment::Gradients]
///     }
///     fn at(&mut self, _: Moment, _: &mut Run<'_>) -> Result<()> {
///         Ok(())
///     }
///     fn gradients(&mut self, at: &mut Gradients<'_>) -> Result<()> {
///         let is_large = at.grads.norm() > 1.0;
///         at.optimizer.set_lr(if is_large { 0.05 } else { 0.1 });
///         Ok(())
///     }
/// }
/// let set = InMemory::new(tensor![[1.0]], tensor![[3.0]]);
/// let mut line = Linear::new(1, 1).no_bias();
/// line.weight.set(&tensor![[1.0]])?;
/// Trainer::new(Sgd::new(0.1), mse).on(Careful).quiet().fit(&mut line, set.batches(1), None)?;
/// assert_close!(line.weight, [[1.0 + 0.05 * 4.0]]); // 2 · (1 − 3) · 1 = −4
/// # Ok::<(), Error>(())
/// ```
pub struct Gradients<'a> {
    /// The name of the optimizer; the first is called `main`.
    pub by: &'a str,
    /// The steps that it has taken so far.
    pub step: u64,
    /// The optimizer. A learning rate that is set here holds for this step, and without a schedule for those after it.
    pub optimizer: &'a mut dyn Optimizer,
    /// The gradients, of the parameters that are to change.
    pub grads: &'a mut Grads,
    pub(crate) names: &'a HashMap<LeafId, Path>,
}

impl Gradients<'_> {
    /// Each gradient with the name of its parameter in the model, in the order of the names.
    #[must_use]
    pub fn each(&self) -> Vec<(String, &Tensor)> {
        let name = |id: &LeafId| self.names.get(id).map(Path::to_string).unwrap_or_default();
        let mut all: Vec<(String, &Tensor)> = self.grads.iter().map(|(id, g)| (name(&id), g)).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

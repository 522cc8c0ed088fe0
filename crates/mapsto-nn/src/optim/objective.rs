//! A model with its loss, as optimizers see them that look at the loss more than once a step.

use crate::module::{Item, ItemMut, Module, Path, Segment};
use mapsto_tensor::random::{self, RandomState};
use mapsto_tensor::{Grads, Result, Tensor, train};

/// A model with a loss that can be computed again at other weights.
///
/// The trainer has one for every step. In a loop written by hand it is a [`Closure`].
/// ```
/// use mapsto_nn::optim::{Closure, Objective};
/// use mapsto_nn::prelude::*;
/// let mut net = Linear::new(1, 1).no_bias();
/// net.weight.set(&tensor![[2.0]])?;
/// let mut objective = Closure::new(&mut net, |net: &Linear| net.weight.square().sum(..));
/// let (loss, grads) = objective.gradients()?;
/// assert_eq!((loss, grads.len()), (4.0, 1));
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub trait Objective {
    /// The model, whose weights may be changed.
    fn model(&mut self) -> Part<'_>;

    /// The loss and its gradients at the present weights: each time of the same function, with the same draws of dropout and the
    /// like, and states such as running means see it once.
    ///
    /// # Errors
    /// What the loss reports.
    fn gradients(&mut self) -> Result<(f64, Grads)>;
}

/// A model and a closure that computes its loss: PyTorch's `closure` of `optimizer.step(closure)`.
///
/// The closure runs in training mode.
/// ```
/// use mapsto_nn::optim::{Closure, Lbfgs};
/// use mapsto_nn::prelude::*;
/// let (x, y) = (tensor![[0.0], [1.0], [2.0]], tensor![[1.0], [3.0], [5.0]]);
/// let mut line = Linear::new(1, 1);
/// let mut opt = Lbfgs::new(1.0);
/// for _ in 0..3 {
///     opt.descend(&mut Closure::new(&mut line, |line: &Linear| mse(&line.forward(&x), &y)))?;
/// }
/// assert!((line.weight.item() - 2.0).abs() < 1e-3); // y = 2 x + 1
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
pub struct Closure<'m, M, F> {
    model: &'m mut M,
    loss: F,
    first: Option<Before>,
}

impl<'m, M: Module, F: Fn(&M) -> Tensor> Closure<'m, M, F> {
    /// Lowers what `loss` gives of the model; one for each step.
    pub fn new(model: &'m mut M, loss: F) -> Closure<'m, M, F> {
        Closure { model, loss, first: None }
    }
}

impl<M: Module, F: Fn(&M) -> Tensor> Objective for Closure<'_, M, F> {
    fn model(&mut self) -> Part<'_> {
        Part::whole(self.model)
    }

    fn gradients(&mut self) -> Result<(f64, Grads)> {
        let compute = || {
            let loss = train(|| (self.loss)(self.model));
            (loss.item(), loss.backward())
        };
        Ok(match &self.first {
            Some(first) => first.again(self.model, compute),
            None => {
                self.first = Some(Before::now());
                compute()
            }
        })
    }
}

/// What a forward pass begins with beside its inputs.
///
/// ```
/// use mapsto_nn::optim::Before;
/// use mapsto_nn::prelude::*;
/// let (net, before) = (Dropout::new(0.5), Before::now());
/// let x = Tensor::ones([8]);
/// let y = train(|| net.forward(&x));
/// assert_eq!(before.again(&net, || train(|| net.forward(&x))).to_vec::<f32>(), y.to_vec::<f32>());
/// ```
pub struct Before {
    random: RandomState,
}

impl Before {
    /// As it is now, before the first forward pass of a step.
    #[must_use]
    pub fn now() -> Before {
        Before { random: random::state() }
    }

    /// Computes the same once more: with the draws of the first pass, and without a trace in the model's states.
    pub fn again<R>(&self, model: &dyn Module, compute: impl FnOnce() -> R) -> R {
        let after = random::state();
        let mut states = Vec::new();
        model.visit(&mut Path::new(), &mut |_, item| {
            if let Item::State(state) = item {
                states.push(state.get());
            }
        });
        random::set_state(&self.random);
        let result = compute();
        random::set_state(&after);
        let mut states = states.into_iter();
        model.visit(&mut Path::new(), &mut |_, item| {
            if let Item::State(state) = item {
                states.next().into_iter().for_each(|value| state.set(value));
            }
        });
        result
    }
}

/// A part of a model under its path in the whole: optimizers know parameters by the model's names.
///
/// ```
/// use mapsto_nn::optim::Part;
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::Segment;
/// let mut head = Linear::new(2, 1).no_bias();
/// let part = Part::under(&[Segment::Name("head")], &mut head);
/// assert_eq!(part.state_dict()[0].0, "head.weight");
/// ```
pub struct Part<'m> {
    prefix: &'m [Segment],
    part: &'m mut dyn Module,
}

impl<'m> Part<'m> {
    /// The whole model.
    pub fn whole(model: &'m mut dyn Module) -> Part<'m> {
        Part { prefix: &[], part: model }
    }

    /// A part, under this path.
    pub fn under(prefix: &'m [Segment], part: &'m mut dyn Module) -> Part<'m> {
        Part { prefix, part }
    }
}

impl Module for Part<'_> {
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

#[test]
fn running_statistics_see_a_batch_once() {
    use crate::prelude::*;
    let mut net = seq![Linear::new(2, 3), BatchNorm1d::new(3), Dropout::new(0.5)];
    let x = Tensor::randn([8, 2]);
    let mut closure = Closure::new(&mut net, |net: &Sequential| net.forward(&x).square().sum(..));
    let (first, _) = closure.gradients().unwrap();
    let states = closure.model.state_dict();
    let draws = random::state();
    let (again, _) = closure.gradients().unwrap();
    assert_eq!(first, again);
    assert_eq!(random::state(), draws);
    for ((name, a), (_, b)) in states.iter().zip(closure.model.state_dict()) {
        assert_eq!(a.to_vec::<f32>(), b.to_vec::<f32>(), "{name}");
    }
}

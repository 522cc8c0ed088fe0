//! What an operation is: its name and attributes, how it runs, and its derivatives.

use super::{At, Cost, Meaning, Meant, Outline, Say, Vjp};
use crate::Tensor;
use smallvec::SmallVec;
use std::ops::RangeInclusive;

/// An operation: a value that knows its name, its attributes, how it runs and how it is differentiated.
///
/// [`apply`](super::apply) runs it and records it. The derivative is written with tensor operations, so that it can be
/// differentiated again; it may answer in the broadcast shape, which the engine sums back to the shape of the input.
///
/// ```
/// use mapsto_tensor::graph::{At, Op, Ran, Vjp, apply};
/// use mapsto_tensor::prelude::*;
/// struct Cube;
/// impl Op for Cube {
///     fn name(&self) -> &'static str { "cube" }
///     fn run(&self, xs: &[&Tensor]) -> Ran { (xs[0] * xs[0] * xs[0]).into() }
///     fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp { (g * 3.0 * at.x().square()).into() }
/// }
/// let x = tensor![2.0].leaf();
/// let y = apply(Cube, &[&x]);
/// assert_close!(y, [8.0]);
/// assert_close!(y.sum(..).backward().of(&x), [12.0]);
/// ```
pub trait Op: Send + Sync + 'static {
    /// The name, as in the documentation: `matmul`.
    fn name(&self) -> &'static str;
    /// Says every attribute, such as `axis = 1` or `eps = 1e-5`: with the name enough to build the operation again.
    fn attrs(&self, _say: Say<'_>) {}
    /// How many inputs it takes.
    fn takes(&self) -> RangeInclusive<usize> {
        1..=usize::MAX
    }
    /// Computes the result. It runs under `no_grad`; nothing it calls is recorded or shown to a trace.
    #[track_caller]
    fn run(&self, xs: &[&Tensor]) -> Ran;
    /// The same where nothing is recorded, so that inputs which nobody else holds may be written over.
    #[track_caller]
    fn run_onto(&self, xs: Owned) -> Ran {
        self.run(&xs.refs())
    }
    /// The values that the derivative will ask for.
    fn keep(&self) -> Keep {
        Keep::INPUTS
    }
    /// The vector-Jacobian product: from the gradient `g` of the result to the gradients of the inputs.
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp;
    /// The same where the gradient is needed no more, so that its memory may become the result's.
    fn vjp_onto(&self, at: &At<'_>, g: Tensor) -> Vjp {
        self.vjp(at, &g)
    }
    /// The Jacobian-vector product: how the result moves as the inputs move by `dxs`, none where one stands still. It is
    /// the derivative of the derivative, unless an operation knows better.
    fn jvp(&self, at: &At<'_>, dxs: &[Option<Tensor>]) -> Tensor {
        super::jvp::twice(&|at, g| self.vjp(at, g), at, dxs)
    }
    /// The gradients of the inputs that are shared by `n` samples, for each of them, `[n, ..]`, where samples follow one another along the
    /// first axis of the result and of the other inputs: for [`per_sample_grads`](super::per_sample_grads). None where there is no
    /// faster way than row by row.
    fn vjp_each(&self, at: &At<'_>, _g: &Tensor, _n: usize) -> Vjp {
        vec![None; at.inputs()].into()
    }
    /// The gradient of the result with samples along its first axis, where they lie elsewhere in it; `vjp_each` is then the only
    /// way, and is given the gradient as it is.
    fn samples_first(&self, _at: &At<'_>, _g: &Tensor) -> Option<Tensor> {
        None
    }
    /// Whether the result for one sample depends on the others of its batch by design, as that of batch norm in training does.
    fn mixes_samples(&self) -> bool {
        false
    }
    /// What it costs on inputs of these shapes.
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each(xs, y, 1)
    }
    /// Of its only input, the axis of which the result is a part, and where the part begins; none for all but slices.
    /// `backward` joins the gradients of all parts of a tensor once, instead of adding up as many whole gradients.
    fn part(&self) -> Option<(usize, usize)> {
        None
    }
    /// The result computed again with all that it is made of recorded, for an operation that kept nothing of it:
    /// `backward` goes on in there, and does not ask for [`Op::vjp`].
    fn again(&self, _at: &At<'_>) -> Option<Tensor> {
        None
    }
    /// Whether the derivative is 0 everywhere by definition, as that of a rounding is: no gradient is lost there.
    fn is_flat(&self) -> bool {
        false
    }
    /// Whether [`autocast`](crate::autocast()) gives it its inputs in f32, because it would lose digits or leave the range of 16 bits.
    #[inline]
    fn is_full(&self) -> bool {
        false
    }
    /// Of a distribution, the axis along which it adds up to 1, where that is known.
    fn sums_along(&self, _xs: &Meant<'_>) -> Option<usize> {
        None
    }
    /// What the numbers of the result mean, where that is known; a view answers what its input does, `xs.of(0)`. Losses ask
    /// for it ([`Tensor::meaning`](crate::Tensor::meaning)), and nothing that runs an operation does.
    fn meaning(&self, _xs: &Meant<'_>) -> Option<Meaning> {
        None
    }
    /// What messages about that meaning call the operation: its name, or that of an activation in its pass.
    fn ends_in(&self) -> &'static str {
        self.name()
    }
}

/// An operation that is known by its kind alone, such as one built from attributes.
impl Op for Box<dyn Op> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn takes(&self) -> RangeInclusive<usize> {
        (**self).takes()
    }
    fn attrs(&self, say: Say<'_>) {
        (**self).attrs(say)
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        (**self).run(xs)
    }
    fn run_onto(&self, xs: Owned) -> Ran {
        (**self).run_onto(xs)
    }
    fn keep(&self) -> Keep {
        (**self).keep()
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        (**self).vjp(at, g)
    }
    fn vjp_onto(&self, at: &At<'_>, g: Tensor) -> Vjp {
        (**self).vjp_onto(at, g)
    }
    fn jvp(&self, at: &At<'_>, dxs: &[Option<Tensor>]) -> Tensor {
        (**self).jvp(at, dxs)
    }
    fn vjp_each(&self, at: &At<'_>, g: &Tensor, n: usize) -> Vjp {
        (**self).vjp_each(at, g, n)
    }
    fn samples_first(&self, at: &At<'_>, g: &Tensor) -> Option<Tensor> {
        (**self).samples_first(at, g)
    }
    fn mixes_samples(&self) -> bool {
        (**self).mixes_samples()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        (**self).cost(xs, y)
    }
    fn part(&self) -> Option<(usize, usize)> {
        (**self).part()
    }
    fn again(&self, at: &At<'_>) -> Option<Tensor> {
        (**self).again(at)
    }
    fn is_flat(&self) -> bool {
        (**self).is_flat()
    }
    fn is_full(&self) -> bool {
        (**self).is_full()
    }
    fn sums_along(&self, xs: &Meant<'_>) -> Option<usize> {
        (**self).sums_along(xs)
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        (**self).meaning(xs)
    }
    fn ends_in(&self) -> &'static str {
        (**self).ends_in()
    }
}

/// What an operation has computed.
pub struct Ran {
    /// The result.
    pub y: Tensor,
    /// Values that the derivative wants besides the inputs and the result, such as the positions of maxima:
    /// [`At::kept`].
    pub kept: Vec<Tensor>,
}

impl From<Tensor> for Ran {
    #[inline]
    fn from(y: Tensor) -> Ran {
        Ran { y, kept: Vec::new() }
    }
}

/// Inputs that are handed over: an operation may write over those that nobody else holds.
pub struct Owned(pub SmallVec<[Tensor; 3]>);

impl Owned {
    /// The inputs, to be read.
    pub fn refs(&self) -> SmallVec<[&Tensor; 3]> {
        self.0.iter().collect()
    }
}

impl<const N: usize> From<[Tensor; N]> for Owned {
    #[inline]
    fn from(xs: [Tensor; N]) -> Owned {
        Owned(xs.into_iter().collect())
    }
}

/// Which values an operation keeps for its derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    inputs: u8,
    pub(super) output: bool,
}

impl Keep {
    /// Nothing.
    pub const NONE: Keep = Keep { inputs: 0, output: false };
    /// Every input.
    pub const INPUTS: Keep = Keep { inputs: u8::MAX, output: false };
    /// The result.
    pub const OUTPUT: Keep = Keep { inputs: 0, output: true };
    /// Every input and the result.
    pub const BOTH: Keep = Keep { inputs: u8::MAX, output: true };

    /// Input `i`, besides what is kept already.
    pub const fn input(self, i: usize) -> Keep {
        Keep { inputs: self.inputs | 1 << i, ..self }
    }

    pub(super) fn has_input(self, i: usize) -> bool {
        if i < 8 { self.inputs >> i & 1 == 1 } else { self.inputs == u8::MAX }
    }
}

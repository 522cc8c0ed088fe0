//! Fused operations: a kernel is an optimisation of a definition, never the definition.

use super::{At, Cost, Keep, Meaning, Meant, Op, Outline, Ran, Say, Vjp, engine::grads_at, try_apply};
use crate::Tensor;
use crate::autocast::widened;
use crate::check::floats;
use crate::elementwise::Real;
use crate::elementwise::{Unary, map, unary};
use crate::kind::{OpKind, Takes};
use crate::{DType, scope};

/// An operation defined by others (`compose`) that has a faster kernel.
///
/// `compose` is its specification, the reference of its tests, its fallback where no kernel fits, and its second
/// derivative: where gradients are differentiated again, they are those of `compose`.
pub trait Fused: Send + Sync + 'static {
    /// The name, as in the documentation.
    fn name(&self) -> &'static str;
    /// How many inputs it takes, as [`Op::takes`].
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=usize::MAX
    }
    /// Says every attribute, as [`Op::attrs`].
    fn attrs(&self, _say: Say<'_>) {}
    /// The definition, in terms of other operations.
    fn compose(&self, xs: &[&Tensor]) -> Tensor;
    /// The CPU's kernel: the result, and values that `cpu_vjp` wants besides; `None` if it does not fit these inputs.
    /// It runs under `no_grad`, on inputs of the CPU. Another device brings kernels of its own, which it knows by the name and
    /// the attributes: [`Backend::fast`](crate::backend::Backend::fast).
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast>;
    /// The kernel of the CPU for the derivative; `None` if there is none for these inputs, and `compose` is differentiated instead.
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp>;
    /// As [`Op::vjp_each`].
    fn vjp_each(&self, at: &At<'_>, _g: &Tensor, _n: usize) -> Vjp {
        vec![None; at.inputs()].into()
    }
    /// As [`Op::samples_first`].
    fn samples_first(&self, _at: &At<'_>, _g: &Tensor) -> Option<Tensor> {
        None
    }
    /// As [`Op::mixes_samples`].
    fn mixes_samples(&self) -> bool {
        false
    }
    /// What it costs, as [`Op::cost`].
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each(xs, y, 1)
    }
    /// Whether what lies between inputs and result in `compose` may leave the range of f32 where the result does not, so that
    /// it is to be computed in f64.
    fn wide(&self) -> bool {
        false
    }
    /// As [`Op::is_full`].
    #[inline]
    fn is_full(&self) -> bool {
        false
    }
    /// Whether `cpu_vjp` also reads the result.
    fn keeps_output(&self) -> bool {
        false
    }
    /// Of a distribution, the axis along which it adds up to 1.
    fn sums_along(&self) -> Option<usize> {
        None
    }
    /// What the numbers of the result mean, as [`Op::meaning`].
    fn meaning(&self, _xs: &Meant<'_>) -> Option<Meaning> {
        None
    }
    /// As [`Op::ends_in`].
    fn ends_in(&self) -> &'static str {
        self.name()
    }
}

/// What a fused kernel has computed.
pub type Fast = Ran;

/// Runs a fused operation: its kernel where that fits, else its definition.
#[track_caller]
pub fn fused<F: Fused>(op: F, xs: &[&Tensor]) -> Tensor {
    if op.is_full() && scope::mode().casts() {
        return recorded(op, &widened(xs).refs());
    }
    recorded(op, xs)
}

#[track_caller]
fn recorded<F: Fused>(op: F, xs: &[&Tensor]) -> Tensor {
    match try_apply(Recorded { op }, xs, |recorded| fast(&recorded.op, xs)) {
        Ok(y) => y,
        Err(recorded) => composed(&recorded.op, xs),
    }
}

/// The definition, computed in f32 where the inputs have 16 bits: what lies between input and result, a square or a sum,
/// may leave their range where the result does not. Kernels do the same. Likewise in f64, where an operation asks for it.
#[track_caller]
fn composed(op: &dyn Fused, xs: &[&Tensor]) -> Tensor {
    let inner = if op.wide() { DType::F64 } else { DType::F32 };
    let short = |x: &Tensor| x.dtype().is_float() && x.dtype().size() < inner.size();
    let Some(dtype) = xs.iter().find(|x| short(x)).map(|x| x.dtype()) else { return op.compose(xs) };
    let wide: Vec<Tensor> = xs.iter().map(|x| if short(x) { x.to(inner) } else { (*x).clone() }).collect();
    let y = op.compose(&wide.iter().collect::<Vec<_>>());
    if y.dtype() == inner { y.to(dtype) } else { y }
}

/// What the device of all inputs computes by a kernel of its own; none without one.
pub(crate) fn fast(op: &dyn Fused, xs: &[&Tensor]) -> Option<Fast> {
    let device = xs.first()?.device();
    xs.iter().all(|x| x.device() == device).then(|| device.backend().fast(op, xs)).flatten()
}

/// A fused operation as the graph knows it.
struct Recorded<F> {
    op: F,
}

/// A fused operation as a value that [`apply`](super::apply) takes.
pub(crate) fn boxed<F: Fused>(op: F) -> Box<dyn Op> {
    Box::new(Recorded { op })
}

impl<F: Fused> Op for Recorded<F> {
    fn name(&self) -> &'static str {
        self.op.name()
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        self.op.takes()
    }
    fn attrs(&self, say: Say<'_>) {
        self.op.attrs(say)
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        fast(&self.op, xs).unwrap_or_else(|| composed(&self.op, xs).into())
    }
    fn vjp_each(&self, at: &At<'_>, g: &Tensor, n: usize) -> Vjp {
        self.op.vjp_each(at, g, n)
    }
    fn samples_first(&self, at: &At<'_>, g: &Tensor) -> Option<Tensor> {
        self.op.samples_first(at, g)
    }
    fn mixes_samples(&self) -> bool {
        self.op.mixes_samples()
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        self.op.cost(xs, y)
    }
    fn sums_along(&self, _: &Meant<'_>) -> Option<usize> {
        self.op.sums_along()
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        self.op.meaning(xs)
    }
    fn ends_in(&self) -> &'static str {
        self.op.ends_in()
    }
    fn is_full(&self) -> bool {
        self.op.is_full()
    }
    fn keep(&self) -> Keep {
        if self.op.keeps_output() { Keep::BOTH } else { Keep::INPUTS }
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        vjp(&self.op, at, g)
    }
}

/// The gradients of a fused operation: by its kernel, or by those of its definition.
fn vjp(op: &dyn Fused, at: &At<'_>, g: &Tensor) -> Vjp {
    // A tape shows the definition: what a kernel does is not to be seen.
    if !at.is_differentiated_again()
        && !crate::trace::is_taping()
        && let Some(vjp) = g.device().backend().fast_vjp(op, at, g)
    {
        return vjp;
    }
    // Each input passes through a recorded identity, so that the gradient at it alone is found, even where one
    // input was computed from another; and so that the result still depends on the inputs' own history.
    let xs: Vec<Tensor> = crate::record(|| {
        (0..at.inputs())
            .map(|i| match at.wants(i) {
                true if at.is_differentiated_again() => map(Identity, at.input(i)),
                true => at.input(i).detach().leaf(),
                false => at.input(i).detach(),
            })
            .collect()
    });
    let refs: Vec<&Tensor> = xs.iter().collect();
    let y = crate::record(|| composed(op, &refs));
    let mut found = vec![None; xs.len()];
    if !y.0.origin.is_constant() {
        grads_at(&y, g, &refs, &mut found);
    }
    found.into()
}

pub(crate) const KINDS: &[OpKind] = &[OpKind::new(
    "identity",
    "The elements themselves: a point of the graph at which a gradient is found.",
    Takes::Floats,
    |s| s.each(floats(-2.0..2.0), |x| map(Identity, &x[0])),
)
.built(|_| Ok(unary(Identity)))];

#[derive(Clone, Copy)]
pub(super) struct Identity;
impl Unary for Identity {
    const NAME: &'static str = "identity";
    const KEEP: Keep = Keep::NONE;
    fn f<R: Real>(self, x: R) -> R {
        x
    }
    fn vjp(self, _: &At<'_>, g: &Tensor) -> Tensor {
        g.clone()
    }
}

//! The graph of recorded operations: one node an operation, freed as it is used, never walked by recursion.

mod arriving;
mod at;
mod engine;
mod fused;
mod grads;

pub use at::{At, Vjp};
pub use engine::grad;
pub(crate) use engine::grads_or_zeros;
pub use fused::{Fast, Fused, fused};
pub use grads::Grads;

use crate::dtype::DType;
use crate::shape::Shape;
use crate::tensor::Inner;
use crate::{Tensor, scope, trace};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// An operation as the graph knows it: a name, what its derivative needs, and its derivative.
///
/// The derivative is written with tensor operations, so that it can be differentiated again; it may answer in the
/// broadcast shape, which the engine sums back to the shape of the input.
pub trait Op: Send + Sync + 'static {
    /// The name, as in the documentation: `matmul`.
    fn name(&self) -> &'static str;
    /// The values that the derivative will ask for.
    fn keep(&self) -> Keep {
        Keep::INPUTS
    }
    /// The vector-Jacobian product: from the gradient `g` of the result to the gradients of the inputs.
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp;
    /// Of its only input, the axis of which the result is a part, and where the part begins; none for all but slices.
    /// `backward` joins the gradients of all parts of a tensor once, instead of adding up as many whole gradients.
    fn part(&self) -> Option<(usize, usize)> {
        None
    }
}

/// Which values an operation keeps for its derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    inputs: u8,
    output: bool,
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

    fn has_input(self, i: usize) -> bool {
        if i < 8 { self.inputs >> i & 1 == 1 } else { self.inputs == u8::MAX }
    }
}

/// The identity of a leaf: it stays through updates of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafId(u64);

impl LeafId {
    pub(crate) fn new() -> LeafId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        LeafId(NEXT.fetch_add(1, Relaxed))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum LeafKind {
    /// Made by `leaf()`: recorded in any mode but `no_grad`.
    Hand,
    /// A parameter: recorded in `train` and `record`.
    Parameter,
}

/// How a tensor came to be.
#[derive(Clone)]
pub(crate) enum Origin {
    Constant,
    Leaf(LeafId, LeafKind),
    Made(Arc<Node>),
}

impl Origin {
    /// Whether operations on it are recorded now.
    #[inline]
    fn wants(&self, off: bool) -> bool {
        match self {
            Origin::Constant => false,
            Origin::Leaf(_, LeafKind::Parameter) => scope::is_recording(),
            Origin::Leaf(_, LeafKind::Hand) | Origin::Made(_) => !off,
        }
    }
}

/// One recorded operation.
pub(crate) struct Node<O: ?Sized = dyn Op> {
    /// Nodes are numbered as they are made: every input has a smaller number than its use.
    serial: u64,
    shape: Shape,
    /// Taken by `backward`, so that values are freed as soon as they have been used.
    kept: Grave,
    op: O,
}

/// The place of what a node keeps, with the one way in which it is dropped.
struct Grave(Mutex<Option<Kept>>);

#[derive(Clone)]
pub(crate) struct Kept {
    inputs: SmallVec<[Input; 2]>,
    y: Option<Tensor>,
    /// What a fused kernel keeps besides.
    extra: Vec<Tensor>,
}

/// An input as its operation remembers it.
#[derive(Clone)]
pub(crate) struct Input {
    value: Option<Tensor>,
    origin: Origin,
    shape: Shape,
    dtype: DType,
}

impl Node {
    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Kept>> {
        // Nothing runs under this lock but a take or a clone.
        self.kept.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

thread_local! {
    static BURIED: RefCell<Option<Vec<Kept>>> = const { RefCell::new(None) };
}

/// Dropping a node drops its inputs, whose nodes may drop theirs: a chain of a million would overflow the stack.
/// So the first drop becomes an undertaker: what further drops give up is laid on its list.
impl Drop for Grave {
    fn drop(&mut self) {
        let kept = self.0.get_mut().unwrap_or_else(|e| e.into_inner()).take();
        let Some(kept) = kept else { return };
        if !kept.inputs.iter().any(|i| matches!(i.origin, Origin::Made(_))) {
            return;
        }
        let first = BURIED.try_with(|b| {
            let mut b = b.borrow_mut();
            let first = b.is_none();
            b.get_or_insert_default().push(kept);
            first
        });
        if first == Ok(true) {
            while let Some(next) = BURIED.with(|b| b.borrow_mut().as_mut().and_then(Vec::pop)) {
                drop(next);
            }
            BURIED.with(|b| *b.borrow_mut() = None);
        }
    }
}

/// Makes `y`, the result of `op` on `inputs`, remember how it was made, if any input asks for it.
///
/// This is how an operation of one's own enters the graph: compute `y` from detached inputs, then record it.
///
/// ```
/// use mapsto_tensor::graph::{At, Op, Vjp, record};
/// use mapsto_tensor::prelude::*;
/// struct Cube;
/// impl Op for Cube {
///     fn name(&self) -> &'static str { "cube" }
///     fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp { (g * 3.0 * at.x().square()).into() }
/// }
/// let x = tensor![2.0].leaf();
/// let y = record(Cube, no_grad(|| &x * &x * &x), &[&x]);
/// assert_close!(y.sum(..).backward().of(&x), [12.0]);
/// ```
#[track_caller]
pub fn record<O: Op>(op: O, y: Tensor, inputs: &[&Tensor]) -> Tensor {
    record_at(op, y, inputs, Vec::new(), Location::caller())
}

pub(crate) fn record_at<O: Op>(
    op: O,
    y: Tensor,
    inputs: &[&Tensor],
    extra: Vec<Tensor>,
    caller: &'static Location<'static>,
) -> Tensor {
    // What depends on the operation's type is as little as possible: this is compiled once for each of them.
    trace::emit(op.name(), inputs, &y, caller);
    match keep(op.keep(), &y, inputs, extra) {
        Some((serial, kept)) => made(y, |shape| Arc::new(Node { serial, shape, kept, op })),
        None => y,
    }
}

/// What the graph keeps of an operation, if any input asks for its record.
fn keep(keep: Keep, y: &Tensor, inputs: &[&Tensor], extra: Vec<Tensor>) -> Option<(u64, Grave)> {
    let off = scope::is_off();
    if off || !inputs.iter().any(|x| x.0.origin.wants(off)) {
        return None;
    }
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let mut kept = Kept { inputs: SmallVec::new(), y: keep.output.then(|| y.detach()), extra };
    for (i, x) in inputs.iter().enumerate() {
        kept.inputs.push(Input {
            value: keep.has_input(i).then(|| (*x).clone()),
            origin: if x.0.origin.wants(off) { x.0.origin.clone() } else { Origin::Constant },
            shape: *x.shape_of(),
            dtype: x.dtype(),
        });
    }
    Some((SERIAL.fetch_add(1, Relaxed), Grave(Mutex::new(Some(kept)))))
}

/// The tensor, made by a node.
fn made(mut y: Tensor, node: impl FnOnce(Shape) -> Arc<Node>) -> Tensor {
    let origin = Origin::Made(node(*y.shape_of()));
    match Arc::get_mut(&mut y.0) {
        Some(inner) => inner.origin = origin,
        None => y = Tensor(Arc::new(Inner { origin, ..(*y.0).clone() })),
    }
    y
}

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
use crate::storage::Shared;
use crate::tensor::Inner;
use crate::{MatmulPrecision, Tensor, scope, trace};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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
    /// The same where the gradient is needed no more, so that its memory may become the result's.
    fn vjp_onto(&self, at: &At<'_>, g: Tensor) -> Vjp {
        self.vjp(at, &g)
    }
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
#[derive(Clone, Default)]
pub(crate) enum Origin {
    #[default]
    Constant,
    Leaf(LeafId, LeafKind),
    Made(Shared<Node>),
}

impl Origin {
    /// Whether operations on it are recorded now, unless nothing is.
    #[inline]
    fn is_wanted(&self) -> bool {
        match self {
            Origin::Constant => false,
            Origin::Leaf(_, LeafKind::Parameter) => scope::is_recording(),
            Origin::Leaf(_, LeafKind::Hand) | Origin::Made(_) => true,
        }
    }
}

/// One recorded operation.
pub(crate) struct Node {
    /// Every input has a smaller number than its use, and a thread numbers nodes as it makes them.
    serial: u64,
    shape: Shape,
    /// In which the operation was computed, and its derivative will be.
    precision: MatmulPrecision,
    /// Taken by `backward`, so that values are freed as soon as they have been used.
    kept: Grave,
    /// Most operations have no fields, and then the box has no memory.
    op: Box<dyn Op>,
}

/// The place of what a node keeps, with the one way in which it is dropped.
struct Grave(Mutex<Option<Kept>>);

#[derive(Clone)]
pub(crate) struct Kept {
    inputs: SmallVec<[Input; 3]>,
    y: Option<Tensor>,
    /// What a fused kernel keeps besides.
    extra: Vec<Tensor>,
}

/// An input as its operation remembers it.
#[derive(Clone)]
pub(crate) struct Input {
    /// Whether its gradient is wanted.
    wanted: bool,
    seen: Seen,
}

#[derive(Clone)]
enum Seen {
    Whole(Tensor),
    /// Without the values. Inputs mostly have the result's shape; others are rare enough for an allocation.
    Outline {
        origin: Origin,
        shape: Option<Box<Shape>>,
        dtype: DType,
    },
}

impl Input {
    fn new(x: &Tensor, keep: bool, y: &Tensor) -> Input {
        let wanted = x.0.origin.is_wanted();
        let seen = match keep {
            true => Seen::Whole(x.clone()),
            false => Seen::Outline {
                origin: if wanted { x.0.origin.clone() } else { Origin::Constant },
                shape: (x.shape_of() != y.shape_of()).then(|| Box::new(*x.shape_of())),
                dtype: x.dtype(),
            },
        };
        Input { wanted, seen }
    }

    fn value(&self) -> Option<&Tensor> {
        match &self.seen {
            Seen::Whole(x) => Some(x),
            Seen::Outline { .. } => None,
        }
    }

    fn shape<'a>(&'a self, node: &'a Node) -> &'a Shape {
        match &self.seen {
            Seen::Whole(x) => x.shape_of(),
            Seen::Outline { shape, .. } => shape.as_deref().unwrap_or(&node.shape),
        }
    }

    fn dtype(&self) -> DType {
        match &self.seen {
            Seen::Whole(x) => x.dtype(),
            Seen::Outline { dtype, .. } => *dtype,
        }
    }

    fn origin(&self) -> &Origin {
        match &self.seen {
            Seen::Whole(x) => &x.0.origin,
            Seen::Outline { origin, .. } => origin,
        }
    }

    /// Where the gradient goes. The origin is moved out where that is possible, which saves counting references.
    fn take_origin(&mut self) -> Origin {
        match &mut self.seen {
            Seen::Outline { origin, .. } => std::mem::take(origin),
            Seen::Whole(x) => match Shared::get_mut(&mut x.0) {
                Some(inner) => std::mem::take(&mut inner.origin),
                None => x.0.origin.clone(),
            },
        }
    }
}

impl Node {
    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Kept>> {
        // Nothing runs under this lock but a take or a clone.
        self.kept.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn take_kept(this: &mut Shared<Node>) -> Option<Kept> {
        match Shared::get_mut(this) {
            Some(node) => node.kept.0.get_mut().unwrap_or_else(|e| e.into_inner()).take(),
            None => this.kept().take(),
        }
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
        if !kept.inputs.iter().any(|i| matches!(i.origin(), Origin::Made(_))) {
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
    if scope::is_off() || !inputs.iter().any(|x| x.0.origin.is_wanted()) {
        return y;
    }
    made(Box::new(op), y, inputs, extra)
}

/// The tensor, made by an operation.
fn made(op: Box<dyn Op>, mut y: Tensor, inputs: &[&Tensor], extra: Vec<Tensor>) -> Tensor {
    let keep = op.keep();
    let kept = Kept {
        inputs: inputs.iter().enumerate().map(|(i, x)| Input::new(x, keep.has_input(i), &y)).collect(),
        y: keep.output.then(|| y.detach()),
        extra,
    };
    let kept = Grave(Mutex::new(Some(kept)));
    let (serial, shape, precision) = (next_serial(inputs), *y.shape_of(), scope::precision());
    let origin = Origin::Made(Shared::new(Node { serial, shape, precision, kept, op }));
    match Shared::get_mut(&mut y.0) {
        Some(inner) => inner.origin = origin,
        None => y = Tensor(Shared::new(Inner { origin, ..(*y.0).clone() })),
    }
    y
}

/// Above the numbers of all inputs and of all that this thread has made. One counter for all threads would give every
/// node a number of its own, which nothing needs, for an atomic addition.
fn next_serial(inputs: &[&Tensor]) -> u64 {
    thread_local! {
        static LAST: Cell<u64> = const { Cell::new(0) };
    }
    let above = |last: u64, x: &&Tensor| match &x.0.origin {
        Origin::Made(node) => last.max(node.serial),
        _ => last,
    };
    let serial = inputs.iter().fold(LAST.get(), above) + 1;
    LAST.set(serial);
    serial
}

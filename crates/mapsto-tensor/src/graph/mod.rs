//! The graph of recorded operations: one node an operation, freed as it is used, never walked by recursion.

mod anomaly;
mod apply;
mod arriving;
mod at;
mod attr;
mod checkpoint;
mod cost;
mod engine;
mod functional;
mod fused;
mod grads;
mod hook;
mod jvp;
mod meaning;
#[cfg(mutants)]
mod mutant;
mod op;
mod origin;
mod per_sample;
mod program;
mod recorded;

pub(crate) use anomaly::Layer as NamedLayer;
pub use anomaly::detect_anomaly;
pub(crate) use apply::is_followed;
pub use apply::{apply, apply_onto, try_apply};
pub use at::{At, Vjp};
pub use attr::{Attr, Attrs, FromAttr, Say};
pub use checkpoint::checkpoint;
pub(crate) use cost::times;
pub use cost::{Cost, Outline};
pub(crate) use engine::grads_or_zeros;
pub use engine::{grad, grad_or_zeros, grad_with};
pub use functional::{hessian, hvp, jacobian, vjp};
pub(crate) use fused::fast;
pub use fused::{Fast, Fused, fused};
pub(crate) use fused::{KINDS, boxed};
pub use grads::Grads;
pub use hook::{Hook, HookResult};
pub use jvp::jvp;
pub use meaning::{Meaning, Meant};
pub use op::{Keep, Op, Owned, Ran};
pub(crate) use origin::Origin;
use origin::{Marks, Past};
pub use per_sample::per_sample_grads;
pub use program::{Graph, Source, Step, Value, print};
pub use recorded::{Recorded, Recording, recorded};

use crate::Tensor;
use crate::dtype::DType;
use crate::precision::Precision;
use crate::scope::Mode;
use crate::shape::Shape;
use crate::storage::Shared;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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

/// One recorded operation.
pub(crate) struct Node {
    /// Every input has a smaller number than its use, and a thread numbers nodes as it makes them.
    serial: u64,
    shape: Shape,
    dtype: DType,
    /// In which the operation was computed, and its derivative will be.
    precision: Precision,
    past: Marks,
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
    fn new(x: &Tensor, keep: bool, y: &Tensor, mode: Mode) -> Input {
        let wanted = x.0.origin.is_wanted(mode);
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

    /// As the differentiated derivative may see it: a parameter that was not recorded here is a constant there too, or
    /// its gradient would hold the part that the derivative adds and miss the one through this operation.
    fn as_recorded(&mut self) {
        if let Seen::Whole(x) = &mut self.seen
            && !self.wanted
            && matches!(x.0.origin, Origin::Leaf(..))
        {
            *x = x.outside();
        }
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

/// Runs `body` and lists every operation of this thread, whether a gradient asks for it or not: comparisons, positions and
/// work on constants too, inside `no_grad`, and `backward`. What an operation does inside is not listed.
///
/// ```
/// use mapsto_tensor::graph::trace;
/// use mapsto_tensor::prelude::*;
/// let (y, graph) = trace(|| tensor![1.0, 3.0].gt(2.0).choose(1.0, 0.0));
/// assert_eq!(y.to_vec::<f32>(), [0.0, 1.0]);
/// assert_eq!(graph.steps().len(), 2);
/// ```
pub fn trace<R>(body: impl FnOnce() -> R) -> (R, Graph) {
    let (result, tape) = crate::trace::tape(body);
    (result, Graph::of_tape(tape))
}

/// A node of an operation that no gradient asks for.
fn unwanted(op: Box<dyn Op>, y: &Tensor, mode: Mode) -> Shared<Node> {
    Shared::new(Node {
        serial: 0,
        shape: *y.shape_of(),
        dtype: y.dtype(),
        precision: mode.precision(),
        past: Marks::default(),
        kept: Grave(Mutex::new(None)),
        op,
    })
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

/// The tensor, made by an operation.
fn made(op: Box<dyn Op>, ran: Ran, inputs: &[&Tensor], mode: Mode) -> Tensor {
    let Ran { y, kept: extra } = ran;
    if !y.dtype().is_float() {
        return y; // a comparison, a position: nothing comes back through it
    }
    let keep = op.keep();
    let (serial, past) = place(&*op, inputs, mode);
    let (shape, dtype, precision) = (*y.shape_of(), y.dtype(), mode.precision());
    let output = keep.output.then(|| y.detach());
    let kept = Kept { inputs: SmallVec::new(), y: output, extra };
    // What is kept is written where it will stay: the whole of it is larger than all else that an operation copies.
    let mut node = Shared::by(|| Node {
        serial,
        shape,
        dtype,
        precision,
        past: Marks::of(past),
        kept: Grave(Mutex::new(Some(kept))),
        op,
    });
    let kept = Shared::get_mut(&mut node).and_then(|n| n.kept.0.get_mut().ok()?.as_mut());
    let list = &mut kept.expect("the node was just made").inputs;
    for (i, x) in inputs.iter().enumerate() {
        list.push(Input::new(x, keep.has_input(i), &y, mode));
    }
    y.of_origin(Origin::Made(node))
}

/// The number of the next node, above those of all inputs and of all that this thread has made, and what it remembers of
/// its inputs. One counter for all threads would give every node a number of its own, which nothing needs, for an atomic
/// addition.
fn place(op: &dyn Op, inputs: &[&Tensor], mode: Mode) -> (u64, Past) {
    thread_local! {
        static LAST: Cell<u64> = const { Cell::new(0) };
    }
    let (mut serial, mut past) = (LAST.get(), Past::default());
    for x in inputs {
        past.join(x, mode);
        if let Origin::Made(node) = &x.0.origin {
            serial = serial.max(node.serial);
        }
    }
    LAST.set(serial + 1);
    (serial + 1, past.behind(op).at(mode))
}

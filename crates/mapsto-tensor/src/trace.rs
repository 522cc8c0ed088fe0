//! Watching operations as they run: for debugging, for counting work, for finding the first NaN.

use crate::graph::{Cost, Node, Op, Outline};
use crate::storage::Shared;
use crate::{LeafId, Tensor, scope};
use std::cell::RefCell;
use std::panic::Location;

/// One operation that has just run.
pub struct TraceEvent<'a> {
    /// The operation's name, such as `matmul`.
    pub op: &'static str,
    /// The operation itself.
    pub operation: &'a dyn Op,
    /// Its inputs.
    pub inputs: &'a [&'a Tensor],
    /// Its result.
    pub output: &'a Tensor,
    /// The line that called it.
    pub caller: &'static Location<'static>,
}

impl TraceEvent<'_> {
    /// What the operation costs.
    pub fn cost(&self) -> Cost {
        let inputs: Vec<Outline> = self.inputs.iter().map(|x| Outline::from(*x)).collect();
        self.operation.cost(&inputs, &Outline::from(self.output))
    }

    /// The leaves among the inputs: the parameters the operation used directly.
    pub fn leaves(&self) -> impl Iterator<Item = LeafId> + '_ {
        self.inputs.iter().filter_map(|x| x.leaf_id())
    }
}

type Watcher = Box<dyn FnMut(&TraceEvent<'_>)>;

thread_local! {
    static TAPE: RefCell<Option<Vec<Taped>>> = const { RefCell::new(None) };
    /// Those of scopes within scopes: each sees what happens.
    static WATCHERS: RefCell<Vec<Watcher>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` and shows every operation of this thread to `watch`, and to those who watch around it.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use std::{cell::RefCell, rc::Rc};
/// let names = Rc::new(RefCell::new(vec![]));
/// let seen = names.clone();
/// trace::with(move |e| seen.borrow_mut().push(e.op), || Tensor::ones([2, 2]).tanh().sum(..));
/// assert_eq!(*names.borrow(), ["tanh", "sum"]);
/// ```
pub fn with<R>(watch: impl FnMut(&TraceEvent<'_>) + 'static, body: impl FnOnce() -> R) -> R {
    struct Back(usize);
    impl Drop for Back {
        fn drop(&mut self) {
            WATCHERS.with_borrow_mut(|all| all.truncate(self.0));
        }
    }
    let _back = Back(WATCHERS.with_borrow_mut(|all| {
        all.push(Box::new(watch));
        all.len() - 1
    }));
    scope::within(|m| m.watched(true), body)
}

/// Shows an operation to the watchers, who are not watched themselves.
pub(crate) fn emit(
    operation: &dyn Op,
    inputs: &[&Tensor],
    output: &Tensor,
    caller: &'static Location<'static>,
) {
    /// Puts the watchers back, also where one of them raises an error.
    struct Back(Vec<Watcher>);
    impl Drop for Back {
        fn drop(&mut self) {
            WATCHERS.set(std::mem::take(&mut self.0));
        }
    }
    let mut all = Back(WATCHERS.take());
    let event = TraceEvent { op: operation.name(), operation, inputs, output, caller };
    scope::within(|m| m.watched(false), || all.0.iter_mut().for_each(|watch| watch(&event)));
}

/// An operation that has run, with its inputs and its result, which the tape keeps alive: so a place in memory names a value.
#[derive(Clone)]
pub(crate) struct Taped {
    pub(crate) node: Shared<Node>,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) output: Tensor,
}

/// Runs `body` and gives what ran in it. A tape around this one gets it too.
pub(crate) fn tape<R>(body: impl FnOnce() -> R) -> (R, Vec<Taped>) {
    struct Back(Option<Vec<Taped>>);
    impl Drop for Back {
        fn drop(&mut self) {
            TAPE.with(|t| *t.borrow_mut() = self.0.take());
        }
    }
    let mut back = Back(TAPE.with(|t| t.replace(Some(Vec::new()))));
    let result = scope::within(|m| m.watched(true), body);
    let tape = TAPE.with(|t| t.take()).unwrap_or_default();
    if let Some(outer) = &mut back.0 {
        outer.extend(tape.iter().cloned());
    }
    (result, tape)
}

/// Whether operations are put on a tape.
pub(crate) fn is_taping() -> bool {
    TAPE.with(|t| t.borrow().is_some())
}

/// Puts an operation on the tape.
pub(crate) fn put(node: Shared<Node>, inputs: &[&Tensor], output: &Tensor) {
    let inputs = inputs.iter().map(|&x| x.clone()).collect();
    let taped = Taped { node, inputs, output: output.clone() };
    TAPE.with(|t| t.borrow_mut().iter_mut().for_each(|tape| tape.push(taped.clone())));
}

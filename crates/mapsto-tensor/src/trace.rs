//! Watching operations as they run: for debugging, for counting work, for finding the first NaN.

use crate::{LeafId, Tensor, scope};
use std::cell::RefCell;
use std::panic::Location;

/// One operation that has just run.
pub struct TraceEvent<'a> {
    /// The operation's name, such as `matmul`.
    pub op: &'static str,
    /// Its inputs.
    pub inputs: &'a [&'a Tensor],
    /// Its result.
    pub output: &'a Tensor,
    /// The line that called it.
    pub caller: &'static Location<'static>,
}

impl TraceEvent<'_> {
    /// The leaves among the inputs: the parameters the operation used directly.
    pub fn leaves(&self) -> impl Iterator<Item = LeafId> + '_ {
        self.inputs.iter().filter_map(|x| x.leaf_id())
    }
}

type Watcher = Box<dyn FnMut(&TraceEvent<'_>)>;

thread_local! {
    static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
}

/// Runs `body` and shows every operation of this thread to `watch`.
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
    struct Back(Option<Watcher>);
    impl Drop for Back {
        fn drop(&mut self) {
            WATCHER.with(|w| *w.borrow_mut() = self.0.take());
        }
    }
    let _back = Back(WATCHER.with(|w| w.replace(Some(Box::new(watch)))));
    scope::within(|m| m.watched = true, body)
}

/// Shows an operation to the watcher, if there is one. The watcher itself is not watched.
pub(crate) fn emit(
    op: &'static str,
    inputs: &[&Tensor],
    output: &Tensor,
    caller: &'static Location<'static>,
) {
    let Some(mut watcher) = WATCHER.with(|w| w.borrow_mut().take()) else { return };
    scope::within(|m| m.watched = false, || watcher(&TraceEvent { op, inputs, output, caller }));
    WATCHER.with(|w| *w.borrow_mut() = Some(watcher));
}

//! Modes as scopes: inference is the default; [`train`] records parameters and switches training behaviour on.

use crate::LeafId;
use crate::precision::Precision;
use std::cell::{Cell, RefCell};

#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Mode {
    /// Operations on parameters are recorded.
    record: bool,
    /// Layers behave as in training: dropout drops, batch norm uses the batch.
    training: bool,
    /// Whether nothing at all is recorded.
    off: Off,
    /// Some parameters are constants: those that `FROZEN` lists.
    frozen: bool,
    /// What was computed before is computed again.
    again: bool,
    /// Operations are shown to what watches this thread.
    pub(crate) watched: bool,
    /// How exactly matrices are multiplied, and whether operations choose their dtypes by `autocast`.
    pub(crate) precision: Precision,
}

/// Whether operations are recorded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Off {
    No,
    /// Not in this scope.
    Scope,
    /// Not inside of an operation, whose dtypes are chosen already.
    Inside,
}

impl Mode {
    const INFERENCE: Mode = Mode {
        record: false,
        training: false,
        off: Off::No,
        frozen: false,
        again: false,
        watched: false,
        precision: Precision::EXACT,
    };
}

impl Mode {
    /// Whether nothing is recorded.
    #[inline]
    pub(crate) fn is_off(self) -> bool {
        self.off != Off::No
    }

    /// Whether operations choose their dtypes by `autocast`.
    #[inline]
    pub(crate) fn casts(self) -> bool {
        self.precision.casts() && self.off != Off::Inside
    }

    /// The same for what runs inside of an operation as if it ran outside, and records nothing.
    pub(crate) fn unrecorded(self) -> Mode {
        Mode { off: Off::Scope, watched: false, ..self }
    }

    /// Whether operations on parameters are recorded, unless nothing is.
    #[inline]
    pub(crate) fn records_parameters(self) -> bool {
        self.record
    }

    /// The same for what is computed again, where nobody watches.
    pub(crate) fn again(self) -> Mode {
        Mode { off: Off::No, again: true, watched: false, ..self }
    }

    /// Whether this parameter is a constant here.
    #[inline]
    pub(crate) fn freezes(self, id: LeafId) -> bool {
        self.frozen && FROZEN.with(|f| f.borrow().iter().any(|ids| ids.binary_search(&id).is_ok()))
    }
}

/// The inside of an operation while it runs: what it calls is neither recorded nor shown.
pub(crate) struct Inside(pub(crate) Mode);

impl Inside {
    #[inline]
    pub(crate) fn enter() -> Inside {
        MODE.with(|m| {
            let before = m.get();
            m.set(Mode { off: Off::Inside, watched: false, ..before });
            Inside(before)
        })
    }
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        MODE.with(|m| m.set(self.0));
    }
}

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::INFERENCE) };
    /// The parameters of each `with_frozen` around, sorted.
    static FROZEN: RefCell<Vec<Vec<LeafId>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` with something changed.
pub(crate) fn within<R>(change: impl FnOnce(&mut Mode), body: impl FnOnce() -> R) -> R {
    struct Back(Mode);
    impl Drop for Back {
        fn drop(&mut self) {
            MODE.with(|m| m.set(self.0));
        }
    }
    let before = MODE.with(Cell::get);
    let _back = Back(before);
    let mut mode = before;
    change(&mut mode);
    MODE.with(|m| m.set(mode));
    body()
}

/// Runs `body` in training mode: operations on parameters are recorded for `backward`, dropout drops, batch norm uses
/// the statistics of the batch and updates its running ones. Outside of it a model is in inference mode.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = Tensor::ones([1000]);
/// assert_eq!(x.dropout(0.5).sum(..).item(), 1000.0);
/// assert_ne!(train(|| x.dropout(0.5)).sum(..).item(), 1000.0);
/// ```
pub fn train<R>(body: impl FnOnce() -> R) -> R {
    within(|m| (m.record, m.training, m.off) = (true, true, Off::No), body)
}

/// Runs `body` recording operations on parameters, with everything else as in inference.
pub fn record<R>(body: impl FnOnce() -> R) -> R {
    within(|m| (m.record, m.off) = (true, Off::No), body)
}

/// Runs `body` recording nothing, not even operations on leaves made by hand.
pub fn no_grad<R>(body: impl FnOnce() -> R) -> R {
    within(|m| m.off = m.off.max(Off::Scope), body)
}

/// Runs `body` as inference, wherever it is called: nothing is recorded, not even operations on leaves made by hand, dropout
/// keeps everything, and batch norm uses its running statistics. A teacher or a target network belongs in here, inside of a loss that is trained.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = Tensor::ones([1000]);
/// assert_eq!(train(|| infer(|| x.dropout(0.5))).sum(..).item(), 1000.0);
/// ```
pub fn infer<R>(body: impl FnOnce() -> R) -> R {
    within(|m| (m.record, m.training, m.off) = (false, false, m.off.max(Off::Scope)), body)
}

/// Runs `body` as outside of every scope, wherever it is called: in inference, with parameters as constants. Leaves made by hand
/// are recorded, so that a loss that contains a derivative by its inputs can be computed.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let slope = || {
///     let x = tensor![3.0].leaf();
///     grad(&x.square().sum(..), [&x])[0].item()
/// };
/// assert_eq!(infer(|| mapsto_tensor::outside(slope)), 6.0);
/// ```
pub fn outside<R>(body: impl FnOnce() -> R) -> R {
    within(|m| (m.record, m.training, m.off) = (false, false, Off::No), body)
}

/// Runs `body` with these parameters as constants: their gradients are not computed, those that go through them are.
///
/// For a whole module there is `mapsto::nn::frozen`.
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_tensor::with_frozen;
/// let (v, w) = (tensor![2.0].parameter(), tensor![3.0].parameter());
/// let grads = train(|| with_frozen([w.leaf_id().unwrap()], || (&v * &w).sum(..))).backward();
/// assert_close!(grads.of(&v), [3.0]);
/// assert!(grads.get(&w).is_none());
/// ```
pub fn with_frozen<R>(ids: impl Into<Vec<LeafId>>, body: impl FnOnce() -> R) -> R {
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            FROZEN.with(|f| drop(f.borrow_mut().pop()));
        }
    }
    let mut ids = ids.into();
    ids.sort_unstable();
    FROZEN.with(|f| f.borrow_mut().push(ids));
    let _back = Back;
    within(|m| m.frozen = true, body)
}

/// Whether layers should behave as in training.
pub fn is_training() -> bool {
    MODE.with(|m| m.get().training)
}

/// Whether a forward pass is computed again for `backward`, see [`graph::checkpoint`](crate::graph::checkpoint): a layer that changes
/// its state in training, as a running mean, leaves it alone then.
pub fn is_recomputing() -> bool {
    MODE.with(|m| m.get().again)
}

/// The mode of this thread.
pub(crate) fn mode() -> Mode {
    MODE.with(Cell::get)
}

/// Whether operations on parameters are recorded.
pub fn is_recording() -> bool {
    MODE.with(|m| m.get().record && !m.get().is_off())
}

/// What tells this thread from the others that run: the place of its mode.
pub(crate) fn thread() -> usize {
    MODE.with(|m| std::ptr::from_ref(m).addr())
}

/// How exactly operations compute.
#[inline]
pub(crate) fn precision() -> Precision {
    MODE.with(|m| m.get().precision)
}

/// Changes that until the scope around ends.
#[inline]
pub(crate) fn set_precision(precision: Precision) {
    MODE.with(|m| m.set(Mode { precision, ..m.get() }));
}

#[test]
fn scopes_nest_and_end_with_a_panic() {
    assert!(!is_training());
    train(|| {
        no_grad(|| assert!(is_training() && !is_recording()));
        infer(|| assert!(!is_training() && !is_recording()));
        assert!(is_recording());
    });
    let _ = crate::catch(|| train(|| crate::fail!("op", "no")));
    assert!(!is_training() && !is_recording());
}

#[test]
fn frozen_parameters_are_constants_inside_only() {
    use crate::Tensor;
    let [v, w] = [2.0, 3.0].map(|value| Tensor::full([1], value).parameter());
    let loss = || (&v * &w).sum(..);
    let ids = [w.leaf_id().unwrap()];
    assert!(train(|| with_frozen(ids, loss)).backward().get(&w).is_none());
    let _ = crate::catch(|| with_frozen(ids, || crate::fail!("op", "no")));
    let grads = train(|| with_frozen(ids, loss) + loss()).backward();
    assert_eq!((grads.of(&v).item(), grads.of(&w).item()), (6.0, 2.0));
    let none = crate::catch(|| train(|| with_frozen(ids, || w.square().sum(..))).backward());
    assert!(none.unwrap_err().message().contains("frozen"));
}

//! Modes as scopes: inference is the default; [`train`] records parameters and switches training behaviour on.

use crate::LeafId;
use crate::precision::Precision;
use std::cell::{Cell, RefCell};

/// How this thread computes. Its facts are bits of one word, since each small operation reads it, writes it and hands it on.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Mode(u32);

impl Mode {
    const INFERENCE: Mode = Mode((Precision::EXACT.bits() as u32) << Mode::PRECISION);
    /// Operations on parameters are recorded.
    const RECORDS: u32 = 1;
    /// Layers behave as in training: dropout drops, batch norm uses the batch.
    const TRAINING: u32 = 2;
    /// Nothing at all is recorded in this scope.
    const OFF: u32 = 4;
    /// Nothing at all is recorded inside of an operation, whose dtypes are chosen already.
    const INSIDE: u32 = 8;
    /// Some parameters are constants: those that `FROZEN` lists.
    const FREEZES: u32 = 16;
    /// What was computed before is computed again.
    const AGAIN: u32 = 32;
    /// Operations are shown to what watches this thread.
    const WATCHED: u32 = 64;
    /// From here on, how exactly matrices are multiplied, and whether operations choose their dtypes by `autocast`.
    const PRECISION: u32 = 8;

    #[inline]
    fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    #[inline]
    fn with(self, bits: u32) -> Mode {
        Mode(self.0 | bits)
    }

    #[inline]
    fn without(self, bits: u32) -> Mode {
        Mode(self.0 & !bits)
    }

    /// Whether nothing is recorded.
    #[inline]
    pub(crate) fn is_off(self) -> bool {
        self.has(NOTHING)
    }

    /// Whether operations are shown to what watches this thread.
    #[inline]
    pub(crate) fn is_watched(self) -> bool {
        self.has(Mode::WATCHED)
    }

    #[inline]
    pub(crate) fn watched(self, yes: bool) -> Mode {
        if yes { self.with(Mode::WATCHED) } else { self.without(Mode::WATCHED) }
    }

    /// How exactly matrices are multiplied, and whether operations choose their dtypes by `autocast`.
    #[inline]
    pub(crate) fn precision(self) -> Precision {
        Precision::from_bits((self.0 >> Mode::PRECISION) as u8)
    }

    #[inline]
    pub(crate) fn of_precision(self, precision: Precision) -> Mode {
        Mode(self.0 & ((1 << Mode::PRECISION) - 1) | (precision.bits() as u32) << Mode::PRECISION)
    }

    /// Whether operations choose their dtypes by `autocast`.
    #[inline]
    pub(crate) fn casts(self) -> bool {
        self.precision().casts() && !self.has(Mode::INSIDE)
    }

    /// The same for what runs inside of an operation as if it ran outside, and records nothing.
    pub(crate) fn unrecorded(self) -> Mode {
        self.without(Mode::INSIDE | Mode::WATCHED).with(Mode::OFF)
    }

    /// Whether operations on parameters are recorded, unless nothing is.
    #[inline]
    pub(crate) fn records_parameters(self) -> bool {
        self.has(Mode::RECORDS)
    }

    /// The same for what is computed again, where nobody watches.
    pub(crate) fn again(self) -> Mode {
        self.without(NOTHING | Mode::WATCHED).with(Mode::AGAIN)
    }

    /// Whether this parameter is a constant here.
    #[inline]
    pub(crate) fn freezes(self, id: LeafId) -> bool {
        self.has(Mode::FREEZES)
            && FROZEN.with(|f| f.borrow().iter().any(|ids| ids.binary_search(&id).is_ok()))
    }
}

/// The inside of an operation while it runs: what it calls is neither recorded nor shown.
pub(crate) struct Inside(pub(crate) Mode);

impl Inside {
    #[inline]
    pub(crate) fn enter() -> Inside {
        MODE.with(|m| {
            let before = m.get();
            m.set(before.with(Mode::INSIDE).watched(false));
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

/// The time in which an operation runs whose dtypes are chosen: it does not choose them again.
pub(crate) struct Chosen(Mode);

impl Chosen {
    pub(crate) fn enter() -> Chosen {
        let before = mode();
        MODE.with(|m| m.set(before.of_precision(before.precision().of_derivative())));
        Chosen(before)
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        MODE.with(|m| m.set(self.0));
    }
}

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::INFERENCE) };
    /// The parameters of each `with_frozen` around, sorted.
    static FROZEN: RefCell<Vec<Vec<LeafId>>> = const { RefCell::new(Vec::new()) };
}

/// Why nothing is recorded.
const NOTHING: u32 = Mode::OFF | Mode::INSIDE;

/// Runs `body` with something changed.
pub(crate) fn within<R>(change: impl FnOnce(Mode) -> Mode, body: impl FnOnce() -> R) -> R {
    struct Back(Mode);
    impl Drop for Back {
        fn drop(&mut self) {
            MODE.with(|m| m.set(self.0));
        }
    }
    let before = MODE.with(Cell::get);
    let _back = Back(before);
    MODE.with(|m| m.set(change(before)));
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
    within(|m| m.without(NOTHING).with(Mode::RECORDS | Mode::TRAINING), body)
}

/// Runs `body` recording operations on parameters, with everything else as in inference.
pub fn record<R>(body: impl FnOnce() -> R) -> R {
    within(|m| m.without(NOTHING).with(Mode::RECORDS), body)
}

/// Runs `body` recording nothing, not even operations on leaves made by hand.
pub fn no_grad<R>(body: impl FnOnce() -> R) -> R {
    within(|m| m.with(Mode::OFF), body)
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
    within(|m| m.without(Mode::RECORDS | Mode::TRAINING).with(Mode::OFF), body)
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
    within(|m| m.without(Mode::RECORDS | Mode::TRAINING | NOTHING), body)
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
    within(|m| m.with(Mode::FREEZES), body)
}

/// Whether layers should behave as in training.
pub fn is_training() -> bool {
    mode().has(Mode::TRAINING)
}

/// Whether a forward pass is computed again for `backward`, see [`graph::checkpoint`](crate::graph::checkpoint): a layer that changes
/// its state in training, as a running mean, leaves it alone then.
pub fn is_recomputing() -> bool {
    mode().has(Mode::AGAIN)
}

/// The mode of this thread.
pub(crate) fn mode() -> Mode {
    MODE.with(Cell::get)
}

/// Whether operations on parameters are recorded.
pub fn is_recording() -> bool {
    mode().records_parameters() && !mode().is_off()
}

/// What tells this thread from the others that run: the place of its mode.
pub(crate) fn thread() -> usize {
    MODE.with(|m| std::ptr::from_ref(m).addr())
}

/// How exactly operations compute.
#[inline]
pub(crate) fn precision() -> Precision {
    mode().precision()
}

/// Changes that until the scope around ends.
#[inline]
pub(crate) fn set_precision(precision: Precision) {
    MODE.with(|m| m.set(m.get().of_precision(precision)));
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

//! A test's look at every elementwise operation that the CPU runs on this thread.

use super::MapOp;
use crate::DType;
use std::cell::Cell;

type Witness = fn(&dyn MapOp, DType);
thread_local! {
    static WITNESS: Cell<Option<Witness>> = const { Cell::new(None) };
}

/// Shows an operation, and the dtype that it runs on, to a watcher.
pub(super) fn see(op: &dyn MapOp, of: DType) {
    // Taken out meanwhile: a witness may run operations itself.
    if let Some(witness) = WITNESS.take() {
        witness(op, of);
        WITNESS.set(Some(witness));
    }
}

/// Whether the watcher still looks: it does not after it has panicked.
pub(crate) fn is_watched() -> bool {
    WITNESS.get().is_some()
}

/// Runs `f`, showing the elementwise operations in it to `witness`.
pub(crate) fn watched<T>(witness: Witness, f: impl FnOnce() -> T) -> T {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            WITNESS.set(None);
        }
    }
    WITNESS.set(Some(witness));
    let _end = End;
    f()
}

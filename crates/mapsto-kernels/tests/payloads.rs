//! What the thread pool does with panics whose payloads panic when dropped. The test is alone in its program, so that the
//! pool is its own and its blocks really meet.

use mapsto_kernels::threads::{parallel, with_threads};
use std::panic::{catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// A payload that panics when dropped, with another of its kind.
struct Bomb(usize);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 && !std::thread::panicking() {
            panic_any(Bomb(self.0 - 1))
        }
    }
}

/// Counts the blocks that have ended, however they end.
struct Left<'a>(&'a AtomicUsize);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Three blocks on three threads, which meet; then those panic whom `panics` names by the order of their arrival.
fn meet(panics: impl Fn(usize) -> bool + Sync + std::panic::RefUnwindSafe) -> (bool, usize) {
    let (entered, left) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let result = catch_unwind(|| {
        with_threads(3, || {
            parallel(3, usize::MAX, |_| {
                let _left = Left(&left);
                let order = entered.fetch_add(1, SeqCst);
                while entered.load(SeqCst) < 3 {
                    std::thread::yield_now();
                }
                if panics(order) {
                    panic_any(Bomb(3))
                }
            })
        })
    });
    let panicked = result.is_err();
    if let Err(payload) = result {
        std::mem::forget(payload);
    }
    (panicked, left.into_inner())
}

#[test]
fn payloads_that_panic_when_dropped_neither_end_a_job_early_nor_hang_it() {
    std::panic::set_hook(Box::new(|_| {}));
    for _ in 0..if cfg!(miri) { 1 } else { 50 } {
        // All three have ended when `parallel` returns, and the next job finds the workers alive.
        assert_eq!(meet(|_| true), (true, 3));
        assert_eq!(meet(|order| order > 0), (true, 3));
        assert_eq!(meet(|_| false), (false, 3));
    }
}

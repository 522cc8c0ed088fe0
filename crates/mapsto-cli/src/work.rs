//! How much arithmetic a computation is, counted as it runs.

use std::cell::Cell;
use std::rc::Rc;

use mapsto::trace::{self, TraceEvent};

/// Runs `body` and counts its multiplications, each followed by an addition.
pub fn macs<R>(body: impl FnOnce() -> R) -> (R, u64) {
    let count = Rc::new(Cell::new(0));
    let seen = Rc::clone(&count);
    let watch = move |event: &TraceEvent<'_>| seen.set(seen.get() + event.cost().macs);
    let result = trace::with(watch, body);
    (result, count.get())
}

#[test]
fn products_are_counted_and_the_rest_is_free() {
    use mapsto::Tensor;
    let (a, b) = (Tensor::ones([5, 3, 4]), Tensor::ones([4, 7]));
    assert_eq!(macs(|| a.matmul(&b).tanh()).1, 5 * 3 * 4 * 7);
    assert_eq!(macs(|| a.linear(&Tensor::ones([6, 4]), None)).1, 15 * 6 * 4);
}

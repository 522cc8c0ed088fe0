//! How much arithmetic a computation is, counted as it runs.

use std::cell::Cell;
use std::rc::Rc;

use mapsto::Tensor;
use mapsto::trace::{self, TraceEvent};

/// What an operation costs, told by its inputs and its output.
type Cost = fn(&[&Tensor], &Tensor) -> u64;

/// The operations that multiply and add, and what one costs; all others are counted as free.
const COSTS: &[(&str, Cost)] = &[
    // [.., m, k] × [.., k, n]: k for each element of the output.
    ("matmul", |inputs, y| y.len() as u64 * inputs[0].shape().last().map_or(1, |&k| k as u64)),
    // Weights [out, in]: one row of them for each output.
    ("linear", per_output),
    // Weights [out, in / groups, kh, kw]: one filter for each output.
    ("conv2d", per_output),
];

/// Runs `body` and counts its multiplications, each followed by an addition.
pub fn macs<R>(body: impl FnOnce() -> R) -> (R, u64) {
    let count = Rc::new(Cell::new(0));
    let seen = Rc::clone(&count);
    let watch = move |event: &TraceEvent<'_>| {
        if let Some((_, cost)) = COSTS.iter().find(|(op, _)| *op == event.op) {
            seen.set(seen.get() + cost(event.inputs, event.output));
        }
    };
    let result = trace::with(watch, body);
    (result, count.get())
}

fn per_output(inputs: &[&Tensor], y: &Tensor) -> u64 {
    let weight = inputs[1];
    y.len() as u64 * (weight.len() / weight.shape()[0].max(1)) as u64
}

#[test]
fn products_are_counted_and_the_rest_is_free() {
    let (a, b) = (Tensor::ones([5, 3, 4]), Tensor::ones([4, 7]));
    assert_eq!(macs(|| a.matmul(&b).tanh()).1, 5 * 3 * 4 * 7);
    assert_eq!(macs(|| a.linear(&Tensor::ones([6, 4]), None)).1, 15 * 6 * 4);
}

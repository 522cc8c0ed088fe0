//! Anomaly mode: the first value that is not finite is named by its operation, its layer and the line that called it.

use super::{At, Attr, Node, Op, Vjp};
use crate::error::{is_library, raise};
use crate::storage::Shared;
use crate::{Error, ErrorKind, Tensor, no_grad, scope};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::Location;

/// Runs `body`, a forward pass and its `backward`, and panics at the first result or gradient that is not finite: with the operation, the
/// shapes of its inputs, the layers around it and the line of the forward pass that called it. Every result is looked at, so it takes
/// several times as long; outside of the scope it costs nothing.
///
/// An infinity is taken as meant where an input or an attribute of the operation is infinite, as a mask of `-inf` is; a NaN never is. Inside a
/// part that `checkpoint` computes again only the part as a whole is looked at.
///
/// ```
/// use mapsto_tensor::graph::detect_anomaly;
/// use mapsto_tensor::prelude::*;
/// let x = tensor![0.0, 4.0].leaf();
/// let e = catch(|| detect_anomaly(|| x.sqrt().sum(..).backward())).unwrap_err();
/// assert!(e.message().contains("the derivative of `sqrt` gave the first infinity"), "{e}");
/// let e = catch(|| detect_anomaly(|| (&x / &x).sum(..))).unwrap_err();
/// assert!(e.message().contains("`div` gave the first NaN, from inputs [2], [2]"), "{e}");
/// ```
/// # Panics
/// At the first value that is not finite, with an error of [`ErrorKind::NonFinite`].
#[track_caller]
pub fn detect_anomaly<R>(body: impl FnOnce() -> R) -> R {
    struct Back(State, Option<Seen>);
    impl Drop for Back {
        fn drop(&mut self) {
            STATE.set(self.0);
            SEEN.set(self.1.take().unwrap_or_default());
        }
    }
    let _back = Back(STATE.replace(State::On), Some(SEEN.take()));
    scope::within(|m| m.watched(true), body)
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Off,
    On,
    /// In a derivative, whose results are looked at as a whole.
    Within,
}

#[derive(Default)]
struct Seen {
    /// Where each operation was called, by its place in memory and its number: a place may be taken by another.
    nodes: HashMap<(usize, u64), Called>,
    /// The layers around what runs.
    layers: Vec<String>,
}

#[derive(Clone)]
struct Called {
    caller: &'static Location<'static>,
    layers: Vec<String>,
}

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Off) };
    static SEEN: RefCell<Seen> = RefCell::default();
}

#[inline]
pub(crate) fn is_on() -> bool {
    STATE.get() != State::Off
}

/// The gradients that an operation gives, looked at.
#[track_caller]
#[cold]
pub(super) fn derivative(node: &Shared<Node>, at: &At<'_>, g: &Tensor) -> Vjp {
    struct Back(State);
    impl Drop for Back {
        fn drop(&mut self) {
            STATE.set(self.0);
        }
    }
    let came_finite = g.is_finite();
    let vjp = {
        let _back = Back(STATE.get());
        if is_on() {
            STATE.set(State::Within);
        }
        node.op.vjp(at, g)
    };
    check_gradients(node, came_finite, &vjp);
    vjp
}

/// A layer while it runs; in anomaly mode its name is kept.
pub(crate) struct Layer(());

impl Layer {
    #[inline]
    pub(crate) fn enter(name: &dyn Fn() -> String) -> Option<Layer> {
        if is_on() { Some(Layer::named(name())) } else { None }
    }

    #[cold]
    fn named(name: String) -> Layer {
        SEEN.with_borrow_mut(|seen| seen.layers.push(name));
        Layer(())
    }
}

impl Drop for Layer {
    fn drop(&mut self) {
        SEEN.with_borrow_mut(|seen| drop(seen.layers.pop()));
    }
}

/// Looks at a result. The layers around are added on the way out.
#[track_caller]
pub(super) fn check_result(op: &dyn Op, xs: &[&Tensor], y: &Tensor, caller: &'static Location<'static>) {
    if STATE.get() == State::Within {
        return;
    }
    let Some(word) = unasked(op, xs, y) else { return };
    let from = if xs.is_empty() { String::new() } else { format!(", from inputs {}", shapes(xs)) };
    let message = format!("anomaly: `{}` gave the first {word}{from}{}", op.name(), at(caller));
    raise(Error::new(ErrorKind::NonFinite, message).help(advice(op.name())).on_line(caller))
}

/// What is wrong with a result, if that was not to be expected.
fn unasked(op: &dyn Op, xs: &[&Tensor], y: &Tensor) -> Option<&'static str> {
    if y.is_finite() {
        return None;
    }
    let plain = |body: &dyn Fn() -> bool| scope::within(|m| m.unrecorded(), body);
    if plain(&|| y.detach().is_nan().any(..).item() != 0.0) {
        return Some("NaN");
    }
    let mut is_asked = xs.iter().any(|x| !x.is_finite());
    op.attrs(&mut |_, attr| is_asked |= matches!(attr, Attr::Float(v) if v.is_infinite()));
    (!is_asked).then_some("infinity")
}

/// Remembers where an operation was called.
pub(super) fn remember(node: &Shared<Node>, caller: &'static Location<'static>) {
    SEEN.with_borrow_mut(|seen| {
        let layers = seen.layers.clone();
        seen.nodes.insert(place(node), Called { caller, layers });
    });
}

fn place(node: &Shared<Node>) -> (usize, u64) {
    (std::ptr::from_ref::<Node>(node).addr(), node.serial)
}

/// Looks at the gradient that comes to an operation and at those that it gives to its inputs.
#[track_caller]
fn check_gradients(node: &Shared<Node>, came_finite: bool, vjp: &Vjp) {
    if !is_on() {
        return;
    }
    let bad =
        vjp.0.iter().enumerate().find_map(|(i, g)| g.as_ref().filter(|g| !g.is_finite()).map(|g| (i, g)));
    let Some((i, g)) = bad else { return };
    let is_nan =
        no_grad(|| scope::within(|m| m.watched(false), || g.detach().is_nan().any(..).item() != 0.0));
    let word = if is_nan { "NaN" } else { "infinity" };
    let called = SEEN.with_borrow(|seen| seen.nodes.get(&place(node)).cloned());
    let name = node.op.name();
    let line = called.as_ref().map_or(String::new(), |called| at(called.caller));
    let what = match came_finite {
        true => format!("the derivative of `{name}` gave the first {word}, for input {i} {:?}", g.shape()),
        false => {
            format!("the gradient that was given to `{name}` is not finite, by a hook or from the start")
        }
    };
    let mut error = Error::new(ErrorKind::NonFinite, format!("anomaly: {what}{line}")).help(advice(name));
    for layer in called.iter().flat_map(|called| called.layers.iter().rev()) {
        error = error.inside(layer);
    }
    raise(match called {
        Some(called) => error.on_line(called.caller),
        None => error,
    })
}

fn at(caller: &'static Location<'static>) -> String {
    if is_library(caller) {
        String::new()
    } else {
        format!(", called at {}:{}", caller.file(), caller.line())
    }
}

fn shapes(xs: &[&Tensor]) -> String {
    xs.iter().map(|x| format!("{:?}", x.shape())).collect::<Vec<_>>().join(", ")
}

fn advice(op: &str) -> String {
    format!(
        "look at what comes into `{op}`: a number beside it, as in `(x + 1e-6)`, or a smaller learning rate keeps it finite"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::within;
    use crate::prelude::*;

    #[test]
    fn the_first_result_and_the_first_gradient_are_named_with_line_and_layers() {
        let x = tensor![[0.0, 1.0]].leaf();
        let forward =
            || within(|| "block".into(), || within(|| "fc".into(), || (x.log() * 0.0).exp().sum(..)));
        let e = catch(|| detect_anomaly(forward)).unwrap_err();
        assert!(e.message().starts_with("anomaly: `log` gave the first infinity, from inputs [1, 2]"), "{e}");
        assert_eq!(
            (e.kind(), e.parts()),
            (ErrorKind::NonFinite, &["block".to_string(), "fc".to_string()][..])
        );
        // 0 · ∞ in the derivative, though every result is finite.
        let forward = || within(|| "block".into(), || within(|| "root".into(), || x.sqrt().square().sum(..)));
        let e = catch(|| detect_anomaly(|| drop(forward().backward()))).unwrap_err();
        assert!(
            e.message().contains("the derivative of `sqrt` gave the first NaN, for input 0 [1, 2]"),
            "{e}"
        );
        assert_eq!(e.parts(), ["block".to_string(), "root".to_string()]);
        assert!(!is_on(), "the scope ends with the panic");
        let e = catch(|| detect_anomaly(|| grad(&forward(), [&x]))).unwrap_err();
        assert!(e.message().contains("the derivative of `sqrt`"), "{e}");
    }

    #[test]
    fn what_is_meant_passes_and_outside_nothing_is_looked_at() {
        let x = tensor![1.0, 2.0].leaf();
        let y = detect_anomaly(|| {
            let masked = tensor![true, false].choose(&x, f64::NEG_INFINITY);
            let y = masked.softmax(0).square().sum(..);
            assert_close!(y.backward().of(&x), [0.0, 0.0]);
            x.masked_fill(&tensor![false, true], f64::INFINITY)
        });
        assert!(!y.is_finite());
        assert!(!tensor![0.0].log().is_finite());
        let lost = detect_anomaly(|| x.sqrt().sum(..));
        let _ = lost.backward(); // recorded inside, walked outside: nothing is looked at
        let e = catch(|| detect_anomaly(|| &tensor![f64::NAN] + 1.0)).unwrap_err();
        assert!(e.message().contains("gave the first NaN"), "{e}");
    }
}

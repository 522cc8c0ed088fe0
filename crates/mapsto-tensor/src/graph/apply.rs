//! The one door of operations: it runs them, shows them to watchers, and records them where a gradient is wanted.

use super::anomaly;
use super::origin::{Fate, Past, Why, unrecorded};
use super::{Op, Origin, Owned, Ran, made, unwanted};
use crate::autocast::widened;
use crate::scope::{Chosen, Inside, Mode};
use crate::{Tensor, trace};
use std::panic::Location;

/// Runs an operation and records it, if any input asks for it. This is how an operation of one's own enters the graph too:
/// see [`Op`].
#[track_caller]
#[inline]
pub fn apply<O: Op>(op: O, xs: &[&Tensor]) -> Tensor {
    let inside = Inside::enter();
    if op.is_full() && inside.0.casts() {
        drop(inside);
        return in_full(op, xs);
    }
    // Not through a pointer, which would forget the caller's place.
    let (ran, mode) = (op.run(xs), inside.0);
    drop(inside);
    finished(op, ran, xs, mode, Location::caller())
}

/// Whether an operation on this tensor would be recorded: for those that have no derivative by one of their inputs.
pub(crate) fn is_followed(x: &Tensor) -> bool {
    let inside = Inside::enter();
    Fate::of(&[x], inside.0) == Fate::Recorded
}

/// The same under `autocast`, for an operation that is to have its inputs in f32.
#[track_caller]
#[cold]
fn in_full<O: Op>(op: O, xs: &[&Tensor]) -> Tensor {
    let wide = widened(xs);
    let _chosen = Chosen::enter();
    apply(op, &wide.refs())
}

// What depends on the operation's type is as little as possible: this is compiled once for each of them, all below once.
#[inline]
fn finished<O: Op>(
    op: O,
    ran: Ran,
    xs: &[&Tensor],
    mode: Mode,
    caller: &'static Location<'static>,
) -> Tensor {
    #[cfg(mutants)]
    let ran = Ran { y: super::mutant::value(op.name(), xs, ran.y), ..ran };
    let fate = Fate::of(xs, mode);
    if mode.is_watched() || fate == Fate::Recorded {
        return kept(Box::new(op), ran, xs, mode, caller);
    }
    plain(ran, xs, fate, op.is_flat())
}

/// A result that is not recorded.
fn plain(ran: Ran, xs: &[&Tensor], fate: Fate, is_flat: bool) -> Tensor {
    if fate == Fate::Constant { ran.y } else { unrecorded(ran.y, Why::of(xs, fate, is_flat)) }
}

/// The same for inputs that are handed over: where nothing is recorded and nobody else holds an input, the operation may
/// write its result over it.
#[track_caller]
#[inline]
pub fn apply_onto<O: Op>(op: O, xs: impl Into<Owned>) -> Tensor {
    let xs: Owned = xs.into();
    let inside = Inside::enter();
    let mode = inside.0;
    if op.is_full() && mode.casts() {
        drop(inside);
        return in_full(op, &xs.refs());
    }
    let fate = Fate::of(&xs.refs(), mode);
    if mode.is_watched() || fate == Fate::Recorded {
        drop(inside);
        return apply(op, &xs.refs());
    }
    #[cfg(mutants)]
    return apply(op, &xs.refs());
    #[cfg(not(mutants))]
    {
        let why = Why::of(&xs.refs(), fate, op.is_flat());
        unrecorded(op.run_onto(xs).y, why)
    }
}

/// As [`apply`] for an operation that may find that it cannot run on these inputs, a matrix that is singular for one: `run`
/// computes in place of [`Op::run`], and where it gives nothing the operation comes back.
///
/// # Errors
/// The operation, where `run` gives nothing.
#[track_caller]
pub fn try_apply<O: Op>(op: O, xs: &[&Tensor], run: impl FnOnce(&O) -> Option<Ran>) -> Result<Tensor, O> {
    let inside = Inside::enter();
    let (ran, mode) = (run(&op), inside.0);
    drop(inside);
    match ran {
        Some(ran) => Ok(finished(op, ran, xs, mode, Location::caller())),
        None => Err(op),
    }
}

fn kept(op: Box<dyn Op>, ran: Ran, xs: &[&Tensor], mode: Mode, caller: &'static Location<'static>) -> Tensor {
    if mode.is_watched() { watched(op, ran, xs, mode, caller) } else { made(op, ran, xs, mode) }
}

#[cold]
fn watched(
    op: Box<dyn Op>,
    ran: Ran,
    xs: &[&Tensor],
    mode: Mode,
    caller: &'static Location<'static>,
) -> Tensor {
    trace::emit(&*op, xs, &ran.y, caller);
    if anomaly::is_on() {
        anomaly::check_result(&*op, xs, &ran.y, caller);
    }
    let (y, node) = match Fate::of(xs, mode) {
        Fate::Recorded if ran.y.dtype().is_float() => {
            let y = made(op, ran, xs, mode);
            let Origin::Made(node) = &y.0.origin else { unreachable!("it was just recorded") };
            if anomaly::is_on() {
                node.past.mark(Past::LOOKED_AT);
                anomaly::remember(node, caller);
            }
            let node = node.clone();
            (y, node)
        }
        fate => {
            let why = Why::of(xs, fate, op.is_flat());
            let node = unwanted(op, &ran.y, mode);
            (unrecorded(ran.y, why), node)
        }
    };
    trace::put(node, xs, &y);
    y
}

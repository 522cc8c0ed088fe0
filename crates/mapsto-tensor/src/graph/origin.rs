//! How a tensor came to be, and what a recorded operation remembers of values that were not recorded.
//!
//! A parameter is recorded inside `train` only, so a penalty that is computed beside it would lose its gradient without a
//! word. Results therefore carry why nothing was recorded ([`Why`]), and an operation that joins such a result with one
//! of `train`, outside every scope, is marked: `backward` refuses to go through it. Inside a scope the two may meet: a
//! teacher, a target network and a frozen backbone give constants to the loss.

use super::{LeafId, LeafKind, Node, Op};
use crate::scope::{self, Mode};
use crate::storage::Shared;
use crate::tensor::Inner;
use crate::{Tensor, fail};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// How a tensor came to be.
#[derive(Clone, Default)]
pub(crate) enum Origin {
    #[default]
    Constant,
    /// A constant that came from parameters.
    Unrecorded(Why),
    Leaf(LeafId, LeafKind),
    Made(Shared<Node>),
}

/// Why nothing was recorded of a value that came from parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Why {
    /// All of them are frozen.
    Frozen,
    /// One was met outside every scope, in the thread with this mark.
    Outside(usize),
}

/// What becomes of an operation's result; the greatest of what its inputs ask for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Constant,
    Frozen,
    Outside,
    Recorded,
}

impl Fate {
    // Not inline: it is called from as many places as there are operations.
    #[inline(never)]
    pub(super) fn of(xs: &[&Tensor], mode: Mode) -> Fate {
        let mut fate = Fate::Constant;
        if mode.is_off() {
            return fate;
        }
        for x in xs {
            match &x.0.origin {
                Origin::Constant => {}
                Origin::Made(_) => return Fate::Recorded,
                origin => fate = fate.max(origin.asks_for(mode)),
            }
        }
        fate
    }
}

impl Origin {
    #[inline]
    fn asks_for(&self, mode: Mode) -> Fate {
        match self {
            Origin::Constant => Fate::Constant,
            Origin::Unrecorded(Why::Frozen) => Fate::Frozen,
            Origin::Unrecorded(Why::Outside(_)) => Fate::Outside,
            Origin::Leaf(_, LeafKind::Parameter) if !mode.records_parameters() => Fate::Outside,
            Origin::Leaf(id, LeafKind::Parameter) if mode.freezes(*id) => Fate::Frozen,
            Origin::Leaf(..) | Origin::Made(_) => Fate::Recorded,
        }
    }

    /// Whether operations on it are recorded in a mode, unless nothing is.
    #[inline]
    pub(super) fn is_wanted(&self, mode: Mode) -> bool {
        self.asks_for(mode) == Fate::Recorded
    }

    #[inline]
    fn is_parameter(&self) -> bool {
        matches!(self, Origin::Leaf(_, LeafKind::Parameter))
    }

    /// Whether nothing comes back to it.
    pub(super) fn is_constant(&self) -> bool {
        matches!(self, Origin::Constant | Origin::Unrecorded(_))
    }
}

/// What a recorded operation remembers of where its inputs were computed, a bit for each fact: every recorded operation
/// joins those of its inputs.
#[derive(Clone, Copy, Default)]
pub(super) struct Past(u8);

impl Past {
    /// A parameter was recorded on the way here.
    const SCOPED: u8 = 1;
    /// A parameter that is not frozen was met outside every scope on the way here, so its gradient is not.
    const OUTSIDE: u8 = 2;
    /// On the way here a constant came in that another thread has computed from such a parameter.
    const ELSEWHERE: u8 = 4;
    /// The first two met here, outside every scope: the gradient of the second would be lost in silence.
    const LOST: u8 = 8;
    /// The gradient here has, or had, hooks.
    pub(super) const HOOKED: u8 = 16;
    /// Made in anomaly mode.
    pub(super) const LOOKED_AT: u8 = 32;
    /// What concerns this operation alone.
    const OWN: u8 = Past::LOST | Past::HOOKED | Past::LOOKED_AT;

    #[inline]
    pub(super) fn join(&mut self, x: &Tensor, mode: Mode) {
        self.0 |= match &x.0.origin {
            Origin::Constant => 0,
            // What was lost is told at the operation that lost it.
            Origin::Made(node) => node.past.get().0 & !Past::OWN,
            Origin::Unrecorded(Why::Outside(thread)) if *thread != scope::thread() => {
                Past::OUTSIDE | Past::ELSEWHERE
            }
            origin => match origin.asks_for(mode) {
                Fate::Outside => Past::OUTSIDE,
                Fate::Recorded if mode.records_parameters() && origin.is_parameter() => Past::SCOPED,
                _ => 0,
            },
        };
    }

    /// As that of a flat operation's result: no gradient is lost behind it.
    #[inline]
    pub(super) fn behind(self, op: &dyn Op) -> Past {
        match self.0 & Past::OUTSIDE != 0 && op.is_flat() {
            true => Past(self.0 & !Past::OUTSIDE),
            false => self,
        }
    }

    /// As the operation's own, once all inputs have joined.
    #[inline]
    pub(super) fn at(self, mode: Mode) -> Past {
        const BOTH: u8 = Past::SCOPED | Past::OUTSIDE;
        match (self.0 & BOTH == BOTH, mode.records_parameters()) {
            (false, _) => self,
            // Inside a scope that is meant.
            (true, true) => Past(self.0 & !Past::OUTSIDE),
            (true, false) => Past(self.0 | Past::LOST),
        }
    }

    /// Whether anything concerns this operation alone: it is rare, and one look tells.
    #[inline]
    pub(super) fn is_marked(self) -> bool {
        self.0 & Past::OWN != 0
    }

    #[inline]
    pub(super) fn is_hooked(self) -> bool {
        self.0 & Past::HOOKED != 0
    }

    #[inline]
    pub(super) fn is_looked_at(self) -> bool {
        self.0 & Past::LOOKED_AT != 0
    }

    #[inline]
    pub(super) fn is_lost(self) -> bool {
        self.0 & Past::LOST != 0
    }

    #[inline]
    pub(super) fn is_elsewhere(self) -> bool {
        self.0 & Past::ELSEWHERE != 0
    }
}

/// The [`Past`] of a node, which may be marked later.
#[derive(Default)]
pub(super) struct Marks(AtomicU8);

impl Marks {
    #[inline]
    pub(super) fn of(past: Past) -> Marks {
        Marks(AtomicU8::new(past.0))
    }

    #[inline]
    pub(super) fn get(&self) -> Past {
        Past(self.0.load(Relaxed))
    }

    /// Sets a mark; whether it was set before.
    pub(super) fn mark(&self, mark: u8) -> bool {
        self.0.fetch_or(mark, Relaxed) & mark != 0
    }
}

impl Why {
    /// Why an operation is not recorded, though there are parameters among what it was computed from. Through a flat one
    /// nothing would come back anyway: its result is a constant.
    #[inline]
    pub(super) fn of(xs: &[&Tensor], fate: Fate, flat: bool) -> Option<Why> {
        let of = |x: &&Tensor| match x.0.origin {
            Origin::Unrecorded(why @ Why::Outside(_)) => Some(why),
            _ => None,
        };
        match fate {
            Fate::Constant | Fate::Recorded => None,
            Fate::Outside if flat => None,
            Fate::Frozen => Some(Why::Frozen),
            Fate::Outside => Some(xs.iter().find_map(of).unwrap_or_else(|| Why::Outside(scope::thread()))),
        }
    }
}

/// A result that was not recorded. Nothing comes back through integers anyway.
pub(super) fn unrecorded(y: Tensor, why: Option<Why>) -> Tensor {
    match why {
        Some(why) if y.dtype().is_float() => y.of_origin(Origin::Unrecorded(why)),
        _ => y,
    }
}

impl Tensor {
    /// The same values as what a frozen parameter shows: a constant, of which `backward` can say why nothing was recorded.
    pub fn frozen(&self) -> Tensor {
        self.detach().of_origin(Origin::Unrecorded(Why::Frozen))
    }

    /// The same values with another history.
    pub(super) fn of_origin(mut self, origin: Origin) -> Tensor {
        match Shared::get_mut(&mut self.0) {
            Some(inner) => inner.origin = origin,
            None => self = Tensor(Shared::new(Inner { origin, ..(*self.0).clone() })),
        }
        self
    }

    /// The same values as a parameter's that was met outside every scope.
    pub(super) fn outside(&self) -> Tensor {
        self.detach().of_origin(Origin::Unrecorded(Why::Outside(scope::thread())))
    }
}

/// Says why nothing can come back through a value that was not recorded.
#[track_caller]
pub(super) fn check_recorded(y: &Tensor) {
    match y.0.origin {
        Origin::Leaf(..) | Origin::Made(_) => {}
        Origin::Unrecorded(Why::Frozen) => {
            fail!("backward", "every parameter that these values were computed from is frozen, so nothing was recorded";
                  help = "unfreeze those that are to be trained, e.g. `model.unfreeze(\"*\")`, or make an input a leaf with `.leaf()`")
        }
        Origin::Unrecorded(Why::Outside(thread)) if thread != scope::thread() => {
            fail!("backward", "these values were computed in another thread, outside `train(|| ..)`, so nothing was recorded";
                  help = "a scope holds for the thread that opens it: call `train(|| ..)` inside the other thread")
        }
        Origin::Unrecorded(Why::Outside(_)) => {
            fail!("backward", "these values were computed outside `train(|| ..)`, so nothing was recorded";
                  help = "compute the loss inside `train(|| ..)`, or make an input a leaf with `.leaf()`")
        }
        Origin::Constant => {
            fail!("backward", "these values were computed from constants alone, inside `no_grad`, from nothing (an axis of 0), or through what has no derivative (`item`, `argmax`, a comparison, a rounding), so nothing was recorded";
                  help = "compute the loss from the model's parameters inside `train(|| ..)`, without `detach` and `no_grad`, or make an input a leaf with `.leaf()`")
        }
    }
}

/// Says that a gradient would be lost at an operation.
#[cold]
#[track_caller]
pub(super) fn lost(op: &str) -> ! {
    fail!("backward", "`{op}` was applied outside `train(|| ..)` to a value that was computed inside it and to one that was computed from parameters outside, so the gradient of the second would be lost";
          help = "compute both inside `train(|| ..)`; or, if the second is meant as a constant, write `.detach()` behind it or compute it inside `no_grad(|| ..)`")
}

//! The watch over a loss of the user's own: outputs and targets of different numbers of axes are not broadcast together.

use crate::error::raise;
use crate::trace::{self, TraceEvent};
use crate::{Error, ErrorKind, Tensor};
use std::collections::HashMap;

/// What a value was computed from.
#[derive(Clone, Copy, Default, PartialEq)]
struct Roots {
    outputs: bool,
    targets: bool,
}

impl Roots {
    const OUTPUTS: Roots = Roots { outputs: true, targets: false };
    const TARGETS: Roots = Roots { outputs: false, targets: true };

    fn or(self, other: Roots) -> Roots {
        Roots { outputs: self.outputs || other.outputs, targets: self.targets || other.targets }
    }
}

/// Runs a loss of outputs and targets. Where a value of the outputs alone and one of the targets alone have different numbers
/// of axes, such as `[n, 1]` and `[n]`, an operation that would broadcast both, to `[n, n]`, is refused: every output would
/// be compared with every target. Whoever wants that gives both their axes by `unsqueeze`.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_tensor::pairing::paired;
/// let (y, target) = (tensor![[1.0], [2.0]], tensor![1.0, 4.0]);
/// let e = catch(|| paired(&y, &target, || (&y - &target).square().mean(..))).unwrap_err();
/// assert!(e.message().contains("outputs [2, 1] and targets [2]"), "{e}");
/// let loss = paired(&y, &target, || (&y - target.unsqueeze(1)).square().mean(..));
/// assert_eq!(loss.item(), 2.0);
/// ```
///
/// # Panics
/// When such an operation is in it.
pub fn paired<R>(outputs: &Tensor, target: &Tensor, loss: impl FnOnce() -> R) -> R {
    // By place in memory. The values are kept, so that no place is taken by another.
    let mut known: HashMap<*const u8, (Roots, Tensor)> = HashMap::new();
    known.insert(outputs.storage().address(), (Roots::OUTPUTS, outputs.detach()));
    known.insert(target.storage().address(), (Roots::TARGETS, target.detach()));
    let watch = move |event: &TraceEvent<'_>| {
        let of = |x: &Tensor| known.get(&x.storage().address()).map_or(Roots::default(), |(from, _)| *from);
        let from: Vec<Roots> = event.inputs.iter().map(|x| of(x)).collect();
        for (i, a) in event.inputs.iter().enumerate() {
            for (j, b) in event.inputs.iter().enumerate().skip(i + 1) {
                if from[i] != from[j] && from[i] != Roots::default() && from[j] != Roots::default() {
                    let (y, t) = if from[i].outputs && !from[j].outputs || from[j] == Roots::TARGETS {
                        (a, b)
                    } else {
                        (b, a)
                    };
                    check(event, y, t);
                }
            }
        }
        // A mean of all is a number like any other: it has no axes to confuse.
        let rooted = event.inputs.iter().zip(from).filter(|(x, _)| x.rank() > 0);
        let from = rooted.fold(of(event.output), |all, (_, from)| all.or(from));
        known.insert(event.output.storage().address(), (from, event.output.detach()));
    };
    trace::with(watch, loss)
}

fn check(event: &TraceEvent<'_>, y: &Tensor, t: &Tensor) {
    let (a, b, out) = (y.shape(), t.shape(), event.output.shape());
    let both_grow = out != a && out != b && out == broadcast(a, b);
    if a.is_empty() || b.is_empty() || a.len() == b.len() || !both_grow {
        return;
    }
    let message = format!(
        "{}: in a loss, outputs {a:?} and targets {b:?} would be broadcast to {out:?}: every output would meet every target",
        event.op
    );
    raise(
        Error::new(ErrorKind::Model, message)
            .on_line(event.caller)
            .help("give both as many axes: `squeeze(-1)` or `unsqueeze(-1)` one of them"),
    );
}

/// The shape that two would be broadcast to; unlike `shape::broadcast` it may be asked of shapes that do not fit.
fn broadcast(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], i: usize| if i + s.len() >= rank { s[i + s.len() - rank] } else { 1 };
    (0..rank).map(|i| if at(a, i) == 1 { at(b, i) } else { at(a, i) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[test]
    fn pairs_of_outputs_and_targets_are_refused_and_all_else_is_not() {
        let (flat, column) = (Tensor::ones([3]), Tensor::ones([3, 1]));
        for (y, t) in [(column.clone().leaf(), flat.clone()), (flat.leaf(), column)] {
            let refused = |loss: &dyn Fn() -> Tensor| {
                let run = || catch(|| paired(&y, &t, loss)).is_err();
                let (recorded, plain) = (train(run), no_grad(run));
                assert_eq!(recorded, plain);
                plain
            };
            assert!(refused(&|| &y - &t) && refused(&|| y.tanh() - &t) && refused(&|| &t * 2.0 - y.exp()));
            assert!(refused(&|| (&y - &t * 0.1).square()) && refused(&|| y.gt(&t)));
            assert!(refused(&|| y.gt(0.0).choose(&(&y - 1.0), &t)));
            // Differences of all pairs among the outputs, or among the targets, are what some losses are made of.
            assert!(
                !refused(&|| &y - y.reshape(t.shape())) && !refused(&|| &y - y.detach().reshape(t.shape()))
            );
            assert!(!refused(&|| &t - t.round().reshape(y.shape())));
            assert!(!refused(&|| &y - t.reshape(y.shape())));
            assert!(!refused(&|| &y * Tensor::arange(0..3).to(DType::F32)));
            assert!(!refused(&|| y.reshape([3, 1]) - t.reshape([1, 3])), "both have their axes");
            assert!(catch(|| &y - &t).is_ok(), "outside of a loss it is broadcasting as everywhere");
        }
        // What comes from both meets what comes from one.
        let (y, t) = (Tensor::ones([3, 1]).leaf(), Tensor::ones([3]));
        let mixed = || (y.squeeze(1) - &t).square() * y.abs();
        assert!(catch(|| paired(&y, &t, mixed)).is_err());
        let scaled = || (&y - t.mean(..)) / 2.0 - (&t - t.mean(..));
        assert!(catch(|| paired(&y, &t, scaled)).is_err());
        let right = || (y.squeeze(1) - &t).square() * (&t + 1.0) * y.squeeze(1).mean(..);
        assert!(catch(|| paired(&y, &t, right)).is_ok());
        // A mean and a deviation for each target.
        let (y, t) = (Tensor::ones([3, 2]).leaf(), Tensor::ones([3]));
        let e = catch(|| paired(&y, &t, || y.slice(1, 0..1) - &t)).unwrap_err();
        assert!(e.message().contains("outputs [3, 1] and targets [3] would be broadcast to [3, 3]"), "{e}");
        let e = catch(|| paired(&y, &t, || trace::with(|_| (), || y.slice(1, 0..1) - &t)));
        assert!(e.is_err(), "watches within watches");
    }
}

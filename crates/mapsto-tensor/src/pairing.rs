//! Losses never broadcast: the watch over outputs and targets while a loss of the user's own is computed.

use crate::shape::Shape;
use crate::{Tensor, fail};
use std::cell::RefCell;

/// What a loss is computed from.
struct Pair {
    outputs: Shape,
    target: Tensor,
}

thread_local! {
    static PAIR: RefCell<Option<Pair>> = const { RefCell::new(None) };
}

/// Runs a loss of outputs and targets. Where their shapes differ by axes of 1 alone, such as `[n, 1]` and `[n]`, an operation
/// in it that would broadcast both to `[n, n]` is refused: every output would be compared with every target.
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
    struct Back(Option<Pair>);
    impl Drop for Back {
        fn drop(&mut self) {
            PAIR.set(self.0.take());
        }
    }
    let sizes = |x: &Tensor| x.shape().iter().copied().filter(|&n| n != 1).collect::<Vec<_>>();
    let pair = outputs.shape() != target.shape() && sizes(outputs) == sizes(target);
    let pair = pair.then(|| Pair { outputs: *outputs.shape_of(), target: target.clone() });
    let _back = Back(PAIR.replace(pair));
    loss()
}

/// Refuses an operation that broadcasts both of its operands, where one comes from the outputs and one from the targets.
#[cold]
#[track_caller]
pub(crate) fn check(op: &str, a: &Tensor, b: &Tensor) {
    PAIR.with_borrow(|pair| {
        let Some(Pair { outputs, target }) = pair else { return };
        let shapes = [a.shape_of(), b.shape_of()];
        if shapes != [outputs, target.shape_of()] && shapes != [target.shape_of(), outputs] {
            return;
        }
        let is_target = |x: &Tensor| x.storage().is(target.storage());
        let is_recorded = |x: &Tensor| !x.0.origin.is_constant();
        if is_target(a) != is_target(b) || is_recorded(a) != is_recorded(b) {
            let n = target.len();
            fail!(op, "in a loss, outputs {:?} and targets {:?} would be broadcast to [{n}, {n}]: every output would meet every target", &outputs[..], target.shape();
                  help = "give both one shape: `squeeze(-1)` or `unsqueeze(-1)` one of them");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catch, train};

    #[test]
    fn pairs_of_outputs_and_targets_are_refused_and_all_else_is_not() {
        for (y, t) in [([3, 1].into(), Shape::new(&[3])), (Shape::new(&[3]), [3, 1].into())] {
            let (y, t) = (Tensor::ones(y).leaf(), Tensor::ones(t));
            let refused = |loss: &dyn Fn() -> Tensor| catch(|| train(|| paired(&y, &t, loss))).is_err();
            assert!(refused(&|| &y - &t) && refused(&|| y.tanh() - &t) && refused(&|| &t * 2.0 - y.exp()));
            // Differences of all pairs among the outputs, or among the targets, are what some losses are made of.
            assert!(!refused(&|| &y - y.reshape(t.shape())));
            assert!(!refused(&|| (&t - t.reshape(y.shape())) + 0.0));
            assert!(!refused(&|| &y - t.reshape(y.shape())));
            assert!(catch(|| &y - &t).is_ok(), "outside of a loss it is broadcasting as everywhere");
        }
    }
}

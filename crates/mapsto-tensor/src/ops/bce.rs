//! Binary cross-entropy of probabilities: the loss of yes and no, after a sigmoid.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::elementwise::{Own, Real};
use crate::pair_loss::{PairLoss, mean_of, mean_op};
use crate::{Tensor, fail};

/// Logarithms are bounded here, and the gradient ends.
const LEAST: f64 = 1e-30;

impl Tensor {
    /// The mean of `−t ln x − (1 − t) ln(1 − x)` over all elements, for probabilities x and t.
    ///
    /// Logarithms are bounded at ln 10⁻³⁰; [`bce_with_logits`](Tensor::bce_with_logits) is exact everywhere.
    ///
    /// * Shape: `[..], [..] → []`, never broadcast; outputs are floats, and targets adopt their dtype.
    /// * Gradient: `dx = ((1 − t)/(1 − x) − t/x) dy / n`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![0.5, 0.9].bce(&tensor![1.0, 1.0]), -(0.5f64.ln() + 0.9f64.ln()) / 2.0);
    /// ```
    /// # Panics
    /// When the shapes differ, outputs are not floats, or an output or a target lies outside of 0..1. (On another device
    /// than the CPU the loss is then NaN.)
    #[track_caller]
    pub fn bce(&self, target: &Tensor) -> Tensor {
        let loss = mean_of(Bce, self, target);
        // An output out of range gives NaN, so the range is looked at only if something is wrong. Asking another device
        // would wait for all that it has been told to do: there NaN is the answer.
        if !self.is_empty() && self.device().backend().is_host() && loss.item().is_nan() {
            check_target("bce", target);
            let (lo, hi) = (self.detach().min(..).item(), self.detach().max(..).item());
            if lo < 0.0 || hi > 1.0 {
                fail!("bce", "outputs should be probabilities, they reach from {lo} to {hi}";
                      help = "use `bce_with_logits` without a sigmoid at the end of the model");
            }
        }
        loss
    }
}

/// The largest target taken for a probability: what rounding may add to 1.
pub(super) const MOST: f64 = 1.001;

/// Names targets that are not probabilities. The loss is NaN where one is, so this is asked only then.
#[track_caller]
pub(super) fn check_target(op: &str, target: &Tensor) {
    let (lo, hi) = (target.detach().min(..).item(), target.detach().max(..).item());
    if lo < 0.0 || hi > MOST {
        fail!(op, "targets must be probabilities from 0 to 1, they reach from {lo} to {hi}";
              help = "count the two classes as 0 and 1; for more classes use `cross_entropy`, for numbers `mse`");
    }
}

/// Where targets are no probabilities.
pub(super) fn no_probability(target: &Tensor) -> Tensor {
    target.detach().lt(0.0).or(&target.detach().gt(MOST))
}

#[derive(Clone, Copy)]
struct Bce;
impl PairLoss for Bce {
    const NAME: &'static str = "bce";
    const OWN: Own = Own::Short;
    #[inline(always)]
    fn f<R: Real>(self, x: R, t: R) -> R {
        let least = R::from_f64(LEAST);
        // ln(1 − x) keeps its digits where x is small.
        let log = R::from_f64(LEAST.ln());
        let value = -(t * x.max(least).ln() + (R::ONE - t) * (-x).ln_1p().max(log));
        let outside = x.lt(R::ZERO) | x.gt(R::ONE) | t.lt(R::ZERO) | t.gt(R::from_f64(MOST));
        R::select(outside, R::NAN, value)
    }
    #[inline(always)]
    fn slope<R: Real>(self, x: R, t: R) -> R {
        let (least, rest) = (R::from_f64(LEAST), R::ONE - x);
        let up = R::select(rest.lt(least), R::ZERO, (R::ONE - t) / rest);
        let down = R::select(x.lt(least), R::ZERO, t / x);
        up - down
    }
    fn compose(self, x: &Tensor, t: &Tensor) -> Tensor {
        // Beyond the bound of ln(1 − x) lies 1 alone, where the gradient ends.
        let rest = x.detach().ge(1.0).choose(LEAST.ln(), x.detach().ge(1.0).choose(0.0, -x).log1p());
        let value = -(t * x.clamp(LEAST, 1.0).log() + (1.0 - t) * rest);
        let outside = x.detach().lt(0.0).or(&x.detach().gt(1.0)).or(&no_probability(t));
        outside.choose(f64::NAN, value)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("bce", "The mean of `−t ln x − (1 − t) ln(1 − x)` over all elements, for probabilities x and t.", Takes::Floats, samples).built(|_| Ok(mean_op(Bce))),
];

fn samples(s: &mut Samples) {
    let d = floats(0.1..0.9);
    s.of(&[(&[3, 5], &d), (&[3, 5], &d)], |x| x[0].bce(&x[1]));
    s.of(&[(&[], &d), (&[], &d)], |x| x[0].bce(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn bce() {
        let (x, t) = (floats(0.05..0.95), floats(0.0..1.0));
        check2(|x, t| x.bce(t)).shapes([&[3, 5], &[3, 5]]).tolerance(4.0).on(x.clone(), t);
        check(|x| x.bce(&Tensor::full_like(x, 0.3))).tolerance(4.0).on(x); // by the kernel's derivative
        let e = catch(|| tensor![-1.0, 2.0].bce(&tensor![0.0, 1.0])).unwrap_err();
        assert_eq!(e.message(), "bce: outputs should be probabilities, they reach from -1 to 2");
        // Another device is not waited for.
        let far = |x: Tensor| x.to_device(crate::check::far::device());
        assert!(far(tensor![-1.0]).bce(&far(tensor![0.0])).item().is_nan());
        assert!(far(tensor![1.0]).bce_with_logits(&far(tensor![2.0])).item().is_nan());
    }
}

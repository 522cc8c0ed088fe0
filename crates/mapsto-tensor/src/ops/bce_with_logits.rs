//! Binary cross-entropy of logits: the loss of yes and no, exact where the sigmoid saturates.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Own, Real};
use super::bce::{MOST, check_target, no_probability};
use crate::pair_loss::{PairLoss, mean_of, mean_op};

impl Tensor {
    /// The mean of `ln(1 + eˣ) − t x`, which is `−t ln σ(x) − (1 − t) ln(1 − σ(x))`, for probabilities `t`.
    ///
    /// * Shape: `[..], [..] → []`, never broadcast; outputs are floats, and targets adopt their dtype.
    /// * Gradient: `dx = (σ(x) − t) dy / n`, `dt = −x dy / n`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, t) = (tensor![0.0, 100.0, -100.0], tensor![1.0, 1.0, 1.0]);
    /// assert_close!(x.bce_with_logits(&t), (0.69315 + 0.0 + 100.0) / 3.0);
    /// ```
    /// # Panics
    /// When the shapes differ, outputs are not floats, or a target lies outside of 0..1. (On another device
    /// than the CPU the loss is then NaN.)
    #[track_caller]
    pub fn bce_with_logits(&self, target: &Tensor) -> Tensor {
        let loss = mean_of(BceWithLogits, self, target);
        // A target out of range gives NaN, so the range is looked at only if something is wrong, and not on other devices,
        // where it would wait for all that they have been told to do.
        if !self.is_empty() && self.device().backend().is_host() && loss.item().is_nan() {
            check_target("bce_with_logits", target);
        }
        loss
    }
}

#[derive(Clone, Copy)]
struct BceWithLogits;
impl PairLoss for BceWithLogits {
    const NAME: &'static str = "bce_with_logits";
    const OWN: Own = Own::Short;
    #[inline(always)]
    fn f<R: Real>(self, x: R, t: R) -> R {
        // max(x, 0) − t x is |x| times what the target lacks: nothing overflows, nothing cancels, and an infinite logit that
        // is right costs nothing.
        let lacks = R::select(x.gt(R::ZERO), R::ONE - t, t);
        let miss = R::select(lacks.eq(R::ZERO), R::ZERO, lacks * x.abs());
        let value = miss + (-x.abs()).exp().ln_1p();
        R::select(t.lt(R::ZERO) | t.gt(R::from_f64(MOST)), R::NAN, value)
    }
    #[inline(always)]
    fn slope<R: Real>(self, x: R, t: R) -> R {
        // σ(x) − t = (1 − t) σ(x) − t σ(−x), which is exact where one of the two is all but 1.
        let e = (-x.abs()).exp();
        let (all, right) = ((R::ONE + e).recip(), x.gt(R::ZERO));
        let (s, rest) = (R::select(right, R::ONE, e) * all, R::select(right, e, R::ONE) * all);
        (R::ONE - t) * s - t * rest
    }
    fn compose(self, x: &Tensor, t: &Tensor) -> Tensor {
        // By x exact in both tails, as the slope is; by t it is −x, to which the last term adds nothing but this.
        let fixed = t.detach();
        let value = (1.0 - &fixed) * x.softplus() + &fixed * (-x).softplus() - x * (t - &fixed);
        no_probability(t).choose(f64::NAN, value)
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("bce_with_logits", "The mean of `ln(1 + eˣ) − t x`, which is `−t ln σ(x) − (1 − t) ln(1 − σ(x))`, for probabilities `t`.", Takes::Floats, samples).built(|_| Ok(mean_op(BceWithLogits))),
];

fn samples(s: &mut Samples) {
    let (d, t) = (floats(-2.0..2.0).avoiding(0.0), floats(0.1..0.9));
    s.of(&[(&[3, 5], &d), (&[3, 5], &t)], |x| x[0].bce_with_logits(&x[1]));
    s.of(&[(&[], &d), (&[], &t)], |x| x[0].bce_with_logits(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn bce_with_logits() {
        let (x, t) = (floats(-4.0..4.0).avoiding(0.0), floats(0.0..1.0));
        check2(|x, t| x.bce_with_logits(t)).shapes([&[3, 5], &[3, 5]]).on(x.clone(), t.clone());
        check2(|x, t| x.bce_with_logits(t)).shapes([&[], &[]]).on(x, t);
        let x = tensor![2.0, -1.0, 0.0];
        let t = tensor![1.0, 0.0, 0.25];
        let p = x.sigmoid();
        let far = tensor![f32::INFINITY, f32::NEG_INFINITY];
        assert_eq!(far.bce_with_logits(&tensor![1.0, 0.0]).item(), 0.0);
        assert_eq!(far.bce_with_logits(&tensor![0.5, 0.0]).item(), f64::INFINITY);
        assert_close!(x.bce_with_logits(&t), -(&t * p.log() + (1.0 - &t) * (1.0 - p).log()).mean(..));
        let e = catch(|| x.bce_with_logits(&tensor![[1.0]])).unwrap_err();
        assert_eq!(e.message(), "bce_with_logits: outputs [3] and targets [1, 1] differ in shape");
    }
}

//! Mean squared error: the loss of regression.

use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::elementwise::{Own, Real};
use crate::pair_loss::{PairLoss, mean_of, mean_op};

impl Tensor {
    /// The mean of `(x − t)²` over all elements.
    ///
    /// * Shape: `[..], [..] → []`, never broadcast; outputs are floats, and targets adopt their dtype.
    /// * Gradient: `dx = 2 (x − t) dy / n`, `dt = −dx`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1.0, 4.0].mse(&tensor![1.0, 1.0]).item(), 4.5);
    /// ```
    /// # Panics
    /// When the shapes differ, or outputs are not floats.
    #[track_caller]
    pub fn mse(&self, target: &Tensor) -> Tensor {
        mean_of(Mse, self, target)
    }
}

#[derive(Clone, Copy)]
struct Mse;
impl PairLoss for Mse {
    const NAME: &'static str = "mse";
    const OWN: Own = Own::Always;
    #[inline(always)]
    fn f<R: Real>(self, x: R, t: R) -> R {
        (x - t) * (x - t)
    }
    #[inline(always)]
    fn slope<R: Real>(self, x: R, t: R) -> R {
        (x - t) * R::TWO
    }
    fn compose(self, x: &Tensor, t: &Tensor) -> Tensor {
        (x - t).square()
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("mse", "The mean of `(x − t)²` over all elements.", Takes::Floats, samples).built(|_| Ok(mean_op(Mse))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[3, 5], &d), (&[3, 5], &d)], |x| x[0].mse(&x[1]));
    s.of(&[(&[], &d), (&[], &d)], |x| x[0].mse(&x[1]));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn mse() {
        let d = || floats(-2.0..2.0);
        check2(|x, t| x.mse(t)).shapes([&[3, 5], &[3, 5]]).on(d(), d());
        check2(|x, t| x.mse(t)).shapes([&[], &[]]).on(d(), d());
        check(|x| x.mse(&Tensor::full_like(x, 0.3))).on(d()); // by the kernel's derivative
    }
}

//! The logarithm of the gamma function of matrices.

use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::{Tensor, fail};

impl Tensor {
    /// `ln Γₚ(x) = p (p − 1) / 4 · ln π + Σⱼ ln Γ(x − j / 2)` over j from 0 to `p − 1`, of each element: the multivariate gamma
    /// function, as in the Wishart distribution. PyTorch also calls it `mvlgamma`.
    ///
    /// * Shape: `[..] → [..]`, floats above `(p − 1) / 2`.   * Gradient: `dx = Σⱼ ψ(x − j / 2) dy`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![1.5, 3.0].multigammaln(2), [0.45158, 1.55022]);
    /// ```
    /// # Panics
    /// When `p` is 0, or an element is not above `(p − 1) / 2`.
    #[track_caller]
    pub fn multigammaln(&self, p: usize) -> Tensor {
        if !self.dtype().is_float() {
            fail!("multigammaln", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        if p == 0 {
            fail!("multigammaln", "`p` must be at least 1, got 0");
        }
        let (p, least) = (p as f64, (p - 1) as f64 / 2.0);
        let known = self.device().backend().has_numbers() && !self.is_empty();
        if known && self.detach().le(least).any(..).item() == 1.0 {
            fail!("multigammaln", "an element is not above {least}, where it is not defined for `p` = {p}");
        }
        named("multigammaln", || {
            let terms = (1..p as usize).fold(self.lgamma(), |sum, j| sum + (self - j as f64 / 2.0).lgamma());
            terms + p * (p - 1.0) / 4.0 * std::f64::consts::PI.ln()
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("multigammaln", "The logarithm of the multivariate gamma function.", Takes::Floats, samples).made_of("lgamma"),
];

fn samples(s: &mut Samples) {
    s.each(floats(1.6..9.0), |x| x[0].multigammaln(3));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn multigammaln() {
        check(|x| x.multigammaln(1)).absolute(1.0).on(floats(0.5..9.0));
        check(|x| x.multigammaln(3)).absolute(1.0).on(floats(1.6..9.0));
        // Values of scipy.special.multigammaln.
        let y = Tensor::from_vec(vec![2.5, 10.0], [2]).multigammaln(4);
        assert_close!(y, Tensor::from_vec(vec![3.598_090_290_385_874_5, 48.079_220_718_473_19], [2]));
        let e = catch(|| tensor![0.5].multigammaln(2)).unwrap_err();
        assert!(e.message().starts_with("multigammaln: an element is not above 0.5"), "{e}");
    }
}

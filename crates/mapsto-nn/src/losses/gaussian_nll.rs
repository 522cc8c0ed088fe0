//! The negative log-likelihood of numbers under normal distributions whose spread the model says too.

use super::{Loss, LossKind, Pointwise, REDUCTION, check_outputs};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{Tensor, fail};
use std::borrow::Cow;

/// `mean ½ (s + (t − m)² e⁻ˢ)`, where the outputs hold the means `m` of all targets and after them the logarithms of their variances `s`;
/// without the constant `½ log 2π`, which [`full`](GaussianNll::full) adds. Variances below ε count as ε.
///
/// * Shape: `[.., 2k], [.., k] → []`.
/// * PyTorch: `GaussianNLLLoss`, which takes the variance as a third tensor; Keras has none.
///
/// Source: Nix, Weigend (1994), Estimating the mean and variance of the target probability distribution.
/// ```
/// use mapsto_nn::prelude::*;
/// let y = tensor![[1.0, 0.0], [0.0, 2.0]]; // means 1 and 0, variances 1 and e²
/// let expected = (0.5 * 4.0 + 0.5 * (2.0 + 9.0 * (-2f64).exp())) / 2.0;
/// assert_close!(GaussianNll::new().loss(&y, &tensor![[3.0], [3.0]]), expected);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianNll {
    eps: f64,
    full: bool,
}

impl GaussianNll {
    /// Without the constant; ε is 10⁻⁶.
    pub fn new() -> GaussianNll {
        GaussianNll { eps: 1e-6, full: false }
    }

    /// The same with another smallest variance ε.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(self, eps: f64) -> GaussianNll {
        GaussianNll { eps: Bounds::ABOVE_0.check("gaussian_nll", "eps", eps), ..self }
    }

    /// The same with the constant `½ log 2π`.
    #[must_use]
    pub fn full(self) -> GaussianNll {
        GaussianNll { full: true, ..self }
    }
}

impl Default for GaussianNll {
    fn default() -> GaussianNll {
        GaussianNll::new()
    }
}

impl Pointwise for GaussianNll {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        check_outputs("gaussian_nll", Outputs::Values, y);
        let k = target.shape().last().copied().unwrap_or(0);
        let twice = target.shape().split_last().map(|(k, rest)| [rest, &[2 * k]].concat());
        if k == 0 || twice.as_deref() != Some(y.shape()) {
            fail!("gaussian_nll", "outputs [.., 2k] and targets [.., k] were expected, found {:?} and {:?}", y.shape(), target.shape();
                  help = "the outputs are the means of all targets, and after them the logarithms of their variances");
        }
        let (mean, spread) = (y.slice(-1, ..k as isize), y.slice(-1, k as isize..).maximum(self.eps.ln()));
        let d = target.to(y.dtype()) - mean;
        let constant = if self.full { 0.5 * std::f64::consts::TAU.ln() } else { 0.0 };
        (&spread + d.square() * (-&spread).exp()) * 0.5 + constant
    }
}

impl Loss for GaussianNll {
    /// # Panics
    /// When the outputs are not `[.., 2k]` for targets `[.., k]`.
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        self.each(y, target).mean(..)
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        Some(self)
    }

    fn values_per_target(&self) -> usize {
        2
    }

    fn name(&self) -> Cow<'static, str> {
        "gaussian_nll".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Values)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_option("eps", self.eps).with_option("full", self.full))
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "gaussian_nll",
    "Numbers under as many means, and logarithms of variances after them.",
    |args, ()| {
        Ok(Box::new(GaussianNll {
            eps: Bounds::ABOVE_0.option(args, "eps", 1e-6)?,
            full: args.get_or("full", false)?,
        }))
    },
)
.options(&[("eps", "the smallest variance"), ("full", "whether the constant is added"), REDUCTION]);

#[test]
fn the_best_spread_is_that_of_the_error() {
    use mapsto_tensor::{assert_close, catch, tensor};
    let y = tensor![[1.0, 9f64.ln()]].leaf();
    let grads = GaussianNll::new().loss(&y, &tensor![[4.0]]).backward();
    assert_close!(grads.of(&y).select(-1, 1), [0.0]);
    let e = catch(|| GaussianNll::new().loss(&Tensor::ones([4, 3]), &Tensor::ones([4, 1]))).unwrap_err();
    assert!(
        e.message().contains("[.., 2k] and targets [.., k] were expected, found [4, 3] and [4, 1]"),
        "{e}"
    );
}

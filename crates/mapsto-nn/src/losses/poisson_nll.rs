//! The negative log-likelihood of counts under a Poisson distribution.

use super::{Loss, LossKind, Pointwise, REDUCTION, alike, check_counts};
use crate::Outputs;
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::Tensor;
use std::borrow::Cow;

/// `mean (eʸ − t y)`, where `y` is the logarithm of the expected count and `t` the count; without the terms of the target alone.
///
/// With [`of_rates`](PoissonNll::of_rates) `y` is the expected count itself: `mean (y − t log(y + ε))`; with [`full`](PoissonNll::full)
/// Stirling's `t log t − t + ½ log(2π t)` is added where `t > 1`.
///
/// * Shape: `[..], [..] → []`.
/// * PyTorch: `PoissonNLLLoss`, with `log_input` and `full`; Keras: `Poisson`, which takes rates.
/// ```
/// use mapsto_nn::prelude::*;
/// let loss = PoissonNll::new();
/// assert_close!(loss.loss(&tensor![0.0, 1.0], &tensor![3.0, 2.0]), (1.0 + 1f64.exp() - 2.0) / 2.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoissonNll {
    eps: f64,
    log_input: bool,
    full: bool,
}

impl PoissonNll {
    /// Of logarithms of rates, with the terms of the output alone.
    pub fn new() -> PoissonNll {
        PoissonNll { eps: 1e-8, log_input: true, full: false }
    }

    /// The same with another ε, of rates.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(self, eps: f64) -> PoissonNll {
        PoissonNll { eps: Bounds::ABOVE_0.check("poisson_nll", "eps", eps), ..self }
    }

    /// The same of expected counts and not of their logarithms.
    #[must_use]
    pub fn of_rates(self) -> PoissonNll {
        PoissonNll { log_input: false, ..self }
    }

    /// The same with Stirling's approximation of the terms of the target.
    #[must_use]
    pub fn full(self) -> PoissonNll {
        PoissonNll { full: true, ..self }
    }
}

impl Default for PoissonNll {
    fn default() -> PoissonNll {
        PoissonNll::new()
    }
}

impl Pointwise for PoissonNll {
    #[track_caller]
    fn each(&self, y: &Tensor, target: &Tensor) -> Tensor {
        let t = alike("poisson_nll", Outputs::Values, y, target);
        check_counts("poisson_nll", &t);
        let loss = match self.log_input {
            true => y.exp() - &t * y,
            false => y - &t * (y + self.eps).log(),
        };
        if !self.full {
            return loss;
        }
        // Of counts up to 1 it is left out, and no logarithm of 0 is taken.
        let many = t.maximum(1.0);
        let stirling = &many * many.log() - &many + (&many * std::f64::consts::TAU).log() * 0.5;
        loss + t.gt(1.0).choose(&stirling, 0.0)
    }
}

impl Loss for PoissonNll {
    /// # Panics
    /// When the shapes differ, or a target is below 0.
    #[track_caller]
    fn loss(&self, y: &Tensor, target: &Tensor) -> Tensor {
        self.each(y, target).mean(..)
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        Some(self)
    }

    fn name(&self) -> Cow<'static, str> {
        "poisson_nll".into()
    }

    fn outputs(&self) -> Option<Outputs> {
        Some(Outputs::Values)
    }

    fn takes_logarithms(&self) -> bool {
        self.log_input
    }

    fn entry(&self) -> Option<Entry> {
        Some(
            Entry::new(KIND.name)
                .with_option("eps", self.eps)
                .with_option("log_input", self.log_input)
                .with_option("full", self.full),
        )
    }
}

pub(super) const KIND: LossKind = LossKind::new(
    "poisson_nll",
    "Counts under the logarithm of their expected number, or under that number.",
    |args, ()| {
        Ok(Box::new(PoissonNll {
            eps: Bounds::ABOVE_0.option(args, "eps", 1e-8)?,
            log_input: args.get_or("log_input", true)?,
            full: args.get_or("full", false)?,
        }))
    },
)
.options(&[
    ("eps", "what is added to a rate before its logarithm"),
    ("log_input", "whether outputs are logarithms of rates"),
    ("full", "whether terms of the target alone are added"),
    REDUCTION,
]);

#[test]
fn the_best_output_is_the_logarithm_of_the_count() {
    use mapsto_tensor::{assert_close, tensor};
    let y = tensor![3f64.ln(), 0.0].leaf();
    let grads = PoissonNll::new().loss(&y, &tensor![3.0, 1.0]).backward();
    assert_close!(grads.of(&y), [0.0, 0.0]);
    let rate = tensor![3.0, 1.0].leaf();
    let grads = PoissonNll::new().of_rates().full().loss(&rate, &tensor![3.0, 1.0]).backward();
    assert_close!(grads.of(&rate), [0.0, 0.0]);
    assert!(super::Sum::new(PoissonNll::new()).takes_logarithms());
    assert!(!PoissonNll::new().of_rates().takes_logarithms());
}

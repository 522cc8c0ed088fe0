//! Shares that add up to 1.

use super::{Distribution, Divergence, repeated, require, together};
use mapsto_tensor::{Tensor, fail, keep, random};

/// `Γ(Σ a) / Π Γ(aᵢ) · Π xᵢ^(aᵢ − 1)` for rows of shares, with a concentration for each.
///
/// * PyTorch: `distributions.Dirichlet`.
/// ```
/// use mapsto_nn::distributions::{Distribution, Dirichlet};
/// use mapsto_nn::prelude::*;
/// assert_close!(Dirichlet::new(&tensor![1.0, 2.0]).log_prob(&tensor![0.5, 0.5]), 0.0);
/// ```
#[derive(Clone, Debug)]
pub struct Dirichlet {
    concentration: Tensor,
}

impl Dirichlet {
    /// With these concentrations, along the last axis.
    ///
    /// # Panics
    /// When there are no axes, or a concentration is not a float above 0.
    #[track_caller]
    pub fn new(concentration: &Tensor) -> Dirichlet {
        let [concentration] = together("dirichlet", [concentration]);
        if concentration.rank() == 0 {
            fail!("dirichlet", "a row of concentrations is needed, the shape is []");
        }
        require("dirichlet", "concentration", "above 0", &concentration, |v| v.gt(0.0));
        Dirichlet { concentration }
    }

    /// `Σ ln Γ(aᵢ) − ln Γ(Σ a)`.
    fn log_beta(&self) -> Tensor {
        self.concentration.lgamma().sum(-1) - self.concentration.sum(-1).lgamma()
    }
}

impl Distribution for Dirichlet {
    fn name(&self) -> &'static str {
        "dirichlet"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        random::dirichlet(&repeated(&self.concentration, shape))
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        ((&self.concentration - 1.0).xlogy(x)).sum(-1) - self.log_beta()
    }

    fn entropy(&self) -> Tensor {
        let (a, sum) = (&self.concentration, self.concentration.sum(-1));
        let k = a.shape()[a.rank() - 1] as f64;
        self.log_beta() + (&sum - k) * sum.digamma() - ((a - 1.0) * a.digamma()).sum(-1)
    }

    fn mean(&self) -> Tensor {
        &self.concentration / self.concentration.sum(keep(-1))
    }

    fn variance(&self) -> Tensor {
        let (mean, sum) = (self.mean(), self.concentration.sum(keep(-1)));
        &mean * (-&mean + 1.0) / (sum + 1.0)
    }
}

impl Divergence for Dirichlet {
    #[track_caller]
    fn kl(&self, q: &Dirichlet) -> Tensor {
        let (a, sum) = (&self.concentration, self.concentration.sum(keep(-1)));
        q.log_beta() - self.log_beta() + ((a - &q.concentration) * (a.digamma() - sum.digamma())).sum(-1)
    }
}

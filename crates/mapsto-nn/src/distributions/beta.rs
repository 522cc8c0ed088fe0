//! A share between 0 and 1.

use super::{Distribution, Divergence, repeated, require, together, where_inside};
use mapsto_tensor::{Tensor, random};

/// `x^(a − 1) (1 − x)^(b − 1) / B(a, b)` for x between 0 and 1.
///
/// * PyTorch: `distributions.Beta`.
/// ```
/// use mapsto_nn::distributions::{Distribution, Beta};
/// use mapsto_nn::prelude::*;
/// assert_close!(Beta::new(&tensor![2.0], &tensor![3.0]).log_prob(&tensor![0.5]), [0.40547]);
/// ```
#[derive(Clone, Debug)]
pub struct Beta {
    a: Tensor,
    b: Tensor,
}

impl Beta {
    /// With these concentrations of 1 and of 0.
    ///
    /// # Panics
    /// When the shapes do not broadcast, the dtypes differ, or a parameter is not above 0.
    #[track_caller]
    pub fn new(a: &Tensor, b: &Tensor) -> Beta {
        let [a, b] = together("beta", [a, b]);
        require("beta", "a", "above 0", &a, |v| v.gt(0.0));
        require("beta", "b", "above 0", &b, |v| v.gt(0.0));
        Beta { a, b }
    }

    /// `ln B(a, b)`.
    fn log_beta(&self) -> Tensor {
        self.a.lgamma() + self.b.lgamma() - (&self.a + &self.b).lgamma()
    }
}

impl Distribution for Beta {
    fn name(&self) -> &'static str {
        "beta"
    }

    #[track_caller]
    fn rsample(&self, shape: &[usize]) -> Tensor {
        random::beta(&repeated(&self.a, shape), &self.b)
    }

    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        let inside = x.detach().ge(0.0).and(&x.detach().le(1.0));
        let safe = inside.choose(x, 0.5);
        where_inside(
            &inside,
            (&self.a - 1.0).xlogy(&safe) + (&self.b - 1.0).xlog1py(&-&safe) - self.log_beta(),
        )
    }

    fn entropy(&self) -> Tensor {
        let (a, b) = (&self.a, &self.b);
        self.log_beta() - (a - 1.0) * a.digamma() - (b - 1.0) * b.digamma()
            + (a + b - 2.0) * (a + b).digamma()
    }

    fn mean(&self) -> Tensor {
        &self.a / (&self.a + &self.b)
    }

    fn variance(&self) -> Tensor {
        let sum = &self.a + &self.b;
        &self.a * &self.b / (sum.square() * (&sum + 1.0))
    }
}

impl Divergence for Beta {
    #[track_caller]
    fn kl(&self, q: &Beta) -> Tensor {
        let (a, b) = (&self.a, &self.b);
        q.log_beta() - self.log_beta()
            + (a - &q.a) * a.digamma()
            + (b - &q.b) * b.digamma()
            + (&q.a - a + &q.b - b) * (a + b).digamma()
    }
}

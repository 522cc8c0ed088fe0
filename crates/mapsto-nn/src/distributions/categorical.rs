//! One of several classes.

use super::{Distribution, Divergence, require, together};
use mapsto_tensor::{DType, Tensor, fail, no_grad, random};

/// Class i of k with probability pᵢ.
///
/// * PyTorch: `distributions.Categorical`.
/// ```
/// use mapsto_nn::distributions::{Categorical, Distribution};
/// use mapsto_nn::prelude::*;
/// let d = Categorical::of_probs(&tensor![[1.0, 3.0], [0.5, 0.5]]);
/// assert_close!(d.log_prob(&tensor![1, 0]), [0.75f64.ln(), 0.5f64.ln()]);
/// assert_eq!(d.sample(&[5]).shape(), [5, 2]);
/// ```
#[derive(Clone, Debug)]
pub struct Categorical {
    /// Logarithms of probabilities, `[.., k]`.
    logs: Tensor,
}

impl Categorical {
    /// With probabilities in this proportion, along the last axis.
    ///
    /// # Panics
    /// When they are not floats of at least 0, or a row is all 0.
    #[track_caller]
    pub fn of_probs(probs: &Tensor) -> Categorical {
        let [probs] = together("categorical", [probs]);
        check(&probs);
        require("categorical", "probs", "at least 0", &probs, |p| p.ge(0.0));
        let sum = probs.sum(mapsto_tensor::keep(-1));
        require("categorical", "probs", "above 0 for one class at least", &sum, |s| s.gt(0.0));
        // A class that never occurs has no slope.
        let (share, never) = (&probs / sum, probs.detach().eq(0.0));
        Categorical { logs: never.choose(f64::NEG_INFINITY, never.choose(1.0, share).log()) }
    }

    /// With the softmax of these scores, along the last axis, for probabilities.
    ///
    /// # Panics
    /// When they are not floats.
    #[track_caller]
    pub fn of_logits(logits: &Tensor) -> Categorical {
        let [logits] = together("categorical", [logits]);
        check(&logits);
        Categorical { logs: logits.log_softmax(-1) }
    }

    /// The probabilities.
    pub fn probs(&self) -> Tensor {
        self.logs.exp()
    }
}

#[track_caller]
fn check(x: &Tensor) {
    if x.shape().last().is_none_or(|&k| k == 0) {
        fail!("categorical", "a row of classes is needed, the shape is {:?}", x.shape());
    }
}

impl Distribution for Categorical {
    fn name(&self) -> &'static str {
        "categorical"
    }

    /// Class ids (i64).
    #[track_caller]
    fn sample(&self, shape: &[usize]) -> Tensor {
        let n: usize = shape.iter().product();
        no_grad(|| {
            let ids = random::multinomial_with_replacement(&self.probs().detach(), n); // [.., n]
            let batch = &self.logs.shape()[..self.logs.rank() - 1];
            ids.movedim(-1, 0).reshape([shape, batch].concat())
        })
    }

    /// Of class ids (i64).
    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        if x.dtype().is_float() || x.dtype() == DType::Bool {
            fail!("categorical", "classes are integers, these are {}", x.dtype(); help = "convert them with `.to(DType::I64)`");
        }
        let k = self.logs.shape()[self.logs.rank() - 1];
        let batch = self.logs.select(-1, 0).detach();
        let shape = Tensor::broadcast_tensors(&[x, &batch.to(x.dtype())])[0].shape().to_vec();
        let logs = self.logs.expand([&shape[..], &[k]].concat());
        logs.gather(-1, &x.expand(shape).unsqueeze(-1)).squeeze(-1)
    }

    fn entropy(&self) -> Tensor {
        self.probs().entr().sum(-1)
    }

    /// # Panics
    /// A class has no mean.
    #[track_caller]
    fn mean(&self) -> Tensor {
        fail!("categorical", "classes have no mean"; help = "`probs` gives their probabilities")
    }

    /// # Panics
    /// A class has no variance.
    #[track_caller]
    fn variance(&self) -> Tensor {
        fail!("categorical", "classes have no variance"; help = "`probs` gives their probabilities")
    }
}

impl Divergence for Categorical {
    #[track_caller]
    fn kl(&self, q: &Categorical) -> Tensor {
        let p = self.probs();
        let none = p.detach().eq(0.0);
        (none.choose(0.0, &self.logs - &q.logs) * p).sum(-1)
    }
}

#[test]
fn classes_are_drawn_by_their_probabilities() {
    use mapsto_tensor::{assert_close, seed, tensor};
    seed(3);
    let d = Categorical::of_probs(&tensor![[0.2, 0.0, 0.8], [1.0, 0.0, 0.0]]);
    let ids = d.sample(&[2, 5000]); // [2, 5000, 2]
    assert_eq!(ids.shape(), [2, 5000, 2]);
    let counts = ids.select(2, 0).reshape([10_000]).bincount(3).to_vec::<i64>();
    assert!(counts[1] == 0 && (counts[2] - 8000).abs() < 160, "{counts:?}");
    assert!(ids.select(2, 1).max(..).item_i64() == 0);
    assert_close!(d.entropy(), [0.500_402, 0.0]);
    assert_close!(d.kl(&Categorical::of_logits(&tensor![0.0, 0.0, 0.0])), [3f64.ln() - 0.500_402, 3f64.ln()]);
    assert!(
        mapsto_tensor::catch(|| d.mean())
            .unwrap_err()
            .message()
            .starts_with("categorical: classes have no mean")
    );
}

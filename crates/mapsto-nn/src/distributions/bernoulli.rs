//! One of two answers.

use super::{Distribution, Divergence, repeated, require, together};
use mapsto_tensor::{Tensor, no_grad, random};

/// 1 with a probability p, else 0.
///
/// * PyTorch: `distributions.Bernoulli`.
/// ```
/// use mapsto_nn::distributions::{Bernoulli, Distribution};
/// use mapsto_nn::prelude::*;
/// let d = Bernoulli::of_probs(&tensor![0.25]);
/// assert_close!(d.log_prob(&tensor![1.0]), [0.25f64.ln()]);
/// ```
#[derive(Clone, Debug)]
pub struct Bernoulli {
    logits: Tensor,
}

impl Bernoulli {
    /// With these probabilities of 1.
    ///
    /// # Panics
    /// When they are not floats from 0 to 1.
    #[track_caller]
    pub fn of_probs(probs: &Tensor) -> Bernoulli {
        let [probs] = together("bernoulli", [probs]);
        require("bernoulli", "probs", "from 0 to 1", &probs, |p| p.ge(0.0).and(&p.le(1.0)));
        // What is certain has an infinite score and no slope, as in PyTorch.
        let certain = probs.detach().eq(0.0).or(&probs.detach().eq(1.0));
        let logits = certain.choose(0.5, &probs).logit();
        Bernoulli { logits: certain.choose(probs.detach().logit(), logits) }
    }

    /// With the sigmoids of these scores for probabilities.
    ///
    /// # Panics
    /// When they are not floats.
    #[track_caller]
    pub fn of_logits(logits: &Tensor) -> Bernoulli {
        let [logits] = together("bernoulli", [logits]);
        Bernoulli { logits }
    }

    /// The probabilities of 1.
    pub fn probs(&self) -> Tensor {
        self.logits.sigmoid()
    }
}

impl Distribution for Bernoulli {
    fn name(&self) -> &'static str {
        "bernoulli"
    }

    #[track_caller]
    fn sample(&self, shape: &[usize]) -> Tensor {
        no_grad(|| random::bernoulli(&repeated(&self.probs().detach(), shape)))
    }

    /// # Panics
    /// When a value is neither 0 nor 1.
    #[track_caller]
    fn log_prob(&self, x: &Tensor) -> Tensor {
        let is_answer = |x: &Tensor| x.eq(1.0).or(&x.eq(0.0));
        require(
            "bernoulli",
            "x",
            "0 or 1 (of shares between them, `bce_with_logits` is the loss)",
            x,
            is_answer,
        );
        // ln σ(z) for 1 and ln σ(−z) for 0, of which none is infinite times 0.
        let (one, zero) = (self.logits.log_sigmoid(), (-&self.logits).log_sigmoid());
        x.detach().eq(1.0).choose(one, zero)
    }

    fn entropy(&self) -> Tensor {
        self.probs().entr() + (-&self.logits).sigmoid().entr()
    }

    fn mean(&self) -> Tensor {
        self.probs()
    }

    fn variance(&self) -> Tensor {
        self.probs() * (-&self.logits).sigmoid()
    }
}

impl Divergence for Bernoulli {
    #[track_caller]
    fn kl(&self, q: &Bernoulli) -> Tensor {
        let part = |p: &Tensor, q: &Tensor| {
            let share = p.sigmoid();
            let none = share.detach().eq(0.0);
            let apart = p.log_sigmoid() - q.log_sigmoid();
            none.choose(0.0, share * none.choose(0.0, apart))
        };
        part(&self.logits, &q.logits) + part(&-&self.logits, &-&q.logits)
    }
}

#[test]
fn certain_answers() {
    use mapsto_tensor::{assert_close, tensor};
    let d = Bernoulli::of_probs(&tensor![0.0, 1.0]);
    assert_close!(d.log_prob(&tensor![0.0, 1.0]), [0.0, 0.0]);
    assert_close!(d.entropy(), [0.0, 0.0]);
    assert_close!(d.sample(&[]), [0.0, 1.0]);
    // Certain answers have no slope, and others keep theirs.
    let p = tensor![1.0, 0.0, 0.5].leaf();
    let y = mapsto_tensor::record(|| Bernoulli::of_probs(&p).log_prob(&tensor![1.0, 0.0, 1.0]));
    assert_close!(y.sum(..).backward().of(&p), [0.0, 0.0, 2.0]);
    let y = mapsto_tensor::record(|| Bernoulli::of_probs(&p).entropy());
    assert_close!(y.sum(..).backward().of(&p), [0.0, 0.0, 0.0]);
    let e = mapsto_tensor::catch(|| d.log_prob(&tensor![0.0, 0.25])).unwrap_err();
    assert!(e.message().starts_with("bernoulli: `x` must be 0 or 1"), "{e}");
    assert_close!(d.kl(&Bernoulli::of_probs(&tensor![0.5])), [2f64.ln(), 2f64.ln()]);
    let e = mapsto_tensor::catch(|| Bernoulli::of_logits(&tensor![0.0]).rsample(&[])).unwrap_err();
    assert_eq!(e.message(), "bernoulli: its samples have no derivative by its parameters");
}

//! Integrated gradients: the slopes on the straight way from the baseline to the input, added up.

use crate::gradients::gradient;
use crate::paths::{compared, gauss_legendre};
use crate::{Ask, Explanation, Method, Model, Needs};
use mapsto_tensor::{Result, Tensor};

/// The integral of the gradient along the line from the baseline b to the input: `(x − b) · ∫₀¹ ∂f/∂x (b + α(x − b)) dα`.
///
/// The attributions add up to `f(x) − f(b)`, as far as the integral is computed well: 50 points of Gauss and Legendre, or `samples`. Where
/// they do not, the notes say by how much. The line leaves the data on its way, and what is said depends on the baseline: black is a poor
/// one for pictures in which black means something. With several baselines it is the mean. It costs a forward and a backward pass a point.
///
/// Source: Sundararajan, Taly and Yan, 2017, equation 1. captum: `IntegratedGradients`.
/// ```
/// use mapsto_explain::{Ask, Model, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| x.square().sum(1));
/// let ask = Ask::new().baseline(tensor![1.0, 0.0]);
/// let found = method("integrated-gradients")?.explain(&model, &tensor![[3.0, 2.0]], &ask)?;
/// assert_close!(found.attributions()?, [[8.0, 4.0]]);
/// # Ok::<(), Error>(())
/// ```
pub struct IntegratedGradients;

impl Method for IntegratedGradients {
    fn name(&self) -> &'static str {
        "integrated-gradients"
    }
    fn says(&self) -> &'static str {
        "what each number adds on the straight way from the baseline to the input"
    }
    fn needs(&self) -> Needs {
        Needs::Gradients
    }
    fn is_complete(&self) -> bool {
        true
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        let points = gauss_legendre(ask.count(50).max(1));
        compared(model, x, ask, |b, classes| {
            let way = x - b;
            let mut sum = Tensor::zeros_like(x);
            for (at, weight) in &points {
                let (_, g) = gradient(model, &(b + &way * *at), classes)?;
                sum += g * *weight;
            }
            Ok(sum * way)
        })
    }
}

#[test]
fn it_adds_up_to_the_difference_from_the_baseline() {
    use mapsto_tensor::{DType, tensor};
    let model = Model::asked(|x: &Tensor| (x.slice(1, 0..1) * x.slice(1, 1..2)).tanh());
    let x = tensor![[0.5, 1.5], [1.0, -1.0]].to(DType::F64);
    let found = IntegratedGradients.explain(&model, &x, &Ask::new()).unwrap();
    let sums = found.attributions().unwrap().sum(1).to_vec::<f64>();
    assert!((sums[0] - 0.75f64.tanh()).abs() < 1e-12 && (sums[1] + 1f64.tanh()).abs() < 1e-12, "{sums:?}");
    // The two numbers play the same part up to their scale, which cancels.
    let each = found.attributions().unwrap().to_vec::<f64>();
    assert!((each[0] - each[1]).abs() < 1e-12);
}

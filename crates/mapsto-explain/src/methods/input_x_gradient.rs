//! Input × gradient: what each number would add if the score were as steep all the way from zero.

use crate::gradients::at;
use crate::{Ask, Explanation, Method, Model, Needs};
use mapsto_tensor::{Result, Tensor};

/// The input times the gradient of the score: `x · ∂f/∂x`.
///
/// Of a linear model without a constant it is what each number adds. Elsewhere it takes the slope at the input for the slope of the whole
/// way from zero, so it does not add up to the score, and numbers that are zero get nothing. It costs one forward and one backward pass.
///
/// Source: Shrikumar, Greenside, Shcherbina and Kundaje, 2016. captum: `InputXGradient`.
/// ```
/// use mapsto_explain::{Ask, Model, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| (x * tensor![2.0, -3.0]).sum(1));
/// let found = method("input-x-gradient")?.explain(&model, &tensor![[5.0, 7.0]], &Ask::new())?;
/// assert_close!(found.attributions()?, [[10.0, -21.0]]);
/// # Ok::<(), Error>(())
/// ```
pub struct InputXGradient;

impl Method for InputXGradient {
    fn name(&self) -> &'static str {
        "input-x-gradient"
    }
    fn says(&self) -> &'static str {
        "what each number would add if the score were as steep all the way from zero"
    }
    fn needs(&self) -> Needs {
        Needs::Gradients
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        Ok(at(model, x, ask)?.map(|g| g * x))
    }
}

#[test]
fn it_is_the_gradient_times_the_input() {
    use mapsto_tensor::{assert_close, tensor};
    let model = Model::asked(|x: &Tensor| x.square().sum(1));
    let found = InputXGradient.explain(&model, &tensor![[3.0, -1.0, 0.0]], &Ask::new()).unwrap();
    assert_close!(found.attributions().unwrap(), [[18.0, 2.0, 0.0]]);
}

//! Guided backprop: the gradient, with all that speaks against the score left out at every relu.

use crate::by_rule::through_rectifiers;
use crate::{Ask, Explanation, Method, Model, Needs};
use mapsto_tensor::{Result, Tensor};

/// The gradient, where each relu hands back only what is positive: `g ↦ max(g, 0) · [x > 0]`.
///
/// It draws sharp pictures of edges. It lies often: it stays much the same when the upper layers are drawn anew (Adebayo, 2018), so it shows
/// the input more than the decision. It costs a forward and a backward pass.
///
/// Source: Springenberg, Dosovitskiy, Brox and Riedmiller, 2014. captum: `GuidedBackprop`.
/// ```
/// use mapsto_explain::{Ask, Model, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| (x.relu() * tensor![2.0, -3.0, 1.0]).sum(1));
/// let found = method("guided-backprop")?.explain(&model, &tensor![[5.0, 7.0, -1.0]], &Ask::new())?;
/// assert_close!(found.attributions()?, [[2.0, 0.0, 0.0]]);
/// # Ok::<(), Error>(())
/// ```
pub struct GuidedBackprop;

impl Method for GuidedBackprop {
    fn name(&self) -> &'static str {
        "guided-backprop"
    }
    fn says(&self) -> &'static str {
        "which numbers speak for the score, with all that speaks against it left out on the way"
    }
    fn needs(&self) -> Needs {
        Needs::Gradients
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        through_rectifiers(model, x, ask, |step, g| step.vjp(&g.relu()))
    }
}

#[test]
fn a_model_without_relu_gives_the_gradient_and_says_so() {
    use mapsto_tensor::{assert_close, tensor};
    let model = Model::asked(|x: &Tensor| x.square().sum(1));
    let found = GuidedBackprop.explain(&model, &tensor![[3.0, -1.0]], &Ask::new()).unwrap();
    assert_close!(found.attributions().unwrap(), [[6.0, -2.0]]);
    assert_eq!(found.notes, ["the model has no relu, so this is the plain gradient"]);
}

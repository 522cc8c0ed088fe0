//! Deconvolution: the way back as if each relu stood in it too, whatever came forward.

use crate::by_rule::through_rectifiers;
use crate::{Ask, Explanation, Method, Model, Needs};
use mapsto_tensor::{Result, Tensor};

/// The gradient, where each relu hands back what is positive, whether its input was positive or not: `g ↦ max(g, 0)`.
///
/// It ignores which units were at work, so it says less of this input than guided backprop does, and it stays much the same when the
/// weights of upper layers are drawn anew. It costs a forward and a backward pass.
///
/// Source: Zeiler and Fergus, 2013. captum: `Deconvolution`.
/// ```
/// use mapsto_explain::{Ask, Model, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| (x.relu() * tensor![2.0, -3.0, 1.0]).sum(1));
/// let found = method("deconvolution")?.explain(&model, &tensor![[5.0, 7.0, -1.0]], &Ask::new())?;
/// assert_close!(found.attributions()?, [[2.0, 0.0, 1.0]]);
/// # Ok::<(), Error>(())
/// ```
pub struct Deconvolution;

impl Method for Deconvolution {
    fn name(&self) -> &'static str {
        "deconvolution"
    }
    fn says(&self) -> &'static str {
        "which numbers would speak for the score if every unit were at work"
    }
    fn needs(&self) -> Needs {
        Needs::Gradients
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        through_rectifiers(model, x, ask, |_, g| vec![Some(g.relu())])
    }
}

#[test]
fn what_is_negative_on_the_way_back_is_left_out_at_each_relu() {
    use mapsto_tensor::{assert_close, tensor};
    let model =
        Model::asked(|x: &Tensor| ((x.relu() * tensor![-1.0, 2.0]).relu() * tensor![3.0, 5.0]).sum(1));
    let found = Deconvolution.explain(&model, &tensor![[3.0, -1.0]], &Ask::new()).unwrap();
    assert_close!(found.attributions().unwrap(), [[0.0, 10.0]]);
}

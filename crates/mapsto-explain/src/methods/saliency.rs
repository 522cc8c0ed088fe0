//! Saliency: how fast the score moves as each number of the input does.

use crate::gradients::at;
use crate::{Ask, Explanation, Method, Model, Needs};
use mapsto_tensor::{Result, Tensor};

/// The absolute gradient of the score at the input: `|∂f/∂x|`.
///
/// It says to which numbers the score is most sensitive, not what they add to it: where the score is flat, as behind a saturated sigmoid,
/// it says nothing. It costs one forward and one backward pass.
///
/// Source: Simonyan, Vedaldi and Zisserman, 2013. captum: `Saliency`.
/// ```
/// use mapsto_explain::{Ask, Model, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| (x * tensor![2.0, -3.0]).sum(1));
/// let found = method("saliency")?.explain(&model, &tensor![[5.0, 7.0]], &Ask::new())?;
/// assert_close!(found.attributions()?, [[2.0, 3.0]]);
/// # Ok::<(), Error>(())
/// ```
pub struct Saliency;

impl Method for Saliency {
    fn name(&self) -> &'static str {
        "saliency"
    }
    fn says(&self) -> &'static str {
        "to which numbers of the input the score is most sensitive"
    }
    fn needs(&self) -> Needs {
        Needs::Gradients
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        Ok(at(model, x, ask)?.map(|g| g.abs()))
    }
}

#[test]
fn it_is_the_absolute_gradient_of_the_chosen_score() {
    use mapsto_tensor::{assert_close, tensor};
    let model = Model::asked(|x: &Tensor| Tensor::stack(&[x.square().sum(1), -x.sum(1)], 1));
    let x = tensor![[1.0, -2.0], [0.5, 3.0]];
    let found = Saliency.explain(&model, &x, &Ask::new().classes(vec![0, 1])).unwrap();
    assert_close!(found.attributions().unwrap(), [[2.0, 4.0], [1.0, 1.0]]);
    assert_eq!(found.scores, [5.0, -3.5]);
}

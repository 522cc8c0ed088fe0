//! Feature ablation: how far the score falls when one feature is taken away.

use crate::coalitions::{Games, each};
use crate::{Ask, Explanation, Method, Model, Needs};
use mapsto_tensor::{Result, Tensor};

/// How far the score falls when one feature takes the numbers of the baseline and all others stay: `f(x) − f(x without j)`, the mean over
/// several baselines.
///
/// It costs one question for each feature and baseline. It lies where features stand in for each other: of two columns that say the
/// same, neither is missed, and both get nothing. The numbers of one feature of [`Features`](crate::Features) share its value, where
/// captum gives each of them the whole.
///
/// Source: Zeiler and Fergus, 2014, for pictures; Robnik-Šikonja and Kononenko, 2008. captum: `FeatureAblation`.
/// ```
/// use mapsto_explain::{Ask, Model, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| x.select(1, 0) * x.select(1, 1) + x.select(1, 2));
/// let found = method("feature-ablation")?.explain(&model, &tensor![[2.0, 3.0, 5.0]], &Ask::new())?;
/// assert_close!(found.attributions()?, [[6.0, 6.0, 5.0]]);
/// # Ok::<(), Error>(())
/// ```
pub struct FeatureAblation;

impl Method for FeatureAblation {
    fn name(&self) -> &'static str {
        "feature-ablation"
    }
    fn says(&self) -> &'static str {
        "how far the score falls when one feature is taken away"
    }
    fn needs(&self) -> Needs {
        Needs::Answers
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        Games::of(model, x, ask, each)?.explained(|games, i| {
            let (m, of) = (games.players(), games.features.of());
            let without = games.worth_by(i, m, |j, number| of[number] != j)?;
            Ok(without.iter().map(|v| games.scores[i] - v).collect())
        })
    }
}

#[test]
fn features_of_several_numbers_are_taken_away_together() {
    use mapsto_tensor::{assert_close, tensor};
    let model = Model::asked(|x: &Tensor| x.prod(1));
    let ask =
        Ask::new().features(crate::Features::new(vec![0, 0, 1]).unwrap()).baseline(tensor![1.0, 1.0, 1.0]);
    let found = FeatureAblation.explain(&model, &tensor![[2.0, 3.0, 5.0], [1.0, 1.0, 4.0]], &ask).unwrap();
    assert_close!(found.attributions().unwrap(), [[12.5, 12.5, 24.0], [0.0, 0.0, 3.0]]);
    // Integers, such as ids of words, are asked about as they are.
    let words = Model::asked(|x: &Tensor| x.to(mapsto_tensor::DType::F32).sum(1));
    let found = FeatureAblation.explain(&words, &tensor![[4i64, 7]], &Ask::new()).unwrap();
    assert_eq!(found.attributions().unwrap().to_vec::<f64>(), [4.0, 7.0]);
}

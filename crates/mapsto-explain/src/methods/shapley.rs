//! Shapley values: what each feature adds, averaged over all orders in which the features could join.

use crate::coalitions::{Games, few_cells, members};
use crate::{Ask, Explanation, Method, Model, Needs};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// The features that can be enumerated: 32,768 questions a sample.
pub(crate) const MOST: usize = 15;

/// What a feature adds to the score when it joins, averaged over all orders of joining:
/// `φⱼ = Σ_{S ∌ j} |S|! (m − |S| − 1)! / m! · (v(S ∪ j) − v(S))`, where `v(S)` is the mean score with the features of `S` as they are and
/// all others as in the baselines.
///
/// It is the only attribution that is complete, gives equal features equal values, gives nothing to a feature that changes nothing, and
/// adds up over models. It costs `2ᵐ` questions a sample for each baseline, so it is for at most 15 features; the numbers of one feature
/// of [`Features`](crate::Features) share its value, and a picture of more than 9 pixels is divided into three cells by three unless `features` says otherwise. It lies where features go together: coalitions mix numbers of the sample with those
/// of the baseline, and the model may never have seen such a mixture.
///
/// Source: Shapley, 1953; Štrumbelj and Kononenko, 2010. captum: `ShapleyValues`; shap: `ExactExplainer`.
/// ```
/// use mapsto_explain::{Ask, Model, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| x.select(1, 0) * x.select(1, 1) + x.select(1, 2));
/// let found = method("shapley")?.explain(&model, &tensor![[2.0, 3.0, 5.0]], &Ask::new())?;
/// assert_close!(found.attributions()?, [[3.0, 3.0, 5.0]]);
/// # Ok::<(), Error>(())
/// ```
pub struct Shapley;

impl Method for Shapley {
    fn name(&self) -> &'static str {
        "shapley"
    }
    fn says(&self) -> &'static str {
        "what each feature adds to the score, averaged over all orders in which features join"
    }
    fn needs(&self) -> Needs {
        Needs::Answers
    }
    fn is_complete(&self) -> bool {
        true
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        let games = Games::of(model, x, ask, few_cells)?;
        let m = games.players();
        if m > MOST {
            let message =
                format!("{m} features have 2^{m} coalitions, and at most {MOST} features are enumerated");
            return Err(Error::new(ErrorKind::Usage, message).help(
                "use kernel-shap, which asks about some of them, or join numbers into fewer features",
            ));
        }
        let all: Vec<Vec<bool>> = (0..1 << m).map(|c| members(c, m)).collect();
        games.explained(|games, i| Ok(values(&games.worth(i, &all)?, m)))
    }
}

/// The Shapley values of `m` players, given the worth of every coalition, bit by bit.
pub(crate) fn values(worth: &[f64], m: usize) -> Vec<f64> {
    // |S|! (m − |S| − 1)! / m! = 1 / (m · C(m − 1, |S|)).
    let mut share = vec![1.0 / m as f64; m];
    (1..m).for_each(|s| share[s] = share[s - 1] * s as f64 / (m - s) as f64);
    let joins = |j: usize| {
        let without = (0..worth.len()).filter(|c| c >> j & 1 == 0);
        without.map(|c| share[c.count_ones() as usize] * (worth[c | 1 << j] - worth[c])).sum()
    };
    (0..m).map(joins).collect()
}

#[test]
fn a_game_whose_values_are_known_has_them() {
    use mapsto_tensor::tensor;
    // The glove game: one left glove, two right ones; a pair is worth 1.
    let worth: Vec<f64> = (0..8).map(|c: usize| f64::from(c & 1 == 1 && c > 1)).collect();
    let found = values(&worth, 3);
    assert!(
        found.iter().zip([2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0]).all(|(a, b)| (a - b).abs() < 1e-15),
        "{found:?}"
    );
    let model = Model::asked(|x: &Tensor| x.sum(1));
    let wide = Shapley.explain(&model, &Tensor::ones([1, 16]), &Ask::new()).unwrap_err();
    assert!(wide.message().starts_with("16 features have 2^16 coalitions"), "{wide}");
    let joined = Ask::new().features(crate::Features::new((0..16).map(|k| k / 8).collect()).unwrap());
    let found = Shapley.explain(&model, &Tensor::ones([1, 16]), &joined).unwrap().attributions().unwrap();
    assert_eq!(found.to_vec::<f32>(), [1.0; 16]);
    let one = Shapley.explain(&model, &tensor![[4.0]], &Ask::new()).unwrap();
    assert_eq!(one.attributions().unwrap().item(), 4.0);
}

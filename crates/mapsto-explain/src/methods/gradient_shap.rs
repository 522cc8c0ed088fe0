//! Gradient SHAP: integrated gradients with the points of the way and the baselines drawn.

use super::smooth_grad::noise;
use crate::gradients::gradient;
use crate::paths::compared;
use crate::{Ask, Explanation, Method, Model, Needs, Shown};
use mapsto_tensor::random::Keyed;
use mapsto_tensor::{Result, Tensor};

/// The mean over draws of a baseline b and a place α on the way to the input: `(x + ε − b) · ∂f/∂x (b + α(x + ε − b))`.
///
/// With many draws it is the mean of integrated gradients over the baselines, and the attributions add up to `f(x) − mean f(b)` in the
/// mean only. 200 draws, or `samples`; noise ε of scale `width`, none by default. It costs a forward and a backward pass a draw.
///
/// Source: Lundberg and Lee, 2017, and Erion and others, 2019 (expected gradients). captum: `GradientShap`.
/// ```
/// use mapsto_explain::{Ask, Model, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| (x * tensor![2.0, -3.0]).sum(1));
/// let ask = Ask::new().baseline(tensor![1.0, 1.0]);
/// let found = method("gradient-shap")?.explain(&model, &tensor![[5.0, 7.0]], &ask)?;
/// assert!((found.attributions()? - tensor![[8.0, -18.0]]).abs().max(..).item() < 1e-4);
/// # Ok::<(), Error>(())
/// ```
pub struct GradientShap;

impl Method for GradientShap {
    fn name(&self) -> &'static str {
        "gradient-shap"
    }
    fn says(&self) -> &'static str {
        "what each number adds against drawn baselines, on the way between"
    }
    fn needs(&self) -> Needs {
        Needs::Gradients
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        // The scores, classes and the mean score of the baselines; what is attributed is drawn below.
        let found = compared(model, x, ask, |b, _| Ok(Tensor::zeros_like(b)))?;
        let baselines = ask.baselines(x)?;
        let (n, m) = (x.shape()[0], baselines.shape()[0]);
        let (draws, width) = (ask.count(200).max(1), ask.width.unwrap_or(0.0));
        let mut rng = Keyed::new(&[ask.seed, 0x67736861]);
        let mut sum = Tensor::zeros_like(x);
        let each: Vec<usize> = [n].into_iter().chain(vec![1; x.rank() - 1]).collect();
        for draw in 0..draws {
            let chosen: Vec<i64> = (0..n).map(|_| rng.below(m) as i64).collect();
            let b = baselines.index_select(0, &Tensor::from_vec(chosen, [n]));
            // One place in each of as many equal parts of the way: fewer draws for the same accuracy.
            let places: Vec<f64> =
                (0..n).map(|_| (draw as f64 + rng.uniform(0.0, 1.0)) / draws as f64).collect();
            let place = Tensor::from_vec(places, &each[..]).to(x.dtype());
            let way = x + noise(&mut rng, x, &vec![width; n]) - &b;
            let (_, g) = gradient(model, &(&b + &way * place), &found.classes)?;
            sum += g * way;
        }
        Ok(Explanation { shown: Shown::Attributions(sum / draws as f64), notes: Vec::new(), ..found })
    }
}

#[test]
fn it_comes_near_the_mean_of_integrated_gradients() {
    use crate::methods::IntegratedGradients;
    use mapsto_tensor::{DType, tensor};
    let model = Model::asked(|x: &Tensor| (x.slice(1, 0..1) * x.slice(1, 1..2)).tanh());
    let x = tensor![[0.5, 1.5], [1.0, -1.0]].to(DType::F64);
    let ask = Ask::new().baseline(tensor![[0.0, 0.0], [0.2, -0.3]]);
    let numbers = |found: Result<Explanation>| found.unwrap().attributions().unwrap().to_vec::<f64>();
    let exact = numbers(IntegratedGradients.explain(&model, &x, &ask));
    let found = numbers(GradientShap.explain(&model, &x, &ask.clone().samples(4000)));
    assert!(exact.iter().zip(&found).all(|(a, b)| (a - b).abs() < 0.02), "{exact:?} {found:?}");
    assert_eq!(numbers(GradientShap.explain(&model, &x, &ask.clone().samples(4000))), found);
}

//! SmoothGrad: the gradient, averaged over inputs with a little noise.

use crate::gradients::gradient;
use crate::{Ask, Explanation, Method, Model, Needs, Shown};
use mapsto_tensor::random::Keyed;
use mapsto_tensor::{DType, Result, Tensor};

/// The mean gradient at inputs with normal noise: `1/n · Σ ∂f/∂x (x + ε)`, `ε ~ N(0, (width · (max x − min x))²)`.
///
/// It takes the flicker out of a gradient and keeps its sign. Noise of 0.15 of each sample's range, 50 draws; `width` and `samples` say
/// otherwise. Too much noise shows what the model says of other inputs. It costs a forward and a backward pass a draw.
///
/// Source: Smilkov, Thorat, Kim, Viégas and Wattenberg, 2017. captum: `NoiseTunnel` around `Saliency(abs = False)`.
/// ```
/// use mapsto_explain::{Ask, Model, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| (x * tensor![2.0, -3.0]).sum(1));
/// let found = method("smooth-grad")?.explain(&model, &tensor![[5.0, 7.0]], &Ask::new())?;
/// assert!((found.attributions()? - tensor![[2.0, -3.0]]).abs().max(..).item() < 1e-5);
/// # Ok::<(), Error>(())
/// ```
pub struct SmoothGrad;

impl Method for SmoothGrad {
    fn name(&self) -> &'static str {
        "smooth-grad"
    }
    fn says(&self) -> &'static str {
        "how the score moves with each number, averaged over inputs with a little noise"
    }
    fn needs(&self) -> Needs {
        Needs::Gradients
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        let classes = ask.chosen(&model.scores(x)?)?;
        let scores = model.answers(x, &classes)?;
        let (draws, width) = (ask.count(50).max(1), ask.width.unwrap_or(0.15));
        let scale = ranges(x, width);
        let mut rng = Keyed::new(&[ask.seed, 0x736d6f6f]);
        let mut sum = Tensor::zeros_like(x);
        for _ in 0..draws {
            sum += gradient(model, &(x + noise(&mut rng, x, &scale)), &classes)?.1;
        }
        let found = Shown::Attributions(sum / draws as f64);
        Ok(Explanation { classes, scores, ..Explanation::new(found) })
    }
}

/// The share `width` of each sample's range.
fn ranges(x: &Tensor, width: f64) -> Vec<f64> {
    let n = x.shape()[0];
    let values = x.to(DType::F64).to_vec::<f64>();
    let each = values.chunks((values.len() / n.max(1)).max(1));
    let range = |row: &[f64]| {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = row.iter().copied().fold(f64::INFINITY, f64::min);
        width * (most - least)
    };
    each.map(range).collect()
}

/// Normal noise in the shape and type of `x`, of a scale for each sample.
pub(super) fn noise(rng: &mut Keyed, x: &Tensor, scale: &[f64]) -> Tensor {
    let one = x.len() / scale.len().max(1);
    let values: Vec<f64> = scale.iter().flat_map(|s| vec![*s; one]).map(|s| s * rng.normal()).collect();
    Tensor::from_vec(values, x.shape()).to(x.dtype())
}

#[test]
fn it_is_the_mean_gradient_and_depends_on_the_seed_alone() {
    use mapsto_tensor::tensor;
    let model = Model::asked(|x: &Tensor| x.square().sum(1));
    let x = tensor![[1.0, -1.0]].to(DType::F64);
    let found =
        |ask: &Ask| SmoothGrad.explain(&model, &x, ask).unwrap().attributions().unwrap().to_vec::<f64>();
    let ask = Ask::new().samples(2000).width(0.1);
    let mean = found(&ask);
    // The noise has the scale 0.2, so the mean of 2 (x + ε) has the standard error 2 · 0.2 / √2000.
    assert!((mean[0] - 2.0).abs() < 0.036 && (mean[1] + 2.0).abs() < 0.036, "{mean:?}");
    assert_eq!(found(&ask), mean);
    assert_ne!(found(&ask.clone().seed(1)), mean);
    assert_eq!(found(&Ask::new().width(0.0).samples(3)), [2.0, -2.0]);
}

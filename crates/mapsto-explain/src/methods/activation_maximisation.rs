//! Activation maximisation: an input that the model gives a high score, climbed to from the baseline.

use super::smooth_grad::noise;
use crate::gradients::gradient;
use crate::{Ask, Explanation, Method, Model, Needs, Shown};
use mapsto_tensor::random::Keyed;
use mapsto_tensor::{DType, Result, Tensor};

/// An input with a high score: `x ← x + width · g / |g|`, drawn a little to the baseline at each step, for each class that is asked about.
///
/// It starts at the baseline with a little noise, and shows what the model would most like to see of the class, which mostly looks
/// like nothing that is in the data. 200 steps of length 0.5, or `samples` and `width`; numbers stay in the range that was asked for. What
/// `x` holds does not matter but for its shape. It costs a forward and a backward pass a step.
///
/// Source: Erhan, Bengio, Courville and Vincent, 2009; the pull to the baseline: Simonyan, Vedaldi and Zisserman, 2013, equation 1.
/// ```
/// use mapsto_explain::{Ask, Model, Shown, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| -(x - tensor![2.0, -3.0]).square().sum(1));
/// let found = method("activation-maximisation")?.explain(&model, &Tensor::zeros([1, 2]), &Ask::new())?;
/// let Shown::Inputs(best) = found.shown else { panic!() };
/// assert!((best - tensor![[2.0, -3.0]]).abs().max(..).item() < 0.5);
/// # Ok::<(), Error>(())
/// ```
pub struct ActivationMaximisation;

/// How far each step is drawn back to the baseline, as a share of the way to it.
const PULL: f64 = 0.001;

impl Method for ActivationMaximisation {
    fn name(&self) -> &'static str {
        "activation-maximisation"
    }
    fn says(&self) -> &'static str {
        "an input that the model gives a high score"
    }
    fn needs(&self) -> Needs {
        Needs::Gradients
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        let classes = ask.chosen(&model.scores(x)?)?;
        let n = classes.len();
        let b = ask.baselines(x)?.slice(0, 0..1).expand(x.shape()).contiguous();
        let (steps, width) = (ask.count(200).max(1), ask.width.unwrap_or(0.5));
        let mut rng = Keyed::new(&[ask.seed, 0x636c696d]);
        let mut at = &b + noise(&mut rng, x, &vec![0.01; n]);
        let base = model.answers(&at, &classes)?;
        let rows: Vec<usize> = [n].into_iter().chain(vec![1; x.rank() - 1]).collect();
        let (mut best, mut score) = (at.clone(), base.clone());
        for step in 0..=steps {
            let (scores, g) = gradient(model, &at, &classes)?;
            if scores.iter().sum::<f64>() > score.iter().sum::<f64>() {
                (best, score) = (at.clone(), scores);
            }
            let length = g.square().reshape([n, x.len() / n]).sum(1).sqrt().maximum(1e-12).reshape(&rows[..]);
            // Shorter steps towards the end, so that it comes to rest.
            let shorter = width * (1.0 - step as f64 / (steps + 1) as f64);
            at = &at + g / length * shorter - (&at - &b) * PULL;
            if let Some((least, most)) = &ask.range {
                at = at.maximum(least.to(x.dtype())).minimum(most.to(x.dtype()));
            }
            at = at.detach().to(x.dtype());
        }
        let found = Shown::Inputs(best.to(if x.dtype().is_float() { x.dtype() } else { DType::F32 }));
        Ok(Explanation { classes, scores: score, base: Some(base), ..Explanation::new(found) })
    }
}

#[test]
fn the_score_rises_and_the_range_holds() {
    use mapsto_tensor::tensor;
    let model = Model::asked(|x: &Tensor| x * tensor![1.0, -1.0]);
    let ask = Ask { range: Some((tensor![-1.0, -1.0], tensor![1.0, 1.0])), ..Ask::new().classes(vec![0, 1]) };
    let found = ActivationMaximisation.explain(&model, &Tensor::zeros([2, 2]), &ask).unwrap();
    assert!(found.scores.iter().all(|score| (score - 1.0).abs() < 1e-3), "{:?}", found.scores);
    let Shown::Inputs(best) = found.shown else { panic!("it shows inputs") };
    assert_eq!(best.abs().gt(1.0).any(..).item(), 0.0);
}

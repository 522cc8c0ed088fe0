//! Histograms: how the weights of each parameter, and the numbers behind each step, are spread.

use super::filters::parameters;
use crate::by_rule::Pass;
use crate::{Ask, Explanation, Histogram, Method, Model, Needs, Shown};
use mapsto_tensor::{DType, Result, Tensor};

/// Counts in ranges of equal width from the least to the greatest number, 30 or `samples`: of each parameter, and of what each step
/// gives for the batch `x`, by its place and name (`step 3: relu`).
///
/// Many zeros behind a relu are units that see nothing in these inputs; numbers at the ends of a tanh or sigmoid are saturated; weights of
/// wide tails may be too large a rate. It costs one forward pass.
///
/// Source: the counts themselves; as TensorBoard's histograms.
/// ```
/// use mapsto_explain::{Ask, Model, Shown, method};
/// use mapsto_nn::prelude::*;
/// let net = seq![Linear::new(3, 8), Tensor::relu];
/// let found = method("histograms")?.explain(&Model::of(&net), &Tensor::ones([5, 3]), &Ask::new().samples(4))?;
/// let Shown::Histograms(all) = found.shown else { panic!() };
/// assert_eq!((all[0].name.as_str(), all[0].counts.iter().sum::<usize>()), ("0.weight", 24));
/// # Ok::<(), Error>(())
/// ```
pub struct Histograms;

impl Method for Histograms {
    fn name(&self) -> &'static str {
        "histograms"
    }
    fn says(&self) -> &'static str {
        "how the weights, and the numbers behind each step, are spread"
    }
    fn needs(&self) -> Needs {
        Needs::Layers
    }
    fn is_global(&self) -> bool {
        true
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        let ranges = ask.count(30).max(1);
        let mut all: Vec<Histogram> = Vec::new();
        for (path, weight) in parameters(model)? {
            all.extend(counted(path, &weight, ranges));
        }
        let pass = Pass::of(model, x)?;
        for (i, step) in pass.recording.steps().iter().enumerate() {
            all.extend(counted(format!("step {}: {}", i + 1, step.op().name()), step.output(), ranges));
        }
        Ok(Explanation::new(Shown::Histograms(all)))
    }
}

/// The counts of some numbers; none where there are none, or where one is not finite.
fn counted(name: String, x: &Tensor, ranges: usize) -> Option<Histogram> {
    let values = x.detach().to(DType::F64).to_vec::<f64>();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !(least.is_finite() && most.is_finite()) {
        return None;
    }
    // Of numbers that are all the same, a range around them.
    let (least, most) = if least == most { (least - 0.5, most + 0.5) } else { (least, most) };
    let width = (most - least) / ranges as f64;
    let mut counts = vec![0; ranges];
    values.iter().for_each(|v| counts[(((v - least) / width) as usize).min(ranges - 1)] += 1);
    let edges = (0..=ranges).map(|i| least + width * i as f64).collect();
    Some(Histogram { name, edges, counts })
}

#[test]
fn every_number_is_counted_once_and_the_last_range_holds_its_end() {
    use mapsto_tensor::tensor;
    let found = counted("w".into(), &tensor![0.0, 0.1, 0.5, 1.0, 1.0], 2).unwrap();
    assert_eq!((found.counts, found.edges), (vec![2, 3], vec![0.0, 0.5, 1.0]));
    assert_eq!(counted("w".into(), &tensor![3.0, 3.0], 3).unwrap().counts, [0, 2, 0]);
    assert!(counted("w".into(), &tensor![f64::NAN], 3).is_none());
}

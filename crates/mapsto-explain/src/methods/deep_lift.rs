//! DeepLIFT: differences from the baseline handed back through the model, step by step.

use crate::by_rule::{Handed, Pass};
use crate::paths::compared;
use crate::{Ask, Explanation, Method, Model, Needs};
use mapsto_tensor::graph::Recorded;
use mapsto_tensor::random::Keyed;
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};

/// What each number adds to the difference from the baseline, by the rescale rule: through a function of single numbers comes
/// `Δy / Δx` in the place of its derivative, through a linear step its derivative.
///
/// The attributions add up to `f(x) − f(b)`. Where a gradient is flat, as behind a saturated unit, this one is not. A pooling by maxima
/// shares out both maxima, as captum does. A step that is neither, such as a softmax or a product of two parts that depend on the input, has
/// no rule, and the method refuses the model with the step's name. It costs two forward passes and one backward.
///
/// Source: Shrikumar, Greenside and Kundaje, 2017, section 3.5.2. captum: `DeepLift`, over several baselines `DeepLiftShap`.
/// ```
/// use mapsto_explain::{Ask, Model, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| (x - tensor![2.0, 0.0]).relu().sum(1));
/// let found = method("deep-lift")?.explain(&model, &tensor![[5.0, -7.0]], &Ask::new())?;
/// assert_close!(found.attributions()?, [[3.0, 0.0]]);
/// # Ok::<(), Error>(())
/// ```
pub struct DeepLift;

impl Method for DeepLift {
    fn name(&self) -> &'static str {
        "deep-lift"
    }
    fn says(&self) -> &'static str {
        "what each number adds to the difference from the baseline, handed back step by step"
    }
    fn needs(&self) -> Needs {
        Needs::Gradients
    }
    fn is_complete(&self) -> bool {
        true
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        compared(model, x, ask, |b, classes| {
            let (at, from) = (Pass::of(model, x)?, Pass::of(model, b)?);
            let (steps, others) = (at.recording.steps(), from.recording.steps());
            let is_same = |(a, b): (&Recorded, &Recorded)| {
                a.op().name() == b.op().name() && a.output().shape() == b.output().shape()
            };
            if steps.len() != others.len() || !steps.iter().zip(others).all(is_same) {
                let message = "the model takes other steps on the baseline than on the input";
                return Err(Error::new(ErrorKind::Model, message)
                    .help("use integrated-gradients, which compares no steps"));
            }
            let slopes = at.back(classes, |i, step, g| rescaled(step, &others[i], g))?;
            Ok(slopes * (x - b))
        })
    }
}

/// What a step hands on, given itself at the input and at the baseline.
fn rescaled(step: &Recorded, base: &Recorded, g: &Tensor) -> Result<Handed> {
    let wanted = step.wanted();
    let plain = step.vjp(g);
    let moved: Vec<Tensor> = wanted.iter().map(|i| &step.inputs()[*i] - &base.inputs()[*i]).collect();
    let dy = step.output() - base.output();
    if let ([i], [dx]) = (&wanted[..], &moved[..]) {
        let slopes = |of: Tensor| {
            let small = if dx.dtype() == DType::F64 { 1e-10 } else { 1e-6 };
            let is_still = dx.abs().lt(small);
            let slope = of / is_still.choose(Tensor::ones_like(dx), dx);
            plain[*i].as_ref().map(|plain| is_still.choose(plain, &slope))
        };
        if is_of_single_numbers(step) && is_of_single_numbers(base) {
            return Ok(only(&plain, *i, slopes(g * dy)));
        }
        if !adds_up(&plain, &moved, &wanted, &dy, g) && is_choice(step) && is_choice(base) {
            // What was chosen at the input gets the rise to the larger of both results, what was chosen at the baseline the rest.
            let larger = step.output().maximum(base.output());
            let here = step.vjp(&(g * (&larger - base.output())))[*i].clone();
            let there = base.vjp(&(g * (step.output() - &larger)))[*i].clone();
            if let (Some(here), Some(there)) = (here, there) {
                return Ok(only(&plain, *i, slopes(here + there)));
            }
        }
    }
    if !adds_up(&plain, &moved, &wanted, &dy, g) || step.is_opaque() {
        let name = step.op().name();
        let message = format!("deep-lift has no rule for the step `{name}`");
        return Err(Error::new(ErrorKind::Model, message)
            .help("use integrated-gradients; or explain the scores before it, where it is the last step"));
    }
    Ok(plain)
}

/// The same with one entry exchanged.
fn only(plain: &Handed, i: usize, with: Option<Tensor>) -> Handed {
    plain.iter().enumerate().map(|(k, g)| if k == i { with.clone() } else { g.clone() }).collect()
}

/// Numbers without any order, in the shape of a tensor.
fn drawn(like: &Tensor, which: u64) -> Tensor {
    let mut rng = Keyed::new(&[0x6c696674, which]);
    Tensor::from_vec((0..like.len()).map(|_| rng.uniform(-1.0, 1.0)).collect(), like.shape()).to(like.dtype())
}

/// Whether each number of the result depends on the number at the same place alone: then `J'u · v = J'v · u` for any u and v.
pub(super) fn is_of_single_numbers(step: &Recorded) -> bool {
    let (y, [i]) = (step.output(), &step.wanted()[..]) else { return false };
    if step.inputs()[*i].shape() != y.shape() {
        return false;
    }
    let (u, v) = (drawn(y, 1), drawn(y, 2));
    let (Some(by_u), Some(by_v)) = (step.vjp(&u)[*i].clone(), step.vjp(&v)[*i].clone()) else { return false };
    let (a, b) = (by_u * &v, by_v * &u);
    largest(&(&a - &b)) <= rounding(y) * largest(&a).max(f64::MIN_POSITIVE)
}

/// Whether what the derivative hands on adds up to the difference of the results, as it does where a step is linear: for what came, and for
/// what did not.
fn adds_up(plain: &Handed, moved: &[Tensor], wanted: &[usize], dy: &Tensor, g: &Tensor) -> bool {
    let inner = |a: &Tensor, b: &Tensor| (a.to(DType::F64) * b.to(DType::F64)).sum(..).item();
    let size = |a: &Tensor, b: &Tensor| (a.to(DType::F64) * b.to(DType::F64)).abs().sum(..).item();
    let (mut handed, mut scale) = (0.0, 0.0);
    for (i, dx) in wanted.iter().zip(moved) {
        if let Some(g) = &plain[*i] {
            handed += inner(g, dx);
            scale += size(g, dx);
        }
    }
    (handed - inner(g, dy)).abs() <= 16.0 * rounding(dy) * scale.max(size(g, dy))
}

/// Whether a step chooses among its numbers, as a pooling by maxima does: it grows as its input does, `J x = y`, and no number of the
/// result is made of two.
fn is_choice(step: &Recorded) -> bool {
    let (y, [i]) = (step.output(), &step.wanted()[..]) else { return false };
    let u = drawn(y, 3);
    let Some(by_u) = step.vjp(&u)[*i].clone() else { return false };
    let x = &step.inputs()[*i];
    let (a, b) = ((by_u * x).to(DType::F64).sum(..).item(), (&u * y).to(DType::F64).sum(..).item());
    let ones = step.vjp(&Tensor::ones_like(y))[*i].clone();
    let are_whole = ones.is_some_and(|ones| largest(&(&ones - ones.round())) == 0.0);
    are_whole && (a - b).abs() <= 16.0 * rounding(y) * (&u * y).to(DType::F64).abs().sum(..).item()
}

fn largest(x: &Tensor) -> f64 {
    x.abs().max(..).item()
}

fn rounding(x: &Tensor) -> f64 {
    if x.dtype() == DType::F64 { 1e-13 } else { 1e-5 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_tensor::{assert_close, tensor};

    #[test]
    fn it_sees_what_a_saturated_unit_hides_from_the_gradient() {
        // The example of the paper: min(i1 + i2, 1) = 1 − relu(1 − i1 − i2).
        let model = Model::asked(|x: &Tensor| 1.0 - (1.0 - x.sum(1)).relu());
        let found = DeepLift.explain(&model, &tensor![[1.0, 1.0]], &Ask::new()).unwrap();
        assert_close!(found.attributions().unwrap(), [[0.5, 0.5]]);
        assert!(found.notes.is_empty(), "{:?}", found.notes);
    }

    #[test]
    fn a_step_without_a_rule_is_refused_by_its_name() {
        let product = Model::asked(|x: &Tensor| x.slice(1, 0..1) * x.slice(1, 1..2));
        let refused = DeepLift.explain(&product, &tensor![[2.0, 3.0]], &Ask::new()).unwrap_err();
        assert_eq!(refused.message(), "deep-lift has no rule for the step `mul`");
        let softmax = Model::asked(|x: &Tensor| x.softmax(1));
        let refused = DeepLift.explain(&softmax, &tensor![[2.0, 3.0]], &Ask::new()).unwrap_err();
        assert_eq!(refused.message(), "deep-lift has no rule for the step `softmax`");
    }
}

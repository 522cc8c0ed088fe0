//! The way back from a score to the inputs by a rule in the place of the derivative, through any model.

use crate::gradients::{leaf, one_hot};
use crate::{Ask, Explanation, Model, Shown};
use mapsto_nn::apart;
use mapsto_tensor::graph::{Recorded, Recording, recorded};
use mapsto_tensor::{Result, Tensor, catch, no_grad};

/// What a step hands on to its inputs, given what came to its result.
pub(crate) type Handed = Vec<Option<Tensor>>;

/// A pass forward whose steps are known.
pub(crate) struct Pass {
    pub(crate) x: Tensor,
    pub(crate) y: Tensor,
    pub(crate) recording: Recording,
}

impl Pass {
    pub(crate) fn of(model: &Model<'_>, x: &Tensor) -> Result<Pass> {
        let x = leaf(x)?;
        let (y, recording) = recorded(|| apart(|| model.recorded(&x)));
        Ok(Pass { y: y?, x, recording })
    }

    /// What comes to the inputs from the scores of these classes.
    pub(crate) fn back(
        &self,
        classes: &[usize],
        rule: impl FnMut(usize, &Recorded, &Tensor) -> Result<Handed>,
    ) -> Result<Tensor> {
        let g = one_hot(classes, &self.y)?;
        catch(|| self.recording.walk(&self.y, &g, &self.x, rule))?.map(|g| g.detach())
    }
}

/// Attributions by a rule for rectifiers, given the step and what came to its result; all other steps hand on by their derivative.
pub(crate) fn through_rectifiers(
    model: &Model<'_>,
    x: &Tensor,
    ask: &Ask,
    rule: impl Fn(&Recorded, &Tensor) -> Handed,
) -> Result<Explanation> {
    let classes = ask.chosen(&model.scores(x)?)?;
    let scores = model.answers(x, &classes)?;
    let pass = Pass::of(model, x)?;
    let mut rectifiers = 0;
    let found = pass.back(&classes, |_, step, g| {
        Ok(if is_rectifier(step) {
            rectifiers += 1;
            rule(step, g)
        } else {
            step.vjp(g)
        })
    })?;
    let mut notes = Vec::new();
    if rectifiers == 0 {
        notes.push("the model has no relu, so this is the plain gradient".to_string());
    }
    Ok(Explanation { classes, scores, notes, ..Explanation::new(Shown::Attributions(found)) })
}

/// Whether a step does to numbers what relu does: asked of the operation itself, with numbers of both signs.
fn is_rectifier(step: &Recorded) -> bool {
    let ([x], [0]) = (step.inputs(), &step.wanted()[..]) else { return false };
    if x.shape() != step.output().shape() {
        return false;
    }
    let numbers = [-3.0, -0.5, -1e-3, 0.0, 1e-3, 0.5, 1.0, 7.0];
    let probe = Tensor::from_vec(numbers.to_vec(), [1, 2, 2, 2]).to(x.dtype());
    let found = catch(|| no_grad(|| step.op().run(&[&probe]).y));
    found.is_ok_and(|y| {
        y.shape() == probe.shape()
            && y.dtype() == probe.dtype()
            && (y - probe.relu()).abs().max(..).item() == 0.0
    })
}

#[test]
fn rectifiers_are_known_by_what_they_do() {
    use mapsto_tensor::tensor;
    let x = tensor![[1.0, 2.0]].leaf();
    let kinds = |f: &dyn Fn(&Tensor) -> Tensor| {
        let (_, recording) = recorded(|| f(&x));
        recording.steps().iter().map(is_rectifier).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&|x| x.relu()), [true]);
    assert_eq!(kinds(&|x| x.clamp(0.0, f64::INFINITY)), [true]);
    assert_eq!(kinds(&|x| x.tanh().gelu().abs()), [false; 3]);
    assert_eq!(kinds(&|x| x.reshape([2]).unsqueeze(0)), [false; 2]);
}

//! Shapes: what each layer makes of one sample, in one line.

use mapsto::Result;
use mapsto::nn::ModelSpec;

use super::seen::Seen;
use super::{Preflight, Verdict};
use crate::experiment::Experiment;

/// So many shapes are shown; of more, those in the middle are left out.
const MOST: usize = 10;

/// The check.
pub fn check(experiment: &Experiment, _: &Seen, found: &mut Preflight) -> Result<()> {
    let model = &experiment.config.model;
    let Some(input) = &model.input else { return Ok(()) };
    // What does not fit is told of where the model is built.
    if let Ok(shapes) = ModelSpec::new(input.clone(), model.layers.clone()).shapes() {
        found.say("shapes", Verdict::Fine, line(input, &shapes), None);
    }
    Ok(())
}

/// `1×28×28 → 32×28×28 → … → 10`; layers that leave the shape as it is are passed over.
fn line(input: &[usize], shapes: &[Vec<usize>]) -> String {
    let said = |shape: &[usize]| match shape {
        [] => "1".to_string(),
        shape => shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×"),
    };
    let mut steps = vec![said(input)];
    steps.extend(shapes.iter().map(|shape| said(shape)));
    steps.dedup();
    if steps.len() > MOST {
        steps.splice(MOST / 2..steps.len() - MOST / 2 + 1, ["…".to_string()]);
    }
    steps.join(" → ")
}

#[test]
fn equal_shapes_are_said_once_and_long_lines_are_cut_in_the_middle() {
    let shapes = |sizes: &[usize]| sizes.iter().map(|&n| vec![n]).collect::<Vec<_>>();
    assert_eq!(line(&[1, 28, 28], &[vec![8, 14, 14], vec![8, 14, 14], vec![10]]), "1×28×28 → 8×14×14 → 10");
    assert_eq!(line(&[3], &shapes(&[3, 3])), "3");
    let long = line(&[1], &shapes(&(2..=20).collect::<Vec<_>>()));
    assert_eq!(long, "1 → 2 → 3 → 4 → 5 → … → 17 → 18 → 19 → 20");
}

//! Every layer and loss against PyTorch's own database of modules: results, and gradients at inputs and parameters.
//!
//! `opinfo/modules.*` hold the samples and `opinfo/modules.py` made them; `opinfo/built.rs` says which module is what here. What is
//! not compared has its reason there, and a sample that is neither fails.

#[path = "opinfo/built.rs"]
mod built;
#[path = "opinfo/compare.rs"]
mod compare;
#[path = "opinfo/read.rs"]
mod read;

use built::{Built, NotCompared, build};
use compare::{difference, wave};
use mapsto::prelude::*;
use mapsto::record;
use read::Sample;
use std::collections::BTreeMap;

enum Outcome {
    /// With the number of gradients that were compared.
    Equal(usize),
    Not(NotCompared),
    Wrong(String),
}

fn run(sample: &Sample) -> Outcome {
    let leaves: Vec<Tensor> = sample
        .inputs
        .iter()
        .zip(&sample.first)
        .map(|(x, g)| if g.is_some() { x.leaf() } else { x.clone() })
        .collect();
    match catch(|| build(sample, &leaves)) {
        Err(e) => Outcome::Wrong(format!("it cannot be built: {e}")),
        Ok(Err(reason)) => Outcome::Not(reason),
        Ok(Ok(built)) => match catch(|| compare(sample, &leaves, &built)) {
            Ok(Ok(count)) => Outcome::Equal(count),
            Ok(Err(e)) => Outcome::Wrong(e),
            Err(e) => Outcome::Wrong(format!("it is refused: {e}")),
        },
    }
}

/// The number of equal gradients, or what differs.
fn compare(sample: &Sample, leaves: &[Tensor], built: &Built) -> Result<usize, String> {
    let ys = record(|| (built.call)());
    let expected = &sample.outputs;
    if ys.len() != expected.len() {
        return Err(format!("it gives {} tensors, and PyTorch {}", ys.len(), expected.len()));
    }
    for (i, (y, wanted)) in ys.iter().zip(expected).enumerate() {
        if let Some(e) = difference(y, wanted) {
            return Err(format!("result {i}: {e}"));
        }
    }
    let sums = record(|| {
        let of = ys.iter().filter(|y| y.is_recorded()).map(|y| (y * wave(y)).sum(..));
        of.reduce(|a, b| a + b)
    });
    let Some(sum) = sums else { return Ok(0) };
    let grads = sum.backward();
    let mut count = 0;
    for (k, wanted) in sample.first.iter().enumerate() {
        let Some(wanted) = wanted else { continue };
        let name = built.names.iter().find(|(_, place)| *place == k);
        let found = match name {
            Some((name, _)) => built.parameters.iter().find(|(of, _)| of == name).map(|(_, p)| grads.of(p)),
            None => Some(grads.of(&leaves[k])),
        };
        let Some(found) = found else { return Err(format!("there is no parameter {name:?}")) };
        if let Some(e) = difference(found, wanted) {
            return Err(format!(
                "gradient of {}: {e}",
                name.map_or(format!("input {k}"), |(n, _)| n.clone())
            ));
        }
        count += 1;
    }
    Ok(count)
}

#[test]
fn modules_give_what_pytorch_gives() {
    let samples = read::samples("modules");
    let (mut wrong, mut names) = (Vec::new(), BTreeMap::<&str, [usize; 3]>::new());
    let mut reasons = BTreeMap::<&str, usize>::new();
    for sample in &samples {
        let count = names.entry(&sample.op).or_default();
        match run(sample) {
            Outcome::Equal(gradients) => {
                count[0] += 1;
                count[1] += gradients;
            }
            Outcome::Not(NotCompared(reason)) => {
                count[2] += 1;
                *reasons.entry(reason).or_default() += 1;
            }
            Outcome::Wrong(e) => wrong.push(format!("{} {}: {e}\n    {sample}", sample.op, sample.id)),
        }
    }
    let sum = |i: usize| names.values().map(|count| count[i]).sum::<usize>();
    println!(
        "{} modules of PyTorch, {} samples: {} results and {} gradients are equal, {} not compared",
        names.len(),
        samples.len(),
        sum(0),
        sum(1),
        sum(2)
    );
    reasons.iter().for_each(|(reason, n)| println!("  {n:4} {reason}"));
    for (name, count) in names.iter().filter(|(_, count)| count[0] == 0) {
        println!("  nothing of `{name}` is compared: {count:?}");
    }
    assert!(wrong.is_empty(), "{} samples differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(sum(0) > 250, "{} results", sum(0));
}

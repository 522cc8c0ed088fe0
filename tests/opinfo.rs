//! Every operation against PyTorch's own database of samples: results, gradients of both orders, and what must be refused.
//!
//! `opinfo/samples.*` hold the samples and `opinfo/write.py` made them; `opinfo/calls.rs` says how each is called here. What is not
//! compared stands in a list with its reason, and a sample that is neither fails.

#[path = "opinfo/calls.rs"]
mod calls;
#[path = "opinfo/compare.rs"]
mod compare;
#[path = "opinfo/read.rs"]
mod read;

use calls::{Call, NotCompared};
use compare::{difference, wave};
use mapsto::prelude::*;
use mapsto::{grad_with, record};
use read::Sample;
use std::collections::BTreeMap;

/// What became of a sample.
enum Outcome {
    Equal { first: bool, second: bool },
    Refused,
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
    let call = Call { sample, tensors: &leaves };
    let found = catch(|| call.run());
    if sample.refused.is_some() {
        return match found {
            Err(_) => Outcome::Refused,
            Ok(Err(reason)) => Outcome::Not(reason),
            Ok(Ok(_)) => Outcome::Wrong("PyTorch refuses it, and here it gives a result".into()),
        };
    }
    let ys = match found {
        Err(e) => return Outcome::Wrong(format!("it is refused: {e}")),
        Ok(Err(reason)) => return Outcome::Not(reason),
        Ok(Ok(ys)) => ys,
    };
    if ys.len() != sample.outputs.len() {
        return Outcome::Wrong(format!(
            "it gives {} tensors, and PyTorch {}",
            ys.len(),
            sample.outputs.len()
        ));
    }
    for (i, (y, wanted)) in ys.iter().zip(&sample.outputs).enumerate() {
        if let Some(e) = difference(y, wanted) {
            return Outcome::Wrong(format!("result {i}: {e}"));
        }
    }
    let derivatives = || derivatives(sample, &leaves, &ys);
    match catch(derivatives) {
        Ok(Ok([first, second])) => Outcome::Equal { first, second },
        Ok(Err(e)) => Outcome::Wrong(e),
        Err(e) => Outcome::Wrong(format!("its derivative is refused: {e}")),
    }
}

/// Compares the gradients of both orders, and says which there were.
fn derivatives(sample: &Sample, leaves: &[Tensor], ys: &[Tensor]) -> Result<[bool; 2], String> {
    let wanted: Vec<usize> = (0..leaves.len()).filter(|i| sample.first[*i].is_some()).collect();
    let ys: Vec<&Tensor> = ys.iter().filter(|y| y.is_recorded()).collect();
    if wanted.is_empty() || ys.is_empty() {
        return Ok([false, false]);
    }
    let xs: Vec<&Tensor> = wanted.iter().map(|i| &leaves[*i]).collect();
    let weighted = |ts: &[Tensor]| {
        let sums = ts.iter().map(|t| (t * wave(t)).sum(..));
        sums.reduce(|a, b| a + b).expect("a tensor")
    };
    let ys: Vec<Tensor> = ys.into_iter().cloned().collect();
    let sum = record(|| weighted(&ys));
    let first = grad_with(&sum, &Tensor::ones_like(&sum), &xs);
    for (k, g) in wanted.iter().zip(&first) {
        if let Some(e) = difference(g, sample.first[*k].as_ref().expect("it is wanted")) {
            return Err(format!("gradient of input {k}: {e}"));
        }
    }
    // PyTorch differentiates the gradients that depend on something.
    if sample.second.iter().all(Option::is_none) {
        return Ok([true, false]);
    }
    let recorded: Vec<Tensor> = first.iter().filter(|g| g.is_recorded()).cloned().collect();
    let second = match recorded.is_empty() {
        true => xs.iter().map(|x| Tensor::zeros_like(x)).collect(),
        false => {
            let sum = record(|| weighted(&recorded));
            grad_with(&sum, &Tensor::ones_like(&sum), &xs)
        }
    };
    for (k, h) in wanted.iter().zip(&second) {
        if let Some(wanted) = &sample.second[*k]
            && let Some(e) = difference(h, wanted)
        {
            return Err(format!("second derivative by input {k}: {e}"));
        }
    }
    Ok([true, true])
}

/// The files of samples, one for each family of operations.
const FAMILIES: [(&str, &str); 7] = [
    ("samples", "numbers and reductions"),
    ("samples_special", "special functions"),
    ("samples_places", "shapes, places and order"),
    ("samples_networks", "activations, layers and losses"),
    ("samples_images", "images"),
    ("samples_pool", "pools"),
    ("samples_conv", "convolutions"),
];

/// What became of the samples of an operation: results, gradients, second derivatives, refusals, and what is not compared.
type Counts = BTreeMap<String, [usize; 5]>;

fn row(name: &str, counts: &Counts) {
    let sum = |i: usize| counts.values().map(|count| count[i]).sum::<usize>();
    let samples = sum(0) + sum(3) + sum(4);
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(sum);
    println!("| {name} | {} | {samples} | {a} | {b} | {c} | {d} | {e} |", counts.len());
}

#[test]
fn operations_give_what_pytorch_gives() {
    let (mut wrong, mut all) = (Vec::new(), Counts::new());
    let mut reasons = BTreeMap::<&str, usize>::new();
    println!(
        "| family | operations | samples | results | gradients | second derivatives | refusals | not compared |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (file, family) in FAMILIES {
        let mut counts = Counts::new();
        for sample in &read::samples(file) {
            let count = counts.entry(sample.op.clone()).or_default();
            match run(sample) {
                Outcome::Equal { first, second } => {
                    count[0] += 1;
                    count[1] += usize::from(first);
                    count[2] += usize::from(second);
                }
                Outcome::Refused => count[3] += 1,
                Outcome::Not(NotCompared(reason)) => {
                    count[4] += 1;
                    *reasons.entry(reason).or_default() += 1;
                }
                Outcome::Wrong(e) => wrong.push(format!("{} {}: {e}\n    {sample}", sample.op, sample.id)),
            }
        }
        row(family, &counts);
        all.extend(counts);
    }
    row("all", &all);
    reasons.iter().for_each(|(reason, n)| println!("  {n:4} {reason}"));
    for (name, count) in all.iter().filter(|(_, count)| count[0] == 0) {
        println!("  nothing of `{name}` is compared: {count:?}");
    }
    assert!(wrong.is_empty(), "{} samples differ:\n{}", wrong.len(), wrong.join("\n"));
    let results: usize = all.values().map(|count| count[0]).sum();
    assert!(all.len() > 300 && results > 2500, "{} operations, {results} results", all.len());
}

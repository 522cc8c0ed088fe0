//! Copies: samples that stand in two parts of the data, or twice in one, and copies that have different targets.

use std::collections::HashMap;

use mapsto::{Result, Tensor};

use super::seen::{Part, Seen, raw};
use super::{Preflight, Verdict, counted, near};
use crate::experiment::Experiment;

/// So many pairs of equal marks are compared number by number.
const MOST_COMPARED: usize = 2000;

/// The check.
pub fn check(experiment: &Experiment, seen: &Seen, found: &mut Preflight) -> Result<()> {
    let before = found.findings.len();
    let total: usize = seen.parts.iter().map(|part| part.marks.len()).sum();
    for (i, part) in seen.parts.iter().enumerate() {
        for earlier in &seen.parts[..i] {
            between(experiment, earlier, part, found)?;
        }
    }
    within(experiment, seen.training(), found)?;
    near::between(experiment, seen, found)?;
    if found.findings.len() == before {
        let text = format!("none among {total} samples");
        found.say("duplicates", Verdict::Fine, text, None);
    }
    Ok(())
}

/// The first sample of each mark.
fn places(part: &Part) -> HashMap<u64, usize> {
    let mut places = HashMap::with_capacity(part.marks.len());
    part.marks.iter().enumerate().for_each(|(at, &mark)| {
        places.entry(mark).or_insert(at);
    });
    places
}

/// Samples of `held_out` that are in `earlier` too.
fn between(experiment: &Experiment, earlier: &Part, held_out: &Part, found: &mut Preflight) -> Result<()> {
    let places = places(earlier);
    let pairs = held_out.marks.iter().enumerate().filter_map(|(i, mark)| Some((*places.get(mark)?, i)));
    let pairs = equal(experiment, earlier, held_out, pairs.collect())?;
    let Some(&(first, second)) = pairs.first() else { return Ok(()) };
    let share = pairs.len() as f64 / held_out.marks.len() as f64;
    let text = format!(
        "{} of {} {} samples {} among the {} samples too, as {} {} and {} {}",
        pairs.len(),
        held_out.marks.len(),
        held_out.name,
        if pairs.len() == 1 { "is" } else { "are" },
        earlier.name,
        held_out.name,
        second,
        earlier.name,
        first
    );
    let verdict = if share > 0.01 { Verdict::Warning } else { Verdict::Look };
    let help = match (earlier.name, share > 0.01) {
        ("training", true) => {
            "the score will be better than on new data: leave copies out before the data is divided"
        }
        _ => "a few copies change the score little; leave them out to be sure",
    };
    found.say("duplicates", verdict, text, Some(help.into()));
    Ok(())
}

/// Samples that stand twice among those to learn from, and what is wrong where their targets differ.
fn within(experiment: &Experiment, train: &Part, found: &mut Preflight) -> Result<()> {
    let places = places(train);
    let copies = train.marks.iter().enumerate().filter_map(|(i, mark)| {
        let first = places[mark];
        (first != i).then_some((first, i))
    });
    let pairs = equal(experiment, train, train, copies.collect())?;
    let Some(&(first, second)) = pairs.first() else { return Ok(()) };
    let text = format!(
        "{} of {} training samples repeat another, as {second} repeats {first}",
        pairs.len(),
        train.marks.len()
    );
    found.say("duplicates", Verdict::Fine, text, None);
    let differ = |&&(a, b): &&(usize, usize)| train.target(a) != train.target(b);
    let conflicts: Vec<_> = pairs.iter().filter(differ).collect();
    if let Some((first, second)) = conflicts.first() {
        let text = format!(
            "{} with the inputs of another {} another target, as {second} and {first}",
            counted(conflicts.len(), "training sample"),
            if conflicts.len() == 1 { "has" } else { "have" }
        );
        let help = "no model can be right about both: look whether these targets are mistakes";
        let verdict = match conflicts.len() * 100 > train.marks.len() {
            true => Verdict::Warning,
            false => Verdict::Look,
        };
        found.say("duplicates", verdict, text, Some(help.into()));
    }
    Ok(())
}

/// The pairs whose samples are equal, number by number; of very many, those beyond the first are taken by their marks.
fn equal(
    experiment: &Experiment,
    a: &Part,
    b: &Part,
    mut pairs: Vec<(usize, usize)>,
) -> Result<Vec<(usize, usize)>> {
    let rest = pairs.split_off(pairs.len().min(MOST_COMPARED));
    if pairs.is_empty() {
        return Ok(pairs);
    }
    let (left, right): (Vec<usize>, Vec<usize>) = pairs.iter().copied().unzip();
    let mut kept = Vec::new();
    for ((pairs, left), right) in pairs.chunks(256).zip(left.chunks(256)).zip(right.chunks(256)) {
        let (x, y) = (read(experiment, a, left)?, read(experiment, b, right)?);
        if x.shape() != y.shape() || x.dtype() != y.dtype() {
            continue;
        }
        let same = x.eq(&y).all(1).to_vec::<bool>();
        kept.extend(pairs.iter().zip(same).filter(|(_, same)| *same).map(|(pair, _)| *pair));
    }
    kept.extend(rest);
    Ok(kept)
}

/// The inputs of some samples of a part before any preprocessing, as rows.
pub fn read(experiment: &Experiment, part: &Part, places: &[usize]) -> Result<Tensor> {
    let loader = match part.name {
        "training" => Some(&experiment.train),
        "validation" => experiment.validation.as_ref(),
        _ => experiment.test.as_ref(),
    };
    let Some(loader) = loader else { unreachable!("the part was read from it") };
    let x = raw(loader, places)?.x;
    Ok(x.reshape([places.len() as i64, -1]))
}

//! Targets: how many samples each class has, or how far values reach.

use mapsto::nn::Layer;
use mapsto::training::{Outputs, readable};
use mapsto::{DType, Result, catch, infer};

use super::seen::{Part, Seen};
use super::{Preflight, Verdict};
use crate::config::Split;
use crate::experiment::Experiment;
use crate::plain::plain;

/// From this ratio of the largest class to the smallest on, a model that always says the same looks good.
const UNEVEN: f64 = 10.0;

/// The check.
pub fn check(experiment: &Experiment, seen: &Seen, found: &mut Preflight) -> Result<()> {
    let train = seen.training();
    match train.is_classes {
        true => classes(experiment, seen, found),
        false => values(experiment, seen, found),
    }
    Ok(())
}

fn classes(experiment: &Experiment, seen: &Seen, found: &mut Preflight) {
    let (train, names) = (seen.training(), &experiment.info.classes);
    let counts = counts(train, names.len());
    let name = |class: usize| names.get(class).map_or_else(|| class.to_string(), |name| plain(name));
    if !train.is_whole() {
        let text = format!("{} of {} training samples looked at", train.marks.len(), train.len);
        found.say("classes", Verdict::Fine, text, None);
    }
    let used = counts.iter().filter(|&&n| n > 0).count();
    if used > 50 && used * 5 > train.marks.len() && names.iter().all(|name| name.parse::<f64>().is_ok()) {
        let text = format!("{used} classes among {} samples, and all of them are numbers", train.marks.len());
        let help = "numbers are fitted with `target = \"..\"` in [data] and `loss = \"mse\"`, not told apart";
        found.say("classes", Verdict::Warning, text, Some(help.into()));
        return;
    }
    let missing: Vec<String> = (0..counts.len()).filter(|&class| counts[class] == 0).map(name).collect();
    if !missing.is_empty() && train.is_whole() {
        let text = format!("no training sample is of class {}", listed(&missing));
        let help = "a class without samples cannot be learnt: add some, or leave it out";
        found.say("classes", Verdict::Warning, text, Some(help.into()));
    }
    for part in &seen.parts[1..] {
        let there = self::counts(part, names.len());
        let lost = (0..there.len().min(counts.len())).filter(|&class| there[class] == 0 && counts[class] > 0);
        let lost: Vec<String> = lost.map(name).collect();
        if !lost.is_empty() && part.is_whole() {
            let text = format!("no {} sample is of class {}", part.name, listed(&lost));
            let help = match experiment.config.data.split {
                Some(Split::Stratified) => {
                    "scores say nothing about a class that has too few samples to be shared out: add some"
                }
                _ => "scores say nothing about such a class; `split = \"stratified\"` gives each its share",
            };
            found.say("classes", Verdict::Look, text, Some(help.into()));
        }
    }
    let used = || (0..counts.len()).filter(|&class| counts[class] > 0);
    let (Some(least), Some(most)) = (used().min_by_key(|&c| counts[c]), used().max_by_key(|&c| counts[c]))
    else {
        return;
    };
    let ratio = counts[most] as f64 / counts[least] as f64;
    if ratio < UNEVEN {
        let text = format!("{} classes of {} to {} samples", used().count(), counts[least], counts[most]);
        return found.say("classes", Verdict::Fine, text, None);
    }
    let share = 100.0 * counts[most] as f64 / counts.iter().sum::<usize>() as f64;
    let text = format!(
        "class {} has {} samples and class {} has {}: always to say {} is right for {share:.1} %",
        name(most),
        counts[most],
        name(least),
        counts[least],
        name(most)
    );
    let config = &experiment.config;
    if config.data.sampler.is_some() || config.train.loss.option("weights").is_some() {
        return found.say("classes", Verdict::Fine, text, None);
    }
    let help = "watch `f1`, `recall` or `precision` beside accuracy; `class_weight = \"balanced\"` in [train] makes up for it, or `sampler = \"balanced\"` in [data]";
    found.say("classes", Verdict::Look, text, Some(help.into()));
}

/// How many samples of a part each class has.
fn counts(part: &Part, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for &id in &part.targets {
        let id = id as usize;
        if id >= counts.len() {
            counts.resize(id + 1, 0);
        }
        counts[id] += 1;
    }
    counts
}

/// The mean and deviation of each output of the model as it begins, where they have the shape of the targets.
fn outputs_at_start(experiment: &Experiment, seen: &Seen, each: usize) -> Option<Vec<(f64, f64)>> {
    let n = seen.learn.len().min(64) as i64;
    let y = catch(|| infer(|| experiment.model.forward(&seen.learn.x.slice(0, ..n)))).ok()?;
    let y = y.to(DType::F64).reshape([n, -1]);
    let [means, deviations] = [y.mean(0), y.std(0)].map(|v| v.to_vec::<f64>());
    (means.len() == each).then(|| means.into_iter().zip(deviations).collect())
}

fn values(experiment: &Experiment, seen: &Seen, found: &mut Preflight) {
    let train = seen.training();
    if train.targets.is_empty() || experiment.outputs() != Outputs::Values {
        return;
    }
    let each = train.target(0).len();
    let outputs = outputs_at_start(experiment, seen, each);
    for column in 0..each {
        let numbers = || train.targets.iter().skip(column).step_by(each).copied();
        let n = numbers().count() as f64;
        let mean = numbers().sum::<f64>() / n;
        let deviation = (numbers().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        let (least, most) =
            numbers().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        let of = match (each, experiment.info.targets.get(column)) {
            (1, _) => String::new(),
            (_, Some(name)) => format!("{}: ", plain(name)),
            (_, None) => format!("target {column}: "),
        };
        let [mean_said, deviation_said, least_said, most_said] =
            [mean, deviation, least, most].map(|v| readable(v, 4));
        if most == least {
            let text = format!("{of}every target is {least_said}");
            let help =
                "there is nothing to learn from targets that are all alike: is it the column that was meant?";
            found.say("targets", Verdict::Warning, text, Some(help.into()));
            continue;
        }
        let text =
            format!("{of}mean {mean_said}, deviation {deviation_said}, from {least_said} to {most_said}");
        let is_far = deviation > 30.0 || mean.abs() > 30.0 * deviation.max(1.0);
        // A model that begins where the targets lie, as one that ends with `rescaling`, has no way to go.
        let begins_there = outputs.as_ref().is_some_and(|outputs| {
            let (at, spread) = outputs[column];
            (at - mean).abs() <= 3.0 * deviation && spread >= 0.003 * deviation
        });
        match is_far && !begins_there {
            true => {
                let help = "a model learns targets of about 0 ± 1 fastest: subtract their mean and divide by their deviation";
                found.say("targets", Verdict::Look, text, Some(help.into()));
            }
            false => found.say("targets", Verdict::Fine, text, None),
        }
    }
}

/// Up to five names.
fn listed(names: &[String]) -> String {
    const MOST: usize = 5;
    match names.len() > MOST {
        true => format!("{} and {} more", names[..MOST].join(", "), names.len() - MOST),
        false => names.join(", "),
    }
}

#[test]
fn names_are_listed_up_to_five() {
    let names: Vec<String> = (0..7).map(|i| i.to_string()).collect();
    assert_eq!(listed(&names[..2]), "0, 1");
    assert_eq!(listed(&names), "0, 1, 2, 3, 4 and 2 more");
}

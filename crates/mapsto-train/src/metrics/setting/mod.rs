//! Options that several metrics have in files: averages, decisions, and what their outputs are.

mod tests;

use super::{Average, Decision};
use mapsto_nn::Outputs;
use mapsto_spec::{Args, Bounds, Entry, Value};
use mapsto_tensor::Result;

/// The entry of a metric that averages over classes.
pub(super) fn averaged(name: &str, average: Average, decision: Decision) -> Entry {
    let entry = match average {
        Average::Class(class) => Entry::new(name).with_value(class),
        named => Entry::new(name).with_value(named.name()),
    };
    decided(entry, decision)
}

/// A metric's entry with its threshold, where one decides.
pub(super) fn decided(entry: Entry, decision: Decision) -> Entry {
    match decision {
        Decision::Argmax => entry,
        Decision::Threshold(at) => entry.with_option("threshold", at),
        Decision::Labels(at) => with_labels(entry.with_option("threshold", at), true),
    }
}

/// A metric's entry with whether it reads labels, where it does.
pub(super) fn with_labels(entry: Entry, multilabel: bool) -> Entry {
    if multilabel { entry.with_option("multilabel", true) } else { entry }
}

/// What metrics of classes say of their options.
pub(super) const AVERAGE: (&str, &str) = (
    "",
    "how classes are averaged: `\"macro\"`, `\"micro\"`, `\"weighted\"`, or one class by its number or its name",
);
pub(super) const THRESHOLD: (&str, &str) = (
    "threshold",
    "the value from which an output counts as class 1, for models with one output, or as given, for labels",
);
pub(super) const MULTILABEL: (&str, &str) =
    ("multilabel", "whether each column is a label of its own, of which a sample may have several or none");
pub(super) const OUTPUTS: (&str, &str) = (
    "outputs",
    "what the model gives: `\"logits\"`, `\"probabilities\"` or `\"log_probabilities\"`, as its loss takes them",
);

/// How classes or labels are decided: by the largest score, or by a threshold.
pub(super) fn decision_from(args: &mut Args) -> Result<Decision> {
    let threshold = threshold_from(args)?;
    match (args.optional::<bool>("multilabel")?.unwrap_or(false), threshold) {
        (true, None) => Err(args
            .error("multilabel", "labels need a threshold")
            .help("add `threshold = 0.0` for logits, or `threshold = 0.5` for probabilities")),
        (true, Some(at)) => Ok(Decision::Labels(at)),
        (false, threshold) => Ok(threshold.map_or(Decision::Argmax, Decision::Threshold)),
    }
}

/// The names of what outputs may be.
pub(super) const SCALES: [(&str, Outputs); 3] = [
    ("logits", Outputs::Logits),
    ("probabilities", Outputs::Probabilities),
    ("log_probabilities", Outputs::LogProbabilities),
];

/// What the model gives, logits where it is left out.
pub(super) fn outputs_from(args: &mut Args) -> Result<Outputs> {
    let name = args.get_or("outputs", "logits".to_string())?;
    let found = SCALES.iter().find(|(known, _)| *known == name);
    found.map(|(_, outputs)| *outputs).ok_or_else(|| {
        args.error("outputs", "outputs are \"logits\", \"probabilities\" or \"log_probabilities\"")
    })
}

/// A metric's entry with what the model gives.
pub(super) fn with_outputs(entry: Entry, outputs: Outputs) -> Entry {
    let found = SCALES.iter().find(|(_, known)| *known == outputs);
    entry.with_option("outputs", found.map_or("logits", |(name, _)| name))
}

/// What the model gives, where it can be read as probabilities; scores that are each of their own are logits.
#[track_caller]
pub(super) fn checked_outputs(who: &str, outputs: Outputs) -> Outputs {
    match outputs {
        Outputs::Values => {
            mapsto_tensor::fail!(who, "plain values are no probabilities"; help = "take a metric of errors, such as `mae`")
        }
        Outputs::Logit => Outputs::Logits,
        outputs => outputs,
    }
}

/// The average that precision, recall and F1 take as their main value; `macro` where it is left out.
pub(super) fn average_from(args: &mut Args) -> Result<Average> {
    let average = match args.main_optional::<Value>()? {
        None => Some(Average::Macro),
        Some(Value::Int(class)) => usize::try_from(class).ok().map(Average::Class),
        Some(Value::Str(name)) => Average::from_name(&name),
        Some(_) => None,
    };
    let average = average.ok_or_else(|| {
        args.error("", "the average is \"macro\", \"micro\", \"weighted\" or a class number")
    })?;
    match average {
        Average::Class(c) => args.record_main(c),
        named => args.record_main(named.name()),
    }
    Ok(average)
}

/// The threshold of two-class metrics, if one is given.
pub(super) fn threshold_from(args: &mut Args) -> Result<Option<f64>> {
    Bounds::FINITE.optional(args, "threshold")
}

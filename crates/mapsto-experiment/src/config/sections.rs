//! The sections of a training file, read key by key.

use mapsto::spec::{Entry, FromValue, Value};
use mapsto::{DType, Error, ErrorKind, MatmulPrecision, Result};

use super::{ClassWeight, Data, Model, Sampling, Split, Train, is_path};
use crate::document::{Key, Node, Tree};
use crate::plain::plain;
use crate::ranges::{at_least, fraction, one_of, positive};
use crate::section::Section;
use crate::source::Sources;
use crate::tabular::Defaults;
use crate::{averages, inits, watching};

/// `[data]`; what is no key of ours is an option of the set.
pub(super) fn read_data(mut section: Section, sources: &Sources) -> Result<Data> {
    let batch = at_least(1, section.node("batch"), "batch", 64)?;
    let shuffle = section.or("shuffle", true)?;
    let sampler = one_of(section.node("sampler"), "sampler", [("balanced", Sampling::Balanced)])?;
    let workers = section.or("workers", 0)?;
    let augment = section.entries("augment")?;
    let mut preprocess = section.entries("preprocess")?;
    // The key is short for the step, and stands above the list: a flag says `false` to a run that has the step.
    match section.optional("standardize")? {
        Some(true) if !preprocess.iter().any(|step| step.name == "standardize") => {
            preprocess.push(Entry::new("standardize"));
        }
        Some(false) => preprocess.retain(|step| step.name != "standardize"),
        _ => {}
    }
    let validation = fraction(section.node("validation"), "validation")?.unwrap_or(Data::VALIDATION);
    // A share to hold out is ours; the name of a second file is an option of the set.
    let test = match section.peek("test") {
        Some(Tree::Str(_)) => None,
        _ => fraction(section.node("test"), "test")?,
    };
    let split = one_of(section.node("split"), "split", Split::ALL)?;
    let is_table = match section.peek("path") {
        Some(Tree::Str(path)) => {
            let path = path.to_ascii_lowercase();
            [".csv", ".tsv", ".csv.gz", ".tsv.gz"].iter().any(|ending| path.ends_with(ending))
        }
        _ => false,
    };
    let mut set = match section.node("set") {
        Some(set) => set.to_entry()?,
        None if is_table => Entry::new("csv"),
        None => {
            let known: Vec<&str> = mapsto::data::sets::SETS.iter().map(|set| set.name).collect();
            return Err(section.missing("set", &format!("known are {}", known.join(", "))));
        }
    };
    // What is left belongs to the set, which refuses what it does not know.
    for (key, node) in section.rest() {
        let value = match node.to_value()? {
            Value::Str(path) if is_path(&key.name) => {
                path_of(&path, &key.name, node.span.start, sources)?.into()
            }
            value => value,
        };
        set = set.with_option_at(key.name.as_str(), value, key.span.into());
    }
    Ok(Data {
        set,
        batch,
        shuffle,
        sampler,
        workers,
        augment,
        preprocess,
        validation,
        test,
        split,
        batch_by_rows: false,
    })
}

/// A path as this process finds it.
fn path_of(written: &str, key: &str, at: usize, sources: &Sources) -> Result<String> {
    if written.is_empty() || written.contains('\0') {
        let error = Error::new(ErrorKind::Usage, format!("`{key}` should be a path, found {written:?}"));
        return Err(error.help("leave the key out, or name a file or folder").with_span(at..at + 1));
    }
    Ok(sources.path(written, at))
}

/// The model, and the error that it has no layers, which data other than tables needs.
pub(super) fn read_model(mut section: Section) -> Result<(Model, Option<Error>)> {
    let input: Option<Vec<usize>> = section.optional("input")?;
    let layers = section.entries("layers")?;
    let missing = section.missing("layers", "such as layers = [{ linear = 16 }, \"relu\", { linear = 2 }]");
    let no_layers = layers.is_empty().then_some(missing);
    let init = inits::read_init(&mut section)?;
    let lsuv = section.or("lsuv", false)?;
    section.finish()?;
    Ok((Model { input, layers, init, lsuv }, no_layers))
}

/// `[train]`, with what a table is trained by where no layers are given.
pub(super) fn read_train(
    mut section: Section,
    sources: &Sources,
    defaults: Option<&Defaults>,
) -> Result<Train> {
    let out = section.place("out");
    let loss = match (section.entry("loss")?, defaults) {
        (Some(loss), _) => loss,
        (None, Some(defaults)) => Entry::new(defaults.loss),
        (None, None) => {
            return Err(
                section.missing("loss", "\"cross_entropy\" tells classes apart, \"mse\" fits numbers")
            );
        }
    };
    let entries = |section: &mut Section, key: &'static str, or: Vec<Entry>| {
        let is_there = section.peek(key).is_some();
        section.entries(key).map(|entries| if is_there { entries } else { or })
    };
    let metrics = defaults.map_or(Vec::new(), |d| d.metrics.iter().map(|name| Entry::new(*name)).collect());
    let metrics = entries(&mut section, "metrics", metrics)?;
    let mut callbacks =
        entries(&mut section, "callbacks", defaults.map_or(Vec::new(), |_| Defaults::callbacks()))?;
    watching::read_callbacks(&mut section, &mut callbacks)?;
    let optimizer = match defaults {
        Some(_) => Defaults::optimizer(),
        None => Entry::new("adam").with_value(1e-3),
    };
    // A rate that was chosen for one's own optimizer stays what it is.
    let has_optimizer = section.peek("optimizer").is_some();
    let schedule = section.entry("schedule")?;
    let schedule = schedule.or_else(|| defaults.filter(|_| !has_optimizer).map(|_| Defaults::schedule()));
    let train = Train {
        loss,
        class_weight: class_weight(section.node("class_weight"))?,
        metrics,
        optimizer: section.entry("optimizer")?.unwrap_or(optimizer),
        schedule,
        averaging: averages::read_averaging(&mut section)?,
        callbacks,
        epochs: at_least(
            1,
            section.node("epochs"),
            "epochs",
            if defaults.is_some() { Defaults::EPOCHS } else { 10 },
        )?,
        seed: section.or("seed", 42)?,
        clip_norm: positive(section.node("clip_norm"), "clip_norm")?,
        accumulate: at_least(1, section.node("accumulate"), "accumulate", 1)?,
        threads: section.or("threads", 0)?,
        matmul_precision: one_of(
            section.node("matmul_precision"),
            "matmul_precision",
            MatmulPrecision::ALL.map(|precision| (precision.name(), precision)),
        )?
        .unwrap_or_default(),
        precision: one_of(
            section.node("precision"),
            "precision",
            [("f32", DType::F32), ("bf16", DType::BF16), ("f16", DType::F16)],
        )?
        .unwrap_or(DType::F32),
        health: section.or("health", true)?,
        dev_run: watching::read_batches(&mut section, "dev_run", Some(2))?,
        overfit_batches: watching::read_batches(&mut section, "overfit_batches", None)?,
        out: match section.optional::<String>("out")? {
            Some(path) => Some(path_of(&path, "out", out, sources)?),
            None => None,
        },
    };
    section.finish()?;
    Ok(train)
}

/// How much each class counts: a word, or a weight by the name of a class.
fn class_weight(node: Option<Node>) -> Result<Option<ClassWeight>> {
    let Some(Node { value: Tree::Table(members), .. }) = &node else {
        let word = one_of(node, "class_weight", [("balanced", ())])?;
        return Ok(word.map(|()| ClassWeight::Balanced));
    };
    let weight = |(key, node): &(Key, Node)| {
        let weight = node.to_value().ok().and_then(|value| f64::from_value(&value));
        match weight.filter(|weight| weight.is_finite() && *weight >= 0.0) {
            Some(weight) => Ok((key.name.clone(), weight)),
            None => {
                let message =
                    format!("the weight of class `{}` should be a number of at least 0", plain(&key.name));
                Err(Error::new(ErrorKind::Usage, message).with_span(node.span.clone()))
            }
        }
    };
    let weights = members.iter().map(weight).collect::<Result<Vec<_>>>()?;
    match weights.is_empty() {
        true => Err(Error::new(ErrorKind::Usage, "`class_weight` names no class")
            .help("write `class_weight = { spam = 3.0 }`; classes that are not named weigh 1")),
        false => Ok(Some(ClassWeight::Each(weights))),
    }
}

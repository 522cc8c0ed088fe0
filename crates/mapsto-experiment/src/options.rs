//! The reference of every option of a training file, `docs/options.md`: options from the lists that read them, keys of sections
//! from the tables here, which are compared with what `Config` reads.

#![cfg(test)]

use std::fmt::Write as _;
use std::path::Path;

use mapsto::data::preprocess::Step;
use mapsto::data::sets::Sets;
use mapsto::data::transforms::Transform;
use mapsto::nn::init::Init;
use mapsto::nn::{Horizon, Layer, Loss, Optimizer, Schedule};
use mapsto::spec::{Asked, Family, Value};
use mapsto::training::Averaging;
use mapsto::training::callbacks::Callback;
use mapsto::training::metrics::Metric;

use crate::config::Config;
use crate::keys::KEYS;

/// A key of a section: its name, what it may be, its default, and its meaning.
type Key = (&'static str, &'static str, &'static str, &'static str);

const DATA: &[Key] = &[
    (
        "set",
        "a name of [Sets](#sets)",
        "required",
        "what is read, \"csv\" where nothing is said and `path` ends in .csv or .tsv; the set's own options stand beside it in `[data]`",
    ),
    ("batch", "a whole number of at least 1", "64", "the samples of a step"),
    (
        "shuffle",
        "`true` or `false`",
        "true",
        "whether each epoch reads the training samples in an order of its own",
    ),
    (
        "sampler",
        "`\"balanced\"`",
        "none",
        "draws the training samples so that every class comes about equally often, in place of `shuffle`",
    ),
    (
        "workers",
        "a whole number, zero or more",
        "0",
        "the threads that prepare batches ahead; 0 prepares them between steps",
    ),
    (
        "preprocess",
        "a list of [Preprocessing](#preprocessing)",
        "[]",
        "the fixed steps on all inputs, which travel with the model",
    ),
    ("standardize", "`true` or `false`", "false", "short for the step `standardize`"),
    ("augment", "a list of [Transforms](#transforms)", "[]", "the random changes of training inputs"),
    (
        "validation",
        "a share from 0 to below 1",
        "0.1",
        "the part of the training samples that is held out to watch the training by",
    ),
    (
        "test",
        "a share from 0 to below 1",
        "0.2",
        "the part of all samples that is held out for the test, where the set brings no test samples",
    ),
    (
        "split",
        "`\"stratified\"`, `\"random\"` or `\"ordered\"`",
        "\"stratified\" for classes, otherwise \"random\"",
        "how samples are held out: with the same share of every class, at random, or the last ones",
    ),
];

const TUNE: &[Key] = &[
    ("trials", "a whole number of at least 1", "20", "how many trials `mapsto tune` trains"),
    (
        "by",
        "`\"loss\"`, or the name of one of `metrics`",
        "what the best epoch is chosen by",
        "what trials are judged by, on the validation samples",
    ),
    (
        "search",
        "`\"tpe\"`, `\"random\"` or `\"grid\"`",
        "\"tpe\"",
        "how values are chosen: by a tree-structured Parzen estimator, at random, or every combination in turn",
    ),
    (
        "halving",
        "`true`, `false`, or a whole number from 2 to 100",
        "false",
        "whether trials begin short and one in three, or in so many, goes on to as many times the epochs",
    ),
    ("seed", "a whole number, zero or more", "0", "where the randomness of the search starts"),
    (
        "\"SECTION.KEY\"",
        "`{ log = [1e-4, 1e-1] }`, `{ uniform = [0.0, 0.5] }`, `{ int = [16, 128], step = 16 }`, `{ log_int = [8, 512] }`, or a list of choices",
        "none",
        "the values that the key under this path may take, such as `\"train.optimizer.adamw\"`; see [Tuning](tuning.md)",
    ),
];

const MODEL: &[Key] = &[
    ("input", "a list of sizes", "that of the data", "the shape of one input, without the batch"),
    (
        "layers",
        "a list of [Layers](#layers)",
        "required",
        "the layers in order; with set \"csv\" they may be left out: they are made for the table then, and so are loss, metrics, optimizer, schedule and epochs",
    ),
    (
        "init",
        "a table of patterns, each with one of [Initialisers](#initialisers)",
        "those of the layers",
        "how weights begin whose names fit a pattern, such as `{ \"*.weight\" = \"orthogonal\", \"0.bias\" = { constant = 0.1 } }`; of several that fit, the last counts",
    ),
    (
        "lsuv",
        "`true` or `false`",
        "false",
        "whether linear layers and convolutions begin orthonormal and scaled, so that their outputs have the variance 1 on the first batch of training samples (Mishkin, Matas 2016); after `init`, whose weights of those layers it replaces",
    ),
];

const TRAIN: &[Key] = &[
    ("loss", "one of [Losses](#losses)", "required", "what is lowered"),
    (
        "class_weight",
        "`\"balanced\"`, or weights by the names of classes, `{ spam = 3.0 }`",
        "none",
        "gives each class the weight `samples / (classes · its samples)` in the loss, or the one that is said; classes that are not named weigh 1",
    ),
    ("metrics", "a list of [Metrics](#metrics)", "[]", "what is reported beside the loss"),
    (
        "optimizer",
        "one of [Optimizers](#optimizers)",
        "{ adam = 0.001 }",
        "how weights are changed; with `\"auto\"` in place of the learning rate, `{ adam = \"auto\" }` or `{ adam = true, lr = \"auto\" }`, a [range test](learning-rate.md) finds it before the training",
    ),
    ("schedule", "one of [Schedules](#schedules)", "none", "how the learning rate changes from step to step"),
    (
        "ema",
        "a share, or a table of the options of [`ema`](#averages)",
        "none",
        "the moving average of the weights that is judged and saved in place of them: `ema = 0.999`, or `ema = { decay = 0.999, from = 2 }`",
    ),
    (
        "swa",
        "an epoch, or a table of the options of [`swa`](#averages)",
        "none",
        "the epoch from which on the mean of the weights is judged and saved in place of them: `swa = 8`, or `swa = { from = 8, lr = 0.05 }`",
    ),
    (
        "callbacks",
        "a list of [Callbacks](#callbacks)",
        "`best` and `last`",
        "what else happens beside the training",
    ),
    (
        "checkpoints",
        "a table of `keep`, `every` and `watch`",
        "none",
        "more checkpoints, in `checkpoints/`: the models of the `keep` best epochs by the column `watch` (that of `best` where nothing is said), and a state to resume from after `every` epochs",
    ),
    (
        "tensorboard",
        "`true` or `false`",
        "false",
        "writes an event file for TensorBoard, short for the callback `tensorboard`",
    ),
    (
        "time_limit",
        "a length of time in quotes",
        "none",
        "ends the run cleanly after so long, such as \"30m\" or \"1h30m\"; short for the callback `time_limit`",
    ),
    (
        "health",
        "`true` or `false`",
        "true",
        "looks at gradients, changes and dead units of each layer now and then, and says once what is wrong; the lines are in `health.jsonl`",
    ),
    (
        "dev_run",
        "`true`, or a whole number of at least 1",
        "none",
        "goes through everything with so many batches (`true` is 2) for one epoch, and keeps nothing; `--dev-run` on the command line",
    ),
    (
        "overfit_batches",
        "a whole number of at least 1",
        "none",
        "trains on the same few batches in every epoch and validates on them; no test samples are looked at",
    ),
    ("epochs", "a whole number of at least 1", "10", "how often every training sample is seen"),
    ("seed", "a whole number, zero or more", "42", "where all randomness starts"),
    ("clip_norm", "a number above 0", "none", "the largest norm of all gradients together"),
    ("accumulate", "a whole number of at least 1", "1", "the batches whose gradients make one step"),
    ("threads", "a whole number, zero or more", "0", "the threads to compute with; 0 is one for each core"),
    (
        "matmul_precision",
        "`\"highest\"`, `\"high\"`, `\"medium\"` or `\"bf16\"`",
        "\"highest\"",
        "how exactly matrices are multiplied while training",
    ),
    (
        "precision",
        "`\"f32\"`, `\"bf16\"` or `\"f16\"`",
        "\"f32\"",
        "what products are computed in while training, with weights and sums in f32; `\"f16\"` scales the loss",
    ),
    ("out", "a word in quotes", "the first free `runs/NAME-1`, `runs/NAME-2`, ..", "the folder of the run"),
];

/// The whole page.
fn page() -> String {
    let mut text = String::from(
        "# Options\n\nEvery section, key and option of a training file, as `cargo xtask options` writes them. Options come from the lists\n\
         that read them; the keys of sections are compared with what a file without them is rendered to.\n\n\
         A thing that can be named is written as a word, `\"relu\"`, or with its value and options, `{ conv2d = 32, kernel = 3 }`.\n\
         The row *value* is the number or word behind the name itself, 32 in this example. A pair of sizes that are equal may be\n\
         written as one number.\n",
    );
    for (name, keys) in [("data", DATA), ("model", MODEL), ("train", TRAIN), ("tune", TUNE)] {
        let _ = writeln!(
            text,
            "\n## [{name}]\n\n| key | what it may be | default | meaning |\n|---|---|---|---|"
        );
        for (key, may, default, meaning) in keys {
            let _ = writeln!(text, "| `{key}` | {may} | {default} | {meaning} |");
        }
    }
    let horizon = Horizon { steps: 100, epoch: 10 };
    family::<Sets>(&mut text, "Sets", &[&()]);
    family::<dyn Step>(&mut text, "Preprocessing", &[&()]);
    family::<dyn Transform>(&mut text, "Transforms", &[&()]);
    family::<dyn Layer>(&mut text, "Layers", &[&[4], &[3, 4], &[2, 6, 6], &[4, 6, 6], &[2, 3, 4, 4]]);
    family::<dyn Init>(&mut text, "Initialisers", &[&()]);
    family::<dyn Loss>(&mut text, "Losses", &[&()]);
    family::<dyn Metric>(&mut text, "Metrics", &[&()]);
    family::<dyn Optimizer>(&mut text, "Optimizers", &[&()]);
    family::<dyn Schedule>(&mut text, "Schedules", &[&horizon]);
    family::<Averaging>(&mut text, "Averages", &[&()]);
    family::<dyn Callback>(&mut text, "Callbacks", &[&()]);
    text
}

/// A chapter of the page: every kind of a family.
fn family<T: Family + ?Sized>(text: &mut String, title: &str, givens: &[&T::Given]) {
    let _ = writeln!(text, "\n## {title}");
    for kind in T::kinds() {
        let sample = match T::NOUN {
            // A key of its own, and no entry of a list.
            Averaging::NOUN => format!("{} = {}", kind.name, Averaging::written(&kind.sample())),
            _ => kind.sample().to_string(),
        };
        let _ = writeln!(text, "\n### `{}`\n\n{} For example `{sample}`.", kind.name, kind.doc);
        if kind.options.is_empty() {
            continue;
        }
        text.push_str("\n| option | what it may be | default | meaning |\n|---|---|---|---|\n");
        let (args, following) = (kind.questions(givens), kind.following(givens));
        for (name, meaning) in kind.options {
            let asked = args.asked().find(|asked| asked.name == *name);
            let asked = asked.unwrap_or_else(|| panic!("{kind:?} never asks for `{name}`"));
            let label = if name.is_empty() { "*value*".to_string() } else { format!("`{name}`") };
            let _ = writeln!(
                text,
                "| {label} | {} | {} | {meaning} |",
                allowed(&asked),
                default(&asked, &following)
            );
        }
    }
}

fn allowed(asked: &Asked) -> String {
    match asked.range {
        Some("finite") | None => asked.expected.to_string(),
        Some(range) if asked.expected.starts_with("a whole number") => format!("a whole number, {range}"),
        Some(range) => format!("a number, {range}"),
    }
}

/// What an option is where nothing is said; the number of an example is no default of its own.
fn default(asked: &Asked, following: &[String]) -> String {
    if following.iter().any(|name| name == asked.name) {
        return "follows from the rest".to_string();
    }
    match asked.default {
        Some(Value::Str(word)) => format!("{word:?}"),
        Some(value) => value.to_string(),
        None if asked.required => "required".to_string(),
        None => "none".to_string(),
    }
}

#[test]
fn the_reference_of_options_is_that_of_the_lists() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/options.md");
    let page = page();
    if std::env::var_os("MAPSTO_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    for (i, (a, b)) in written.lines().zip(page.lines()).enumerate() {
        assert_eq!(a, b, "docs/options.md:{} is stale: run `cargo xtask options`", i + 1);
    }
    assert!(written == page, "docs/options.md is stale: run `cargo xtask options`");
}

#[test]
fn every_key_of_a_section_is_in_the_reference_with_its_default() {
    // What may be left out, and what the file says then.
    let file = "[data]\nset = 'mnist'\n[model]\nlayers = ['flatten']\n[train]\nloss = 'mse'\n";
    let config = Config::parse(file, &[]).unwrap();
    let rendered = config.render();
    let mut sections = rendered.split("\n[");
    for (name, keys) in [("data", DATA), ("model", MODEL), ("train", TRAIN)] {
        let section = sections.next().unwrap();
        assert!(section.trim_start_matches('[').starts_with(name));
        for line in section.lines().filter(|line| line.contains(" = ") && !line.starts_with(' ')) {
            let (key, value) = line.split_once(" = ").unwrap();
            let told = keys.iter().find(|told| told.0 == key);
            let (_, _, default, _) =
                told.unwrap_or_else(|| panic!("[{name}] `{key}` is not in the reference"));
            assert!(
                ["required", value].contains(default) || value == "[]",
                "[{name}] `{key}`: {value}, {default}"
            );
        }
        // The keys that a flag may name are in it too, but for those of sets.
        let flags = KEYS.iter().find(|(section, _)| *section == name).unwrap().1;
        let of_sets = |flag: &str| {
            mapsto::data::sets::SETS.iter().any(|set| set.options.iter().any(|(option, _)| *option == flag))
        };
        for flag in flags.iter().filter(|flag| !of_sets(flag)) {
            assert!(keys.iter().any(|key| key.0 == *flag), "[{name}] `{flag}` is not in the reference");
        }
    }
}

#[test]
fn every_key_of_tune_is_in_the_reference() {
    let known: Vec<&str> = TUNE.iter().map(|key| key.0).filter(|key| !key.starts_with('"')).collect();
    let mut read = crate::tuning::KEYS.to_vec();
    read.sort_unstable_by_key(|key| known.iter().position(|told| told == key));
    assert_eq!(read, known);
}

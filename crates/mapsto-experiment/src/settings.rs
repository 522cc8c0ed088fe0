//! What a resumed run may change: every setting is either honoured or refused by its name.

use std::path::Path;

use mapsto::nn::Loss;
use mapsto::spec::{Entry, Family, Value, filled};
use mapsto::training::Averaging;
use mapsto::training::callbacks::Callback;
use mapsto::training::metrics::Metric;
use mapsto::{Error, ErrorKind, Result};

use crate::config::{Config, Split, is_path};
use crate::experiment::add_callbacks;
use crate::inits;
use crate::watching::is_bystander;

/// The settings that hold from the moment of resuming on.
const HONOURED: &str = "train.epochs, train.optimizer's values, train.schedule, train.clip_norm, the options of \
    train.callbacks, train.time_limit, train.tensorboard, train.health, `every` of train.checkpoints, train.matmul_precision, train.threads, train.out, data.workers and data.path";

/// Refuses a configuration that changes what a run under way has been built on.
///
/// # Errors
/// Every setting that differs and cannot, by name.
pub fn refuse_changes(before: &Config, now: &Config) -> Result<()> {
    let changes = changes(before, now);
    if changes.is_empty() {
        return Ok(());
    }
    let message = format!("a resumed run cannot change {}", changes.join(", nor "));
    Err(Error::new(ErrorKind::Usage, message)
        .help(format!("start a new run for that; what a resumed run can change: {HONOURED}")))
}

/// Refuses a configuration in the folder of a run that is not the one the run was made with.
///
/// # Errors
/// Every setting that differs, by name.
pub fn refuse_edits(before: &Config, now: &Config, file: &Path) -> Result<()> {
    let changes = changes(before, now);
    if changes.is_empty() {
        return Ok(());
    }
    let message = format!("{}: it was edited after the run: {}", file.display(), changes.join(", "));
    Err(Error::new(ErrorKind::Usage, message)
        .help("bring it back as it was; what else is wanted is another run"))
}

/// The settings that a run keeps to its end and that differ: `train.seed` from 3 to 4.
fn changes(before: &Config, now: &Config) -> Vec<String> {
    let (before, now) = (fixed(before), fixed(now));
    let find =
        |list: &[(String, String)], key: &str| list.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    let mut keys: Vec<&String> = before.iter().chain(&now).map(|(key, _)| key).collect();
    let mut seen = Vec::new();
    keys.retain(|key| {
        !seen.contains(key) && {
            seen.push(key);
            true
        }
    });
    let none = || "none".to_string();
    keys.into_iter()
        .map(|key| (key, find(&before, key).unwrap_or_else(none), find(&now, key).unwrap_or_else(none)))
        .filter(|(_, before, now)| before != now)
        .map(|(key, before, now)| format!("`{key}` from {before} to {now}"))
        .collect()
}

/// The settings that a run keeps to its end, with their values.
fn fixed(config: &Config) -> Vec<(String, String)> {
    // The same flag may be given as when the run was started, which added what every run has.
    let config = &mut config.clone();
    add_callbacks(config);
    // Every field is named, so that a new one must be put on one side or the other.
    let crate::config::Data {
        set,
        batch,
        shuffle,
        sampler,
        workers: _,
        augment,
        preprocess,
        validation,
        test,
        split,
        batch_by_rows: _, // the batch says it once the data is known
    } = &config.data;
    let crate::config::Model { input, layers, init, lsuv } = &config.model;
    let crate::config::Train {
        loss,
        class_weight: _, // the loss has the weights that it stands for
        metrics,
        optimizer,
        schedule: _,
        averaging,
        callbacks,
        epochs: _,
        seed,
        clip_norm: _,
        accumulate,
        threads: _,
        matmul_precision: _,
        precision,
        health: _,
        dev_run,
        overfit_batches,
        out: _,
    } = &config.train;
    let mut fixed: Vec<(String, String)> = vec![("data.set".into(), set.name.clone())];
    let mut put = |key: String, value: Value| fixed.push((key, value.to_string()));
    for (option, value) in &set.options {
        // Files are compared by their content.
        if !(is_path(option) && matches!(value, Value::Str(_))) {
            put(format!("data.{option}"), value.clone());
        }
    }
    put("data.batch".into(), (*batch).into());
    put("data.shuffle".into(), (*shuffle).into());
    if sampler.is_some() {
        put("data.sampler".into(), "balanced".into());
    }
    put("data.augment".into(), augment.clone().into());
    put("data.preprocess".into(), preprocess.clone().into());
    put("data.validation".into(), (*validation).into());
    if let Some(test) = *test {
        put("data.test".into(), test.into());
    }
    if let Some(split) = *split {
        put("data.split".into(), Split::word(split).into());
    }
    if let Some(input) = input.clone() {
        put("model.input".into(), input.into());
    }
    for (i, layer) in layers.iter().enumerate() {
        put(format!("model.layers.{i}"), layer.clone().into());
    }
    if let Some(init) = inits::written(init) {
        put("model.init".into(), init);
    }
    if *lsuv {
        put("model.lsuv".into(), true.into());
    }
    put("train.loss".into(), as_filled::<dyn Loss>(loss).into());
    let names: Vec<Value> = metrics.iter().map(|e| as_filled::<dyn Metric>(e).into()).collect();
    put("train.metrics".into(), Value::List(names));
    put("train.optimizer".into(), optimizer.name.as_str().into());
    if let Some(averaging) = averaging {
        let written = Averaging::written(&as_filled::<Averaging>(averaging));
        put(format!("train.{}", averaging.name), written.into());
    }
    for (i, callback) in callbacks.iter().filter(|callback| !is_bystander(callback)).enumerate() {
        let callback = as_filled::<dyn Callback>(callback);
        let Entry { name, value, .. } = callback;
        let watched = value.into_iter().fold(Entry::new(name.as_str()), Entry::with_value);
        put(format!("train.callbacks.{i}"), watched.into());
    }
    put("train.seed".into(), (*seed).into());
    put("train.accumulate".into(), (*accumulate).into());
    put("train.precision".into(), precision.to_string().into());
    for (key, batches) in [("dev_run", dev_run), ("overfit_batches", overfit_batches)] {
        if let Some(batches) = *batches {
            put(format!("train.{key}"), batches.into());
        }
    }
    fixed
}

/// An entry with its defaults, so that leaving one out and writing it down are the same.
fn as_filled<T: Family<Given = ()> + ?Sized>(entry: &Entry) -> Entry {
    filled::<T>(entry, &()).map_or_else(|_| entry.clone(), |(_, said)| said)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[data]\nset = 'csv'\npath = 'a.csv'\nclass = 'kind'\nbatch = 8\nworkers = 0\n\
        [model]\ninput = [2]\nlayers = [{ linear = 3 }]\n\
        [train]\nloss = 'cross_entropy'\nmetrics = ['accuracy']\noptimizer = { adam = 1e-3 }\n\
        callbacks = [{ early_stop = 'val loss' }]\nepochs = 3\nseed = 1\n";

    fn config(text: &str) -> Config {
        Config::parse(text, &[]).unwrap()
    }

    #[test]
    fn each_setting_is_honoured_or_refused_by_name() {
        for (from, to) in [
            ("'a.csv'", "'elsewhere/a.csv'"),
            ("workers = 0", "workers = 2"),
            ("adam = 1e-3", "adam = 5e-4, beta1 = 0.8"),
            ("epochs = 3", "epochs = 9\nclip_norm = 1\nthreads = 2\nout = 'b'\nmatmul_precision = 'high'"),
            ("epochs = 3", "epochs = 9\nschedule = { cosine = 1 }"),
            ("'val loss' }", "'val loss', patience = 9 }"),
            ("'cross_entropy'", "{ cross_entropy = true, label_smoothing = 0.0 }"),
        ] {
            assert!(FILE.contains(from));
            assert_eq!(refuse_changes(&config(FILE), &config(&FILE.replace(from, to))), Ok(()), "{to}");
        }
        for (from, to, key) in [
            ("seed = 1", "seed = 9", "`train.seed` from 1 to 9"),
            ("seed = 1", "accumulate = 2\nseed = 1", "`train.accumulate` from 1 to 2"),
            ("batch = 8", "batch = 4", "`data.batch` from 8 to 4"),
            ("batch = 8", "batch = 8\nshuffle = false", "`data.shuffle` from true to false"),
            ("batch = 8", "batch = 8\nvalidation = 0.2", "`data.validation` from 0.1 to 0.2"),
            ("batch = 8", "batch = 8\ntest = 0.3", "`data.test` from none to 0.3"),
            ("batch = 8", "batch = 8\nsplit = 'ordered'", "`data.split` from none to \"ordered\""),
            ("batch = 8", "batch = 8\nstandardize = true", "`data.preprocess` from [] to [\"standardize\"]"),
            (
                "batch = 8",
                "batch = 8\naugment = [{ noise = 0.1 }]",
                "`data.augment` from [] to [{ noise = 0.1 }]",
            ),
            ("'kind'", "'other'", "`data.class` from \"kind\" to \"other\""),
            ("'csv'", "'idx'", "`data.set` from \"csv\" to \"idx\""),
            ("linear = 3", "linear = 4", "`model.layers.0` from { linear = 3 } to { linear = 4 }"),
            ("[2]", "[3]", "`model.input` from [2] to [3]"),
            ("'cross_entropy'", "'mse'", "`train.loss` from"),
            ("['accuracy']", "[]", "`train.metrics` from [\"accuracy\"] to []"),
            (
                "[{ linear = 3 }]",
                "[{ linear = 3 }]\ninit = { '*.bias' = 'zeros' }",
                "`model.init` from none to { *.bias = zeros }",
            ),
            ("epochs = 3", "epochs = 3\nema = 0.9", "`train.ema` from none to { decay = 0.9, from = 1 }"),
            ("adam =", "sgd =", "`train.optimizer` from \"adam\" to \"sgd\""),
            ("'val loss'", "'loss'", "`train.callbacks.0` from { early_stop = \"val loss\" } to"),
        ] {
            assert!(FILE.contains(from));
            let e = refuse_changes(&config(FILE), &config(&FILE.replacen(from, to, 1))).unwrap_err();
            // Names of sets and optimizers stand as words.
            assert!(e.message().replace('"', "").contains(&key.replace('"', "")), "{e}");
            assert_eq!(e.kind(), ErrorKind::Usage);
        }
    }
}

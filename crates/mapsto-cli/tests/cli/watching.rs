//! What watches a training: limits of time, dev runs, batches learnt by heart, more checkpoints, TensorBoard's files.

use std::process::Command;

use crate::check_cli::Folder;
use crate::resume::{NET, ring, started};

fn folder(train: &str) -> Folder {
    let folder = Folder::new();
    folder.write("ring.csv", ring()).write("net.toml", format!("{NET}{train}"));
    folder
}

#[test]
fn a_dev_run_goes_through_everything_and_keeps_nothing() {
    let folder = folder("swa = 2\nschedule = { linear_warmup = 2, then = 'cosine' }\ntensorboard = true\n");
    let before = folder.names();
    for flag in ["--dev-run", "--dev-run=3", "--train.dev_run true"] {
        let outcome = folder.run(&format!("train net.toml {flag} --out run"));
        let batches = if flag.ends_with('3') { 3 } else { 2 };
        let said = outcome.out.clone();
        assert!(outcome.err.contains("2/2"), "the average begins in epoch 2: {}", outcome.err);
        let said =
            (said.contains("test "), said.contains(&format!("dev run of {batches} batches")), outcome.code);
        assert_eq!(said, (true, true, 0), "{}", outcome.out);
        assert_eq!(folder.names(), before, "{flag} left something behind");
    }
    let e = folder.run("train net.toml --dev-run=none");
    assert_eq!(e.code, 2, "{}", e.err);
    assert!(e.err.contains("`dev_run` should be `true`, or a whole number of at least 1"), "{}", e.err);
}

#[test]
fn a_few_batches_are_learnt_by_heart_and_nothing_else_is_judged() {
    let folder = folder("overfit_batches = 1\n");
    let out = folder.run("train net.toml --out run --epochs 150").ok();
    assert!(!out.contains("test "), "{out}");
    let metrics = folder.read("run/metrics.csv");
    let last: Vec<&str> = metrics.lines().last().unwrap().split(',').collect();
    let header: Vec<&str> = metrics.lines().next().unwrap().split(',').collect();
    let value =
        |name: &str| -> f64 { last[header.iter().position(|h| *h == name).unwrap()].parse().unwrap() };
    assert_eq!(value("step"), 150.0, "a step an epoch");
    assert!(value("val loss") < 0.15, "{metrics}");
    let refused = folder.run("train --resume run --epochs 151 --train.overfit_batches 2");
    assert!(refused.err.contains("`train.overfit_batches` from 1 to 2"), "{}", refused.err);
}

#[test]
fn a_limit_of_time_ends_a_run_that_goes_on_to_the_same_bits() {
    let folder = folder("");
    folder.run("train net.toml --out whole --epochs 4000 -q --time-limit 1s").ok();
    let out = folder.run("train net.toml --out run --epochs 200000 --time-limit 1s").ok();
    assert!(out.contains("stopped early: the time limit of 1s was over "), "{out}");
    assert!(out.contains("`mapsto train --resume run` goes on") && out.contains("test "), "{out}");
    let rows = |name: &str| folder.read(&format!("{name}/metrics.csv")).lines().count() - 1;
    let (first, until) = (rows("run"), 20);
    // On, within the epoch that it was stopped in, and without the limit.
    let out = folder.run(&format!("train --resume run --epochs {} --time-limit false", first + until)).ok();
    assert!(!out.contains("stopped early"), "{out}");
    assert_eq!(rows("run"), first + until);
    folder.run(&format!("train net.toml --out straight --epochs {} -q", first + until)).ok();
    let weights = |name: &str| {
        let path = folder.path().join(name).join("last.safetensors");
        let file = mapsto::training::ModelFile::read(path).unwrap();
        file.tensors.iter().map(|(n, t)| format!("{n} {:?}", t.to_vec::<f32>())).collect::<Vec<_>>()
    };
    assert!(weights("run") == weights("straight"), "the bits are others");
    let e = folder.run("train net.toml --time-limit 30");
    assert!(e.code == 2 && e.err.contains("such as \"30m\""), "{}", e.err);
    let e = folder.run("train net.toml --time-limit 30x");
    assert!(e.code == 2 && e.err.contains("no length of time"), "{}", e.err);
}

#[test]
fn more_checkpoints_are_kept_and_a_run_goes_on_from_one() {
    let folder = folder("checkpoints = { keep = 2, every = 2 }\n");
    folder.run("train net.toml --out run --epochs 6 -q").ok();
    let mut names: Vec<String> = std::fs::read_dir(folder.path().join("run/checkpoints"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let (best, every): (Vec<&String>, Vec<&String>) =
        names.iter().partition(|name| name.starts_with("best-"));
    assert_eq!(every, ["epoch-0002.safetensors", "epoch-0004.safetensors", "epoch-0006.safetensors"]);
    assert_eq!(best.len(), 2, "{names:?}");
    // The best of all is one of them.
    let file = mapsto::training::ModelFile::read(folder.path().join("run/best.safetensors")).unwrap();
    assert!(
        best.contains(&&format!("best-epoch-{:04}.safetensors", file.best_epoch().unwrap())),
        "{names:?}"
    );
    // What it was after four epochs, trained on, is what it is after six.
    std::fs::copy(
        folder.path().join("run/checkpoints/epoch-0004.safetensors"),
        folder.path().join("run/last.safetensors"),
    )
    .unwrap();
    let before = folder.read("run/metrics.jsonl");
    folder.run("train --resume run -q").ok();
    let loss = |text: &str| {
        text.lines().map(|l| l.split(",\"seconds\"").next().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(loss(&before), loss(&folder.read("run/metrics.jsonl")));
}

/// What reads the event file: the real TensorBoard.
const READ: &str = "\
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
for tag in sorted(events.Tags()['scalars']):
    print(tag, *(f'{e.step}={e.value!r}' for e in events.Scalars(tag)))
";

#[test]
fn tensorboard_reads_what_is_written_for_it() {
    let folder = folder("tensorboard = true\n");
    folder.run("train net.toml --out run -q").ok();
    folder.run("train --resume run -q --epochs 5").ok();
    let python = std::env::var("MAPSTO_PYTHON").unwrap_or_else(|_| "python3".to_string());
    let ready = Command::new(&python).args(["-c", "import tensorboard"]).output();
    if !ready.is_ok_and(|output| output.status.success()) {
        println!("skipped tensorboard: no {python} with it (MAPSTO_PYTHON names another)");
        return;
    }
    let output =
        Command::new(&python).args(["-c", READ]).arg(folder.path().join("run/tensorboard")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = String::from_utf8(output.stdout).unwrap();
    let metrics = folder.read("run/metrics.csv");
    let mut rows = metrics.lines().map(|row| row.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    let column = |name: &str| header.iter().position(|h| *h == name).unwrap();
    let rows: Vec<Vec<&str>> = rows.collect();
    for (name, tag) in [
        ("loss", "loss/train"),
        ("val loss", "loss/val"),
        ("accuracy", "accuracy/train"),
        ("val accuracy", "accuracy/val"),
        ("lr", "lr"),
    ] {
        let line = found
            .lines()
            .find(|line| line.starts_with(&format!("{tag} ")))
            .unwrap_or_else(|| panic!("{tag}: {found}"));
        let points: Vec<(&str, f32)> = line[tag.len()..]
            .split_whitespace()
            .map(|point| {
                point
                    .split_once('=')
                    .map(|(step, value)| (step, value.parse::<f64>().unwrap() as f32))
                    .unwrap()
            })
            .collect();
        let wanted: Vec<(&str, f32)> = rows
            .iter()
            .map(|row| (row[column("step")], row[column(name)].parse::<f64>().unwrap() as f32))
            .collect();
        assert_eq!(points, wanted, "{tag}");
    }
}

#[test]
fn curves_are_diagnosed_at_the_end() {
    let folder = started();
    let out = folder.run("train net.toml --out bad --epochs 6 --train.optimizer {sgd=1e-9}").ok();
    assert!(
        out.contains("curves underfitting: `loss` went from")
            && out.contains("help: raise the learning rate"),
        "{out}"
    );
}

#[test]
fn a_step_that_was_not_finite_is_run_again_to_the_same_bits() {
    for (flags, epochs_done) in [
        ("--train.optimizer {sgd=1e38}", false),
        ("--train.optimizer {sgd=1e38} --precision bf16 --accumulate 2 --matmul_precision bf16", false),
        (
            "--train.optimizer {sgd=1e17} --train.loss mse --data.target x --data.drop ['place'] --train.metrics []",
            false,
        ),
    ] {
        let folder = folder("");
        let text = folder.read("net.toml");
        let text = if flags.contains("mse") {
            text.replace("class = \"place\"\n", "").replace("linear = 2 ", "linear = 1 ")
        } else {
            text
        };
        folder.write("net.toml", text);
        let failed = folder.run(&format!("train net.toml --out run -q {flags}"));
        assert_ne!(failed.code, 0);
        assert!(failed.err.contains("`mapsto replay run` runs the step again"), "{flags}: {}", failed.err);
        assert!(failed.err.contains("; the batch is sample "), "{}", failed.err);
        assert_eq!(folder.path().join("run/last.safetensors").exists(), epochs_done);
        let names: Vec<String> = crate::resume::content(&folder.path().join("run")).into_keys().collect();
        assert!(!names.iter().any(|name| name.ends_with(".tmp")), "{names:?}");
        // The data is not needed, and one thread gives the same bits as many.
        std::fs::remove_file(folder.path().join("ring.csv")).unwrap();
        let out = folder.run("replay run").ok();
        assert!(out.contains("bits   the same as in the training"), "{flags}: {out}");
        assert!(out.contains("first  `") && out.contains("       input 0: "), "{flags}: {out}");
        // Another weight, another step: it is told.
        let path = folder.path().join("run/replay.safetensors");
        let file = mapsto::training::ModelFile::read(&path).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        assert!(!file.tensors.is_empty());
        let last = bytes.len() - 1;
        bytes[last] ^= 0x10;
        std::fs::write(&path, bytes).unwrap();
        let damaged = folder.run("replay run");
        assert!(damaged.code == 3 && damaged.err.contains("the file is damaged"), "{}", damaged.err);
        // The folder is taken over by the next attempt.
        folder.write("ring.csv", ring());
        let flags = flags.replace("1e38", "0.01").replace("1e17", "0.01");
        folder.run(&format!("train net.toml --out run -q {flags}")).ok();
        assert!(!path.exists());
        let e = folder.run("replay run");
        assert!(e.code == 3 && e.err.contains("there is no replay.safetensors"), "{}", e.err);
    }
}

//! Runs that are over, and runs whose files are not what they were: nothing that is there is lost, and nothing is written before
//! all that is read has been checked.

use std::collections::BTreeMap;
use std::fs;
#[cfg(unix)]
use std::process::Command;

use crate::check_cli::{Folder, Outcome};
use crate::resume::{content, started};

fn run_of(folder: &Folder) -> BTreeMap<String, Vec<u8>> {
    content(&folder.path().join("run"))
}

#[test]
fn a_finished_run_keeps_every_byte_whatever_it_is_resumed_with() {
    let folder = started();
    let before = run_of(&folder);
    for (flags, code) in [
        ("", 0),
        ("--train.optimizer.adam 1e-3", 0),
        ("--train.schedule cosine --train.clip_norm 1", 0),
        ("--train.threads 1 --data.workers 1", 0),
        ("--train.out elsewhere", 0),
        ("--train.seed 9", 2),
        ("--train.epochs 2", 2),
        ("--train.optimizer.adam fast", 2),
    ] {
        let outcome = folder.run(&format!("train --resume run {flags}"));
        assert_eq!(outcome.code, code, "{flags}: {}", outcome.err);
        assert!(
            code != 0 || outcome.out.contains("this run is finished, and nothing was trained"),
            "{}",
            outcome.out
        );
        assert!(run_of(&folder) == before, "{flags}: the run was changed");
    }
    assert!(folder.run("train --resume run --train.out elsewhere").ok().contains("elsewhere was not made"));
    assert!(!folder.path().join("elsewhere").exists());
}

#[test]
fn a_run_that_was_stopped_early_does_not_grow() {
    for callbacks in [
        "[{early_stop='loss',patience=2,least=9.0}]",
        "[{early_stop='loss',patience=2,least=9.0},{last=true,every=2},{best='loss',every=2}]",
    ] {
        let folder = started();
        let train =
            format!("train net.toml --train.epochs 20 --train.out early -q --train.callbacks {callbacks}");
        folder.run(&train).ok();
        let rows = |folder: &Folder| folder.read("early/metrics.csv").lines().count() - 1;
        assert_eq!(rows(&folder), 3);
        let before = content(&folder.path().join("early"));
        for _ in 0..3 {
            let said = folder.run("train --resume early").ok();
            assert!(said.contains("it was stopped early"), "{said}");
            assert!(content(&folder.path().join("early")) == before);
        }
        folder.run("train --resume early --train.callbacks.0.patience 4").ok();
        assert_eq!(rows(&folder), 5);
    }
}

#[test]
fn all_that_a_resumed_run_reads_is_checked_before_it_writes() {
    let folder = started();
    folder.run("train net.toml --train.out other -q --train.seed 4 --model.layers.0.linear 7").ok();
    let whole = run_of(&folder);
    let (mut refused, mut taken) = (0, 0);
    for (name, bytes) in &whole {
        let path = folder.path().join("run").join(name);
        let other = fs::read(folder.path().join("other").join(name)).ok();
        let changes: [Option<Vec<u8>>; 5] = [
            None,
            Some(bytes[..bytes.len() / 2].to_vec()),
            Some(Vec::new()),
            Some(b"something else".to_vec()),
            Some(other.unwrap_or_default()),
        ];
        for change in changes {
            match &change {
                None => fs::remove_file(&path).unwrap(),
                Some(bytes) => fs::write(&path, bytes).unwrap(),
            }
            let before = run_of(&folder);
            let outcome = folder.run("train --resume run --train.epochs 4 -q");
            if outcome.code == 0 {
                // What a run only writes may be anything; it is written anew, as is what it can do without.
                let may_be_taken = match name.as_str() {
                    "config.toml" | "best.safetensors" => change.is_none(),
                    name => name != "last.safetensors",
                };
                assert!(may_be_taken, "{name}: {} bytes were taken", change.map_or(0, |c| c.len()));
                assert_eq!(folder.read("run/metrics.csv").lines().count(), 5, "{name}");
                assert!(folder.read("run/config.toml").contains("epochs = 4"));
                taken += 1;
            } else {
                assert!([2, 3, 4].contains(&outcome.code), "{name}: {} {}", outcome.code, outcome.err);
                assert!(
                    run_of(&folder) == before,
                    "{name}: a run that was refused was changed: {}",
                    outcome.err
                );
                refused += 1;
            }
            fs::remove_dir_all(folder.path().join("run")).unwrap();
            for (name, bytes) in &whole {
                folder.write(&format!("run/{name}"), bytes);
            }
        }
    }
    assert!(refused >= 13 && taken >= 10, "{refused} {taken}");
}

#[test]
fn what_is_missing_of_a_finished_run_is_written_again() {
    let folder = started();
    let whole = run_of(&folder);
    for name in ["config.toml", "metrics.csv", "metrics.jsonl", "predictions.csv", "best.safetensors"] {
        fs::remove_file(folder.path().join("run").join(name)).unwrap();
        if name == "config.toml" {
            folder.run("eval run").ok();
            // The look at the test set is counted, and else nothing written.
            fs::remove_file(folder.path().join("run/test_looks.txt")).unwrap();
        }
        folder.run("train --resume run").ok();
        assert!(run_of(&folder) == whole, "{name}");
    }
    // What a killed process left half written goes.
    folder.write("run/.last.safetensors.123.4.tmp", "half").write("run/plots/.loss.svg.123.4.tmp", "half");
    folder.run("train --resume run").ok();
    assert!(run_of(&folder) == whole);
    folder.write("run/.last.safetensors.123.4.tmp", "half");
    folder.run("train --resume run --train.epochs 4").ok();
    assert!(!run_of(&folder).keys().any(|name| name.ends_with(".tmp")));
}

/// A limit on the size of files is a disk that is full.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full_leaves_what_can_be_begun_or_resumed() {
    let folder = started();
    let limited = |args: &str| {
        let program = env!("CARGO_BIN_EXE_mapsto");
        let script = format!("trap '' XFSZ; ulimit -f 3; exec {program} {args}");
        Outcome::of(Command::new("bash").args(["-c", &script]).current_dir(folder.path()).output().unwrap())
    };
    for before in [false, true] {
        if before {
            fs::create_dir(folder.path().join("full")).unwrap();
        }
        let outcome = limited("train net.toml --out full --model.layers.0.linear 99");
        assert_eq!(outcome.code, 3, "{}", outcome.err);
        assert!(outcome.err.contains("safetensors"), "{}", outcome.err);
        assert_eq!(folder.path().join("full").exists(), before);
        folder.run("train net.toml --out full -q").ok();
        fs::remove_dir_all(folder.path().join("full")).unwrap();
    }
    let epochs = |folder: &Folder| folder.read("run/metrics.csv").lines().count() - 1;
    let last = fs::read(folder.path().join("run/last.safetensors")).unwrap();
    assert_eq!(limited("train --resume run --epochs 5").code, 3);
    assert!(fs::read(folder.path().join("run/last.safetensors")).unwrap() == last);
    folder.run("train --resume run --epochs 5").ok();
    assert_eq!(epochs(&folder), 5);
}

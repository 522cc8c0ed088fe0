//! Going on with a run: every setting is honoured or refused by name, the data must be the same, and a refusal changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::check_cli::Folder;

pub const NET: &str = "[data]\nset = \"csv\"\npath = \"ring.csv\"\nclass = \"place\"\nbatch = 16\nstandardize = true\n\n\
    [model]\nlayers = [{ linear = 8 }, \"tanh\", { dropout = 0.1 }, { linear = 2 }]\n\n\
    [train]\nloss = \"cross_entropy\"\nmetrics = [\"accuracy\"]\noptimizer = { adam = 2e-2 }\nepochs = 3\nseed = 3\n";

pub fn ring() -> String {
    let mut table = String::from("x,y,place\n");
    for i in 0..12 {
        for j in 0..10 {
            let (x, y) = (f64::from(i) / 5.5 - 1.0, f64::from(j) / 4.5 - 1.0);
            let place = if x * x + y * y < 0.6 { "in" } else { "out" };
            table += &format!("{x:.3},{y:.3},{place}\n");
        }
    }
    table
}

/// A run of three epochs in `run`.
pub fn started() -> Folder {
    let folder = Folder::new();
    folder.write("ring.csv", ring()).write("net.toml", NET);
    folder.run("train net.toml --train.out run -q").ok();
    folder
}

/// Every file under a folder with its bytes.
pub fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        match entry.path().is_dir() {
            true => found.extend(content(&entry.path()).into_iter().map(|(n, b)| (format!("{name}/{n}"), b))),
            false => drop(found.insert(name, fs::read(entry.path()).unwrap())),
        }
    }
    found
}

/// Resuming `run` with these flags fails with this code and message, and changes no byte of the run.
#[track_caller]
fn check_refused(folder: &Folder, flags: &str, code: i32, said: &str) {
    let before = content(&folder.path().join("run"));
    let outcome = folder.run(&format!("train --resume run {flags}"));
    assert_eq!(outcome.code, code, "{flags}: {}\n{}", outcome.out, outcome.err);
    assert!(outcome.err.contains(said), "{flags}: {}", outcome.err);
    assert!(content(&folder.path().join("run")) == before, "{flags}: the run was changed");
}

#[test]
fn what_would_be_another_run_is_refused_by_name_and_changes_nothing() {
    let folder = started();
    for (flag, code, said) in [
        ("--train.seed 9", 2, "`train.seed` from 3 to 9"),
        ("--train.loss mse", 2, "`train.loss`"),
        ("--train.metrics []", 2, "`train.metrics`"),
        ("--train.accumulate 2", 2, "`train.accumulate` from 1 to 2"),
        ("--train.optimizer {sgd=0.1}", 2, "`train.optimizer` from \"adam\" to \"sgd\""),
        ("--train.callbacks [{best='loss'}]", 2, "`train.callbacks.0`"),
        ("--train.epochs 2", 2, "`train.epochs` is 2, and 3 epochs of this run are done"),
        ("--data.batch 8", 2, "`data.batch` from 16 to 8"),
        ("--data.shuffle false", 2, "`data.shuffle` from true to false"),
        ("--data.validation 0.2", 2, "`data.validation`"),
        ("--data.test 0.3", 2, "`data.test` from 0.2 to 0.3"),
        ("--data.split random", 2, "`data.split`"),
        ("--data.preprocess []", 2, "`data.preprocess`"),
        ("--data.standardize false", 2, "`data.preprocess` from [\"standardize\"] to []"),
        ("--data.augment [{noise=0.1}]", 2, "`data.augment`"),
        ("--data.class x", 2, "`data.class`"),
        ("--data.features ['x']", 2, "`data.features`"),
        ("--model.layers.0.linear 9", 2, "`model.layers.0`"),
        ("--model.input [3]", 2, "`model.input`"),
        ("--train.epohcs 9", 2, "did you mean `epochs`?"),
        ("--train.epochs 4 --train.out run2/../net.toml", 3, "net.toml"),
    ] {
        check_refused(&folder, flag, code, said);
    }
    check_refused(
        &folder,
        "--train.seed 9 --data.batch 8",
        2,
        "`data.batch` from 16 to 8, nor `train.seed` from 3 to 9",
    );
    // It is as good as before.
    folder.run("eval run").ok();
    folder.run("train --resume run --train.epochs 4").ok();
}

#[test]
fn data_that_has_changed_is_refused_and_changes_nothing() {
    let folder = started();
    let table = ring();
    for (now, said) in [
        (table.replacen("-1.000,-1.000", "-1.000,-0.999", 1), "files have changed"),
        (format!("{table}0,0,in\n"), "the data now has"),
        (table.replace("in\n", "inside\n"), "classes"),
    ] {
        folder.write("ring.csv", now);
        check_refused(&folder, "--train.epochs 5", 3, said);
    }
    fs::remove_file(folder.path().join("ring.csv")).unwrap();
    check_refused(&folder, "--train.epochs 5", 3, "ring.csv");
    folder.write("elsewhere/table.csv", table);
    folder.run("train --resume run --train.epochs 5 --data.path elsewhere/table.csv").ok();
    assert!(folder.read("run/config.toml").contains("elsewhere/table.csv"));
}

#[test]
fn an_edited_configuration_and_a_damaged_state_are_refused() {
    let folder = started();
    let config = folder.read("run/config.toml");
    folder.write("run/config.toml", config.replace("seed = 3", "seed = 4"));
    check_refused(&folder, "--train.epochs 5", 2, "`train.seed` from 3 to 4");
    folder.write("run/config.toml", &config);
    let state = fs::read(folder.path().join("run/last.safetensors")).unwrap();
    folder.write("run/last.safetensors", &state[..state.len() - 9]);
    check_refused(&folder, "--train.epochs 5", 3, "last.safetensors");
    fs::copy(folder.path().join("run/best.safetensors"), folder.path().join("run/last.safetensors")).unwrap();
    check_refused(&folder, "--train.epochs 5", 4, "no training state");
    fs::remove_file(folder.path().join("run/last.safetensors")).unwrap();
    check_refused(&folder, "--train.epochs 5", 3, "there is no last.safetensors");
}

#[test]
fn a_learning_rate_is_honoured_and_written_down() {
    let folder = started();
    folder.run("train --resume run --train.epochs 5 --train.optimizer.adam 1e-3 --train.threads 1").ok();
    let metrics = folder.read("run/metrics.csv");
    let rates: Vec<&str> = metrics.lines().skip(1).map(|row| row.split(',').nth(2).unwrap()).collect();
    assert_eq!(rates, ["0.02", "0.02", "0.02", "0.001", "0.001"]);
    let config = folder.read("run/config.toml");
    assert!(config.contains("adam = 0.001") && config.contains("epochs = 5"), "{config}");
}

#[test]
fn a_run_goes_on_in_another_folder_and_its_own_is_left_alone() {
    let folder = started();
    let before = content(&folder.path().join("run"));
    folder.run("train --resume run --train.epochs 6 --train.out longer").ok();
    assert!(content(&folder.path().join("run")) == before);
    folder.run("train net.toml --train.epochs 6 --train.out whole").ok();
    assert_eq!(folder.read("longer/predictions.csv"), folder.read("whole/predictions.csv"));
    assert_eq!(folder.read("longer/metrics.csv").lines().count(), 7);
    folder.write("full/notes.txt", "mine");
    check_refused(&folder, "--train.epochs 6 --train.out full", 2, "not empty");
    assert_eq!(content(&folder.path().join("full")).len(), 1);
}

#[test]
fn a_run_works_from_any_directory_and_after_it_was_moved() {
    let folder = Folder::new();
    folder.write("project/ring.csv", ring()).write("project/net.toml", NET).write("elsewhere/here.txt", "");
    let at = |place: &str, args: &str| {
        let mut command = folder.command(args);
        let output = command.current_dir(folder.path().join(place)).output().unwrap();
        assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    at("elsewhere", "train ../project/net.toml");
    let score = |said: String| said.split("  (").next().unwrap().to_string();
    let here = score(at("elsewhere", "eval runs/net-1"));
    assert_eq!(score(at("", "eval elsewhere/runs/net-1")), here);
    at("project", "train --resume ../elsewhere/runs/net-1 --train.epochs 4");
    fs::rename(folder.path().join("elsewhere/runs/net-1"), folder.path().join("moved")).unwrap();
    at("project", "plot ../moved");
    at("elsewhere", "train --resume ../moved --train.epochs 5");
    assert_eq!(folder.read("moved/metrics.csv").lines().count(), 6);
    // A place that a file names is relative to the file too.
    folder.write("project/placed.toml", format!("{NET}out = \"placed\"\n"));
    at("elsewhere", "train ../project/placed.toml");
    assert!(folder.path().join("project/placed/best.safetensors").is_file());
}

#[cfg(unix)]
#[test]
fn two_processes_cannot_hold_one_run_and_a_crash_frees_it() {
    let folder = started();
    let run = folder.under_way("train --resume run --train.epochs 1000000");
    for args in
        ["train --resume run --train.epochs 9", "train --resume run --train.epochs 9 --train.out other"]
    {
        let outcome = folder.run(args);
        assert_eq!(outcome.code, 3, "{}", outcome.err);
        assert!(outcome.err.contains("another process is training this run"), "{}", outcome.err);
    }
    // While it runs, it can be looked at.
    assert!(folder.run("plot run").ok().contains("loss.svg"));
    folder.run("eval run").ok();
    assert!(folder.read("run/metrics.csv").lines().count() > 3);
    assert!(folder.read("run/metrics.jsonl").lines().count() >= 3);
    run.signal("-KILL");
    assert_eq!(run.end().0, None);
    assert_eq!(
        folder.run("train --resume run --train.epochs 1000000 --train.callbacks ['early_stop']").code,
        2
    );
    let done = folder.read("run/metrics.csv").lines().count();
    folder.run(&format!("train --resume run --train.epochs {done}")).ok();
}

#[cfg(unix)]
#[test]
fn a_folder_deleted_under_a_run_is_an_error_and_is_not_made_again() {
    let folder = started();
    let run = folder.under_way("train net.toml --train.epochs 1000000 --train.out gone");
    // Moved away in one step, for a file may be written into it while it is being deleted.
    fs::rename(folder.path().join("gone"), folder.path().join("away")).unwrap();
    let (code, rest) = run.end();
    assert_eq!(code, Some(3), "{rest}");
    assert!(rest.contains("gone"), "{rest}");
}

#[test]
fn a_failed_first_epoch_removes_only_what_the_run_wrote() {
    let folder = Folder::new();
    folder.write("ring.csv", ring()).write("net.toml", NET);
    let diverging = "train net.toml --train.optimizer {sgd=1e38}";
    fs::create_dir_all(folder.path().join("mine")).unwrap();
    fs::create_dir_all(folder.path().join("runs")).unwrap();
    assert_eq!(folder.run(&format!("{diverging} --train.out mine")).code, 5);
    assert_eq!(folder.run(&format!("{diverging} --train.out new/deep/run")).code, 5);
    assert_eq!(folder.run(diverging).code, 5);
    assert_eq!(folder.names(), ["mine", "net.toml", "ring.csv", "runs"]);
    assert!(
        content(&folder.path().join("mine")).is_empty() && content(&folder.path().join("runs")).is_empty()
    );
}

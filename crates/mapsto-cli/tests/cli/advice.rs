//! Helps that can be followed: what an error tells to write is written, and it works; and what a run says is what it did.

use mapsto::data::Table;
use mapsto::prelude::*;
use mapsto::training::{History, ModelFile};

use crate::check_cli::Folder;

const NET: &str = "[data]\nset = \"csv\"\npath = \"points.csv\"\nclass = \"side\"\nstandardize = true\nbatch = 8\n\n\
    [model]\nlayers = [{ linear = 2 }]\n\n\
    [train]\nloss = \"cross_entropy\"\nmetrics = [\"accuracy\"]\noptimizer = { adam = 5e-2 }\nepochs = 2\nseed = 3\n";

/// Sixty points: `side` is the class, told by the sign of `x`, `z` a number that follows it, and `bit` 0 or 1.
fn points() -> Folder {
    let folder = Folder::new();
    let mut table = String::from("x,y,z,bit,side\n");
    for i in 0..60 {
        let x = f64::from(i % 7) - 3.2;
        let side = if x > 0.0 { "right" } else { "left" };
        table += &format!("{x},{},{},{},{side}\n", 100 * (i % 5), 2.0 * x + 1.0, u8::from(x > 0.0));
    }
    folder.write("points.csv", table);
    folder
}

/// The training file with some texts replaced.
fn file(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(NET.to_string(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

/// The file with these changes is refused with these words, and accepted with those that the help says.
#[track_caller]
fn check_followed(changes: &[(&str, &str)], said: &[&str], followed: &[(&str, &str)]) {
    let folder = points();
    folder.write("net.toml", file(changes));
    let outcome = folder.run("train net.toml -q");
    assert!([2, 4].contains(&outcome.code), "{changes:?}: {}\n{}", outcome.code, outcome.err);
    for word in said {
        assert!(outcome.err.contains(word), "{changes:?}: {}", outcome.err);
    }
    folder.write("net.toml", file(followed));
    folder.run("train net.toml -q").ok();
}

const ONE: (&str, &str) = ("linear = 2", "linear = 1");
const Z: (&str, &str) = ("class = \"side\"", "target = \"z\"\nfeatures = [\"x\", \"y\"]");
const BIT: (&str, &str) = ("class = \"side\"", "target = \"bit\"\nfeatures = [\"x\", \"y\"]");
const COLUMNS: (&str, &str) = ("class = \"side\"", "class = \"side\"\nfeatures = [\"x\", \"y\"]");
const NO_METRIC: (&str, &str) = ("[\"accuracy\"]", "[]");

#[test]
fn a_loss_that_takes_no_classes_names_the_one_that_does() {
    for loss in ["bce_with_logits", "mse", "mae", "huber"] {
        for width in [ONE, ("linear = 2", "linear = 2")] {
            let changes = [COLUMNS, width, ("cross_entropy", loss), NO_METRIC];
            let said = ["choose `loss = \"cross_entropy\"`", "`target = \"..\"` in place of `class`"];
            check_followed(&changes, &said, &[COLUMNS]);
        }
        let number = if loss == "bce_with_logits" { BIT } else { Z };
        let folder = points();
        folder.write("net.toml", file(&[number, ONE, ("cross_entropy", loss), NO_METRIC]));
        folder.run("train net.toml -q").ok();
    }
}

#[test]
fn a_metric_of_classes_names_those_of_numbers_or_the_threshold() {
    for metric in ["accuracy", "precision", "recall", "f1"] {
        let metrics = format!("[\"{metric}\"]");
        let changes = [Z, ONE, ("cross_entropy", "mse"), ("[\"accuracy\"]", metrics.as_str())];
        let right = [Z, ONE, ("cross_entropy", "mse"), ("[\"accuracy\"]", "[\"mae\"]")];
        check_followed(&changes, &["judges classes", "metrics = [\"mae\"]"], &right);
        for (loss, end, threshold) in [
            ("bce_with_logits", "{ linear = 1 }", "threshold = 0.0"),
            ("bce", "{ linear = 1 }, \"sigmoid\"", "threshold = 0.5"),
        ] {
            let value = if metric == "accuracy" { "true" } else { "\"macro\"" };
            let spelt = format!("metrics = [{{ {metric} = {value}, {threshold} }}]");
            let base = [BIT, ("{ linear = 2 }", end), ("cross_entropy", loss)];
            let changes = [&base[..], &[("[\"accuracy\"]", metrics.as_str())]].concat();
            let right = [&base[..], &[("metrics = [\"accuracy\"]", spelt.as_str())]].concat();
            check_followed(&changes, &[spelt.as_str()], &right);
        }
    }
}

#[test]
fn groups_are_shown_as_they_are_written() {
    let with = |groups: &str| format!("adam = 5e-2, groups = {groups}");
    let right = with("[{ \"0.*\" = true, lr = 0.1 }]");
    for wrong in [
        "[{ pattern = \"0.*\", lr = 0.1 }]",
        "[{ \"0.*\" = 0.1 }]",
        "[{ \"0.*\" = true }]",
        "[\"0.*\"]",
        "{ \"0.*\" = true, lr = 0.1 }",
        "[{ \"9.*\" = true, lr = 0.1 }]",
        "\"0.*\"",
    ] {
        let wrong = with(wrong);
        let said = ["{ \"0.*\" = true, lr = 0.1 }"];
        check_followed(&[("adam = 5e-2", &wrong)], &said, &[("adam = 5e-2", &right)]);
    }
}

#[test]
fn a_model_read_from_its_file_answers_as_the_command_does() {
    let folder = points();
    folder.write("net.toml", file(&[Z, ONE, ("cross_entropy", "mse"), NO_METRIC]));
    folder.run("train net.toml -q --train.out run").ok();
    let file = ModelFile::read(folder.path().join("run/best.safetensors")).unwrap();
    let table = Table::from_csv(folder.path().join("points.csv")).unwrap();
    let raw = table.features(["x", "y"]).unwrap().exact_inputs().unwrap();
    let y = file.build().unwrap().forward(&file.info.preprocessing().unwrap().apply(raw));
    let answers = folder.run("predict run points.csv").ok();
    assert_eq!(answers.lines().count(), 60);
    for (row, (answer, y)) in answers.lines().zip(y.to_vec::<f32>()).enumerate() {
        assert_eq!(answer, format!("points.csv row {}  {y:.6}", row + 1));
    }
}

/// The epoch that a line of results names.
fn epoch(said: &str) -> usize {
    let (_, rest) = said.split_once("best of epoch ").unwrap_or_else(|| panic!("{said}"));
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn the_tested_epoch_is_named_and_the_loss_decides_between_equals() {
    let folder = points();
    folder.write("net.toml", file(&[COLUMNS]));
    let said = folder.run("train net.toml -q --epochs 30 --out whole").ok();
    let history = History::from_csv(&folder.read("whole/metrics.csv")).unwrap();
    let (_, most) = history.max("val accuracy").unwrap();
    let equal: Vec<usize> =
        history.column("val accuracy").iter().filter(|(_, v)| *v == most).map(|(epoch, _)| *epoch).collect();
    assert!(equal.len() > 3, "{equal:?}");
    let loss = |epoch: &usize| history.rows[epoch - 1].value("val loss").unwrap();
    let best = *equal.iter().min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap();
    assert!(best > equal[0], "the test tells the two rules apart");
    assert_eq!(epoch(&said), best);
    assert_eq!(epoch(&folder.run("eval whole").ok()), best);
    assert!(!folder.run("eval whole --model whole/last.safetensors").ok().contains("best of"));
    // In parts it is the same.
    folder.run("train net.toml -q --epochs 4 --out parts").ok();
    assert_eq!(epoch(&folder.run("train --resume parts -q --epochs 30").ok()), best);
    let bytes = |run: &str| std::fs::read(folder.path().join(run).join("best.safetensors")).unwrap();
    assert_eq!(bytes("parts"), bytes("whole"));
}

#[test]
fn a_run_stopped_early_takes_the_same_flag_again_and_goes_on_with_the_one_it_names() {
    let folder = points();
    folder.write("net.toml", file(&[COLUMNS]));
    // Nothing improves by so much, so that the run stops after the epochs of its patience.
    let flag = "--train.callbacks [{early_stop=\"val\u{20}loss\",patience=2,least=100.0}]";
    let flag = flag.split_once(' ').unwrap();
    let run = |start: &str| {
        let mut command = folder.command(start);
        crate::check_cli::Outcome::of(command.args([flag.0, flag.1]).output().unwrap())
    };
    let outcome = run("train net.toml --epochs 40 --out run");
    let all = outcome.out.clone() + &outcome.err;
    outcome.ok();
    assert_eq!(all.matches("has not improved for 2 epochs").count(), 1, "{all}");
    let rows = || folder.read("run/metrics.csv").lines().count();
    let before = rows();
    let said = run("train --resume run").ok();
    assert_eq!(rows(), before);
    assert_eq!(said.matches("has not improved for").count(), 1, "{said}");
    assert!(said.contains("`--train.callbacks.0.patience 4` lets it go on"), "{said}");
    folder.run("train --resume run --train.callbacks.0.patience 4").ok();
    assert_eq!(rows(), before + 2);
}

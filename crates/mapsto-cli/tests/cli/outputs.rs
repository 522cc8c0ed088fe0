//! What comes out: files that say what they speak of, output that cannot be written, names that would move the cursor.

use std::process::Stdio;

use crate::check_cli::{Folder, Outcome};

const NET: &str = "[data]\nset = \"csv\"\npath = \"points.csv\"\nclass = \"side\"\ndelimiter = \";\"\nbatch = 4\n\
    [model]\nlayers = [{ linear = 2 }]\n\
    [train]\nloss = \"cross_entropy\"\nmetrics = [\"accuracy\"]\nepochs = 2\n";

/// Forty points, the class told by the sign of `x`; row `i` has `y = i`.
fn points(names: [&str; 2]) -> Folder {
    let folder = Folder::new();
    let mut table = String::from("x;y;side\n");
    for i in 0..40 {
        table += &format!("{};{i};{}\n", if i % 2 == 0 { 1 } else { -1 }, names[i % 2]);
    }
    folder.write("points.csv", table).write("net.toml", NET);
    folder
}

#[test]
fn predictions_name_the_row_they_speak_of_and_the_runs_delimiter_is_used() {
    let folder = points(["left", "right"]);
    folder.run("train net.toml --epochs 1").ok();
    assert_eq!(folder.read("runs/net-1/metrics.csv").lines().count(), 2);
    let table = folder.read("runs/net-1/predictions.csv");
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0][..2], ["row", "target"]);
    assert_eq!(rows.len(), 9);
    for row in &rows[1..] {
        // Row 1 is the first one below the names.
        let at: usize = row[0].parse().unwrap();
        assert_eq!(row[1], ["left", "right"][(at - 1) % 2], "{table}");
    }
    folder.write("new.csv", "y;x\n1;2\n3;-4\n").write("new.txt", "y;x\n1;2\n");
    assert_eq!(folder.run("predict runs/net-1 new.csv").ok().lines().count(), 2);
    assert!(folder.run("predict runs/net-1 new.txt").ok().starts_with("new.txt row 1  "));
}

#[test]
fn class_names_cannot_move_the_cursor() {
    let folder = points(["a\u{1b}[2Jb", "c\u{7}\u{202e}d"]);
    let mut said = folder.run("train net.toml").ok();
    said += &folder.run("eval runs/net-1").ok();
    folder.write("new.csv", "y;x\n1;2\n");
    let answers = folder.run("predict runs/net-1 new.csv").ok();
    assert!(answers.contains("a\\u{1b}[2Jb") && answers.contains("c\\u{7}\\u{202e}d"), "{answers}");
    said += &answers;
    folder.write("net.toml", NET.replace("linear = 2", "linear = 3"));
    let refused = folder.run("train net.toml");
    assert!(refused.err.contains("a\\u{1b}[2Jb"), "{}", refused.err);
    said += &refused.err;
    said += &folder.read("runs/net-1/plots/confusion.svg");
    let moves = |c: char| c != '\n' && c != '\t' && (c.is_control() || c == '\u{202e}');
    assert!(!said.contains(moves), "{said:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure_and_the_work_is_done_all_the_same() {
    let folder = points(["left", "right"]);
    let full = |args: &str| {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        Outcome::of(folder.command(args).stdout(full).stderr(Stdio::piped()).output().unwrap())
    };
    for args in [
        "train net.toml --train.out run",
        "eval run",
        "predict run points.csv",
        "summary run",
        "render net.toml",
        "plot run",
        "doctor",
        "--help",
        "train --help",
        "--version",
    ] {
        let outcome = full(args);
        assert_eq!(outcome.code, 3, "{args}: {}", outcome.err);
        assert!(outcome.err.contains("standard output: No space left on device"), "{args}: {}", outcome.err);
    }
    assert!(folder.path().join("run/predictions.csv").is_file());
    for args in ["eval run", "--help", "summary net.toml"] {
        let mut child = folder.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let outcome = Outcome::of(child.wait_with_output().unwrap());
        assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{args}");
    }
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf8_is_a_usage_error() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = points(["left", "right"]);
    for args in [
        "train",
        "train net.toml --train.out",
        "predict runs/net-1",
        "",
        "eval",
        "new",
        "train net.toml --epochs",
    ] {
        let mut command = folder.command(args);
        command.arg(OsStr::from_bytes(b"b\xffd"));
        let outcome = Outcome::of(command.output().unwrap());
        assert_eq!(outcome.code, 2, "{args}: {}", outcome.err);
        assert!(outcome.err.contains("is not UTF-8") && !outcome.err.contains("panicked"), "{}", outcome.err);
    }
    assert_eq!(folder.names(), ["net.toml", "points.csv"]);
}

#[test]
fn flags_may_leave_out_their_section_and_words_of_others_are_answered() {
    let folder = points(["left", "right"]);
    folder.run("train net.toml --epochs 3 --batch=8 --out run").ok();
    let config = folder.read("run/config.toml");
    assert!(config.contains("epochs = 3\n") && config.contains("batch = 8\n"), "{config}");
    for (flag, help) in [
        ("--batch_size 8", "did you mean `--data.batch`?"),
        ("--learning-rate 0.1", "`--train.optimizer.adam 1e-3`"),
        ("--lr=0.1", "`--train.optimizer.adam 1e-3`"),
        ("--train.batch_size 3", "did you mean `batch` in [data]?"),
        ("--data.epochs 3", "`epochs` belongs in [train]"),
    ] {
        let outcome = folder.run(&format!("train net.toml {flag}"));
        assert_eq!(outcome.code, 2, "{flag}: {}", outcome.err);
        assert!(outcome.err.contains(help), "{flag}: {}", outcome.err);
    }
    let outcome = folder.run("train net.toml --epochs three");
    assert!(
        outcome.err.starts_with("command line:1:10: `epochs` should be a whole number"),
        "{}",
        outcome.err
    );
    let outcome = folder.run("train net.toml --optimizer.adam.x 3 --epochs");
    assert_eq!(outcome.code, 2, "{}", outcome.err);
}

#[cfg(unix)]
#[test]
fn sigterm_saves_as_ctrl_c_does() {
    let folder = points(["left", "right"]);
    let run = folder.under_way("train net.toml --epochs 1000000 --out long");
    run.signal("-TERM");
    let (code, rest) = run.end();
    assert_eq!(code, Some(130), "{rest}");
    let epochs = folder.read("long/metrics.csv").lines().count();
    folder.run(&format!("train --resume long --epochs {epochs}")).ok();
}

#[test]
fn weights_of_another_float_type_are_converted_when_asked_for() {
    use mapsto::prelude::*;
    use mapsto::training::ModelFile;
    let folder = points(["left", "right"]);
    folder.run("train net.toml --out run").ok();
    let path = |name: &str| folder.path().join(name);
    let mut file = ModelFile::read(path("run/best.safetensors")).unwrap();
    file.tensors.iter_mut().for_each(|(_, t)| *t = t.to(DType::BF16));
    file.write(path("half.safetensors")).unwrap();
    let outcome = folder.run("eval run --model half.safetensors");
    assert_eq!(outcome.code, 4);
    assert!(outcome.err.contains("f32 in the model") && outcome.err.contains("--convert"), "{}", outcome.err);
    folder.run("eval run --model half.safetensors --convert").ok();
    folder.write("other.toml", NET.replace("{ linear = 2 }", "{ linear = 3 }, \"tanh\", { linear = 2 }"));
    folder.run("train other.toml --out other").ok();
    let outcome = folder.run("eval run --model other/best.safetensors");
    assert_eq!(outcome.code, 4);
    for said in [
        "the model lacks: 2.bias, 2.weight",
        "they differ in: 0.weight: [2, 2] f32 in the model",
        "mapsto summary FILE",
    ] {
        assert!(outcome.err.contains(said), "{}", outcome.err);
    }
}

#[test]
fn a_run_judges_only_data_of_its_own_classes() {
    let folder = points(["left", "right"]);
    folder.run("train net.toml --epochs 1 --out run").ok();
    let data = folder.names().into_iter().find(|name| name.ends_with(".csv")).unwrap();
    let changed = folder.read(&data).replace("left", "middle");
    folder.write(&data, changed);
    let outcome = folder.run("eval run");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    assert!(outcome.err.contains("the model tells the classes left, right apart"), "{}", outcome.err);
}

#[test]
fn a_schedule_is_drawn_before_anything_is_trained() {
    let folder = points(["left", "right"]);
    let said = folder.run("plot --schedule net.toml --train.schedule=one_cycle --epochs 3 --svg lr.svg").ok();
    assert!(said.starts_with("learning rate over "), "{said}");
    assert!(said.contains("\nfirst 4.000000e-5, highest ") && said.contains("lr.svg"), "{said}");
    assert!(folder.read("lr.svg").contains("learning rate"));
    assert!(!folder.path().join("runs").exists());
    let said = folder.run("plot --schedule net.toml").ok();
    assert!(said.contains("first 1.000000e-3, highest 1.000000e-3 at step 0, last 1.000000e-3"), "{said}");
    assert!(!said.contains("note "), "{said}");
    // What a plateau will do is not known before the training.
    let plateau = "--train.callbacks=[{reduce_on_plateau=\"loss\"}]";
    let said = folder.run(&format!("plot --schedule net.toml {plateau}")).ok();
    assert!(
        said.contains("note   { reduce_on_plateau = \"loss\"") && said.contains("the rate until then"),
        "{said}"
    );
    let said = folder.run("plot --schedule net.toml --epochs 4 --swa={from=2,lr=5e-4,anneal=0}").ok();
    assert!(said.contains("first 1.000000e-3, highest 1.000000e-3 at step 0, last 5.000000e-4"), "{said}");
}

#[test]
fn a_report_says_what_weights_are_the_average_of() {
    let folder = points(["left", "right"]);
    let said = folder.run("train net.toml --swa 2 --epochs 3 --data.test 0.3 --out runs/swa").ok();
    assert!(said.contains("(SWA)") || said.contains("best of epoch 1"), "{said}");
    let said = folder.run("train net.toml --ema 0.9 --epochs 2 --data.test 0.3 --out runs/ema").ok();
    let average = ", weights: moving average with decay 0.9 (EMA)";
    assert!(said.contains(average), "{said}");
    let said = folder.run("eval runs/ema").ok();
    assert!(said.contains(average), "{said}");
}

//! A run from its file to its answers: train, eval, predict, plot, summary, render, resume.

use crate::check_cli::{Folder, Outcome, check_cli};

/// 120 points inside (`in`) and outside (`out`) of a ring, on a grid: no randomness, and not linearly separable.
fn ring() -> String {
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

const NET: &str = "[data]\nset = \"csv\"\npath = \"ring.csv\"\nclass = \"place\"\nbatch = 16\nstandardize = true\n\n\
    [model]\nlayers = [{ linear = 16 }, \"tanh\", { dropout = 0.1 }, { linear = 2 }]\n\n\
    [train]\nloss = \"cross_entropy\"\nmetrics = [\"accuracy\"]\noptimizer = { adam = 2e-2 }\nepochs = 30\nseed = 3\n";

fn ring_folder() -> Folder {
    let folder = Folder::new();
    folder.write("ring.csv", ring()).write("net.toml", NET);
    folder
}

/// The line of a report that begins so.
fn line<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in\n{text}"))
}

/// The number before ` %`.
fn percent(line: &str) -> f64 {
    line.split(" %").next().unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_run_in_bf16_says_so_and_learns_as_well() {
    let folder = ring_folder();
    let said = folder.run("train net.toml --train.matmul_precision bf16").ok();
    assert_eq!(line(&said, "matmul"), "matmul bf16: operands rounded to bf16 while training, sums in f32");
    assert!(percent(line(&said, "test")) > 85.0, "{said}");
    assert!(folder.read("runs/net-1/config.toml").contains("matmul_precision = \"bf16\"\n"));
    let exact = ring_folder();
    let without = exact.run("train net.toml").ok();
    assert!(!without.contains("matmul"), "{without}");
    assert_ne!(
        folder.read("runs/net-1/metrics.csv"),
        exact.read("runs/net-1/metrics.csv"),
        "nothing was rounded"
    );
}

#[test]
fn a_run_leaves_everything_and_answers_questions() {
    let folder = ring_folder();
    let said = folder.run("train net.toml").ok();
    assert!(line(&said, "data").contains("86 training samples, 10 validation, 24 test"), "{said}");
    assert!(line(&said, "model").contains("82 parameters"), "{said}");
    let accuracy = percent(line(&said, "test"));
    assert!(accuracy > 85.0, "{said}");
    for file in [
        "config.toml",
        "env.json",
        "metrics.csv",
        "metrics.jsonl",
        "best.safetensors",
        "last.safetensors",
        "predictions.csv",
        "plots/loss.svg",
        "plots/accuracy.svg",
        "plots/confusion.svg",
    ] {
        assert!(folder.path().join("runs/net-1").join(file).is_file(), "{file} is missing");
    }
    assert_eq!(folder.read("runs/net-1/metrics.csv").lines().count(), 31);
    assert_eq!(folder.read("runs/net-1/predictions.csv").lines().count(), 25);

    let found = folder.run("eval runs/net-1").ok();
    assert_eq!(percent(&found), accuracy, "{found}");

    folder.write("new.csv", "y,x,remark\n0.0,0.1,centre\n0.95,-0.95,corner\n");
    let answers = folder.run("predict runs/net-1 new.csv --top 1").ok();
    let answers: Vec<&str> = answers.lines().collect();
    assert!(
        answers[0].starts_with("new.csv row 1  in ") && answers[1].starts_with("new.csv row 2  out "),
        "{answers:?}"
    );

    std::fs::remove_dir_all(folder.path().join("runs/net-1/plots")).unwrap();
    let drawn = folder.run("plot runs/net-1").ok();
    assert!(drawn.contains("confusion.svg") && drawn.contains("loss.svg"), "{drawn}");

    let table = folder.run("summary runs/net-1").ok();
    assert_eq!(table, folder.run("summary net.toml").ok());
    assert!(line(&table, "total").split_whitespace().eq(["total", "82", "64", "200", "B"]), "{table}");
}

#[test]
fn the_same_file_gives_the_same_numbers_for_any_number_of_threads_and_workers() {
    let folder = ring_folder();
    let report = |flags: &str| {
        line(&folder.run(&format!("train net.toml --train.epochs 5 {flags}")).ok(), "test").to_string()
    };
    let loss = |report: String| report.split("  (").next().unwrap().to_string();
    let first = loss(report(""));
    assert_eq!(loss(report("--train.threads 1")), first);
    assert_eq!(loss(report("--train.threads 8 --data.workers 4")), first);
    assert_ne!(loss(report("--train.seed 4")), first);
    assert!(folder.path().join("runs/net-4").is_dir());
}

#[test]
fn what_render_prints_trains_to_the_same_numbers() {
    let folder = ring_folder();
    let rendered = folder.run("render net.toml --train.epochs 4").ok();
    assert!(rendered.contains("input = [2]") && rendered.contains("epochs = 4"), "{rendered}");
    assert!(rendered.contains("{ linear = 16, bias = true }"), "{rendered}");
    folder.write("full.toml", &rendered);
    assert_eq!(folder.run("render full.toml").ok(), rendered);
    folder.run("train net.toml --train.epochs 4").ok();
    folder.run("train full.toml").ok();
    assert_eq!(folder.read("runs/net-1/predictions.csv"), folder.read("runs/full-1/predictions.csv"));
}

#[test]
fn a_longer_run_goes_on_from_a_shorter_one_to_the_same_bits() {
    let folder = ring_folder();
    folder.run("train net.toml --train.epochs 6 --train.out whole").ok();
    folder.run("train net.toml --train.epochs 3 --train.out parts").ok();
    folder.run("train --resume parts --train.epochs 6").ok();
    assert_eq!(folder.read("parts/predictions.csv"), folder.read("whole/predictions.csv"));
    let losses = |name: &str| -> Vec<String> {
        folder.read(name).lines().map(|row| row.split(',').take(5).collect::<Vec<_>>().join(",")).collect()
    };
    assert_eq!(losses("parts/metrics.csv"), losses("whole/metrics.csv"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_the_run_can_go_on() {
    let folder = ring_folder();
    let run = folder.under_way("train net.toml --train.epochs 100000 --train.out long");
    run.signal("-INT");
    let (code, rest) = run.end();
    assert_eq!(code, Some(130), "{rest}");
    assert!(rest.contains("mapsto train --resume long"), "{rest}");
    let epochs = folder.read("long/metrics.csv").lines().count();
    folder.run(&format!("train --resume long --train.epochs {epochs}")).ok();
    assert!(folder.path().join("long/predictions.csv").is_file());
}

#[test]
fn operations_are_shown_when_asked_for() {
    let folder = ring_folder();
    let output = folder.command("summary net.toml").env("MAPSTO_DEBUG", "ops").output().unwrap();
    let shown = Outcome::of(output).err;
    let row = line(&shown, "").to_string();
    assert!(row.contains(" µs ") && shown.contains("[1, 2]") && shown.contains(".rs:"), "{shown}");
}

#[test]
fn a_folder_that_is_no_run_and_a_table_that_does_not_fit_are_named() {
    let folder = ring_folder();
    check_cli(
        &folder,
        "eval ring.csv",
        2,
        "error: ring.csv: no run folder (no config.toml in it)\n\
         help: give the folder that `mapsto train` made, such as runs/mnist-1",
    );
    folder.run("train net.toml --train.epochs 1").ok();
    folder.write("new.csv", "x,z\n1,2\n");
    check_cli(
        &folder,
        "predict runs/net-1 new.csv",
        3,
        "error: new.csv: there is no column `y`\nhelp: the columns are `x`, `z`",
    );
    folder.write("seven.png", "no image");
    let outcome = folder.run("predict runs/net-1 seven.png");
    assert_eq!(outcome.code, 4, "{}", outcome.err);
}

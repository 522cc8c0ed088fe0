//! Pre-flight: what the command says of data and model before the first step, one line each where all is well.

use crate::check_cli::Folder;

const NET: &str = "[data]\nset = \"csv\"\npath = \"table.csv\"\nclass = \"kind\"\nstandardize = true\n\n\
    [model]\nlayers = [{ linear = 8 }, \"tanh\", { linear = 2 }]\n\n\
    [train]\nloss = \"cross_entropy\"\nmetrics = [\"accuracy\"]\noptimizer = { adam = 0.01 }\nepochs = 2\n";

/// A table of two numbers and a class that both of them help to tell; `more` adds columns.
fn table(rows: usize, names: &str, more: impl Fn(usize, bool) -> String) -> String {
    let mut table = format!("a,b{names},kind\n");
    for i in 0..rows {
        let (a, b) = ((i * 37 % 101) as f64 / 101.0, (i * 61 % 103) as f64 / 103.0);
        let is_far = a + b > 1.0;
        table += &format!("{a:.4},{b:.4}{},{}\n", more(i, is_far), if is_far { "far" } else { "near" });
    }
    table
}

/// What `train` says before it trains, and that it trains.
fn said(folder: &Folder, args: &str) -> String {
    let out = folder.run(&format!("train net.toml -q {args}")).ok();
    out.lines()
        .filter(|line| ["check", "look ", "warn ", "  "].iter().any(|s| line.starts_with(s)))
        .fold(String::new(), |said, line| said + line + "\n")
}

#[test]
fn all_is_well_in_one_line_each_and_the_baselines_stand_beside_the_result() {
    let folder = Folder::new();
    folder.write("net.toml", NET).write("table.csv", table(300, "", |_, _| String::new()));
    let out = folder.run("train net.toml -q --out run --check deep").ok();
    for line in [
        "classes: 2 classes of",
        "duplicates: none among 300",
        "leakage: none of 2",
        "scale: ",
        "baselines: majority",
        "overfit: 16 samples",
    ] {
        assert!(out.contains(&format!("check  {line}")), "{line}: {out}");
    }
    assert!(!out.contains("warn") && !out.contains("look"), "{out}");
    let kept = folder.read("run/preflight.json");
    let beside = out.lines().find_map(|line| line.strip_prefix("beside ")).expect("the baselines");
    assert!(
        kept.contains(beside) && beside.contains("nearest neighbour") && beside.contains("linear model"),
        "{kept}"
    );
}

#[test]
fn it_changes_no_bit_of_the_training() {
    let folder = Folder::new();
    let net = NET.replace("\"tanh\"", "{ dropout = 0.5 }, \"batch_norm\"");
    let net = net.replace("{ dropout", "\"tanh\", { dropout").replace(", \"batch_norm\"", "");
    folder.write("net.toml", net).write("table.csv", table(120, "", |_, _| String::new()));
    let answers = |args: &str| {
        folder.run(&format!("train net.toml -q {args}")).ok();
        let answers = folder.read("run/predictions.csv");
        std::fs::remove_dir_all(folder.path().join("run")).unwrap();
        answers
    };
    let usual = answers("--out run");
    assert_eq!(usual, answers("--out run"));
    assert_eq!(usual, answers("--out run --check deep"), "a closer look changed the training");
    // The library trains without it, and to the same bits.
    let out = mapsto_experiment::Override::new("train.out", folder.path().join("run").display());
    let config = mapsto_experiment::Config::open(folder.path().join("net.toml"), &[out]).unwrap();
    let trained = config.prepare(|_| ()).unwrap().train(|trainer| trainer).unwrap();
    trained.experiment.write_predictions(trained.folder()).unwrap();
    assert_eq!(usual, folder.read("run/predictions.csv"));
}

#[test]
fn what_is_wrong_with_the_data_is_said_with_what_to_do() {
    let folder = Folder::new();
    folder.write("net.toml", NET);
    let wrong: [(&str, String); 4] = [
        (
            "warn   leakage: code tells the target",
            table(300, ",code", |_, far| format!(",{}", i32::from(far))),
        ),
        ("warn   duplicates: ", {
            let once = table(100, "", |_, _| String::new());
            let rows = once.split_once('\n').unwrap().1.to_string();
            once + &rows
        }),
        ("another target", {
            let once = table(100, "", |_, _| String::new());
            let row = once.lines().nth(1).unwrap().replace("near", "far");
            once + &format!("{row}\n{row}\n{row}\n")
        }),
        ("look   classes: class near has", {
            let all = table(400, "", |_, _| String::new());
            let (mut kept, mut far) = (String::new(), 0);
            for line in all.lines() {
                far += usize::from(line.ends_with("far"));
                if !line.ends_with("far") || far <= 8 {
                    kept += &format!("{line}\n");
                }
            }
            kept
        }),
    ];
    for (at, (line, table)) in wrong.into_iter().enumerate() {
        folder.write("table.csv", table);
        let said = said(&folder, &format!("--out run{at}"));
        assert!(said.contains(line) && said.contains("       help: "), "{line}\n{said}");
    }
}

#[test]
fn gradients_that_vanish_are_told_by_their_layers() {
    let folder = Folder::new();
    let deep = "{ linear = 8 }, \"sigmoid\", ".repeat(9);
    folder.write("net.toml", NET.replace("{ linear = 8 }, \"tanh\", ", &deep));
    folder.write("table.csv", table(200, "", |_, _| String::new()));
    let said = said(&folder, "--out run");
    assert!(said.contains("look   scale: gradients vanish") && said.contains(" (Linear)"), "{said}");
}

#[test]
fn targets_of_a_regression_that_reach_far_are_told() {
    let folder = Folder::new();
    let mut table = String::from("a,price\n");
    (0..80).for_each(|i| table += &format!("{},{}\n", i % 13, 20_000 + 700 * (i % 13)));
    let net =
        NET.replace("class = \"kind\"", "target = \"price\"").replace("{ linear = 2 }", "{ linear = 1 }");
    let net = net.replace("cross_entropy", "mse").replace("accuracy", "mae");
    folder.write("net.toml", net).write("table.csv", table);
    let out = folder.run("train net.toml -q --out run").ok();
    assert!(out.contains("look   targets: mean ") && out.contains("subtract their mean"), "{out}");
    assert!(out.contains("beside mean ") && out.contains("root mean squared error"), "{out}");
}

//! Mistakes that would train, judge or go on without a word: each is an error that names the mistake, or is said.

use std::fs;

use mapsto::prelude::*;
use mapsto::training::ModelFile;

use crate::check_cli::{Folder, Outcome};

const NET: &str = "[data]\nset = \"csv\"\npath = \"points.csv\"\nclass = \"side\"\nstandardize = true\nbatch = 8\n\n\
    [model]\nlayers = [{ linear = 4 }, \"tanh\", { linear = 2 }]\n\n\
    [train]\nloss = \"cross_entropy\"\nmetrics = [\"accuracy\"]\noptimizer = { adam = 5e-2 }\nepochs = 3\nseed = 3\n";

/// Sixty points, the class told by the sign of `x`; `z` is a number that follows it.
fn points() -> Folder {
    let folder = Folder::new();
    let mut table = String::from("x,y,z,side\n");
    for i in 0..60 {
        let x = f64::from(i % 7) - 3.2;
        table += &format!("{x},{},{},{}\n", i % 5, 2.0 * x + 1.0, if x > 0.0 { "right" } else { "left" });
    }
    folder.write("points.csv", table).write("net.toml", NET);
    folder
}

/// What training `NET` says with some texts replaced.
fn train(folder: &Folder, changes: &[(&str, &str)], flags: &str) -> Outcome {
    let text = changes.iter().fold(NET.to_string(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    folder.write("net.toml", text);
    folder.run(&format!("train net.toml -q {flags}"))
}

#[test]
fn a_last_layer_that_the_loss_would_take_for_something_else_is_refused() {
    let folder = points();
    let last = "{ linear = 2 }]";
    for (loss, end, said) in [
        ("cross_entropy", "softmax", Some("probabilities already, made by `softmax`")),
        ("cross_entropy", "log_softmax", Some("logarithms of probabilities already")),
        ("cross_entropy", "sigmoid", Some("probabilities already, made by `sigmoid`")),
        ("cross_entropy", "relu", Some("never far below 0, made by `relu`")),
        ("cross_entropy", "tanh", Some("between −1 and 1, made by `tanh`")),
        ("cross_entropy", "mish", Some("never far below 0, made by `mish`")),
        ("cross_entropy", "hardtanh", Some("between −1 and 1, made by `hardtanh`")),
        ("nll", "softmax", Some("should be log-probabilities, and `softmax` makes probabilities")),
        ("nll", "sigmoid", Some("should be log-probabilities")),
        ("nll", "leaky_relu", Some("makes numbers of any size")),
        ("nll", "log_softmax", None),
        ("cross_entropy", "leaky_relu", None),
    ] {
        let end = format!("{{ linear = 2 }}, \"{end}\"]");
        let outcome = train(&folder, &[(last, &end), ("cross_entropy", loss)], "");
        match said {
            None => drop(outcome.ok()),
            Some(said) => {
                assert_eq!(outcome.code, 2, "{loss} {end}: {}", outcome.err);
                assert!(outcome.err.contains(said) && outcome.err.contains("net.toml:9:"), "{}", outcome.err);
                assert!(outcome.err.contains("help: ") && !outcome.err.contains("::"), "{}", outcome.err);
            }
        }
    }
    let numbers = [
        ("class = \"side\"", "target = \"z\"\nfeatures = [\"x\", \"y\"]"),
        (", { linear = 2 }]", "]"),
        ("\"accuracy\"", ""),
    ];
    for (loss, end, said) in [
        ("bce_with_logits", "\"sigmoid\"", "probabilities already"),
        ("bce_with_logits", "\"softplus\"", "never far below 0"),
        ("bce", "{ linear = 1 }", "should be probabilities, and `linear` makes numbers of any size"),
        ("mse", "{ linear = 1 }, \"softmax\"", "`softmax` of one number is constant"),
        ("huber", "{ linear = 1 }, \"log_softmax\"", "`log_softmax` of one number is constant"),
        (
            "cross_entropy",
            "{ linear = 1 }",
            "`cross_entropy` tells classes apart, and the target \"z\" is a column of numbers",
        ),
        (
            "cross_entropy",
            "{ linear = 3 }",
            "`cross_entropy` tells classes apart, and the target \"z\" is a column of numbers",
        ),
    ] {
        let end = format!("\"tanh\", {{ linear = 1 }}, {end}");
        let changes = [&numbers[..], &[("\"tanh\"", &end), ("cross_entropy", loss)]].concat();
        let outcome = train(&folder, &changes, "");
        assert_eq!(outcome.code, 2, "{loss} {end}: {}", outcome.err);
        assert!(outcome.err.contains(said), "{loss} {end}: {}", outcome.err);
    }
}

#[test]
fn a_last_layer_that_can_give_none_of_the_targets_is_refused() {
    let folder = points();
    let table = folder.read("points.csv");
    let number = [("class = \"side\"", "target = \"z\"\nfeatures = [\"x\", \"y\"]"), ("\"accuracy\"", "")];
    for (last, shift, loss, refused) in [
        ("sigmoid", 100.0, "mse", true),
        ("sigmoid", 0.0, "mse", false),
        ("tanh", -50.0, "mae", true),
        ("relu", -50.0, "huber", true),
        ("relu", 50.0, "mse", false),
        ("leaky_relu", -50.0, "mse", false),
    ] {
        let shifted = |line: &str| {
            let mut cells: Vec<String> = line.split(',').map(str::to_string).collect();
            cells[2] = cells[2].parse::<f64>().map_or(cells[2].clone(), |z| (z + shift).to_string());
            cells.join(",") + "\n"
        };
        folder.write("points.csv", table.lines().map(shifted).collect::<String>());
        let end = format!("{{ linear = 1 }}, \"{last}\"]");
        let changes = [&number[..], &[("{ linear = 2 }]", &end), ("cross_entropy", loss)]].concat();
        let outcome = train(&folder, &changes, "");
        assert_eq!(outcome.code, if refused { 2 } else { 0 }, "{last} {shift}: {}", outcome.err);
        assert!(
            !refused || outcome.err.contains("ends the model and cannot give the targets"),
            "{}",
            outcome.err
        );
    }
}

#[test]
fn log_softmax_with_nll_tells_classes_apart_as_cross_entropy_does() {
    let folder = points();
    let answers = |end: &str, loss: &str, out: &str| {
        train(&folder, &[("{ linear = 2 }]", end), ("cross_entropy", loss)], &format!("--out {out}")).ok();
        folder.write("new.csv", "x,y,z\n2.5,1,6\n-2.5,1,-4\n");
        (folder.read(&format!("{out}/predictions.csv")), folder.run(&format!("predict {out} new.csv")).ok())
    };
    let scores = answers("{ linear = 2 }]", "cross_entropy", "scores");
    let logs = answers("{ linear = 2 }, \"log_softmax\"]", "nll", "logs");
    assert!(logs.0.starts_with("row,target,prediction,right,probability\n"), "{}", logs.0);
    assert!(logs.1.contains("right ") && logs.1.contains(" %"), "{}", logs.1);
    let words = |text: &str| text.split([' ', ',', '\n']).map(str::to_string).collect::<Vec<_>>();
    for (a, b) in
        words(&format!("{}{}", scores.0, scores.1)).iter().zip(words(&format!("{}{}", logs.0, logs.1)))
    {
        match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => assert!((a - b).abs() < 0.2, "{a} {b}"),
            _ => assert_eq!(*a, b),
        }
    }
}

#[test]
fn names_that_nothing_has_are_answered_before_anything_is_trained() {
    let folder = points();
    for (from, to, said) in [
        (
            "adam = 5e-2",
            "adam = 5e-2, groups = [{ \"*.bais\" = true, decay = 0.0 }]",
            "did you mean `*.bias`?",
        ),
        (
            "adam = 5e-2",
            "adam = 5e-2, groups = [{ \"0.wieght\" = true, lr = 0.1 }]",
            "did you mean `0.weight`?",
        ),
        ("epochs = 3", "epochs = 3\ncallbacks = [{ early_stop = \"val_loss\" }]", "did you mean `val loss`?"),
        (
            "epochs = 3",
            "epochs = 3\ncallbacks = [{ early_stop = \"val_acc\" }]",
            "did you mean `val accuracy`?",
        ),
        ("epochs = 3", "epochs = 3\ncallbacks = [{ best = \"acuracy\" }]", "did you mean `accuracy`?"),
    ] {
        folder.write("net.toml", NET.replace(from, to));
        let outcome = folder.run("train net.toml --out run");
        assert_eq!(outcome.code, 2, "{to}: {}", outcome.err);
        assert!(outcome.err.contains(said), "{to}: {}", outcome.err);
        assert!(!folder.path().join("run").exists(), "{to}");
    }
    let net = NET.replace("batch = 8", "batch = 8\nvalidation = 0");
    folder.write(
        "net.toml",
        net.replace("epochs = 3", "epochs = 3\ncallbacks = [{ early_stop = \"val_loss\" }]"),
    );
    let outcome = folder.run("train net.toml --out run");
    assert_eq!(outcome.code, 2, "{}", outcome.err);
    assert!(
        outcome.err.contains("hold out some samples with `validation = 0.1` in [data]"),
        "{}",
        outcome.err
    );
}

#[test]
fn a_finished_run_is_said_to_be_finished_and_does_not_grow() {
    let folder = points();
    let changes =
        [("epochs = 3", "epochs = 50\ncallbacks = [{ early_stop = \"loss\", patience = 2, least = 0.5 }]")];
    assert!(train(&folder, &changes, "--out run").ok().contains("stopped early"));
    let metrics = folder.read("run/metrics.csv");
    for _ in 0..3 {
        let said = folder.run("train --resume run -q").ok();
        assert!(
            said.contains("this run is finished, and nothing was trained: it was stopped early"),
            "{said}"
        );
        assert_eq!(folder.read("run/metrics.csv"), metrics);
    }
    let config = folder.read("run/config.toml");
    folder.write("run/config.toml", config.replace("patience = 2", "patience = 4"));
    folder.run("train --resume run -q").ok();
    assert!(folder.read("run/metrics.csv").lines().count() > metrics.lines().count());
    train(&folder, &[], "--out plain").ok();
    let said = folder.run("train --resume plain -q").ok();
    assert!(said.contains("its 3 epochs are done; `--epochs 4` goes on"), "{said}");
    let said = folder.run("train --resume plain -q --epochs 4").ok();
    assert!(!said.contains("finished"), "{said}");
}

/// Each flag of `predict`, for a model of numbers and one of classes: it is refused where it changes nothing.
#[test]
fn a_flag_of_predict_that_does_not_apply_is_refused() {
    let folder = points();
    train(&folder, &[], "--out classes").ok();
    let numbers = [
        ("class = \"side\"", "target = \"z\"\nfeatures = [\"x\", \"y\"]"),
        ("{ linear = 2 }]", "{ linear = 1 }]"),
        ("\"accuracy\"", ""),
        ("cross_entropy", "mse"),
    ];
    train(&folder, &numbers, "--out numbers").ok();
    folder.write("new.csv", "x,y,z\n2.5,1,6\n");
    for (run, flag, why) in [
        (
            "classes",
            "--invert",
            Some("`--invert` exchanges black and white in images, and new.csv is a table"),
        ),
        ("numbers", "--invert", Some("and new.csv is a table")),
        ("numbers", "--top 2", Some("`--top` says how many classes are named, and the model gives numbers")),
        ("classes", "--top 2", None),
        ("classes", "--convert", None),
        ("numbers", "--convert", None),
        ("numbers", "", None),
    ] {
        let outcome = folder.run(&format!("predict {flag} {run} new.csv"));
        match why {
            None => drop(outcome.ok()),
            Some(why) => {
                let name = flag.split(' ').next().unwrap();
                assert_eq!(outcome.code, 2, "{run} {flag}: {}", outcome.err);
                let help = format!("help: leave `{name}` out");
                assert!(outcome.err.contains(why) && outcome.err.contains(&help), "{}", outcome.err);
            }
        }
    }
}

/// Targets of any size are learnt and answered in digits that say something.
#[test]
fn small_numbers_are_not_printed_as_zeros() {
    for size in [1e-9, 1e-4, 1.0, 1e6] {
        let folder = Folder::new();
        let rows: String = (0..40).map(|i| format!("{},{}\n", i % 7, size * f64::from(i % 7 + 1))).collect();
        let net = NET.replace("class = \"side\"", "target = \"y\"").replace("\"accuracy\"", "\"mae\"");
        let net = net
            .replace("cross_entropy", "mse")
            .replace("{ linear = 2 }]", "{ linear = 1, init = \"zeros\" }]");
        let net = net.replace("5e-2", &format!("{size}")).replace("epochs = 3", "epochs = 40");
        folder.write("points.csv", format!("x,y\n{rows}")).write("net.toml", net).write("new.csv", "x\n3\n");
        let said = folder.run("train net.toml --out run").ok() + &folder.run("eval run").ok();
        for line in said.lines().filter(|line| line.contains("loss ") && line.contains("mae")) {
            for word in ["loss ", "mae "] {
                let Some(number) = line.split(word).nth(1).and_then(|rest| rest.split_whitespace().next())
                else {
                    continue;
                };
                let number = number.trim_end_matches(',').parse::<f64>();
                assert!(number.is_ok_and(|v| v != 0.0) || line.contains("epoch"), "{size}: {line}");
            }
        }
        let said = folder.run("predict run new.csv").ok();
        let answer: f64 = said.split_whitespace().last().unwrap().parse().unwrap();
        assert!(answer.abs() > 0.1 * size, "{size}: {said}");
    }
}

#[test]
fn a_run_is_judged_as_it_was_made_or_not_at_all() {
    let folder = points();
    train(&folder, &[], "--out run").ok();
    let (config, table) = (folder.read("run/config.toml"), folder.read("points.csv"));
    folder.write("new.csv", "x,y,z\n2.5,1,6\n");
    folder.run("eval run").ok();
    for (from, to, said) in [
        ("[\"x\", \"y\", \"z\"]", "[\"z\", \"y\", \"x\"]", "`data.features`"),
        ("\"tanh\"", "\"sigmoid\"", "`model.layers.1` from \"tanh\" to \"sigmoid\""),
        ("[\"standardize\"]", "[]", "`data.preprocess`"),
        ("seed = 3", "seed = 4", "`train.seed` from 3 to 4"),
        ("validation = 0.1", "validation = 0.4", "`data.validation` from 0.1 to 0.4"),
        ("\"stratified\"", "\"random\"", "`data.split`"),
    ] {
        assert!(config.contains(from), "{from}: {config}");
        folder.write("run/config.toml", config.replace(from, to));
        for command in ["eval run", "plot run", "predict run new.csv"] {
            let outcome = folder.run(command);
            assert_eq!(outcome.code, 2, "{to}: {}", outcome.err);
            assert!(outcome.err.contains("config.toml: it was edited after the run: "), "{}", outcome.err);
            assert!(outcome.err.contains(said), "{}", outcome.err);
        }
    }
    folder.write("run/config.toml", &config);
    folder.run("predict run new.csv").ok();
    // Without its state a run is known by its best model.
    fs::rename(folder.path().join("run/last.safetensors"), folder.path().join("last")).unwrap();
    for (from, to, said) in [
        ("[\"x\", \"y\", \"z\"]", "[\"z\", \"y\", \"x\"]", "the preprocessing"),
        ("\"tanh\"", "\"sigmoid\"", "\"tanh\" as layer 1, and [model] has \"sigmoid\""),
        ("seed = 3", "seed = 4", "the preprocessing"),
    ] {
        folder.write("run/config.toml", config.replace(from, to));
        let outcome = folder.run("eval run");
        assert_eq!(outcome.code, 3, "{to}: {}", outcome.err);
        assert!(outcome.err.contains("best.safetensors: the model was trained with"), "{}", outcome.err);
        assert!(outcome.err.contains(said), "{}", outcome.err);
    }
    fs::rename(folder.path().join("last"), folder.path().join("run/last.safetensors")).unwrap();
    folder.write("run/config.toml", config);
    folder.write("points.csv", table.replacen("-3.2", "-3.1", 1));
    let outcome = folder.run("eval run");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    folder.write("points.csv", table);
    folder.run("eval run").ok();
}

#[test]
fn all_that_a_resumed_run_reads_is_checked_before_it_writes() {
    let folder = points();
    train(&folder, &[], "--out run").ok();
    let at = |name: &str| folder.path().join("run").join(name);
    let (best, last) = (fs::read(at("best.safetensors")).unwrap(), fs::read(at("last.safetensors")).unwrap());
    let refused = |said: &str| {
        let before = (folder.read("run/config.toml"), folder.read("run/metrics.csv"));
        let outcome = folder.run("train --resume run --epochs 5");
        assert!(outcome.code != 0 && outcome.err.contains(said), "{}", outcome.err);
        assert_eq!((folder.read("run/config.toml"), folder.read("run/metrics.csv")), before);
    };
    fs::write(at("best.safetensors"), &best[..best.len() - 3]).unwrap();
    refused("best.safetensors");
    let mut other = ModelFile::from_bytes(&best).unwrap();
    other.tensors[0].1 = Tensor::zeros([7]);
    other.write(at("best.safetensors")).unwrap();
    refused("best.safetensors");
    fs::write(at("best.safetensors"), &best).unwrap();
    // A digit of the history, of the position, of the learning rate.
    let text = String::from_utf8_lossy(&last).into_owned();
    let history = text.find("epoch,step,lr").unwrap();
    let mut changed = 0;
    for at_byte in (history..history + 400).filter(|&i| last[i].is_ascii_digit()) {
        let mut damaged = last.clone();
        damaged[at_byte] = if damaged[at_byte] == b'7' { b'8' } else { b'7' };
        fs::write(at("last.safetensors"), damaged).unwrap();
        if changed % 12 == 0 {
            refused("last.safetensors: the file is damaged");
        }
        changed += 1;
    }
    assert!(changed > 30, "{changed}");
    fs::write(at("last.safetensors"), &last).unwrap();
    folder.run("train --resume run --epochs 5").ok();
}

#[test]
fn what_is_left_of_a_run_that_was_killed_in_its_first_epoch_is_taken_over() {
    let folder = points();
    train(&folder, &[], "--out run").ok();
    for name in [
        "best.safetensors",
        "last.safetensors",
        "metrics.csv",
        "metrics.jsonl",
        "predictions.csv",
        "report.html",
    ] {
        fs::remove_file(folder.path().join("run").join(name)).unwrap();
    }
    fs::remove_dir_all(folder.path().join("run/plots")).unwrap();
    fs::write(folder.path().join("run/.last.safetensors.17.3.tmp"), "half").unwrap();
    let outcome = folder.run("train --resume run");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    assert!(
        outcome.err.contains("`mapsto train FILE.toml --out run`, which takes the folder over"),
        "{}",
        outcome.err
    );
    train(&folder, &[], "--out run").ok();
    assert!(!folder.path().join("run/.last.safetensors.17.3.tmp").exists());
    folder.run("eval run").ok();
}

/// A file size that the system refuses stands for a full disk: the state is larger than the model.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_in_the_first_epoch_leaves_a_name_that_can_be_used_again() {
    let folder = points();
    folder.write("net.toml", NET.replace("{ linear = 4 }", "{ linear = 2000 }"));
    let limited = "trap '' XFSZ; ulimit -f 120; exec \"$0\" train net.toml -q --out run --train.accumulate 1";
    let output = std::process::Command::new("sh")
        .current_dir(folder.path())
        .args(["-c", limited, env!("CARGO_BIN_EXE_mapsto")])
        .output()
        .unwrap();
    let outcome = Outcome::of(output);
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    assert!(outcome.err.contains("last.safetensors"), "{}", outcome.err);
    assert!(!folder.path().join("run").exists(), "{:?}", folder.names());
    train(&folder, &[], "--out run").ok();
}

#[test]
fn a_folder_in_the_place_of_a_file_is_told_how_to_go_on() {
    let folder = points();
    train(&folder, &[], "--out run").ok();
    let outcome = folder.run("train run");
    assert_eq!(outcome.code, 2);
    assert!(outcome.err.contains("`mapsto train --resume run` goes on with the run"), "{}", outcome.err);
}

#[test]
fn numbers_that_grow_together_are_said_once_with_what_to_do() {
    let folder = Folder::new();
    let mut table = String::from("time,y,kind\n");
    for i in 0..60 {
        table += &format!("{},{},{}\n", 1_700_000_000 + i, 16_777_216 + i, if i < 30 { "a" } else { "b" });
    }
    folder.write("points.csv", table);
    let class = ("class = \"side\"", "class = \"kind\"");
    let said = |changes: &[(&str, &str)]| {
        let outcome = train(&folder, changes, "");
        assert_eq!(outcome.code, 0, "{}", outcome.err);
        outcome.err.matches("different values").count()
    };
    assert_eq!(said(&[class]), 0);
    assert_eq!(said(&[class, ("standardize = true\n", "")]), 2);
    let number = [
        ("class = \"side\"", "target = \"y\"\nfeatures = [\"time\"]"),
        ("{ linear = 2 }", "{ linear = 1 }"),
        ("cross_entropy", "mse"),
        ("\"accuracy\"", ""),
    ];
    assert_eq!(said(&number), 1);
}

#[test]
fn weights_of_another_float_type_answer_when_asked_to_be_converted() {
    let folder = points();
    train(&folder, &[], "--out run").ok();
    let best = folder.path().join("run/best.safetensors");
    let mut file = ModelFile::read(&best).unwrap();
    file.tensors.iter_mut().for_each(|(_, t)| *t = t.to(DType::BF16));
    file.write(&best).unwrap();
    folder.write("new.csv", "x,y,z\n2.5,1,6\n");
    let outcome = folder.run("predict run new.csv");
    assert_eq!(outcome.code, 4, "{}", outcome.err);
    assert!(outcome.err.contains("`--convert` converts them"), "{}", outcome.err);
    assert!(folder.run("predict run new.csv --convert").ok().contains("right"));
}

#[test]
fn a_small_file_that_asks_for_gigabytes_is_told_from_a_model_before_it_is_built() {
    let folder = points();
    train(&folder, &[], "--out run").ok();
    let best = folder.path().join("run/best.safetensors");
    let file = ModelFile::read(&best).unwrap();
    let text = file.info.spec.as_ref().unwrap().to_string();
    let large = text.replacen(
        "{\"linear\":4,",
        "{\"linear\":60000},{\"linear\":4000},{\"linear\":60000},{\"linear\":4,",
        1,
    );
    assert_ne!(large, text);
    let mut file = file;
    file.tensors.clear();
    let mut info = file.info.clone();
    info.spec = Some(mapsto::spec::Json::parse(&large).unwrap());
    file.with_info(info).write(&best).unwrap();
    assert!(fs::metadata(&best).unwrap().len() < 2000);
    folder.write("new.csv", "x,y,z\n2.5,1,6\n");
    let start = std::time::Instant::now();
    let outcome = folder.run("predict run new.csv");
    assert_eq!(outcome.code, 4, "{}", outcome.err);
    assert!(
        outcome.err.contains("the file lacks: 0.bias") || outcome.err.contains("the file lacks: 0.weight"),
        "{}",
        outcome.err
    );
    assert!(
        folder.run("summary run/best.safetensors").ok().contains("480,544,014"),
        "it has no memory for it, and needs none"
    );
    assert!(start.elapsed().as_secs() < 20);
}

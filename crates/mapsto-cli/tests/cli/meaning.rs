//! What a run and its files say is what they mean: a model answers as it was trained, and what contradicts itself is refused.

use std::fs;

use mapsto::spec::Json;
use mapsto::training::ModelFile;

use crate::check_cli::Folder;
use crate::images::gray;

const NET: &str = "[data]\nset = \"csv\"\npath = \"points.csv\"\nclass = \"side\"\nfeatures = [\"x\", \"y\"]\nbatch = 8\n\n\
    [model]\nlayers = [{ linear = 2 }]\n\n[train]\nloss = \"cross_entropy\"\noptimizer = { sgd = 0.1 }\nepochs = 3\nseed = 1\n";

/// Sixty points, the class told by the sign of `x`, and a small table to be asked about.
fn points() -> Folder {
    let folder = Folder::new();
    let mut table = String::from("x,y,side\n");
    for i in 0..60 {
        let x = f64::from(i % 7) - 3.2;
        table += &format!("{x},{},{}\n", i % 5, if x > 0.0 { "right" } else { "left" });
    }
    folder.write("points.csv", table).write("net.toml", NET).write("new.csv", "x,y\n2.5,1\n-0.5,4\n");
    folder
}

#[test]
fn a_run_answers_as_its_model_was_trained_whatever_became_of_its_configuration() {
    let folder = points();
    folder.run("train net.toml --out run -q").ok();
    let (config, right) = (folder.read("run/config.toml"), folder.run("predict run new.csv").ok());
    let last = fs::read(folder.path().join("run/last.safetensors")).unwrap();
    for (from, to) in [
        ("[\"x\", \"y\"]", "[\"y\", \"x\"]"),
        ("loss = { cross_entropy = true, label_smoothing = 0.0 }", "loss = \"mse\""),
    ] {
        assert!(config.contains(from), "{config}");
        folder.write("run/config.toml", config.replace(from, to));
        folder.write("run/last.safetensors", &last[..last.len() - 1]);
        let outcome = folder.run("predict run new.csv");
        assert_eq!(outcome.code, 3, "{}", outcome.err);
        assert!(outcome.err.contains("last.safetensors"), "{}", outcome.err);
        fs::remove_file(folder.path().join("run/last.safetensors")).unwrap();
        assert_eq!(folder.run("predict run new.csv").ok(), right, "{to}");
        let outcome = folder.run("eval run");
        assert_ne!(outcome.code, 0, "{to}: {}", outcome.out);
    }
}

#[test]
fn a_best_model_of_epochs_that_the_state_has_not_reached_is_none_of_the_run() {
    let folder = points();
    let best = || fs::read(folder.path().join("run/best.safetensors")).unwrap();
    folder.run("train net.toml --out run -q").ok();
    let (of_3, state) = (best(), fs::read(folder.path().join("run/last.safetensors")).unwrap());
    folder.run("train --resume run --epochs 6 -q").ok();
    assert_ne!(best(), of_3);
    // What a process leaves that is killed between its checkpoints.
    folder.write("run/last.safetensors", &state);
    for out in ["", " --out elsewhere"] {
        let of_6 = best();
        let said = folder.run(&format!("train --resume run --epochs 3{out}")).ok();
        assert!(said.contains("its 3 epochs are done") && said.contains("best of epoch 3"), "{said}");
        assert!(best() == of_3 && !folder.path().join("elsewhere").exists());
        folder.write("run/best.safetensors", of_6);
    }
}

#[test]
fn two_callbacks_that_write_one_file_are_refused() {
    let folder = points();
    let two = "metrics = [\"accuracy\"]\ncallbacks = [{ best = \"val accuracy\" }, { best = \"val loss\" }]\nepochs";
    folder.write("net.toml", NET.replace("epochs", two));
    let before = folder.names();
    let outcome = folder.run("train net.toml --out run");
    assert_eq!(outcome.code, 2, "{}", outcome.err);
    assert!(outcome.err.contains("two of them write best.safetensors"), "{}", outcome.err);
    assert_eq!(folder.names(), before);
}

#[test]
fn a_file_that_contradicts_itself_is_refused() {
    let folder = points();
    folder.run("train net.toml --out run -q").ok();
    let file = ModelFile::read(folder.path().join("run/best.safetensors")).unwrap();
    let json = |text: &str| Some(Json::parse(text).unwrap());
    let with = |change: &dyn Fn(&mut mapsto::training::ModelInfo)| {
        let mut info = file.info.clone();
        change(&mut info);
        file.clone().with_info(info).write(folder.path().join("other.safetensors")).unwrap();
    };
    let names = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
    for n in [1, 3, 4] {
        with(&|info| info.classes = names(n));
        let outcome = folder.run("predict other.safetensors new.csv");
        assert_eq!(outcome.code, 4, "{}", outcome.err);
        assert!(
            outcome.err.contains(&format!("gives 2 values, and its file names {n} class")),
            "{}",
            outcome.err
        );
    }
    for loss in ["bce", "nll"] {
        with(&|info| info.loss = json(&format!("{{\"{loss}\":true}}")));
        let outcome = folder.run("predict other.safetensors new.csv");
        assert_eq!(outcome.code, 4, "{loss}: {} {}", outcome.out, outcome.err);
        assert!(outcome.err.contains("its loss takes the outputs for"), "{}", outcome.err);
    }
    let spec = file.info.spec.as_ref().unwrap().to_string();
    let renamed = spec.replace("linear", "linaer");
    assert_ne!(renamed, spec);
    // Every entry that a file holds.
    for (what, commands) in
        [("layer", &["predict", "summary"][..]), ("loss", &["predict"]), ("step", &["predict"])]
    {
        with(&|info| match what {
            "layer" => info.spec = json(&renamed),
            "loss" => info.loss = json("{\"cross_entorpy\":true}"),
            _ => info.preprocess = json("[{\"scael\":2.0}]"),
        });
        for command in commands {
            let table = if *command == "predict" { " new.csv" } else { "" };
            let outcome = folder.run(&format!("{command} other.safetensors{table}"));
            assert_eq!(outcome.code, 4, "{what} {command}: {}", outcome.err);
            assert!(outcome.err.contains("unknown"), "{what} {command}: {}", outcome.err);
        }
    }
}

#[test]
fn a_loss_that_is_no_number_is_a_failure_once_all_is_written() {
    let folder = points();
    let numbers = NET
        .replace("class = \"side\"", "target = \"side\"\ntest = \"test.csv\"")
        .replace("cross_entropy", "mse");
    folder.write("net.toml", numbers.replace("linear = 2", "linear = 1"));
    let table = folder.read("points.csv").replace("left", "0.5").replace("right", "1.5");
    folder.write("points.csv", table).write("test.csv", "x,y,side\n1,2,3e20\n2,3,3e20\n");
    let outcome = folder.run("train net.toml --out run -q");
    assert_eq!(outcome.code, 5, "{}{}", outcome.out, outcome.err);
    assert!(
        outcome.out.contains("loss inf") && outcome.err.contains("the loss on the test samples is inf"),
        "{}",
        outcome.err
    );
    assert!(folder.path().join("run/predictions.csv").is_file());
    for command in ["eval run", "train --resume run"] {
        assert_eq!(folder.run(command).code, 5, "{command}");
    }
}

#[test]
fn predictions_are_right_by_the_threshold_of_the_metric() {
    let folder = points();
    let table = folder.read("points.csv").replace("left", "0").replace("right", "1");
    folder.write("points.csv", table);
    for (at, metric) in
        [0.05, 0.4, 0.6, 0.95].iter().flat_map(|at| ["accuracy", "f1"].map(|metric| (at, metric)))
    {
        let metrics = format!(
            "metrics = [{{ {metric} = true, threshold = {at} }}, {{ accuracy = true, threshold = {at} }}]\nepochs"
        );
        let metrics = if metric == "accuracy" {
            format!("metrics = [{{ accuracy = true, threshold = {at} }}]\nepochs")
        } else {
            metrics.replace("f1 = true", "f1 = \"macro\"")
        };
        let net = NET.replace("class =", "target =").replace("{ linear = 2 }", "{ linear = 1 }, \"sigmoid\"");
        folder.write(
            "net.toml",
            net.replace("cross_entropy", "bce").replace("epochs", &metrics).replace("= 3", "= 1"),
        );
        let said = folder.run("train net.toml --out run -q").ok();
        let table = folder.read("run/predictions.csv");
        let right = table.matches(",true,").count() as f64 / (table.lines().count() - 1) as f64;
        assert!(said.contains(&format!("accuracy {:.2} %", 100.0 * right)), "{at} {metric}: {right} {said}");
        fs::remove_dir_all(folder.path().join("run")).unwrap();
    }
}

#[test]
fn a_picture_goes_through_the_steps_of_the_training() {
    let folder = Folder::new();
    for i in 0..12_u8 {
        folder.write(&format!("bars/across/{i}.png"), gray(11, |y, x| (7 * y + 3 * x) as u8 + i));
        folder.write(&format!("bars/down/{i}.png"), gray(11, |y, x| (3 * y + 11 * x) as u8 + i));
    }
    for data in [
        "size = [8, 6]",
        "size = [8, 6]\npreprocess = [{ normalize = 0.4, std = 0.2 }, { resize = 5 }]",
        "preprocess = [{ resize = 10 }, { resize = 5 }]",
        "size = 9\npreprocess = [{ resize = 12 }]",
    ] {
        folder.write(
            "net.toml",
            format!(
                "[data]\nset = \"images\"\npath = \"bars\"\ncolor = \"gray\"\n{data}\n\n[model]\nlayers = [\"flatten\", {{ linear = 2 }}]\n\n\
                 [train]\nloss = \"cross_entropy\"\nepochs = 2\n"
            ),
        );
        folder.run("train net.toml --out run -q").ok();
        let table = folder.read("run/predictions.csv");
        for row in table.lines().skip(1) {
            let cells: Vec<&str> = row.split(',').collect();
            let probability: f64 = cells[4].parse().unwrap();
            let answer = folder.run(&format!("predict run bars/{} --top 1", cells[0])).ok();
            let wanted = format!("{} {:.1} %", cells[2], 100.0 * probability);
            assert!(answer.trim_end().ends_with(&wanted), "{data}: {wanted}, {answer}");
        }
        fs::remove_dir_all(folder.path().join("run")).unwrap();
    }
}

#[test]
fn a_class_that_alone_has_a_weight_is_found_beyond_the_first_rows() {
    let folder = points();
    for weights in ["[0, 1]", "[1, 0]"] {
        folder.write(
            "net.toml",
            NET.replace("\"cross_entropy\"", &format!("{{ cross_entropy = true, weights = {weights} }}")),
        );
        folder.write(
            "net.toml",
            folder.read("net.toml").replace("batch = 8", "batch = 60\nshuffle = false\nsplit = \"ordered\""),
        );
        folder
            .run(&format!(
                "train net.toml -q --out run{}",
                weights.len() + usize::from(weights.starts_with("[0"))
            ))
            .ok();
    }
    folder.write("net.toml", NET.replace("\"cross_entropy\"", "{ cross_entropy = true, weights = [0, 0] }"));
    assert_ne!(folder.run("train net.toml -q --out none").code, 0);
}

#[test]
fn a_finished_run_is_told_where_its_data_has_gone() {
    let folder = points();
    folder.run("train net.toml --out run -q").ok();
    fs::rename(folder.path().join("points.csv"), folder.path().join("moved.csv")).unwrap();
    assert_eq!(folder.run("eval run").code, 3);
    let said = folder.run("train --resume run --path moved.csv").ok();
    assert!(said.contains("the data is read from its new place"), "{said}");
    folder.run("eval run").ok();
    assert!(!folder.run("train --resume run --path moved.csv").ok().contains("new place"));
}

/// A terminal that was closed, a log on a full disk.
#[cfg(target_os = "linux")]
#[test]
fn progress_that_cannot_be_shown_ends_no_training() {
    let folder = points();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = folder.command("train net.toml --out run").stderr(full).output().unwrap().status;
    assert_eq!(status.code(), Some(0));
    assert_eq!(folder.read("run/metrics.csv").lines().count(), 4);
}

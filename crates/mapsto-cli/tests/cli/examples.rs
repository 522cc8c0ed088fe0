//! The examples/*.toml of the repository: what the README tells a reader to run.

use std::path::Path;

use crate::check_cli::{Folder, Outcome};

/// Runs `mapsto ARGS` in the repository's root, as the files say.
fn at_the_root(args: &str) -> Outcome {
    let mut command = Folder::new().command(args);
    Outcome::of(command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).output().unwrap())
}

#[test]
fn the_table_of_irises_is_learnt() {
    let folder = Folder::new();
    let out = folder.path().join("run");
    let said = at_the_root(&format!("train examples/tabular.toml --train.out {}", out.display())).ok();
    let test = said.lines().find(|line| line.starts_with("test")).unwrap();
    let accuracy: f64 = test.split("accuracy ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(accuracy >= 90.0, "{said}");
    assert!(out.join("best.safetensors").is_file());
}

#[test]
fn branches_and_repeats_are_learnt_and_answer() {
    let folder = Folder::new();
    let out = folder.path().join("run");
    let said = at_the_root(&format!("train examples/branches.toml --train.out {}", out.display())).ok();
    let test = said.lines().find(|line| line.starts_with("test")).unwrap();
    let accuracy: f64 = test.split("accuracy ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(accuracy >= 90.0, "{said}");
    // The run's own folder, and its file alone.
    let by_run = at_the_root(&format!("predict {} data/iris/iris.csv", out.display())).ok();
    assert!(by_run.lines().next().unwrap().contains("setosa"), "{by_run}");
    let alone = at_the_root(&format!("predict {}/best.safetensors data/iris/iris.csv", out.display())).ok();
    assert_eq!(alone, by_run);
    let table = at_the_root("summary examples/branches.toml").ok();
    assert!(table.contains("Repeat(2 × ") && table.contains("[24]"), "{table}");
}

#[test]
fn the_digit_reader_has_the_shapes_its_comments_say() {
    let table = at_the_root("summary examples/mnist.toml").ok();
    for (layer, shape) in
        [("Conv2d(1 → 32", "[32, 28, 28]"), ("Linear(3136 → 128)", "[128]"), ("Linear(128 → 10)", "[10]")]
    {
        let row = table
            .lines()
            .find(|line| line.starts_with(layer))
            .unwrap_or_else(|| panic!("no {layer} in\n{table}"));
        assert!(row.contains(shape), "{row}");
    }
    // 32·9 + 32, 64·32·9 + 64, 3136·128 + 128, 128·10 + 10 parameters; 28²·32·9 + 14²·64·32·9 + 3136·128 + 1280 MACs.
    let total = table.lines().find(|line| line.starts_with("total")).unwrap();
    assert!(total.contains("421,642") && total.contains("4,241,152"), "{total}");
}

/// A table with text, dates and missing cells, and no word on the model; then rows with a new word and an empty cell.
#[test]
fn a_table_as_people_have_it_is_learnt_with_nothing_said() {
    let folder = Folder::new();
    let out = folder.path().join("run");
    let said = at_the_root(&format!("train examples/flats.toml --train.out {}", out.display())).ok();
    let row = |name: &str| {
        let line =
            said.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{said}"));
        line.split_whitespace().map(str::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("district"), "district text 5 0 one of 5 words or another");
    assert!(row("built").starts_with("built number") && row("built").ends_with("whether missing"), "{said}");
    assert!(row("balcony").starts_with("balcony boolean 2"), "{said}");
    assert!(row("listed").starts_with("listed date"), "{said}");
    // Rents are from 250 to 2,500 with a deviation of 500; the noise of the formula is 25.
    let test = said.lines().find(|line| line.starts_with("test")).unwrap();
    let rmse: f64 = test.split("rmse ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(rmse < 100.0, "{said}");
    // The run is known again, with the layers and steps that were made for it.
    let again = at_the_root(&format!("eval {}", out.display())).ok();
    assert!(
        again.contains(&format!("rmse {}", test.split("rmse ").nth(1).unwrap().split(' ').next().unwrap())),
        "{again}"
    );
    at_the_root(&format!("train --resume {} -q --epochs 61", out.display())).ok();
    let rows = "listed;district;heating;size;built;balcony\n2024-05-01;Hafen;gas;80;1990;yes\n2024-05-01;Ostend;;80;;\n";
    folder.write("new.csv", rows);
    let new = folder.path().join("new.csv");
    for model in [out.display().to_string(), out.join("best.safetensors").display().to_string()] {
        let outcome = at_the_root(&format!("predict {model} {}", new.display()));
        assert!(
            outcome.err.contains("column `district`: 1 cell holds a word that training never met"),
            "{}",
            outcome.err
        );
        let rents: Vec<f64> =
            outcome.ok().lines().map(|line| line.rsplit("  ").next().unwrap().parse().unwrap()).collect();
        // 80 · (9 + 2.5 + 0 + 1.5 + 0.8 + 5/24) = 1121.
        assert!((rents[0] - 1121.0).abs() < 150.0 && (500.0..1500.0).contains(&rents[1]), "{rents:?}");
    }
}

//! `mapsto predict` as people ask: files, folders, patterns and standard input; every format; rows that are wrong beside those that are
//! not; labels and several numbers by their names.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use mapsto::nn::ModelSpec;
use mapsto::spec::{Entry, Json};
use mapsto::training::ModelFile;

use crate::check_cli::{Folder, Outcome};
use crate::images::gray;

/// Rows with a number, a word and all kinds of targets, which are told by `x` and `tree`.
fn table(rows: u32) -> String {
    let mut table = "id,x,tree,kind,big,red,price,weight\n".to_string();
    for i in 0..rows {
        let (x, tree) = (f64::from(i * 37 % 120) / 60.0 - 1.0, ["oak", "elm", "ash"][i as usize % 3]);
        let kind = if x > 0.3 { "high, up" } else { "low" };
        let (big, red) = (u8::from(x > -0.2), u8::from(tree == "oak"));
        table +=
            &format!("r{i},{x},{tree},\"{kind}\",{big},{red},{},{}\n", 1000.0 + 100.0 * x, 3.0 * x - 1.0);
    }
    table
}

/// A folder with that table and a run that learnt `goal` from it.
fn trained(goal: &str) -> Folder {
    let folder = Folder::new();
    let file = format!(
        "[data]\nset = 'csv'\npath = 't.csv'\nfeatures = ['x', 'tree']\n{goal}\nvalidation = 0.2\ntest = 0.2\n[train]\nepochs = 20\n"
    );
    folder.write("t.csv", table(240)).write("t.toml", file);
    folder.run("train t.toml --train.out run -q").ok();
    folder
}

/// The cells of a table of simple cells.
fn cells(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split(',').map(str::to_string).collect()).collect()
}

fn fed(folder: &Folder, args: &str, input: &str) -> Outcome {
    let mut command = folder.command(args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Outcome::of(child.wait_with_output().unwrap())
}

#[test]
fn wrong_rows_are_named_by_their_lines_and_all_others_are_answered_in_every_format() {
    let folder = trained("class = 'kind'");
    folder.write("new.csv", "tree,x,id\noak,0.9,\"a,1\"\nelm,word,b\nelm\n\noak,-0.9,c\npine,,d\n");
    for format in ["table", "csv", "json", "jsonl"] {
        let outcome = folder.run(&format!("predict run new.csv --id id --format {format}"));
        assert_eq!(outcome.code, 3, "{}", outcome.err);
        for said in [
            "new.csv:3: row 2, column `x`: `word` is not a number\nhelp: the column held numbers alone",
            "new.csv:4: the row has 1 cells, the table has 3 columns",
            "note: new.csv: column `tree`: 1 cell holds a word that training never met",
            "note: new.csv: column `x`: 1 cell is missing where none was in training",
            "error: 2 rows were not answered, 3 were answered",
        ] {
            assert!(outcome.err.contains(said), "{said}: {}", outcome.err);
        }
        match format {
            "table" => {
                let lines: Vec<&str> = outcome.out.lines().collect();
                assert_eq!(lines.len(), 3);
                assert!(lines[0].starts_with("new.csv row 1  a,1  high, up "), "{}", outcome.out);
                assert!(lines[1].starts_with("new.csv row 4  c  low "), "{}", outcome.out);
            }
            "csv" => {
                let head = "row,id,prediction,probability,\"probability high, up\",probability low\n";
                assert!(outcome.out.starts_with(head), "{}", outcome.out);
                assert!(outcome.out.contains("\n1,\"a,1\",\"high, up\",0."), "{}", outcome.out);
                assert!(outcome.out.contains("\n4,c,low,0."), "{}", outcome.out);
                assert_eq!(outcome.out.lines().count(), 4);
            }
            _ => {
                let rows: Vec<Json> = match format {
                    "json" => Json::parse(&outcome.out).unwrap().list().unwrap().to_vec(),
                    _ => outcome.out.lines().map(|line| Json::parse(line).unwrap()).collect(),
                };
                assert_eq!(rows.len(), 3);
                assert_eq!(rows[1].get("row").and_then(Json::int), Some(4));
                assert_eq!(rows[1].get("id").and_then(Json::str), Some("c"));
                assert_eq!(rows[1].get("prediction").and_then(Json::str), Some("low"));
                let shares = rows[1].get("probabilities").and_then(Json::object).unwrap();
                let sum: f64 = shares.iter().map(|(_, p)| p.number().unwrap()).sum();
                assert!((sum - 1.0).abs() < 1e-12 && shares[0].0 == "high, up");
                assert_eq!(rows[1].get("probability"), rows[1].get("probabilities").unwrap().get("low"));
            }
        }
    }
    let top = folder.run("predict run new.csv --format csv --top 1").out;
    assert!(top.starts_with("row,prediction,probability\n1,\"high, up\",0."), "{top}");
    let all = folder.run("predict run new.csv --all").out;
    assert!(all.lines().all(|line| line.contains("high, up ") && line.contains("low ")), "{all}");
}

#[test]
fn answers_do_not_depend_on_how_they_are_asked_for() {
    let folder = trained("target = 'price'");
    let new = "x,tree\n".to_string()
        + &(0..9000).map(|i| format!("{},oak\n", f64::from(i) / 9000.0)).collect::<String>();
    folder.write("new.csv", &new);
    let by_file = folder.run("predict run new.csv --format csv").ok();
    let rows = cells(&by_file);
    assert_eq!((rows[0].join(","), rows.len()), ("row,prediction".to_string(), 9001));
    // In the target's unit.
    assert!(rows[1..].iter().all(|row| (900.0..1200.0).contains(&row[1].parse::<f64>().unwrap())));
    assert_eq!(fed(&folder, "predict run - --format csv", &new).ok(), by_file);
    let lines: String =
        (0..9000).map(|i| format!("{{\"tree\":\"oak\",\"x\":{:?}}}\n", f64::from(i) / 9000.0)).collect();
    assert_eq!(fed(&folder, "predict run - --format csv", &lines).ok(), by_file);
    let lists: String = (0..9000).map(|i| format!("[{:?},\"oak\"]\n", f64::from(i) / 9000.0)).collect();
    folder.write("new.jsonl", lists);
    assert_eq!(folder.run("predict run new.jsonl --format csv").ok(), by_file);
    let said = folder.run("predict run new.csv -o answers/all.csv").ok();
    assert_eq!(
        (said.as_str(), folder.read("answers/all.csv")),
        ("9000 answers in answers/all.csv\n", by_file)
    );
    assert_eq!(fs::read_dir(folder.path().join("answers")).unwrap().count(), 1);
    // What fails as a whole leaves a file that was there alone.
    folder.write("bad.csv", "x\n1\n");
    let outcome = folder.run("predict run bad.csv -o answers/all.csv");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    assert!(outcome.err.contains("bad.csv: there is no column `tree`"), "{}", outcome.err);
    assert_eq!(folder.read("answers/all.csv").lines().count(), 9001);
}

#[test]
fn labels_and_numbers_keep_their_names_everywhere() {
    let folder = trained("labels = ['big', 'red']");
    folder.write("new.csv", "x,tree\n0.9,oak\n-0.9,elm\n");
    let predictions = cells(&folder.read("run/predictions.csv"));
    assert_eq!(
        predictions[0].join(","),
        "row,target big,target red,prediction big,prediction red,probability big,probability red"
    );
    for row in &predictions[1..] {
        for label in [0, 1] {
            let p: f64 = row[5 + label].parse().unwrap();
            assert!((0.0..=1.0).contains(&p));
            assert_eq!(row[3 + label], u8::from(p >= 0.5).to_string());
        }
    }
    let rows = cells(&folder.run("predict run new.csv --format csv").ok());
    assert_eq!(rows[0].join(","), "row,prediction big,prediction red,probability big,probability red");
    assert_eq!([&rows[1][1], &rows[1][2], &rows[2][1], &rows[2][2]], ["1", "1", "0", "0"]);
    let said = folder.run("predict run new.csv").ok();
    assert!(
        said.starts_with("new.csv row 1  big + red  of  ") && said.contains("new.csv row 2  none  of  "),
        "{said}"
    );
    let json = Json::parse(&folder.run("predict run new.csv --format json").ok()).unwrap();
    assert_eq!(json.index(0).unwrap().get("prediction").unwrap().to_string(), "[\"big\",\"red\"]");
    assert!(
        json.index(1).unwrap().get("probabilities").unwrap().get("red").and_then(Json::number).unwrap() < 0.5
    );
    folder
        .run("train t.toml --train.out named -q --train.metrics [{f1='red',multilabel=true,threshold=0.0}]")
        .ok();
    assert!(folder.read("named/metrics.csv").contains("f1 of class 1"));
    // The model file alone knows them too.
    fs::copy(folder.path().join("run/best.safetensors"), folder.path().join("m.safetensors")).unwrap();
    assert_eq!(cells(&folder.run("predict m.safetensors new.csv --format csv").ok()), rows);

    let folder = trained("target = ['price', 'weight']");
    folder.write("new.csv", "x,tree\n0.9,oak\n");
    let head = folder.read("run/predictions.csv");
    assert!(
        head.starts_with("row,target price,target weight,prediction price,prediction weight\n"),
        "{head}"
    );
    let rows = cells(&folder.run("predict run new.csv --format csv").ok());
    assert_eq!(rows[0].join(","), "row,prediction price,prediction weight");
    assert!(folder.run("predict run new.csv").ok().contains("row 1  price "));
}

#[test]
fn folders_and_patterns_are_opened_and_a_bad_picture_spoils_no_other() {
    let folder = Folder::new();
    let bar = |upright: bool, at: usize| {
        gray(12, move |y, x| if (if upright { x } else { y }) == at { 255 } else { 20 })
    };
    for i in 0..12 {
        folder
            .write(&format!("bars/lying/{i}.png"), bar(false, i))
            .write(&format!("bars/upright/{i}.png"), bar(true, i));
    }
    folder.write(
        "net.toml",
        "[data]\nset = 'images'\npath = 'bars'\ncolor = 'gray'\n[model]\nlayers = ['flatten', { linear = 2 }]\n[train]\nloss = 'cross_entropy'\nepochs = 2\n",
    );
    folder.run("train net.toml --train.out run -q").ok();
    folder.write("new/b.png", bar(true, 3)).write("new/a.png", bar(false, 3)).write("new/notes.md", "x");
    let outcome = folder.run("predict run new --format csv");
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert!(outcome.err.contains("new: left out: 1 files that are no pictures: notes.md"), "{}", outcome.err);
    let rows = cells(&outcome.out);
    assert_eq!(rows[0].join(","), "file,prediction,probability,probability lying,probability upright");
    assert_eq!((rows[1][0].as_str(), rows[2][0].as_str()), ("new/a.png", "new/b.png"));
    assert_eq!(folder.run("predict run new/*.png --format csv").ok(), outcome.out);
    assert_eq!(
        folder.run("predict run **/?.png --top 1").ok().lines().count(),
        22,
        "those of bars have two digits too"
    );
    folder.write("new/c.png", "no picture");
    let outcome = folder.run("predict run new/*.png nothing/*.png --format csv");
    assert_eq!((outcome.code, cells(&outcome.out)), (3, rows), "{}", outcome.err);
    for said in [
        "no file fits the pattern `nothing/*.png`",
        "new/c.png",
        "error: 2 files were not answered, 2 were answered",
    ] {
        assert!(outcome.err.contains(said), "{}", outcome.err);
    }
    for (asked, code, said) in [
        ("bars", 3, "bars: there is no picture in the folder"),
        ("none*.png", 3, "no file fits the pattern `none*.png`"),
        ("new --id row", 2, "`--id` names a column of a table, and there are images only"),
        ("new/a.png --format xml", 2, "possible values: table, csv, json, jsonl"),
    ] {
        let outcome = folder.run(&format!("predict run {asked}"));
        assert!(
            outcome.code == code && outcome.err.contains(said),
            "{asked}: {} {}",
            outcome.code,
            outcome.err
        );
    }
}

#[test]
fn a_model_without_columns_takes_lines_of_numbers() {
    let folder = Folder::new();
    let spec = ModelSpec::new(vec![3], vec![Entry::new("linear").with_value(1_usize)]);
    let mut model = spec.build().unwrap();
    mapsto::nn::ModuleExt::load_state_dict(
        &mut model,
        [
            ("0.weight".to_string(), mapsto::tensor![[1.0, 10.0, 100.0]]),
            ("0.bias".to_string(), mapsto::tensor![0.5]),
        ],
        &mapsto::nn::Exceptions::none(),
    )
    .unwrap();
    ModelFile::of(&model).spec(&spec).write(folder.path().join("m.safetensors")).unwrap();
    let outcome =
        fed(&folder, "predict m.safetensors - --format csv", "1 2 3\n4,5,6\n\n7 8\n[1, 1, 1]\nx 1 2\n");
    assert_eq!((outcome.code, outcome.out.as_str()), (3, "row,prediction\n1,321.5\n2,654.5\n4,111.5\n"));
    for said in [
        "standard input:4: row 3: the line has 2 numbers, the model takes 3",
        "standard input:6: row 5: `x` is not a number",
    ] {
        assert!(outcome.err.contains(said), "{}", outcome.err);
    }
}

#[test]
fn tables_are_read_as_the_one_that_was_learnt_from() {
    let folder = Folder::new();
    let rows: String = (0..80).map(|i| format!("{},5;{};{},25\n", i % 9, i % 7, 2 * (i % 9))).collect();
    let file = "[data]\nset = 'csv'\npath = 't.csv'\nheader = false\ndecimal = ','\ntarget = 'column_3'\ntest = 0.2\n[train]\nepochs = 2\n";
    folder.write("t.csv", &rows).write("t.toml", file);
    for layers in ["", "[model]\nlayers = [{ linear = 1 }]\n"] {
        folder.write(
            "t.toml",
            file.replace(
                "[train]\n",
                &format!("{layers}[train]\n{}", if layers.is_empty() { "" } else { "loss = 'mse'\n" }),
            ),
        );
        folder.run("train t.toml --train.out run -q").ok();
        folder.write("new.csv", "3,5;2;0\n1.000,5;2;0\n");
        let answers = cells(&folder.run("predict run new.csv --format csv").ok());
        assert_eq!(answers.len(), 3, "{answers:?}");
        let by_json =
            fed(&folder, "predict run - --format csv", "{\"column_1\":3.5,\"column_2\":2}\n[1000.5,2]\n");
        assert_eq!(cells(&by_json.ok()), answers);
        assert!(folder.run("eval run t.csv").ok().contains("(80 samples"));
        fs::remove_dir_all(folder.path().join("run")).unwrap();
    }
}

#[test]
fn a_model_that_gives_no_numbers_is_told_from_rows_that_are_wrong() {
    let folder = trained("target = 'price'");
    folder.write("new.csv", "x,tree\n0.9,oak\n-0.9,elm\n");
    let best = folder.path().join("run/best.safetensors");
    let mut file = ModelFile::read(&best).unwrap();
    file.tensors.iter_mut().for_each(|(_, t)| *t = &*t * f64::NAN);
    file.write(&best).unwrap();
    let outcome = folder.run("predict run new.csv");
    assert_eq!((outcome.code, outcome.out.as_str()), (5, ""), "{}", outcome.err);
    assert!(
        outcome.err.contains("new.csv:3: the model's outputs for input 1 are not finite"),
        "{}",
        outcome.err
    );
    assert!(outcome.err.contains("error: 2 rows were not answered, 0 were answered"), "{}", outcome.err);
}

#[test]
fn a_file_that_breaks_off_is_told_with_what_was_answered() {
    let folder = trained("target = 'price'");
    let rows: String =
        (0..60_000_u64).map(|i| format!("{},oak\n", (i * 7919 % 60_000) as f64 / 60_000.0)).collect();
    folder.write("new.csv", format!("x,tree\n{rows}"));
    let packed = std::process::Command::new("gzip").arg("-k").arg(folder.path().join("new.csv")).status();
    if !packed.is_ok_and(|status| status.success()) {
        println!("skipped: there is no gzip");
        return;
    }
    let whole = folder.run("predict run new.csv --format csv").ok();
    assert_eq!(folder.run("predict run new.csv.gz --format csv").ok(), whole);
    let bytes = fs::read(folder.path().join("new.csv.gz")).unwrap();
    folder.write("half.csv.gz", &bytes[..bytes.len() / 2]);
    let outcome = folder.run("predict run half.csv.gz --format csv");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    let answered = outcome.out.lines().count() - 1;
    assert!(answered > 1000 && whole.starts_with(&outcome.out));
    assert!(outcome.err.contains("half.csv.gz: "), "{}", outcome.err);
    let said = format!("error: the rest of the file was not answered, {answered} were answered");
    assert!(outcome.err.contains(&said), "{}", outcome.err);
}

/// Who asks a model has no training file: whatever is wrong with a table, no help speaks of one.
#[test]
fn helps_are_for_who_asks_and_not_for_who_trains() {
    let mixed = trained("class = 'kind'");
    let numbers = Folder::new();
    let rows: String = (0..60).map(|i| format!("{},{},{}\n", i % 7, i % 5, i % 9)).collect();
    let file = "[data]\nset = 'csv'\npath = 't.csv'\ntarget = 'y'\ntest = 0.2\n[model]\nlayers = [{ linear = 1 }]\n[train]\nloss = 'mse'\nepochs = 1\n";
    numbers.write("t.csv", format!("x,tree,y\n{rows}")).write("t.toml", file);
    numbers.run("train t.toml --train.out run -q").ok();
    for cell in [
        "word",
        "\"1,5\"",
        "",
        "NaN",
        "1e400",
        "inf",
        "9007199254740993",
        "1e39",
        "\"open",
        "\u{0}",
        "1;2",
        "a,b",
    ] {
        for folder in [&mixed, &numbers] {
            for tree in ["1", "oak"] {
                folder.write("new.csv", format!("x,tree\n1,1\n{cell},{tree}\n2,2\n"));
                let outcome = folder.run("predict run new.csv --format csv");
                assert!([0, 3].contains(&outcome.code), "{cell}: {}", outcome.err);
                assert!(
                    outcome.out.contains("\n1,") && outcome.out.contains("\n3,"),
                    "{cell}: {}",
                    outcome.out
                );
                for said in ["[data]", "features", "`class`", "`target`", "teaches", "`missing`"] {
                    assert!(!outcome.err.contains(said), "{cell}: {}", outcome.err);
                }
            }
        }
    }
    numbers.write("latin.csv", b"x,tree\n1,1\n\xe9,2\n2,2\n");
    let outcome = numbers.run("predict run latin.csv --format csv");
    assert!(outcome.err.contains("latin.csv:3: ") && !outcome.err.contains("[data]"), "{}", outcome.err);
    assert_eq!((outcome.code, outcome.out.lines().count()), (3, 3));
}

//! Mistakes that people make in files and tables: each is refused with a message that names it and a help that can be followed.

use std::fs;

use crate::check_cli::Folder;

const NET: &str = "[data]\nset = \"csv\"\npath = \"trees.csv\"\nclass = \"kind\"\nbatch = 16\nfeatures = [\"x\", \"y\"]\n\n\
    [model]\nlayers = [{ linear = 8 }, \"tanh\", { linear = 2 }]\n\n\
    [train]\nloss = \"cross_entropy\"\nmetrics = [\"accuracy\"]\noptimizer = { adam = 1e-2 }\nepochs = 1\n";

fn table() -> String {
    let rows = (0..40).map(|i| format!("{}.5,{},{},{}\n", i % 7, i % 5, ["a", "b"][i % 2], i));
    format!("x,y,kind,price\n{}", rows.collect::<String>())
}

/// Training what `net` and `table` say fails with this code and says each of these, and no folder is made.
#[track_caller]
fn check_mistake(net: &str, table: impl AsRef<[u8]>, code: i32, said: &[&str]) {
    let folder = Folder::new();
    folder.write("net.toml", net).write("trees.csv", table);
    let outcome = folder.run("train net.toml -q");
    assert_eq!(outcome.code, code, "{net}: {}", outcome.err);
    said.iter().for_each(|said| assert!(outcome.err.contains(said), "{said}:\n{}", outcome.err));
    assert!(!folder.path().join("runs").exists());
}

/// Entries within entries, as words and as tables: what is wrong with one is shown where it stands, with what helps.
#[test]
fn an_entry_within_another_is_pointed_at() {
    let adam = "{ adam = 1e-2 }";
    for (from, to, place, said) in [
        ("{ linear = 8 }", "{ linear = 8, init = \"he\" }", "net.toml:9:", "unknown initialiser `he`"),
        ("{ linear = 8 }", "{ linear = 8, init = { he = true } }", "net.toml:9:", "unknown initialiser `he`"),
        ("\"tanh\"", "{ residual = [\"tahn\"] }", "net.toml:9:", "did you mean `tanh`?"),
        (
            "\"tanh\"",
            "{ parallel = [\"tanh\", \"relu\"] }",
            "net.toml:9:",
            "write `parallel = [[\"tanh\"], [\"relu\"]]`",
        ),
        ("\"tanh\"", "{ residual = \"tanh\" }", "net.toml:9:", "write `residual = [\"tanh\"]`"),
        ("\"cross_entropy\"", "[\"cross_entropy\"]", "net.toml:12:", "write `loss = \"cross_entropy\"`"),
        ("\"cross_entropy\"", "[\"cross_entropy\", \"mse\"]", "net.toml:12:", "write `loss = \"NAME\"`"),
        ("\"cross_entropy\"", "3", "net.toml:12:", "write `loss = \"NAME\"`"),
        (adam, "[{ adam = 1e-2 }]", "net.toml:14:", "write `optimizer = { adam = 0.01 }`"),
        (
            adam,
            "{ adam = 1e-2, groups = [{ \"0.*\" = true, lrr = 0.1 }] }",
            "net.toml:14:",
            "did you mean `lr`?",
        ),
        (adam, "{ adam = 1e-2, groups = [{ \"0.*\" = 0.1 }] }", "net.toml:14:", "a group is a pattern"),
        (adam, "{ adam = 1e-2, groups = [\"0.*\"] }", "net.toml:14:", "a group is a pattern"),
        (adam, "{ adam = 1e-2, groups = [{ \"9.*\" = true, lr = 0.1 }] }", "net.toml:14:", "a group is `"),
        (
            "epochs = 1",
            "epochs = 1\nschedule = { linear_warmup = 1, then = \"cos\" }",
            "net.toml:16:33:",
            "unknown schedule `cos`",
        ),
        (
            "epochs = 1",
            "epochs = 1\nschedule = { linear_warmup = 1, then = { cosin = true } }",
            "net.toml:16:",
            "did you mean `cosine`?",
        ),
    ] {
        check_mistake(&NET.replace(from, to), table(), 2, &[place, "help: ", said]);
    }
    // The mark stands under the option and not under the layer.
    let folder = Folder::new();
    folder
        .write("net.toml", NET.replace("{ linear = 8 }", "{ linear = 8, init = \"he\" }"))
        .write("trees.csv", table());
    assert!(folder.run("train net.toml -q").err.contains("net.toml:9:25: "));
}

/// Files that do not go with a run: each message says what is wrong with it, and what to do.
#[test]
fn files_that_do_not_go_with_a_run_say_why() {
    let folder = Folder::new();
    let numbers = NET.replace("class = \"kind\"", "target = \"price\"").replace("linear = 2", "linear = 1");
    let numbers = numbers.replace("cross_entropy", "mse").replace("\"accuracy\"", "");
    folder.write("net.toml", NET).write("numbers.toml", numbers).write("trees.csv", table());
    folder.run("train net.toml -q --out classes").ok();
    folder.run("train numbers.toml -q --out numbers").ok();
    folder.write("semicolons.csv", table().replace(',', ";"));
    for (command, said) in [
        ("predict net.toml trees.csv", ["it is no model file", "the file is damaged or no safetensors file"]),
        (
            "predict classes semicolons.csv",
            ["by ',' there is one column only", "help: write ',' between its cells"],
        ),
        (
            "eval numbers --model classes/best.safetensors",
            ["tells the classes a, b apart, the data has no classes", "help: the file is of another run"],
        ),
    ] {
        let outcome = folder.run(command);
        assert_ne!(outcome.code, 0, "{command}");
        said.iter().for_each(|said| assert!(outcome.err.contains(said), "{command}: {}", outcome.err));
    }
}

/// Layers that cannot read a table's rows: each is refused at its line, with a layer that can.
#[test]
fn layers_that_take_no_rows_of_numbers_say_which_do() {
    for layer in [
        "{ lstm = 4 }",
        "{ gru = 4 }",
        "{ attention = 2 }",
        "\"positional_embedding\"",
        "{ conv2d = 4, kernel = 1 }",
        "{ max_pool2d = 1 }",
        "{ embedding = 9, size = 2 }, { lstm = 4, last = true }",
        "{ embedding = 9, size = 2 }, \"flatten\"",
    ] {
        let net = NET.replace("{ linear = 8 }", layer);
        check_mistake(&net, table(), 4, &["net.toml:9:", "help: ", "`linear`"]);
    }
}

#[test]
fn mistakes_in_a_file_are_named_with_what_helps() {
    for (from, to, code, said) in [
        (
            "batch = 16",
            "batch = \"16\"",
            2,
            &["found \"16\"", "write numbers without quotes: `batch = 16`"][..],
        ),
        ("1e-2", "\"1e-2\"", 2, &["found a word", "write numbers without quotes: 1e-2"]),
        ("\"tanh\"", "tanh", 2, &["words stand in quotes: \"tanh\""]),
        ("\"kind\"", "kind", 2, &["words stand in quotes: \"kind\""]),
        ("[\"accuracy\"]", "\"accuracy\"", 2, &["should be a list", "write `metrics = [\"accuracy\"]`"]),
        (
            "[\"x\", \"y\"]",
            "[1, 2]",
            2,
            &["a list of words in quotes, found a list of whole numbers: [1, 2]"],
        ),
        ("[\"x\", \"y\"]", "[\"x\", 2]", 2, &["found a list whose item 2 is a whole number"]),
        ("[\"x\", \"y\"]", "\"x\"", 2, &["a list of words in quotes, found a word: \"x\""]),
        (
            "\"cross_entropy\"",
            "{ cross_entropy = true, weights = [1.0, 2.0, 3.0] }",
            4,
            &["there are 3 class weights, and the outputs tell 2 classes apart"],
        ),
        (
            "[\"accuracy\"]",
            "[\"mae\"]",
            4,
            &["`mae` judges numbers, and `cross_entropy` tells classes apart"],
        ),
        ("trees.csv", "data/trees.csv", 3, &["No such file", "a path in a file is relative to that file"]),
        ("class = \"kind\"", "class = \"Kind\"", 3, &["there is no column `Kind`", "`kind`"]),
        (
            "epochs = 1",
            "epochs = 1\nschedule = { step_decay = 0 }",
            2,
            &["factor must be finite and above 0, got 0"],
        ),
        (
            "epochs = 1",
            "epochs = 1\nschedule = { exponential_decay = 0 }",
            2,
            &["factor must be finite and above 0"],
        ),
        (
            "epochs = 1",
            "epochs = 1\nschedule = { linear_warmup = 3 }",
            2,
            &["at most the 1 of the training, got 3"],
        ),
    ] {
        assert!(NET.contains(from), "{from}");
        check_mistake(&NET.replacen(from, to, 1), table(), code, said);
    }
    let fit = NET.replace("class = \"kind\"", "target = \"price\"").replace("cross_entropy", "mse");
    let fit = fit.replace("metrics = [\"accuracy\"]\n", "");
    check_mistake(
        &fit,
        table(),
        4,
        &["the model gives 2 values, and there are 1 value to fit", "{ linear = 1 }"],
    );
}

#[test]
fn mistakes_in_a_table_are_named_with_what_helps() {
    let table = table();
    for (table, code, said) in [
        (
            table.replace(",b,", ",a,"),
            3,
            &["the data has one class only, a: there is nothing to tell apart"][..],
        ),
        (
            format!("{table}1e39,1,a,1\n"),
            3,
            &["trees.csv:42: row 41, column `x`: `1e39` is too large", "standardize"],
        ),
        (format!("{table}1e309,1,a,1\n"), 3, &["row 41, column `x`: `1e309` is not a finite number"]),
        (
            format!("{table}\"1,000\",1,a,1\n"),
            3,
            &["`1,000` is not a number", "thousands with nothing between them"],
        ),
        (table.replace("x,y,kind", "x,x,kind"), 3, &["two columns are called `x`", "a name of its own"]),
        (format!("{table}1,,a,1\n"), 3, &["row 41, column `y`: the value is missing"]),
        ("x,y,kind,price\n".into(), 3, &["trees.csv: no rows"]),
        (String::new(), 3, &["trees.csv: no rows"]),
    ] {
        check_mistake(NET, table, code, said);
    }
    let fit = NET.replace("class = \"kind\"", "target = \"price\"").replace("cross_entropy", "mse");
    let fit = fit.replace("metrics = [\"accuracy\"]\n", "").replace("linear = 2", "linear = 1");
    let said = ["row 41, column `price`: `1e39` is too large", "targets are not standardized"];
    check_mistake(&fit, format!("{table}1,1,a,1e39\n"), 3, &said);
}

/// Line ends, marks and quotes of other programs, and empty lines, change nothing.
#[test]
fn tables_of_other_programs_give_the_same_model() {
    let folder = Folder::new();
    folder.write("net.toml", NET);
    let table = table();
    let quoted: String = table.lines().map(|l| format!("\"{}\"\n", l.replace(',', "\",\""))).collect();
    let mut models = [
        table.clone(),
        table.replace('\n', "\r\n"),
        format!("\u{feff}{table}"),
        quoted,
        table.replace('\n', "\n\n"),
    ]
    .map(|table| {
        folder.write("trees.csv", table);
        folder.run("train net.toml -q --out run").ok();
        let predictions = folder.read("run/predictions.csv");
        fs::remove_dir_all(folder.path().join("run")).unwrap();
        predictions
    })
    .to_vec();
    models.dedup();
    assert_eq!(models.len(), 1);
}

#[test]
fn a_cell_that_is_too_large_is_learnt_from_and_asked_about_standardized_only() {
    let folder = Folder::new();
    folder.write("net.toml", NET).write("trees.csv", format!("{}1e39,1,a,1\n", table()));
    folder.run("train net.toml -q --out run --data.standardize true").ok();
    folder.write("small.csv", "x,y\n1e38,2\n").write("large.csv", "x,y\n1,1\n1e300,2\n");
    folder.run("predict run small.csv").ok();
    let outcome = folder.run("predict run large.csv");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    let said =
        "large.csv:3: row 2, column `x`: 1e300 is too large for the 32 bits that the model computes in";
    assert!(outcome.err.contains(said), "{}", outcome.err);
}

/// A model knows the data and the split that it was trained with: another run's would have seen this one's test samples.
#[test]
fn a_model_of_another_split_is_not_scored() {
    let folder = Folder::new();
    folder.write("net.toml", NET).write("trees.csv", table());
    folder.run("train net.toml -q --out run").ok();
    folder.run("train net.toml -q --out other --seed 9").ok();
    folder.run("eval run --model run/best.safetensors").ok();
    let outcome = folder.run("eval run --model other/best.safetensors");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    assert!(
        outcome.err.contains("other/best.safetensors: the training samples are not those"),
        "{}",
        outcome.err
    );
    // Without its last state, the best model still knows its data.
    fs::remove_file(folder.path().join("run/last.safetensors")).unwrap();
    folder.run("eval run").ok();
    let config = folder.read("run/config.toml");
    folder.write("run/config.toml", config.replace("seed = 42", "seed = 43"));
    let outcome = folder.run("eval run");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    assert!(
        outcome.err.contains("run/best.safetensors: the training samples are not those"),
        "{}",
        outcome.err
    );
}

//! `mapsto lr-find`, and `"auto"` in place of a learning rate.

use crate::check_cli::Folder;

const NET: &str = "[data]\nset = \"csv\"\npath = \"table.csv\"\nclass = \"kind\"\nstandardize = true\nbatch = 16\n\n\
    [model]\nlayers = [{ linear = 8 }, \"tanh\", { dropout = 0.1 }, { linear = 2 }]\n\n\
    [train]\nloss = \"cross_entropy\"\nmetrics = [\"accuracy\"]\noptimizer = { adam = \"auto\" }\nepochs = 4\n";

/// A table of two numbers and a class that both of them help to tell.
fn table() -> String {
    let mut table = "a,b,kind\n".to_string();
    for i in 0..300 {
        let (a, b) = ((i * 37 % 101) as f64 / 101.0, (i * 61 % 103) as f64 / 103.0);
        table += &format!("{a:.4},{b:.4},{}\n", if a + b > 1.0 { "far" } else { "near" });
    }
    table
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("net.toml", NET).write("table.csv", table());
    folder
}

/// The rate that a line of the output ends or begins with.
fn after<'a>(out: &'a str, word: &str) -> &'a str {
    let line =
        out.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_else(|| panic!("{word}: {out}"));
    line.trim_start().split([' ', ',', ':']).next().unwrap()
}

#[test]
fn the_curve_is_drawn_and_a_rate_is_suggested() {
    let folder = folder();
    let out = folder.run("lr-find net.toml").ok();
    let rate: f64 = after(&out, "suggested").parse().unwrap();
    assert!((1e-4..1.0).contains(&rate), "{out}");
    assert!(out.contains(&format!("write `adam = {rate:?}` in `optimizer`")), "{out}");
    assert!(out.contains("steepest ") && out.contains("\nend       "), "{out}");
    let svg = folder.read("runs/net-lr.svg");
    assert!(svg.starts_with("<svg") && svg.contains(&format!("valley {}", after(&out, "valley"))), "{out}");
    assert_eq!(folder.names(), ["net.toml", "runs", "table.csv"]);

    // The same again, as JSON, with every step; the range is the one that is asked for.
    let json = folder.run("lr-find net.toml --format json --svg curve.svg").ok();
    assert!(json.starts_with(&format!("{{\"suggestion\":{rate:?},")), "{json}");
    assert!(json.contains("\"rates\":[1e-7,") && json.contains("\"curve\":\"curve.svg\""), "{json}");
    let json = folder.run("lr-find net.toml --format json --from 1e-4 --to 1 --steps 60").ok();
    let list = |name: &str| {
        let list = json.split(&format!("\"{name}\":[")).nth(1).unwrap().split(']').next().unwrap();
        list.split(',').map(|v| v.parse().unwrap()).collect::<Vec<f64>>()
    };
    let (rates, losses, smoothed) = (list("rates"), list("losses"), list("smoothed"));
    assert_eq!((rates.len(), losses.len(), smoothed.len()), (60, 60, 60));
    assert_eq!(rates[0], 1e-4);
    assert!((rates[59] - 1.0).abs() < 1e-12 && json.contains("\"end\":\"reached\""));
    assert!((rates[1] / rates[0] - 1e4f64.powf(1.0 / 59.0)).abs() < 1e-12);
    assert_eq!(losses[0], smoothed[0]);
}

#[test]
fn a_rate_left_to_be_found_trains_and_resumes_as_the_number_would() {
    let folder = folder();
    let out = folder.run("train net.toml -q --out auto").ok();
    let rate = after(&out, "lr ");
    assert!(out.contains(&format!("lr     {rate}, the valley of a range test")), "{out}");
    assert_eq!(after(&folder.run("lr-find net.toml").ok(), "suggested"), rate);
    let kept = folder.read("auto/config.toml");
    assert!(kept.contains(&format!("optimizer = {{ adam = {rate}, beta1 = 0.9")), "{kept}");
    // The number itself gives the same bits: the test left nothing behind.
    folder.run(&format!("train net.toml -q --out number --train.optimizer.adam {rate}")).ok();
    for file in ["predictions.csv", "config.toml"] {
        let [a, b] = ["auto", "number"].map(|run| folder.read(&format!("{run}/{file}")));
        assert_eq!(a.replace("/auto", ""), b.replace("/number", ""), "{file}");
    }
    // So does a run that is stopped and gone on with.
    folder.run("train net.toml -q --out short --epochs 2").ok();
    let out = folder.run("train --resume short -q --epochs 4").ok();
    assert!(!out.contains("range test"), "{out}");
    assert_eq!(folder.read("short/predictions.csv"), folder.read("auto/predictions.csv"));
    // `render` says what the file says, and the run what it took.
    assert!(folder.run("render net.toml").ok().contains("optimizer = { adam = \"auto\", beta1"));
    assert!(folder.run("render auto/config.toml").ok().contains(&format!("adam = {rate}, beta1")));
    let failed = folder.run("train --resume short --epochs 5 --train.optimizer.adam auto");
    assert_eq!(failed.code, 2);
    assert!(
        failed.err.contains("a resumed run goes on with the learning rate that it has"),
        "{}",
        failed.err
    );
}

#[test]
fn the_word_is_taken_in_every_spelling() {
    let folder = folder();
    let taken = |optimizer: &str| {
        folder.write("net.toml", NET.replace("{ adam = \"auto\" }", optimizer));
        let out = folder.run("train net.toml -q --out run --epochs 1").ok();
        std::fs::remove_dir_all(folder.path().join("run")).unwrap();
        after(&out, "lr ").parse::<f64>().unwrap()
    };
    let adam = taken("{ adam = \"auto\" }");
    assert_eq!(taken("{ adam = true, lr = \"auto\" }"), adam);
    assert!(taken("{ sam = { sgd = \"auto\", momentum = 0.9 } }") > 1e-4);
    assert!(
        taken("{ lookahead = { adamw = \"auto\", groups = [{ \"*.bias\" = true, decay = 0.0 }] } }") > 1e-4
    );
    // It goes with a schedule, accumulation and half precision.
    let more =
        "{ adam = \"auto\" }\nschedule = \"one_cycle\"\naccumulate = 2\nclip_norm = 1\nprecision = \"bf16\"";
    assert!(taken(more) > 1e-4);
    let plot = folder.run("plot --schedule net.toml").ok();
    assert!(plot.contains("highest"), "{plot}");
}

#[test]
fn what_cannot_be_found_is_said_with_what_to_do() {
    let folder = folder();
    let group = "{ adam = \"auto\", groups = [{ \"0.*\" = true, lr = 0.1 }] }";
    for (optimizer, args, code, said) in [
        ("{ adam = 0.1, lr = \"auto\" }", "", 2, "has the learning rate 0.1, and `lr = \"auto\"` beside it"),
        (group, "", 2, "a group has a learning rate of its own"),
        ("{ lbfgs = \"auto\" }", "", 2, "`lbfgs` compares each step with the one before"),
        ("{ adam = \"auto\" }", "--from 20", 2, "rates from 2e1 to 1e1 are no range"),
        ("{ adam = \"auto\" }", "--from few", 2, "`--from` should be a number, found `few`"),
        ("{ adam = \"auto\" }", "--steps 3", 2, "it takes 20 to 10000 steps, not 3"),
        ("{ sgd = \"auto\" }", "--to 1e-6", 3, "the loss fell at none of the rates by more than chance"),
    ] {
        folder.write("net.toml", NET.replace("{ adam = \"auto\" }", optimizer));
        let failed = folder.run(&format!("lr-find net.toml {args}"));
        assert_eq!(failed.code, code, "{optimizer} {args}: {}{}", failed.out, failed.err);
        assert!(failed.err.contains(said) && failed.err.contains("help: "), "{}", failed.err);
    }
    // The training asks for a number, and makes no folder.
    folder.write(
        "net.toml",
        NET.replace("[{ linear = 8 }, \"tanh\", { dropout = 0.1 }, { linear = 2 }]", "[{ linear = 2 }]"),
    );
    folder.write("table.csv", "a,kind\n".to_string() + &"0,far\n0,near\n".repeat(80));
    let failed = folder.run("train net.toml -q --out run");
    assert_eq!(failed.code, 3, "{}{}", failed.out, failed.err);
    assert!(failed.err.contains("help: write a number in place of \"auto\""), "{}", failed.err);
    assert!(!folder.names().contains(&"run".to_string()));
}

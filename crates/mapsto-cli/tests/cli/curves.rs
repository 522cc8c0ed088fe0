//! What `mapsto eval` says of curves, reports and residuals is what scikit-learn says (golden/make_judged.py), and what it draws are these
//! numbers; the same on new files; and what a kept temperature changes.

use std::fs;

use mapsto::Tensor;
use mapsto::spec::Json;
use mapsto::training::ModelFile;

use crate::check_cli::Folder;

const TABLE: &str = include_str!("../golden/judged.csv");
const GOLDEN: &str = include_str!("../golden/judged.json");

/// A folder with a run whose model gives the scores of the table as they are: only its weights are put in place.
fn given(goal: &str, features: &[&str], loss: &str, weights: &Tensor) -> Folder {
    let folder = Folder::new();
    let (width, columns) = (weights.shape()[0], features.join("', '"));
    let head = TABLE.lines().next().unwrap();
    let mut rows: Vec<&str> = TABLE.lines().skip(1).collect();
    rows.reverse();
    let train: String = rows.iter().map(|line| format!("{line}\n")).collect();
    let file = format!(
        "[data]\nset = 'csv'\npath = 'train.csv'\ntest = 'test.csv'\nfeatures = ['{columns}']\n{goal}\nvalidation = 0.3\n\
         [model]\nlayers = [{{ linear = {width} }}]\n[train]\nloss = '{loss}'\nepochs = 1\n"
    );
    folder.write("train.csv", format!("{head}\n{train}")).write("test.csv", TABLE).write("net.toml", file);
    folder.run("train net.toml --train.out run -q").ok();
    let best = folder.path().join("run/best.safetensors");
    let mut file = ModelFile::read(&best).unwrap();
    for (name, tensor) in &mut file.tensors {
        *tensor = if name.ends_with("weight") { weights.clone() } else { Tensor::zeros([width]) };
    }
    file.write(&best).unwrap();
    folder
}

fn golden(kind: &str) -> Json {
    Json::parse(GOLDEN).unwrap().get(kind).unwrap().clone()
}

fn eval(folder: &Folder, args: &str) -> Json {
    Json::parse(&folder.run(&format!("eval run --format json --resamples 20 {args}")).ok()).unwrap()
}

fn metric(json: &Json, name: &str) -> f64 {
    let metrics = json.get("metrics").and_then(Json::list).unwrap();
    let found = metrics.iter().find(|m| m.get("name").and_then(Json::str) == Some(name));
    found.unwrap_or_else(|| panic!("no {name} in {json}")).get("value").and_then(Json::number).unwrap()
}

/// The numbers of a list, also of lists in it; what is no number is infinite.
fn numbers(json: &Json) -> Vec<f64> {
    match json {
        Json::List(items) => items.iter().flat_map(numbers).collect(),
        item => vec![item.number().unwrap_or(f64::INFINITY)],
    }
}

#[track_caller]
fn near(found: &Json, wanted: &Json, what: &str) {
    let (found, wanted) = (numbers(found), numbers(wanted));
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (a, b) in found.iter().zip(&wanted) {
        assert!(a == b || (a - b).abs() <= 1e-12 * b.abs().max(1.0), "{what}: {a} {b}");
    }
}

/// The curves in JSON are those of scikit-learn, and those of the picture are the curves in JSON.
#[track_caller]
fn check_curves(folder: &Folder, json: &Json, golden: &Json, plots: &str) {
    let wanted = golden.get("curves").and_then(Json::list).unwrap();
    for (key, numbers, [x, y]) in [
        ("roc", &["auc", "fpr", "tpr", "thresholds"][..], ["fpr", "tpr"]),
        ("precision_recall", &["average_precision", "recall", "precision"][..], ["recall", "precision"]),
    ] {
        let found = json.get(key).and_then(Json::list).unwrap();
        assert_eq!(found.len(), wanted.len(), "{key}");
        for (found, wanted) in found.iter().zip(wanted) {
            assert_eq!(found.get("name"), wanted.get("name"));
            for name in numbers {
                near(found.get(name).unwrap(), wanted.get(name).unwrap(), name);
            }
        }
        let drawn = lines(&folder.read(&format!("run/plots/{plots}{key}.svg")));
        let curve = |json: &Json| -> Vec<(f64, f64)> {
            let of = |name: &str| self::numbers(json.get(name).unwrap());
            of(x).into_iter().zip(of(y)).collect()
        };
        for found in found {
            let points = curve(found);
            let is_it = |line: &&Vec<(f64, f64)>| {
                let mut pairs = line.iter().zip(&points);
                line.len() == points.len()
                    && pairs.all(|(a, b)| (a.0 - b.0).abs() < 0.004 && (a.1 - b.1).abs() < 0.004)
            };
            assert!(
                drawn.iter().any(|line| is_it(&line)),
                "{key} of {} is not drawn",
                found.get("name").unwrap()
            );
        }
    }
}

/// The lines of a plot of shares; its frame says where 0 and 1 are.
fn lines(svg: &str) -> Vec<Vec<(f64, f64)>> {
    let points = svg.split("<polyline").skip(1).map(|part| {
        let text = part.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let pairs = text.split_whitespace().map(|pair| pair.split_once(',').unwrap());
        pairs.map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).collect::<Vec<(f64, f64)>>()
    });
    let lines: Vec<Vec<(f64, f64)>> = points.collect();
    let frame = lines.iter().position(|line| line.len() == 5 && line[0] == line[4]).unwrap();
    let ((left, bottom), (right, top)) = (lines[frame][0], lines[frame][2]);
    let unit = |&(x, y): &(f64, f64)| ((x - left) / (right - left), (bottom - y) / (bottom - top));
    lines[frame + 1..].iter().map(|line| line.iter().map(unit).collect()).collect()
}

/// The report that scikit-learn prints stands in the text.
#[track_caller]
fn check_report(said: &str, golden: &Json) {
    let bare = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let report = bare(golden.get("report").and_then(Json::str).unwrap());
    assert!(bare(said).contains(report.trim()), "{report}\n{said}");
}

#[test]
fn three_classes_are_judged_as_scikit_learn_judges_them() {
    let folder = given("class = 'kind'", &["s0", "s1", "s2"], "cross_entropy", &Tensor::eye(3));
    let (json, golden) = (eval(&folder, ""), golden("classes"));
    for name in ["macro roc auc", "macro average precision", "log loss", "mcc"] {
        near(&Json::Float(metric(&json, name)), golden.get(name).unwrap(), name);
    }
    check_curves(&folder, &json, &golden, "");
    assert_eq!(json.get("confusion"), golden.get("confusion"));
    let bins = json.get("reliability").and_then(|r| r.index(0)).unwrap();
    for name in ["confidence", "accuracy"] {
        near(bins.get(name).unwrap(), golden.get(name).unwrap(), name);
    }
    let ece = bins.get("ece").and_then(Json::number).unwrap();
    assert!((ece - metric(&json, "ece")).abs() < 1e-12);
    let drawn = lines(&folder.read("run/plots/reliability.svg"));
    assert_eq!(drawn[1].len(), numbers(bins.get("confidence").unwrap()).len());
    for ((x, y), (p, right)) in drawn[1]
        .iter()
        .zip(numbers(bins.get("confidence").unwrap()).iter().zip(numbers(bins.get("accuracy").unwrap())))
    {
        assert!((x - p).abs() < 0.004 && (y - right).abs() < 0.004);
    }
    // The largest cell beside the diagonal is named first.
    let cells = numbers(golden.get("confusion").unwrap());
    let most = (0..9).filter(|i| i / 3 != i % 3).map(|i| cells[i] as i64).max().unwrap();
    let first = json.get("confused").and_then(|c| c.index(0)).unwrap();
    assert_eq!(first.get("count").and_then(Json::int), Some(most));
    let said = folder.run("eval run").ok();
    check_report(&said, &golden);
    assert!(said.contains(&format!("{most} of ")) && said.contains("roc auc average precision"), "{said}");
    // The same samples as a file: the same numbers, and no look.
    let again = eval(&folder, "test.csv");
    assert_eq!(again.get("look"), Some(&Json::Null));
    assert_eq!(again.get("metrics"), json.get("metrics"));
    check_curves(&folder, &again, &golden, "new/");
    let worst = |json: &Json| {
        json.get("worst").unwrap().index(0).unwrap().get("sample").unwrap().str().unwrap().to_string()
    };
    assert_eq!(worst(&again), format!("test.csv row {}", worst(&json)));
    let said = folder.run("eval run test.csv test.csv").ok();
    assert!(
        said.contains("not the sealed test set: no look at it is counted") && said.contains("(180 samples"),
        "{said}"
    );
    assert_eq!(folder.read("run/test_looks.txt"), "3\n", "the training, and two evaluations");
    folder.write("other.csv", TABLE.replace("elm", "oak"));
    let outcome = folder.run("eval run other.csv");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    assert!(outcome.err.contains("`oak` is not one of the known classes"), "{}", outcome.err);
}

#[test]
fn two_classes_are_judged_as_scikit_learn_judges_them() {
    let golden = golden("two");
    let weights = mapsto::tensor![[0.0], [1.0]];
    let folder = given("class = 'spam'", &["s0"], "cross_entropy", &weights);
    let json = eval(&folder, "");
    for name in ["macro roc auc", "average precision of class 1"] {
        near(&Json::Float(metric(&json, name)), golden.get(name).unwrap(), name);
    }
    check_curves(&folder, &json, &golden, "");
    check_report(&folder.run("eval run").ok(), &golden);
    let metrics = json.get("metrics").unwrap().to_string();
    assert!(!metrics.contains("macro average precision"), "{metrics}");
}

#[test]
fn labels_are_judged_as_scikit_learn_judges_them() {
    let golden = golden("labels");
    let folder = given("labels = ['a', 'b', 'c']", &["s0", "s1", "s2"], "bce_with_logits", &Tensor::eye(3));
    let json = eval(&folder, "");
    for name in ["macro roc auc", "macro average precision"] {
        near(&Json::Float(metric(&json, name)), golden.get(name).unwrap(), name);
    }
    check_curves(&folder, &json, &golden, "");
    check_report(&folder.run("eval run test.csv").ok(), &golden);
}

#[test]
fn rankings_are_judged_by_the_metrics_that_the_training_file_names() {
    let golden = golden("labels");
    let metrics = "\nmetrics = ['ndcg', { ndcg = 2 }, { recall_at_k = 2 }, 'mrr']";
    let folder = given(
        "labels = ['a', 'b', 'c']",
        &["s0", "s1", "s2"],
        &format!("bce_with_logits'{metrics}\n#"),
        &Tensor::eye(3),
    );
    let json = eval(&folder, "");
    for name in ["ndcg", "ndcg@2"] {
        near(&Json::Float(metric(&json, name)), golden.get(name).unwrap(), name);
    }
    for name in ["recall@2", "mrr"] {
        assert!((0.3..=1.0).contains(&metric(&json, name)), "{name}: {json}");
    }
    let said = folder.run("eval run --resamples 50").ok();
    let line = said.lines().find(|line| line.starts_with("mrr ")).unwrap();
    assert!(line.contains(" to "), "{line}");
}

#[test]
fn numbers_are_judged_as_numpy_judges_them() {
    let golden = golden("numbers");
    let folder = given("target = 'number'", &["s0"], "mse", &Tensor::ones([1, 1]));
    let json = eval(&folder, "");
    for name in ["mae", "r2", "rmse"] {
        let name =
            if json.to_string().contains(&format!("\"{name}\"")) { name } else { "mean absolute error" };
        near(&Json::Float(metric(&json, name)), golden.get(name).unwrap_or(golden.get("mae").unwrap()), name);
    }
    let off = json.get("residuals").and_then(|r| r.index(0)).unwrap();
    assert_eq!(off.get("name").and_then(Json::str), Some("number"));
    for name in ["mean", "std", "quantiles", "points"] {
        near(off.get(name).unwrap(), golden.get(name).unwrap(), name);
    }
    let svg = folder.read("run/plots/residuals.svg");
    assert_eq!(svg.matches("<circle").count(), 180, "each sample in two clouds");
    let said = folder.run("eval run test.csv").ok();
    assert!(said.contains("residuals of number (predicted − true): mean "), "{said}");
}

#[test]
fn a_temperature_that_is_kept_changes_probabilities_and_no_answer() {
    // Scores three times as large are too sure.
    let folder = given("class = 'kind'", &["s0", "s1", "s2"], "cross_entropy", &(Tensor::eye(3) * 3.0));
    let ask = || {
        let json = Json::parse(&folder.run("predict run test.csv --format json").ok()).unwrap();
        json.list().unwrap().to_vec()
    };
    let before = ask();
    let judged = eval(&folder, "");
    let calibration = judged.get("calibration").unwrap();
    assert_eq!(calibration.get("kept").and_then(Json::bool), Some(false));
    let outcome = folder.run("eval run --calibrate --resamples 20");
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert!(outcome.err.contains("run/best.safetensors keeps the temperature"), "{}", outcome.err);
    assert!(outcome.out.contains("the model file keeps this temperature"), "{}", outcome.out);
    let file = ModelFile::read(folder.path().join("run/best.safetensors")).unwrap();
    let t = file.info.temperature.unwrap();
    assert_eq!(calibration.get("temperature").and_then(Json::number), Some(t));
    assert!(t > 1.5, "{t}");
    let after = ask();
    let outcome = folder.run("predict run test.csv");
    assert!(
        outcome.err.contains("the probabilities are calibrated: logits are divided by"),
        "{}",
        outcome.err
    );
    for (a, b) in before.iter().zip(&after) {
        assert_eq!(a.get("prediction"), b.get("prediction"));
        let logs = |json: &Json| -> Vec<f64> {
            let all = json.get("probabilities").and_then(Json::object).unwrap();
            all.iter().map(|(_, p)| p.number().unwrap().ln()).collect()
        };
        let (a, b) = (logs(a), logs(b));
        for i in 1..3 {
            assert!(((a[i] - a[0]) - t * (b[i] - b[0])).abs() < 1e-9, "{a:?} {b:?} {t}");
        }
    }
    // What is judged is the model as it is: only the calibration says what the temperature does.
    let again = eval(&folder, "");
    assert_eq!(again.get("metrics"), judged.get("metrics"));
    let kept = again.get("calibration").unwrap();
    assert_eq!(kept.get("kept").and_then(Json::bool), Some(true));
    let number = |name: &str| kept.get(name).and_then(Json::number).unwrap();
    assert!(number("log_loss_scaled") < number("log_loss"), "{kept}");
    assert_eq!(again.get("reliability").unwrap().list().unwrap().len(), 2);
    assert_eq!(metric(&again, "log loss"), number("log_loss"));
    // The run goes on being one: it is gone on with, plotted and summarised.
    folder.run("plot run").ok();
    folder.run("summary run").ok();
    folder.run("eval run --calibrate=off").ok();
    assert_eq!(ask(), before);
    let outcome = folder.run("eval run --calibrate=off");
    assert!(outcome.code == 2 && outcome.err.contains("the model is not calibrated"), "{}", outcome.err);
    // A model of numbers has no probabilities.
    let folder = given("target = 'number'", &["s0"], "mse", &Tensor::ones([1, 1]));
    let outcome = folder.run("eval run --calibrate");
    assert!(outcome.code == 2 && outcome.err.contains("the model tells none apart"), "{}", outcome.err);
    assert!(fs::read(folder.path().join("run/best.safetensors")).is_ok());
}

#[test]
fn pictures_and_idx_files_that_are_new_are_judged_too() {
    let bar = |upright: bool, at: usize| {
        crate::images::gray(12, move |y, x| if (if upright { x } else { y }) == at { 255 } else { 20 })
    };
    let folder = Folder::new();
    for i in 0..12 {
        folder.write(&format!("bars/lying/{i}.png"), bar(false, i));
        folder.write(&format!("bars/upright/{i}.png"), bar(true, i));
        folder.write(&format!("new/upright/{i}.png"), bar(true, i));
    }
    folder.write(
        "net.toml",
        "[data]\nset = 'images'\npath = 'bars'\ncolor = 'gray'\n[model]\nlayers = ['flatten', { linear = 16 }, 'relu', { linear = 2 }]\n\
         [train]\nloss = 'cross_entropy'\nmetrics = ['accuracy']\noptimizer = { adam = 0.02 }\nepochs = 40\n",
    );
    folder.run("train net.toml --train.out run -q").ok();
    // One class of two: it keeps its number, and curves need both.
    let json = eval(&folder, "new");
    assert_eq!(json.get("samples").and_then(Json::int), Some(12));
    assert_eq!(json.get("confusion").unwrap().index(0).unwrap().to_string(), "[0,0]");
    let answers = folder.run("predict run new/upright --format csv").ok();
    let right = answers.lines().filter(|line| line.contains(",upright,")).count() as f64 / 12.0;
    assert!(metric(&json, "accuracy") == right && json.get("roc").is_none(), "{json}");
    let worst =
        json.get("worst").unwrap().index(0).unwrap().get("sample").and_then(Json::str).unwrap().to_string();
    assert!(worst.starts_with("new/upright/") && worst.ends_with(".png"), "{worst}");
    folder.write("odd/slanted/1.png", bar(true, 1)).write("odd/upright/1.png", bar(true, 1));
    let outcome = folder.run("eval run odd");
    assert!(outcome.code == 3 && outcome.err.contains("the run knows no class `slanted`"), "{}", outcome.err);

    // Three kinds of small pictures, laid out as MNIST's files are.
    let idx = |n: u32, labels: bool| -> Vec<u8> {
        let dims: &[u32] = if labels { &[n] } else { &[n, 4, 4] };
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        dims.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
        for i in 0..n {
            match labels {
                true => bytes.push((i % 3) as u8),
                false => bytes.extend((0..16).map(|p| if p % 4 == i % 3 { 200 } else { (i * p % 50) as u8 })),
            }
        }
        bytes
    };
    for (part, n) in [("train", 90), ("t10k", 30)] {
        folder.write(&format!("small/{part}-images-idx3-ubyte"), idx(n, false));
        folder.write(&format!("small/{part}-labels-idx1-ubyte"), idx(n, true));
    }
    folder.write(
        "small.toml",
        "[data]\nset = 'idx'\npath = 'small'\nclasses = 3\n[model]\nlayers = ['flatten', { linear = 3 }]\n\
         [train]\nloss = 'cross_entropy'\nmetrics = ['accuracy']\nepochs = 2\n",
    );
    folder.run("train small.toml --train.out run2 -q").ok();
    let of = |args: &str| {
        let said = folder.run(&format!("eval run2 --format json --resamples 20 {args}")).ok();
        Json::parse(&said).unwrap()
    };
    let [sealed, folder_of_four, two_files] =
        ["", "small", "small/t10k-images-idx3-ubyte small/t10k-labels-idx1-ubyte"].map(of);
    for json in [&folder_of_four, &two_files] {
        assert_eq!(json.get("metrics"), sealed.get("metrics"));
        assert_eq!((json.get("look"), json.get("confusion")), (Some(&Json::Null), sealed.get("confusion")));
    }
    assert_eq!(sealed.get("roc").and_then(Json::list).unwrap().len(), 3);
    let outcome = folder.run("eval run2 small small.toml");
    assert!(outcome.code == 2 && outcome.err.contains("nor folders"), "{}", outcome.err);
}

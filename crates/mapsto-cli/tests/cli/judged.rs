//! `mapsto eval` beyond loss and metrics: intervals, the report of classes, the worst samples, JSON, and how often the test set was seen.

use mapsto::spec::Json;

use crate::check_cli::Folder;

/// A table of points whose class, or number, is told by `x`, with some that are told wrongly.
fn points() -> Folder {
    let folder = Folder::new();
    let mut table = "x,y,class,number\n".to_string();
    for i in 0..120 {
        let (x, y) = (f64::from(i * 37 % 120) / 60.0 - 1.0, f64::from(i * 53 % 120) / 60.0 - 1.0);
        let class = if (x > 0.0) != (i % 9 == 0) { "right" } else { "left" };
        table += &format!("{x},{y},{class},{}\n", 3.0 * x + y + f64::from(i % 5));
    }
    let file = |target: &str, end: &str| {
        format!(
            "[data]\nset = 'csv'\npath = 'points.csv'\nfeatures = ['x', 'y']\n{target}\nvalidation = 0.25\ntest = 0.25\nbatch = 16\n\
             [model]\nlayers = [{{ linear = 16 }}, 'tanh', {{ linear = {end} }}]\n"
        )
    };
    let train = "optimizer = { adam = 0.05 }\nepochs = 30\n";
    folder
        .write("points.csv", table)
        .write(
            "class.toml",
            file("class = 'class'", "2")
                + "[train]\nloss = 'cross_entropy'\nmetrics = ['accuracy', { fbeta = 'weighted', beta = 2.0 }]\n"
                + train,
        )
        .write("number.toml", file("target = 'number'", "1") + "[train]\nloss = 'mse'\nmetrics = ['mae', 'r2', 'max_error']\n" + train);
    folder
}

/// The rows of `predictions.csv` below the heading.
fn predictions(folder: &Folder, run: &str) -> Vec<Vec<String>> {
    let table = folder.read(&format!("{run}/predictions.csv"));
    table.lines().skip(1).map(|line| line.split(',').map(str::to_string).collect()).collect()
}

fn metric(json: &Json, name: &str) -> (f64, Option<[f64; 2]>) {
    let metrics = json.get("metrics").and_then(Json::list).unwrap();
    let of = |m: &&Json| m.get("name").and_then(Json::str) == Some(name);
    let found = metrics.iter().find(of).unwrap_or_else(|| panic!("no {name} in {json}"));
    let bounds = found.get("interval").and_then(Json::list);
    let bounds = bounds.map(|b| [b[0].number().unwrap(), b[1].number().unwrap()]);
    (found.get("value").and_then(Json::number).unwrap(), bounds)
}

#[test]
fn classes_are_reported_with_intervals_and_each_look_is_counted() {
    let folder = points();
    folder.run("train class.toml --train.out run").ok();
    let said = folder.run("eval run").ok();
    for part in
        ["precision    recall  f1-score   support", "weighted avg", "macro avg", "roc auc", "worst samples"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(
        said.contains("95 % intervals of 1000 bootstrap draws, which keep the number of each class"),
        "{said}"
    );
    // The training looked first.
    assert!(said.ends_with("this is look 2 at the test set\n"), "{said}");
    let json = Json::parse(&folder.run("eval run --format json --resamples 200").ok()).unwrap();
    assert_eq!(json.get("look").and_then(Json::int), Some(3));
    let rows = predictions(&folder, "run");
    let right = rows.iter().filter(|row| row[1] == row[2]).count() as f64 / rows.len() as f64;
    let (accuracy, interval) = metric(&json, "accuracy");
    assert_eq!(accuracy, right);
    let [low, high] = interval.unwrap();
    assert!(low < accuracy && accuracy < high && high <= 1.0, "{json}");
    for name in
        ["weighted f2", "macro f1", "mcc", "log loss", "macro roc auc", "average precision of class 1", "ece"]
    {
        assert!(metric(&json, name).0.is_finite(), "{name}");
    }
    assert_eq!(metric(&json, "ece").1, None, "draws of a calibration error are biased");
    let report = json.get("report").and_then(Json::list).unwrap();
    assert_eq!(report.len(), 4, "two classes and two averages");
    let support = |at: usize| report[at].get("support").and_then(Json::int).unwrap();
    assert_eq!(support(0), rows.iter().filter(|row| row[1] == "left").count() as i64);
    assert_eq!(support(3) as usize, rows.len());
    // The worst sample is one that is wrong, named by its row.
    let worst = json.get("worst").and_then(|worst| worst.index(0)).unwrap();
    let name = worst.get("sample").and_then(Json::str).unwrap();
    let row = rows.iter().find(|row| row[0] == name).unwrap();
    assert_ne!(row[1], row[2], "{json}");
    assert_eq!(worst.get("truth").and_then(Json::str), Some(&*row[1]));
    // The same seed, the same intervals.
    let again = Json::parse(&folder.run("eval run --format json --resamples 200").ok()).unwrap();
    assert_eq!(metric(&again, "mcc"), metric(&json, "mcc"));
    let outcome = folder.run("eval run --format xml");
    assert!(outcome.code == 2 && outcome.err.contains("possible values: table, json"), "{}", outcome.err);
    folder.write("run/test_looks.txt", "many");
    let outcome = folder.run("eval run");
    assert!(outcome.err.contains("\"many\" is no number of looks"), "{}", outcome.err);
}

#[test]
fn numbers_have_intervals_and_their_largest_errors() {
    let folder = points();
    folder.run("train number.toml --train.out run").ok();
    let json = Json::parse(&folder.run("eval run --format json").ok()).unwrap();
    let rows = predictions(&folder, "run");
    let errors =
        || rows.iter().map(|row| (row[1].parse::<f64>().unwrap() - row[2].parse::<f64>().unwrap()).abs());
    let (mae, interval) = metric(&json, "mae");
    assert!((mae - errors().sum::<f64>() / rows.len() as f64).abs() < 1e-6);
    let [low, high] = interval.unwrap();
    assert!(low < mae && mae < high, "{json}");
    assert_eq!(metric(&json, "max error").1, None, "no draw has a larger error than the samples");
    assert!(metric(&json, "r2").0 < 1.0 && metric(&json, "rmse").0 >= mae);
    let worst = json.get("worst").and_then(Json::list).unwrap();
    let losses: Vec<f64> = worst.iter().map(|w| w.get("loss").and_then(Json::number).unwrap()).collect();
    assert!((losses[0] - errors().fold(0.0, f64::max)).abs() < 1e-5);
    assert!(losses.windows(2).all(|pair| pair[0] >= pair[1]) && losses.len() == 10);
    assert!(json.get("report").is_none() && json.get("calibration").is_none());
    assert!(folder.run("eval run").ok().contains("off by"));
}

#[test]
fn a_metric_that_takes_probabilities_for_logits_is_refused() {
    let folder = points();
    let outcome = folder.run("train class.toml --train.metrics [{brier=true,outputs='probabilities'}]");
    assert_eq!(outcome.code, 2, "{}", outcome.err);
    assert!(outcome.err.contains("for probabilities, and `cross_entropy` for logits"), "{}", outcome.err);
    assert!(outcome.err.contains("outputs = \"logits\""), "{}", outcome.err);
    let outcome = folder.run("train number.toml --train.metrics ['roc_auc']");
    assert_eq!(outcome.code, 2, "{}", outcome.err);
    assert!(outcome.err.contains("judges probabilities"), "{}", outcome.err);
}

#[test]
fn a_metric_that_takes_logarithms_for_numbers_is_refused() {
    let mut table = "x,count\n".to_string();
    (0..60).for_each(|i| table += &format!("{},{}\n", i % 7, i % 5));
    let config = "[data]\nset = 'csv'\npath = 'counts.csv'\ntarget = 'count'\nvalidation = 0.25\nbatch = 16\n\
                  [model]\nlayers = [{ linear = 1 }]\n[train]\nloss = 'poisson_nll'\nmetrics = ['mae']\noptimizer = { sgd = 0.01 }\nepochs = 1\n";
    let folder = Folder::new();
    folder.write("counts.csv", table).write("counts.toml", config);
    let outcome = folder.run("train counts.toml");
    assert_eq!(outcome.code, 2, "{}", outcome.err);
    assert!(outcome.err.contains("`poisson_nll` takes them for logarithms of these"), "{}", outcome.err);
    assert!(outcome.err.contains("log_input = false"), "{}", outcome.err);
    folder.run("train counts.toml --train.metrics ['spearman']").ok();
}

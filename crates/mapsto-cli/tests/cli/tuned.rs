//! `mapsto tune`: trials, the journal, going on after a kill to the same result, the best as a run and as a file, refused ranges.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use mapsto::spec::Json;

use crate::check_cli::Folder;

const TUNE: &str = "[tune]\ntrials = 6\nseed = 5\nsearch = 'random'\nby = 'loss'\n\
                    \"train.optimizer.adam\" = { log = [1e-4, 1e-1] }\n\"model.layers.0.linear\" = [4, 8, 16]\n";

/// Points on two rings, which a line does not tell apart, and a file that says ranges.
fn rings(tune: &str) -> Folder {
    let folder = Folder::new();
    let row = |i: usize| {
        let (r, a) = (if i.is_multiple_of(2) { 1.0 } else { 2.0 }, i as f64 * 0.77);
        format!("{:.4},{:.4},{}\n", r * a.cos(), r * a.sin(), ["in", "out"][i % 2])
    };
    let table: String = (0..160).map(row).collect();
    folder.write("rings.csv", format!("x,y,class\n{table}")).write(
        "rings.toml",
        "[data]\nset = 'csv'\npath = 'rings.csv'\nclass = 'class'\nvalidation = 0.2\ntest = 0.2\nbatch = 16\n\
         [model]\nlayers = [{ linear = 8 }, 'tanh', { linear = 2 }]\n[train]\nloss = 'cross_entropy'\n\
         metrics = ['accuracy']\noptimizer = { adam = 0.01 }\nepochs = 6\n"
            .to_string() + tune,
    );
    folder
}

/// The journal without times.
fn journal(folder: &Folder, name: &str) -> Vec<String> {
    let text = folder.read(&format!("{name}/trials.jsonl"));
    text.lines().map(|line| line.split(",\"seconds\"").next().unwrap().to_string()).collect()
}

fn number(line: &str, key: &str) -> f64 {
    Json::parse(&format!("{line}}}")).unwrap().get(key).unwrap().number().unwrap()
}

#[test]
fn the_best_trial_is_a_run_and_a_file() {
    let folder = rings(TUNE);
    let out = folder.run("tune rings.toml").ok();
    for word in [
        "2 keys  6 trials at random, 6 epochs each, judged by val loss",
        "best so far",
        "optimizer.adam",
        "test   loss",
    ] {
        assert!(out.contains(word), "{word} is missing:\n{out}");
    }
    let name = "runs/rings-tune-1";
    let lines = journal(&folder, name);
    assert_eq!(lines.len(), 7, "{lines:?}");
    let losses: Vec<f64> = lines[1..].iter().map(|line| number(line, "score")).collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let best = losses.iter().position(|loss| *loss == least).unwrap() + 1;
    assert!(out.contains(&format!("best   trial {best}: val loss {least:.4}")), "{out}");
    // The table of the end has them from the best to the worst, and the file has every digit.
    let table: Vec<&str> = out
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("trial  epochs"))
        .skip(1)
        .take(6)
        .collect();
    assert_eq!(table[0].split_whitespace().next().unwrap(), best.to_string(), "{out}");
    let csv = folder.read(&format!("{name}/trials.csv"));
    assert_eq!(csv.lines().count(), 7);
    assert!(
        csv.starts_with("trial,epochs,train.optimizer.adam,model.layers.0.linear,val loss,seconds,failed\n"),
        "{csv}"
    );
    assert!(csv.lines().nth(best).unwrap().contains(&format!(",{least:?},")), "{csv}");
    // One run is left, complete, with the loss that the journal says.
    let mut runs: Vec<String> = fs::read_dir(folder.path().join(name))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|file| !file.starts_with('.'))
        .collect();
    runs.sort();
    assert_eq!(runs, ["best.toml", &format!("trial-{best}"), "trials.csv", "trials.jsonl", "trials.svg"]);
    for file in ["best.safetensors", "predictions.csv", "report.html", "plots/loss.svg"] {
        assert!(folder.path().join(format!("{name}/trial-{best}/{file}")).is_file(), "{file}");
    }
    let metrics = folder.read(&format!("{name}/trial-{best}/metrics.jsonl"));
    assert!(metrics.contains(&format!("{least:?}")), "{least} {metrics}");
    // The file trains to the same numbers.
    let again = folder.run(&format!("train {name}/best.toml")).ok();
    let test = |text: &str| {
        text.lines()
            .find(|line| line.starts_with("test   "))
            .unwrap()
            .split("  (")
            .next()
            .unwrap()
            .to_string()
    };
    assert_eq!(test(&again), test(&out));
    // One line a trial, and a line for each axis.
    let svg = folder.read(&format!("{name}/trials.svg"));
    assert_eq!((svg.matches("class=\"trial\"").count(), svg.matches("font-weight=\"bold\"").count()), (6, 3));

    // What is done is not done again; more trials may come, which are those that a longer tuning has.
    let more = folder.run("tune rings.toml --trials 8 --train.out runs/rings-tune-1").ok();
    assert!(more.contains("8 trials"), "{more}");
    assert_eq!(journal(&folder, name)[..7], lines);
    folder.run("tune rings.toml --trials 8 --train.out runs/whole").ok();
    assert_eq!(journal(&folder, name), journal(&folder, "runs/whole"));
    assert_eq!(folder.read("runs/whole/best.toml"), folder.read(&format!("{name}/best.toml")));
    for flags in ["--epochs 7", "--tune.seed 6", "--tune.search tpe"] {
        let failed = folder.run(&format!("tune rings.toml {flags} --train.out runs/whole"));
        assert!(failed.code == 2 && failed.err.contains("other settings"), "{failed:?}");
    }
}

#[test]
fn a_killed_tuning_goes_on_to_the_same_result() {
    for tune in [TUNE.replace("random", "tpe"), TUNE.replace("trials = 6", "trials = 9\nhalving = true")] {
        let folder = rings(&tune);
        folder.run("tune rings.toml --epochs 30 --train.out runs/whole").ok();
        let whole = journal(&folder, "runs/whole");
        let mut kills = 0;
        for lines in [1, 3, 5, 7, 9, 11] {
            let mut child = folder
                .command("tune rings.toml --epochs 30 --train.out runs/broken")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            // Somewhere within the trial after so many lines.
            let start = Instant::now();
            let path = folder.path().join("runs/broken/trials.jsonl");
            let is_due = || fs::read_to_string(&path).is_ok_and(|text| text.lines().count() >= lines);
            while !is_due()
                && child.try_wait().unwrap().is_none()
                && start.elapsed() < Duration::from_secs(120)
            {
                std::thread::sleep(Duration::from_millis(2));
            }
            std::thread::sleep(Duration::from_millis(7 * lines as u64));
            kills += usize::from(child.try_wait().unwrap().is_none());
            _ = child.kill();
            _ = child.wait();
        }
        assert!(kills >= 3, "{kills}");
        folder.run("tune rings.toml --epochs 30 --train.out runs/broken").ok();
        assert_eq!(journal(&folder, "runs/broken"), whole);
        assert_eq!(folder.read("runs/broken/best.toml"), folder.read("runs/whole/best.toml"));
        let svg = |name: &str| folder.read(&format!("runs/{name}/trials.svg"));
        assert_eq!(svg("broken"), svg("whole"));
    }
}

#[test]
fn halving_gives_the_better_trials_more_epochs() {
    let folder = rings(&TUNE.replace("trials = 6", "trials = 9\nhalving = true"));
    let out = folder.run("tune rings.toml --epochs 9").ok();
    assert!(out.contains("halving: 9 of 1 epoch, 3 of 3 epochs, 1 of 9 epochs"), "{out}");
    let lines = &journal(&folder, "runs/rings-tune-1")[1..];
    let of = |epochs: f64| -> Vec<(f64, f64)> {
        let lines = lines.iter().filter(|line| number(line, "epochs") == epochs);
        lines.map(|line| (number(line, "score"), number(line, "trial"))).collect()
    };
    let (mut first, second, third) = (of(1.0), of(3.0), of(9.0));
    assert_eq!((first.len(), second.len(), third.len()), (9, 3, 1));
    first.sort_by(|a, b| a.0.total_cmp(&b.0));
    let best = |trials: &[(f64, f64)]| trials.iter().map(|t| t.1).collect::<Vec<_>>();
    assert_eq!(best(&first[..3]), best(&second));
    let leader = second.iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap().1;
    assert_eq!(third[0].1, leader);
    // Paused twice, it ends as one that was never paused.
    folder.run("train runs/rings-tune-1/best.toml --train.out runs/plain").ok();
    let rows = |name: &str| -> Vec<String> {
        let text = folder.read(&format!("{name}/metrics.jsonl"));
        text.lines().map(|line| line.split(",\"seconds\"").next().unwrap().to_string()).collect()
    };
    assert_eq!(rows(&format!("runs/rings-tune-1/trial-{leader}")), rows("runs/plain"));
}

#[test]
fn a_trial_that_diverges_is_written_down_and_gone_past() {
    let tune = "[tune]\nsearch = 'grid'\n\"train.optimizer.sgd\" = [0.1, 1e38]\n";
    let folder = rings(tune);
    let file = folder.read("rings.toml").replace("adam = 0.01", "sgd = 0.1").replace("'tanh'", "'relu'");
    folder.write("rings.toml", file);
    let out = folder.run("tune rings.toml").ok();
    assert!(out.contains("failed: "), "{out}");
    let lines = journal(&folder, "runs/rings-tune-1");
    assert!(lines.len() == 3 && lines[2].contains("\"failed\":\""), "{lines:?}");
    assert!(folder.read("runs/rings-tune-1/trials.svg").contains("1 that failed are left out"));
    let folder_of_all = rings(&tune.replace("[0.1, 1e38]", "[1e37, 1e38]"));
    folder_of_all.write(
        "rings.toml",
        folder_of_all.read("rings.toml").replace("adam = 0.01", "sgd = 0.1").replace("'tanh'", "'relu'"),
    );
    let failed = folder_of_all.run("tune rings.toml");
    assert!(failed.code == 5 && failed.err.contains("none of 2 trials gave a number"), "{failed:?}");
}

#[test]
fn wrong_ranges_are_refused_at_their_line_before_anything_runs() {
    let mut wrong = Vec::new();
    for (line, place, word) in [
        ("\"train.optimizer.adam\" = { log = [0.0, 1] }", "0.0", "needs numbers above 0"),
        ("\"train.optimizer.adam\" = { log = [1, 0.1] }", "[1, 0.1]", "is not below the highest"),
        ("\"train.optimizer.adam\" = { lgo = [0.1, 1] }", "lgo", "did you mean `log`?"),
        ("\"train.optimizer.adam\" = { log = [0.1, 1, 2] }", "[0.1, 1, 2]", "should have two ends"),
        ("\"train.optimizer.adam\" = { log = ['a', 1] }", "'a'", "should be a finite number"),
        ("\"train.optimizer.adam\" = 0.1", "0.1", "a range should be a list or a table"),
        ("\"train.optimizer.adam\" = []", "[]", "the list of choices is empty"),
        ("\"train.optimizer.adam\" = [1e-3, 1e-3]", "1e-3]", "stands twice"),
        ("\"train.optimizer.adam\" = [1e-3, 'fast']", "adam\"", "fast"),
        ("\"train.optimizer.adma\" = [1e-3, 1e-2]", "adma", "adma"),
        ("\"model.layers.0.linear\" = { int = [0, 8] }", "linear\"", "linear"),
        ("\"model.layers.0.linear\" = { int = [1.5, 8] }", "1.5", "should be a whole number"),
        ("\"model.layers.7.linear\" = [8, 16]", "7", "the list has 3 places"),
        ("\"model.layers.1\" = ['relu', 'realu']", "'realu'", "realu"),
        ("\"data.batch\" = { int = [0, 8] }", "0, 8", "`batch` should be"),
        ("\"data.batch\" = { int = [1, 8], step = 0 }", "0 }", "`step` should be"),
        ("\"train.seed\" = [1, 2]", "train.seed", "cannot be compared"),
        ("\"train.loss\" = ['cross_entropy']", "train.loss", "cannot be compared by their loss"),
        ("epochs = { int = [1, 8] }", "epochs", "write \"train.epochs\""),
        ("trails = 9", "trails", "did you mean `trials`?"),
        ("search = 'bayes'", "'bayes'", "`search` should be one of random, tpe, grid"),
        ("halving = 1", "1", "`halving` should be true"),
        ("train.optimizer.adam = { log = [0.0, 1] }", "0.0", "needs numbers above 0"),
    ] {
        let folder = rings(&format!("[tune]\nby = 'loss'\n{line}\n"));
        let text = folder.read("rings.toml");
        let at = text.lines().position(|l| l == line).unwrap() + 1;
        let failed = folder.run("tune rings.toml");
        let place = format!("rings.toml:{at}:{}: ", line.find(place).unwrap() + 1);
        let is_told = failed.err.contains(&place) && failed.err.contains(word);
        if !is_told || ![2, 4].contains(&failed.code) {
            wrong.push(format!("{line}: wanted {place} {word}, found {failed:?}"));
        }
        assert_eq!(folder.names(), ["rings.csv", "rings.toml"], "{line}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let folder = rings("[tune]\nby = 'acuracy'\n\"train.optimizer.adam\" = [1e-3, 1e-2]\n");
    let failed = folder.run("tune rings.toml");
    assert!(failed.code == 2 && failed.err.contains("did you mean \"accuracy\"?"), "{failed:?}");
    assert!(folder.run("tune rings.toml --data.validation 0").err.contains("holds out none"));
    let failed = folder.run("tune rings.toml --tune.by accuracy --train.optimizer.adam 0.1");
    assert!(failed.err.contains("leave one of the two out"), "{failed:?}");
    let failed = rings("").run("tune rings.toml");
    assert!(failed.code == 2 && failed.err.contains("says no range to tune"), "{failed:?}");
    // Other commands leave ranges alone, and find mistakes in them.
    rings(TUNE).run("summary rings.toml").ok();
    assert_eq!(rings("[tune]\ntrails = 9\n").run("summary rings.toml").code, 2);
}

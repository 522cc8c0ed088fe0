//! Folds are scikit-learn's, quantiles SciPy's, and what a fold holds out changes nothing of what is fitted for it.

use mapsto_experiment::choosing::{CrossValidation, Folds, Scheme, Shuffled, student_quantile};
use mapsto_experiment::{Config, Override};

#[test]
fn folds_and_quantiles_are_those_of_scikit_learn_and_scipy() {
    let (mut folds, mut quantiles) = (0, 0);
    for line in include_str!("golden/folds.txt").lines() {
        if let Some(rest) = line.strip_prefix("t ") {
            let v: Vec<f64> = rest.split(' ').map(|v| v.parse().unwrap()).collect();
            let found = student_quantile(v[1], v[0] as usize);
            assert!((found - v[2]).abs() < 1e-10 * v[2].abs(), "{line}: {found}");
            quantiles += 1;
            continue;
        }
        let parts: Vec<&str> = line.split('|').collect();
        let head: Vec<&str> = parts[0].split(' ').collect();
        let (count, gap) = (head[1].parse().unwrap(), head[2].parse().unwrap());
        let scheme = match head[0] {
            "plain" => Scheme::Plain,
            "stratified" => Scheme::Stratified,
            _ => Scheme::WalkForward { gap },
        };
        let numbers = |text: &str| text.split(' ').map(|v| v.parse().unwrap()).collect::<Vec<usize>>();
        let labels: Vec<i64> = numbers(parts[1]).into_iter().map(|v| v as i64).collect();
        let found = Folds::new(count, scheme).of(labels.len(), &labels).unwrap();
        let held_out: Vec<Vec<usize>> = parts[2].split(';').map(numbers).collect();
        let train: Vec<Vec<usize>> = parts[3].split(';').map(numbers).collect();
        assert_eq!(found.iter().map(|fold| fold.held_out.clone()).collect::<Vec<_>>(), held_out, "{line}");
        assert_eq!(found.iter().map(|fold| fold.train.clone()).collect::<Vec<_>>(), train, "{line}");
        folds += 1;
    }
    assert!(folds >= 35 && quantiles == 36, "{folds} folds, {quantiles} quantiles");
}

#[test]
fn shuffled_folds_hold_every_sample_out_once_with_its_share_of_classes() {
    let labels: Vec<i64> = (0..90).map(|i| i64::from(i >= 60)).collect();
    let deal = |seed| Folds::new(5, Scheme::Stratified).shuffled(seed).of(90, &labels).unwrap();
    let mut all: Vec<usize> = deal(1).into_iter().flat_map(|fold| fold.held_out).collect();
    all.sort_unstable();
    assert_eq!(all, (0..90).collect::<Vec<_>>());
    assert!(deal(1).iter().all(|fold| fold.held_out.iter().filter(|&&i| i >= 60).count() == 6));
    assert_eq!(deal(1), deal(1));
    assert_ne!(deal(1), deal(2));
}

#[test]
fn too_few_samples_are_refused() {
    let error = |folds: Folds, n| folds.of(n, &vec![0; n]).unwrap_err().to_string();
    assert!(error(Folds::new(1, Scheme::Plain), 9).contains("1 folds"));
    assert!(error(Folds::new(5, Scheme::Plain), 4).contains("4 samples are too few for 5 folds"));
    assert!(error(Folds::new(3, Scheme::WalkForward { gap: 3 }), 12).contains("gap of 3"));
}

const FILE: &str = "[data]\nset = 'csv'\npath = 'PATH'\ntarget = 'y'\nstandardize = true\nvalidation = 0\n\
    test = 0.25\nsplit = 'ordered'\n[model]\nlayers = [{ linear = 1 }]\n[train]\nloss = 'mse'\nmetrics = ['mae']\n\
    optimizer = { sgd = 1e-3 }\nepochs = 1\n";

/// What a walk over 40 rows gives, of which those from `from` on have other inputs.
fn walk(name: &str, from: usize) -> (Vec<String>, String) {
    let folder = std::env::temp_dir().join(format!("mapsto-folds-{name}-{}", std::process::id()));
    _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let row = |i: usize| format!("{},{}\n", if i >= from { 1000 + i } else { i * i % 17 }, i % 5);
    let text: String = (0..40).map(row).collect();
    std::fs::write(folder.join("t.csv"), format!("x,y\n{text}")).unwrap();
    let file = FILE.replace("PATH", &folder.join("t.csv").display().to_string());
    let out = folder.join("cv");
    let made = |epochs: usize| {
        let overrides = [Override::new("train.out", out.display()), Override::new("train.epochs", epochs)];
        let config = Config::parse(&file, &overrides).unwrap();
        CrossValidation::new(config, Folds::new(2, Scheme::WalkForward { gap: 1 }), 1, Shuffled::BySeed)
    };
    let run = || made(1).unwrap().run(|_| {}, |trainer| trainer, |_| {}).unwrap();
    let first = run();
    let table = std::fs::read_to_string(out.join("out_of_fold.csv")).unwrap();
    let best = |fold: usize| {
        std::fs::metadata(out.join(format!("fold-{fold}/best.safetensors"))).unwrap().modified().unwrap()
    };
    let before = (best(1), best(2));
    // Folds that are done are not done again; one that is gone is, to the same numbers.
    assert_eq!(run(), first);
    assert_eq!((best(1), best(2)), before);
    std::fs::remove_file(out.join("fold-2/scores.json")).unwrap();
    assert_eq!(run(), first);
    assert_ne!(best(2), before.1);
    assert_eq!(std::fs::read_to_string(out.join("out_of_fold.csv")).unwrap(), table);
    assert!(made(2).unwrap_err().to_string().contains("other settings"));
    let steps = |fold: usize| {
        let text = std::fs::read(out.join(format!("fold-{fold}/best.safetensors"))).unwrap();
        String::from_utf8_lossy(&text).split("__metadata__").nth(1).unwrap().split("mean").nth(1).unwrap()
            [..40]
            .to_string()
    };
    let found = (vec![steps(1), steps(2)], table);
    std::fs::remove_dir_all(folder).unwrap();
    found
}

#[test]
fn what_a_fold_holds_out_and_the_test_samples_do_not_reach_its_preprocessing() {
    let (plain, table) = walk("plain", 40);
    let rows: Vec<&str> = table.lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
    let wanted: Vec<String> = (11..=30).map(|row| row.to_string()).collect();
    assert_eq!(rows, wanted, "rows counted from 1, without the ten of the test");
    assert!(table.starts_with("repeat,fold,row,"), "{table}");
    // Fold 2 trains on rows 1 to 19, fold 1 on rows 1 to 9.
    let (changed, _) = walk("changed", 19);
    assert_eq!(changed, plain);
    let (changed, _) = walk("earlier", 9);
    assert_eq!(changed[0], plain[0]);
    assert_ne!(changed[1], plain[1]);
}

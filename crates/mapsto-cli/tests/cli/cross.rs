//! `mapsto cv`: a line a fold, what they say together, the rows that each held out, and going on where it was stopped.

use crate::check_cli::Folder;

/// Eighty points of two classes that `x` tells.
fn points() -> Folder {
    let folder = Folder::new();
    let row =
        |i: usize| format!("{},{}\n", (i * 37 % 80) as f64 / 40.0 - 1.0, ["left", "right"][i * 37 % 80 / 40]);
    let table: String = (0..80).map(row).collect();
    folder.write("points.csv", format!("x,class\n{table}")).write(
        "points.toml",
        "[data]\nset = 'csv'\npath = 'points.csv'\nclass = 'class'\nvalidation = 0\ntest = 0.25\nbatch = 16\n\
         [model]\nlayers = [{ linear = 2 }]\n[train]\nloss = 'cross_entropy'\nmetrics = ['accuracy']\n\
         optimizer = { adam = 0.1 }\nepochs = 10\n",
    );
    folder
}

#[test]
fn folds_are_reported_and_done_once() {
    let folder = points();
    let out = folder.run("cv points.toml --folds 3 --repeats 2").ok();
    for word in [
        "repeat 1 fold 1/3  40 to train on, 20 held out  loss ",
        "repeat 2 fold 3/3  40 to train on, 20 held out  loss ",
        "standard deviation over 6 folds",
        "95 % interval",
        "Nadeau & Bengio 2003",
    ] {
        assert!(out.contains(word), "{word} is missing:\n{out}");
    }
    let table = folder.read("runs/points-cv-1/out_of_fold.csv");
    assert!(table.starts_with("repeat,fold,row,"), "{table}");
    let rows = |repeat: &str| {
        let lines = table.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
        let mut rows: Vec<usize> =
            lines.filter(|line| line[0] == repeat).map(|line| line[2].parse().unwrap()).collect();
        rows.sort_unstable();
        rows
    };
    // Each row is held out once; those of the test are not among them, and are the same for every repetition.
    let (first, second) = (rows("1"), rows("2"));
    assert_eq!((first.len(), &first), (60, &second));
    assert!(first.windows(2).all(|two| two[0] < two[1]));
    // The mean of the lines is what is said below them.
    let accuracies: Vec<f64> = out
        .lines()
        .filter(|line| line.starts_with("repeat"))
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    let mean = accuracies.iter().sum::<f64>() / 6.0;
    let said = out.lines().find_map(|line| line.strip_prefix("accuracy  ")).unwrap();
    let said: f64 = said.split(' ').next().unwrap().parse().unwrap();
    assert!((said - mean).abs() < 2e-4, "{said} {mean}\n{out}");

    // What was removed of it is done again, to the same numbers; the rest stays as it is.
    let state = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().modified().unwrap();
    let before = state("runs/points-cv-1/repeat-1-fold-1/best.safetensors");
    std::fs::remove_dir_all(folder.path().join("runs/points-cv-1/repeat-2-fold-2")).unwrap();
    let again = folder.run("cv points.toml --folds 3 --repeats 2 --train.out runs/points-cv-1").ok();
    assert_eq!(again, out);
    assert_eq!(state("runs/points-cv-1/repeat-1-fold-1/best.safetensors"), before);
    assert_eq!(folder.read("runs/points-cv-1/out_of_fold.csv"), table);
    // A fold is no run: its test samples would be others.
    assert_ne!(folder.run("eval runs/points-cv-1/repeat-1-fold-1").code, 0);

    for (flags, word) in [
        ("--folds 4 --repeats 2", "other settings"),
        ("--folds 3 --repeats 2 --train.epochs 11", "other settings"),
        ("--folds 3 --repeats 2 --no-shuffle", "they would all be the same"),
    ] {
        let failed = folder.run(&format!("cv points.toml {flags} --train.out runs/points-cv-1"));
        assert_eq!(failed.code, 2, "{failed:?}");
        assert!(failed.err.contains(word), "{failed:?}");
    }
    folder.write("points.csv", "x,class\n1,left\n".to_string() + &"0,right\n0.5,left\n".repeat(40));
    let failed = folder.run("cv points.toml --folds 3 --repeats 2 --train.out runs/points-cv-1");
    assert!(failed.code != 0 && failed.err.contains("the data is not what"), "{failed:?}");
}

#[test]
fn wrong_folds_leave_no_folder() {
    let folder = points();
    for (flags, word) in [
        ("--folds 1", "1 folds"),
        ("--walk-forward --repeats 2", "cannot be used with"),
        ("--gap 2", "--walk-forward"),
    ] {
        let failed = folder.run(&format!("cv points.toml {flags}"));
        assert_eq!(failed.code, 2, "{failed:?}");
        assert!(failed.err.contains(word), "{failed:?}");
    }
    assert_eq!(folder.names(), ["points.csv", "points.toml"]);
}

#[test]
fn a_walk_forward_trains_on_what_came_before() {
    let folder = points();
    let out = folder.run("cv points.toml --folds 4 --walk-forward --gap 2").ok();
    assert!(out.contains("fold 1/4  10 to train on, 12 held out"), "{out}");
    assert!(out.contains("fold 4/4  46 to train on, 12 held out"), "{out}");
    assert!(!out.contains("95 %"), "{out}");
}

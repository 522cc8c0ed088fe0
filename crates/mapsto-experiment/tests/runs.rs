//! Runs as a program makes them: trained, gone on with, evaluated and asked, all without the command.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mapsto::nn::Exceptions;
use mapsto::spec::Value;
use mapsto::{ErrorKind, Tensor};
use mapsto_experiment::{Config, Override, Predictor, Run};

/// Twelve points on a line, of two classes.
const POINTS: &str = "x,kind\n0,a\n1,a\n2,a\n3,a\n4,a\n5,a\n6,b\n7,b\n8,b\n9,b\n10,b\n11,b\n";

const FILE: &str = "[data]\nset = 'csv'\npath = 'points.csv'\nclass = 'kind'\nbatch = 4\nstandardize = true\n\
    [model]\nlayers = [{ linear = 4 }, 'tanh', { linear = 2 }]\n\
    [train]\nloss = 'cross_entropy'\nmetrics = ['accuracy']\noptimizer = { adam = 0.05 }\nepochs = 3\n";

/// A folder with a training file and its data, which is removed in the end.
struct Project(PathBuf);

impl Project {
    fn new(name: &str) -> Project {
        let folder = std::env::temp_dir().join(format!("mapsto-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("points.csv"), POINTS).unwrap();
        fs::write(folder.join("line.toml"), FILE).unwrap();
        Project(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn config(&self, out: &str, epochs: usize) -> Config {
        let out = Override::new("train.out", self.path(out).display());
        Config::open(self.path("line.toml"), &[out, Override::new("train.epochs", epochs)]).unwrap()
    }

    fn train(&self, out: &str, epochs: usize) {
        self.config(out, epochs).prepare(|_| {}).unwrap().train(|trainer| trainer).unwrap();
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().flatten();
    files.map(|e| (e.file_name().to_string_lossy().into_owned(), fs::read(e.path()).unwrap())).collect()
}

#[test]
fn a_run_that_goes_on_has_the_bits_of_one_that_never_stopped() {
    let project = Project::new("goes-on");
    project.train("whole", 5);
    project.train("parts", 3);
    let run = Run::open(project.path("parts")).unwrap();
    let resumption = run.resume(&[Override::new("train.epochs", 5)], |_| {}).unwrap();
    assert!(resumption.has_fingerprint());
    let busy = run.resume(&[], |_| {}).err().unwrap();
    assert!(busy.message().ends_with("another process is training this run"), "{busy}");
    let trained = resumption.train(|trainer| trainer).unwrap();
    assert!(trained.is_written());
    assert_eq!((trained.epochs_before(), trained.history.rows.len()), (3, 5));
    drop(trained);
    let (whole, parts) = (files(&project.path("whole")), files(&project.path("parts")));
    assert_eq!(whole["best.safetensors"], parts["best.safetensors"]);
    assert_eq!(
        Run::open(project.path("whole")).unwrap().evaluate().unwrap().metrics,
        run.evaluate().unwrap().metrics
    );
}

/// Averaged weights and rules of initialisation, stopped and gone on with; what the files say; what does not go together.
#[test]
fn averages_and_rules_of_initialisation_hold_in_files() {
    let project = Project::new("averages");
    let layers = "layers = [{ linear = 4 }, 'batch_norm1d', 'tanh', { linear = 2 }]";
    let with = |train: &str, model: &str| {
        let file =
            FILE.replace("layers = [{ linear = 4 }, 'tanh', { linear = 2 }]", &format!("{layers}\n{model}"));
        // No batch of a single sample, which a batch norm refuses.
        let file = file.replace("batch = 4", "batch = 3");
        fs::write(project.path("line.toml"), format!("{file}{train}\n")).unwrap();
    };
    let init = "init = { '*.weight' = 'orthogonal', '*.bias' = { constant = 0.25 } , '1.weight' = 'ones' }";
    for (i, (train, said)) in [
        ("swa = { from = 2, lr = 0.01, anneal = 2 }", "mean of the epochs 2 to 5 (SWA)"),
        ("ema = 0.9", "moving average with decay 0.9 (EMA)"),
    ]
    .into_iter()
    .enumerate()
    {
        with(train, init);
        let (whole, parts) = (format!("whole-{i}"), format!("parts-{i}"));
        project.train(&whole, 5);
        project.train(&parts, 3);
        let run = Run::open(project.path(&parts)).unwrap();
        run.resume(&[Override::new("train.epochs", 5)], |_| {}).unwrap().train(|t| t).unwrap();
        let read = |out: &str, name: &str| fs::read(project.path(out).join(name)).unwrap();
        assert_eq!(read(&whole, "best.safetensors"), read(&parts, "best.safetensors"), "{train}");
        let last = mapsto::training::ModelFile::read(project.path(&whole).join("last.safetensors")).unwrap();
        assert_eq!(last.averaged(), Some(said));
        assert!(
            last.note("init").unwrap().contains("\"*.bias\" = { constant = 0.25 }"),
            "{:?}",
            last.note("init")
        );
        // What the column of the best epoch says is what its file gives.
        let config = String::from_utf8(read(&whole, "config.toml")).unwrap();
        assert!(config.contains("init = { \"*.weight\" = { orthogonal = true, gain = 1.0 }"), "{config}");
        let e = run
            .resume(&[Override::new("model.init", "{ '*.bias' = 'zeros' }")], |_| {})
            .map(drop)
            .unwrap_err();
        assert!(e.message().contains("`model.init` from"), "{e}");
        let e = run.resume(&[Override::new("train.ema", "0.5")], |_| {}).map(drop).unwrap_err();
        assert!(e.message().contains("ema"), "{e}");
    }
    with("", init);
    let model = project.config("a", 1).prepare(|_| {}).unwrap().model;
    let state = mapsto::nn::ModuleExt::state_dict(&model);
    let of = |name: &str| state.iter().find(|(n, _)| n == name).unwrap().1.to_vec::<f32>();
    assert_eq!((of("0.bias"), of("1.weight"), of("3.bias")), (vec![0.25; 4], vec![1.0; 4], vec![0.25; 2]));
    for (train, model, said) in [
        ("", "init = { '*.wieght' = 'zeros' }", "did you mean `*.weight`?"),
        ("", "init = { '*.weight' = 'zeroes' }", "did you mean `zeros`?"),
        ("", "init = ['zeros']", "`init` should be a table of patterns, found a list"),
        ("", "init = { '0.bias' = 'zeros', '*.bias' = 'ones' }", "every parameter that `0.bias` fits"),
        ("swa = 9", "", "`swa`: it begins with epoch 9, and the training has 3"),
        (
            "swa = { from = 2, lr = 0.1 }\ncallbacks = ['reduce_on_plateau']",
            "",
            "`lr` of `swa` both set the learning rate",
        ),
        (
            "schedule = 'cosine'\ncallbacks = ['reduce_on_plateau']",
            "",
            "and `schedule` both set the learning rate",
        ),
        ("swa = { form = 2 }", "", "is `form` meant to be `from`?"),
    ] {
        with(train, model);
        let error = match Config::open(project.path("line.toml"), &[]) {
            Ok(config) => config.prepare(|_| {}).map(drop).unwrap_err(),
            Err(e) => e,
        };
        assert!(error.to_string().contains(said), "{train} {model}: {error}");
        assert!(error.to_string().contains("line.toml:"), "{error}");
    }
    // Outputs of the first layer have the variance 1 on the samples that it was scaled by.
    with("", "lsuv = true");
    let experiment = project.config("b", 1).prepare(|_| {}).unwrap();
    assert!(experiment.config.render().contains("\nlsuv = true\n"));
    let w = mapsto::nn::ModuleExt::state_dict(&experiment.model)[0].1.to_vec::<f32>();
    let square = w.iter().map(|w| w * w).sum::<f32>();
    assert!(square.is_finite() && (square - 1.0).abs() > 1e-3, "orthonormal and not scaled: {w:?}");
    let bias = mapsto::nn::ModuleExt::state_dict(&experiment.model)[1].1.to_vec::<f32>();
    assert_eq!(bias, [0.0; 4]);
    with("optimizer = 'x'\n", "");
    let file = fs::read_to_string(project.path("line.toml")).unwrap();
    let file = file.replace("optimizer = { adam = 0.05 }\n", "").replace("'x'", "{ asgd = 0.1 }\nema = 0.9");
    fs::write(project.path("line.toml"), file).unwrap();
    let error = Config::open(project.path("line.toml"), &[]).unwrap().prepare(|_| {}).map(drop).unwrap_err();
    assert!(error.to_string().contains("`ema`: `Asgd` averages its weights itself"), "{error}");
}

/// Written down without a column, `best` keeps what it keeps where it is not written down; what an optimizer remembers cannot be added.
#[test]
fn best_watches_the_first_metric_and_a_momentum_cannot_be_added() {
    let project = Project::new("best");
    let with = |line: &str| {
        let file = FILE.replace("{ adam = 0.05 }", "{ sgd = 0.05 }");
        fs::write(project.path("line.toml"), format!("{file}{line}\n")).unwrap();
        let callbacks = project.config("out", 2).prepare(|_| {}).unwrap().config.train.callbacks;
        callbacks.iter().find(|c| c.name == "best").unwrap().clone()
    };
    let usual = with("");
    assert_eq!(usual.value, Some(Value::from("val accuracy")));
    assert_eq!(with("callbacks = ['best', 'last']"), usual);
    assert_eq!(with("callbacks = [{ best = true }]"), usual);
    assert_eq!(with("callbacks = [{ best = 'val loss' }]").value, Some(Value::from("val loss")));
    with("callbacks = ['best']");
    project.train("out", 2);
    let best = mapsto::training::ModelFile::read(project.path("out").join("best.safetensors")).unwrap();
    let history = Run::open(project.path("out")).unwrap().folder().history().unwrap();
    let top = history.max("val accuracy").unwrap();
    assert_eq!(history.rows[best.best_epoch().unwrap() - 1].value("val accuracy"), Some(top.1));
    let run = Run::open(project.path("out")).unwrap();
    let momentum = Override::new("train.optimizer", "{ sgd = 0.05, momentum = 0.9 }");
    let resumption = run.resume(&[momentum, Override::new("train.epochs", 3)], |_| {}).unwrap();
    let e = resumption.train(|t| t).map(drop).unwrap_err();
    assert!(e.message().contains("does not remember `momentum` of `0."), "{e}");
    assert!(e.help_text().unwrap().contains("`momentum` of `sgd`"), "{e}");
    // A schedule that cycles a momentum needs one.
    let file = FILE.replace("{ adam = 0.05 }", "{ sgd = 0.05 }");
    let cycling = "schedule = { one_cycle = true, cycle_momentum = true }\n";
    fs::write(project.path("line.toml"), format!("{file}{cycling}")).unwrap();
    let e = project.config("a", 2).prepare(|_| {}).map(drop).unwrap_err();
    assert!(
        e.to_string().contains("`one_cycle` cycles the momentum, and the optimizer `sgd` has none"),
        "{e}"
    );
    fs::write(project.path("line.toml"), format!("{FILE}{cycling}")).unwrap();
    project.train("a", 3);
    project.train("b", 2);
    Run::open(project.path("b"))
        .unwrap()
        .resume(&[Override::new("train.epochs", 3)], |_| {})
        .unwrap()
        .train(|t| t)
        .unwrap();
}

#[test]
fn a_run_with_no_epoch_to_come_is_left_as_it_was() {
    let project = Project::new("is-over");
    project.train("run", 3);
    fs::remove_file(project.path("run/.lock")).unwrap();
    let before = files(&project.path("run"));
    let run = Run::open(project.path("run")).unwrap();
    let elsewhere = Override::new("train.out", project.path("elsewhere").display());
    let resumption = run.resume(&[elsewhere], |_| {}).unwrap();
    assert_eq!(resumption.target(), Some(&*project.path("elsewhere")));
    let trained = resumption.train(|trainer| trainer).unwrap();
    assert!(!trained.is_written() && !trained.tidy().unwrap());
    drop(trained);
    // A refusal gives the folder back too.
    let e = run.resume(&[Override::new("train.seed", 7)], |_| {}).err().unwrap();
    assert_eq!(e.message(), "a resumed run cannot change `train.seed` from 42 to 7");
    assert!(files(&project.path("run")) == before);
    assert!(!project.path("elsewhere").exists());
}

#[test]
fn what_does_not_fit_is_found_at_its_place_before_anything_is_written() {
    let project = Project::new("misfits");
    for (from, to, kind, wanted) in [
        ("'tanh'", "'tahn'", ErrorKind::Usage, "line.toml:8:27: unknown layer `tahn`"),
        ("linear = 2", "linear = 3", ErrorKind::Model, "the model gives 3 values, the data has 2 classes"),
        ("'kind'", "'sort'", ErrorKind::Data, "no column `sort`"),
    ] {
        fs::write(project.path("line.toml"), FILE.replace(from, to)).unwrap();
        let e = project.config("run", 3).prepare(|_| {}).err().unwrap();
        assert!(e.to_string().contains(wanted), "{e}");
        assert_eq!(e.kind(), kind, "{e}");
    }
    // A test sample that is no number is found when the training begins.
    fs::write(project.path("line.toml"), FILE.replace("batch", "test = 'test.csv'\nbatch")).unwrap();
    fs::write(project.path("test.csv"), "x,kind\n1,a\n1e300,b\n").unwrap();
    let experiment = project.config("run", 3).prepare(|_| {}).unwrap();
    let e = experiment.train(|trainer| trainer).err().unwrap();
    assert!(e.message().starts_with("the test samples: "), "{e}");
    assert!(!project.path("run").exists());
}

#[test]
fn readers_of_the_data_are_told_what_they_should_know() {
    let project = Project::new("notes");
    fs::write(
        project.path("points.csv"),
        POINTS.replace("0,a", "20000000.25,a").replace("11,b", "20000000.5,b"),
    )
    .unwrap();
    fs::write(project.path("line.toml"), FILE.replace("standardize = true\n", "")).unwrap();
    let mut notes = Vec::new();
    project.config("run", 3).prepare(|note| notes.push(note.to_string())).unwrap();
    assert!(notes.len() == 1 && notes[0].contains("`standardize = true`"), "{notes:?}");
}

#[test]
fn a_predictor_ranks_the_classes() {
    let project = Project::new("asked");
    project.train("run", 30);
    let predictor = Predictor::open(project.path("run"), &Exceptions::none()).unwrap();
    let answers = predictor.predict(predictor.table(&project.path("points.csv")).unwrap()).unwrap();
    let likeliest: Vec<&str> =
        answers.iter().map(|answer| predictor.classes()[answer.ranked()[0].0].as_str()).collect();
    assert_eq!((likeliest[0], likeliest[11], likeliest.len()), ("a", "b", 12));
    let sum: f64 = answers[5].ranked().iter().map(|(_, p)| p).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    // A model file is enough, as it says what it was trained on.
    let alone = Predictor::open(project.path("run/best.safetensors"), &Exceptions::none()).unwrap();
    assert_eq!(alone.features(), ["x"]);
}

#[test]
fn inputs_that_are_no_batch_are_refused_before_they_are_answered() {
    let project = Project::new("no-batch");
    project.train("run", 1);
    let predictor = Predictor::open(project.path("run"), &Exceptions::none()).unwrap();
    let error = |shape: &[usize]| predictor.predict(Tensor::zeros(shape)).unwrap_err();
    assert_eq!(error(&[1]).message(), "the model takes [inputs, 1], found [1]");
    assert_eq!(error(&[1]).help_text(), Some("a single input needs a batch of one: `x.unsqueeze(0)`"));
    for shape in [&[][..], &[2, 3], &[2, 1, 1]] {
        assert!(error(shape).message().starts_with("the model takes [inputs, 1], found ["), "{shape:?}");
    }
    assert_eq!(predictor.predict(Tensor::zeros([0, 1])).unwrap(), []);
    assert_eq!(predictor.predict(Tensor::zeros([3, 1])).unwrap().len(), 3);
}

#[test]
fn fields_that_a_program_wrote_are_checked_as_a_file_is() {
    let project = Project::new("fields");
    type Write = fn(&mut Config);
    let writes: [(&str, Write); 4] = [
        ("`epochs` should be a whole number of at least 1, found 0", |c| c.train.epochs = 0),
        ("`batch` should be a whole number of at least 1, found 0", |c| c.data.batch = 0),
        ("`accumulate` should be a whole number of at least 1, found 0", |c| c.train.accumulate = 0),
        ("`out` should be a path, found \"\"", |c| c.train.out = Some(String::new())),
    ];
    for (message, write) in writes {
        let mut config = project.config("run", 1);
        write(&mut config);
        let found = config.prepare(|_| {}).err().unwrap();
        assert!(found.message().starts_with(message), "{found}");
        assert!(!project.path("run").exists());
    }
}

/// Every optimizer of the list, through its file: what it remembers has shapes of its own in some.
#[test]
fn every_optimizer_goes_on_with_the_same_bits() {
    let project = Project::new("optimizers");
    for kind in mapsto::nn::OPTIMIZERS {
        // A wrapper holds another optimizer.
        let sample = kind.sample();
        let optimizer = match &sample.value {
            Some(Value::Entry(_)) => sample.to_string(),
            _ => format!("{{ {} = 0.01 }}", kind.name),
        };
        let overrides = |out: &str, epochs: usize| {
            [
                Override::new("train.out", project.path(&format!("{}-{out}", kind.name)).display()),
                Override::new("train.epochs", epochs),
                Override::new("train.optimizer", &optimizer),
                // L-BFGS compares one step with the next, so it takes all samples as one batch.
                Override::new("data.batch", if kind.name == "lbfgs" { 1000 } else { 4 }),
            ]
        };
        let train = |out: &str, epochs: usize| {
            let config = Config::open(project.path("line.toml"), &overrides(out, epochs)).unwrap();
            config.prepare(|_| {}).unwrap().train(|trainer| trainer).unwrap();
            Run::open(project.path(&format!("{}-{out}", kind.name))).unwrap()
        };
        let (whole, parts) = (train("whole", 4), train("parts", 2));
        let resumption = parts.resume(&[Override::new("train.epochs", 4)], |_| {}).unwrap();
        drop(resumption.train(|trainer| trainer).unwrap());
        let metrics = [&whole, &parts].map(|run| run.evaluate().unwrap().metrics);
        assert_eq!(metrics[0], metrics[1], "{}", kind.name);
        let [whole, parts] =
            ["whole", "parts"].map(|out| files(&project.path(&format!("{}-{out}", kind.name))));
        assert_eq!(whole["best.safetensors"], parts["best.safetensors"], "{}", kind.name);
    }
}

#[test]
fn a_loss_may_take_two_outputs_for_each_target() {
    let project = Project::new("two-outputs");
    let file = FILE.replace("class = 'kind'", "target = 'x'\nfeatures = ['z']").replace("'accuracy'", "");
    let rows: String = (0..12).map(|i| format!("{},{}\n", i, i * i)).collect();
    fs::write(project.path("points.csv"), format!("x,z\n{rows}")).unwrap();
    fs::write(project.path("line.toml"), file.replace("cross_entropy", "gaussian_nll")).unwrap();
    project.train("run", 2);
    fs::write(
        project.path("line.toml"),
        file.replace("cross_entropy", "gaussian_nll").replace("linear = 2", "linear = 1"),
    )
    .unwrap();
    let e = project.config("other", 1).prepare(|_| {}).err().unwrap();
    assert!(
        e.message()
            .ends_with("the model gives 1 value, and `gaussian_nll` takes 2 for each of the targets, 1"),
        "{e}"
    );
    assert_eq!(e.help_text(), Some("end the layers with { linear = 2 }"));
}

/// A step of the usual 64 rows would leave a small table a handful of steps to learn in.
#[test]
fn a_small_table_is_learnt_in_small_batches_where_nothing_is_said() {
    let project = Project::new("batch-by-rows");
    let table = |rows: usize| {
        let rows = (0..rows).map(|i| format!("{i},{}\n", if i % 40 < 20 { "a" } else { "b" }));
        format!("x,kind\n{}", rows.collect::<String>())
    };
    for (rows, said, wanted) in [(400, None, 16), (400, Some(64), 64), (400, Some(8), 8), (900, None, 64)] {
        fs::write(project.path("points.csv"), table(rows)).unwrap();
        fs::write(project.path("line.toml"), "[data]\npath = 'points.csv'\nclass = 'kind'\n").unwrap();
        let out = format!("run-{rows}-{said:?}");
        let batch = said.map(|n| Override::new("data.batch", n));
        let overrides =
            [Override::new("train.out", project.path(&out).display()), Override::new("train.epochs", 1)];
        let overrides: Vec<Override> = overrides.into_iter().chain(batch).collect();
        let config = Config::open(project.path("line.toml"), &overrides).unwrap();
        config.prepare(|_| {}).unwrap().train(|trainer| trainer).unwrap();
        let written = fs::read_to_string(project.path(&out).join("config.toml")).unwrap();
        assert!(written.contains(&format!("batch = {wanted}\n")), "{rows} {said:?}: {written}");
    }
}

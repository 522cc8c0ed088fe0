//! A training file, run from a program: the irises of `tabular.toml`, trained, evaluated and asked about.
//! `cargo run --release --example experiment`

use mapsto::nn::Exceptions;
use mapsto::prelude::*;
use mapsto_experiment::{Config, Override, Predictor, Run};

pub fn main() -> Result<()> {
    // A program may replace any value of the file, as flags of the command do.
    let folder = std::env::temp_dir().join(format!("mapsto-irises-{}", std::process::id()));
    let overrides = [Override::new("train.epochs", 50), Override::new("train.out", folder.display())];
    let config = Config::open("examples/tabular.toml", &overrides)?;

    // From here on data, model, loss and metrics are known to fit; nothing has been written yet.
    let experiment = config.prepare(|note| println!("note: {note}"))?;
    println!("{} rows to train on", experiment.train.dataset().len());
    let trained = experiment.train(|trainer| trainer.on(EarlyStop::watching("val loss").patience(20)))?;
    println!("{} epochs, in {}", trained.history.rows.len(), trained.folder().path().display());
    drop(trained);

    // The folder is all that is needed later, in this program or in `mapsto eval`.
    let found = Run::open(&folder)?.evaluate()?;
    let accuracy = found.value("accuracy").unwrap_or(0.0);
    println!("test accuracy {:.1} %", 100.0 * accuracy);
    assert!(accuracy >= 0.9);

    let predictor = Predictor::open(&folder, &Exceptions::none())?;
    let flowers = predictor.table("data/iris/iris.csv".as_ref())?;
    let answers = predictor.predict(flowers)?;
    let (class, p) = answers[0].ranked()[0];
    println!("the first flower: {} with {:.1} %", predictor.classes()[class], 100.0 * p);
    assert_eq!(predictor.classes()[class], "setosa");

    std::fs::remove_dir_all(&folder).map_err(|e| mapsto::Error::io(&folder, e))
}

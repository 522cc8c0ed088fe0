//! A table with named columns: which iris is it? `cargo run --release --example tabular`

use mapsto::data::{Preprocess, Standardize};
use mapsto::prelude::*;

pub fn main() -> Result<()> {
    seed(1);
    let table = Table::from_csv("data/iris/iris.csv")?;
    println!("{} rows of {:?}", table.len(), table.columns());
    let set =
        table.features(["sepal_length", "sepal_width", "petal_length", "petal_width"])?.class("species")?;
    let classes = set.info().classes;
    let [train_set, test_set] = set.stratified_split([0.8, 0.2], 1)?;

    // Each column to mean 0 and deviation 1. Both are measured on the training rows alone: measured on all rows, as often
    // seen, the test would know what it should not.
    let standard = Preprocess::new().then(Standardize::new()).fit(&train_set)?;
    let train_loader = train_set.batches(16).shuffle().preprocess(standard.clone());
    let test_loader = test_set.batches(30).preprocess(standard);

    let mut model = seq![Linear::new(4, 16), Tensor::tanh, Linear::new(16, classes.len())];
    Trainer::new(Adam::new(0.01), cross_entropy).metric(Accuracy::new()).epochs(40).quiet().fit(
        &mut model,
        train_loader,
        None,
    )?;
    let test = evaluate(&model, &test_loader, &cross_entropy, &[&Accuracy::new()])?;
    let accuracy = test.value("accuracy").unwrap_or(0.0);
    println!("{classes:?}: test accuracy {:.1} %", 100.0 * accuracy);
    assert!(accuracy >= 0.9);
    Ok(())
}

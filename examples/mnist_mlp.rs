//! Handwritten digits with a multilayer perceptron, 784-64-64-10: `cargo run --release --example mnist_mlp`.
//!
//! At least 97 % of the test images after 5 epochs. The ReLUs stand between the layers only: tutorials that put one
//! after the last layer cut off every negative logit, and learn slowly or not at all.

use mapsto::data::{Normalize, Preprocess};
use mapsto::nn::Cosine;
use mapsto::prelude::*;

pub fn main() -> Result<()> {
    seed(1);
    let (train_set, test_set) = mnist("data/mnist")?;
    let [train_set, val_set] = train_set.stratified_split([0.95, 0.05], 1)?;
    // The mean and the standard deviation of the training images' pixels: inputs around zero learn faster.
    let normal = || Preprocess::new().then(Normalize::new([0.1307], [0.3081]));
    let mut model = seq![
        Flatten::new(),
        Linear::new(784, 64),
        Tensor::relu,
        Linear::new(64, 64),
        Tensor::relu,
        Linear::new(64, 10), // logits: the softmax is in the loss
    ];
    let train_loader = train_set.batches(64).shuffle().preprocess(normal());
    let history = Trainer::new(Adam::new(1e-3), cross_entropy)
        .metric(Accuracy::new())
        .schedule(Cosine::new(5 * train_loader.len() as u64))
        .epochs(5)
        .fit(&mut model, train_loader, val_set.batches(500).preprocess(normal()))?;
    // The test set is opened last, once.
    let test =
        evaluate(&model, &test_set.batches(500).preprocess(normal()), &cross_entropy, &[&Accuracy::new()])?;
    let accuracy = test.value("accuracy").unwrap_or(0.0);
    println!("{} epochs, test accuracy {:.2} %", history.rows.len(), 100.0 * accuracy);
    assert!(accuracy >= 0.97);
    Ok(())
}

//! Handwritten digits with a convolutional network, at least 99 % of the test images:
//! `cargo run --release --example mnist_cnn`

use mapsto::data::{Normalize, Preprocess};
use mapsto::nn::Cosine;
use mapsto::prelude::*;

#[derive(Module)]
struct Cnn {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
}

impl Cnn {
    fn new() -> Cnn {
        Cnn {
            conv1: Conv2d::new(1, 32, 3).padding(1),
            conv2: Conv2d::new(32, 64, 3).padding(1),
            // 64 channels of 7 × 7: two poolings have halved 28 × 28 twice. Without them, as often printed, 3136 would be
            // 50176, and the shapes would not fit.
            fc1: Linear::new(3136, 128),
            fc2: Linear::new(128, 10),
        }
    }
}

impl Layer for Cnn {
    fn forward(&self, x: &Tensor) -> Tensor {
        // [n, 1, 28, 28]
        x.apply(&self.conv1)
            .relu()
            .max_pool2d(2) // [n, 32, 14, 14]
            .apply(&self.conv2)
            .relu()
            .max_pool2d(2) // [n, 64, 7, 7]
            .flatten(1) // [n, 3136]
            .apply(&self.fc1)
            .relu()
            .apply(&self.fc2) // [n, 10]
    }
}

pub fn main() -> Result<()> {
    seed(1);
    let (train_set, test_set) = mnist("data/mnist")?;
    // The mean and the standard deviation of the training images' pixels.
    let normal = || Preprocess::new().then(Normalize::new([0.1307], [0.3081]));
    let [train_set, val_set] = train_set.stratified_split([0.95, 0.05], 1)?;
    let mut model = Cnn::new();
    let epochs = 3;
    let train_loader = train_set.batches(64).shuffle().preprocess(normal());
    Trainer::new(Adam::new(1e-3), cross_entropy)
        .metric(Accuracy::new())
        .schedule(Cosine::new(epochs as u64 * train_loader.len() as u64))
        .epochs(epochs)
        .fit(&mut model, train_loader, val_set.batches(500).preprocess(normal()))?;
    let test_loader = test_set.batches(500).preprocess(normal());
    let test = evaluate(&model, &test_loader, &cross_entropy, &[&Accuracy::new()])?;
    let accuracy = test.value("accuracy").unwrap_or(0.0);
    println!("test accuracy {:.2} %", 100.0 * accuracy);
    assert!(accuracy >= 0.99);
    Ok(())
}

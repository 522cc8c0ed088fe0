//! The network of `mnist_mlp` with plain gradient descent and the training loop written out:
//! `cargo run --release --example mnist_mlp_sgd`

use mapsto::data::{Normalize, Preprocess};
use mapsto::prelude::*;

pub fn main() -> Result<()> {
    seed(1);
    let (train_set, test_set) = mnist("data/mnist")?;
    let mut model = seq![
        Flatten::new(),
        Linear::new(784, 64),
        Tensor::relu,
        Linear::new(64, 64),
        Tensor::relu,
        Linear::new(64, 10)
    ];
    let mut opt = Sgd::new(0.1);
    // The mean and the standard deviation of the training images' pixels: inputs around zero learn faster.
    let normal = || Preprocess::new().then(Normalize::new([0.1307], [0.3081]));
    let loader = train_set.batches(64).shuffle().seed(1).preprocess(normal());
    for epoch in 0..5 {
        opt.set_lr(0.1 * 0.5f64.powi(epoch as i32)); // large steps first, small ones to settle
        let mut sum = 0.0;
        for batch in loader.epoch(epoch) {
            let batch = batch?;
            let loss = train(|| cross_entropy(&model.forward(&batch.x), &batch.y));
            sum += loss.item() * batch.y.len() as f64; // the mean of a batch counts by its size
            opt.step(&mut model, loss.backward());
        }
        println!("epoch {}  loss {:.4}", epoch + 1, sum / loader.samples() as f64);
    }
    let mut right = 0.0;
    for (x, y) in test_set.batches(500).preprocess(normal()).iter() {
        right += model.forward(&x).argmax(-1).eq(&y).to(DType::I64).sum(..).item();
    }
    let accuracy = right / 10_000.0;
    println!("test accuracy {:.2} %", 100.0 * accuracy);
    assert!(accuracy >= 0.97);
    Ok(())
}

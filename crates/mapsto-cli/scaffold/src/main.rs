//! Trains a small network of our own to tell two interleaved half-moons apart.

use mapsto::data::Sample;
use mapsto::prelude::*;

/// Two hidden layers between a point and the logits of its two classes.
#[derive(Module)]
struct Net {
    first: Linear,
    second: Linear,
    out: Linear,
}

impl Layer for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let h = x.apply(&self.first).tanh(); // [n, 16]
        let h = h.apply(&self.second).tanh(); // [n, 16]
        h.apply(&self.out) // [n, 2]
    }
}

pub fn main() -> Result<()> {
    seed(1);
    let points = Table::from_csv("points.csv")?.features(["x", "y"])?.class("moon")?;
    let [train_set, test_set] = points.stratified_split([0.8, 0.2], 1)?;
    let mut net = Net { first: Linear::new(2, 16), second: Linear::new(16, 16), out: Linear::new(16, 2) };
    let mut opt = Adam::new(1e-2);
    let batches = train_set.batches(16).shuffle();
    for epoch in 0..60 {
        let mut total = 0.0;
        for batch in batches.epoch(epoch) {
            let Sample { x, y } = batch?.data;
            let loss = train(|| cross_entropy(&net.forward(&x), &y));
            total += loss.item();
            opt.step(&mut net, loss.backward());
        }
        if epoch % 10 == 9 {
            println!("epoch {:2}  loss {:.4}", epoch + 1, total / batches.len() as f64);
        }
    }
    let all: Vec<usize> = (0..test_set.len()).collect();
    let Sample { x, y } = test_set.batch(&all)?;
    let accuracy = net.forward(&x).argmax(-1).eq(&y).to(DType::F32).mean(..).item();
    println!("test accuracy {:.1} %", 100.0 * accuracy);
    assert!(accuracy > 0.9, "the network should have learned this");
    Ok(())
}

//! What one layer cannot do: `cargo run --release --example perceptron_limit`.
//!
//! One sigmoid neuron draws one straight line, and no line separates XOR's ones from its zeros (Minsky, Papert 1969).
//! Tutorials that show a single layer "learning" XOR show AND, OR, or luck in rounding.

use mapsto::nn::Sequential;
use mapsto::prelude::*;

/// Trains a network and tells how many of the four rows it gets right, and its loss.
fn learn(mut net: Sequential, y: &Tensor) -> (usize, f64) {
    let x = tensor![[0., 0.], [0., 1.], [1., 0.], [1., 1.]];
    let mut opt = Adam::new(0.05);
    for _ in 0..2000 {
        let loss = train(|| bce_with_logits(&net.forward(&x), y));
        opt.step(&mut net, loss.backward());
    }
    let logits = net.forward(&x);
    let right = logits.sigmoid().round().eq(y).to(DType::I64).sum(..).item();
    (right as usize, bce_with_logits(&logits, y).item())
}

pub fn main() {
    let or = tensor![[0.], [1.], [1.], [1.]];
    let xor = tensor![[0.], [1.], [1.], [0.]];

    seed(1);
    let (right, loss) = learn(seq![Linear::new(2, 1)], &or);
    println!("OR,  one layer:      {right} of 4 right, loss {loss:.4}");
    assert_eq!(right, 4);

    // The best that a line can do is to say "one half" to everything: a loss of ln 2, from any start.
    for start in 1..=5 {
        seed(start);
        let (right, loss) = learn(seq![Linear::new(2, 1)], &xor);
        println!("XOR, one layer:      {right} of 4 right, loss {loss:.4}");
        assert!(right < 4 && (loss - 2f64.ln()).abs() < 1e-3);
    }

    seed(1);
    let (right, loss) = learn(seq![Linear::new(2, 4), Tensor::tanh, Linear::new(4, 1)], &xor);
    println!("XOR, a hidden layer: {right} of 4 right, loss {loss:.4}");
    assert!(right == 4 && loss < 0.05);
}

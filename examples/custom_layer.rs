//! A layer of one's own: a gated linear unit, `y = (x W₁ᵀ + b₁) · σ(x W₂ᵀ + b₂)` (Dauphin et al. 2017, arXiv:1612.08083).
//! `cargo run --release --example custom_layer`

use mapsto::prelude::*;

/// Two traits: `Module` is what it holds (derived), `Layer` is what it does (written).
#[derive(Clone, Module)]
struct Glu {
    value: Linear,
    gate: Linear,
}

impl Glu {
    fn new(inputs: usize, outputs: usize) -> Glu {
        Glu { value: Linear::new(inputs, outputs), gate: Linear::new(inputs, outputs) }
    }
}

impl Layer for Glu {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.apply(&self.value) * x.apply(&self.gate).sigmoid()
    }
}

pub fn main() {
    seed(1);
    // It stands wherever a layer can, beside functions and ready-made layers. Here it learns a product, which layers of
    // weighted sums only approximate and a gate has built in.
    let mut net = seq![Glu::new(2, 16), Linear::new(16, 1)];
    let names: Vec<String> = net.parameters().into_iter().map(|(name, _)| name).collect();
    println!("{names:?}");
    assert_eq!(names[..2], ["0.value.weight", "0.value.bias"]);

    let mut opt = Adam::new(0.01);
    let mut last = f64::NAN;
    for _ in 0..1500 {
        let x = Tensor::uniform([64, 2], -1.0, 1.0);
        let y = x.slice(1, 0..1) * x.slice(1, 1..2);
        let loss = train(|| mse(&net.forward(&x), &y));
        last = loss.item();
        opt.step(&mut net, loss.backward());
    }
    println!("loss {last:.6}");
    println!("0.5 · 0.6 ≈ {:.3}", net.forward(&tensor![[0.5, 0.6]]));
    assert!(last < 1e-3);
}

//! The gradient of each sample's loss: all at once, and by a loop over samples that keeps what it finds.
//! `benches/peers/each_peer.py` does the same in PyTorch (`vmap` of `grad`, and a loop).

use crate::timing::{Mode, report, time};
use mapsto::graph::per_sample_grads;
use mapsto::nn::{Sequential, TransformerBlock};
use mapsto::prelude::*;

/// Compares and times four networks.
pub fn run(mode: Mode) {
    let of = |shape: &[usize]| Tensor::randn(shape.to_vec());
    seed(5);
    let mlp = seq![Linear::new(784, 256), Tensor::relu, Linear::new(256, 10)];
    compare("mlp", &mlp, &of(&[64, 784]), mode);
    let cnn = seq![
        Conv2d::new(1, 16, 3),
        Tensor::relu,
        MaxPool2d::new(2),
        Conv2d::new(16, 32, 3),
        Tensor::relu,
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(800, 10)
    ];
    compare("cnn", &cnn, &of(&[64, 1, 28, 28]), mode);
    compare("lstm", &seq![Lstm::new(32, 64).last(), Linear::new(64, 10)], &of(&[64, 32, 32]), mode);
    let former = seq![TransformerBlock::new(64, 4), Flatten::new(), Linear::new(64 * 32, 10)];
    compare("transformer", &former, &of(&[32, 32, 64]), mode);
}

fn losses(net: &Sequential, x: &Tensor) -> Tensor {
    train(|| -net.forward(x).log_softmax(-1).select(1, 3))
}

fn compare(name: &str, net: &Sequential, x: &Tensor, mode: Mode) {
    let n = x.shape()[0];
    let params: Vec<Tensor> = net.parameters().iter().map(|(_, p)| p.clone()).collect();
    let together = || per_sample_grads(&losses(net, x), &params);
    let alone = |i: usize| {
        let grads = losses(net, &x.slice(0, i as isize..i as isize + 1)).sum(..).backward();
        params.iter().map(|p| grads.of(p).clone()).collect::<Vec<Tensor>>()
    };
    for (k, all) in together().iter().enumerate() {
        for i in [0, n / 2, n - 1] {
            let (got, wanted) = (all.select(0, i as isize), &alone(i)[k]);
            let off = (got - wanted).abs().max(..).item();
            assert!(
                off <= 1e-4 * (1e-3 + wanted.abs().max(..).item()),
                "{name}: gradient {k} of sample {i} is off by {off}"
            );
        }
    }
    if mode == Mode::Time {
        report(&format!("each/{name}"), time(|| drop(together())));
        report(&format!("each/{name}/loop"), time(|| drop((0..n).map(alone).collect::<Vec<_>>())));
    }
}

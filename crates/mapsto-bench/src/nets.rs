//! Training steps of small networks, the same work as other frameworks' scripts: nets, batches, optimizers and losses.

use crate::timing::{peak_mb, report, time};
use mapsto::prelude::*;

/// `i ↦ (7 i + 3) mod k`: labels without a pattern that a network could use, the same in every framework.
pub fn labels(n: usize, k: i64) -> Tensor {
    Tensor::from_vec((0..n as i64).map(|i| (i * 7 + 3) % k).collect(), n)
}

/// Times one training step over eight batches in turn, and requires that the loss falls.
pub fn training(
    name: &str,
    mut model: impl Layer,
    mut opt: impl Optimizer,
    xs: Vec<Tensor>,
    loss: impl Fn(&Tensor) -> Tensor,
) {
    let mut i = 0;
    let mut step = || {
        i += 1;
        let loss = train(|| loss(&model.forward(&xs[i % xs.len()])));
        opt.step(&mut model, loss.backward());
        loss
    };
    let first = step().item();
    let taken = time(|| drop(step()));
    let last = step().item();
    assert!(last.is_finite() && last < first, "{name}: the loss went from {first} to {last}");
    report(name, taken);
    eprintln!("# {name}: loss {first:.4} → {last:.4}, peak memory {:.1} MB", peak_mb());
}

fn batches(shape: &[usize]) -> Vec<Tensor> {
    seed(0);
    (0..8).map(|_| Tensor::randn(shape)).collect()
}

/// W1.
pub fn xor() {
    seed(1);
    let model = seq![Linear::new(2, 4), Tensor::tanh, Linear::new(4, 1), Tensor::sigmoid];
    let x = vec![tensor![[0., 0.], [0., 1.], [1., 0.], [1., 1.]]];
    let y = tensor![[0.], [1.], [1.], [0.]];
    training("W1", model, Sgd::new(0.5), x, move |out| bce(out, &y));
}

/// W2's network.
pub fn mlp_net() -> Sequential {
    seq![Linear::new(784, 64), Tensor::relu, Linear::new(64, 64), Tensor::relu, Linear::new(64, 10)]
}

/// W2.
pub fn mlp() {
    let xs = batches(&[64, 784]);
    let y = labels(64, 10);
    training("W2", mlp_net(), Adam::new(1e-3), xs, move |out| cross_entropy(out, &y));
}

/// W2's network, asked for one answer.
pub fn mlp_inference() {
    let model = mlp_net();
    let x = Tensor::randn([1, 784]);
    report("W2b1", time(|| drop(model.forward(std::hint::black_box(&x)))));
}

/// W3.
pub fn cnn() {
    let xs = batches(&[64, 1, 28, 28]);
    let y = labels(64, 10);
    let model = seq![
        Conv2d::new(1, 32, 3).padding(1),
        Tensor::relu,
        MaxPool2d::new(2),
        Conv2d::new(32, 64, 3).padding(1),
        Tensor::relu,
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(3136, 128),
        Tensor::relu,
        Linear::new(128, 10)
    ];
    training("W3", model, Adam::new(1e-3), xs, move |out| cross_entropy(out, &y));
}

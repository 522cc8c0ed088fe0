//! Work whose instructions are counted, not timed: `mapsto-bench counts NAME N` does N steps and nothing else, so that
//! the difference of two N's is free of the start. `cargo xtask counts` runs it under valgrind.

use crate::training::{cnn_training, mlp_training};
use mapsto::nn::bce;
use mapsto::prelude::*;
use std::hint::black_box;

/// Runs the work of that name `n` times, on one thread; false if there is none.
pub fn run(name: &str, n: usize) -> bool {
    let work: fn(usize) = match name {
        "op_add" => add,
        "op_add_recorded" => add_recorded,
        "op_tanh_recorded" => tanh_recorded,
        "products_16" => products,
        "W1" => xor_step,
        "W2" => |n| mlp_training().steps(n),
        "W3" => |n| cnn_training().steps(n),
        _ => return false,
    };
    mapsto::set_threads(1);
    work(n);
    true
}

fn tanh_recorded(n: usize) {
    let x = tensor![0.5].leaf();
    (0..n).for_each(|_| drop(black_box(&x).tanh()));
}

fn add_recorded(n: usize) {
    let x = tensor![0.5].leaf();
    (0..n).for_each(|_| drop(black_box(&x) + &x));
}

/// Small products of every transposition. (A closure of the kernel that was not inlined once made each 25 times as slow.)
fn products(n: usize) {
    let x = Tensor::ones([16, 16]);
    let t = Tensor::ones([16, 16]).t();
    for _ in 0..n {
        for (a, b) in [(&x, &x), (&x, &t), (&t, &x), (&t, &t)] {
            drop(black_box(a).matmul(black_box(b)));
        }
    }
}

fn add(n: usize) {
    let x = tensor![0.5];
    (0..n).for_each(|_| drop(black_box(&x) + &x));
}

/// The training step of W1.
fn xor_step(n: usize) {
    let mut model = seq![Linear::new(2, 4), Tensor::tanh, Linear::new(4, 1), Tensor::sigmoid];
    let (x, y) = (tensor![[0., 0.], [0., 1.], [1., 0.], [1., 1.]], tensor![[0.], [1.], [1.], [0.]]);
    let mut opt = Sgd::new(0.5);
    for _ in 0..n {
        let loss = train(|| bce(&model.forward(&x), &y));
        opt.step(&mut model, loss.backward());
    }
}

//! Training step by step against PyTorch: from the same weights on the same data, the same losses to 1e-4.
//!
//! `golden/training.txt` holds PyTorch's losses; `golden/training.py` made it and says how weights and data are given.

use mapsto::nn::{
    Adagrad, AvgPool2d, CrossEntropy, Gru, ItemMut, Loss, Path, RmsProp, Sequential, TransformerBlock, huber,
};
use mapsto::prelude::*;

const GOLDEN: &str = include_str!("golden/training.txt");

/// Element i of the p-th parameter is `sin(0.37 i + p) · 0.5`, divided by the root of its fan-in where it has one.
fn fill(model: &mut dyn Module) {
    let mut p = 0.0;
    model.visit_mut(&mut Path::new(), &mut |_, item| {
        if let ItemMut::Param(w) = item {
            let fan = if w.rank() > 1 { w.shape()[1..].iter().product::<usize>() } else { 1 };
            let scale = 0.5 / (fan as f64).sqrt();
            let values: Vec<f32> =
                (0..w.len()).map(|i| ((0.37 * i as f64 + p).sin() * scale) as f32).collect();
            w.set(&Tensor::from_vec(values, w.shape())).expect("the same shape");
            p += 1.0;
        }
    });
}

fn wave(shape: &[usize], step: usize) -> Tensor {
    let count = shape.iter().product::<usize>();
    Tensor::from_vec((0..count).map(|i| (0.11 * i as f64 + step as f64).cos() as f32).collect(), shape)
}

/// Trains for 20 steps and compares each loss with PyTorch's.
fn follows_pytorch(
    name: &str,
    mut model: Sequential,
    shape: &[usize],
    mut opt: impl Optimizer,
    loss: impl Fn(&Tensor, &Tensor) -> Tensor,
) {
    let line =
        GOLDEN.lines().find(|l| l.split(' ').next() == Some(name)).expect("the golden file has the line");
    let expected: Vec<f64> = line.split(' ').skip(1).map(|v| v.parse().expect("a number")).collect();
    assert_eq!(expected.len(), 20);
    fill(&mut model);
    let y = Tensor::from_vec((0..shape[0] as i64).map(|i| (i * 7 + 3) % 3).collect(), shape[0]);
    for (step, expected) in expected.into_iter().enumerate() {
        let value = train(|| loss(&model.forward(&wave(shape, step)), &y));
        let item = value.item();
        assert!(
            (item - expected).abs() < 1e-4,
            "{name}, step {step}: the loss is {item}, PyTorch's {expected}"
        );
        opt.step(&mut model, value.backward());
    }
}

fn mlp() -> Sequential {
    seq![Linear::new(12, 8), Tensor::relu, Linear::new(8, 8), Tensor::tanh, Linear::new(8, 3)]
}

fn cnn() -> Sequential {
    seq![
        Conv2d::new(2, 4, 3).padding(1),
        BatchNorm2d::new(4),
        Tensor::relu,
        MaxPool2d::new(2),
        Conv2d::new(4, 6, 3).stride(2).groups(2),
        Tensor::gelu,
        AvgPool2d::new(2),
        Flatten::new(),
        LayerNorm::new(6),
        Linear::new(6, 3),
    ]
}

const ROWS: &[usize] = &[16, 12];
const IMAGES: &[usize] = &[8, 2, 12, 12];

#[test]
fn every_optimizer_steps_as_pytorchs() {
    follows_pytorch("mlp_sgd", mlp(), ROWS, Sgd::new(0.1), cross_entropy);
    follows_pytorch("mlp_momentum", mlp(), ROWS, Sgd::new(0.05).momentum(0.9).decay(0.01), cross_entropy);
    follows_pytorch("mlp_nesterov", mlp(), ROWS, Sgd::new(0.05).momentum(0.9).nesterov(), cross_entropy);
    follows_pytorch("mlp_rmsprop", mlp(), ROWS, RmsProp::new(0.01), cross_entropy);
    follows_pytorch("mlp_adagrad", mlp(), ROWS, Adagrad::new(0.05), cross_entropy);
    follows_pytorch("mlp_adam", mlp(), ROWS, Adam::new(0.01), cross_entropy);
    follows_pytorch("mlp_adamw", mlp(), ROWS, AdamW::new(0.01).decay(0.1), cross_entropy);
}

#[test]
fn every_loss_is_pytorchs() {
    let adam = || Adam::new(0.01);
    let hot = |y: &Tensor| y.one_hot(3);
    let smoothed = CrossEntropy::new().label_smoothing(0.1);
    follows_pytorch("mlp_smoothed", mlp(), ROWS, adam(), |x, y| smoothed.loss(x, y));
    let weighted = CrossEntropy::new().weights(tensor![0.2, 1.0, 3.0]);
    follows_pytorch("mlp_weighted", mlp(), ROWS, adam(), |x, y| weighted.loss(x, y));
    let ignoring = CrossEntropy::new().ignore_index(2);
    follows_pytorch("mlp_ignoring", mlp(), ROWS, adam(), |x, y| ignoring.loss(x, y));
    follows_pytorch("mlp_mse", mlp(), ROWS, adam(), |x, y| mse(x, &hot(y)));
    follows_pytorch("mlp_huber", mlp(), ROWS, adam(), |x, y| huber(x, &hot(y)));
    follows_pytorch("mlp_bce", mlp(), ROWS, adam(), |x, y| bce_with_logits(x, &hot(y)));
}

#[test]
fn convolutions_pooling_and_norms_train_as_pytorchs() {
    follows_pytorch("cnn_adam", cnn(), IMAGES, Adam::new(0.01), cross_entropy);
    follows_pytorch("cnn_sgd", cnn(), IMAGES, Sgd::new(0.05).momentum(0.9), cross_entropy);
}

#[test]
fn recurrent_networks_train_as_pytorchs() {
    const SEQUENCES: &[usize] = &[8, 7, 5];
    fn step(x: &Tensor) -> Tensor {
        x.select(1, -1)
    }
    let (lstm, gru) =
        (|| Lstm::new(5, 4).layers(2).bidirectional(), || Gru::new(5, 4).layers(2).bidirectional());
    let head = || Linear::new(8, 3);
    follows_pytorch("lstm_adam", seq![lstm(), step, head()], SEQUENCES, Adam::new(0.01), cross_entropy);
    follows_pytorch("lstm_last", seq![lstm().last(), head()], SEQUENCES, Sgd::new(0.1), cross_entropy);
    follows_pytorch("gru_adam", seq![gru(), step, head()], SEQUENCES, Adam::new(0.01), cross_entropy);
    follows_pytorch("gru_last", seq![gru().last(), head()], SEQUENCES, Sgd::new(0.1), cross_entropy);
}

#[test]
fn attention_trains_as_pytorchs() {
    let model = seq![TransformerBlock::new(8, 2).causal(), |x: &Tensor| x.mean(1), Linear::new(8, 3)];
    follows_pytorch("transformer_adamw", model, &[6, 5, 8], AdamW::new(0.01).decay(0.1), cross_entropy);
}

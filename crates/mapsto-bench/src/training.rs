//! Training steps of the networks that other frameworks' scripts train: nets, batches, optimizers and losses.

use crate::formula::{fill, ids, labels, pictures};
use crate::golden::assert_near;
use crate::timing::{Mode, report, report_first, time};
use mapsto::models::Gpt;
use mapsto::nn::{Sequential, bce};
use mapsto::prelude::*;
use mapsto::{MatmulPrecision, with_matmul_precision};

/// A training to be run: one batch after the other, in turn.
pub struct Training<M, O, L> {
    name: &'static str,
    model: M,
    opt: O,
    xs: Vec<Tensor>,
    loss: L,
}

impl<M: Layer, O: Optimizer, L: Fn(&Tensor) -> Tensor> Training<M, O, L> {
    /// Trains from the formula's weights: for 20 steps whose losses are held to PyTorch's, then for timing.
    fn run(self, mode: Mode) {
        let name = self.name;
        self.run_held(20, name, |_| 1e-4, mode);
    }

    /// Trains for `n` steps and does nothing else, for counting instructions.
    pub fn steps(mut self, n: usize) {
        fill(&mut self.model);
        for step in 0..n {
            let loss = train(|| (self.loss)(&self.model.forward(&self.xs[step % self.xs.len()])));
            self.opt.step(&mut self.model, loss.backward());
        }
    }

    /// The same with another number of checked steps, held to the losses of `golden`, each as near as `most` of it.
    pub fn run_held(mut self, checked: usize, golden: &str, most: impl Fn(f64) -> f64, mode: Mode) {
        fill(&mut self.model);
        let mut step = 0;
        let mut step = || {
            let loss = train(|| (self.loss)(&self.model.forward(&self.xs[step % self.xs.len()])));
            step += 1;
            self.opt.step(&mut self.model, loss.backward());
            loss
        };
        let name = self.name;
        if mode == Mode::First {
            step().item();
            return report_first(name);
        }
        let losses: Vec<f64> = (0..=checked).map(|_| step().item()).collect();
        let worst = assert_near(golden, &format!("the loss of {name} after as many steps as"), &losses, most);
        eprintln!(
            "# mapsto {name} {checked} steps: loss {:.6}, at most {worst:.1e} from PyTorch's",
            losses[checked]
        );
        if mode == Mode::Time {
            report(name, time(|| drop(step())));
        }
    }
}

/// W1.
pub fn xor(mode: Mode) {
    let model = seq![Linear::new(2, 4), Tensor::tanh, Linear::new(4, 1), Tensor::sigmoid];
    let xs = vec![tensor![[0., 0.], [0., 1.], [1., 0.], [1., 1.]]];
    let y = tensor![[0.], [1.], [1.], [0.]];
    Training { name: "W1", model, opt: Sgd::new(0.5), xs, loss: |out: &Tensor| bce(out, &y) }.run(mode);
}

/// W2's network.
pub fn mlp_net() -> Sequential {
    seq![Linear::new(784, 64), Tensor::relu, Linear::new(64, 64), Tensor::relu, Linear::new(64, 10)]
}

/// W2.
pub fn mlp(mode: Mode) {
    mlp_training().run(mode);
}

/// W2's network, batches and optimizer.
pub fn mlp_training() -> Training<Sequential, Adam, impl Fn(&Tensor) -> Tensor> {
    let xs = (0..8).map(|k| pictures(k, 64)).collect();
    let y = labels(64, 10);
    let loss = move |out: &Tensor| cross_entropy(out, &y);
    Training { name: "W2", model: mlp_net(), opt: Adam::new(1e-3), xs, loss }
}

/// W3.
pub fn cnn(mode: Mode) {
    cnn_training().run(mode);
}

/// W3's network.
pub fn cnn_net() -> Sequential {
    seq![
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
    ]
}

/// W3's network, batches and optimizer.
pub fn cnn_training() -> Training<Sequential, Adam, impl Fn(&Tensor) -> Tensor> {
    let xs = (0..8).map(|k| pictures(k, 64).reshape([64, 1, 28, 28])).collect();
    let y = labels(64, 10);
    let loss = move |out: &Tensor| cross_entropy(out, &y);
    Training { name: "W3", model: cnn_net(), opt: Adam::new(1e-3), xs, loss }
}

/// W4.
pub fn lstm(mode: Mode) {
    let model = seq![Embedding::new(10_000, 128), Lstm::new(128, 256).last(), Linear::new(256, 2)];
    let (x, y) = (ids(&[32, 64], 10_000), labels(32, 2));
    let loss = |out: &Tensor| cross_entropy(out, &y);
    Training { name: "W4", model, opt: Adam::new(1e-3), xs: vec![x], loss }.run(mode);
}

/// W5.
pub fn gpt(mode: Mode) {
    gpt_training("W5").run_held(gpt_steps(mode), "W5", |_| 1e-4, mode);
}

/// W5high: W5 in the precision `high`, held to the same losses.
pub fn gpt_high(mode: Mode) {
    with_matmul_precision(MatmulPrecision::High, || {
        gpt_training("W5high").run_held(gpt_steps(mode), "W5", |_| 1e-4, mode);
    });
}

/// How many of W5's first steps are checked. They are long: a check without timing is content with four.
pub fn gpt_steps(mode: Mode) -> usize {
    if mode == Mode::Check { 4 } else { 20 }
}

/// W5's network, batch and optimizer, for a workload of this name.
pub fn gpt_training(name: &'static str) -> Training<Gpt, AdamW, impl Fn(&Tensor) -> Tensor> {
    let model = Gpt::new(65, 256).no_bias();
    let (x, y) = (ids(&[8, 256], 65), labels(2048, 65).reshape([8, 256]));
    let loss = move |out: &Tensor| cross_entropy(out, &y);
    Training { name, model, opt: AdamW::new(1e-3).decay(0.1), xs: vec![x], loss }
}

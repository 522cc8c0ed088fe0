//! W1, W2 and W3 in candle.

use crate::formula::{labels, pictures, weight};
use crate::timing::report;
use candle_core::{Device, Module, Result, Tensor, Var};
use candle_nn::{AdamW, Conv2d, Conv2dConfig, Linear, Optimizer, ParamsAdamW, SGD, loss};

/// The weights of a network as they are made, for the optimizer.
#[derive(Default)]
struct Weights(Vec<Var>);

impl Weights {
    fn next(&mut self, shape: &[usize]) -> Result<Tensor> {
        let values = weight(self.0.len() as u32, shape);
        self.0.push(Var::from_vec(values, shape, &Device::Cpu)?);
        Ok(self.0[self.0.len() - 1].as_tensor().clone())
    }

    fn linear(&mut self, inputs: usize, outputs: usize) -> Result<Linear> {
        Ok(Linear::new(self.next(&[outputs, inputs])?, Some(self.next(&[outputs])?)))
    }

    fn conv(&mut self, inputs: usize, outputs: usize) -> Result<Conv2d> {
        let config = Conv2dConfig { padding: 1, ..Default::default() };
        Ok(Conv2d::new(self.next(&[outputs, inputs, 3, 3])?, Some(self.next(&[outputs])?), config))
    }

    fn adam(self) -> Result<AdamW> {
        AdamW::new(self.0, ParamsAdamW { lr: 1e-3, weight_decay: 0.0, ..Default::default() })
    }
}

pub fn run(workload: &str) -> Result<()> {
    let mut w = Weights::default();
    match workload {
        "W1" => {
            let (first, second) = (w.linear(2, 4)?, w.linear(4, 1)?);
            let x = Tensor::new(&[[0f32, 0.], [0., 1.], [1., 0.], [1., 1.]], &Device::Cpu)?;
            let y = Tensor::new(&[[0f32], [1.], [1.], [0.]], &Device::Cpu)?;
            // The sigmoid is in the loss: the same function in one operation.
            let loss = |x: &Tensor| {
                loss::binary_cross_entropy_with_logit(&second.forward(&first.forward(x)?.tanh()?)?, &y)
            };
            train("W1", &[x], loss, SGD::new(w.0, 0.5)?)
        }
        "W2" => {
            let layers = [w.linear(784, 64)?, w.linear(64, 64)?, w.linear(64, 10)?];
            let y = targets()?;
            let loss = |x: &Tensor| {
                let x = layers[0].forward(x)?.relu()?;
                loss::cross_entropy(&layers[2].forward(&layers[1].forward(&x)?.relu()?)?, &y)
            };
            train("W2", &inputs(&[64, 784])?, loss, w.adam()?)
        }
        "W3" => {
            let (c1, c2) = (w.conv(1, 32)?, w.conv(32, 64)?);
            let (l1, l2) = (w.linear(3136, 128)?, w.linear(128, 10)?);
            let y = targets()?;
            let loss = |x: &Tensor| {
                let x = c1.forward(x)?.relu()?.max_pool2d(2)?;
                let x = c2.forward(&x)?.relu()?.max_pool2d(2)?.flatten_from(1)?;
                loss::cross_entropy(&l2.forward(&l1.forward(&x)?.relu()?)?, &y)
            };
            train("W3", &inputs(&[64, 1, 28, 28])?, loss, w.adam()?)
        }
        other => panic!("{other} is not written in candle"),
    }
}

fn targets() -> Result<Tensor> {
    Tensor::from_vec(labels(64), 64, &Device::Cpu)
}

fn inputs(shape: &[usize]) -> Result<Vec<Tensor>> {
    (0..8).map(|k| Tensor::from_vec(pictures(k, 64), shape, &Device::Cpu)).collect()
}

/// Holds the losses of 20 steps to PyTorch's, then times more of them.
fn train(
    workload: &str,
    xs: &[Tensor],
    loss: impl Fn(&Tensor) -> Result<Tensor>,
    mut optimizer: impl Optimizer,
) -> Result<()> {
    let mut steps = 0;
    let mut step = || -> Result<Tensor> {
        let value = loss(&xs[steps % xs.len()])?;
        steps += 1;
        optimizer.backward_step(&value)?;
        Ok(value)
    };
    let golden = include_str!("../../../../crates/mapsto-bench/golden/losses.txt");
    let line = golden.lines().find_map(|l| l.strip_prefix(workload)?.strip_prefix(' ')).expect("the workload's line");
    for expected in line.split(' ').map(|v| v.parse::<f64>().expect("a number")) {
        let value = step()?.to_scalar::<f32>()? as f64;
        // In W3 candle is 1.5e-4 away.
        assert!((value - expected).abs() < 2e-3, "candle {workload}: loss {value}, PyTorch's {expected}");
    }
    report("candle", workload, None, || drop(step().expect("candle computes")));
    Ok(())
}

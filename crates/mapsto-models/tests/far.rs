//! Training on a device whose memory the CPU does not reach: the same losses and parameters as on the CPU, and nothing that
//! the CPU could have computed in its place, because nothing but the loss comes back.

use mapsto_models::Gpt;
use mapsto_nn::prelude::*;
use mapsto_tensor::check::{assert_tensors_close, far};

#[derive(Module)]
#[module(crate = mapsto_nn)]
struct Cnn {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
}

impl Layer for Cnn {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.apply(&self.conv1)
            .relu()
            .max_pool2d(2) // [n, 32, 14, 14]
            .apply(&self.conv2)
            .relu()
            .max_pool2d(2) // [n, 64, 7, 7]
            .flatten(1)
            .apply(&self.fc1)
            .relu()
            .apply(&self.fc2)
    }
}

#[derive(Module)]
#[module(crate = mapsto_nn)]
struct Reader {
    lstm: Lstm,
    head: Linear,
}

impl Layer for Reader {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.apply(&self.lstm).select(1, -1).dropout(0.25).apply(&self.head)
    }
}

/// Two steps on each device, beginning with the same numbers.
fn trains_the_same<M: Layer, O: Optimizer>(
    model: impl Fn() -> M,
    optimizer: impl Fn() -> O,
    (x, t): (Tensor, Tensor),
    tolerance: f64,
    dtype: DType,
) {
    let run = |device: Device| {
        seed(7);
        let mut model = model();
        model.convert(dtype);
        model.to_device(device);
        let (x, t) = (x.to_device(device), t.to_device(device));
        let x = if x.dtype().is_float() { x.to(dtype) } else { x };
        let mut optimizer = optimizer();
        let before = far::traffic();
        let losses = device.scope(|| {
            [(); 2].map(|()| {
                let loss = train(|| {
                    let y = model.forward(&x);
                    let classes = y.shape()[y.rank() - 1];
                    y.reshape([y.len() / classes, classes]).cross_entropy(&t.reshape([t.len()]))
                });
                let grads = loss.backward();
                assert!(grads.iter().all(|(_, g)| g.device() == device));
                optimizer.step(&mut model, grads);
                loss.item()
            })
        });
        (model.state_dict(), losses, before, far::traffic())
    };
    let (near, near_losses, ..) = run(Device::cpu());
    let (away, losses, before, after) = run(far::device());
    assert_ne!(near_losses[0], near_losses[1], "nothing was learnt");
    for (a, b) in losses.iter().zip(near_losses) {
        assert!((a - b).abs() <= tolerance * b.abs(), "the losses differ: {losses:?}, {near_losses:?}");
    }
    for ((name, a), (_, b)) in away.iter().zip(&near) {
        assert_eq!(a.device(), far::device(), "{name}");
        assert_tensors_close(a, b, tolerance, tolerance, name);
    }
    // A kernel of the CPU needs its operands read and its result written. Two losses were read, and no more than lists of
    // positions were written.
    assert_eq!((after.reads - before.reads, after.read - before.read), (2, 2 * dtype.size()));
    assert!(after.written - before.written < 4096, "{before:?} {after:?}");
}

fn cnn() -> Cnn {
    Cnn {
        conv1: Conv2d::new(1, 32, 3).padding(1),
        conv2: Conv2d::new(32, 64, 3).padding(1),
        fc1: Linear::new(3136, 128),
        fc2: Linear::new(128, 10),
    }
}

#[test]
fn a_cnn_trains_far_away_as_it_does_here() {
    let batch = || (Tensor::randn([2, 1, 28, 28]), tensor![3, 8]);
    trains_the_same(cnn, || Adam::new(1e-3), batch(), 1e-7, DType::F64);
}

#[test]
fn an_lstm_trains_far_away_as_it_does_here() {
    let model = || Reader { lstm: Lstm::new(3, 8), head: Linear::new(8, 4) };
    let batch = || (Tensor::randn([5, 6, 3]), tensor![0, 1, 2, 3, 0]);
    trains_the_same(model, || RmsProp::new(1e-3).momentum(0.5), batch(), 1e-7, DType::F64);
    trains_the_same(model, || Sgd::new(0.1).momentum(0.9), batch(), 1e-4, DType::F32);
}

#[test]
fn a_gpt_trains_far_away_as_it_does_here() {
    let model = || Gpt::new(11, 8).blocks(2).width(16).heads(2).dropout(0.1);
    let ids = |k: i64| Tensor::from_vec((0..16).map(|i| (i * k + 3) % 11).collect::<Vec<i64>>(), [2, 8]);
    trains_the_same(model, || AdamW::new(1e-3), (ids(7), ids(5)), 1e-7, DType::F64);
}

#[test]
fn the_outline_of_a_model_needs_no_memory() {
    let device = Device::shape();
    // 2⁴⁰ parameters in one layer.
    let outline = device.scope(|| seq![Linear::new(1 << 20, 1 << 20), Linear::new(1 << 20, 10)]);
    assert_eq!(outline.parameter_count(), (1usize << 40) + (1 << 20) + (10 << 20) + 10);
    let y = device.scope(|| outline.forward(&Tensor::zeros([64, 1 << 20])));
    assert_eq!((y.shape(), y.device()), (&[64, 10][..], device));
}

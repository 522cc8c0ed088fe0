//! The same seed gives the same bits: for 1, 2 and 8 threads, for 0, 1 and 4 loader workers.

use mapsto::data::{Noise, Shift};
use mapsto::nn::AvgPool2d;
use mapsto::prelude::*;
use mapsto::with_threads;

/// Trains a network of every layer with a kernel of its own, on augmented data, and returns all its bits.
fn bits(threads: usize, workers: usize) -> Vec<u32> {
    with_threads(threads, || {
        seed(7);
        let x = Tensor::normal([96, 1, 12, 12], 0.0, 1.0);
        let y = Tensor::from_vec((0..96).map(|i| (i * 5 % 4) as i64).collect(), 96);
        let set = InMemory::new(x, y);
        let mut model = seq![
            Conv2d::new(1, 8, 3).padding(1),
            BatchNorm2d::new(8),
            Tensor::relu,
            MaxPool2d::new(2),
            Conv2d::new(8, 16, 3),
            Tensor::gelu,
            AvgPool2d::new(2),
            Flatten::new(),
            LayerNorm::new(64),
            Dropout::new(0.3),
            Linear::new(64, 4),
        ];
        let mut opt = AdamW::new(1e-2);
        let loader = set
            .batches(32)
            .shuffle()
            .seed(3)
            .workers(workers)
            .transform(Shift::new(2))
            .transform(Noise::new(0.1));
        for epoch in 0..2 {
            for batch in loader.epoch(epoch) {
                let batch = batch.expect("no sample is damaged");
                let loss = train(|| cross_entropy(&model.forward(&batch.x), &batch.y));
                let mut grads = loss.backward();
                grads.clip_norm(1.0);
                opt.step(&mut model, grads);
            }
        }
        let mut out: Vec<u32> = Vec::new();
        for (_, t) in model.state_dict() {
            if t.dtype() == DType::F32 {
                out.extend(t.to_vec::<f32>().into_iter().map(f32::to_bits));
            }
        }
        out.extend(
            model.forward(&Tensor::ones([3, 1, 12, 12])).to_vec::<f32>().into_iter().map(f32::to_bits),
        );
        out
    })
}

#[test]
fn threads_and_workers_do_not_change_a_bit() {
    let expected = bits(1, 0);
    assert!(expected.len() > 1000);
    for (threads, workers) in [(2, 0), (8, 0), (1, 1), (1, 4), (2, 4), (8, 1)] {
        assert!(
            bits(threads, workers) == expected,
            "{threads} threads and {workers} workers give other bits"
        );
    }
}

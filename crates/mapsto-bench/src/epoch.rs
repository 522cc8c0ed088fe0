//! A whole epoch as a user writes it: 60,000 rows through the loader, shuffled, the loss read at each step.

use crate::nets::{labels, mlp_net};
use crate::timing::{report, time};
use mapsto::prelude::*;

/// W2epoch.
pub fn run() {
    seed(0);
    let loader = InMemory::new(Tensor::randn([60_000, 784]), labels(60_000, 10)).batches(64).shuffle();
    let mut model = mlp_net();
    let mut opt = Adam::new(1e-3);
    let mut epoch = 0;
    let taken = time(|| {
        for batch in loader.epoch(epoch) {
            let batch = batch.expect("rows in memory are whole");
            let loss = train(|| cross_entropy(&model.forward(&batch.x), &batch.y));
            opt.step(&mut model, loss.backward());
            assert!(loss.item().is_finite());
        }
        epoch += 1;
    });
    report("W2epoch", taken);
}

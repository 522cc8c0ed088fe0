//! A whole epoch as a user writes it: 60,000 rows through the loader, shuffled, the loss read at each step.

use crate::formula::{fill, labels, pictures};
use crate::timing::{Mode, report, report_first, time};
use crate::training::mlp_net;
use mapsto::prelude::*;

/// W2epoch.
pub fn run(mode: Mode) {
    seed(0);
    let loader = InMemory::new(pictures(0, 60_000), labels(60_000, 10)).batches(64).shuffle();
    let mut model = mlp_net();
    fill(&mut model);
    let mut opt = Adam::new(1e-3);
    let mut epoch = 0;
    let mut pass = || {
        let (mut rows, mut last) = (0, f64::NAN);
        for batch in loader.epoch(epoch) {
            let batch = batch.expect("rows in memory are whole");
            let loss = train(|| cross_entropy(&model.forward(&batch.x), &batch.y));
            opt.step(&mut model, loss.backward());
            last = loss.item();
            rows += batch.indices.len();
        }
        epoch += 1;
        (rows, last)
    };
    let (rows, last) = pass();
    assert_eq!(rows, 60_000, "W2epoch: rows of an epoch");
    assert!(last < 0.1, "W2epoch: the loss after one epoch over ten easy classes is {last}");
    match mode {
        Mode::First => report_first("W2epoch"),
        Mode::Check => eprintln!("# mapsto W2epoch: loss {last:.6} after an epoch"),
        Mode::Time => report("W2epoch", time(|| assert_eq!(pass().0, rows))),
    }
}

//! Reading batches takes its memory from the pool: nothing new after the first epoch, and nothing kept at the end.
//! Alone in its file, because the counters are the whole process's.

use mapsto_data::prelude::*;
use mapsto_tensor::{Tensor, memory};

#[test]
fn epochs_after_the_first_allocate_nothing_and_give_everything_back() {
    let pixels = Tensor::from_vec(vec![7u8; 1000 * 784], [1000, 1, 28, 28]);
    let set = InMemory::from_pixels(pixels, Tensor::arange(0..1000));
    let loader =
        set.batches(64).shuffle().seed(1).preprocess(Preprocess::new().then(Normalize::new([0.5], [0.5])));
    loader.epoch(0).for_each(|batch| drop(batch.unwrap()));
    let before = memory::stats();
    (1..4).for_each(|epoch| loader.epoch(epoch).for_each(|batch| drop(batch.unwrap())));
    let after = memory::stats();
    assert_eq!(after.system_allocations, before.system_allocations);
    assert_eq!((after.copies, after.live_bytes), (before.copies, before.live_bytes));

    for workers in [1, 4] {
        let mut epoch = loader.clone().workers(workers).epoch(4);
        let first = epoch.next().unwrap().unwrap();
        assert_eq!(first.x.shape(), [64, 1, 28, 28]);
        drop((epoch, first));
        assert_eq!(memory::stats().live_bytes, before.live_bytes, "{workers} workers leave nothing behind");
    }
}

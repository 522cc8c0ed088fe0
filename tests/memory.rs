//! Steady training allocates nothing, copies nothing, and leaves nothing behind.
//!
//! One test, alone in its process: the counts are the process's.

use mapsto::memory;
use mapsto::prelude::*;

#[test]
fn steady_training_takes_no_memory_from_the_system_and_copies_none() {
    let batch = |step: u64| {
        let x = Tensor::normal([64, 784], 0.0, 1.0);
        let y = Tensor::from_vec((0..64).map(|i| (i * 7 + step as i64) % 10).collect(), 64);
        (x, y)
    };
    let before = memory::stats();
    {
        seed(1);
        let mut model = seq![
            Flatten::new(),
            Linear::new(784, 64),
            Tensor::relu,
            Linear::new(64, 64),
            Tensor::relu,
            Linear::new(64, 10)
        ];
        let mut opt = Adam::new(1e-3);
        let mut step = |n: u64| {
            let (x, y) = batch(n);
            let loss = train(|| cross_entropy(&model.forward(&x), &y));
            opt.step(&mut model, loss.backward());
        };
        (0..3).for_each(&mut step);
        let warm = memory::stats();
        (3..103).for_each(&mut step);
        let after = memory::stats();
        assert_eq!(after.system_allocations, warm.system_allocations, "system allocations in 100 steps");
        assert_eq!(after.copies, warm.copies, "copies of tensor memory in 100 steps");
        (103..1103).for_each(&mut step);
        assert_eq!(memory::stats().live_bytes, warm.live_bytes, "live bytes after 1,000 steps more");
        assert!(warm.live_bytes > before.live_bytes, "parameters are counted");
    }
    assert_eq!(memory::stats().live_bytes, before.live_bytes, "live bytes after the model is dropped");
    memory::trim();
    assert_eq!(memory::stats().cached_bytes, 0);
}

//! What the pool of memory holds is bounded by what was in use. (A file of its own: the counts are the process's.)

use mapsto_tensor::memory::{stats, trim};
use mapsto_tensor::prelude::*;

#[test]
fn a_tensor_that_grows_leaves_no_block_of_each_size_and_a_steady_loop_keeps_its_own() {
    trim();
    let piece = Tensor::ones([1 << 18]); // 1 MiB
    let mut x = piece.clone();
    let mut most = 0;
    for _ in 0..60 {
        x = Tensor::cat(&[&x, &piece], 0);
        // While it was made, the old and the new one lived, in blocks up to a quarter larger; the pool holds twice as much.
        let stats = stats();
        let held = stats.live_bytes + stats.cached_bytes;
        assert!(held <= 5 * 4 * x.len() + (8 << 20), "{stats:?}");
        most = most.max(held);
    }
    // All its sizes together are 61 · 62 / 2 MiB.
    assert!(most < 310 << 20, "{most} bytes for a tensor of {} bytes", x.len() * 4);
    assert_eq!(x.sum(0).item(), x.len() as f64);

    // A steady loop asks the system for nothing, and nothing is taken from it meanwhile.
    let step = || {
        let x = Tensor::ones([1 << 20]);
        let y = &x * 2.0 + &x;
        drop((y.exp(), Tensor::zeros([3 << 19])));
    };
    (0..3).for_each(|_| step());
    let before = stats().system_allocations;
    (0..20).for_each(|_| step());
    assert_eq!(stats().system_allocations, before);
}

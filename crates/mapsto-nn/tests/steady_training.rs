//! A training loop that has warmed up copies no parameter and asks the system for no memory.
//! Alone in its file, because the counters are the whole process's: beside other tests it failed now and then.

use mapsto_nn::prelude::*;

#[test]
fn steady_training_copies_no_parameter() {
    let mut net = seq![Linear::new(8, 16), Tensor::tanh, Linear::new(16, 1)];
    let (x, y) = (Tensor::randn([4, 8]), Tensor::randn([4, 1]));
    let mut opt = AdamW::new(1e-3);
    let mut one_step = || {
        let grads = train(|| mse(&net.forward(&x), &y)).backward();
        opt.step(&mut net, grads);
    };
    (0..3).for_each(|_| one_step());
    let before = memory::stats();
    (0..20).for_each(|_| one_step());
    let after = memory::stats();
    assert_eq!((after.copies, after.system_allocations), (before.copies, before.system_allocations));
}

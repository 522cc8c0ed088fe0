//! The cost of one recorded operation on a scalar-sized tensor: what the framework adds to the arithmetic.

use crate::timing::{Mode, report, time};
use mapsto::prelude::*;

/// Times `tanh` and `add` on one element, recorded, and `add` unrecorded.
pub fn run(mode: Mode) {
    let x = tensor![0.5].leaf();
    assert_close!(x.tanh().sum(..).backward().of(&x), [0.786448]);
    if mode != Mode::Time {
        return;
    }
    report("op_tanh_recorded", time(|| drop(std::hint::black_box(&x).tanh())));
    report("op_add_recorded", time(|| drop(std::hint::black_box(&x) + &x)));
    let c = tensor![0.5];
    report("op_add", time(|| drop(std::hint::black_box(&c) + &c)));
    let a = Tensor::ones([4, 2]).leaf();
    let b = Tensor::ones([2, 4]).leaf();
    report("op_matmul_4x2x4_recorded", time(|| drop(std::hint::black_box(&a).matmul(&b))));
    report("op_tanh_backward", time(|| drop(std::hint::black_box(&x).tanh().sum(..).backward())));
}

//! An operation of one's own, with its derivative, checked like those of the library:
//! `cargo run --release --example custom_op`
//!
//! Mish (Misra 2019, arXiv:1908.08681): `y = x · tanh(ln(1 + eˣ))`.

use mapsto::elementwise::{Real, Unary, map};
use mapsto::graph::{At, Keep};
use mapsto::prelude::*;

#[derive(Clone, Copy)]
struct Mish;

impl Unary for Mish {
    const NAME: &'static str = "mish";
    const KEEP: Keep = Keep::INPUTS;

    /// One definition for f32 and f64; the compiler makes vector code of it.
    #[inline(always)]
    fn f<R: Real>(self, x: R) -> R {
        x * x.softplus().tanh()
    }

    /// `dy/dx = t + x (1 − t²) σ(x)` with `t = tanh(softplus(x))`, in tensor operations: so it has a derivative itself.
    fn vjp(self, at: &At<'_>, g: &Tensor) -> Tensor {
        let x = at.x();
        let t = x.softplus().tanh();
        g * (&t + x * (1.0 - t.square()) * x.sigmoid())
    }
}

/// A plain function is all it takes to use it, in a chain or as a layer.
fn mish(x: &Tensor) -> Tensor {
    map(Mish, x)
}

pub fn main() {
    // Values against an f64 reference, first and second derivatives against differences, views, dtypes, threads, NaN.
    mapsto::check::check(mish)
        .reference(|x| {
            if x == f64::NEG_INFINITY { f64::NAN } else { x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh() }
        })
        .on(mapsto::check::floats(-6.0..6.0));
    println!("mish(-1, 0, 1) = {:.4}", mish(&tensor![-1.0, 0.0, 1.0]));
    assert_close!(mish(&tensor![-1.0, 0.0, 1.0]), [-0.30340, 0.0, 0.86510]);

    seed(1);
    let mut net = seq![Linear::new(1, 16), mish, Linear::new(16, 1)];
    let mut opt = Adam::new(0.01);
    let x = Tensor::linspace(-2.0, 2.0, 64).reshape([64, 1]);
    let y = x.square();
    for _ in 0..1000 {
        let loss = train(|| mse(&net.forward(&x), &y));
        opt.step(&mut net, loss.backward());
    }
    let loss = mse(&net.forward(&x), &y).item();
    println!("a parabola from mish: loss {loss:.5}");
    assert!(loss < 1e-2);
}

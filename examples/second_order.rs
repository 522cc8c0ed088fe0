//! Derivatives of derivatives: Newton's method and a gradient penalty. `cargo run --release --example second_order`

use mapsto::nn::Sequential;
use mapsto::prelude::*;

/// The product of the Hessian of `f` at `x` with a vector, without ever forming the Hessian.
fn hessian_times(f: impl Fn(&Tensor) -> Tensor, x: &Tensor, v: &Tensor) -> Tensor {
    let x = x.leaf();
    let [g] = grad(&f(&x), [&x]);
    let [hv] = grad(&(g * v).sum(..), [&x]);
    hv.detach()
}

/// Rosenbrock's banana: a curved valley with its lowest point, 0, at (1, 1).
fn rosenbrock(p: &Tensor) -> Tensor {
    let (x, y) = (p.select(0, 0), p.select(0, 1));
    (1.0 - &x).square() + (y - x.square()).square() * 100.0
}

pub fn main() {
    // Newton: step by −H⁻¹ g. Where gradient descent needs thousands of steps along the valley, this needs a few.
    let mut p = Tensor::from_slice(&[-1.2, 1.0], 2).to(DType::F64);
    for step in 0..8 {
        let leaf = p.leaf();
        let [g] = grad(&rosenbrock(&leaf), [&leaf]);
        let column = |i: usize| {
            let e = Tensor::from_slice(&[(i == 0) as u8 as f64, (i == 1) as u8 as f64], 2);
            hessian_times(rosenbrock, &p, &e).to_vec::<f64>()
        };
        let ([a, b], [c, d]) = (pair(column(0)), pair(column(1)));
        let [u, v] = pair(g.detach().to_vec::<f64>());
        let determinant = a * d - b * c;
        let newton = [(d * u - c * v) / determinant, (a * v - b * u) / determinant];
        p = &p - Tensor::from_slice(&newton, 2);
        println!("step {step}  f = {:.2e}", rosenbrock(&p).item());
    }
    assert_close!(p, [1.0, 1.0]);

    // A gradient penalty: the network learns a slope of at most 1 wherever it is asked (as critics of generative networks
    // must: Gulrajani et al. 2017, arXiv:1704.00028). The penalty is a function of a gradient, and it is trained.
    seed(2);
    let mut net = seq![Linear::new(1, 32), Tensor::tanh, Linear::new(32, 1)];
    let mut opt = Adam::new(0.01);
    let x = Tensor::linspace(-1.0, 1.0, 64).reshape([64, 1]);
    let steep = &x * 3.0;
    let slope_of = |net: &Sequential| {
        let x = x.leaf();
        let [slope] = grad(&net.forward(&x).sum(..), [&x]);
        slope
    };
    for _ in 0..600 {
        let loss = train(|| {
            let excess = (slope_of(&net).abs() - 1.0).relu().square().mean(..);
            mse(&net.forward(&x), &steep) + excess * 100.0
        });
        opt.step(&mut net, loss.backward());
    }
    let steepest = slope_of(&net).abs().max(..).item();
    println!("the target's slope is 3, the network's is at most {steepest:.3}");
    assert!(steepest < 1.2);
}

fn pair(v: Vec<f64>) -> [f64; 2] {
    [v[0], v[1]]
}

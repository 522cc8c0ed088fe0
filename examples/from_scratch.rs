//! A two-layer network by hand, on plain tensors: initialise, forward, loss, backward, update.
//! `cargo run --release --example from_scratch`
//!
//! Every derivative below is written out; at the end they are compared with those that `backward` finds.

use mapsto::prelude::*;

/// The parameters: `w1 [4, 2]`, `b1 [4]`, `w2 [1, 4]`, `b2 [1]`.
struct Net {
    w1: Tensor,
    b1: Tensor,
    w2: Tensor,
    b2: Tensor,
}

/// Xavier: a variance of 2 / (inputs + outputs) keeps signals and gradients at one size through sigmoid layers.
fn initialise() -> Net {
    Net {
        w1: Tensor::normal([4, 2], 0.0, (2.0_f64 / 6.0).sqrt()),
        b1: Tensor::zeros([4]),
        w2: Tensor::normal([1, 4], 0.0, (2.0_f64 / 5.0).sqrt()),
        b2: Tensor::zeros([1]),
    }
}

/// What the forward pass leaves for the backward pass.
struct Pass {
    h: Tensor, // [n, 4]
    y: Tensor, // [n, 1]
}

fn forward(net: &Net, x: &Tensor) -> Pass {
    let h = (x.matmul(&net.w1.t()) + &net.b1).sigmoid(); // [n, 2] × [2, 4] → [n, 4]
    let y = (h.matmul(&net.w2.t()) + &net.b2).sigmoid(); // [n, 4] × [4, 1] → [n, 1]
    Pass { h, y }
}

fn loss(y: &Tensor, target: &Tensor) -> Tensor {
    (y - target).square().mean(..)
}

/// The chain rule, from the end to the front.
fn backward(net: &Net, x: &Tensor, target: &Tensor, pass: &Pass) -> Net {
    let Pass { h, y } = pass;
    let n = y.len() as f64;
    let dy = (y - target) * (2.0 / n); // of the mean of squares
    // The slope of a sigmoid is σ′ = σ (1 − σ). Many tutorials leave it out here, or apply it to the input of the
    // sigmoid instead of its output; the net may still learn, but not by its gradient.
    let dz2 = dy * y * (1.0 - y); // [n, 1]
    let dh = dz2.matmul(&net.w2); // [n, 1] × [1, 4] → [n, 4]
    let dz1 = dh * h * (1.0 - h); // [n, 4]
    Net { w1: dz1.t().matmul(x), b1: dz1.sum(0), w2: dz2.t().matmul(h), b2: dz2.sum(0) }
}

/// Downhill: minus. (With `+`, as often printed, the target and the output must have changed places in the error.)
fn update(net: &mut Net, d: &Net, lr: f64) {
    net.w1 = &net.w1 - &d.w1 * lr;
    net.b1 = &net.b1 - &d.b1 * lr;
    net.w2 = &net.w2 - &d.w2 * lr;
    net.b2 = &net.b2 - &d.b2 * lr;
}

pub fn main() {
    seed(3);
    let (x, target) = (tensor![[0., 0.], [0., 1.], [1., 0.], [1., 1.]], tensor![[0.], [1.], [1.], [0.]]);
    let mut net = initialise();
    for step in 0..5000 {
        let pass = forward(&net, &x);
        let gradients = backward(&net, &x, &target, &pass);
        if step % 1000 == 0 {
            println!("step {step:4}  loss {:.4}", loss(&pass.y, &target).item());
        }
        update(&mut net, &gradients, 4.0);
    }
    println!("{:.2}", forward(&net, &x).y.flatten(0));
    assert_close!(forward(&net, &x).y.round(), target);

    // The same gradients, found by the engine; in f64, where the two ways agree to rounding.
    let wide = |t: &Tensor| t.to(DType::F64);
    let net = initialise();
    let net = Net {
        w1: wide(&net.w1).leaf(),
        b1: wide(&net.b1).leaf(),
        w2: wide(&net.w2).leaf(),
        b2: wide(&net.b2).leaf(),
    };
    let (x, target) = (wide(&x), wide(&target));
    let by_hand = no_grad(|| backward(&net, &x, &target, &forward(&net, &x)));
    let grads = loss(&forward(&net, &x).y, &target).backward();
    for (name, w, d) in [
        ("w1", &net.w1, &by_hand.w1),
        ("b1", &net.b1, &by_hand.b1),
        ("w2", &net.w2, &by_hand.w2),
        ("b2", &net.b2, &by_hand.b2),
    ] {
        let difference = (grads.of(w) - d).abs().max(..).item();
        println!("d{name}: by hand and by the engine differ by {difference:.1e}");
        assert!(difference < 1e-6);
    }
}

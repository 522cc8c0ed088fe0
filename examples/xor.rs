//! XOR, the smallest problem that needs a hidden layer: `cargo run --release --example xor`.
//!
//! First the classic form, as the textbooks of the eighties have it: 2-4-1 neurons, sigmoids, mean squared error, plain
//! gradient descent on all four rows at once. Then the form one would write today.

use mapsto::prelude::*;

pub fn main() {
    let (x, y) = (tensor![[0., 0.], [0., 1.], [1., 0.], [1., 1.]], tensor![[0.], [1.], [1.], [0.]]);

    // Classic. A sigmoid's slope is at most 1/4, and there are two: hence the large learning rate and the many steps.
    seed(3);
    let mut net = seq![Linear::new(2, 4), Tensor::sigmoid, Linear::new(4, 1), Tensor::sigmoid];
    let mut opt = Sgd::new(4.0);
    for step in 0..4000 {
        let loss = train(|| mse(&net.forward(&x), &y));
        if step % 1000 == 0 {
            println!("step {step:4}  loss {:.4}", loss.item());
        }
        opt.step(&mut net, loss.backward());
    }
    println!("classic: {:.2}", net.forward(&x).flatten(0));
    assert_close!(net.forward(&x).round(), y);

    // Modern: tanh inside, no sigmoid at the end but a loss that takes logits, and Adam.
    seed(1);
    let mut net = seq![Linear::new(2, 8), Tensor::tanh, Linear::new(8, 1)];
    let mut opt = Adam::new(0.05);
    for _ in 0..500 {
        let loss = train(|| bce_with_logits(&net.forward(&x), &y));
        opt.step(&mut net, loss.backward());
    }
    println!("modern:  {:.2}", net.forward(&x).sigmoid().flatten(0));
    assert_close!(net.forward(&x).sigmoid().round(), y);
}

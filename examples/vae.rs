//! Digits from sixteen numbers each: a variational autoencoder (Kingma, Welling 2014, arXiv:1312.6114).
//! `cargo run --release --example vae`, or with `-- --full` for twenty epochs instead of two.

use mapsto::data::Sample;
use mapsto::nn::Sequential;
use mapsto::prelude::*;
use mapsto::training::Step;

#[derive(Module)]
struct Vae {
    encoder: Sequential,
    decoder: Sequential,
}

impl Vae {
    /// Minus the evidence lower bound in nats an image: what the pixels cost, given the code, and what the code costs.
    fn loss(&self, batch: &Sample) -> Step {
        let x = batch.x.flatten(1); // [n, 784]
        let [mean, log_var] = x.apply(&self.encoder).chunk(-1); // [n, 16] each
        // A draw from N(mean, var), written so that gradients pass through it.
        let code = &mean + (&log_var * 0.5).exp() * Tensor::randn(mean.shape());
        let pixels = bce_with_logits(&code.apply(&self.decoder), &x) * 784.0;
        let kl = (mean.square() + log_var.exp() - &log_var - 1.0).sum(-1).mean(..) * 0.5;
        Step::new(&pixels + &kl).term("pixels", &pixels).term("kl", &kl)
    }
}

pub fn main() -> Result<()> {
    seed(1);
    let (train_set, test_set) = mnist("data/mnist")?;
    let mut vae = Vae {
        encoder: seq![Linear::new(784, 256), Tensor::relu, Linear::new(256, 32)],
        decoder: seq![Linear::new(16, 256), Tensor::relu, Linear::new(256, 784)],
    };
    let epochs = if std::env::args().any(|arg| arg == "--full") { 20 } else { 2 };
    let history = Trainer::of(Adam::new(1e-3), Vae::loss).epochs(epochs).fit(
        &mut vae,
        train_set.batches(128).shuffle(),
        test_set.batches(500),
    )?;
    let [bound, kl] = ["val loss", "val kl"].map(|column| history.last(column).unwrap());
    println!("{bound:.1} nats an image, {kl:.1} of them for the code");
    // Without the code an image costs 206 nats, by the mean of each pixel.
    assert!(bound < 125.0 && (10.0..40.0).contains(&kl));
    Ok(())
}

//! Two networks against each other, one that draws digits and one that tells them from real ones (Goodfellow et al. 2014,
//! arXiv:1406.2661). `cargo run --release --example gan`, or with `-- --full` for twenty epochs instead of four.

use mapsto::data::Rows;
use mapsto::infer;
use mapsto::nn::{Sequential, frozen};
use mapsto::prelude::*;
use mapsto::training::{Cx, Step, Task};

const CODE: usize = 32;

#[derive(Module)]
struct Gan {
    g: Sequential,
    d: Sequential,
}

impl Gan {
    fn draw(g: &Sequential, n: usize) -> Tensor {
        Tensor::randn([n, CODE]).apply(g).tanh()
    }
}

struct Adversarial;

impl Task<Gan, Tensor> for Adversarial {
    /// The discriminator's: real images are to score high, drawn ones low.
    fn loss(&self, gan: &Gan, real: &Tensor) -> Step {
        let n = real.rows();
        let drawn = infer(|| Gan::draw(&gan.g, n));
        let y = Tensor::cat(&[real.apply(&gan.d), drawn.apply(&gan.d)], 0);
        // 0.9 instead of 1 keeps the discriminator from being too sure (Salimans et al. 2016).
        let target = Tensor::cat(&[Tensor::full([n, 1], 0.9), Tensor::zeros([n, 1])], 0);
        Step::new(bce_with_logits(&y, &target))
    }

    fn step(&self, gan: &mut Gan, real: &Tensor, cx: &mut Cx<'_>) -> Result<Step> {
        let step = cx.descend_by("d", gan, |gan| frozen(&gan.g, || self.loss(gan, real)))?;
        let n = real.rows();
        let fooled = cx.descend(&mut gan.g, |g| {
            let y = frozen(&gan.d, || Gan::draw(g, n).apply(&gan.d));
            bce_with_logits(&y, &Tensor::ones([n, 1]))
        })?;
        Ok(step.term("generator", &fooled.loss))
    }
}

pub fn main() -> Result<()> {
    seed(1);
    let (set, _) = mnist("data/mnist")?;
    let real = set.batches(64).shuffle().drop_last().map(|batch, _| batch.x.flatten(1) * 2.0 - 1.0);
    let leaky = |x: &Tensor| x.leaky_relu(0.2);
    let mut gan = Gan {
        g: seq![Linear::new(CODE, 128), leaky, Linear::new(128, 256), leaky, Linear::new(256, 784)],
        d: seq![Linear::new(784, 256), leaky, Dropout::new(0.3), Linear::new(256, 1)],
    };
    let epochs = if std::env::args().any(|arg| arg == "--full") { 20 } else { 4 };
    Trainer::task(Adam::new(2e-4).betas(0.5, 0.999), Adversarial)
        .optimizer("d", Adam::new(2e-4).betas(0.5, 0.999))
        .epochs(epochs)
        .fit(&mut gan, real.clone(), None)?;

    // Drawn images are like real ones pixel by pixel, in their mean and in how much they differ.
    let real = real.epoch(0).take(16).collect::<Result<Vec<_>>>()?;
    let real = Tensor::cat(&real.into_iter().map(|batch| batch.data).collect::<Vec<_>>(), 0);
    let drawn = Gan::draw(&gan.g, 1024);
    let apart = (real.mean(0) - drawn.mean(0)).abs().mean(..).item();
    let spread = drawn.std(0).mean(..).item() / real.std(0).mean(..).item();
    println!("drawn digits: mean pixel off by {apart:.3} of 2, spread {spread:.2} of that of real ones");
    assert!(apart < 0.15, "untrained it is 0.87");
    assert!((0.5..1.3).contains(&spread), "the generator draws always the same, or noise");
    Ok(())
}

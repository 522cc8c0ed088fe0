//! Two networks against each other, one that draws digits and one that tells them from real ones (Goodfellow et al. 2014,
//! arXiv:1406.2661). `cargo run --release --example gan`, or with `-- --full` for ten epochs instead of one.

use mapsto::data::{Rows, Sample};
use mapsto::infer;
use mapsto::nn::{Sequential, frozen, kl_div};
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
        Tensor::randn([n, CODE]).apply(g).tanh() // [n, 784]
    }
}

struct Adversarial;

impl Task<Gan, Tensor> for Adversarial {
    /// The discriminator's: real images are to score high, drawn ones low.
    fn loss(&self, gan: &Gan, real: &Tensor) -> Step {
        let n = real.rows();
        let drawn = infer(|| Gan::draw(&gan.g, n));
        let y = Tensor::cat(&[real.apply(&gan.d), drawn.apply(&gan.d)], 0);
        // 0.9 instead of 1 keeps the discriminator from being too sure (Salimans et al. 2016, arXiv:1606.03498).
        let target = Tensor::cat(&[Tensor::full([n, 1], 0.9), Tensor::zeros([n, 1])], 0);
        bce_with_logits(&y, &target).into()
    }

    fn step(&self, gan: &mut Gan, real: &Tensor, cx: &mut Cx<'_>) -> Result<Step> {
        let step = cx.descend_by("d", gan, |gan| self.loss(gan, real))?; // `g` is in `infer`: only `d` has gradients
        let n = real.rows();
        let fooled = cx.descend(&mut gan.g, |g| {
            let drawn = Gan::draw(g, n);
            bce_with_logits(&frozen(&gan.d, || drawn.apply(&gan.d)), &Tensor::ones([n, 1]))
        })?;
        Ok(step.term("generator", &fooled.loss))
    }
}

/// White at 1, black at -1, as the generator's last operation has it.
fn pixels(batch: &Sample) -> Tensor {
    batch.x.flatten(1) * 2.0 - 1.0 // [n, 784]
}

/// How sure a reader is of each image, and how different its answers are: from 1, for noise or always the same image, to 10
/// (Salimans et al. 2016, section 4).
fn score(reader: &Sequential, images: &Tensor) -> f64 {
    let p = images.apply(reader).softmax(-1); // [n, 10]
    kl_div(&p.mean(keep(0)).log().expand(p.shape()), &p).exp().item()
}

pub fn main() -> Result<()> {
    seed(1);
    let (set, test_set) = mnist("data/mnist")?;
    let leaky = |x: &Tensor| x.leaky_relu(0.2);
    let mut gan = Gan {
        g: seq![Linear::new(CODE, 128), leaky, Linear::new(128, 256), leaky, Linear::new(256, 784)],
        d: seq![Linear::new(784, 256), leaky, Dropout::new(0.3), Linear::new(256, 1)],
    };
    let epochs = if std::env::args().any(|arg| arg == "--full") { 10 } else { 1 };
    Trainer::task(Adam::new(1e-3).betas(0.5, 0.999), Adversarial)
        .optimizer("d", Adam::new(5e-4).betas(0.5, 0.999))
        .epochs(epochs)
        .fit(&mut gan, set.batches(32).shuffle().map(|batch, _| pixels(&batch)), None)?;

    // What another network, which learned to read real digits, says of the drawn ones.
    let mut reader = seq![Linear::new(784, 64), Tensor::relu, Linear::new(64, 10)];
    let pages = set.batches(64).shuffle().map(|batch, _| Sample { x: pixels(&batch), y: batch.y });
    Trainer::new(Adam::new(1e-3), cross_entropy).quiet().fit(&mut reader, pages, None)?;
    let real = pixels(&test_set.batch(&Vec::from_iter(0..1000))?);
    let drawn = infer(|| Gan::draw(&gan.g, 1000));
    let apart = (real.mean(0) - drawn.mean(0)).abs().mean(..).item();
    let [real, drawn] = [&real, &drawn].map(|images| score(&reader, images));
    println!("score {drawn:.2}, of real digits {real:.2}; the mean pixel is off by {apart:.3} of 2");
    // Untrained: 1.00 and 0.87.
    assert!(drawn > 2.8 && apart < 0.2);
    Ok(())
}

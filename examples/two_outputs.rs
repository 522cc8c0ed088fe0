//! Two answers from one body: which digit an image shows, and how much ink it takes. Two losses, and a metric for each.
//! `cargo run --release --example two_outputs`, or with `-- --full` for ten epochs instead of two.

use mapsto::data::{Collate, Sample};
use mapsto::nn::Sequential;
use mapsto::prelude::*;
use mapsto::training::Step;
use mapsto::training::metrics::{Mae, Metric};

#[derive(Module)]
struct Reader {
    body: Sequential,
    digit: Linear,
    ink: Linear,
}

#[derive(Clone, Collate)]
struct Page {
    x: Tensor,
    digit: Tensor,
    ink: Tensor,
}

/// Images with their digit, and the share of their area that is ink, from 0 to 1.
fn pages(batch: Sample) -> Page {
    let x = batch.x.flatten(1);
    Page { ink: x.mean(keep(-1)), digit: batch.y, x }
}

impl Reader {
    fn loss(&self, page: &Page) -> Step {
        let z = page.x.apply(&self.body).relu();
        let (digit, ink) = (z.apply(&self.digit), z.apply(&self.ink).sigmoid());
        let (names, amounts) = (cross_entropy(&digit, &page.digit), mse(&ink, &page.ink));
        Step::new(&names + &amounts * 10.0)
            .term("digit loss", &names)
            .term("ink loss", &amounts)
            .named("digit", &digit, &page.digit)
            .named("ink", &ink, &page.ink)
    }
}

pub fn main() -> Result<()> {
    seed(1);
    let (train_set, test_set) = mnist("data/mnist")?;
    let mut model = Reader {
        body: seq![Linear::new(784, 64), Tensor::relu, Linear::new(64, 64)],
        digit: Linear::new(64, 10),
        ink: Linear::new(64, 1),
    };
    let epochs = if std::env::args().any(|arg| arg == "--full") { 10 } else { 2 };
    let history = Trainer::of(Adam::new(1e-3), Reader::loss)
        .metric(Accuracy::new().of("digit"))
        .metric(Mae::new().of("ink"))
        .epochs(epochs)
        .fit(
            &mut model,
            train_set.batches(64).shuffle().map(|batch, _| pages(batch)),
            test_set.batches(500).map(|batch, _| pages(batch)),
        )?;
    let [accuracy, ink] = ["val digit accuracy", "val ink mae"].map(|column| history.last(column).unwrap());
    println!("digit right in {:.2} %, ink off by {ink:.4}", 100.0 * accuracy);
    // To say the mean, 0.13, of every image would be off by 0.035.
    assert!(accuracy > 0.93 && ink < 0.025);
    Ok(())
}

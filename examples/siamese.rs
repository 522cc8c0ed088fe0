//! Which digits are alike, learned from triplets: an image, another of the same digit, one of another digit (Schroff et al.
//! 2015, arXiv:1503.03832). `cargo run --release --example siamese`, or with `-- --full` for ten epochs instead of two.

use mapsto::data::{Collate, Rows};
use mapsto::nn::Sequential;
use mapsto::prelude::*;
use mapsto::random;
use mapsto::training::Step;

#[derive(Clone, Collate)]
struct Triplet {
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
}

/// One triplet for each image whose digit is among those asked for.
#[derive(Clone)]
struct Triplets {
    images: Tensor,
    of_digit: Vec<Vec<usize>>,
    anchors: Vec<(usize, usize)>,
}

impl Triplets {
    fn new(set: &InMemory, digits: std::ops::Range<usize>) -> Triplets {
        let labels = set.y().to_vec::<i64>();
        let of_digit: Vec<Vec<usize>> =
            digits.map(|d| (0..labels.len()).filter(|&i| labels[i] == d as i64).collect()).collect();
        let anchors =
            of_digit.iter().enumerate().flat_map(|(k, all)| all.iter().map(move |&i| (k, i))).collect();
        Triplets { images: set.x().flatten(1), of_digit, anchors }
    }
}

impl Dataset<Triplet> for Triplets {
    fn len(&self) -> usize {
        self.anchors.len()
    }

    fn get(&self, i: usize) -> Result<Triplet> {
        let (k, anchor) = self.anchors[i];
        let mut random = random::Keyed::new(&[i as u64]);
        let other = (k + 1 + random.below(self.of_digit.len() - 1)) % self.of_digit.len();
        let mut any = |k: usize| self.of_digit[k][random.below(self.of_digit[k].len())];
        let [positive, negative] = [any(k), any(other)];
        let image = |i: usize| self.images.select(0, i as isize);
        Ok(Triplet { anchor: image(anchor), positive: image(positive), negative: image(negative) })
    }
}

/// The same network for all three: what is alike shall be nearer than what is not, by a margin of 1.
fn loss(net: &Sequential, batch: &Triplet) -> Step {
    let place = |x: &Tensor| x.apply(net); // [n, 784] → [n, 16]
    let anchor = place(&batch.anchor);
    let apart = |x: &Tensor| (&anchor - place(x)).square().sum(-1);
    let closer = apart(&batch.negative) - apart(&batch.positive); // [n]
    let right = closer.gt(0.0).to(DType::F32).mean(..);
    Step::new((1.0 - closer).relu().mean(..)).term("right", &right)
}

pub fn main() -> Result<()> {
    seed(1);
    let (train_set, test_set) = mnist("data/mnist")?;
    let mut net = seq![Linear::new(784, 128), Tensor::relu, Linear::new(128, 16)];
    // Of sevens, eights and nines it never sees one.
    let (seen, unseen) = (Triplets::new(&train_set, 0..7), Triplets::new(&test_set, 7..10));
    let known = Triplets::new(&test_set, 0..7);
    let epochs = if std::env::args().any(|arg| arg == "--full") { 10 } else { 2 };
    let rate = |net: &Sequential, set: Triplets| -> Result<f64> {
        let (mut right, mut all) = (0.0, 0.0);
        for batch in set.batches(500).epoch(0) {
            let batch = batch?;
            let apart = |x: &Tensor| (batch.anchor.apply(net) - x.apply(net)).square().sum(-1);
            let is_right = apart(&batch.positive).lt(apart(&batch.negative));
            right += is_right.to(DType::F32).sum(..).item();
            all += batch.rows() as f64;
        }
        Ok(right / all)
    };
    let before = rate(&net, unseen.clone())?;
    Trainer::of(Adam::new(1e-3), loss).epochs(epochs).fit(&mut net, seen.batches(64).shuffle(), None)?;
    let (known, unseen) = (rate(&net, known)?, rate(&net, unseen)?);
    println!(
        "right order: {known:.4} of known digits, {unseen:.4} of digits never seen ({before:.4} untrained)"
    );
    assert!(known > 0.97 && unseen > before + 0.02);
    Ok(())
}

//! How someone will like something, from how others liked other things: factors of users and of items, learned from ratings
//! (Koren et al. 2009). `cargo run --release --example recommender`, or with `-- --full` for more of everyone.

use mapsto::data::Samples;
use mapsto::nn::init::Normal;
use mapsto::prelude::*;
use mapsto::random;
use mapsto::training::Step;
use mapsto::training::metrics::Rmse;

#[derive(Module)]
struct Factors {
    user: Embedding,
    item: Embedding,
    user_bias: Embedding,
    item_bias: Embedding,
}

impl Factors {
    /// Two inputs, no `Layer`: `user · item + bias of the user + bias of the item`.
    fn rate(&self, user: &Tensor, item: &Tensor) -> Tensor {
        let alike = (user.apply(&self.user) * item.apply(&self.item)).sum(-1); // [n]
        alike + user.apply(&self.user_bias).squeeze(-1) + item.apply(&self.item_bias).squeeze(-1)
    }

    fn loss(&self, (user, item, stars): &(Tensor, Tensor, Tensor)) -> Step {
        let y = self.rate(user, item);
        Step::new(mse(&y, stars)).output(&y, stars)
    }
}

/// Ratings by three hidden tastes, with noise of 0.1: what the network must find.
fn ratings(users: usize, items: usize) -> Vec<(usize, usize, f32)> {
    let mut random = random::Keyed::new(&[7]);
    let mut tastes =
        |n: usize| -> Vec<[f64; 3]> { (0..n).map(|_| [0; 3].map(|_| random.normal())).collect() };
    let (users, items) = (tastes(users), tastes(items));
    let mut all = Vec::new();
    for (u, user) in users.iter().enumerate() {
        for (i, item) in items.iter().enumerate() {
            // Everyone has seen a third of everything.
            if random.bernoulli(1.0 / 3.0) {
                let likes: f64 = user.iter().zip(item).map(|(a, b)| a * b).sum();
                all.push((u, i, (likes + 0.1 * random.normal()) as f32));
            }
        }
    }
    all
}

pub fn main() -> Result<()> {
    seed(1);
    let (users, items) = if std::env::args().any(|arg| arg == "--full") { (1000, 400) } else { (300, 150) };
    let set = Samples::new(ratings(users, items));
    let [train_set, val_set] = set.split([0.9, 0.1], 1);
    let table = |count: usize, size: usize| Embedding::new(count, size).init(Normal::new(0.1));
    let mut model = Factors {
        user: table(users, 6),
        item: table(items, 6),
        user_bias: table(users, 1),
        item_bias: table(items, 1),
    };
    let history = Trainer::of(AdamW::new(5e-3).decay(0.02), Factors::loss)
        .metric(Rmse::new())
        .epochs(25)
        .fit(&mut model, train_set.batches(128).shuffle(), val_set.batches(1000))?;
    let error = history.last("val rmse").unwrap();
    println!(
        "ratings never seen are off by {error:.3} on average; to say 0 for all would be {:.3}",
        3f64.sqrt()
    );
    assert!(error < 0.35);
    Ok(())
}

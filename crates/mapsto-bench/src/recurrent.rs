//! A training step of a recurrent classifier of sequences of ids.

use crate::nets::{labels, training};
use mapsto::prelude::*;

/// `i ↦ (2654435761 i mod 2³²) mod k`: ids all over a vocabulary, the same in every framework.
fn ids(n: usize, k: i64) -> Tensor {
    Tensor::from_vec((0..n as i64).map(|i| ((i * 2_654_435_761) & 0xffff_ffff) % k).collect(), n)
}

/// W4.
pub fn lstm() {
    seed(0);
    let model = seq![Embedding::new(10_000, 128), Lstm::new(128, 256).last(), Linear::new(256, 2)];
    let (x, y) = (ids(32 * 64, 10_000).reshape([32, 64]), labels(32, 2));
    training("W4", model, Adam::new(1e-3), vec![x], move |out| cross_entropy(out, &y));
}

//! ALiBi: attention with linear biases, by which each head looks less at what is far away.

use super::seen::places;
use mapsto_tensor::{Tensor, fail};

/// The slopes of the heads: `2^(−8/n), 2^(−16/n), ..` for `n` heads, where `n` is a power of two. Otherwise those of the power
/// below, and every second one of the power above.
///
/// Source: Press, Smith, Lewis (2021), Train short, test long, arXiv:2108.12409, §3, and the authors' program for other numbers.
/// ```
/// use mapsto_nn::layers::alibi_slopes;
/// assert_eq!(alibi_slopes(4), [0.25, 0.0625, 0.015625, 0.00390625]);
/// ```
pub fn alibi_slopes(heads: usize) -> Vec<f64> {
    let powers = |n: usize| (1..=n).map(move |i| (-8.0 * i as f64 / n as f64).exp2());
    let below = if heads == 0 { 0 } else { 1 << heads.ilog2() };
    powers(below).chain(powers(2 * below).step_by(2).take(heads - below)).collect()
}

/// What ALiBi adds to the scores of `t` queries and `s` keys: `−slope · |i − j|` for each head, the first query standing at the place `at`
/// among the keys.
///
/// * Shape: `[heads, t, s]`.
/// ```
/// use mapsto_nn::{layers::alibi, prelude::*};
/// let q = Tensor::zeros([1, 2, 1, 4]);
/// assert_close!(alibi(&q, 3, 2), [[[-0.125, -0.0625, 0.0]], [[-0.0078125, -0.00390625, 0.0]]]);
/// ```
/// # Panics
/// When the queries are not `[b, heads, t, d]`.
#[track_caller]
pub fn alibi(q: &Tensor, s: usize, at: usize) -> Tensor {
    let &[_, heads, t, _] = q.shape() else {
        fail!("alibi", "the queries must be [b, heads, t, d], they are {:?}", q.shape());
    };
    let (at, keys) = places(q, at, t, s);
    let slopes: Vec<f64> = alibi_slopes(heads).into_iter().map(|slope| -slope).collect();
    let slopes = q.device().scope(|| Tensor::from_vec(slopes, [heads, 1, 1])).to(q.dtype());
    (at - keys).abs().to(q.dtype()) * slopes
}

#[test]
fn twelve_heads_take_every_second_slope_of_sixteen() {
    use mapsto_tensor::prelude::*;
    // Of the authors' program, `get_slopes(12)`.
    let more = [0.5f64.sqrt(), 0.35355339, 0.1767767, 0.08838835];
    let slopes = alibi_slopes(12);
    assert_eq!(slopes[..8], alibi_slopes(8));
    assert!(slopes[8..].iter().zip(more).all(|(a, b)| (a - b).abs() < 1e-8), "{slopes:?}");
    assert_eq!((alibi_slopes(0), alibi_slopes(1)), (vec![], vec![1.0 / 256.0]));
    let bias = alibi(&Tensor::zeros([1, 2, 2, 4]), 2, 0);
    assert_close!(bias, [[[0.0, -0.0625], [-0.0625, 0.0]], [[0.0, -1.0 / 256.0], [-1.0 / 256.0, 0.0]]]);
}

//! Positions drawn by their weights.

use super::words::{Elements, each, require, together};
use crate::error::named;
use crate::{DType, Tensor, fail};
use mapsto_kernels::real::Real;

/// `n` different positions (i64) of each row, drawn by its weights one after the other, those drawn left out: PyTorch's
/// `torch.multinomial` as it is by default.
///
/// Source: Efraimidis and Spirakis (2006), Weighted random sampling with a reservoir.
///
/// * Shape: `[.., k] → [.., n]`.
/// ```
/// use mapsto_tensor::prelude::*;
/// let at = random::multinomial(&tensor![0.2, 0.0, 0.8], 2);
/// assert_eq!(at.sort(0).0.to_vec::<i64>(), [0, 2]);
/// ```
/// # Panics
/// When a weight is not a finite float of at least 0, or a row has fewer than `n` above 0.
#[track_caller]
pub fn multinomial(weights: &Tensor, n: usize) -> Tensor {
    let k = checked("multinomial", weights, n);
    if weights.device().backend().has_numbers() && !weights.is_empty() {
        let most = weights.detach().gt(0.0).to(DType::I64).sum(-1).min(..).item_i64() as usize;
        if n > most {
            fail!("multinomial", "{n} different positions of {most} with a weight above 0"; help = "`multinomial_with_replacement` draws a position more than once");
        }
    }
    if n > k {
        fail!("multinomial", "{n} different positions of {k}"; help = "`multinomial_with_replacement` draws a position more than once");
    }
    // Whoever comes first of exponential times with these rates.
    named("multinomial", || {
        each(
            &weights.detach(),
            // Their logarithms, since a quotient by a tiny weight is infinite.
            |words, w| {
                if w > 0.0 { Real::ln(-Real::ln(words.uniform())) - Real::ln(w) } else { f64::INFINITY }
            },
        )
        .topk_with(n, -1, crate::ops::Order::Ascending)
        .1
    })
}

/// `n` positions (i64) of each row, each drawn by its weights whatever was drawn before.
///
/// * Shape: `[.., k] → [.., n]`.   * PyTorch: `torch.multinomial(w, n, replacement=True)`.
/// ```
/// use mapsto_tensor::prelude::*;
/// let at = random::multinomial_with_replacement(&tensor![1.0, 3.0], 10_000);
/// assert!((at.to(DType::F32).mean(..).item() - 0.75).abs() < 0.02);
/// ```
/// # Panics
/// When a weight is not a finite float of at least 0, or all of a row are 0.
#[track_caller]
pub fn multinomial_with_replacement(weights: &Tensor, n: usize) -> Tensor {
    let k = checked("multinomial_with_replacement", weights, n);
    let rows = weights.shape_of().with(weights.rank() - 1, 1).count();
    let shape = weights.shape_of().with(weights.rank() - 1, n).fit("multinomial_with_replacement");
    if !weights.device().backend().has_numbers() {
        return weights.device().scope(|| Tensor::full_of(shape, 0, DType::I64));
    }
    let elements = Elements::next();
    let values = weights.detach().to(DType::F64).to_vec::<f64>();
    let mut at = crate::storage::pool::room_for(shape.count());
    for row in 0..rows {
        let mut sum = 0.0;
        let sums: Vec<f64> = values[row * k..(row + 1) * k]
            .iter()
            .map(|w| {
                sum += w;
                sum
            })
            .collect();
        if n > 0 && !(sum > 0.0 && sum < f64::INFINITY) {
            fail!("multinomial_with_replacement", "the weights of row {row} add up to {sum}"; help = "their sum must be above 0 and finite");
        }
        // What stands behind the last weight above 0 is not reached by rounding.
        let last = sums.partition_point(|s| *s < sum).min(k.max(1) - 1);
        at.extend((0..n).map(|i| {
            let u = elements.words(row * n + i).uniform() * sum;
            sums.partition_point(|s| *s <= u).min(last) as i64
        }));
    }
    weights.device().scope(|| Tensor::from_vec(at, shape))
}

/// The number of weights of a row.
#[track_caller]
fn checked(op: &str, weights: &Tensor, n: usize) -> usize {
    together(op, &[weights]);
    let Some(&k) = weights.shape().last() else { fail!(op, "a row of weights is needed, the shape is []") };
    require(op, "weights", "finite and at least 0", weights, |v| (0.0..f64::INFINITY).contains(&v));
    if k == 0 && n > 0 {
        fail!(op, "{n} positions of a row without weights");
    }
    k
}

#[cfg(test)]
mod tests {
    use super::super::words::judged::{chi_square, is_pure};
    use super::*;
    use crate::prelude::*;

    #[test]
    fn positions_follow_their_weights() {
        seed(2);
        let weights = tensor![1.0, 0.0, 2.0, 5.0, 0.0];
        let at = multinomial_with_replacement(&weights, 20_000);
        let z = chi_square(&at, |k| [0.125, 0.0, 0.25, 0.625, 0.0][k as usize]);
        assert!(z < 4.0 && at.isin(&tensor![1, 4]).any(..).item() == 0.0, "{z}");
        // The first of two by the weights, and the pairs by those and what is left.
        let pairs = multinomial(&weights.expand([20_000, 5]), 2);
        let z = chi_square(&pairs.select(1, 0), |k| [0.125, 0.0, 0.25, 0.625, 0.0][k as usize]);
        assert!(z < 4.0, "{z}");
        let both = pairs.select(1, 0) * 5 + pairs.select(1, 1);
        let z = chi_square(&both, |k| {
            let (w, i, j) = ([1.0, 0.0, 2.0, 5.0, 0.0], k as usize / 5, k as usize % 5);
            if i == j { 0.0 } else { w[i] / 8.0 * w[j] / (8.0 - w[i]) }
        });
        assert!(z < 4.0, "{z}");
        is_pure(|| multinomial(&Tensor::rand([50, 40]), 7));
        is_pure(|| multinomial_with_replacement(&Tensor::ones([50, 40]), 7));
    }

    #[test]
    fn refusals() {
        let message = |w: Tensor, n: usize| catch(|| multinomial(&w, n)).unwrap_err().message().to_string();
        assert_eq!(
            message(tensor![1.0, 0.0], 2),
            "multinomial: 2 different positions of 1 with a weight above 0"
        );
        assert_eq!(
            message(tensor![1.0, -1.0], 1),
            "multinomial: `weights` must be finite and at least 0, got -1"
        );
        assert!(catch(|| multinomial_with_replacement(&tensor![0.0, 0.0], 1)).is_err());
        assert_eq!(multinomial(&Tensor::ones([2, 3]), 3).shape(), [2, 3]);
        assert_eq!(multinomial_with_replacement(&Tensor::ones([0, 3]), 2).shape(), [0, 2]);
    }
}

//! The order of the elements in each row, whole or only its first `k`: stable, with a place for NaN.
//!
//! NaN counts as larger than every number, as in PyTorch and NumPy: last when ascending, first when descending. So
//! the first of a descending order is what `argmax` names, and a NaN is seen rather than skipped.

use crate::blocks::for_blocks;
use crate::elements::elements;
use crate::simd::vectorize;

/// Smallest first or largest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest first, NaN last.
    Ascending,
    /// NaN first, then largest first.
    Descending,
}

/// A number with a total order: `f32`, `f64`, `i64`.
pub trait Ranked: Copy + Send + Sync {
    /// A key that orders as the numbers do, equal for equal numbers (also −0 and 0), largest for NaN.
    fn rank(self) -> u64;
}

impl Ranked for f64 {
    #[inline(always)]
    fn rank(self) -> u64 {
        let bits = (self + 0.0).to_bits(); // −0 + 0 = 0
        let sign = (bits as i64 >> 63) as u64;
        if self.is_nan() { u64::MAX } else { bits ^ (sign | 1 << 63) }
    }
}

impl Ranked for f32 {
    #[inline(always)]
    fn rank(self) -> u64 {
        (self as f64).rank()
    }
}

impl Ranked for i64 {
    #[inline(always)]
    fn rank(self) -> u64 {
        self as u64 ^ 1 << 63
    }
}

/// The order of each row: `x[r, at[r, 0]], x[r, at[r, 1]], …` is sorted, equal elements as they came.
///
/// * `x` is `[rows, n]`, `at` as well; positions count from the row's start.
///
/// ```
/// use mapsto_kernels::sort::{Order, argsort};
/// let mut at = [0; 4];
/// argsort(&[3f32, f32::NAN, 1., 3.], 4, Order::Ascending, &mut at);
/// assert_eq!(at, [2, 0, 3, 1]);
/// ```
///
/// # Panics
/// If the lengths differ or are not a multiple of `n`.
pub fn argsort<T: Ranked>(x: &[T], n: usize, order: Order, at: &mut [i64]) {
    assert_eq!(x.len(), at.len(), "argsort: lengths differ");
    topk(x, n, n, order, at);
}

/// The first `k` of each row's [`argsort`]: with [`Order::Descending`] the `k` largest, largest first.
///
/// * `x` is `[rows, n]`, `at` is `[rows, k]`.
///
/// ```
/// use mapsto_kernels::sort::{Order, topk};
/// let mut at = [0; 2];
/// topk(&[3f32, 1., 4., 1., 5.], 5, 2, Order::Descending, &mut at);
/// assert_eq!(at, [4, 2]);
/// ```
///
/// # Panics
/// If `k > n`, or the lengths are not the same number of rows.
pub fn topk<T: Ranked>(x: &[T], n: usize, k: usize, order: Order, at: &mut [i64]) {
    assert!(k <= n, "topk: k is {k}, but a row has {n} elements");
    assert!(n <= u32::MAX as usize || x.is_empty(), "topk: a row has {n} elements, more than 2³²");
    if k == 0 {
        return assert!(at.is_empty(), "topk: there are no positions to write");
    }
    assert!(
        x.len().is_multiple_of(n) && at.len() == elements([x.len() / n, k]),
        "topk: x and the positions differ in rows"
    );
    let rows = (4096 / n).max(1);
    let cost = x.len() * (2 + n.ilog2() as usize);
    for_blocks([at], [rows * k], cost, |i, [at]| {
        let few = k <= FEW && k < n;
        let mut keys: Vec<(u64, u32)> = Vec::with_capacity(if few { k } else { n });
        for (row, at) in (i * rows..).zip(at.chunks_exact_mut(k)) {
            let flip = if order == Order::Descending { u64::MAX } else { 0 };
            let row = &x[row * n..(row + 1) * n];
            keys.clear();
            if few {
                first_few(row, k, flip, &mut keys);
                at.iter_mut().zip(&keys).for_each(|(at, key)| *at = key.1 as i64);
                continue;
            }
            // The position breaks ties, which makes any sort stable.
            keys.extend((0..).zip(row).map(|(j, x)| (x.rank() ^ flip, j)));
            if k < n {
                keys.select_nth_unstable(k);
            }
            keys[..k].sort_unstable();
            at.iter_mut().zip(&keys).for_each(|(at, key)| *at = key.1 as i64);
        }
    });
}

/// The most elements of a row that are kept in order while the others pass by.
const FEW: usize = 32;
/// Elements that are compared with the last of those at once; seldom one comes before it.
const BLOCK: usize = 32;

/// The first `k` keys of a row, in order, into the empty list `first`.
fn first_few<T: Ranked>(row: &[T], k: usize, flip: u64, first: &mut Vec<(u64, u32)>) {
    first.extend((0..).zip(&row[..k]).map(|(j, x)| (x.rank() ^ flip, j)));
    first.sort_unstable();
    let mut last = first[k - 1].0;
    let mut at = k;
    for row in row[k..].chunks(BLOCK) {
        let mut keys = [u64::MAX; BLOCK];
        let any = vectorize(
            #[inline(always)]
            || {
                keys.iter_mut().zip(row).for_each(|(key, x)| *key = x.rank() ^ flip);
                keys.iter().fold(false, |any, key| any | (*key < last))
            },
        );
        if any {
            for (j, &key) in (at as u32..).zip(&keys) {
                // Of equal elements the one that came first stays.
                if key < last {
                    let place = first.partition_point(|(before, _)| *before <= key);
                    first.copy_within(place..k - 1, place + 1);
                    first[place] = (key, j);
                    last = first[k - 1].0;
                }
            }
        }
        at += BLOCK;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::with_threads;
    use std::cmp::Ordering;

    #[test]
    fn ranks_order_as_numbers_do() {
        let x = [f64::NEG_INFINITY, -1e300, -1.0, -1e-310, -0.0, 1e-310, 1.0, 1e300, f64::INFINITY, f64::NAN];
        assert!(x.is_sorted_by(|a, b| a.rank() < b.rank()));
        assert_eq!((-0.0f64).rank(), 0.0f64.rank());
        assert_eq!((-f32::NAN).rank(), f64::NAN.rank());
        assert!([i64::MIN, -1, 0, 1, i64::MAX].is_sorted_by(|a, b| a.rank() < b.rank()));
    }

    #[test]
    fn against_the_standard_sort_on_any_number_of_threads() {
        for (rows, n) in [(0, 5), (1, 1), (3, 7), (1, 10_007), (500, 64)] {
            let x: Vec<f64> = (0..rows * n).map(|i| ((i * i * 13 + i * 7) % 101) as f64 - 50.0).collect();
            for order in [Order::Ascending, Order::Descending] {
                let mut want = Vec::new();
                for x in x.chunks(n) {
                    let mut at: Vec<i64> = (0..n as i64).collect();
                    let compare = |a: &i64, b: &i64| x[*a as usize].partial_cmp(&x[*b as usize]).unwrap();
                    at.sort_by(|a, b| match order {
                        Order::Ascending => compare(a, b),
                        Order::Descending => Ordering::reverse(compare(a, b)),
                    });
                    want.extend(at);
                }
                for threads in [1, 2, 8] {
                    let mut at = vec![0; x.len()];
                    with_threads(threads, || argsort(&x, n, order, &mut at));
                    assert!(at == want);
                    for k in [1, 3, n / 2] {
                        let k = k.min(n);
                        let mut first = vec![0; rows * k];
                        with_threads(threads, || topk(&x, n, k, order, &mut first));
                        let want: Vec<i64> = want.chunks(n).flat_map(|at| at[..k].iter().copied()).collect();
                        assert!(first == want);
                    }
                }
            }
        }
    }

    #[test]
    fn nan_and_mistakes() {
        let x = [1f32, f32::NAN, 2., f32::NAN];
        let mut at = [0; 4];
        argsort(&x, 4, Order::Descending, &mut at);
        assert_eq!(at, [1, 3, 2, 0]);
        argsort(&x, 4, Order::Ascending, &mut at);
        assert_eq!(at, [0, 2, 1, 3]);
        topk(&x, 4, 0, Order::Ascending, &mut []);
        argsort::<f32>(&[], 0, Order::Ascending, &mut []);
        assert!(std::panic::catch_unwind(|| topk(&x, 4, 5, Order::Ascending, &mut [0; 5])).is_err());
    }
}

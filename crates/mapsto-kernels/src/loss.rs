//! Softmax cross-entropy of logits and class numbers in one pass each way, with label smoothing, class weights and an
//! ignored class: the log-probabilities are never stored.

use crate::blocks::for_blocks;
use crate::elements::elements;
use crate::real::Float;
use crate::simd::vectorize;
use crate::softmax::{
    BLOCK, COST, MOST, SHORT, exponentials_across, log_of_sum, logs_across, sum_of_exponentials,
};
use crate::threads::for_chunks;
use crate::tiles::{LANES, sum};

/// What is compared: logits in rows of `classes` with one class number each.
///
/// With `ε = smoothing`, class weights `w` (1 if none) and `log p = log_softmax(x)` the loss of a row of class `t` is
/// `−(1 − ε) w_t log p_t − ε/K Σₖ wₖ log pₖ` (Szegedy et al. 2016, arXiv:1512.00567, §7; weights as in PyTorch), and
/// 0 where `t` is the ignored class.
///
/// ```
/// use mapsto_kernels::loss::{CrossEntropy, cross_entropy, cross_entropy_backward};
/// let rule = CrossEntropy { classes: 2, smoothing: 0.0f32, weights: None, ignore: None };
/// let (mut loss, mut log, mut dx) = ([0.0; 1], [0.0; 2], [0.0; 2]);
/// cross_entropy(&rule, &[0.0, 3f32.ln()], &[0], &mut loss, &mut log);
/// assert!((loss[0] - 4f32.ln()).abs() < 1e-6); // −ln ¼
/// cross_entropy_backward(&rule, &[0.0, 3f32.ln()], &[0], &log, &[1.0], &mut dx);
/// assert!((dx[0] + 0.75).abs() < 1e-6 && (dx[1] - 0.75).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CrossEntropy<'a, T> {
    /// The number of classes `K`: the length of a row.
    pub classes: usize,
    /// How much of the target is spread over all classes, from 0 to 1.
    pub smoothing: T,
    /// A weight for each class.
    pub weights: Option<&'a [T]>,
    /// A class number whose rows count for nothing.
    pub ignore: Option<i64>,
}

impl<T: Float> CrossEntropy<'_, T> {
    /// What a mean over the rows divides by: the sum of their classes' weights, ignored rows left out.
    ///
    /// ```
    /// # use mapsto_kernels::loss::CrossEntropy;
    /// let rule = CrossEntropy { classes: 2, smoothing: 0.0, weights: Some(&[1.0, 3.0]), ignore: Some(-1) };
    /// assert_eq!(rule.total_weight(&[0, 1, -1, 1]), 7.0);
    /// ```
    ///
    /// # Panics
    /// If a class number is neither within `0..classes` nor ignored.
    pub fn total_weight(&self, ids: &[i64]) -> T {
        let weight = |&id: &i64| self.target(id).map_or(0.0, |t| self.weight(t).to_f64());
        T::from_f64(ids.iter().map(weight).sum())
    }

    /// The class, or none if it is to be ignored.
    fn target(&self, id: i64) -> Option<usize> {
        if Some(id) == self.ignore {
            return None;
        }
        assert!(
            id >= 0 && (id as u64) < self.classes as u64,
            "cross_entropy: class {id} is not within 0..{}",
            self.classes
        );
        Some(id as usize)
    }

    fn weight(&self, class: usize) -> T {
        self.weights.map_or(T::ONE, |w| w[class])
    }

    fn all_weights(&self) -> T {
        self.weights
            .map_or(T::from_f64(self.classes as f64), |w| T::from_f64(w.iter().map(|w| w.to_f64()).sum()))
    }

    fn check(&self, logits: &[T], ids: &[i64]) {
        assert!(self.classes > 0 || ids.is_empty(), "cross_entropy: there are no classes to choose from");
        assert_eq!(
            logits.len(),
            elements([ids.len(), self.classes]),
            "cross_entropy: one class for each row of logits"
        );
        assert!(
            self.weights.is_none_or(|w| w.len() == self.classes),
            "cross_entropy: one weight for each class"
        );
    }

    fn rows_together(&self) -> usize {
        (BLOCK / self.classes.max(1)).max(1)
    }
}

/// Each row's loss, and what [`cross_entropy_backward`] takes up: its maximum `h` and `ln Σ e^(x − h)`, side by side. Their
/// sum would round: of three logits of 10⁶ it gave the probabilities .3247.
///
/// # Panics
/// If lengths do not fit, or a class number is neither within `0..classes` nor ignored.
pub fn cross_entropy<T: Float>(
    rule: &CrossEntropy<T>,
    logits: &[T],
    ids: &[i64],
    loss: &mut [T],
    log: &mut [T],
) {
    rule.check(logits, ids);
    assert!(loss.len() == ids.len() && log.len() == 2 * ids.len(), "cross_entropy: one result for each row");
    let (k, group) = (rule.classes, rule.rows_together());
    let spread = rule.smoothing / T::from_f64(k as f64);
    let all = rule.all_weights();
    for_blocks([loss, log], [group, 2 * group], COST * logits.len(), |i, [loss, log]| {
        vectorize(
            #[inline(always)]
            || {
                let together = if k <= SHORT { LANES } else { 1 };
                for start in (0..loss.len()).step_by(together) {
                    let rows = together.min(loss.len() - start);
                    let first = i * group + start;
                    let x = &logits[first * k..(first + rows) * k];
                    let (mut highest, mut rest) = ([T::ZERO; LANES], [T::ZERO; LANES]);
                    if together > 1 {
                        let mut across = [[T::ZERO; LANES]; SHORT];
                        (highest, _) = exponentials_across(x, k, &mut across);
                        rest = logs_across(&across[..k]);
                    } else {
                        let (h, sum) = sum_of_exponentials(x);
                        (highest[0], rest[0]) = (h, log_of_sum(x, h, sum));
                    }
                    for (r, x) in x.chunks_exact(k).enumerate() {
                        // Everything relative to the maximum, so that large logits cancel before they round.
                        let (h, rest) = (highest[r], rest[r]);
                        let (loss, log) = (&mut loss[start + r], &mut log[2 * (start + r)..][..2]);
                        let Some(target) = rule.target(ids[first + r]) else {
                            *loss = T::ZERO;
                            log.fill(T::ZERO);
                            continue;
                        };
                        log.copy_from_slice(&[h, rest]);
                        let own = (T::ONE - rule.smoothing) * rule.weight(target);
                        *loss = counted(own, rest - (x[target] - h));
                        if rule.smoothing > T::ZERO {
                            let mut sum = 0.0;
                            for c in 0..k {
                                sum += counted(rule.weight(c), x[c] - h).to_f64();
                            }
                            *loss += spread * (all * rest - T::from_f64(sum));
                        }
                    }
                }
            },
        );
    });
}

/// `weight · x`, and 0 where the weight is: what does not count may be infinite.
#[inline(always)]
fn counted<T: Float>(weight: T, x: T) -> T {
    if weight == T::ZERO { T::ZERO } else { weight * x }
}

/// The gradient: `dx = g · [(1 − ε) w_t (p − δ_t) + ε/K (p Σw − w)]` for each row, `p = e^(x − h − log)`; 0 in ignored
/// rows.
///
/// # Panics
/// As [`cross_entropy`].
pub fn cross_entropy_backward<T: Float>(
    rule: &CrossEntropy<T>,
    logits: &[T],
    ids: &[i64],
    log: &[T],
    g: &[T],
    dx: &mut [T],
) {
    rule.check(logits, ids);
    assert!(log.len() == 2 * ids.len() && g.len() == ids.len(), "cross_entropy: one gradient for each row");
    assert_eq!(dx.len(), logits.len(), "cross_entropy: dx has not the elements of the logits");
    let (k, group) = (rule.classes, rule.rows_together());
    if dx.is_empty() {
        return;
    }
    let spread = rule.smoothing / T::from_f64(k as f64);
    let all = rule.all_weights();
    for_chunks(dx, group * k, COST * logits.len(), |i, dx| {
        vectorize(
            #[inline(always)]
            || {
                // The exponentials of all rows of the piece in one run: one by one, short rows would not fill a register.
                let x = &logits[i * group * k..][..dx.len()];
                for ((dx, x), &[h, log]) in
                    dx.chunks_exact_mut(k).zip(x.chunks_exact(k)).zip(&log.as_chunks().0[i * group..])
                {
                    dx.iter_mut().zip(x).for_each(|(dx, &x)| *dx = (x - h) - log);
                }
                for dx in dx.iter_mut() {
                    *dx = dx.exp();
                }
                for (r, dx) in (i * group..).zip(dx.chunks_exact_mut(k)) {
                    let Some(target) = rule.target(ids[r]) else {
                        dx.fill(T::ZERO);
                        continue;
                    };
                    let own = (T::ONE - rule.smoothing) * rule.weight(target);
                    let scale = g[r] * (own + spread * all);
                    // What the target lacks to 1: where that is little, the sum of the others.
                    let p = dx[target];
                    let lacks = if p > T::from_f64(MOST) {
                        dx[target] = T::ZERO;
                        sum(dx)
                    } else {
                        T::ONE - p
                    };
                    dx.iter_mut().for_each(|dx| *dx *= scale);
                    if rule.smoothing > T::ZERO {
                        for c in 0..k {
                            dx[c] -= g[r] * spread * rule.weight(c);
                        }
                    }
                    dx[target] = g[r] * (spread * (all * p - rule.weight(target)) - own * lacks);
                }
            },
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::with_threads;

    /// The definition, in f64.
    fn plain(x: &[f64], target: usize, smoothing: f64, w: &[f64]) -> f64 {
        let log = x.iter().map(|x| x.exp()).sum::<f64>().ln();
        let all: f64 = x.iter().zip(w).map(|(x, w)| w * (x - log)).sum();
        -(1.0 - smoothing) * w[target] * (x[target] - log) - smoothing / x.len() as f64 * all
    }

    #[test]
    fn against_the_definition_on_any_number_of_threads() {
        for (rows, k) in [(0, 4), (1, 1), (7, 10), (9, 33), (900, 10), (3, 5000)] {
            let x: Vec<f64> = (0..rows * k).map(|i| ((i * 7919) % 1009) as f64 / 100.0 - 5.0).collect();
            let g: Vec<f64> = (0..rows).map(|i| 1.0 + (i % 5) as f64).collect();
            let ids: Vec<i64> =
                (0..rows).map(|i| if i % 4 == 3 { -100 } else { (i * 7 % k) as i64 }).collect();
            let weights: Vec<f64> = (0..k).map(|i| 0.5 + (i % 3) as f64).collect();
            let ones = vec![1.0; k];
            for (smoothing, w) in [(0.0, None), (0.1, None), (0.0, Some(&weights)), (0.3, Some(&weights))] {
                let rule =
                    CrossEntropy { classes: k, smoothing, weights: w.map(|w| &w[..]), ignore: Some(-100) };
                let run = || {
                    let (mut loss, mut log, mut dx) =
                        (vec![0.0; rows], vec![0.0; 2 * rows], vec![0.0; x.len()]);
                    cross_entropy(&rule, &x, &ids, &mut loss, &mut log);
                    cross_entropy_backward(&rule, &x, &ids, &log, &g, &mut dx);
                    (loss, log, dx)
                };
                let (loss, log, dx) = with_threads(1, run);
                for threads in [2, 8] {
                    assert!(with_threads(threads, run) == (loss.clone(), log.clone(), dx.clone()));
                }
                let w = w.unwrap_or(&ones);
                for r in 0..rows {
                    let (mut x, dx) = (x[r * k..(r + 1) * k].to_vec(), &dx[r * k..(r + 1) * k]);
                    if ids[r] < 0 {
                        assert!(loss[r] == 0.0 && dx.iter().all(|&d| d == 0.0));
                        continue;
                    }
                    let want = plain(&x, ids[r] as usize, smoothing, w);
                    assert!((loss[r] - want).abs() < 1e-12 * (1.0 + want), "{} {want}", loss[r]);
                    for c in (0..k).step_by(1 + k / 40) {
                        let at = x[c];
                        let [a, b] = [1e-5, -1e-5].map(|h| {
                            x[c] = at + h;
                            plain(&x, ids[r] as usize, smoothing, w)
                        });
                        x[c] = at;
                        assert!(
                            (dx[c] - g[r] * (a - b) / 2e-5).abs() < 1e-7,
                            "{} {}",
                            dx[c],
                            g[r] * (a - b) / 2e-5
                        );
                    }
                }
                let total: f64 = ids.iter().filter(|&&i| i >= 0).map(|&i| w[i as usize]).sum();
                assert_eq!(rule.total_weight(&ids), total);
            }
        }
    }

    #[test]
    fn large_logits_and_wrong_classes() {
        let rule = CrossEntropy { classes: 3, smoothing: 0.1f32, weights: None, ignore: None };
        let (mut loss, mut log, mut dx) = ([0.0; 1], [0.0; 2], [0.0; 3]);
        cross_entropy(&rule, &[1e4, 1e4, 1e4], &[1], &mut loss, &mut log);
        assert!((loss[0] - 3f32.ln()).abs() < 1e-6);
        cross_entropy_backward(&rule, &[1e4, 0.0, -1e4], &[0], &[1e4, 0.0], &[1.0], &mut dx);
        assert!((dx[0] - 0.1 * 2.0 / 3.0).abs() < 1e-6 && (dx[1] + 0.1 / 3.0).abs() < 1e-6);
        for top in [1e4, 1e6, 1e8, 1e30, -1e30] {
            let rule = CrossEntropy { smoothing: 0.0, ..rule };
            cross_entropy(&rule, &[top; 3], &[0], &mut loss, &mut log);
            cross_entropy_backward(&rule, &[top; 3], &[0], &log, &[1.0], &mut dx);
            assert!(
                dx.iter().zip([-2.0, 1.0, 1.0]).all(|(d, want)| (d - want / 3.0).abs() < 1e-6),
                "{top}: {dx:?}"
            );
        }
        let wrong = || cross_entropy(&rule, &[0.0; 3], &[3], &mut [0.0], &mut [0.0; 2]);
        assert!(std::panic::catch_unwind(wrong).is_err());
    }
}

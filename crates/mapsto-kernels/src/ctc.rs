//! Connectionist temporal classification: the probability of labels whose places among the steps nobody knows, and its gradient.
//!
//! Loop nest: sequences (in parallel) › steps › states (in registers). The recursion runs in f64, whatever the probabilities are
//! stored in: a sum of some hundred logarithms loses four digits of f32, which the gradient then lacks. A step reads the step before
//! alone, so its states are computed side by side, with two exponentials and a logarithm each, where a loop over states
//! calls five functions one after the other.

use crate::blocks::for_blocks;
use crate::elements::elements;
use crate::real::{Float, Real};
use crate::simd::vectorize;
use crate::threads::for_chunks;
use crate::workspace::scratch;

/// What stands for the logarithm of 0: finite, so that no difference of two is NaN.
const NEVER: f64 = -1e30;

/// Places before the states, and after them, from which nothing comes.
const EDGE: usize = 2;

/// Labels that sequences of steps are to say. Class 0 is the blank.
#[derive(Clone, Copy, Debug)]
pub struct Ctc<'a> {
    /// Steps of the longest sequence.
    pub steps: usize,
    /// Classes, the blank among them.
    pub classes: usize,
    /// Labels of the longest target.
    pub longest: usize,
    /// `[batch, longest]`: classes above 0; shorter targets are filled up with negative numbers.
    pub labels: &'a [i64],
    /// The steps of each sequence, at least 1; `None` where all have all.
    pub lengths: Option<&'a [usize]>,
}

impl Ctc<'_> {
    /// Numbers that the way forward keeps of each sequence.
    ///
    /// ```
    /// use mapsto_kernels::ctc::Ctc;
    /// let ctc = Ctc { steps: 2, classes: 2, longest: 1, labels: &[1], lengths: None };
    /// let (mut kept, mut y) = (vec![0.0; ctc.kept()], [0.0]);
    /// ctc.forward(&[0.5f64.ln(); 4], &mut kept, &mut y);
    /// assert!((y[0] + 0.75f64.ln()).abs() < 1e-12); // `_ a`, `a _` and `a a`
    /// ```
    pub fn kept(&self) -> usize {
        elements([self.steps, self.row()])
    }

    /// States and the places before them.
    fn row(&self) -> usize {
        2 * self.longest + 1 + EDGE
    }

    fn len(&self, sequence: usize) -> usize {
        self.lengths.map_or(self.steps, |lengths| lengths[sequence])
    }

    /// The class of each state of a sequence, and for each state what is added to the way that leaves out the one before:
    /// 0 where a label differs from the last label, else [`NEVER`].
    fn states(&self, sequence: usize) -> (Vec<usize>, Vec<f64>) {
        let labels = &self.labels[sequence * self.longest..][..self.longest];
        let mut classes = vec![0];
        for &label in labels.iter().take_while(|&&label| label >= 0) {
            classes.extend([label as usize, 0]);
        }
        let skips = (0..classes.len())
            .map(|s| if s >= 2 && classes[s] != 0 && classes[s] != classes[s - 2] { 0.0 } else { NEVER });
        let skips = skips.collect();
        (classes, skips)
    }

    fn check(&self, log_p: usize, kept: usize, y: usize) {
        let batch = y;
        assert!(self.steps > 0 && self.classes > 0, "ctc: a step and a class at least");
        assert_eq!(
            self.labels.len(),
            elements([batch, self.longest]),
            "ctc: the labels of {batch} sequences"
        );
        assert!(self.labels.iter().all(|&label| label < self.classes as i64), "ctc: a label is no class");
        assert_eq!(log_p, elements([batch, self.steps, self.classes]), "ctc: the logarithms");
        assert_eq!(kept, elements([batch, self.kept()]), "ctc: what is kept");
        let fits = |lengths: &[usize]| {
            lengths.len() == batch && lengths.iter().all(|n| (1..=self.steps).contains(n))
        };
        assert!(self.lengths.is_none_or(fits), "ctc: lengths from 1 to {}", self.steps);
    }

    /// Writes, for logarithms of probabilities `[batch, steps, classes]`, minus the logarithm of that of each target; and what
    /// the way back reads, [`kept`](Ctc::kept) numbers of each sequence.
    ///
    /// With `α` of a step, the logarithm of the probability to be in a state after it:
    /// `α'(s) = log(e^α(s) + e^α(s−1) + e^α(s−2)) + log p(class of s)`, the last where the state between may be left out.
    ///
    /// # Panics
    /// If a slice has another length than the sizes ask for, or a label is no class.
    pub fn forward<T: Float>(&self, log_p: &[T], kept: &mut [f64], y: &mut [f64]) {
        self.check(log_p.len(), kept.len(), y.len());
        let (row, cost) = (self.row(), kept.len().saturating_mul(40));
        for_blocks([kept, y], [self.kept(), 1], cost, |i, [alpha, y]| {
            let (classes, skips) = self.states(i);
            let log_p = &log_p[i * self.steps * self.classes..][..self.steps * self.classes];
            let alpha = &mut alpha[..self.len(i) * row];
            for (alpha, log_p) in alpha.chunks_exact_mut(row).zip(log_p.chunks_exact(self.classes)) {
                gather(log_p, &classes, &mut alpha[EDGE..]);
            }
            y[0] = said(alpha, row, &skips);
        });
    }

    /// Writes the gradients of the logarithms, from what [`forward`](Ctc::forward) wrote and from `dy`, those of its results:
    /// `−dy` times the probability to say a class at a step, given that the target is said.
    ///
    /// # Panics
    /// If a slice has another length than the sizes ask for, or a label is no class.
    pub fn backward<T: Float>(&self, log_p: &[T], kept: &[f64], y: &[f64], dy: &[T], dx: &mut [T]) {
        self.check(log_p.len(), kept.len(), y.len());
        assert_eq!((dy.len(), dx.len()), (y.len(), log_p.len()), "ctc: the gradients");
        let (row, cost) = (self.row(), kept.len().saturating_mul(60));
        for_chunks(dx, self.steps * self.classes, cost, |i, dx| {
            dx.fill(T::ZERO);
            let (classes, skips) = self.states(i);
            let log_p = &log_p[i * self.steps * self.classes..][..self.steps * self.classes];
            let alpha = &kept[i * self.kept()..][..self.kept()];
            let (n, steps) = (classes.len(), self.len(i));
            // Backwards, states stand in the opposite order, so that both ways are one loop: the way that leaves out the state
            // after `s` is that before `s + 2`.
            let classes: Vec<usize> = classes.into_iter().rev().collect();
            let skips: Vec<f64> =
                (0..n).map(|s| if s < EDGE { NEVER } else { skips[n - 1 - (s - EDGE)] }).collect();
            let mut parts = scratch::<f64>(steps * n);
            for (parts, log_p) in parts.chunks_exact_mut(n).zip(log_p.chunks_exact(self.classes)) {
                gather(log_p, &classes, parts);
            }
            shown(alpha, row, &skips, y[i], &mut parts);
            let scale = dy[i].to_f64();
            for (dx, parts) in dx.chunks_exact_mut(self.classes).zip(parts.chunks_exact(n)) {
                for (&class, &part) in classes.iter().zip(parts) {
                    dx[class] -= T::from_f64(part * scale);
                }
            }
        });
    }
}

/// The logarithms of the states' classes; none below [`NEVER`].
fn gather<T: Float>(log_p: &[T], classes: &[usize], shares: &mut [f64]) {
    for (share, &class) in shares.iter_mut().zip(classes) {
        let log = log_p[class].to_f64();
        *share = if log < NEVER { NEVER } else { log };
    }
}

/// Makes the logarithms of each step's classes, in rows after [`EDGE`] places, those of the probability to be in a state after the
/// step; gives minus the logarithm of that of the target. (By itself, so that it is compiled once for all dtypes.)
fn said(alpha: &mut [f64], row: usize, skips: &[f64]) -> f64 {
    let n = skips.len();
    let (first, rest) = alpha.split_at_mut(row);
    first[..EDGE].fill(NEVER);
    first[EDGE..].iter_mut().skip(2).for_each(|a| *a = NEVER);
    let mut before: &[f64] = &first[..EDGE + n];
    for now in rest.chunks_exact_mut(row) {
        now[..EDGE].fill(NEVER);
        let states = &mut now[EDGE..EDGE + n];
        vectorize(
            #[inline(always)]
            || step(before, skips, states),
        );
        before = &now[..EDGE + n];
    }
    -log_sum([before[n + 1], before[n], NEVER])
}

/// Makes the logarithms of each step's classes, from the last state to the first, the probability of each state, given that the
/// target is said, where `y` is minus the logarithm of its own.
fn shown(alpha: &[f64], row: usize, skips: &[f64], y: f64, parts: &mut [f64]) {
    let n = skips.len();
    let (mut before, mut beta) = (scratch::<f64>(EDGE + n), scratch::<f64>(n));
    // Behind the last step stands one in which both ends are sure.
    before.fill(NEVER);
    beta.fill(NEVER);
    beta.iter_mut().take(2).for_each(|b| *b = 0.0);
    let steps = parts.len() / n;
    for (t, parts) in parts.chunks_exact_mut(n).enumerate().rev() {
        if t + 1 < steps {
            // What comes after step t: the way on from each state, which says its class at t + 1.
            beta.fill(0.0);
            vectorize(
                #[inline(always)]
                || step(&before, skips, &mut beta),
            );
        }
        let after = &mut before[EDGE..];
        after.iter_mut().zip(&*beta).zip(&*parts).for_each(|((after, &b), &share)| *after = b + share);
        let alpha = &alpha[t * row + EDGE..][..n];
        vectorize(
            #[inline(always)]
            || occupied(alpha, &beta, y, parts),
        );
    }
}

/// `log(eᵃ + eᵇ + eᶜ)`; NaN of any of them shows.
#[inline(always)]
fn log_sum([a, b, c]: [f64; 3]) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    let (most, middle) = if high > c { (high, c) } else { (c, high) };
    let sum = 1.0 + Real::exp(middle - most) + Real::exp(low - most);
    most + Real::ln(sum) + (a + b + c) * 0.0
}

/// One step of all states, to what they are added to: `before` begins with [`EDGE`] places that are before the first.
#[inline(always)]
fn step(before: &[f64], skips: &[f64], now: &mut [f64]) {
    let n = now.len();
    assert!(before.len() == n + EDGE && skips.len() == n);
    for s in 0..n {
        now[s] += log_sum([before[s + 2], before[s + 1], before[s] + skips[s]]);
    }
}

/// The probability of each state, from the last to the first; `alpha` from the first on.
#[inline(always)]
fn occupied(alpha: &[f64], beta: &[f64], y: f64, parts: &mut [f64]) {
    let n = parts.len();
    assert!(alpha.len() == n && beta.len() == n);
    for s in 0..n {
        parts[s] = Real::exp(alpha[n - 1 - s] + beta[s] + y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    /// Logarithms of probabilities that follow a formula.
    fn log_p(batch: usize, steps: usize, classes: usize) -> Vec<f64> {
        let mut x: Vec<f64> =
            (0..batch * steps * classes).map(|i| ((i * 7919 % 1009) as f64 / 200.0).sin() * 3.0).collect();
        for row in x.chunks_mut(classes) {
            let sum = row.iter().map(|x| x.exp()).sum::<f64>().ln();
            row.iter_mut().for_each(|x| *x -= sum);
        }
        x
    }

    fn run(ctc: &Ctc, x: &[f64], batch: usize) -> [Vec<f64>; 2] {
        let (mut kept, mut y, mut dx) = (vec![9.0; batch * ctc.kept()], vec![9.0; batch], vec![9.0; x.len()]);
        ctc.forward(x, &mut kept, &mut y);
        let dy: Vec<f64> = (0..batch).map(|i| 1.0 + i as f64).collect();
        ctc.backward(x, &kept, &y, &dy, &mut dx);
        [y, dx]
    }

    const LABELS: [i64; 9] = [1, 2, 2, 3, 3, 3, 1, -1, -1];

    #[test]
    fn the_sum_over_all_ways_and_its_differences() {
        let (batch, steps, classes) = (3, 6, 4);
        let ctc = Ctc { steps, classes, longest: 3, labels: &LABELS, lengths: Some(&[6, 5, 2]) };
        let x = log_p(batch, steps, classes);
        let [y, dx] = run(&ctc, &x, batch);
        for i in 0..batch {
            let n = ctc.len(i);
            let want: Vec<usize> =
                LABELS[3 * i..][..3].iter().filter(|&&l| l >= 0).map(|&l| l as usize).collect();
            let mut total = 0.0;
            for way in 0..classes.pow(n as u32) {
                let path: Vec<usize> = (0..n).map(|t| way / classes.pow(t as u32) % classes).collect();
                let mut said = path.clone();
                said.dedup();
                said.retain(|&c| c != 0);
                if said == want {
                    total += path
                        .iter()
                        .enumerate()
                        .map(|(t, &c)| x[(i * steps + t) * classes + c])
                        .sum::<f64>()
                        .exp();
                }
            }
            assert!(
                (y[i] + total.ln()).abs() < 1e-12 * (1.0 + y[i].abs()),
                "{i}: {} and {}",
                y[i],
                -total.ln()
            );
        }
        for k in 0..x.len() {
            let at = |e: f64| {
                let mut x = x.clone();
                x[k] += e;
                let i = k / (steps * classes);
                (1 + i) as f64 * run(&ctc, &x, batch)[0][i]
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - dx[k]).abs() < 1e-8, "{k}: {slope} and {}", dx[k]);
        }
    }

    #[test]
    fn threads_change_no_bit_and_what_never_is_stays_finite() {
        let (batch, steps, classes) = (3, 70, 5);
        let ctc = Ctc { steps, classes, longest: 3, labels: &LABELS, lengths: Some(&[70, 8, 33]) };
        let mut x = log_p(batch, steps, classes);
        x[7] = f64::NEG_INFINITY;
        for &isa in Isa::available() {
            let one = with_isa(isa, || with_threads(1, || run(&ctc, &x, batch)));
            assert!(one.iter().flatten().all(|x| x.is_finite()));
            assert_eq!(with_isa(isa, || with_threads(4, || run(&ctc, &x, batch))), one);
        }
        x[1] = f64::NAN;
        let [y, dx] = run(&ctc, &x, batch);
        assert!(y[0].is_nan() && y[1].is_finite() && dx[..10].iter().any(|x| x.is_nan()), "{y:?}");
    }
}

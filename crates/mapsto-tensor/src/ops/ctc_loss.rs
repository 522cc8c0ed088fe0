//! The probability of labels whose places among the steps nobody knows.

use crate::check::{floats, ints};
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{in_class, slice, with_float};
use crate::graph::{At, Attr, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused};
use crate::{DType, Tensor, fail, keep};
use mapsto_kernels::ctc::Ctc;

/// What stands for the logarithm of 0: finite, so that its slope is 0 and not NaN.
const NEVER: f64 = -1e30;

impl Tensor {
    /// Minus the logarithm of the probability of each sequence of labels, from the logarithms of those of the classes at every step.
    ///
    /// A step says a label or the blank, class 0; repetitions count as one: `a a _ b` and `_ a b b` both say `a b`. The probability of
    /// `L` labels is the sum over all ways to spread them over the steps. Targets are classes from 1 on, shorter ones filled
    /// up with −1; `lengths` are the steps of each sequence, if not all have all of them.
    ///
    /// * Shape: `[n, t, k], [n, longest] → [n]`, floats and integers.
    /// * Gradient: `−dy` times the probability of each class at each step, given that the labels are said.
    /// * Source: Graves, Fernández, Gomez, Schmidhuber 2006, Connectionist temporal classification, equations 6 to 16.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// // Two steps, a blank and a label, all alike: `_ a`, `a _` and `a a` say `a`.
    /// let log_p = Tensor::zeros([2, 2, 2]).log_softmax(-1);
    /// let loss = log_p.ctc_loss(&tensor![[1], [1]], Some(&[2, 1]));
    /// assert_close!(loss, [-(0.75f64.ln()), -(0.5f64.ln())]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, an id is out of range, or a sequence has more labels than there are steps for.
    #[track_caller]
    pub fn ctc_loss(&self, labels: &Tensor, lengths: Option<&[usize]>) -> Tensor {
        check(self, labels, lengths);
        let labels = labels.to(DType::I64).contiguous();
        fused(CtcLoss { lengths: lengths.map(<[usize]>::to_vec) }, &[self, &labels])
    }
}

/// Requires logarithms, labels and lengths that fit together.
#[track_caller]
fn check(x: &Tensor, labels: &Tensor, lengths: Option<&[usize]>) {
    const OP: &str = "ctc_loss";
    let (shape, t) = (x.shape(), labels.shape());
    if !x.dtype().is_float() {
        fail!(OP, "the logarithms must be floats, they are {}", x.dtype());
    }
    if labels.dtype().is_float() {
        fail!(OP, "labels are integers, these targets are {}", labels.dtype(); help = "convert them with `.to(DType::I64)`");
    }
    let &[n, steps, k] = shape else {
        fail!(OP, "logarithms [n, steps, classes] were expected, found {shape:?}"; help = "the batch comes first: `.swap(0, 1)` of PyTorch's order");
    };
    if t.len() != 2 || t[0] != n {
        fail!(OP, "labels [{n}, longest] were expected beside {shape:?}, found {t:?}"; help = "shorter targets are filled up with −1");
    }
    if n * steps * k == 0 {
        fail!(OP, "{shape:?} has no sequence, no step or no class");
    }
    if let Some(lengths) = lengths {
        if lengths.len() != n {
            fail!(OP, "{} lengths for {n} sequences", lengths.len(); help = "there is one for each sequence of the batch");
        }
        if let Some(i) = lengths.iter().position(|&len| len == 0 || len > steps) {
            fail!(OP, "sequence {i} is said to have {} steps, and there are {steps}", lengths[i]; help = "each has at least one step");
        }
    }
    if !labels.device().backend().has_numbers() || t[1] == 0 {
        return;
    }
    for (i, row) in labels.to(DType::I64).to_vec::<i64>().chunks(t[1]).enumerate() {
        let said: Vec<i64> = row.iter().copied().take_while(|&id| id >= 0).collect();
        if row[said.len()..].iter().any(|&id| id >= 0) || said.iter().any(|&id| id == 0 || id >= k as i64) {
            fail!(OP, "the labels {row:?} of sample {i} are not within 1..{k}"; help = "class 0 is the blank, and −1 fills up at the end");
        }
        // Between equal labels there has to be a blank.
        let needed = said.len() + said.windows(2).filter(|w| w[0] == w[1]).count();
        let there = lengths.map_or(steps, |lengths| lengths[i]);
        if needed > there {
            fail!(OP, "the labels {row:?} of sample {i} need {needed} steps, and there are {there}");
        }
    }
}

/// Of logarithms `[n, t, k]` and labels `[n, longest]`.
struct CtcLoss {
    lengths: Option<Vec<usize>>,
}
impl CtcLoss {
    fn rule<'a>(&'a self, shape: [usize; 3], labels: &'a Tensor) -> Ctc<'a> {
        let [_, steps, classes] = shape;
        Ctc { steps, classes, longest: labels.shape()[1], labels: slice(labels), lengths: self.lengths.as_deref() }
    }
}
impl Fused for CtcLoss {
    fn name(&self) -> &'static str {
        "ctc_loss"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=2
    }
    fn attrs(&self, say: Say<'_>) {
        if let Some(lengths) = &self.lengths {
            say("lengths", Attr::from(&lengths[..]));
        }
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        Cost::each_input(xs, y, 20)
    }
    fn wide(&self) -> bool {
        true
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let (log_p, target) = (xs[0].maximum(NEVER), xs[1]);
        let ([n, steps, _], [_, longest], device) = (log_p.dims(), target.dims(), log_p.device());
        // The labels with a blank around each: [n, 2·longest + 1]; where there is none, a blank stands for it.
        let counts = target.ge(0).to(DType::I64).sum(keep(1)); // [n, 1]
        let labels = target.maximum(0);
        let blanks = device.scope(|| Tensor::full_of([n, longest], 0, DType::I64));
        let spread = Tensor::stack(&[&blanks, &labels], 2).reshape([n, 2 * longest]);
        let spread = Tensor::cat(&[&spread, &device.scope(|| Tensor::full_of([n, 1], 0, DType::I64))], 1);
        let states = 2 * longest + 1;
        // Of a label that differs from the one before, the blank between may be left out.
        let at = |t: usize| log_p.select(1, t as isize).gather(1, &spread); // [n, states]
        let place = device.scope(|| Tensor::arange(0..states as i64)).unsqueeze(0);
        let mut alpha = place.lt(2).choose(at(0), NEVER);
        let skips = (longest > 0).then(|| {
            let skips = spread.slice(1, 2..).ne(spread.slice(1, ..-2)).and(&spread.slice(1, 2..).ne(0));
            Tensor::cat(&[&device.scope(|| Tensor::full_of([n, 2], 0, DType::Bool)), &skips], 1)
        });
        for t in 1..steps {
            let before = alpha.pad(&[(0, 0), (2, 0)], NEVER);
            let mut ways = vec![alpha.clone(), before.slice(1, 1..states as isize + 1)];
            ways.extend(skips.as_ref().map(|skips| skips.choose(before.slice(1, ..states as isize), NEVER)));
            let next = Tensor::stack(&ways, 2).logsumexp(-1) + at(t);
            alpha = match &self.lengths {
                None => next,
                Some(lengths) => {
                    let here: Vec<bool> = lengths.iter().map(|&len| t < len).collect();
                    Tensor::from_vec(here, [n, 1]).to_device(device).choose(next, &alpha)
                }
            };
        }
        // It ends in the last label or in the blank after it.
        let ends = place.eq(&counts * 2).or(&place.eq(&counts * 2 - 1));
        -ends.choose(&alpha, NEVER).logsumexp(-1)
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let (shape, dtype) = (xs[0].dims(), xs[0].dtype());
        let (x, labels) = (in_class(xs[0]), in_class(xs[1]));
        // An operation that was built of its attributes has not been through the method.
        check(xs[0], xs[1], self.lengths.as_deref());
        let rule = self.rule(shape, &labels);
        let mut kept = Tensor::filled_by([shape[0], rule.kept()], |_: &mut [f64]| {});
        let mut y = Tensor::filled_by([shape[0]], |_: &mut [f64]| {});
        with_float!(x.dtype(), T => rule.forward::<T>(slice(&x), kept.as_mut_slice(), y.as_mut_slice()));
        Some(Fast { y: y.to(dtype), kept: vec![kept, y] })
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let (x, labels, g) = (in_class(at.a()), in_class(at.b()), in_class(g));
        let rule = self.rule(at.a().dims(), &labels);
        let (kept, y) = (slice(&at.kept()[0]), slice(&at.kept()[1]));
        let dx = with_float!(x.dtype(), T => {
            Tensor::filled_by(at.shape(0), |dx: &mut [T]| rule.backward(slice(&x), kept, y, slice(&g), dx))
        });
        Some(vec![Some(dx), None].into())
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("ctc_loss", "Minus the logarithm of the probability of each sequence of labels, from the logarithms of those of the classes at every step.", Takes::Floats, samples).built(|a| Ok(boxed(CtcLoss { lengths: a.may("lengths")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-3.0..-0.1);
    s.of(&[(&[2, 5, 4], &d), (&[2, 2], &ints(1..4))], |x| x[0].ctc_loss(&x[1], None));
    s.of(&[(&[3, 6, 3], &d), (&[3, 2], &ints(1..3))], |x| x[0].ctc_loss(&x[1], Some(&[6, 3, 5])));
    s.of(&[(&[2, 3, 2], &d), (&[2, 1], &ints(1..2))], |x| x[0].ctc_loss(&x[1], None));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn ctc_loss() {
        let d = || floats(-3.0..-0.1);
        check2(|x, t| x.ctc_loss(t, None)).shapes([&[2, 5, 4], &[2, 2]]).on(d(), ints(1..4));
        check2(|x, t| x.ctc_loss(t, Some(&[3, 5]))).shapes([&[2, 5, 3], &[2, 2]]).on(d(), ints(1..3));
        for lengths in [None, Some(vec![9, 7, 8])] {
            let op = || CtcLoss { lengths: lengths.clone() };
            check_fused(op, &[(&[3, 9, 5], d()), (&[3, 4], ints(1..5))]);
            check_fused(op, &[(&[3, 9, 2], d()), (&[3, 1], ints(1..2))]);
        }
    }

    #[test]
    fn shorter_targets_and_empty_ones() {
        let log_p = Tensor::randn([3, 6, 4]).log_softmax(-1);
        let all = log_p.ctc_loss(&tensor![[1, 2, 2], [3, -1, -1], [-1, -1, -1]], None);
        let one = |i: isize, labels: Tensor| log_p.select(0, i).unsqueeze(0).ctc_loss(&labels, None);
        assert_close!(all.slice(0, 1..2), one(1, tensor![[3]]));
        assert_close!(all.slice(0, 2..), -log_p.select(0, 2).select(1, 0).sum(..).reshape([1]));
        assert_close!(all.slice(0, 2..), one(2, Tensor::full_of([1, 0], 0, DType::I64)));
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let message = |y: [usize; 3], t: Tensor, n: Option<&[usize]>| {
            catch(|| Tensor::zeros(y).ctc_loss(&t, n)).unwrap_err().message().to_string()
        };
        assert!(message([1, 2, 3], tensor![[1, 1]], None).contains("need 3 steps, and there are 2"));
        assert!(message([1, 5, 3], tensor![[1, 1]], Some(&[2])).contains("need 3 steps, and there are 2"));
        assert!(message([1, 2, 3], tensor![[0]], None).contains("not within 1..3"));
        assert!(message([1, 2, 3], tensor![[3]], None).contains("not within 1..3"));
        assert!(message([1, 2, 3], tensor![[1]], Some(&[0])).contains("said to have 0 steps"));
        assert!(message([2, 2, 3], tensor![[1]], None).contains("labels [2, longest] were expected beside [2, 2, 3], found [1, 1]"));
        assert!(message([1, 2, 3], tensor![[1.0]], None).contains("labels are integers"));
    }
}

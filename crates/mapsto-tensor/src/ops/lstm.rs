//! The long short-term memory over whole sequences.

use crate::autocast::low;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::backend::cpu::{in_class, slice, with_float};
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused, times};
use crate::backend::recurrent::{last_states, room, sequences};
use crate::sequence::{Each, Walk, by_sequence, check_bias, check_sequence, unpack};
use crate::storage::Plain;
use mapsto_kernels::rnn::{self, LstmGrads, LstmKept, Sequences};

impl Tensor {
    /// A long short-term memory over sequences: the states of all steps, the last state and the last cell.
    ///
    /// At each step `a = x w_ihᵀ + h w_hhᵀ + b`, in four parts `i, f, g, o` of the hidden size; then
    /// `c ← σ(f) c + σ(i) tanh(g)` and `h ← σ(o) tanh(c)`. (PyTorch's two biases are one here: their sum.)
    ///
    /// * Shape: `[b, t, in], [b, h], [b, h], [4h, in], [4h, h], [4h] → [b, t, h], [b, h], [b, h]`.
    /// * Gradient: through time; with `dh`, `dc` from the step after, `dc += dh σ(o) (1 − tanh² c)`, the parts of `da` are
    ///   `dc g σ'(i)`, `dc c₋ σ'(f)`, `dc i tanh'(g)`, `dh tanh(c) σ'(o)`, and `dh₋ = da w_hh`, `dc₋ = dc σ(f)`;
    ///   `dx = da w_ih`, `dw_ih = daᵀ x`, `dw_hh = daᵀ h₋`, `db = Σ da`.
    /// * Source: Hochreiter & Schmidhuber 1997, Neural Computation 9(8), with the forget gate of Gers, Schmidhuber & Cummins
    ///   2000, Neural Computation 12(10); the gates in PyTorch's order.   * ONNX: `LSTM`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// // The cell keeps half of itself and takes half of tanh(x).
    /// let (w_ih, w_hh) = (tensor![[0.0], [0.0], [1.0], [0.0]], Tensor::zeros([4, 1]));
    /// let zero = Tensor::zeros([1, 1]);
    /// let (y, _, c) = tensor![[[1.0], [1.0]]].lstm(&zero, &zero, &w_ih, &w_hh, None);
    /// assert_close!(c, [[0.75 * 1f64.tanh()]]);
    /// assert_close!(y, [[[0.5 * (0.5 * 1f64.tanh()).tanh()], [0.5 * (0.75 * 1f64.tanh()).tanh()]]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn lstm(
        &self,
        h0: &Tensor,
        c0: &Tensor,
        w_ih: &Tensor,
        w_hh: &Tensor,
        b: Option<&Tensor>,
    ) -> (Tensor, Tensor, Tensor) {
        self.lstm_along(h0, c0, w_ih, w_hh, b, &Walk::new())
    }

    /// [`lstm`](Tensor::lstm) over the steps that a [`Walk`] says: sequences of different lengths, or read from their ends.
    ///
    /// * Shape: as `lstm`; 0 in the states of steps that a sequence has not.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, zero) = (Tensor::randn([2, 5, 3]), Tensor::zeros([2, 4]));
    /// let (w_ih, w_hh) = (Tensor::randn([16, 3]), Tensor::randn([16, 4]));
    /// let (y, h, _) = x.lstm_along(&zero, &zero, &w_ih, &w_hh, None, &Walk::new().lengths(&[5, 3]));
    /// assert_close!(h.select(0, 1), y.select(0, 1).select(0, 2));
    /// assert_close!(y.select(0, 1).slice(0, 3..), Tensor::zeros([2, 4]));
    /// ```
    /// # Panics
    /// When the shapes do not fit, the dtypes differ, or there is not a length of at most `t` for each sequence.
    #[track_caller]
    pub fn lstm_along(
        &self,
        h0: &Tensor,
        c0: &Tensor,
        w_ih: &Tensor,
        w_hh: &Tensor,
        b: Option<&Tensor>,
        walk: &Walk,
    ) -> (Tensor, Tensor, Tensor) {
        if let Some([Some(x), Some(h0), Some(c0), Some(w_ih), Some(w_hh), b]) =
            low([Some(self), Some(h0), Some(c0), Some(w_ih), Some(w_hh), b])
        {
            return x.lstm_along(&h0, &c0, &w_ih, &w_hh, b.as_ref(), walk);
        }
        check_sequence("lstm", 4, self, &[h0, c0], [w_ih, w_hh]);
        if let Some(b) = b {
            check_bias("lstm", w_hh, b);
        }
        let (y, [h, c]) = walk.in_order("lstm", self, [h0, c0], &|walk, x, [h0, c0]| {
            let mut xs = vec![x, h0, c0, w_ih, w_hh];
            xs.extend(b);
            let [batch, steps, _] = x.dims();
            unpack(&fused(Lstm(walk), &xs), [batch, steps, h0.shape()[1]])
        });
        (y, h, c)
    }
}

/// Of `x, h0, c0, w_ih, w_hh` and perhaps `b`.
struct Lstm(Walk);
impl Fused for Lstm {
    fn name(&self) -> &'static str {
        "lstm"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        5..=6
    }
    fn attrs(&self, say: Say<'_>) {
        self.0.say(say);
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        let steps = xs[0].count() / xs[0].last().max(1);
        let weights = xs[3].count().saturating_add(xs[4].count());
        Cost::products(xs, y, steps.saturating_mul(weights)).plus(times(&[9, steps, xs[4].last()]))
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let [x, h0, c0, w_ih, w_hh] = [xs[0], xs[1], xs[2], xs[3], xs[4]];
        let lines = |x: &Tensor| x.linear(w_ih, xs.get(5).copied());
        self.0.along(x, &[h0, c0], &lines, &|a, state| {
            let [i, f, g, o] = (a + state[0].linear(w_hh, None)).chunk(-1);
            let c = f.sigmoid() * &state[1] + i.sigmoid() * g.tanh();
            vec![o.sigmoid() * c.tanh(), c]
        })
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let s = sequences(xs[0], xs[4], &self.0)?;
        let all: Vec<Tensor> = xs.iter().map(|x| in_class(x)).collect();
        let state = s.batch * s.hidden;
        let kept = with_float!(all[0].dtype(), T => {
            let mut gates = room::<T>([s.batch, s.steps, 4 * s.hidden]);
            let mut cells = room::<T>([s.batch, s.steps, s.hidden]);
            let mut packed = room::<T>([state * (s.steps + 2)]);
            let (y, last) = packed.as_mut_slice().split_at_mut(state * s.steps);
            inputs::<T>(s, &all).forward(gates.as_mut_slice(), cells.as_mut_slice(), y);
            let (h, c) = last.split_at_mut(state);
            last_states(y, slice(&all[1]), s, h);
            last_states(slice(&cells), slice(&all[2]), s, c);
            [packed, gates, cells]
        });
        let [y, gates, cells] = kept;
        Some(Fast { y: y.to(xs[0].dtype()), kept: vec![gates, cells] })
    }
    fn samples_first(&self, at: &At<'_>, g: &Tensor) -> Option<Tensor> {
        Some(by_sequence(at, g))
    }
    fn vjp_each(&self, at: &At<'_>, g: &Tensor, n: usize) -> Vjp {
        let mut grads = vec![None; at.inputs()];
        let wanted = |i: usize| i < at.inputs() && at.wants(i);
        if let Some(each) = Each::of(at, g, &self.0, 3, n) {
            grads[3] = wanted(3).then(|| each.w_ih());
            grads[4] = wanted(4).then(|| each.w_hh());
            if wanted(5) {
                grads[5] = Some(each.b());
            }
        }
        grads.into()
    }
    fn keeps_output(&self) -> bool {
        true
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let all: Vec<Tensor> = (0..at.inputs()).map(|i| in_class(at.input(i))).collect();
        let s = sequences(&all[0], &all[4], &self.0)?;
        let (state, packed, g) = (s.batch * s.hidden, in_class(&at.y()), in_class(g));
        Some(with_float!(all[0].dtype(), T => {
            let (dy, last) = slice::<T>(&g).split_at(state * s.steps);
            // The gradients of the last states become those of the first ones, step by step.
            let mut dh = Tensor::from_slice(&last[..state], [s.batch, s.hidden]);
            let mut dc = Tensor::from_slice(&last[state..], [s.batch, s.hidden]);
            let wanted = |i: usize| (i < at.inputs() && at.wants(i)).then(|| room::<T>(at.shape(i)));
            let [mut dx, mut dw_ih, mut dw_hh, mut db] = [0, 3, 4, 5].map(wanted);
            inputs::<T>(s, &all).backward(
                LstmKept { gates: slice(&at.kept()[0]), cells: slice(&at.kept()[1]), y: &slice(&packed)[..dy.len()] },
                dy,
                LstmGrads {
                    x: dx.as_mut().map(Tensor::as_mut_slice),
                    h0: dh.as_mut_slice(),
                    c0: dc.as_mut_slice(),
                    w_ih: dw_ih.as_mut().map(Tensor::as_mut_slice),
                    w_hh: dw_hh.as_mut().map(Tensor::as_mut_slice),
                    b: db.as_mut().map(Tensor::as_mut_slice),
                },
            );
            let mut grads = vec![dx, Some(dh), Some(dc), dw_ih, dw_hh, db];
            grads.truncate(at.inputs());
            grads.into()
        }))
    }
}

fn inputs<'a, T: Plain>(sizes: Sequences<'a>, xs: &'a [Tensor]) -> rnn::Lstm<'a, T> {
    let [x, h0, c0, w_ih, w_hh] = [0, 1, 2, 3, 4].map(|i| slice(&xs[i]));
    rnn::Lstm { sizes, x, h0, c0, w_ih, w_hh, b: xs.get(5).map(slice) }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("lstm", "A long short-term memory over sequences: the states of all steps, the last state and the last cell.", Takes::Floats, samples).built(|a| Ok(boxed(Lstm(Walk::of_attrs(a)?)))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    let (x, h): (&[usize], &[usize]) = (&[2, 3, 4], &[2, 3]);
    s.of(&[(x, &d), (h, &d), (h, &d), (&[12, 4], &d), (&[12, 3], &d), (&[12], &d)], |x| {
        x[0].lstm(&x[1], &x[2], &x[3], &x[4], Some(&x[5])).0
    });
    s.of(&[(x, &d), (h, &d), (h, &d), (&[12, 4], &d), (&[12, 3], &d)], |x| x[0].lstm(&x[1], &x[2], &x[3], &x[4], None).1);
    s.of(&[(x, &d), (h, &d), (h, &d), (&[12, 4], &d), (&[12, 3], &d)], |x| {
        x[0].lstm_along(&x[1], &x[2], &x[3], &x[4], None, &Walk::new().lengths(&[3, 1]).reversed()).0
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;
    use crate::sequence::walks;

    fn d() -> Domain {
        floats(-1.0..1.0)
    }

    #[test]
    fn lstm() {
        // Everything of the result at once, so that each part's gradient flows.
        let all = |x: &Tensor, w_ih: &Tensor, w_hh: &Tensor| {
            let state = x.select(1, 0).slice(-1, ..2);
            let (y, h, c) = x.lstm(&state, &(&state * 0.5), w_ih, w_hh, Some(&w_ih.select(1, 0)));
            Tensor::cat(&[y, h.unsqueeze(1), c.unsqueeze(1)], 1)
        };
        check3(all).shapes([&[2, 3, 3], &[8, 3], &[8, 2]]).tolerance(4.0).on(d(), d(), d());
        for (b, t, n, h) in [(3, 4, 5, 6), (11, 3, 2, 20)] {
            let sizes: [&[usize]; 6] = [&[b, t, n], &[b, h], &[b, h], &[4 * h, n], &[4 * h, h], &[4 * h]];
            for walk in walks(b, t) {
                check_fused(|| Lstm(walk.clone()), &sizes.map(|s| (s, d())));
            }
            check_fused(|| Lstm(Walk::new()), &sizes[..5].iter().map(|&s| (s, d())).collect::<Vec<_>>());
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_named() {
        let (x, h) = (Tensor::zeros([2, 5, 3]), Tensor::zeros([2, 4]));
        let (w_ih, w_hh) = (Tensor::zeros([16, 3]), Tensor::zeros([16, 4]));
        let error = |n: &[usize]| {
            let walk = Walk::new().lengths(n);
            catch(|| x.lstm_along(&h, &h, &w_ih, &w_hh, None, &walk)).unwrap_err().message().to_string()
        };
        assert_eq!(error(&[5]), "lstm: 1 lengths for 2 sequences");
        assert_eq!(error(&[5, 6]), "lstm: sequence 1 is said to have 6 steps, and there are 5");
    }

    #[test]
    fn without_steps_the_state_stays() {
        let (h0, c0) = (Tensor::ones([2, 4]), Tensor::ones([2, 4]) * 2.0);
        let (w_ih, w_hh) = (Tensor::ones([16, 3]), Tensor::ones([16, 4]));
        let (y, h, c) = Tensor::zeros([2, 0, 3]).lstm(&h0, &c0, &w_ih, &w_hh, None);
        assert_eq!(y.shape(), [2, 0, 4]);
        assert_close!(h, h0);
        assert_close!(c, c0);
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let error = |x: &[usize], h: &[usize], w_ih: &[usize], w_hh: &[usize]| {
            let [x, h, w_ih, w_hh] = [x, h, w_ih, w_hh].map(Tensor::zeros);
            catch(|| x.lstm(&h, &h, &w_ih, &w_hh, None)).unwrap_err().to_string()
        };
        assert_eq!(
            error(&[5, 3], &[2, 4], &[16, 3], &[16, 4]),
            "lstm: x must be [batch, steps, features], it is [5, 3]\nhelp: one sequence is a batch of one: `x.unsqueeze(0)`"
        );
        assert_eq!(
            error(&[2, 5, 3], &[2, 4], &[16, 7], &[16, 4]),
            "lstm: the weight of the inputs is [16, 7], x [2, 5, 3] and a hidden size of 4 ask for [16, 3]"
        );
        assert_eq!(
            error(&[2, 5, 3], &[1, 4], &[16, 3], &[16, 4]),
            "lstm: a first state is [1, 4], x [2, 5, 3] and a hidden size of 4 ask for [2, 4]"
        );
    }
}

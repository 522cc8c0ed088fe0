//! The plain recurrent network over whole sequences.

use crate::autocast::low;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::backend::cpu::{in_class, slice, with_float};
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused, times};
use crate::backend::recurrent::{last_states, room, sequences};
use crate::sequence::{Each, Walk, by_sequence, check_bias, check_sequence, unpack};
use crate::storage::Plain;
use mapsto_kernels::rnn::{self, Bend, PlainGrads, Sequences};

impl Tensor {
    /// A plain recurrent network over sequences, `h ← tanh(x w_ihᵀ + h w_hhᵀ + b)` at each step: the states of all steps and the
    /// last state. (PyTorch's two biases are one here: their sum.)
    ///
    /// * Shape: `[b, t, in], [b, h], [h, in], [h, h], [h] → [b, t, h], [b, h]`.
    /// * Gradient: through time; with `dh` also from the step after, `da = dh tanh'`, `dh₋ = da w_hh`, `dx = da w_ih`,
    ///   `dw_ih = daᵀ x`, `dw_hh = daᵀ h₋`, `db = Σ da`.
    /// * Source: Elman 1990, Finding structure in time.   * ONNX: `RNN`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, h) = tensor![[[1.0], [1.0]]].rnn(&Tensor::zeros([1, 1]), &tensor![[1.0]], &tensor![[0.0]], None);
    /// assert_close!(y, [[[1f64.tanh()], [1f64.tanh()]]]);
    /// assert_close!(h, [[1f64.tanh()]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn rnn(&self, h0: &Tensor, w_ih: &Tensor, w_hh: &Tensor, b: Option<&Tensor>) -> (Tensor, Tensor) {
        self.rnn_along(h0, w_ih, w_hh, b, &Walk::new())
    }

    /// [`rnn`](Tensor::rnn) over the steps that a [`Walk`] says: sequences of different lengths, or read from their ends.
    ///
    /// * Shape: as `rnn`; 0 in the states of steps that a sequence has not.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, zero, w) = (tensor![[[1.0], [5.0]]], Tensor::zeros([1, 1]), tensor![[1.0]]);
    /// let (y, h) = x.rnn_along(&zero, &w, &w, None, &Walk::new().lengths(&[1]));
    /// assert_close!(y, [[[1f64.tanh()], [0.0]]]);
    /// assert_close!(h, [[1f64.tanh()]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, the dtypes differ, or there is not a length of at most `t` for each sequence.
    #[track_caller]
    pub fn rnn_along(&self, h0: &Tensor, w_ih: &Tensor, w_hh: &Tensor, b: Option<&Tensor>, walk: &Walk) -> (Tensor, Tensor) {
        along(self, h0, [w_ih, w_hh], b, walk, Bend::Tanh)
    }

    /// [`rnn`](Tensor::rnn) with a rectifier in place of the hyperbolic tangent: `h ← max(0, x w_ihᵀ + h w_hhᵀ + b)`.
    ///
    /// * Shape: as `rnn`.   * Gradient: as `rnn`, with the slope of `relu`.
    /// * Source: Le, Jaitly, Hinton 2015, arXiv:1504.00941.   * ONNX: `RNN` with `activations = ["Relu"]`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (y, _) = tensor![[[1.0], [1.0]]].rnn_relu(&Tensor::zeros([1, 1]), &tensor![[1.0]], &tensor![[1.0]], None);
    /// assert_close!(y, [[[1.0], [2.0]]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn rnn_relu(&self, h0: &Tensor, w_ih: &Tensor, w_hh: &Tensor, b: Option<&Tensor>) -> (Tensor, Tensor) {
        self.rnn_relu_along(h0, w_ih, w_hh, b, &Walk::new())
    }

    /// [`rnn_relu`](Tensor::rnn_relu) over the steps that a [`Walk`] says.
    ///
    /// * Shape: as `rnn`; 0 in the states of steps that a sequence has not.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, zero, w) = (tensor![[[1.0], [5.0]]], Tensor::zeros([1, 1]), tensor![[1.0]]);
    /// assert_close!(x.rnn_relu_along(&zero, &w, &w, None, &Walk::new().reversed()).0, [[[6.0], [5.0]]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, the dtypes differ, or there is not a length of at most `t` for each sequence.
    #[track_caller]
    pub fn rnn_relu_along(&self, h0: &Tensor, w_ih: &Tensor, w_hh: &Tensor, b: Option<&Tensor>, walk: &Walk) -> (Tensor, Tensor) {
        along(self, h0, [w_ih, w_hh], b, walk, Bend::Relu)
    }
}

#[track_caller]
fn along(x: &Tensor, h0: &Tensor, [w_ih, w_hh]: [&Tensor; 2], b: Option<&Tensor>, walk: &Walk, bend: Bend) -> (Tensor, Tensor) {
    if let Some([Some(x), Some(h0), Some(w_ih), Some(w_hh), b]) =
        low([Some(x), Some(h0), Some(w_ih), Some(w_hh), b])
    {
        return along(&x, &h0, [&w_ih, &w_hh], b.as_ref(), walk, bend);
    }
    check_sequence("rnn", 1, x, &[h0], [w_ih, w_hh]);
    if let Some(b) = b {
        check_bias("rnn", w_hh, b);
    }
    let (y, [h]) = walk.in_order("rnn", x, [h0], &|walk, x, [h0]| {
        let mut xs = vec![x, h0, w_ih, w_hh];
        xs.extend(b);
        let [batch, steps, _] = x.dims();
        unpack(&fused(Rnn { walk, bend }, &xs), [batch, steps, h0.shape()[1]])
    });
    (y, h)
}

/// Of `x, h0, w_ih, w_hh` and perhaps `b`.
struct Rnn {
    walk: Walk,
    bend: Bend,
}
impl Fused for Rnn {
    fn name(&self) -> &'static str {
        "rnn"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        4..=5
    }
    fn attrs(&self, say: Say<'_>) {
        self.walk.say(say);
        say("relu", (self.bend == Bend::Relu).into());
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        let steps = xs[0].count() / xs[0].last().max(1);
        let weights = xs[2].count().saturating_add(xs[3].count());
        Cost::products(xs, y, steps.saturating_mul(weights)).plus(times(&[2, steps, xs[3].last()]))
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let [x, h0, w_ih, w_hh] = [xs[0], xs[1], xs[2], xs[3]];
        let lines = |x: &Tensor| x.linear(w_ih, xs.get(4).copied());
        self.walk.along(x, &[h0], &lines, &|a, state| {
            let a = a + state[0].linear(w_hh, None);
            vec![if self.bend == Bend::Relu { a.relu() } else { a.tanh() }]
        })
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let s = sequences(xs[0], xs[3], &self.walk)?;
        let all: Vec<Tensor> = xs.iter().map(|x| in_class(x)).collect();
        let state = s.batch * s.hidden;
        let y = with_float!(all[0].dtype(), T => {
            let mut packed = room::<T>([state * (s.steps + 1)]);
            let (y, h) = packed.as_mut_slice().split_at_mut(state * s.steps);
            inputs::<T>(s, self.bend, &all).forward(y);
            last_states(y, slice(&all[1]), s, h);
            packed
        });
        Some(Fast { y: y.to(xs[0].dtype()), kept: vec![] })
    }
    fn samples_first(&self, at: &At<'_>, g: &Tensor) -> Option<Tensor> {
        Some(by_sequence(at, g))
    }
    fn vjp_each(&self, at: &At<'_>, g: &Tensor, n: usize) -> Vjp {
        let mut grads = vec![None; at.inputs()];
        let wanted = |i: usize| i < at.inputs() && at.wants(i);
        if let Some(each) = Each::of(at, g, &self.walk, 2, n) {
            grads[2] = wanted(2).then(|| each.w_ih());
            grads[3] = wanted(3).then(|| each.w_hh());
            if wanted(4) {
                grads[4] = Some(each.b());
            }
        }
        grads.into()
    }
    fn keeps_output(&self) -> bool {
        true
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let all: Vec<Tensor> = (0..at.inputs()).map(|i| in_class(at.input(i))).collect();
        let s = sequences(&all[0], &all[3], &self.walk)?;
        let (packed, g) = (in_class(&at.y()), in_class(g));
        Some(with_float!(all[0].dtype(), T => {
            let (dy, last) = slice::<T>(&g).split_at(s.batch * s.steps * s.hidden);
            // The gradient of the last state becomes that of the first one, step by step.
            let mut dh = Tensor::from_slice(last, [s.batch, s.hidden]);
            let wanted = |i: usize| (i < at.inputs() && at.wants(i)).then(|| room::<T>(at.shape(i)));
            let [mut dx, mut dw_ih, mut dw_hh, mut db] = [0, 2, 3, 4].map(wanted);
            inputs::<T>(s, self.bend, &all).backward(
                &slice(&packed)[..dy.len()],
                dy,
                PlainGrads {
                    x: dx.as_mut().map(Tensor::as_mut_slice),
                    h0: dh.as_mut_slice(),
                    w_ih: dw_ih.as_mut().map(Tensor::as_mut_slice),
                    w_hh: dw_hh.as_mut().map(Tensor::as_mut_slice),
                    b: db.as_mut().map(Tensor::as_mut_slice),
                },
            );
            let mut grads = vec![dx, Some(dh), dw_ih, dw_hh, db];
            grads.truncate(at.inputs());
            grads.into()
        }))
    }
}

fn inputs<'a, T: Plain>(sizes: Sequences<'a>, bend: Bend, xs: &'a [Tensor]) -> rnn::Plain<'a, T> {
    let [x, h0, w_ih, w_hh] = [0, 1, 2, 3].map(|i| slice(&xs[i]));
    rnn::Plain { sizes, bend, x, h0, w_ih, w_hh, b: xs.get(4).map(slice) }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("rnn", "A plain recurrent network over sequences, `h ← f(x w_ihᵀ + h w_hhᵀ + b)` at each step: the states of all steps and the last state.", Takes::Floats, samples).built(|a| {
        let walk = Walk::of_attrs(a)?;
        Ok(boxed(Rnn { walk, bend: if a.need("relu")? { Bend::Relu } else { Bend::Tanh } }))
    }),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    let (x, h): (&[usize], &[usize]) = (&[2, 3, 4], &[2, 3]);
    s.of(&[(x, &d), (h, &d), (&[3, 4], &d), (&[3, 3], &d), (&[3], &d)], |x| x[0].rnn(&x[1], &x[2], &x[3], Some(&x[4])).0);
    s.of(&[(x, &d), (h, &d), (&[3, 4], &d), (&[3, 3], &d)], |x| x[0].rnn_relu(&x[1], &x[2], &x[3], None).1);
    s.of(&[(x, &d), (h, &d), (&[3, 4], &d), (&[3, 3], &d)], |x| {
        x[0].rnn_along(&x[1], &x[2], &x[3], None, &Walk::new().lengths(&[3, 1]).reversed()).0
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;
    use crate::sequence::walks;

    #[test]
    fn rnn() {
        let d = || floats(-1.0..1.0);
        let all = |x: &Tensor, w_ih: &Tensor, w_hh: &Tensor| {
            let (y, h) = x.rnn(&x.select(1, 0).slice(-1, ..2), w_ih, w_hh, Some(&w_ih.select(1, 0)));
            Tensor::cat(&[y, h.unsqueeze(1)], 1)
        };
        check3(all).shapes([&[2, 3, 3], &[2, 3], &[2, 2]]).tolerance(4.0).on(d(), d(), d());
        for (b, t, n, h) in [(3, 4, 5, 6), (11, 3, 2, 20)] {
            let sizes: [&[usize]; 5] = [&[b, t, n], &[b, h], &[h, n], &[h, h], &[h]];
            for walk in walks(b, t) {
                for bend in [Bend::Tanh, Bend::Relu] {
                    check_fused(|| Rnn { walk: walk.clone(), bend }, &sizes.map(|s| (s, d())));
                }
            }
            check_fused(|| Rnn { walk: Walk::new(), bend: Bend::Tanh }, &sizes[..4].iter().map(|&s| (s, d())).collect::<Vec<_>>());
        }
    }

    #[test]
    fn padding_is_not_read_and_an_empty_sequence_keeps_its_state() {
        let (h0, w_ih, w_hh) = (Tensor::randn([3, 4]), Tensor::randn([4, 2]), Tensor::randn([4, 4]));
        let run = |filling: f64, t: usize| {
            let x = Tensor::cat(&[tensor![[[1.0, 2.0]], [[3.0, 4.0]], [[5.0, 6.0]]], Tensor::full_of([3, t, 2], filling, DType::F32)], 1);
            let (x, w) = (x.leaf(), w_ih.leaf());
            let (y, h) = x.rnn_along(&h0, &w, &w_hh, None, &Walk::new().lengths(&[1, 0, 1]));
            let grads = (y.square().sum(..) + h.sum(..)).backward();
            (y.slice(1, ..1).to_vec::<f32>(), h.to_vec::<f32>(), grads.of(&w).to_vec::<f32>(), grads.of(&x).slice(1, 1..).abs().max(..).item())
        };
        let first = run(0.0, 1);
        assert_eq!(first.1[4..8], h0.to_vec::<f32>()[4..8]);
        assert_eq!(first.3, 0.0);
        for (filling, t) in [(f64::NAN, 1), (9.0, 4)] {
            assert_eq!(run(filling, t), first);
        }
    }
}

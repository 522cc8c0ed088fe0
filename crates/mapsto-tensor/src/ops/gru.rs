//! The gated recurrent unit over whole sequences.

use crate::autocast::low;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::Tensor;
use crate::backend::cpu::{in_class, slice, with_float};
use crate::graph::{At, Cost, Fast, Fused, Outline, Say, Vjp, boxed, fused, times};
use crate::backend::recurrent::{last_states, room, sequences};
use crate::sequence::{Each, Walk, by_sequence, check_bias, check_sequence, unpack};
use crate::storage::Plain;
use mapsto_kernels::rnn::{self, GruGrads, GruKept, Sequences};

impl Tensor {
    /// A gated recurrent unit over sequences: the states of all steps and the last state.
    ///
    /// At each step `a = x w_ihᵀ + b_ih` and `u = h w_hhᵀ + b_hh`, each in three parts `r, z, n` of the hidden size; then
    /// `r = σ(a_r + u_r)`, `z = σ(a_z + u_z)`, `n = tanh(a_n + r u_n)` and `h ← (1 − z) n + z h`. The biases come together
    /// or not at all: `b = Some([&b_ih, &b_hh])`.
    ///
    /// * Shape: `[b, t, in], [b, h], [3h, in], [3h, h], [3h], [3h] → [b, t, h], [b, h]`.
    /// * Gradient: through time; with `dh` also from the step after, the parts of `da` are `da_n u_n σ'(r)`,
    ///   `dh (h₋ − n) σ'(z)`, `dh (1 − z) tanh'(n)`, those of `du` the same but for `da_n r`, and `dh₋ = dh z + du w_hh`;
    ///   `dx = da w_ih`, `dw_ih = daᵀ x`, `dw_hh = duᵀ h₋`, `db_ih = Σ da`, `db_hh = Σ du`.
    /// * Source: Cho et al. 2014, arXiv:1406.1078, with the reset gate after the product as in its version of cuDNN and
    ///   PyTorch, whose order the gates have.   * ONNX: `GRU` with `linear_before_reset = 1`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// // Half of the state is kept, half of it is tanh(x).
    /// let (w_ih, w_hh) = (tensor![[0.0], [0.0], [1.0]], Tensor::zeros([3, 1]));
    /// let (y, h) = tensor![[[1.0], [1.0]]].gru(&Tensor::zeros([1, 1]), &w_ih, &w_hh, None);
    /// assert_close!(y, [[[0.5 * 1f64.tanh()], [0.75 * 1f64.tanh()]]]);
    /// assert_close!(h, [[0.75 * 1f64.tanh()]]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn gru(&self, h0: &Tensor, w_ih: &Tensor, w_hh: &Tensor, b: Option<[&Tensor; 2]>) -> (Tensor, Tensor) {
        self.gru_along(h0, w_ih, w_hh, b, &Walk::new())
    }

    /// [`gru`](Tensor::gru) over the steps that a [`Walk`] says: sequences of different lengths, or read from their ends.
    ///
    /// * Shape: as `gru`; 0 in the states of steps that a sequence has not.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, zero) = (Tensor::randn([2, 5, 3]), Tensor::zeros([2, 4]));
    /// let (w_ih, w_hh) = (Tensor::randn([12, 3]), Tensor::randn([12, 4]));
    /// // Read from the end, the last state is that of the first step.
    /// let (y, h) = x.gru_along(&zero, &w_ih, &w_hh, None, &Walk::new().lengths(&[2, 4]).reversed());
    /// assert_close!(h, y.select(1, 0));
    /// ```
    /// # Panics
    /// When the shapes do not fit, the dtypes differ, or there is not a length of at most `t` for each sequence.
    #[track_caller]
    pub fn gru_along(&self, h0: &Tensor, w_ih: &Tensor, w_hh: &Tensor, b: Option<[&Tensor; 2]>, walk: &Walk) -> (Tensor, Tensor) {
        let [b_ih, b_hh] = b.map_or([None; 2], |b| b.map(Some));
        if let Some([Some(x), Some(h0), Some(w_ih), Some(w_hh), b_ih, b_hh]) =
            low([Some(self), Some(h0), Some(w_ih), Some(w_hh), b_ih, b_hh])
        {
            return x.gru_along(&h0, &w_ih, &w_hh, b_ih.as_ref().zip(b_hh.as_ref()).map(|(a, b)| [a, b]), walk);
        }
        check_sequence("gru", 3, self, &[h0], [w_ih, w_hh]);
        b.into_iter().flatten().for_each(|b| check_bias("gru", w_hh, b));
        let (y, [h]) = walk.in_order("gru", self, [h0], &|walk, x, [h0]| {
            let mut xs = vec![x, h0, w_ih, w_hh];
            xs.extend(b.into_iter().flatten());
            let [batch, steps, _] = x.dims();
            unpack(&fused(Gru(walk), &xs), [batch, steps, h0.shape()[1]])
        });
        (y, h)
    }
}

/// Of `x, h0, w_ih, w_hh` and perhaps `b_ih, b_hh`.
struct Gru(Walk);
impl Fused for Gru {
    fn name(&self) -> &'static str {
        "gru"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        4..=6
    }
    fn attrs(&self, say: Say<'_>) {
        self.0.say(say);
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        let steps = xs[0].count() / xs[0].last().max(1);
        let weights = xs[2].count().saturating_add(xs[3].count());
        Cost::products(xs, y, steps.saturating_mul(weights)).plus(times(&[9, steps, xs[3].last()]))
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let [x, h0, w_ih, w_hh] = [xs[0], xs[1], xs[2], xs[3]];
        let lines = |x: &Tensor| x.linear(w_ih, xs.get(4).copied());
        self.0.along(x, &[h0], &lines, &|a, state| {
            let [a_r, a_z, a_n] = a.chunk(-1);
            let [u_r, u_z, u_n] = state[0].linear(w_hh, xs.get(5).copied()).chunk(-1);
            let (r, z) = ((a_r + u_r).sigmoid(), (a_z + u_z).sigmoid());
            let n = (a_n + r * u_n).tanh();
            vec![(1.0 - &z) * n + z * &state[0]]
        })
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let s = sequences(xs[0], xs[3], &self.0)?;
        let all: Vec<Tensor> = xs.iter().map(|x| in_class(x)).collect();
        let state = s.batch * s.hidden;
        let [y, gates, u] = with_float!(all[0].dtype(), T => {
            let mut gates = room::<T>([s.batch, s.steps, 3 * s.hidden]);
            let mut u = room::<T>([s.batch, s.steps, s.hidden]);
            let mut packed = room::<T>([state * (s.steps + 1)]);
            let (y, h) = packed.as_mut_slice().split_at_mut(state * s.steps);
            inputs::<T>(s, &all).forward(gates.as_mut_slice(), u.as_mut_slice(), y);
            last_states(y, slice(&all[1]), s, h);
            [packed, gates, u]
        });
        Some(Fast { y: y.to(xs[0].dtype()), kept: vec![gates, u] })
    }
    fn samples_first(&self, at: &At<'_>, g: &Tensor) -> Option<Tensor> {
        Some(by_sequence(at, g))
    }
    fn vjp_each(&self, at: &At<'_>, g: &Tensor, n: usize) -> Vjp {
        let mut grads = vec![None; at.inputs()];
        let wanted = |i: usize| i < at.inputs() && at.wants(i);
        if let Some(each) = Each::of(at, g, &self.0, 2, n) {
            grads[2] = wanted(2).then(|| each.w_ih());
            if wanted(4) {
                grads[4] = Some(each.b());
            }
            // The state's share of the last gate is multiplied by r.
            let h = each.before.shape()[2] as isize;
            let bias = |i: usize| (at.inputs() == 6).then(|| at.input(i).detach().slice(0, ..h));
            let shares = each.before.linear(&at.input(3).detach().slice(0, ..h), bias(5).as_ref());
            let lines = each.lines.slice(2, ..h) + shares;
            let r = match bias(4) {
                Some(b) => (lines + b).sigmoid(),
                None => lines.sigmoid(),
            };
            let each = each.last_times(&r);
            grads[3] = wanted(3).then(|| each.w_hh());
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
        let s = sequences(&all[0], &all[3], &self.0)?;
        let (packed, g) = (in_class(&at.y()), in_class(g));
        Some(with_float!(all[0].dtype(), T => {
            let (dy, last) = slice::<T>(&g).split_at(s.batch * s.steps * s.hidden);
            // The gradient of the last state becomes that of the first one, step by step.
            let mut dh = Tensor::from_slice(last, [s.batch, s.hidden]);
            let wanted = |i: usize| (i < at.inputs() && at.wants(i)).then(|| room::<T>(at.shape(i)));
            let [mut dx, mut dw_ih, mut dw_hh] = [0, 2, 3].map(wanted);
            // Both biases or none: they are sums over the same numbers.
            let mut db = (at.inputs() == 6 && (at.wants(4) || at.wants(5))).then(|| [4, 5].map(|i| room::<T>(at.shape(i))));
            inputs::<T>(s, &all).backward(
                GruKept { gates: slice(&at.kept()[0]), u: slice(&at.kept()[1]), y: &slice(&packed)[..dy.len()] },
                dy,
                GruGrads {
                    x: dx.as_mut().map(Tensor::as_mut_slice),
                    h0: dh.as_mut_slice(),
                    w_ih: dw_ih.as_mut().map(Tensor::as_mut_slice),
                    w_hh: dw_hh.as_mut().map(Tensor::as_mut_slice),
                    b: db.as_mut().map(|b| b.each_mut().map(Tensor::as_mut_slice)),
                },
            );
            let mut grads = vec![dx, Some(dh), dw_ih, dw_hh];
            match db {
                Some(db) => grads.extend(db.map(Some)),
                None => grads.resize(at.inputs(), None),
            }
            grads.into()
        }))
    }
}

fn inputs<'a, T: Plain>(sizes: Sequences<'a>, xs: &'a [Tensor]) -> rnn::Gru<'a, T> {
    let [x, h0, w_ih, w_hh] = [0, 1, 2, 3].map(|i| slice(&xs[i]));
    let b = (xs.len() == 6).then(|| [slice(&xs[4]), slice(&xs[5])]);
    rnn::Gru { sizes, x, h0, w_ih, w_hh, b }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("gru", "A gated recurrent unit over sequences: the states of all steps and the last state.", Takes::Floats, samples).built(|a| Ok(boxed(Gru(Walk::of_attrs(a)?)))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    let (x, h): (&[usize], &[usize]) = (&[2, 3, 4], &[2, 3]);
    s.of(&[(x, &d), (h, &d), (&[9, 4], &d), (&[9, 3], &d), (&[9], &d), (&[9], &d)], |x| {
        x[0].gru(&x[1], &x[2], &x[3], Some([&x[4], &x[5]])).0
    });
    s.of(&[(x, &d), (h, &d), (&[9, 4], &d), (&[9, 3], &d)], |x| x[0].gru(&x[1], &x[2], &x[3], None).1);
    s.of(&[(x, &d), (h, &d), (&[9, 4], &d), (&[9, 3], &d)], |x| {
        x[0].gru_along(&x[1], &x[2], &x[3], None, &Walk::new().lengths(&[3, 1]).reversed()).0
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
    fn gru() {
        let all = |x: &Tensor, w_ih: &Tensor, w_hh: &Tensor| {
            let (b_ih, b_hh) = (w_ih.select(1, 0), w_hh.select(1, 1));
            let (y, h) = x.gru(&x.select(1, 0).slice(-1, ..2), w_ih, w_hh, Some([&b_ih, &b_hh]));
            Tensor::cat(&[y, h.unsqueeze(1)], 1)
        };
        check3(all).shapes([&[2, 3, 3], &[6, 3], &[6, 2]]).tolerance(4.0).on(d(), d(), d());
        for (b, t, n, h) in [(3, 4, 5, 6), (11, 3, 2, 20)] {
            let sizes: [&[usize]; 6] = [&[b, t, n], &[b, h], &[3 * h, n], &[3 * h, h], &[3 * h], &[3 * h]];
            for walk in walks(b, t) {
                check_fused(|| Gru(walk.clone()), &sizes.map(|s| (s, d())));
            }
            check_fused(|| Gru(Walk::new()), &sizes[..4].iter().map(|&s| (s, d())).collect::<Vec<_>>());
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let (x, h, w_ih, w_hh) =
            (Tensor::zeros([2, 5, 3]), Tensor::zeros([2, 4]), Tensor::zeros([12, 3]), Tensor::zeros([12, 4]));
        let b = Tensor::zeros([16]);
        let error = catch(|| x.gru(&h, &w_ih, &w_hh, Some([&b, &b]))).unwrap_err();
        assert_eq!(error.message(), "gru: a bias is [16], the weight [12, 4] asks for [12]");
        let error = catch(|| x.gru(&h, &w_ih, &Tensor::zeros([16, 4]), None)).unwrap_err();
        assert_eq!(error.message(), "gru: the weight of the state must be [3·hidden, hidden], it is [16, 4]");
    }
}

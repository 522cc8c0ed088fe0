//! The gated recurrent unit: a state of which a gate says how much is new.

use super::gate::Gate;
use super::panels::{Panels, To};
use super::slopes::{Slopes, Weight};
use super::sweep::lay;
use super::{ROWS, Rnn, STEPS, Sequences, add_rows, clear, sigmoid_slope, tanh_slope};
use crate::blocks::for_blocks;
use crate::elements::elements;
use crate::gemm::{Gemm, Mat};
use crate::real::Float;
use crate::reduce;
use crate::simd::vectorize;
use crate::workspace::scratch;

/// The inputs of a GRU over a batch of sequences, row-major.
///
/// With `a = w_ih·x + b_ih` and `u = w_hh·h + b_hh`, each in three parts `r, z, n` of the hidden size, at each step
/// `r = σ(a_r + u_r)`, `z = σ(a_z + u_z)`, `n = tanh(a_n + r u_n)`, `h ← (1 − z) n + z h`.
#[derive(Clone, Copy)]
pub struct Gru<'a, T> {
    /// The sizes.
    pub sizes: Sequences<'a>,
    /// `[batch, steps, inputs]`.
    pub x: &'a [T],
    /// The first state, `[batch, hidden]`.
    pub h0: &'a [T],
    /// `[3·hidden, inputs]`.
    pub w_ih: &'a [T],
    /// `[3·hidden, hidden]`.
    pub w_hh: &'a [T],
    /// Both biases, `[3·hidden]` each.
    pub b: Option<[&'a [T]; 2]>,
}

/// What the way forward writes and the way back reads.
#[derive(Clone, Copy)]
pub struct GruKept<'a, T> {
    /// `r, z, n` after their functions, `[batch, steps, 3·hidden]`.
    pub gates: &'a [T],
    /// `u_n`, `[batch, steps, hidden]`.
    pub u: &'a [T],
    /// The states, `[batch, steps, hidden]`.
    pub y: &'a [T],
}

/// The gradients that the way back writes; those that are `None` are not computed.
pub struct GruGrads<'a, T> {
    /// Of `x`.
    pub x: Option<&'a mut [T]>,
    /// Of `h0`; on entry, the gradient of the last state besides that in `dy`.
    pub h0: &'a mut [T],
    /// Of `w_ih`.
    pub w_ih: Option<&'a mut [T]>,
    /// Of `w_hh`.
    pub w_hh: Option<&'a mut [T]>,
    /// Of both biases.
    pub b: Option<[&'a mut [T]; 2]>,
}

impl<T: Rnn> Gru<'_, T> {
    /// Writes the gates, the state's share of the new one, and the states of all steps.
    ///
    /// ```
    /// use mapsto_kernels::rnn::{Gru, Sequences};
    /// let sizes = Sequences { batch: 1, steps: 1, inputs: 1, hidden: 1, ..Sequences::WHOLE };
    /// let gru = Gru { sizes, x: &[2.0f64], h0: &[1.0], w_ih: &[0.0, 0.0, 1.0], w_hh: &[0.0; 3], b: None };
    /// let (mut gates, mut u, mut y) = ([0.0; 3], [0.0], [0.0]);
    /// gru.forward(&mut gates, &mut u, &mut y);
    /// assert_eq!(gates, [0.5, 0.5, 2.0f64.tanh()]);
    /// assert_eq!(y, [2.0f64.tanh() + 0.5 * (1.0 - 2.0f64.tanh())]);
    /// ```
    ///
    /// # Panics
    /// If a slice has another length than the sizes ask for.
    pub fn forward(&self, gates: &mut [T], u: &mut [T], y: &mut [T]) {
        self.check();
        self.check_kept(gates.len(), u.len(), y.len());
        if !y.is_empty() {
            T::gru(self, gates, u, y)
        }
    }

    /// Writes the gradients, from `dy`, that of the states of all steps.
    ///
    /// With `dh` the gradient of a state from `dy` and from the step after it: `dn = dh (1 − z)`, `dz = dh (h₋ − n)` and
    /// `dr = da_n u_n`, each times its function's slope, are the step's `da`; `du` is `da` but for `du_n = da_n r`; and
    /// `dh₋ = dh z + du·w_hh`.
    ///
    /// # Panics
    /// If a slice has another length than the sizes ask for.
    pub fn backward(&self, kept: GruKept<'_, T>, dy: &[T], grads: GruGrads<'_, T>) {
        self.check();
        self.check_kept(kept.gates.len(), kept.u.len(), kept.y.len());
        assert_eq!(
            grads.h0.len(),
            elements([self.sizes.batch, self.sizes.hidden]),
            "gru: the gradient of the first state"
        );
        assert_eq!(dy.len(), kept.y.len(), "gru: the gradient of y");
        if kept.y.is_empty() {
            let GruGrads { x, w_ih, w_hh, b, .. } = grads;
            return clear([x, w_ih, w_hh].into_iter().flatten().chain(b.into_iter().flatten()));
        }
        T::gru_backward(self, kept, dy, grads)
    }

    fn check(&self) {
        let s = &self.sizes;
        s.check("gru", 3, self.x, self.w_ih, self.w_hh);
        assert_eq!(self.h0.len(), elements([s.batch, s.hidden]), "gru: the first state of {s:?}");
        let fits = |b: [&[T]; 2]| b.iter().all(|b| b.len() == elements([3, s.hidden]));
        assert!(self.b.is_none_or(fits), "gru: the biases of {s:?}");
    }

    fn check_kept(&self, gates: usize, u: usize, y: usize) {
        let n = elements([self.sizes.rows(), self.sizes.hidden]);
        assert_eq!((gates, u, y), (elements([3, n]), n, n), "gru: gates and states of {:?}", self.sizes);
    }
}

/// [`Gru::forward`] with lengths checked.
pub fn forward<T: Gemm + Gate>(gru: &Gru<T>, gates: &mut [T], u: &mut [T], y: &mut [T]) {
    let s @ Sequences { steps, inputs, hidden: h, .. } = gru.sizes;
    let [b_ih, b_hh] = gru.b.map_or([None; 2], |b| b.map(Some));
    let w_ih = Panels::new(&[Mat::row_major(gru.w_ih, 3 * h, inputs).t()]);
    let w_hh = Panels::new(&[Mat::row_major(gru.w_hh, 3 * h, h).t()]);
    let (wide, narrow) = (elements([3, steps, h]), elements([steps, h]));
    let chunks = [elements([ROWS, wide]), elements([ROWS, narrow]), elements([ROWS, narrow])];
    for_blocks([gates, u, y], chunks, s.cost(3), |block, [gates, u, y]| {
        let (first, rows) = (block * ROWS, y.len() / narrow);
        s.shares(first, &w_ih, gru.x, gates, y, b_ih);
        let h0 = &gru.h0[first * h..];
        let (mut state, mut shares) = (w_hh.room(), scratch::<T>(rows * 3 * h));
        for (t, _) in s.order(first) {
            let rows = s.active(first, rows, t);
            for row in 0..rows {
                lay(&mut state, row, s.before(first, h0, y, row, t));
            }
            let to = To { c: &mut shares, stride: 3 * h, add: false, bias: b_hh };
            w_hh.times(w_hh.rows(&state), rows, to);
            for row in 0..rows {
                let (now, h_before) = s.now_and_before(first, h0, y, row, t);
                let gates = &mut gates[row * wide + t * 3 * h..][..3 * h];
                let (shares, u) = (&shares[row * 3 * h..][..3 * h], &mut u[row * narrow + t * h..][..h]);
                vectorize(
                    #[inline(always)]
                    || cell(gates, shares, h_before, u, now),
                );
            }
        }
    });
}

/// One step of one sequence: the functions of the gates in place, and the state.
#[inline(always)]
fn cell<T: Gate>(gates: &mut [T], shares: &[T], h_before: &[T], u: &mut [T], y: &mut [T]) {
    let h = y.len();
    let (r, rest) = gates.split_at_mut(h);
    let (z, n) = rest.split_at_mut(h);
    let (u_r, rest) = shares.split_at(h);
    let (u_z, u_n) = rest.split_at(h);
    assert!(n.len() == h && u_n.len() == h && h_before.len() == h && u.len() == h);
    for j in 0..h {
        (r[j], z[j]) = T::sigmoid2(r[j] + u_r[j], z[j] + u_z[j]);
        u[j] = u_n[j];
    }
    for j in 0..h {
        n[j] = T::tanh1(n[j] + r[j] * u_n[j]);
        y[j] = n[j] + z[j] * (h_before[j] - n[j]);
    }
}

/// [`Gru::backward`] with lengths checked.
///
/// The gradients of a step's gates are four parts, `n, r, z, u_n`: the first three are `da`, the last three `du`.
pub fn backward<T: Gemm + Gate>(gru: &Gru<T>, kept: GruKept<'_, T>, dy: &[T], grads: GruGrads<'_, T>) {
    let s @ Sequences { batch, steps, inputs, hidden: h, .. } = gru.sizes;
    let w_hh = Panels::new(&parts(gru.w_hh, h, h));
    let mut slopes = Slopes::new(s, 4);
    let (block, layout) = (slopes.block(), slopes.layout());
    let mut sums = scratch::<T>(batch.div_ceil(ROWS) * 4 * h);
    let slices = [slopes.all(), &mut sums, grads.h0];
    for_blocks(slices, [block, 4 * h, ROWS * h], s.cost(3), |block, [slopes, sums, dh]| {
        let (first, rows) = (block * ROWS, dh.len() / h);
        if rows < ROWS || s.lengths.is_some() {
            slopes.fill(T::ZERO);
        }
        sums.fill(T::ZERO);
        // Of some steps, so that no sum is rounded very often.
        let mut recent = scratch::<T>(4 * h);
        recent.fill(T::ZERO);
        let mut d = scratch::<T>(rows * 4 * h);
        for (t, earlier) in s.order(first).rev() {
            let active = s.active(first, rows, t);
            d[active * 4 * h..].fill(T::ZERO);
            for row in 0..active {
                let at = ((first + row) * steps + t) * h;
                let h_before = s.before(0, gru.h0, kept.y, first + row, t);
                let (gates, u, dy) = (&kept.gates[3 * at..][..3 * h], &kept.u[at..][..h], &dy[at..][..h]);
                let (dh, d) = (&mut dh[row * h..][..h], &mut d[row * 4 * h..][..4 * h]);
                vectorize(
                    #[inline(always)]
                    || cell_backward(gates, u, h_before, dy, dh, d),
                );
            }
            add_rows(&d, &mut recent);
            if earlier % STEPS == 0 {
                add_rows(&recent, sums);
                recent.fill(T::ZERO);
            }
            layout.put(slopes, t, &d);
            let to = To { c: dh, stride: h, add: true, bias: None };
            w_hh.times(layout.step(slopes, rows, t, 1, &w_hh), active, to);
        }
    });

    if let Some([b_ih, b_hh]) = grads.b {
        let mut all = scratch::<T>(4 * h);
        reduce::sum(&sums, [1, batch.div_ceil(ROWS), 4 * h], &mut all);
        b_hh.copy_from_slice(&all[h..]);
        b_ih[..2 * h].copy_from_slice(&all[h..3 * h]);
        b_ih[2 * h..].copy_from_slice(&all[..h]);
    }
    if let Some(dx) = grads.x {
        let [r, z, n] = parts(gru.w_ih, h, inputs);
        slopes.times(0, &Panels::new(&[n, r, z]), dx);
    }
    let input = |b: usize, t: usize| &gru.x[(b * steps + t) * inputs..][..inputs];
    let before = |b: usize, t: usize| s.before(0, gru.h0, kept.y, b, t);
    let mut wanted = Vec::new();
    if let Some(dw) = grads.w_ih {
        wanted.push(Weight { parts: &[Some(2), Some(0), Some(1), None], cols: inputs, right: &input, dw });
    }
    if let Some(dw) = grads.w_hh {
        wanted.push(Weight { parts: &[None, Some(0), Some(1), Some(2)], cols: h, right: &before, dw });
    }
    slopes.weights(&mut wanted);
}

/// The three parts of a weight.
fn parts<T: Gemm>(w: &[T], hidden: usize, cols: usize) -> [Mat<'_, T>; 3] {
    std::array::from_fn(|i| Mat::row_major(&w[i * hidden * cols..][..hidden * cols], hidden, cols))
}

/// One step of one sequence backwards: the gradients `n, r, z, u_n`, and the state's own part of that before.
#[inline(always)]
fn cell_backward<T: Float>(gates: &[T], u: &[T], h_before: &[T], dy: &[T], dh: &mut [T], d: &mut [T]) {
    let h = u.len();
    let (r, rest) = gates.split_at(h);
    let (z, n) = rest.split_at(h);
    let (dn, rest) = d.split_at_mut(h);
    let (dr, rest) = rest.split_at_mut(h);
    let (dz, du) = rest.split_at_mut(h);
    assert!(n.len() == h && du.len() == h && h_before.len() == h && dy.len() == h && dh.len() == h);
    for j in 0..h {
        let g = dy[j] + dh[j];
        let a_n = g * (T::ONE - z[j]) * tanh_slope(n[j]);
        dn[j] = a_n;
        dr[j] = a_n * u[j] * sigmoid_slope(r[j]);
        dz[j] = g * (h_before[j] - n[j]) * sigmoid_slope(z[j]);
        du[j] = a_n * r[j];
        dh[j] = g * z[j];
    }
}
